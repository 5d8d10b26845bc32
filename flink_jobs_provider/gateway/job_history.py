"""How jobs were, minute by minute, for as long as the gateway keeps it.

What the list of a cluster shows is on record for every minute: state, tasks, and whether they were
deployed again. Load and checkpoints take requests for each job: they are on record for the minutes
in which somebody read the job.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Protocol

from flink_jobs_provider.gateway.job_service import ActionRow
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.observing.health import JobHealth

#: The state of a job that its cluster no longer lists, and of one whose cluster does not answer.
NOT_LISTED, UNREACHABLE = "NOT_LISTED", "UNREACHABLE"
#: States from the worst to the best: of several minutes, the worst is shown.
_WORST_FIRST = (
    "FAILED",
    NOT_LISTED,
    "SUSPENDED",
    "FAILING",
    "RESTARTING",
    UNREACHABLE,
    "RECONCILING",
    "CANCELLING",
    "CANCELED",
    "FINISHED",
    "CREATED",
    "INITIALIZING",
    "RUNNING",
)
MINUTE = 60


@dataclass(frozen=True)
class Load:
    """The load of a job and its checkpoints, in one minute.

    Attributes:
        parallelism: Of its widest vertex.
        throughput: Records per second that its sources emit.
        busy: The share of time, 0 to 1, in which its busiest subtask works.
        backpressured: The share of time, 0 to 1, in which its most blocked subtask waits.
        event_time_lag_ms: Milliseconds by which it is behind in event time.
        pending_records: Records that its sources have not read yet.
        restarts: Restarts since its submission.
        checkpoints_completed: Checkpoints and savepoints that have completed since then.
        checkpoints_failed: Those that have failed since then.
        checkpoint_age_ms: Milliseconds since the last one completed.
        checkpoint_duration_ms: How long the last one took.
        checkpoint_bytes: The size of the last one.
    """

    parallelism: int | None = None
    throughput: float | None = None
    busy: float | None = None
    backpressured: float | None = None
    event_time_lag_ms: int | None = None
    pending_records: int | None = None
    restarts: int | None = None
    checkpoints_completed: int | None = None
    checkpoints_failed: int | None = None
    checkpoint_age_ms: int | None = None
    checkpoint_duration_ms: int | None = None
    checkpoint_bytes: int | None = None


@dataclass(frozen=True)
class StateSample:
    """How the list of its cluster shows one job now.

    Attributes:
        number: The job's.
        job_id: The submission.
        state: Flink's word, or NOT_LISTED or UNREACHABLE.
        deployed_at: When a task changed its state last, in seconds since the epoch.
    """

    number: int
    job_id: str
    state: str
    tasks: int = 0
    running_tasks: int = 0
    finished_tasks: int = 0
    deployed_at: float | None = None

    @property
    def observed(self) -> ObservedJob:
        """The row of the list that it was made from, without what is not recorded."""
        return ObservedJob(
            self.job_id,
            "",
            self.state,
            tasks=self.tasks,
            running_tasks=self.running_tasks,
            finished_tasks=self.finished_tasks,
            modified=round((self.deployed_at or 0) * 1000),
        )


@dataclass(frozen=True)
class StatePeriod:
    """How a job was from one minute to another, both included, counted since the epoch."""

    begins: int
    ends: int
    sample: StateSample


@dataclass(frozen=True)
class Span:
    """What is asked for of a history.

    Attributes:
        begin: Its first minute, counted since the epoch.
        end: The minute after its last.
        minutes: How many minutes each point stands for.
    """

    begin: int
    end: int
    minutes: int = 1


@dataclass(frozen=True)
class JobPoint:
    """How a job was in some minutes.

    Attributes:
        at: When they begin.
        sampled: In how many of them the job was observed.
        state: The worst of its states: Flink's word, or NOT_LISTED or UNREACHABLE.
        job_id: Its latest submission in them.
        tasks: Tasks that it had, at the end.
        running_tasks: The fewest of them that ran or were done.
        restarts: How often its tasks were seen to be deployed again; once a minute at most.
        load: Its load, where somebody read it: the greatest value of what should be low, the
            mean throughput, and the last of what is counted; else None.
    """

    at: datetime
    sampled: int
    state: str
    job_id: str
    tasks: int
    running_tasks: int
    restarts: int
    load: Load | None = None


@dataclass(frozen=True)
class JobVersion:
    """A version of a job that was started.

    Attributes:
        action: The action that started it.
        inputs: The inputs of `JobSpec` that it was started with, by name, without its target.
        jar_digest: The content of its jar.
        as_given: What the face showed of it, in its own words.
    """

    action: ActionRow
    inputs: Mapping[str, Any]
    jar_digest: str
    as_given: Mapping[str, Any] = field(default_factory=dict)


class JobHistory(Protocol):
    """What is on record of how jobs were, and of what was done to them."""

    async def history(self, cluster: str, number: int, *, limit: int) -> Sequence[ActionRow]:
        """Return the latest actions on a job, the newest first."""

    async def versions(self, cluster: str, number: int, *, limit: int) -> Sequence[JobVersion]:
        """Return the latest versions of a job that were started, the newest first."""

    async def series(self, cluster: str, number: int, span: Span) -> Sequence[JobPoint]:
        """Return the points of a job, oldest first; none for minutes without an observation.

        Raises:
            Refusal: No such cluster; the records do not answer.
        """


def sample_of(number: int, job: ObservedJob) -> StateSample:
    """Return a job as a list shows it."""
    return StateSample(
        number,
        job.job_id,
        job.state,
        job.tasks,
        job.running_tasks,
        job.finished_tasks,
        job.modified / 1000 if job.modified else None,
    )


def load_of(health: JobHealth) -> Load:
    """Return the load of a job that was observed in detail."""
    done = health.last_completed
    counted = health.counts if health.settings else None
    return Load(
        parallelism=health.parallelism,
        throughput=health.throughput,
        busy=health.busiest.busy if health.busiest else None,
        backpressured=health.backpressured,
        event_time_lag_ms=health.event_time_lag,
        pending_records=health.pending_records,
        restarts=health.restarts,
        checkpoints_completed=counted.completed if counted else None,
        checkpoints_failed=counted.failed if counted else None,
        checkpoint_age_ms=max(0, health.at - done.completed) if done else None,
        checkpoint_duration_ms=done.duration if done else None,
        checkpoint_bytes=done.size if done else None,
    )


def points(periods: Sequence[StatePeriod], loads: Mapping[int, Load], span: Span) -> list[JobPoint]:
    """Return a history at the resolution that is asked for.

    Args:
        periods: How the job was, oldest first; they do not overlap.
        loads: Its load by minute.
        span: What is asked for.
    """
    # Counted once: a job that restarts each minute for a month has more of them than points.
    restarts = Counter(
        _bucket(minute, span) for minute in _restarts(periods) if span.begin <= minute < span.end
    )
    found: dict[int, list[StatePeriod]] = defaultdict(list)
    for period in periods:
        first = max(period.begins, span.begin)
        for minute in range(_bucket(first, span), min(period.ends + 1, span.end), span.minutes):
            found[minute].append(period)
    return [
        _point(minute, each, restarts[minute], loads, span)
        for minute, each in sorted(found.items())
    ]


def _bucket(minute: int, span: Span) -> int:
    return minute - (minute - span.begin) % span.minutes


def _point(
    begin: int,
    periods: Sequence[StatePeriod],
    restarts: int,
    loads: Mapping[int, Load],
    span: Span,
) -> JobPoint:
    end = min(begin + span.minutes, span.end)
    samples = [period.sample for period in periods]
    last = samples[-1]
    looked_at = [loads[minute] for minute in range(begin, end) if minute in loads]
    return JobPoint(
        at=datetime.fromtimestamp(begin * MINUTE, UTC),
        sampled=sum(min(each.ends + 1, end) - max(each.begins, begin) for each in periods),
        state=min((each.state for each in samples), key=_badness),
        job_id=last.job_id,
        tasks=last.tasks,
        running_tasks=min(each.running_tasks + each.finished_tasks for each in samples),
        restarts=restarts,
        load=_summary(looked_at) if looked_at else None,
    )


def _badness(state: str) -> int:
    return _WORST_FIRST.index(state) if state in _WORST_FIRST else 0


def _restarts(periods: Sequence[StatePeriod]) -> list[int]:
    """Return the minutes in which tasks of a submission were seen to be deployed again."""
    listed = [each for each in periods if each.sample.state not in (NOT_LISTED, UNREACHABLE)]
    return [
        now.begins for before, now in pairwise(listed) if _redeployed(before.sample, now.sample)
    ]


def _redeployed(before: StateSample, now: StateSample) -> bool:
    """Whether a job was restarted between two samples of it."""
    if before.job_id != now.job_id or before.state != "RUNNING":
        return False
    return now.state in ("RESTARTING", "FAILING") or now.observed.redeployed_since(before.observed)


def _mean(values: Sequence[Any]) -> float:
    return float(sum(values) / len(values))


def _last(values: Sequence[Any]) -> Any:
    return values[-1]


_SUMMARIES: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    "throughput": _mean,
    "busy": max,
    "backpressured": max,
    "event_time_lag_ms": max,
    "pending_records": max,
    "checkpoint_age_ms": max,
    "checkpoint_duration_ms": max,
}


def _summary(loads: Sequence[Load]) -> Load:
    """Return the load of several minutes; None where none of them has a value."""
    found = {}
    for part in fields(Load):
        told = [value for each in loads if (value := getattr(each, part.name)) is not None]
        found[part.name] = _SUMMARIES.get(part.name, _last)(told) if told else None
    return Load(**found)
