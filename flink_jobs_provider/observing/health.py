"""Observations of a cluster and of one job, in units that are named.

Times are milliseconds since the epoch by the cluster's clock. A value that the cluster does not
report is None, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flink_jobs_provider.control_planes.flink.inspection import Checkpoint, JobException
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob


@dataclass(frozen=True)
class VertexHealth:
    """The load of one vertex: operators that are chained into one task.

    Attributes:
        id: Its id in Flink.
        name: Its name in Flink.
        source: Whether no other vertex feeds it.
        parallelism: The number of its subtasks.
        max_parallelism: The greatest parallelism that its state can be restored with.
        running: How many of its subtasks run.
        busy: The share of time, 0 to 1, in which its busiest subtask works.
        backpressured: The share of time, 0 to 1, in which its most blocked subtask waits for those
            after it.
        idle: The share of time, 0 to 1, in which its least loaded subtask waits for input.
        records_in: Records per second that its subtasks receive from other vertices, in all.
        records_out: Records per second that its subtasks send to other vertices, in all.
        emitted: Records per second that its source emits, also to operators of the same vertex.
        watermark: The event time that it has reached: that of its slowest subtask.
        emit_lag: Milliseconds of event time by which its source is behind as it emits.
        pending_records: Records that its source has not read yet.
    """

    id: str
    name: str
    source: bool
    parallelism: int
    max_parallelism: int
    running: int
    busy: float | None = None
    backpressured: float | None = None
    idle: float | None = None
    records_in: float | None = None
    records_out: float | None = None
    emitted: float | None = None
    watermark: int | None = None
    emit_lag: int | None = None
    pending_records: int | None = None


@dataclass(frozen=True)
class CheckpointSettings:
    """How a job is set to take checkpoints.

    Attributes:
        periodic: Whether it takes any by itself.
        interval: Milliseconds between the beginnings of two.
        timeout: Milliseconds after which one is given up.
        min_pause: Milliseconds between the end of one and the beginning of the next.
        tolerable_failures: How many may fail in a row before the job is restarted.
        retained: Whether checkpoints outlive a cancel.
        mode: exactly_once, or at_least_once.
    """

    periodic: bool
    interval: int
    timeout: int
    min_pause: int = 0
    tolerable_failures: int = 0
    retained: bool = False
    mode: str = ""

    @property
    def longest_gap(self) -> int:
        """Milliseconds without a completed checkpoint after which something is wrong.

        It is the rule of the Flink Kubernetes Operator: a checkpoint may take its whole timeout,
        and as many as are tolerated may fail.
        """
        return max(self.interval, self.timeout) * (self.tolerable_failures + 2)


@dataclass(frozen=True)
class CheckpointCounts:
    """How many checkpoints and savepoints a job has taken since its submission.

    Attributes:
        completed: Completed ones.
        failed: Failed ones.
        in_progress: Those that are being taken.
        restored: How often the job was restored from one.
    """

    completed: int = 0
    failed: int = 0
    in_progress: int = 0
    restored: int = 0


@dataclass(frozen=True)
class JobHealth:
    """One job in detail, at one moment.

    Attributes:
        job: Its row of the job list.
        at: When it was observed.
        state_since: Since when it has been in its state.
        restarts: How often it was restarted since its submission.
        rescales: How often it was rescaled since then (2.3.0 reports it, 1.20.5 does not).
        vertices: Its vertices, sources first.
        settings: How it takes checkpoints; None where that is not shown.
        counts: How many it has taken.
        checkpoints: The latest ones, newest first.
        exceptions: What it failed of, newest first.
    """

    job: ObservedJob
    at: int
    state_since: int
    restarts: int | None = None
    rescales: int | None = None
    vertices: tuple[VertexHealth, ...] = ()
    settings: CheckpointSettings | None = None
    counts: CheckpointCounts = field(default_factory=CheckpointCounts)
    checkpoints: tuple[Checkpoint, ...] = ()
    exceptions: tuple[JobException, ...] = ()

    @property
    def parallelism(self) -> int | None:
        """The parallelism of its widest vertex."""
        return max((vertex.parallelism for vertex in self.vertices), default=None)

    @property
    def last_completed(self) -> Checkpoint | None:
        """The newest checkpoint or savepoint that has completed."""
        return next((each for each in self.checkpoints if each.status == "COMPLETED"), None)

    @property
    def failed_since_completed(self) -> tuple[Checkpoint, ...]:
        """The checkpoints and savepoints that failed since one completed, newest first."""
        done = self.last_completed
        return tuple(
            each
            for each in self.checkpoints
            if each.status == "FAILED" and (done is None or each.number > done.number)
        )

    @property
    def throughput(self) -> float | None:
        """Records per second that its sources emit, in all."""
        told = [each.emitted for each in self.vertices if each.emitted is not None]
        return sum(told) if told else None

    @property
    def busiest(self) -> VertexHealth | None:
        """The vertex that works most; None where no vertex reports it."""
        told = [vertex for vertex in self.vertices if vertex.busy is not None]
        return max(told, key=lambda vertex: vertex.busy or 0.0, default=None)

    @property
    def backpressured(self) -> float | None:
        """The share of time, 0 to 1, in which its most blocked subtask waits for those after it."""
        told = (vertex.backpressured for vertex in self.vertices)
        return max((each for each in told if each is not None), default=None)

    @property
    def watermark(self) -> int | None:
        """The event time that its slowest vertex has reached."""
        told = (vertex.watermark for vertex in self.vertices)
        return min((each for each in told if each is not None), default=None)

    @property
    def event_time_lag(self) -> int | None:
        """Milliseconds by which it is behind in event time.

        It is what its sources report, or else how old its slowest watermark is.
        """
        emitted = [vertex.emit_lag for vertex in self.vertices if vertex.emit_lag is not None]
        if emitted:
            return max(emitted)
        return None if self.watermark is None else max(0, self.at - self.watermark)

    @property
    def pending_records(self) -> int | None:
        """Records that its sources have not read yet."""
        told = [each.pending_records for each in self.vertices if each.pending_records is not None]
        return sum(told) if told else None


@dataclass(frozen=True)
class NotListed:
    """A job that the cluster did not list.

    Attributes:
        job_id: Flink's jobId.
        at: When that was observed.
    """

    job_id: str
    at: int


@dataclass(frozen=True)
class Memory:
    """A pool of memory of one JVM.

    Attributes:
        used: Bytes in use.
        limit: Bytes at most; None where there is no limit.
    """

    used: int
    limit: int | None

    @property
    def share(self) -> float | None:
        """How much of it is used, 0 to 1."""
        return self.used / self.limit if self.limit else None


@dataclass(frozen=True)
class ClusterHealth:
    """A cluster and the list of its jobs, at one moment.

    Attributes:
        at: When it was observed.
        version: Flink's version.
        task_managers: How many there are.
        slots: Slots in all.
        free_slots: Slots that no job has.
        snapshot: All jobs that it lists.
        restarts: Restarts of the jobs that it lists, in all.
        failed_checkpoints: Failed checkpoints of the jobs that it lists, in all.
        metaspace: Memory for classes, of the TaskManager that has used most. Each submission adds
            to it, and a session cluster may never give it back (FLINK-16225).
        job_manager_metaspace: The same of the JobManager.
        heap: Heap memory, of the TaskManager that has used most.
        job_manager_heap: The same of the JobManager.
    """

    at: int
    version: str
    task_managers: int
    slots: int
    free_slots: int
    snapshot: ClusterSnapshot
    restarts: int | None = None
    failed_checkpoints: int | None = None
    metaspace: Memory | None = None
    job_manager_metaspace: Memory | None = None
    heap: Memory | None = None
    job_manager_heap: Memory | None = None
