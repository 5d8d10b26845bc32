"""A job of the fake Flink: what its program does, and how it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from flink_jobs_provider.model.job_graph import Vertex
from flink_jobs_provider.model.observation import CheckpointStatistics, ObservedJob, VitalSigns

ENDED = ("FINISHED", "CANCELED", "FAILED")


@dataclass(frozen=True)
class Program:
    """What an entry class does when it is run.

    Attributes:
        plan_error: Its `main` throws this, seen when it is planned and when it is run.
        submit_error: Flink refuses the submission with this; a plan does not show it.
        state_error: It does not fit the state it is given: a FAILED job remains under its id.
        task_error: Its tasks fail with this, and there is no restart strategy.
        restarts: Its tasks fail for ever, and are restarted for ever.
        fails_after: Its tasks fail with `late_error` when they have run so many seconds.
        restarts_after: They fail so and are restarted at once, between two looks at the list.
        rescales_after: They are restarted so without having failed.
        late_error: What they fail with.
        finishes_after: It comes to its own end when its tasks have run so many seconds.
        comes_up: Whether its tasks ever run.
        stop_fault: "goes on", "takes the job down" or "takes the job down slowly": what a
            failing stop does to it.
        parallelism: What it sets itself, whatever was asked for.
        checkpoints: Whether it has periodic checkpoints.
        checkpoint_faults: How many checkpoints fail before one completes.
        vertices: Its job graph, as its plan shows it.
        operators: The same without chaining; as the graph where it has no chains.
        ran_as: The graph of its jobs, where each run of `main` makes other ids.
        state_sizes: Bytes of state by vertex id.
        checkpoint_ms: How long each checkpoint takes.
        output_rate: Records per second that its sinks receive; None where that is not shown.
        silent_after: They receive none any more when its tasks have run so many seconds.
        lag_ms: How far it is behind in event time.
        max_parallelism: The most subtasks of each vertex, by its id.
        other_graph_at: The parallelisms at which its graph is another one.

    """

    plan_error: str = ""
    submit_error: str = ""
    state_error: str = ""
    task_error: str = ""
    restarts: bool = False
    fails_after: float | None = None
    restarts_after: float | None = None
    rescales_after: float | None = None
    late_error: str = "RuntimeException: on its first record"
    finishes_after: float | None = None
    comes_up: bool = True
    stop_fault: str = ""
    parallelism: int | None = None
    checkpoints: bool = True
    checkpoint_faults: int = 0
    vertices: tuple[Vertex, ...] = ()
    operators: tuple[Vertex, ...] = ()
    ran_as: tuple[Vertex, ...] = ()
    state_sizes: tuple[tuple[str, int | None], ...] = ()
    max_parallelism: tuple[tuple[str, int], ...] = ()
    other_graph_at: tuple[int, ...] = ()
    checkpoint_ms: int = 50
    output_rate: float | None = None
    silent_after: float = float("inf")
    lag_ms: float | None = None

    def __deepcopy__(self, _memo: object) -> Program:
        """Return itself, which does not change."""
        return self


@dataclass
class FakeJob:
    """One submission. Its state is one number, the progress, which grows while it runs."""

    job_id: str
    program: Program
    parallelism: int
    retains: bool
    submitted: float
    checkpoints_below: str = ""
    restored_from: str = ""
    base: int = 0
    state: str = "CREATED"
    running_tasks: int = 0
    up_at: float | None = None
    restarted_at: float | None = None
    ended: float = 0.0
    progress_at_end: int = 0
    failure: str = ""
    completed: int = 0
    savepoint: str = ""
    savepoint_time: float = 0.0
    stopped_with_savepoint: bool = False
    checkpoint: str = ""
    checkpoint_time: float = 0.0
    checkpoint_faults_left: int = 0
    bounds: dict[str, int] = field(default_factory=dict)
    rescales_at: float = 0.0
    rescale_requested: float = 0.0
    rescaled_at: float = 0.0
    checkpoints_at: list[float] = field(default_factory=list)
    checkpoints_took: list[int] = field(default_factory=list)
    fails_at: float = 0.0
    cached: tuple[float, CheckpointStatistics] | None = None

    @property
    def active(self) -> bool:
        """Whether it has not ended."""
        return self.state not in ENDED

    def progress(self, now: float) -> int:
        """Return how far it has come: one for each tenth of a second that it ran."""
        if not self.active:
            return self.progress_at_end
        return self.base + (0 if self.up_at is None else 1 + int((now - self.up_at) * 10))

    def end(self, state: str, now: float, failure: str = "") -> None:
        """End it."""
        self.progress_at_end = self.progress(now)
        self.state, self.ended, self.running_tasks = state, now, 0
        self.failure = failure or self.failure
        if not (self.retains and state in ("CANCELED", "FAILED")):
            self.checkpoint = ""

    def row(self) -> ObservedJob:
        """Return its row of the overview."""
        return ObservedJob(
            job_id=self.job_id,
            name="whatever main says",
            state=self.state,
            started=int(self.submitted * 1000),
            ended=int(self.ended * 1000),
            tasks=self.parallelism,
            running_tasks=self.running_tasks,
            modified=int(
                (self.restarted_at or self.rescaled_at or self.up_at or self.submitted) * 1000
            ),
        )

    def statistics(self) -> CheckpointStatistics:
        """Return its checkpoint statistics as they are now."""
        return CheckpointStatistics(
            completed=self.completed,
            restored_from=self.restored_from,
            savepoint=self.savepoint,
            savepoint_time=int(self.savepoint_time * 1000),
            stopped_with_savepoint=self.stopped_with_savepoint,
            checkpoint=self.checkpoint,
            checkpoint_time=int(self.checkpoint_time * 1000) if self.checkpoint else 0,
            last_completed=int(max(self.checkpoint_time, self.savepoint_time) * 1000),
        )

    def vital_signs(self, now: float, *, load: bool) -> VitalSigns:
        """Return what a health gate judges."""
        failed = self.restarted_at if self.failure else None
        ran = now - self.up_at if self.up_at is not None and self.active else 0.0
        rate = self.program.output_rate
        output = None if rate is None else rate * min(ran, self.program.silent_after)
        return VitalSigns(
            exceptions=() if failed is None else (int(failed * 1000),),
            cause=self.failure,
            completed=self.completed,
            checkpoint_times=tuple(self.checkpoints_took[-10:]),
            checkpoint_starts=tuple(int(at * 1000) for at in self.checkpoints_at[-10:]),
            output=output if load else None,
            output_rate=rate if load else None,
            lag_ms=self.program.lag_ms if load else None,
        )
