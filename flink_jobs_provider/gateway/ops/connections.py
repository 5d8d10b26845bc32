"""Accepted connections: how many there may be, of one address and of all, and which gives way.

Connections up to a limit are served. Those beyond it are read, too, but each of their requests is
refused, except for probes. At twice the limit the oldest idle connection is closed for a new one,
so that nobody can keep others, or a probe, from being answered by holding connections open.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections import defaultdict
from typing import Any, NamedTuple

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
