"""Rules of a proxy for a cluster that does not answer as it should, for a while."""

from __future__ import annotations

import json
import threading

from tests.fault_proxy import Answer, Exchange, Moment, Verdict
from tests.faults.points import Point

#: As Flink itself words an error.
_FLINK_ERROR = json.dumps(
    {"errors": ["Internal server error.", "<exception: AskTimeout>"]}
).encode()

AWAY = Verdict.DROP
PROXY_503 = Answer(503)
PROXY_500 = Answer(500)
FLINK_503 = Answer(503, _FLINK_ERROR, "application/json")
FLINK_500 = Answer(500, _FLINK_ERROR, "application/json")


class Outage:
    """Spoils every request from a point on, until it is over.

    Args:
        verdict: What the client gets.
        begins: The request with which it begins; none for at once.

    Attributes:
        spoiled: What was not let through.
    """

    def __init__(self, verdict: Verdict | Answer, begins: Point | None = None) -> None:
        self._verdict = verdict
        self._begins = begins
        self._on = begins is None
        self._lock = threading.Lock()
        self.spoiled: list[str] = []

    def __call__(self, exchange: Exchange, moment: Moment) -> Verdict | Answer:
        """Decide on a request."""
        with self._lock:
            if moment is Moment.AFTER:
                return Verdict.PASS
            if self._begins is not None and self._begins.matches(exchange):
                self._on, self._begins = True, None
            if not self._on:
                return Verdict.PASS
            self.spoiled.append(str(exchange))
            return self._verdict

    def end(self) -> None:
        """Let everything through."""
        with self._lock:
            self._on, self._begins = False, None


class Slow:
    """Answers late: every request that matches, or all.

    Args:
        seconds: How late.
        point: The requests; none for all.

    Attributes:
        held: Set while one is held back.
    """

    def __init__(self, seconds: float, point: Point | None = None) -> None:
        self._seconds = seconds
        self._point = point
        self._over = threading.Event()
        self.held = threading.Event()

    def __call__(self, exchange: Exchange, moment: Moment) -> Verdict:
        """Decide on a request."""
        slow = self._point is None or self._point.matches(exchange)
        if slow and moment is Moment.AFTER:
            self.held.set()
            self._over.wait(self._seconds)
        return Verdict.PASS

    def end(self) -> None:
        """Answer at once."""
        self._over.set()
