"""What needs attention, as a pure judgement of what was observed: why, since when, what to do.

Each reason is a code and facts: see `attention_sentences`.

A job that was cancelled, or came to its own end, needs none: somebody wanted it so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Protocol

from flink_jobs_provider.model.identity import identity_of
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.observing.attention_sentences import (
    ENGLISH,
    Milliseconds,
    Sentence,
    Share,
    Statement,
    worded,
)
from flink_jobs_provider.observing.health import ClusterHealth, JobHealth, Memory, NotListed

Observation = JobHealth | NotListed

#: Milliseconds that are looked back for restarts, and how many in them are too many.
_RESTART_WINDOW, _MANY_RESTARTS = 600_000, 2
#: Milliseconds that tasks may take to be scheduled and deployed.
_LONGEST_DEPLOYMENT = 60_000
#: Milliseconds between two values of a metric: a cluster gathers them every 10 s, and who asks as
#: often may be a little early.
METRICS_PERIOD = 9_000
#: In how many periods in a row lag must grow, and from how many milliseconds on that counts.
_LAG_PERIODS, _LEAST_LAG = 3, 60_000
#: Seconds of work, at the present throughput, from which on growing pending records count.
_LEAST_BACKLOG_S = 60
#: The share of metaspace from which on the next submissions may not fit.
_FULL = 0.9


class Concern(StrEnum):
    """A kind of trouble, most urgent first."""

    FAILED = "failed"
    LOST = "lost"
    SUSPENDED = "suspended"
    NO_TASK_MANAGERS = "no TaskManagers"
    RESTARTING = "restarting"
    RESTARTED = "restarted"
    TASKS_NOT_RUNNING = "tasks not running"
    NO_CHECKPOINT = "no checkpoint"
    CHECKPOINTS_FAILING = "checkpoints failing"
    LAG_GROWING = "lag growing"
    METASPACE = "metaspace"
    ACTION_FAILED = "action failed"


@dataclass(frozen=True)
class Attention:
    """One reason why somebody should look.

    Attributes:
        concern: Its kind.
        observed: What was observed.
        advice: What to do, a sentence or two.
        since: Since when it has been so, as far as that is known: milliseconds since the epoch.
    """

    concern: Concern
    observed: Statement
    advice: Statement
    since: int | None = None

    @property
    def reason(self) -> str:
        """What was observed, in English."""
        return worded(self.observed, ENGLISH)

    @property
    def remedy(self) -> str:
        """What to do, in English."""
        return worded(self.advice, ENGLISH)


def needs_attention(
    observations: Sequence[Observation], *, expected: bool = False
) -> tuple[Attention, ...]:
    """Return the reasons why a job needs attention, most urgent first; none for a healthy one.

    Args:
        observations: What was observed of the job, the newest last. One is enough for what it
            shows; growth is judged by several alone.
        expected: Whether the job is recorded as active: then it is lost also where no observation
            has it.
    """
    if not observations:
        return ()
    newest = observations[-1]
    seen = [each for each in observations if isinstance(each, JobHealth)]
    if isinstance(newest, NotListed):
        return tuple(_lost(newest, seen[-1] if seen else None, expected=expected))
    if not newest.job.active:
        return tuple(_failed(newest))
    found = [
        *_unsettled(newest),
        *_restarted(seen),
        *_tasks_not_running(newest.job, max(newest.job.modified, newest.state_since), newest.at),
        *_checkpoints(newest),
        *_lag(seen),
    ]
    return most_urgent_first(found)


def most_urgent_first(found: Iterable[Attention]) -> tuple[Attention, ...]:
    """Return reasons in the order of their concerns."""
    return tuple(sorted(found, key=lambda each: list(Concern).index(each.concern)))


class Listed(Protocol):
    """The jobs that a cluster listed at one moment."""

    @property
    def at(self) -> int:
        """When it did, in milliseconds since the epoch."""

    @property
    def snapshot(self) -> ClusterSnapshot:
        """Its jobs."""


def listed_attention(before: Listed | None, now: Listed) -> dict[str, tuple[Attention, ...]]:
    """Return the reasons that a cluster's job list alone shows, by jobId.

    Args:
        before: The list before, of the same cluster.
        now: The newest one.
    """
    earlier = before.snapshot.by_id if before else {}
    newest = _newest_submissions(now.snapshot.jobs)
    found = {}
    for job in now.snapshot.jobs:
        reasons: list[Attention] = []
        if job.state == "FAILED":
            if newest[identity_of(job.job_id)] is job:
                reasons += _failed(JobHealth(job, now.at, job.ended))
        elif job.active:
            reasons += _unsettled(JobHealth(job, now.at, job.modified))
            reasons += _tasks_not_running(job, job.modified, now.at)
            reasons += _redeployed(earlier.get(job.job_id), job)
        if reasons:
            found[job.job_id] = tuple(reasons)
    for job in earlier.values():
        if job.active and job.job_id not in now.snapshot.by_id and before:
            was = JobHealth(job, before.at, job.modified)
            found[job.job_id] = tuple(_lost(NotListed(job.job_id, now.at), was, expected=False))
    return found


def cluster_attention(now: ClusterHealth) -> tuple[Attention, ...]:
    """Return the reasons why a cluster itself needs attention."""
    found = []
    if not now.task_managers and any(job.active for job in now.snapshot.jobs):
        found.append(
            Attention(
                Concern.NO_TASK_MANAGERS,
                Statement(Sentence.NO_TASK_MANAGERS),
                Statement(Sentence.START_TASK_MANAGERS),
            )
        )
    pools = (
        (Sentence.TASK_MANAGER_METASPACE, now.metaspace),
        (Sentence.JOB_MANAGER_METASPACE, now.job_manager_metaspace),
    )
    for sentence, memory in pools:
        if memory and (memory.share or 0.0) >= _FULL:
            found.append(_metaspace(sentence, memory))
    return tuple(found)


def _metaspace(sentence: Sentence, memory: Memory) -> Attention:
    return Attention(
        Concern.METASPACE,
        Statement.of(sentence, used=memory.used >> 20, limit=(memory.limit or 0) >> 20),
        Statement(Sentence.FREE_METASPACE),
    )


def _newest_submissions(jobs: Sequence[ObservedJob]) -> dict[str, ObservedJob]:
    return {identity_of(job.job_id): job for job in sorted(jobs, key=lambda job: job.age_key)}


def _lost(now: NotListed, last: JobHealth | None, *, expected: bool) -> Iterator[Attention]:
    if last is None:
        reason = Statement(Sentence.NOT_LISTED)
        active = expected
    else:
        ago, state = Milliseconds(now.at - last.at), last.job.state
        reason = Statement.of(Sentence.NO_LONGER_LISTED, ago=ago, state=state)
        active = last.job.active
    if active:
        yield Attention(
            Concern.LOST,
            reason,
            Statement.of(Sentence.WAS_JOB_MANAGER_RESTARTED, start=_start_again(last)),
            last.at if last else None,
        )


def _failed(now: JobHealth) -> Iterator[Attention]:
    if now.job.state == "FAILED":
        since = now.job.ended or now.state_since
        yield Attention(
            Concern.FAILED,
            Statement.of(Sentence.FAILED_AGO, ago=Milliseconds(now.at - since)).because_of(
                _cause(now)
            ),
            Statement.of(Sentence.FIX_AND_START, start=_start_again(now)),
            since,
        )


def _unsettled(now: JobHealth) -> Iterator[Attention]:
    state, since = now.job.state, now.state_since
    time = Milliseconds(now.at - since)
    if state == "SUSPENDED":
        yield Attention(
            Concern.SUSPENDED,
            Statement.of(Sentence.SUSPENDED, time=time),
            Statement(Sentence.AWAIT_LEADER),
            since,
        )
    elif state in ("RESTARTING", "FAILING", "RECONCILING"):
        yield Attention(
            Concern.RESTARTING,
            Statement.of(Sentence.RESTARTING, state=state, time=time).because_of(_cause(now)),
            Statement(Sentence.READ_EXCEPTIONS),
            since,
        )


def _restarted(seen: Sequence[JobHealth]) -> Iterator[Attention]:
    """Yield a job that is restarted again and again, by its exceptions and by its count."""
    now = seen[-1]
    begin = now.at - _RESTART_WINDOW
    failures = [each for each in now.exceptions if each.at >= begin]
    counts = [each.restarts for each in seen if each.at >= begin and each.restarts is not None]
    counted = counts[-1] - counts[0] if counts else 0
    times = max(counted, len(failures))
    if times >= _MANY_RESTARTS:
        yield Attention(
            Concern.RESTARTED,
            Statement.of(
                Sentence.RESTARTED, times=times, time=Milliseconds(_RESTART_WINDOW)
            ).because_of(_cause(now)),
            Statement(Sentence.FIX_RESTARTS),
            min((each.at for each in failures), default=None),
        )


def _redeployed(before: ObservedJob | None, now: ObservedJob) -> Iterator[Attention]:
    if before and now.healthy and now.redeployed_since(before):
        yield Attention(
            Concern.RESTARTED,
            Statement(Sentence.REDEPLOYED),
            Statement(Sentence.FAILED_OR_RESCALED),
            now.modified,
        )


def _tasks_not_running(job: ObservedJob, since: int, at: int) -> Iterator[Attention]:
    up = job.running_tasks + job.finished_tasks
    waiting = job.state in ("CREATED", "INITIALIZING", "RUNNING") and not job.healthy
    if waiting and at - since >= _LONGEST_DEPLOYMENT:
        yield Attention(
            Concern.TASKS_NOT_RUNNING,
            Statement.of(
                Sentence.TASKS_NOT_RUNNING,
                running=up,
                tasks=job.tasks,
                time=Milliseconds(at - since),
            ),
            Statement(Sentence.ADD_SLOTS),
            since,
        )


def _checkpoints(now: JobHealth) -> Iterator[Attention]:
    settings = now.settings
    if settings is None or not settings.periodic or now.job.state != "RUNNING":
        return
    done = now.last_completed
    since = max(now.state_since, done.completed if done else 0)
    last = Statement(Sentence.NONE_COMPLETED)
    if done:
        last = Statement.of(Sentence.LAST_COMPLETED, ago=Milliseconds(now.at - done.completed))
    if now.at - since > settings.longest_gap:
        yield Attention(
            Concern.NO_CHECKPOINT,
            Statement.of(
                Sentence.NO_CHECKPOINT,
                time=Milliseconds(now.at - since),
                last=last,
                interval=Milliseconds(settings.interval),
            ),
            Statement(Sentence.SPEED_CHECKPOINTS_UP),
            since,
        )
    failed = now.failed_since_completed
    if failed:
        what = Statement.of(Sentence.CHECKPOINT_FAILED, last=last)
        if len(failed) > 1:
            what = Statement.of(Sentence.CHECKPOINTS_FAILED, number=len(failed), last=last)
        yield Attention(
            Concern.CHECKPOINTS_FAILING,
            what.because_of(failed[0].failure),
            Statement.of(Sentence.FIX_CHECKPOINTS, tolerated=settings.tolerable_failures),
            failed[-1].triggered,
        )


def _lag(seen: Sequence[JobHealth]) -> Iterator[Attention]:
    points = _periods(seen)
    if len(points) <= _LAG_PERIODS:
        return
    first, now = points[0], points[-1]
    over = Milliseconds(now.at - first.at)
    slowest = _slowest(now)
    lags = [each.event_time_lag for each in points]
    if _grows(lags) and (now.event_time_lag or 0) >= _LEAST_LAG:
        yield Attention(
            Concern.LAG_GROWING,
            Statement.of(
                Sentence.BEHIND,
                lag=Milliseconds(now.event_time_lag or 0),
                before=Milliseconds(first.event_time_lag or 0),
                ago=over,
            ),
            Statement.of(Sentence.LOOK_AT_IDLE_SOURCES, slowest=slowest),
            first.at,
        )
    backlogs = [each.pending_records for each in points]
    if _grows(backlogs) and (now.pending_records or 0) > _LEAST_BACKLOG_S * (now.throughput or 0):
        yield Attention(
            Concern.LAG_GROWING,
            Statement.of(
                Sentence.PENDING,
                records=now.pending_records or 0,
                before=first.pending_records or 0,
                ago=over,
            ),
            Statement.of(Sentence.RAISE_PARALLELISM, slowest=slowest),
            first.at,
        )


def _periods(seen: Sequence[JobHealth]) -> list[JobHealth]:
    """Return the newest observations that are a period of metrics apart, in their order.

    A restart begins again: after it a job catches up.
    """
    points: list[JobHealth] = []
    for each in reversed(seen):
        if points and each.restarts != points[-1].restarts:
            break
        if not points or points[-1].at - each.at >= METRICS_PERIOD:
            points.append(each)
        if len(points) > _LAG_PERIODS:
            break
    return points[::-1]


def _grows(values: Sequence[int | None]) -> bool:
    known = [value for value in values if value is not None]
    return len(known) == len(values) and all(one < other for one, other in pairwise(known))


def _slowest(now: JobHealth) -> Statement:
    busiest = now.busiest
    if busiest is None:
        return Statement(Sentence.FIND_SLOWEST)
    return Statement.of(Sentence.SLOWEST, vertex=busiest.name, share=Share(busiest.busy or 0.0))


def _cause(now: JobHealth) -> str:
    return now.exceptions[0].cause if now.exceptions else ""


def _start_again(last: JobHealth | None) -> Statement:
    kept = last.settings is not None and last.settings.retained if last else False
    for each in last.checkpoints if last else ():
        savepoint = each.kind == "savepoint"
        if (savepoint or kept) and each.path and not each.discarded and each.status == "COMPLETED":
            code = Sentence.START_FROM_SAVEPOINT if savepoint else Sentence.START_FROM_CHECKPOINT
            return Statement.of(code, path=each.path)
    return Statement(Sentence.START_FROM_LAST)
