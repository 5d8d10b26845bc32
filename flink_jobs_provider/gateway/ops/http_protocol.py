"""HTTP/1.1 as the gateway reads it: strictly, within time limits, refusing in the API's envelope.

h11 is lenient where RFC 9112 lets a server be. A proxy on the way may be lenient in another way,
and two that disagree about where a request ends can be made to disagree about whose request it is.
So what is ambiguous is an error here, and ends the connection.

Connections up to a limit are served. Those beyond it are read, too, but each of their requests is
refused, except for probes. At twice the limit the oldest idle connection is closed for a new one,
so that nobody can keep others, or a probe, from being answered by holding connections open.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import socket
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import h11
from h11._receivebuffer import ReceiveBuffer
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from flink_jobs_provider.gateway.http.api_answers import HSTS, OVERLOADED
from flink_jobs_provider.gateway.refusals import Refusal

#: Seconds within which a connection must have begun (TLS included) and sent a request's headers.
HEADER_TIME = 10.0
#: The same for a connection whose request will be refused.
_REFUSED_HEADER_TIME = 2.0
#: How many bits of an IPv6 address one customer has, at least.
_IPV6_PREFIX = 64
#: How many connections are turned away before the event loop does something else.
_TURNED_AWAY_AT_ONCE = 100


class ConnectionLimits(NamedTuple):
    """How many connections are served.

    Attributes:
        total: Of all addresses.
        per_address: Of one address; of IPv6, of one /64 network.
    """

    total: int = 1000
    per_address: int = 200


class Accepted(socket.socket):
    """An accepted connection.

    Attributes:
        address: What it is counted by.
        overloaded: Whether it is beyond a limit: its requests are refused.
        idle: Whether no request is being read or answered.
        begun: Whether HTTP may be spoken: over TLS, whether the handshake is complete.
    """

    def __init__(self, opened: socket.socket, address: str, registry: Connections) -> None:
        family, kind, protocol = opened.family, opened.type, opened.proto
        super().__init__(family, kind, protocol, fileno=opened.detach())
        self.address = address
        self.overloaded = False
        self.idle = True
        self.begun = False
        self._registry = registry

    @property
    def header_time(self) -> float:
        """How long a request's headers may take, in seconds."""
        return min(_REFUSED_HEADER_TIME, HEADER_TIME) if self.overloaded else HEADER_TIME

    def close(self) -> None:
        """Close it, and count it no more."""
        self._registry.forget(self)
        super().close()

    def end(self) -> None:
        """End it from outside: whoever reads from it sees its end."""
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)

    def end_unless_begun(self) -> None:
        """End it if its TLS handshake has taken too long."""
        if not self.begun:
            self.end()


class Connections:
    """Counts accepted connections."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._all: dict[int, Accepted] = {}
        self._of_address: defaultdict[str, dict[Accepted, None]] = defaultdict(dict)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._all)

    def of(self, transport: asyncio.BaseTransport) -> Accepted | None:
        """Return the connection of a transport; None where it was not accepted here."""
        opened = transport.get_extra_info("socket")
        return self._all.get(opened.fileno()) if opened else None

    def admit(self, opened: socket.socket, peer: Any) -> Accepted | None:
        """Count a connection; None where it was closed, since there are too many that are busy."""
        address = _counted_by(peer)
        same = self._of_address[address]
        total, per_address = self._limits
        if len(same) >= 2 * per_address or len(self._all) >= 2 * total:
            rivals = same if len(same) >= 2 * per_address else self._all.values()
            oldest = next((other for other in rivals if other.idle), None)
            if oldest is None:
                opened.close()
                return None
            self.forget(oldest)
            oldest.end()
        accepted = Accepted(opened, address, self)
        accepted.overloaded = len(same) >= per_address or len(self._all) >= total
        self._all[accepted.fileno()] = accepted
        self._of_address[address][accepted] = None
        loop = asyncio.get_running_loop()
        loop.call_later(accepted.header_time, accepted.end_unless_begun)
        return accepted

    def forget(self, accepted: Accepted) -> None:
        """Count a connection no more."""
        if self._all.get(accepted.fileno()) is accepted:
            del self._all[accepted.fileno()]
        same = self._of_address.get(accepted.address, {})
        same.pop(accepted, None)
        if not same:
            self._of_address.pop(accepted.address, None)


class Listening(socket.socket):
    """A listening socket whose connections are counted."""

    connections: Connections | None = None

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection.

        Raises:
            BlockingIOError: None waits, or many were turned away.
        """
        if self.connections is None:
            return super().accept()
        for _ in range(_TURNED_AWAY_AT_ONCE):
            opened, peer = super().accept()
            if accepted := self.connections.admit(opened, peer):
                return accepted, peer
        raise BlockingIOError


def _counted_by(peer: Any) -> str:
    try:
        address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    except (ValueError, IndexError):
        return str(peer)
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))


#: Seconds for the rest of a body that is not read, since its request was answered before.
_LINGER = 5.0
_FOLDED = re.compile(rb"\n[ \t]")
_LONGEST_LINE = 8192

#: Answers a request that cannot be read: by its path, as far as that is known, and the refusal.
Refused = Callable[[str, Refusal], Response]


class _StrictBuffer(ReceiveBuffer):
    """Received bytes, of which header sections must be as RFC 9112 has senders write them."""

    def __init__(self) -> None:
        super().__init__()
        self._in_head = False

    def maybe_extract_lines(self) -> list[bytearray] | None:
        """Return the lines of a header section, or of the trailer of a body, once it is complete.

        Raises:
            RemoteProtocolError: A line ends without a carriage return, or is folded.
        """
        self._in_head = True
        try:
            return super().maybe_extract_lines()
        finally:
            self._in_head = False

    def _extract(self, count: int) -> bytearray:
        taken = super()._extract(count)
        if self._in_head:
            if taken.count(b"\n") != taken.count(b"\r\n"):
                raise h11.RemoteProtocolError("a line of the headers ends in a bare line feed")
            if _FOLDED.search(taken):
                raise h11.RemoteProtocolError("a header is folded over several lines")
        return taken

    def first_line(self) -> bytes:
        """Return the begin of what waits to be read."""
        return bytes(self._data[:_LONGEST_LINE]).partition(b"\n")[0]


class _StrictConnection(h11.Connection):
    """A connection whose requests define in one way where they end."""

    def next_event(self) -> Any:
        """Return the next event.

        Raises:
            RemoteProtocolError: What was received is no HTTP/1.1, or is ambiguous.
        """
        event = super().next_event()
        if isinstance(event, h11.Request):
            names = {name for name, _ in event.headers}
            if b"transfer-encoding" in names and b"content-length" in names:
                raise h11.RemoteProtocolError(
                    "the request has both Content-Length and Transfer-Encoding"
                )
            if b"transfer-encoding" in names and event.http_version < b"1.1":
                raise h11.RemoteProtocolError("HTTP/1.0 has no Transfer-Encoding")
        return event


class GatewayProtocol(H11Protocol):
    """One connection.

    Args:
        config: Of the server.
        server_state: Of the server.
        app_state: Of the application.
        _loop: As uvicorn's protocol has it.
        connections: Where it is counted.
        refused: Answers what cannot be read.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        connections: Connections,
        refused: Refused,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._connections = connections
        self._refused = refused
        self._accepted: Accepted | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._at_deadline: Callable[[], None] | None = None
        self._buffer = _StrictBuffer()
        limit = config.h11_max_incomplete_event_size or 65536
        self.conn = _StrictConnection(h11.SERVER, max_incomplete_event_size=limit)
        self.conn._receive_buffer = self._buffer
        self._line = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; the first request's headers must come in time."""
        super().connection_made(transport)
        self._accepted = self._connections.of(transport)
        if self._accepted:
            self._accepted.begun = True
            if self._accepted.overloaded:
                self.app = partial(_overloaded, self.app)
        self._arm(self._header_time, self._headers_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read."""
        if self.conn.their_state is h11.IDLE and not self._buffer:
            self._line = data[:_LONGEST_LINE].partition(b"\n")[0]
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP/1.1, or ambiguous, and close.

        Args:
            msg: What uvicorn would answer.
        """
        del msg
        self._refuse_and_close(
            Refusal(
                "BadRequest",
                "The request is not valid HTTP/1.1, or defines in two ways where it ends. Nothing "
                "of it was executed; the connection is closed.",
            )
        )

    @property
    def _header_time(self) -> float:
        return self._accepted.header_time if self._accepted else HEADER_TIME

    def _watch(self) -> None:
        """Set the deadline that counts now, if there is one."""
        theirs, ours = self.conn.their_state, self.conn.our_state
        if self._accepted:
            self._accepted.idle = theirs is h11.IDLE
        if theirs is h11.IDLE:
            if self._buffer:
                self._arm(self._header_time, self._headers_late)
            elif self.cycle is not None and self.timeout_keep_alive_task is None:
                # Set by uvicorn after an answer, and dropped when the rest of a body came later.
                self._arm(self.timeout_keep_alive, self.timeout_keep_alive_handler)
            elif self.cycle is not None:
                self._disarm()
        elif theirs is h11.SEND_BODY and ours in (h11.DONE, h11.MUST_CLOSE):
            self._arm(_LINGER, self.transport.close)
        else:
            self._disarm()

    def _arm(self, seconds: float, call: Callable[[], None]) -> None:
        if self._at_deadline != call:
            self._disarm()
            self._deadline, self._at_deadline = self.loop.call_later(seconds, call), call

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._at_deadline = None

    def _headers_late(self) -> None:
        if not self._buffer:
            self.transport.close()
            return
        self._line = self._buffer.first_line()
        self._refuse_and_close(
            Refusal(
                "RequestTimeout",
                f"The headers of the request did not arrive within {self._header_time:g} s. "
                "Nothing of it was executed; the connection is closed.",
            )
        )

    def _refuse_and_close(self, refusal: Refusal) -> None:
        """Answer instead of the application, unless an answer is on its way."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and not self.transport.is_closing():
            answer = self._refused(_path_of(self._line), refusal)
            headers = [*answer.raw_headers, (b"connection", b"close")]
            if self.scheme == "https":
                headers += [(name.encode(), value.encode()) for name, value in HSTS.items()]
            body = bytes(answer.body)
            for event in (
                h11.Response(status_code=answer.status_code, headers=headers),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


async def _overloaded(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Call the application for a connection beyond a limit."""
    await app({**scope, OVERLOADED: True}, receive, send)


def _path_of(line: bytes) -> str:
    """Return the path of a request line, as far as it is one."""
    _, _, rest = line.partition(b" ")
    return rest.partition(b" ")[0].partition(b"?")[0].decode("latin-1")
