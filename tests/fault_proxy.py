"""A proxy in front of a cluster's REST API, which records every request and can spoil any of them.

It is set to a rule, which is asked twice about each request: before the request is passed on, and
after the cluster has answered but before its client hears of it. A rule may kill processes, wait,
and decide what the client gets.
"""

from __future__ import annotations

import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import psutil

#: Names a client among several of one process; the cluster does not get it.
RUN_HEADER = "X-Run-Under-Test"
_NOT_PASSED_ON = {
    *("connection", "keep-alive", "transfer-encoding", "content-length", "host"),
    RUN_HEADER.lower(),
}
#: By which a close of a socket is a reset.
_NO_LINGER = struct.pack("ii", 1, 0)


class Moment(Enum):
    """When a rule is asked."""

    BEFORE = auto()
    """The request has come in, and the cluster has not seen it."""
    AFTER = auto()
    """The cluster has carried it out and answered; the client does not know."""


class Verdict(Enum):
    """What a rule decides, where it is not an answer of its own."""

    PASS = auto()
    DROP = auto()
    """The connection is closed without an answer."""
    RESET = auto()
    """The connection is reset."""
    CUT = auto()
    """The connection is closed when half of the cluster's answer was sent."""


@dataclass(frozen=True)
class Answer:
    """An answer that does not come from the cluster."""

    status: int
    body: bytes = b"<html><body>Bad gateway</body></html>"
    content_type: str = "text/html"
    cut: bool = False
    """Whether the connection is closed when half of it was sent."""


@dataclass
class Exchange:
    """One request, and how it was answered."""

    method: str
    path: str
    number: int
    """Counts the requests that may change something, from 1; 0 for one that cannot."""
    process: int
    """The process that sent a request that may change something; 0 where it is not known."""
    status: int | None = None
    """What the cluster answered; none where it was not asked, or did not answer."""
    run: str = ""
    """What the header `RUN_HEADER` names, by which clients in one process differ."""

    @property
    def changing(self) -> bool:
        """Whether it may change something."""
        return self.number > 0

    def __str__(self) -> str:
        short = re.sub(r"[0-9a-f-]{24,}[^/?]*", "…", self.path)
        return f"{self.method} {short}"


Rule = Callable[[Exchange, Moment], Verdict | Answer]


def let_pass(_exchange: Exchange, _moment: Moment) -> Verdict:
    """Leave all as it is."""
    return Verdict.PASS


def at_request(
    pattern: str,
    moment: Moment,
    then: Callable[[], None] = lambda: None,
    verdict: Verdict | Answer = Verdict.DROP,
    *,
    once_seen: str = "",
    times: int = 1,
) -> Rule:
    """Return a rule that strikes at the first requests whose "METHOD path" matches a pattern.

    Args:
        pattern: A regular expression, matched from the beginning.
        moment: When it strikes.
        then: What it does.
        verdict: What the client gets.
        once_seen: It strikes only after a request that matches this one.
        times: How often it strikes.

    """
    lock = threading.Lock()
    left, armed = times, not once_seen

    def rule(exchange: Exchange, now: Moment) -> Verdict | Answer:
        nonlocal left, armed
        request = f"{exchange.method} {exchange.path}"
        with lock:
            hit = armed and left > 0 and now is moment and re.match(pattern, request)
            armed = armed or bool(re.match(once_seen, request))
            if not hit:
                return Verdict.PASS
            left -= 1
        then()
        return verdict

    return rule


@dataclass
class FaultProxy:
    """A proxy on a free loopback port.

    Args:
        upstream: The cluster's address, such as http://127.0.0.1:8081.
        rule: What it does to requests.
        tls: The proxy speaks https with this, and http without.

    """

    upstream: str
    rule: Rule = let_pass
    tls: ssl.SSLContext | None = None
    exchanges: list[Exchange] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._changes = 0
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        if self.tls:
            self._server.socket = self.tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        scheme = "https" if self.tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def begin(self, rule: Rule = let_pass) -> None:
        """Forget what was recorded, count from 1 again, and set the rule."""
        with self._lock:
            self.exchanges = []
            self._changes = 0
            self.rule = rule

    @property
    def changes(self) -> list[Exchange]:
        """The requests that may have changed something, in their order."""
        with self._lock:
            return [exchange for exchange in self.exchanges if exchange.changing]

    def record(self, method: str, path: str, client: tuple[str, int], run: str = "") -> Exchange:
        """Note down a request that has come in."""
        server = self._server.server_address[:2]
        # To find the process takes a while; a client that names its run needs it not.
        process = 0 if method == "GET" or run else _process_at(client, server)
        with self._lock:
            self._changes += method != "GET"
            number = self._changes if method != "GET" else 0
            exchange = Exchange(method, path, number, process, run=run)
            self.exchanges.append(exchange)
        return exchange


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet: clients are killed here on purpose."""


def _handler(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            run = self.headers.get(RUN_HEADER, "")
            exchange = proxy.record(self.command, self.path, self.client_address, run)
            answer = proxy.rule(exchange, Moment.BEFORE)
            if answer is Verdict.PASS:
                answer = self.passed_on(exchange, body)
            if isinstance(answer, Answer):
                self.give(answer)
            else:
                self.drop(reset=answer is Verdict.RESET)

        def passed_on(self, exchange: Exchange, body: bytes) -> Answer | Verdict:
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in _NOT_PASSED_ON
            }
            address = urlsplit(proxy.upstream)
            connection = HTTPConnection(address.hostname or "", address.port, timeout=300)
            try:
                connection.request(self.command, self.path, body or None, headers)
                response = connection.getresponse()
                kind = response.getheader("Content-Type") or "application/json"
                answer = Answer(response.status, response.read(), kind)
            except (OSError, HTTPException):
                return Verdict.DROP
            finally:
                connection.close()
            exchange.status = answer.status
            verdict = proxy.rule(exchange, Moment.AFTER)
            if verdict is Verdict.CUT:
                return replace(answer, cut=True)
            return answer if verdict is Verdict.PASS else verdict

        def give(self, answer: Answer) -> None:
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if answer.cut:
                self.wfile.write(answer.body[: len(answer.body) // 2])
                self.drop()
            else:
                self.wfile.write(answer.body)

        def drop(self, *, reset: bool = False) -> None:
            self.close_connection = True
            if reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                self.connection.close()
            else:
                self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing: what came in is recorded."""

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any  # noqa: N815

    return Handler


def _process_at(client: tuple[str, int], server: tuple[object, ...]) -> int:
    """Return the number of the process that holds the other end of a connection.

    Another process may have a connection from the same port to another server.
    """
    for connection in psutil.net_connections("tcp4"):
        ends = (tuple(connection.laddr), tuple(connection.raddr or ()))
        if ends == (client, server) and connection.pid:
            return connection.pid
    return 0
