"""The kinds of faults, and the rule by which one of them strikes at one request of one run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from tests.fault_proxy import Answer, Exchange, Moment, Verdict

#: How long the client of a run that is struck waits for an answer, in seconds.
ANSWERS_WITHIN = 2
#: How much later than the kill of its run a request reaches the cluster, or an answer its run.
_LATE, _SLOW, _TOO_LATE = 0.15, 0.7, ANSWERS_WITHIN + 0.5
_BUSY = b'{"errors":["busy"]}'


class Rival(Enum):
    """A second run of the same that begins while the first works on."""

    NEXT_RUN = "next run"
    """The first one's engine has ended, and its provider process has not."""
    SECOND_ENGINE = "second engine"
    """Nothing keeps two engines apart."""


@dataclass(frozen=True)
class FaultKind:
    """One way for a request to go wrong.

    Attributes:
        name: As the page calls it.
        moment: Before the cluster has the request, or when it has carried it out.
        verdict: What the client gets.
        kills: Whether its run is killed then.
        pause: Seconds until the verdict.
        lasts: Whether all later requests of its run fare the same.
        on_reads: Whether it is another fault than those before for a request that only reads.
        rival: A second run that begins then.
    """

    name: str
    moment: Moment
    verdict: Verdict | Answer = Verdict.DROP
    kills: bool = False
    pause: float = 0.0
    lasts: bool = False
    on_reads: bool = True
    rival: Rival | None = None


def _page(status: int) -> Answer:
    return Answer(status, b"<html><body>maintenance</body></html>")


def _json(status: int) -> Answer:
    return Answer(status, _BUSY, "application/json")


_BEFORE, _AFTER, _PASS = Moment.BEFORE, Moment.AFTER, Verdict.PASS
KINDS: Sequence[FaultKind] = (
    FaultKind("killed before it is sent", _BEFORE, kills=True, on_reads=False),
    FaultKind("killed before its answer", _BEFORE, _PASS, True, _LATE, on_reads=False),
    FaultKind("killed after its answer", _AFTER, kills=True),
    FaultKind("reset, not carried out", _BEFORE, Verdict.RESET, on_reads=False),
    FaultKind("reset, carried out", _AFTER, Verdict.RESET),
    FaultKind("timeout, not carried out", _BEFORE, pause=_TOO_LATE, on_reads=False),
    FaultKind("timeout, carried out", _AFTER, pause=_TOO_LATE),
    FaultKind("truncated answer", _AFTER, Verdict.CUT),
    FaultKind("slow answer", _AFTER, _PASS, pause=_SLOW),
    FaultKind("429", _BEFORE, _json(429)),
    FaultKind("500 of a proxy", _BEFORE, _page(500), on_reads=False),
    FaultKind("500 of Flink, carried out", _AFTER, _json(500)),
    FaultKind("503, not carried out", _BEFORE, _json(503), on_reads=False),
    FaultKind("503, carried out", _AFTER, _page(503)),
    FaultKind("HTML, not carried out", _BEFORE, _page(200)),
    FaultKind("HTML, carried out", _AFTER, _page(200), on_reads=False),
    FaultKind("unreachable from then on", _BEFORE, _page(503), lasts=True),
    FaultKind("unreachable once carried out", _AFTER, _page(502), lasts=True, on_reads=False),
    FaultKind("orphaned provider goes on", _BEFORE, _PASS, pause=_LATE, rival=Rival.NEXT_RUN),
    FaultKind("two runs at once", _BEFORE, _PASS, pause=_LATE, rival=Rival.SECOND_ENGINE),
)


@dataclass(frozen=True)
class RequestOfRun:
    """One request of an action: what it is, and which of its kind.

    Attributes:
        former: Whether it is for the cluster that the job is moved from, and not the declared one.
    """

    text: str
    number: int = 1
    former: bool = False

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.text.startswith("GET ")

    def __str__(self) -> str:
        which = "" if self.number == 1 else f" (no. {self.number})"
        return f"{self.text}{which}{' of the former cluster' if self.former else ''}"


def requests_of(
    exchanges: Sequence[Exchange], run: str, reads: int, *, former: bool = False
) -> list[RequestOfRun]:
    """Return the requests of a run to one cluster that are to be struck, in their order.

    Of those that only read and are the same, polls above all, the first `reads` are taken.
    """
    seen: dict[str, int] = {}
    found = []
    for exchange in exchanges:
        if exchange.run != run:
            continue
        text = str(exchange)
        seen[text] = seen.get(text, 0) + 1
        if exchange.changing or seen[text] <= reads:
            found.append(RequestOfRun(text, seen[text], former))
    return found


@dataclass
class Strike:
    """A rule that strikes once, or from then on, at one request of one run.

    A killed run reaches neither of two clusters any more; else the other one is left as it is.

    Attributes:
        then: What happens besides, such as a second run that begins.
        struck: Whether it has.
    """

    kind: FaultKind
    request: RequestOfRun
    run: str
    then: Callable[[], None] = lambda: None
    struck: bool = False
    dead: bool = False
    _seen: int = 0
    _chosen: Exchange | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(
        self, exchange: Exchange, moment: Moment, *, former: bool = False
    ) -> Verdict | Answer:
        """Return what the client gets; of the cluster that the job is moved from, or another."""
        if exchange.run != self.run:
            return Verdict.PASS
        with self._lock:
            if self.dead:
                return Verdict.DROP
            if former is not self.request.former:
                return Verdict.PASS
            if not self._hits(exchange, moment):
                lasts = self.struck and self.kind.lasts and moment is Moment.BEFORE
                return self.kind.verdict if lasts else Verdict.PASS
            self.struck = True
            self.dead = self.kind.kills
        self.then()
        time.sleep(self.kind.pause)
        return self.kind.verdict

    def _hits(self, exchange: Exchange, moment: Moment) -> bool:
        if moment is Moment.BEFORE and not self._chosen and str(exchange) == self.request.text:
            self._seen += 1
            if self._seen == self.request.number:
                self._chosen = exchange
        return self._chosen is exchange and moment is self.kind.moment and not self.struck
