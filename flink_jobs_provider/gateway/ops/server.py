"""The HTTP server: a socket that is opened before anything else starts, and a stop in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.server import ServerState

from flink_jobs_provider.gateway.ops.connections import (
    ConnectionLimits,
    Connections,
    Listening,
)
from flink_jobs_provider.gateway.ops.http_protocol import GatewayProtocol, Refused
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
        return  # it is told for comfort: the gateway works without


#: Answers on their way when a stop begins have this long.
_ANSWERS_S = 10
_KEEP_ALIVE_S = 30
_GOODBYE_S = 0.25
_BACKLOG = 2048


class CannotListen(SetupError):
    """The address cannot be listened on; the text says why."""


def open_socket(host: str, port: int) -> Listening:
    """Return a socket that holds an address; nobody can connect before the server begins.

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


def address_of(opened: socket.socket, tls: bool) -> str:
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
        ready: Called as soon as nobody is turned away any more.
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
    """Close connections that have nothing to say any more.

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
