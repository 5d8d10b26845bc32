"""The health of a job as its page shows it: what was observed last, with secrets masked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from flink_jobs_provider.control_planes.flink.inspection import Checkpoint, JobException
from flink_jobs_provider.gateway.apis.job_inputs import masked_text
from flink_jobs_provider.gateway.apis.monitoring.record_attention import with_record
from flink_jobs_provider.gateway.job_board import ClusterAnswer
from flink_jobs_provider.gateway.job_service import JobRow
from flink_jobs_provider.gateway.portal.attention_texts import stated
from flink_jobs_provider.gateway.portal.text import Text
from flink_jobs_provider.model.errors import ClusterUnreachable, JobError
from flink_jobs_provider.observing.attention import (
    Attention,
    Concern,
    Observation,
    needs_attention,
)
from flink_jobs_provider.observing.health import (
    CheckpointCounts,
    CheckpointSettings,
    JobHealth,
    VertexHealth,
)

#: Lines of a stack trace that are shown.
_TRACE_LINES = 200
#: Concerns of which a job does not work at all.
_BROKEN = (Concern.FAILED, Concern.LOST, Concern.SUSPENDED, Concern.NO_TASK_MANAGERS)


@dataclass(frozen=True)
class AttentionView:
    """One reason for attention.

    Attributes:
        concern: Name of its kind.
        reason: What was observed.
        remedy: What to do.
        tone: How that is coloured.
        since: Since when, as far as that is known.
    """

    concern: str
    tone: str
    reason: str
    remedy: str
    since: datetime | None

    @classmethod
    def of(
        cls, attention: Attention, text: Text, shown: Callable[[str], str] = masked_text
    ) -> AttentionView:
        """Return a reason as pages of a language show it."""
        return cls(
            attention.concern.name,
            "bad" if attention.concern in _BROKEN else "warn",
            shown(stated(attention.observed, text)),
            shown(stated(attention.advice, text)),
            moment(attention.since),
        )


@dataclass(frozen=True)
class ExceptionView:
    """What a job failed of, once.

    Attributes:
        at: When.
        cause: The root cause, one line.
        task: The task that failed; empty where the job failed as a whole.
        where: The TaskManager that it ran on.
        trace: The stack trace, without its end if it is long.
    """

    at: datetime | None
    cause: str
    task: str
    where: str
    trace: str

    @classmethod
    def of(cls, failure: JobException, shown: Callable[[str], str]) -> ExceptionView:
        """Return an exception as pages show it."""
        trace = "\n".join(failure.trace.splitlines()[:_TRACE_LINES])
        return cls(
            moment(failure.at), shown(failure.cause), failure.task, failure.where, shown(trace)
        )


@dataclass(frozen=True)
class CheckpointView:
    """A checkpoint or savepoint.

    Attributes:
        kind: checkpoint, or savepoint.
        at: When it completed; when it was triggered, if it failed.
        duration: Milliseconds from one end to the other.
        size: Bytes of state.
        failure: Why it failed.
    """

    kind: str
    at: datetime | None
    duration: int
    size: int
    failure: str

    @classmethod
    def of(cls, checkpoint: Checkpoint, shown: Callable[[str], str]) -> CheckpointView:
        """Return a checkpoint as pages show it."""
        at = moment(checkpoint.completed or checkpoint.triggered)
        failure = shown(checkpoint.failure)
        return cls(checkpoint.kind, at, checkpoint.duration, checkpoint.size, failure)


@dataclass(frozen=True)
class Measured:
    """What was measured of a job.

    Attributes:
        state: Flink's own word.
        since: Since when it is in that state.
        active: Whether it has not ended.
        restarts: Restarts since its submission; None where that is not reported.
        tasks: How many tasks it has.
        running: How many of them run.
        parallelism: That of its widest vertex.
        throughput: Records per second that its sources emit.
        busiest: Its busiest vertex.
        backpressured: The share of time in which its most blocked subtask waits.
        watermark: The event time that its slowest vertex has reached.
        lag: Milliseconds by which it is behind in event time.
        pending: Records that its sources have not read yet.
        settings: How it takes checkpoints.
        counts: How many it has taken.
        last: The last one that completed.
        failed: The last one that failed.
        exceptions: What it failed of, newest first.
        vertices: Its vertices, sources first.
    """

    state: str
    since: datetime | None
    active: bool
    restarts: int | None
    tasks: int
    running: int
    parallelism: int | None
    throughput: float | None
    busiest: VertexHealth | None
    backpressured: float | None
    watermark: datetime | None
    lag: int | None
    pending: int | None
    settings: CheckpointSettings | None
    counts: CheckpointCounts
    last: CheckpointView | None
    failed: CheckpointView | None
    exceptions: Sequence[ExceptionView]
    vertices: Sequence[VertexHealth]

    @classmethod
    def of(cls, health: JobHealth, shown: Callable[[str], str]) -> Measured:
        """Return an observation as pages show it."""
        job = health.job
        last = health.last_completed
        failed = next((each for each in health.checkpoints if each.status == "FAILED"), None)
        return cls(
            state=job.state,
            since=moment(health.state_since),
            active=job.active,
            restarts=health.restarts,
            tasks=job.tasks,
            running=job.running_tasks,
            parallelism=health.parallelism,
            throughput=health.throughput,
            busiest=health.busiest,
            backpressured=health.backpressured,
            watermark=moment(health.watermark),
            lag=health.event_time_lag,
            pending=health.pending_records,
            settings=health.settings,
            counts=health.counts,
            last=CheckpointView.of(last, shown) if last else None,
            failed=CheckpointView.of(failed, shown) if failed else None,
            exceptions=[ExceptionView.of(each, shown) for each in health.exceptions],
            vertices=health.vertices,
        )


@dataclass(frozen=True)
class Away:
    """A cluster that does not answer.

    Attributes:
        since: When it answered last; None where it has not, since the gateway was started.
        problem: Why it does not, and what to do.
    """

    since: datetime | None
    problem: str


@dataclass(frozen=True)
class HealthView:
    """The health of a job, or why it is not known now: then nothing older is shown instead.

    Attributes:
        started: Whether the job was ever submitted, so that there is something to observe.
        away: Its cluster, where that does not answer.
        problem: Why the job itself could not be observed; empty where it was.
        listed: Whether its cluster lists it; None where nothing was observed yet.
        attention: Why it needs attention, most urgent first: as it was observed, and by its record.
        measured: What was measured; None where nothing was.
    """

    started: bool = True
    away: Away | None = None
    problem: str = ""
    listed: bool | None = None
    attention: Sequence[AttentionView] = ()
    measured: Measured | None = None


def health_view(
    seen: Sequence[Observation] | JobError | None,
    answer: ClusterAnswer | None,
    row: JobRow,
    text: Text,
    *,
    reveal: bool = False,
) -> HealthView:
    """Return the health of a job as its page shows it.

    Args:
        seen: What was observed of it lately, or why it was not; None where nothing was so far.
        answer: How its cluster answered the gateway's own observation last.
        row: The job on record.
        text: The language of why it needs attention.
        reveal: Whether secrets are shown.
    """
    shown: Callable[[str], str] = str if reveal else masked_text
    started = bool(row.record.job_id)
    observed = None if seen is None or isinstance(seen, JobError) else seen
    attention = [
        AttentionView.of(each, text, shown)
        for each in with_record(row, _observed_attention(row, observed)) or ()
        if each.concern is not Concern.ACTION_FAILED  # the page begins with the last action
    ]
    away = away_view(seen, answer)
    if away or seen is None:
        return HealthView(started, away, attention=attention)
    if observed is None:
        return HealthView(started, problem=shown(str(seen)), attention=attention)
    newest = observed[-1]
    return HealthView(
        started,
        listed=isinstance(newest, JobHealth),
        attention=attention,
        measured=Measured.of(newest, shown) if isinstance(newest, JobHealth) else None,
    )


def _observed_attention(
    row: JobRow, observed: Sequence[Observation] | None
) -> Sequence[Attention] | None:
    if observed is None:
        return None
    active = row.record.status.active and row.status == str(row.record.status)
    return needs_attention(observed, expected=active)


def away_view(seen: object, answer: ClusterAnswer | None) -> Away | None:
    """Return that a cluster does not answer; None where it does, or nobody knows so far.

    Args:
        seen: What was observed on it for a page, or why nothing was; None for neither.
        answer: How it answered the gateway's own observation last.
    """
    problem = seen if isinstance(seen, ClusterUnreachable) else None
    if seen is None and answer and not answer.answers:
        problem = answer.problem if isinstance(answer.problem, ClusterUnreachable) else None
    if problem is None:
        return None
    return Away(answer.at if answer else None, masked_text(str(problem)))


def moment(milliseconds: int | None) -> datetime | None:
    """Return a time of Flink's; None where there is none."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None
