"""The actions of a gateway, what each leaves, and its requests at which the gateway is killed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.fault_proxy import Moment
from tests.faults.points import (
    CANCEL,
    CHECKPOINT,
    FORGET,
    FULL,
    PLAN,
    RUN,
    RUN_POLL,
    STOP,
    STOP_POLL,
    UPLOAD,
    Point,
)

_LOOK = Point("look", r"GET /jobs/overview$")
_SLOTS = Point("slots", r"GET /overview$")
_JOB = Point("job", r"GET /jobs/\w+$")
_STATISTICS = Point("statistics", r"GET /jobs/\w+/checkpoints$")
_INTERVAL = Point("interval", r"GET /jobs/\w+/checkpoints/config$")
_CHECKPOINT_POLL = Point("poll_of_checkpoint", r"GET /jobs/\w+/checkpoints/(?!config)")
_EARLIER = Point("earlier_savepoint", r"GET /jobs/\w+/savepoints/")
_SAVEPOINT = Point("savepoint", r"POST /jobs/\w+/savepoints$")
_SAVEPOINT_POLL = Point(
    "poll_of_savepoint", r"GET /jobs/\w+/savepoints/", once_seen=_SAVEPOINT.pattern
)
_CANCEL_POLL = Point("poll_of_cancel", r"GET /jobs/overview$", once_seen=CANCEL.pattern)
_STOP_END = Point("end_of_stop", r"GET /jobs/overview$", once_seen=STOP.pattern)

_CHECKED = [UPLOAD, PLAN, _SLOTS]
_COMES_UP = [RUN, RUN_POLL, _INTERVAL, CHECKPOINT, _CHECKPOINT_POLL, _JOB]
_STOPS = [_EARLIER, STOP, STOP_POLL, _STOP_END]

#: The steps that this test run does without.
left_out: list[object] = []


@dataclass(frozen=True)
class Kind:
    """An action, and what it does.

    Attributes:
        action: Its name.
        begins: The status that the job must have; none for no job.
        ends: The status that it leaves; none for no job.
        points: Its requests.
        chosen: That at which it is killed in every test run.
        jobs: How many jobs it submits.
        savepoints: How many savepoints it takes.
        versions: Whether it brings another version.
        afresh: Whether that begins to count anew.
    """

    action: str
    begins: str | None
    ends: str | None
    points: list[Point]
    chosen: Point
    jobs: int = 0
    savepoints: int = 0
    versions: bool = False
    afresh: bool = False


@dataclass(frozen=True)
class Step:
    """A request of an action at which the gateway is killed."""

    kind: Kind
    point: Point

    def __str__(self) -> str:
        return f"{self.kind.action}-{self.point.moment.name.lower()}-{self.point.name}"


def _before(point: Point) -> Point:
    return replace(point, moment=Moment.BEFORE)


#: In the order of a job's life: what one leaves, the next begins with.
KINDS = [
    Kind(
        *("NEW", None, "RUNNING"),
        [_LOOK, *_CHECKED, *_COMES_UP],
        RUN,
        jobs=1,
        versions=True,
        afresh=True,
    ),
    Kind(
        *("SAVEPOINT", "RUNNING", "RUNNING"),
        [_LOOK, _EARLIER, _SAVEPOINT, _SAVEPOINT_POLL],
        _SAVEPOINT,
        savepoints=1,
    ),
    Kind(
        *("UPDATE", "RUNNING", "RUNNING"),
        [_LOOK, *_CHECKED, *_STOPS, *_COMES_UP, _STATISTICS, FORGET],
        STOP,
        jobs=1,
        savepoints=1,
        versions=True,
    ),
    Kind(
        *("LAST_STATE_UPDATE", "RUNNING", "RUNNING"),
        [_LOOK, *_CHECKED, CANCEL, _CANCEL_POLL, *_COMES_UP, _STATISTICS, FORGET],
        CANCEL,
        jobs=1,
        versions=True,
    ),
    Kind(*("STOP", "RUNNING", "STOPPED"), [_LOOK, *_STOPS], STOP_POLL, savepoints=1),
    Kind(
        *("START", "STOPPED", "RUNNING"),
        [_LOOK, _EARLIER, PLAN, _SLOTS, *_COMES_UP, _STATISTICS],
        _before(RUN),
        jobs=1,
    ),
    Kind(*("CANCEL", "RUNNING", "CANCELED"), [_LOOK, CANCEL, _CANCEL_POLL], CANCEL),
    Kind(
        *("RE_LAUNCH", "CANCELED", "RUNNING"),
        [_LOOK, PLAN, _SLOTS, *_COMES_UP, _STATISTICS],
        RUN,
        jobs=1,
    ),
    Kind(
        *("STATELESS_UPDATE", "RUNNING", "RUNNING"),
        [_LOOK, *_CHECKED, CANCEL, _CANCEL_POLL, *_COMES_UP, FORGET],
        RUN,
        jobs=1,
        versions=True,
        afresh=True,
    ),
    Kind(*("DELETE", "CANCELED", None), [_LOOK, FORGET], FORGET),
]


def steps() -> list[Step]:
    """Return every request of every action, before and after it, if so asked; else one of each."""
    chosen = {id(kind): Step(kind, kind.chosen) for kind in KINDS}
    found: list[Step] = []
    for kind in KINDS:
        every = [Step(kind, moment) for point in kind.points for moment in (_before(point), point)]
        picked = [step for step in every if FULL or step == chosen[id(kind)]]
        left_out.extend(step for step in every if step not in picked)
        found += picked
    return found
