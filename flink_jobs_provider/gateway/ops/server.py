"""The HTTP server: its socket, opened before anything else starts, its certificate, its stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import uvicorn
from uvicorn.server import ServerState

from flink_jobs_provider.control_planes.connection import environment
from flink_jobs_provider.gateway.configuration import TlsFiles
from flink_jobs_provider.gateway.ops.http_protocol import (
    ConnectionLimits,
    Connections,
    GatewayProtocol,
    Listening,
    Refused,
)
from flink_jobs_provider.model.errors import SetupError

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def notify(state: str) -> None:
    """Send a state such as READY=1; nothing is sent where no service manager waits for it."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.connect(address)
            channel.sendall(state.encode())
    except OSError:
        return  # it is reported for comfort: the gateway works without


#: Answers on their way when a stop begins have this long.
_ANSWERS_S = 10
_KEEP_ALIVE_S = 30
_GOODBYE_S = 0.25
_BACKLOG = 2048


class CannotListen(SetupError):
    """The address cannot be listened on; the text is the reason."""


def open_socket(host: str, port: int) -> Listening:
    """Return a socket that holds an address; no client can connect before the server begins.

    Raises:
        CannotListen: The port is taken, or the address is none of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = Listening(family, kind, protocol)
    except OSError as error:
        raise CannotListen(f"cannot listen on {host}: {error.strerror or error}") from None
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
    except OSError as error:
        opened.close()
        reason = error.strerror or str(error)
        raise CannotListen(
            f"cannot listen on {host}, port {port}: {reason}. Set listen.host and listen.port to "
            "an address of this machine that nothing else listens on"
        ) from None
    return opened


def address_of(opened: socket.socket, *, tls: bool) -> str:
    """Return the URL of what listens on a socket."""
    host, port = opened.getsockname()[:2]
    host = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{host}:{port}"


class StopSignals:
    """SIGTERM and SIGINT: the first asks for a stop in order, the second for one at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.insisted = asyncio.Event()

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Catch them for the duration of the block."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Do as for a signal."""
        (self.insisted if self.asked.is_set() else self.asked).set()


class _Server(uvicorn.Server):
    """Leaves signals to the gateway, which has more to stop than the server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_http(
    app: ASGIApp,
    opened: Listening,
    tls: ssl.SSLContext | None,
    stop: StopSignals,
    ready: Callable[[], None],
    refused: Refused,
    limits: ConnectionLimits | None = None,
) -> None:
    """Answer requests until a stop is asked for; return when the last answer is sent.

    Args:
        app: What answers.
        opened: The socket, bound.
        tls: The certificate; none for plain HTTP.
        stop: When to end.
        ready: Called as soon as no client is turned away any more.
        refused: Answers what cannot be read as a request.
        limits: How many connections are served.
    """
    connections = opened.connections = Connections(limits or ConnectionLimits())
    config = uvicorn.Config(
        app,
        http=partial(GatewayProtocol, connections=connections, refused=refused),  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        interface="asgi3",
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_ANSWERS_S,
    )
    config.load()
    config.ssl = tls
    server = _Server(config)

    async def watch() -> None:
        await stop.asked.wait()
        server.should_exit = True
        async with asyncio.TaskGroup() as group:
            group.create_task(_close_idle(server.server_state))
            await stop.insisted.wait()
            server.force_exit = True

    opened.listen(_BACKLOG)  # who connects from now on waits, if only for a moment
    ready()
    watching = asyncio.create_task(watch())
    try:
        await server.serve(sockets=[opened])
    finally:
        watching.cancel()


async def _close_idle(state: ServerState) -> None:
    """Close connections that send nothing any more.

    Over TLS the server would wait for each client's goodbye, which clients with a pool of
    connections do not send before they need the connection again.
    """
    while True:
        await asyncio.sleep(_GOODBYE_S)
        if state.tasks:
            continue
        for connection in list(state.connections):
            transport = connection.transport
            if transport.is_closing() and transport.get_write_buffer_size() == 0:
                transport.abort()


_log = structlog.get_logger("gateway.certificate")
_EVERY = 30.0
#: Of TLS 1.2: forward secrecy and authenticated encryption only, no CBC. TLS 1.3 has no other.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class CertificateUnusable(SetupError):
    """The certificate cannot be used; the text is the reason, and the file that it is about."""


class Certificate:
    """A certificate and its key, in a TLS context that connections are accepted with.

    It is checked before the gateway listens, and read again when it is renewed.

    Args:
        files: Where they are.

    Raises:
        CertificateUnusable: A file cannot be read, or the two do not belong together.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self.context.set_ciphers(_CIPHERS)
        self._version = self._present()
        self.load()

    def load(self) -> None:
        """Read the files; connections that are made from now on see what they hold.

        Raises:
            CertificateUnusable: They cannot be used; the certificate from before stays.
        """
        password = self._password()
        _read(self._files.certificate_file)
        _check_private(self._files.key_file)
        if b"ENCRYPTED" in _read(self._files.key_file) and not password:
            raise CertificateUnusable(
                f"{self._files.key_file} is encrypted: name its password in listen.tls.key_password"
            )
        # First into a context that is not in use: a half-read pair must not reach connections.
        self._load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), password)
        self._load_into(self.context, password)

    def _load_into(self, context: ssl.SSLContext, password: str) -> None:
        files = self._files
        try:
            # Always a password, if an empty one: without it OpenSSL would ask on the terminal.
            context.load_cert_chain(files.certificate_file, files.key_file, lambda: password)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or "one of them is none that can be read"
            raise CertificateUnusable(
                f"{files.certificate_file} with {files.key_file} cannot be used: "
                f"{reason.replace('_', ' ').lower()}. They must be PEM files, and belong together"
            ) from None

    def _password(self) -> str:
        if self._files.key_password is None:
            return ""
        try:
            return environment(self._files.key_password)
        except KeyError:
            raise CertificateUnusable(
                f"listen.tls.key_password refers to {self._files.key_password}, and there is no "
                "such environment variable"
            ) from None

    def renew(self) -> bool:
        """Load the files again if they changed; whether they were. What is invalid is logged."""
        present = self._present()
        if present == self._version:
            return False
        self._version = present
        try:
            self.load()
        except CertificateUnusable as error:
            _log.error("the renewed certificate cannot be used: the old one stays", reason=error)
            return False
        _log.info("the certificate was renewed", file=self._files.certificate_file)
        return True

    async def keep_renewing(self, every: float = _EVERY) -> None:
        """Reload a renewed certificate, for as long as the gateway runs.

        It is loaded in the event loop's own thread, where no handshake is under way meanwhile.
        """
        while True:
            await asyncio.sleep(every)
            self.renew()

    def _present(self) -> tuple[tuple[int, int], ...]:
        found = []
        for path in (self._files.certificate_file, self._files.key_file):
            try:
                now = Path(path).stat()
            except OSError:
                return ()
            found.append((now.st_ino, now.st_mtime_ns))
        return tuple(found)


def _check_private(path: str) -> None:
    """Refuse a key that other users of this machine can read; a group may, as of a mounted secret.

    Raises:
        CertificateUnusable: It is open to others, or is not there.
    """
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        raise CertificateUnusable(f"{path} cannot be read: {error.strerror}") from None
    if os.name == "posix" and mode & (stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP):
        raise CertificateUnusable(
            f"{path} is open to other users of this machine (mode {stat.S_IMODE(mode):04o}). "
            f"Run: chmod 600 {path}"
        )


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CertificateUnusable(f"{path} cannot be read: {error.strerror}") from None
