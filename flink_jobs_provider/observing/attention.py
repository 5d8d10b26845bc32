"""What needs attention, as a pure judgement of what was observed: why, since when, what to do.

A job that was cancelled, or came to its own end, needs none: somebody wanted it so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Protocol

from flink_jobs_provider.model.identity import identity_of
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
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
#: Seconds of the units that lengths of time are in, beside the second; and such a length in a text.
_UNITS = ((86_400, "days"), (3600, "h"), (60, "min"))
_SPAN = re.compile(r"\b[0-9]+ (?:days|h|min|s)\b")


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
        reason: What was observed, a sentence.
        remedy: What to do, a sentence or two.
        since: Since when it has been so, as far as that is known: milliseconds since the epoch.
    """

    concern: Concern
    reason: str
    remedy: str
    since: int | None = None


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
                "the cluster has active jobs and no TaskManagers",
                "Start TaskManagers, or look into their logs for why they do not register",
            )
        )
    pools = (("a TaskManager", now.metaspace), ("the JobManager", now.job_manager_metaspace))
    for whose, memory in pools:
        if memory and (memory.share or 0.0) >= _FULL:
            found.append(_metaspace(whose, memory))
    return tuple(found)


def _metaspace(whose: str, memory: Memory) -> Attention:
    mebibytes = f"{memory.used >> 20} of {(memory.limit or 0) >> 20} MiB"
    return Attention(
        Concern.METASPACE,
        f"{whose} uses {mebibytes} of its metaspace",
        "Each submission loads its classes anew, and some are never unloaded: restart the process "
        "before it ends with an OutOfMemoryError, or give it more metaspace",
    )


def _newest_submissions(jobs: Sequence[ObservedJob]) -> dict[str, ObservedJob]:
    return {identity_of(job.job_id): job for job in sorted(jobs, key=lambda job: job.age_key)}


def _lost(now: NotListed, last: JobHealth | None, *, expected: bool) -> Iterator[Attention]:
    if last is None:
        reason = "the cluster does not list it"
        active = expected
    else:
        ago = span(now.at - last.at)
        reason = f"the cluster no longer lists it; {ago} ago it was {last.job.state}"
        active = last.job.active
    if active:
        yield Attention(
            Concern.LOST,
            reason,
            f"Has its JobManager been restarted? {_start_again(last)}",
            last.at if last else None,
        )


def _failed(now: JobHealth) -> Iterator[Attention]:
    if now.job.state == "FAILED":
        since = now.job.ended or now.state_since
        yield Attention(
            Concern.FAILED,
            f"it FAILED {span(now.at - since)} ago{_because(now)}",
            f"Fix the cause. {_start_again(now)}",
            since,
        )


def _unsettled(now: JobHealth) -> Iterator[Attention]:
    state, since = now.job.state, now.state_since
    if state == "SUSPENDED":
        yield Attention(
            Concern.SUSPENDED,
            f"it has been SUSPENDED for {span(now.at - since)}",
            "Its JobManager has lost leadership: another one should take the job over",
            since,
        )
    elif state in ("RESTARTING", "FAILING", "RECONCILING"):
        yield Attention(
            Concern.RESTARTING,
            f"it has been {state} for {span(now.at - since)}{_because(now)}",
            "Read its exceptions. If it does not come up, fix the cause and start a new version",
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
            f"it failed and was restarted {times} times in the last {span(_RESTART_WINDOW)}"
            f"{_because(now)}",
            "Each restart goes back to the last checkpoint. Fix the cause in its exceptions",
            min((each.at for each in failures), default=None),
        )


def _redeployed(before: ObservedJob | None, now: ObservedJob) -> Iterator[Attention]:
    if before and now.healthy and now.redeployed_since(before):
        yield Attention(
            Concern.RESTARTED,
            "its tasks were deployed anew since it was last observed",
            "It was restarted after a failure, or rescaled: its exceptions tell which",
            now.modified,
        )


def _tasks_not_running(job: ObservedJob, since: int, at: int) -> Iterator[Attention]:
    up = job.running_tasks + job.finished_tasks
    waiting = job.state in ("CREATED", "INITIALIZING", "RUNNING") and not job.healthy
    if waiting and at - since >= _LONGEST_DEPLOYMENT:
        yield Attention(
            Concern.TASKS_NOT_RUNNING,
            f"{up} of {job.tasks} tasks run, and nothing has changed for {span(at - since)}",
            "Does the cluster have free slots? Add TaskManagers, or look into the JobManager's log",
            since,
        )


def _checkpoints(now: JobHealth) -> Iterator[Attention]:
    settings = now.settings
    if settings is None or not settings.periodic or now.job.state != "RUNNING":
        return
    done = now.last_completed
    since = max(now.state_since, done.completed if done else 0)
    last = f"the last one completed {span(now.at - done.completed)} ago" if done else "none so far"
    if now.at - since > settings.longest_gap:
        yield Attention(
            Concern.NO_CHECKPOINT,
            f"no checkpoint has completed for {span(now.at - since)} ({last}), and one is due "
            f"every {span(settings.interval)}",
            "A failure now goes back that far. Look for backpressure, a timeout that is too short, "
            "or storage that is slow or unreachable",
            since,
        )
    failed = now.failed_since_completed
    if failed:
        why = f": {failed[0].failure}" if failed[0].failure else ""
        what = f"its last {len(failed)} checkpoints" if len(failed) > 1 else "its last checkpoint"
        yield Attention(
            Concern.CHECKPOINTS_FAILING,
            f"{what} failed, and {last}{why}",
            f"After {settings.tolerable_failures} tolerated failures in a row the job is "
            "restarted. Fix the cause; a longer timeout helps where they expire",
            failed[-1].triggered,
        )


def _lag(seen: Sequence[JobHealth]) -> Iterator[Attention]:
    points = _periods(seen)
    if len(points) <= _LAG_PERIODS:
        return
    first, now = points[0], points[-1]
    over = span(now.at - first.at)
    slow = _slowest(now)
    lags = [each.event_time_lag for each in points]
    if _grows(lags) and (now.event_time_lag or 0) >= _LEAST_LAG:
        yield Attention(
            Concern.LAG_GROWING,
            f"it is {span(now.event_time_lag or 0)} behind in event time, "
            f"{span(first.event_time_lag or 0)} {over} ago",
            f"{slow}. If it is idle, a source partition without records may hold watermarks back",
            first.at,
        )
    backlogs = [each.pending_records for each in points]
    if _grows(backlogs) and (now.pending_records or 0) > _LEAST_BACKLOG_S * (now.throughput or 0):
        yield Attention(
            Concern.LAG_GROWING,
            f"{now.pending_records} records are pending, {first.pending_records} {over} ago",
            f"{slow}. Raise the parallelism where it works all the time",
            first.at,
        )


def _periods(seen: Sequence[JobHealth]) -> list[JobHealth]:
    """Return the newest observations that are a period of metrics apart, in their order.

    A restart begins anew: after it a job catches up.
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


def _slowest(now: JobHealth) -> str:
    busiest = now.busiest
    if busiest is None:
        return "Look for the vertex that works all the time"
    return f"{busiest.name} works {busiest.busy:.0%} of the time, more than any other vertex"


def _because(now: JobHealth) -> str:
    return f": {now.exceptions[0].cause}" if now.exceptions else ""


def _start_again(last: JobHealth | None) -> str:
    kept = last.settings is not None and last.settings.retained if last else False
    for each in last.checkpoints if last else ():
        usable = each.kind == "savepoint" or kept
        if usable and each.path and not each.discarded and each.status == "COMPLETED":
            return f"Start it again from its last {each.kind}, {each.path}"
    return "Start it again from its last savepoint or retained checkpoint"


def without_spans(reason: str) -> str:
    """Return a reason without its lengths of time, which grow although nothing has changed."""
    return _SPAN.sub("", reason)


def span(milliseconds: int) -> str:
    """Return a length of time in one unit that people read, such as "3 min"."""
    seconds = max(0, milliseconds) // 1000
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
