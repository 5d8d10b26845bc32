# ruff: noqa: D102 - what each call does is said in the protocol
"""A Flink session cluster in memory, with switches for what can go wrong.

It behaves as the real one was measured to (duplicate jobIds, savepoints under trigger ids kept for
five minutes, statistics from a cache of three seconds, ended jobs kept for an hour). What a job's
state is worth shows in its progress, which a restore takes over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

import fsspec

from flink_jobs_provider.control_planes.protocol import (
    JobMark,
    Mark,
    Purpose,
    SavepointRequest,
    Submission,
)
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ClusterUnreachable,
    DeadlineExceeded,
    EntryClassUnusable,
)
from flink_jobs_provider.model.job_graph import JobGraph, Vertex
from flink_jobs_provider.model.observation import (
    Checkpointing,
    CheckpointStatistics,
    ClusterFacts,
    ClusterSnapshot,
    VitalSigns,
)
from flink_jobs_provider.model.savepoint import SavepointFormat, canonical_path
from tests.savepoint_metadata import metadata
from tests.unit.reconciling.fake_clock import FakeClock
from tests.unit.reconciling.flink.fake_job import FakeJob, Program

_RETENTION = "execution.checkpointing.externalized-checkpoint-retention"
RETAINED = {_RETENTION: "RETAIN_ON_CANCELLATION"}
CHECKPOINT_INTERVAL = 60.0
_CHAINING = "pipeline.operator-chaining.enabled"
_STORE, _JOB_STORE, _CACHE = 300.0, 3600.0, 3.0
_numbers = count(1)


class Killed(BaseException):
    """The process was killed here; no handler of the project may catch it."""


@dataclass
class _Operation:
    request: SavepointRequest
    done_at: float
    path: str = ""
    failure: str = ""
    done: bool = False


class FakeFlink:
    """Implements `control_planes.protocol.ControlPlane`.

    Attributes:
        steps: The names of all steps so far; a process can be killed at each.
        kill_at: The number of the step at which to raise `Killed`.
        kill_before: The name of the step at which to raise it.
        programs: What an entry class does; one that is not named here behaves well.
        savepoint_fault: "goes on", "takes the job down" or "hangs": what every savepoint does.
        disposal_fault: Why no savepoint is disposed of.
        rescale_fault: Why a request to rescale a job is refused.
        rescale_delay: After how many seconds it is carried out; on Flink 2, after how many a
            checkpoint has it carried out.
        unreachable: How many of the next calls get no answer.
        loses: Names of steps after which the answer is lost, each once.
        progress_in: The progress that each savepoint and checkpoint holds.
        saved: The progress in the newest savepoint of the newest version since its last fresh
            start.
        starts: Each accepted submission, and what was saved before it.
        savepoint_requests: Each request of a savepoint or stop, also a repeated one.

    """

    def __init__(self, clock: FakeClock, readable: bool = True, slots: int = 24) -> None:
        number = next(_numbers)
        root = f"memory:///flink-{number}" if readable else f"/flink-{number}"
        self._time = clock
        self._readable = readable
        self.slots = slots
        self.mains: set[str] | None = set()
        self.outlasting: set[str] = set()
        self.cluster = ClusterFacts((2, 3, 0), f"{root}/savepoints", f"{root}/checkpoints")
        self.jobs_by_id: dict[str, FakeJob] = {}
        self.jars: set[tuple[str, str]] = set()
        self.marked: list[tuple[str, JobMark]] = []
        self.submissions: list[Submission] = []
        self.starts: list[tuple[Submission, int]] = []
        self.savepoint_requests: list[SavepointRequest] = []
        self.programs: dict[str, Program] = {}
        self.progress_in: dict[str, int] = {}
        self.saved = 0
        self.savepoint_fault = ""
        self.rescale_fault = ""
        self.disposal_fault = ""
        self.rescale_delay = 0.0
        self.unreachable = 0
        self.loses: set[str] = set()
        self.steps: list[str] = []
        self.kill_at: int | None = None
        self.kill_before = ""
        self.on_step: Callable[[str], None] = lambda _step: None
        self._operations: dict[tuple[str, str, str], _Operation] = {}
        #: How many savepoints it ever took: Flink gives no two of them one name.
        self._taken = 0

    # The protocol

    async def jobs(self, max_age: float = 0.0) -> ClusterSnapshot:
        self._step("jobs")
        return ClusterSnapshot(tuple(job.row() for job in self.jobs_by_id.values()))

    async def facts(self) -> ClusterFacts:
        return self.cluster

    async def running_mains(self) -> frozenset[str] | None:
        return None if self.mains is None else frozenset(self.mains)

    async def has_jars(self, identity: str) -> bool:
        return any(prefix == identity for prefix, _ in self.jars)

    async def marks(self, job_id: str) -> tuple[JobMark, ...]:
        self._step("marks")
        return tuple(mark for marked, mark in self.marked if marked == job_id)

    async def marks_by(self, identity: str) -> tuple[JobMark, ...]:
        self._step("marks")
        return tuple(mark for _, mark in self.marked if mark.identity == identity)

    async def marks_on(self, *identities: str, now: bool = False) -> tuple[JobMark, ...]:
        self._step("marks")
        return tuple(mark for job_id, mark in self.marked if job_id.startswith(identities))

    async def put_mark(self, kind: Mark, identity: str, job_id: str, timeout: float) -> None:
        self._step(f"put {kind}")
        mark = JobMark(kind, identity, f"mark-{next(_numbers)}", self._time.now(), job_id)
        self.marked.append((job_id, mark))
        self._step(f"{kind} put")

    async def remove_mark(self, mark: JobMark) -> None:
        self._step("remove mark")
        self.marked = [each for each in self.marked if each[1] != mark]

    async def task_slots(self) -> tuple[int, int]:
        self._step("free slots")
        return self.slots - sum(job.parallelism for job in self.active()), self.slots

    async def plan(self, submission: Submission) -> JobGraph:
        self._step("plan")
        self._upload(submission)
        program = self._program(submission)
        if program.plan_error:
            raise ActionFailed(program.plan_error)
        self._step("planned")
        return self._graph(submission, program)

    @staticmethod
    def _graph(submission: Submission, program: Program) -> JobGraph:
        chained = submission.spec.flink_configuration.get(_CHAINING) != "false"
        vertices = program.vertices if chained else program.operators or program.vertices
        parallelism = program.parallelism or submission.spec.parallelism
        if submission.spec.parallelism in program.other_graph_at:
            vertices = (Vertex("other", ("other",), parallelism=parallelism),)
        return JobGraph(parallelism, vertices or _one_vertex(parallelism))

    async def try_out(self, submission: Submission) -> JobGraph:
        jars = set(self.jars)
        self.steps.append("try out")
        program = self._program(submission)
        if program.plan_error:
            kind = EntryClassUnusable if "ClassNotFound" in program.plan_error else ActionFailed
            raise kind(program.plan_error)
        assert set(self.jars) == jars
        return self._graph(submission, program)

    async def running_graph(self, job_id: str) -> JobGraph | None:
        job = self.jobs_by_id.get(job_id)
        vertices = job.program.ran_as or job.program.vertices if job else ()
        return JobGraph(job.parallelism, vertices or _one_vertex(job.parallelism)) if job else None

    async def state_sizes(self, job_id: str) -> dict[str, int | None] | None:
        job = self.jobs_by_id[job_id]
        return dict(job.program.state_sizes) if job.completed else None

    async def max_parallelism(self, job_id: str) -> dict[str, int]:
        return dict(self.jobs_by_id[job_id].program.max_parallelism)

    async def provide_jar(self, submission: Submission, timeout: float) -> bool:
        self._step("list jars")
        jar = (submission.job_id[:18], submission.jar_digest[:32])
        if jar in self.jars:
            return True
        if isinstance(submission.jar, str):
            return False
        self._upload(submission)
        self._step("uploaded")
        return True

    async def submit(self, submission: Submission, timeout: float) -> None:
        self._step("submit")
        self._upload(submission)
        self._step("uploaded")
        if submission.job_id in self.jobs_by_id:
            return
        program = self._program(submission)
        if program.plan_error or program.submit_error:
            raise ActionFailed(program.plan_error or program.submit_error)
        job = self._accept(submission, program)
        self._step("submitted")
        if job.failure:
            raise ActionFailed(job.failure)

    async def take_savepoint(self, request: SavepointRequest, timeout: float) -> str:
        self._step(request.purpose.value)
        self.savepoint_requests.append(request)
        if request.job_id not in self.jobs_by_id:
            raise ActionFailed(f"the savepoint was refused: no job {request.job_id}")
        key = (request.job_id, request.purpose.value, request.occasion)
        operation = self._operations.get(key)
        if operation is None or operation.failure:
            operation = _Operation(request, self._time.now() + 0.5)
            self._operations[key] = operation
        self._step(f"{request.purpose.value} triggered")
        deadline = self._time.now() + timeout
        while not operation.done:
            if self._time.now() >= deadline:
                raise DeadlineExceeded("the savepoint is still being taken")
            await self._time.sleep(0.1)
            self.pass_time()
        self._step(f"{request.purpose.value} done")
        if operation.failure:
            raise ActionFailed(operation.failure)
        return operation.path

    async def cancel(self, job_id: str) -> None:
        self._step("cancel")
        job = self.jobs_by_id.get(job_id)
        if job and job.active:
            job.end("CANCELED", self._time.now())
            self._discard(job)
        self._step("cancelled")

    async def checkpoint(self, job_id: str, timeout: float) -> bool:
        self._step("checkpoint")
        job = self.jobs_by_id[job_id]
        if not job.program.checkpoints:
            return False
        if not job.active:
            raise ActionFailed("Checkpoint Coordinator is suspending.")
        if job.checkpoint_faults_left:
            job.checkpoint_faults_left -= 1
            raise ActionFailed("Checkpoint was declined")
        self._checkpoint(job)
        if self._time.now() >= job.rescale_requested + self.rescale_delay:
            job.rescales_at = self._time.now()
        self._step("checkpointed")
        return True

    async def find_savepoint(self, request: SavepointRequest) -> str | None:
        self._step("find savepoint")
        key = (request.job_id, request.purpose.value, request.occasion)
        operation = self._operations.get(key)
        return operation.path or None if operation else None

    async def await_savepoint(self, request: SavepointRequest, timeout: float) -> str | None:
        self._step("await savepoint")
        key = (request.job_id, request.purpose.value, request.occasion)
        operation = self._operations.get(key)
        while operation and not operation.done:
            await self._time.sleep(0.1)
            self.pass_time()
        return operation.path or None if operation else None

    async def dispose_savepoint(self, path: str, timeout: float) -> bool:
        self._step("dispose")
        if self.disposal_fault:
            raise ActionFailed(self.disposal_fault)
        there = canonical_path(path) in self.progress_in
        if there:
            self.remove(canonical_path(path))
        self._step("disposed")
        return there

    async def forget_jars(self, identity: str, keep: frozenset[str]) -> None:
        self._step("forget jars")
        kept = {digest[:32] for digest in keep}
        over = {Mark.ADOPTED, *((Mark.SWALLOWED,) if keep else ())}
        self.jars = {jar for jar in self.jars if jar[0] != identity or jar[1] in kept}
        self.marked = [
            (job_id, mark)
            for job_id, mark in self.marked
            if mark.kind not in over or mark.identity != identity
        ]
        self._step("jars forgotten")

    async def checkpoints(self, job_id: str) -> CheckpointStatistics | None:
        self._step("statistics")
        job = self.jobs_by_id.get(job_id)
        if job is None:
            return None
        if not job.program.checkpoints and not job.savepoint and not job.restored_from:
            return CheckpointStatistics(enabled=False)
        if job.cached is None or self._time.now() - job.cached[0] >= _CACHE:
            job.cached = (self._time.now(), job.statistics())
        return job.cached[1]

    async def checkpointing(self, job_id: str) -> Checkpointing:
        job = self.jobs_by_id.get(job_id)
        return Checkpointing(job.program.checkpoints, job.retains) if job else Checkpointing()

    async def parallelism(self, job_id: str) -> int | None:
        job = self.jobs_by_id.get(job_id)
        return job.parallelism if job else None

    async def rescale(self, job_id: str, bounds: Mapping[str, int]) -> None:
        self._step("rescale")
        job = self.jobs_by_id[job_id]
        if self.rescale_fault:
            raise ActionFailed(self.rescale_fault)
        job.bounds = dict(bounds)
        job.rescale_requested = self._time.now()
        waits = self.cluster.version >= (2, 0)
        job.rescales_at = math.inf if waits else self._time.now() + self.rescale_delay
        self._step("rescaled")

    async def parallelism_bounds(self, job_id: str) -> dict[str, int] | None:
        self._step("bounds") if self.cluster.adaptive else None
        job = self.jobs_by_id.get(job_id)
        return dict(job.bounds) if job and self.cluster.adaptive else None

    async def failure(self, job_id: str, since: int = 0) -> str:
        self.pass_time()
        job = self.jobs_by_id.get(job_id)
        if job is None or not job.failure:
            return ""
        at = job.restarted_at if job.active else job.ended
        if at is None:
            return job.failure
        return job.failure if since <= at * 1000 and self._time.now() - at >= _CACHE else ""

    async def vital_signs(self, job_id: str, *, load: bool) -> VitalSigns:
        self._step("vital signs")
        job = self.jobs_by_id.get(job_id)
        return job.vital_signs(self._time.now(), load=load) if job else VitalSigns()

    def dashboard(self, job_id: str) -> str:
        return f"http://flink:8081/#/job/running/{job_id}/overview"

    # What tests do to it, and ask of it

    def active(self) -> list[FakeJob]:
        """Return the jobs that have not ended."""
        return [job for job in self.jobs_by_id.values() if job.active]

    def the_job(self) -> FakeJob:
        """Return the one active job; fail when there is another number of them."""
        (job,) = self.active()
        return job

    def progress(self, job: FakeJob) -> int:
        """Return how far a job has come."""
        return job.progress(self._time.now())

    def end(self, job: FakeJob, state: str, failure: str = "") -> None:
        """End a job out of band."""
        job.end(state, self._time.now(), failure)
        self._discard(job)

    def restart_job_manager(self) -> None:
        """Forget all jobs and operations, as a session cluster without HA does."""
        self.jobs_by_id.clear()
        self._operations.clear()

    def remove(self, path: str) -> None:
        """Remove a savepoint or checkpoint from its storage."""
        del self.progress_in[path]
        if self._readable:
            fsspec.filesystem("memory").rm_file(f"{path}/_metadata".split("//", 1)[1])

    def submit_by_hand(self, submission: Submission) -> FakeJob:
        """Start a job as somebody else would."""
        return self._accept(submission, self._program(submission))

    def stop_by_hand(self, job: FakeJob, directory: str) -> None:
        """Stop a job with a savepoint as somebody else would, by a trigger id of their own."""
        request = SavepointRequest(job.job_id, directory, Purpose.STOP, SavepointFormat.CANONICAL)
        self._complete(_Operation(request, self._time.now()))

    def pass_time(self, seconds: float = 0.0) -> None:
        """Let jobs come up, fail, and be forgotten; let savepoints complete."""
        self._time.time += seconds
        for job in self.jobs_by_id.values():
            self._move(job)
        for operation in self._operations.values():
            if not operation.done and self._time.now() >= operation.done_at:
                self._complete(operation)
        now = self._time.now()
        self._operations = {
            key: op
            for key, op in self._operations.items()
            if not op.done or now - op.done_at < _STORE
        }
        self.jobs_by_id = {
            id_: job
            for id_, job in self.jobs_by_id.items()
            if job.active or now - job.ended < _JOB_STORE
        }

    def rescale_by_hand(self, job: FakeJob, parallelism: int) -> None:
        """Rescale a job as somebody else would."""
        assert self.cluster.adaptive
        job.bounds["all"] = job.parallelism = job.running_tasks = parallelism

    # How it works

    def _step(self, name: str) -> None:
        self.pass_time(0.01)
        self.on_step(name)
        if self.kill_at == len(self.steps) or name == self.kill_before:
            raise Killed(name)
        self.steps.append(name)
        if self.unreachable > 0:
            self.unreachable -= 1
            raise ClusterUnreachable("no connection", remedy="Is the cluster up?")
        if name in self.loses:
            self.loses.remove(name)
            raise ClusterUnreachable("the answer was lost", remedy="Is the cluster up?")

    def _program(self, submission: Submission) -> Program:
        return self.programs.get(submission.spec.entry_class or "", Program())

    def _upload(self, submission: Submission) -> None:
        jar = (submission.job_id[:18], submission.jar_digest[:32])
        if isinstance(submission.jar, str) and jar not in self.jars:
            raise ActionFailed("the jar of the previous version is no longer on the cluster")
        self.jars.add(jar)

    def _accept(self, submission: Submission, program: Program) -> FakeJob:
        self.submissions.append(submission)
        self.starts.append((submission, self.saved))
        self.saved = self.saved if submission.restore_from else 0
        parallelism = program.parallelism or submission.parallelism or submission.spec.parallelism
        job = FakeJob(
            submission.job_id,
            program,
            parallelism,
            submission.spec.flink_configuration.get(_RETENTION) == RETAINED[_RETENTION],
            self._time.now(),
            checkpoints_below=_checkpoint_directory(submission)
            or self.cluster.checkpoint_directory,
            checkpoint_faults_left=program.checkpoint_faults,
            bounds={"all": parallelism},
        )
        self.jobs_by_id[job.job_id] = job
        if submission.restore_from:
            origin = canonical_path(submission.restore_from)
            if origin not in self.progress_in:
                job.end("FAILED", self._time.now(), f"FileNotFoundException: {origin}")
            elif program.state_error:
                job.end("FAILED", self._time.now(), program.state_error)
            else:
                job.base, job.restored_from = self.progress_in[origin], origin
        return job

    def _move(self, job: FakeJob) -> None:
        age = self._time.now() - job.submitted
        if not job.active or age < 0.03 or self._is_failing(job):
            return
        others = sum(j.parallelism for j in self.active() if j is not job and j.up_at is not None)
        if job.up_at is None and others + job.parallelism > self.slots:
            if age > 3:
                job.end("FAILED", self._time.now(), "NoResourceAvailableException")
        elif job.program.task_error:
            job.end("FAILED", self._time.now(), job.program.task_error)
        elif job.program.restarts:
            job.state = "RESTARTING" if int(age) % 2 else "RUNNING"
            job.failure = "RuntimeException: this task always fails"
        elif job.up_at is not None and self.cluster.adaptive:
            if self._time.now() >= job.rescales_at:
                wanted, free = job.bounds["all"], self.slots - others
                now = min(wanted, max(free, 1))
                job.rescaled_at = job.rescaled_at if now == job.parallelism else self._time.now()
                job.parallelism = job.running_tasks = now
            self._run(job, self._time.now() - job.up_at)
        elif job.program.comes_up and not job.running_tasks:
            job.state, job.running_tasks = "RUNNING", job.parallelism
            job.up_at = self._time.now() if job.up_at is None else job.up_at
        elif job.state == "CREATED":
            job.state = "RUNNING"
        elif job.up_at is not None:
            self._run(job, self._time.now() - job.up_at)

        due = max(job.checkpoint_time, job.up_at or 0) + CHECKPOINT_INTERVAL
        if job.running_tasks and job.program.checkpoints and self._time.now() >= due:
            self._checkpoint(job)

    def _is_failing(self, job: FakeJob) -> bool:
        if job.state == "FAILING" and self._time.now() >= job.fails_at:
            job.end("FAILED", job.fails_at)
            self._discard(job)
            return True
        return job.state == "FAILING"

    def _run(self, job: FakeJob, ran: float) -> None:
        """Let a job fail, restart, rescale or finish when it has run for so long."""
        program, now = job.program, self._time.now()
        if program.fails_after is not None and ran >= program.fails_after:
            job.end("FAILED", now, program.late_error)
            self._discard(job)
        elif program.finishes_after is not None and ran >= program.finishes_after:
            job.end("FINISHED", now)
        restarts = program.restarts_after or program.rescales_after
        if restarts is not None and ran >= restarts and job.restarted_at is None:
            job.restarted_at = now
            job.failure = program.late_error if program.restarts_after else ""

    def _checkpoint(self, job: FakeJob) -> None:
        number = job.completed = job.completed + 1
        job.checkpoints_at.append(self._time.now())
        job.checkpoints_took.append(job.program.checkpoint_ms)
        below = f"{job.checkpoints_below}/{job.job_id}"
        job.checkpoint, job.checkpoint_time = f"{below}/chk-{number}", self._time.now()
        self._write(job.checkpoint, job)
        self._discard(job)

    def _complete(self, operation: _Operation) -> None:
        request, now = operation.request, self._time.now()
        job = self.jobs_by_id.get(request.job_id)
        fault = self.savepoint_fault or (job.program.stop_fault if job and request.stops else "")
        if fault == "hangs":
            return
        operation.done, operation.done_at = True, now
        if job is None or not job.active or job.up_at is None:
            operation.failure = "CheckpointException: Checkpoint Coordinator is suspending."
        elif fault:
            operation.failure = "IOException: the snapshot could not be written"
            if fault == "takes the job down":
                job.end("FAILED", now, operation.failure)
                self._discard(job)
            elif fault == "takes the job down slowly":
                job.state, job.running_tasks = "FAILING", 0
                job.failure, job.fails_at = operation.failure, now + 2
        else:
            self._taken += 1
            name = f"savepoint-{job.job_id[:6]}-{self._taken:012x}"
            operation.path = canonical_path(f"{request.directory}/{name}")
            job.savepoint, job.savepoint_time = operation.path, now
            job.stopped_with_savepoint = request.stops
            job.completed += 1
            self._write(operation.path, job)
            newest = max(self.active(), key=lambda other: other.row().age_key)
            if job is newest:
                self.saved = max(self.saved, self.progress_in[operation.path])
            if request.stops:
                job.end("FINISHED", now)
                self._discard(job)

    def _write(self, path: str, job: FakeJob) -> None:
        self.progress_in[path] = job.progress(self._time.now())
        if self._readable:
            file = f"{path}/_metadata".split("//", 1)[1]
            memory = fsspec.filesystem("memory")
            memory.pipe_file(file, metadata())
            memory.store[memory._strip_protocol(file)].created = datetime.fromtimestamp(
                self._time.now(), UTC
            )

    def _discard(self, job: FakeJob) -> None:
        """Remove the checkpoints that do not outlive a job."""
        below = f"{job.checkpoints_below}/{job.job_id}/"
        for path in [path for path in self.progress_in if path.startswith(below)]:
            if path != job.checkpoint:
                self.remove(path)


def _one_vertex(parallelism: int) -> tuple[Vertex, ...]:
    """Return the graph of a program of which none is given; its id is as in the jobs' bounds."""
    return (Vertex("all", ("all",), parallelism=parallelism),)


def _checkpoint_directory(submission: Submission) -> str:
    """Return the directory that a job names for its checkpoints, as Flink 2 reads it."""
    options = submission.spec.flink_configuration
    own = options.get("execution.checkpointing.dir") or options.get("state.checkpoints.dir", "")
    return own.rstrip("/")
