"""Submissions of a job: starting a version until it is up, and what earlier runs left coming.

Flink runs a program's `main` within the request that submits it, and goes on with it when nobody
waits for the answer any more: its job may start later. A run that gave up has the submission
recorded. One that was killed has not: a trace of it is all that the cluster shows, and whether a
`main` runs there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.protocol import ControlPlane, Submission
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import (
    ActionFailed,
    DeadlineExceeded,
    GateFailed,
    JobError,
    PermanentError,
    Signal,
)
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.model.parallelism import ParallelismManager
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import DesiredState, JobSpec
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.conditions import Failed, Judgement, Met, NotYet, Observation
from flink_jobs_provider.reconciling.flink.gate_watch import GateWatch, Predecessor
from flink_jobs_provider.reconciling.flink.job_watch import JobWatch
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.observer import Seen, former_keys, identities
from flink_jobs_provider.reconciling.job_errors import main_outlasts, still_to_come, vanished


@dataclass(frozen=True)
class Started:
    """A version that is up."""

    job_id: str
    generation: int
    restored_from: str | None
    status: JobStatus = JobStatus.RUNNING


class DidNotStart(Signal):
    """A version that did not come up; the text is the reason."""


@dataclass(frozen=True)
class Starter:
    """Submits a version and waits until it stays up, and one checkpoint has completed."""

    _plane: ControlPlane
    _watch: JobWatch
    _gate: GateWatch
    _say: Say

    async def start(
        self,
        spec: JobSpec,
        jar: Jar | str,
        generation: int,
        restore_from: str | None,
        *,
        sent_before: bool = False,
        before: Predecessor | None = None,
    ) -> Started:
        """Start a version; one that does not come up is left as it is.

        `sent_before` is whether an earlier run may have submitted it, and got no answer; `before`
        what its health gate compares it with.

        Raises:
            DidNotStart: It did not come up, for a reason that would come again.
            GateFailed: It is up, and did not pass its health gate. It has not been ended.
            TemporaryError: The cluster stopped answering: what runs is not known.
        """
        request = submission(spec, jar, generation, restore_from)
        inherited = await self._inherited_parallelism(spec, generation)
        request = replace(request, sent_before=sent_before, parallelism=inherited)
        origin = f"from {restore_from}" if restore_from else "without state"
        kept = f", with parallelism {inherited}, which ran last" if inherited else ""
        self._say(f"{spec.job_name}: starting version {generation} {origin}{kept}")
        accepted = False
        try:
            if request.job_id not in (await self._plane.jobs()).by_id:
                await self._plane.submit(request, spec.timeout("submit"))
            accepted = True
            return await self.watch(spec, request.job_id, restore_from, before)
        except GateFailed:
            raise
        except ActionFailed as error:
            raise DidNotStart(error.reason) from None
        except JobError as error:
            error.accepted = accepted
            raise

    async def _inherited_parallelism(self, spec: JobSpec, generation: int) -> int | None:
        """Return the parallelism that a job ran with last, where others manage it.

        It is read off the newest earlier submission that the cluster lists, so that a run which
        goes on with a killed one finds the same. None where the declared one counts.
        """
        if spec.parallelism_managed_by is ParallelismManager.PROVIDER:
            return None
        ours = (await self._plane.jobs()).of(spec.key)
        earlier = [job.job_id for job in ours if job.generation < generation]
        return await self._plane.parallelism(earlier[0]) if earlier else None

    async def watch(
        self,
        spec: JobSpec,
        job_id: str,
        restore_from: str | None,
        before: Predecessor | None = None,
    ) -> Started:
        """Wait until a submitted version is up, and has passed its health gate.

        Raises:
            GateFailed: It did not pass.
            ActionFailed: It failed, did not come up in time, or came up without its state.
            DeadlineExceeded: It runs, but has completed no checkpoint in the time allowed.
            JobVanished: Its cluster lost it, which is not the version's fault.
            PermanentError: A newer submission of the same job runs as well.
        """
        try:
            return await self._until_up(spec, job_id, restore_from, before or Predecessor())
        except ActionFailed as error:
            if job_id in (await self._plane.jobs()).by_id:
                raise
            raise vanished(f"{spec.job_name}: {error.happened}", job_id) from None

    async def _until_up(
        self, spec: JobSpec, job_id: str, restore_from: str | None, before: Predecessor
    ) -> Started:
        timeout = spec.timeout("running")
        deadline = self._watch.waiter.clock.now() + timeout
        try:
            job = await self._watch.until_running(job_id, timeout, spec.job_name)
        except DeadlineExceeded as error:
            raise ActionFailed(f"it did not come up: {error.happened}") from None
        if job.active:
            job = await self._settled(spec, job, restore_from, deadline, before)
        return Started(job_id, job.generation, restore_from, job.status)

    async def _settled(
        self,
        spec: JobSpec,
        job: ObservedJob,
        restore_from: str | None,
        deadline: float,
        before: Predecessor,
    ) -> ObservedJob:
        job = await self._gate.until_passed(spec, job, restore_from, deadline, before)
        await self._alone(spec, job.job_id, before.runs_on)
        return await self._gate.is_up(spec, job)

    async def _alone(self, spec: JobSpec, job_id: str, but: str) -> None:
        """End older submissions that run at once, but for one; give way to a newer one."""
        snapshot = await self._plane.jobs()
        ours = snapshot.by_id.get(job_id)
        if ours is None:
            return
        for other in snapshot.of(spec.key):
            if not other.active or other.job_id in (job_id, but):
                continue
            if _prevails(other, ours):
                await self.end(job_id, spec)
                raise PermanentError(
                    f"{spec.job_name}: another run started version {other.generation} meanwhile",
                    now=f"Job {other.job_id} runs, and the one of this run was cancelled",
                    remedy="See that only one run works on this stack, and run again",
                )
            age = "an older copy" if other.generation < ours.generation else "a later copy"
            self._say(f"{spec.job_name}: cancelling {other.job_id}, {age} that still runs")
            await self.end(other.job_id, spec)

    async def end(self, job_id: str, spec: JobSpec) -> None:
        """Cancel a submission that still runs, and wait until it has ended."""
        job = (await self._plane.jobs()).by_id.get(job_id)
        if job and job.active:
            await self._plane.cancel(job_id)
            await self._watch.until_ended(job_id, spec.timeout("cancel"))


def _prevails(other: ObservedJob, ours: ObservedJob) -> bool:
    """Whether ours gives way to another submission of a job: to a newer generation.

    Two runs that met may have submitted two versions under one generation. Neither is older, and
    each run sees the same order: the later one gives way, which may be a killed run's last request.
    """
    if other.generation != ours.generation:
        return other.generation > ours.generation
    return (other.started, other.job_id) < (ours.started, ours.job_id)


def submission(
    spec: JobSpec, jar: Jar | str, generation: int, restore_from: str | None
) -> Submission:
    """Return all that is needed to start a version of a job."""
    return Submission(
        job_id=spec.key.job_id(generation, spec.digits(restore_from)),
        spec=spec,
        jar=jar,
        restore_from=restore_from,
    )


class Coming(Enum):
    """How a submission ends whose `main` was left running."""

    SHOWN = auto()
    #: No `main` runs on the cluster any more, and the job is not listed.
    NEVER = auto()
    MAIN_RUNS = auto()
    #: The cluster does not show what its JobManager runs.
    UNKNOWN = auto()


@dataclass(frozen=True)
class Arrival:
    """What a cluster shows of a submission that was not confirmed.

    Attributes:
        shown: Whether the job list has it.
        mains: The names of each `main` that runs; None where that is hidden.
    """

    shown: bool
    mains: frozenset[str] | None


@dataclass(frozen=True)
class Arrived:
    """The cluster lists a job; it has failed to when no `main` runs that could submit it.

    Attributes:
        passed_over: The names of each `main` that is not waited for. Nor are those that begin
            after the first observation, which are of other submissions.
    """

    passed_over: frozenset[str] = frozenset()

    def judge(self, history: Sequence[Observation[Arrival]]) -> Judgement:
        """Judge by the list, and by which `main` of the first ones still runs."""
        if history[-1].seen.shown:
            return Met()
        left = self.left(history)
        if left == frozenset():
            return Failed("no main runs any more that could submit it", self)
        return NotYet("it is not listed, and main of a submission runs")

    def left(self, history: Sequence[Observation[Arrival]]) -> frozenset[str] | None:
        """Return the names of each `main` that is waited for; None where that is hidden."""
        known = [each.seen.mains for each in history if each.seen.mains is not None]
        now = history[-1].seen.mains
        return None if now is None else now & known[0] - self.passed_over


class _Trace(Enum):
    """What the cluster shows of a run that was killed while it started a job."""

    NONE = auto()
    #: Nothing of the job runs, as was recorded: so it is also without any such run.
    POSSIBLE = auto()
    #: A job that is yet to be created has a jar; or the recorded version was ended, and no other
    #: one runs.
    CERTAIN = auto()


@dataclass(frozen=True)
class EarlierRuns:
    """Waits for what earlier runs have submitted, so that nothing is started alongside it."""

    _plane: ControlPlane
    _watch: JobWatch
    _states: StateFinder
    _say: Say

    async def await_recorded(self, recorded: JobRecord, wanted: JobSpec) -> JobRecord:
        """Wait for a submission whose `main` was left running; return the record without it.

        Where the cluster does not show whether `main` runs on, the submission stays on record: the
        same version can be submitted again under its jobId, and no other.

        Raises:
            DeadlineExceeded: It may still start, and what is wanted would run alongside it.
        """
        job_id = str(recorded.unconfirmed)
        self._say(f"{wanted.job_name}: waiting for job {job_id}, which may yet start")
        coming = await self.until_shown(
            lambda snapshot: job_id in snapshot.by_id, wanted.timeout("submit")
        )
        if coming in (Coming.SHOWN, Coming.NEVER):
            return recorded.model_copy(update={"unconfirmed": None})
        if coming is Coming.MAIN_RUNS or wanted.desired_state is DesiredState.STOPPED:
            raise still_to_come(job_id, wanted)
        return recorded

    async def await_unrecorded(
        self, recorded: JobRecord | None, wanted: JobSpec, seen: Seen
    ) -> Coming:
        """Wait for what a run that was killed may have submitted of a job that does not run.

        Only a `main` that runs already is waited for, and one whose owner is not known at most
        once: it may be another job's.

        Returns:
            NEVER where nothing can come of it; SHOWN where the cluster is to be read again;
            MAIN_RUNS and UNKNOWN where a refusal of the same jobId is a repeat.

        Raises:
            DeadlineExceeded: A run was killed for certain, and a `main` has not ended.
        """
        if seen.active or not await self._may_be_cut_short(recorded, wanted):
            return Coming.NEVER
        mains = await self._plane.running_mains()
        if mains is None:
            return Coming.UNKNOWN
        # What is read next is read after the threads: a `main` that has ended has its job listed.
        trace = await self._trace(recorded, seen) if mains else _Trace.NONE
        passed_over = self._plane.outlasting if trace is _Trace.POSSIBLE else set()
        if trace is _Trace.NONE:
            return Coming.SHOWN
        if mains <= passed_over:
            return Coming.MAIN_RUNS
        self._say(
            f"{wanted.job_name}: main of a submission runs on the cluster, and an earlier run may "
            "have begun it; waiting for its end"
        )
        known = {job.job_id for job in seen.ours}

        def shows_another(snapshot: ClusterSnapshot) -> bool:
            ours = snapshot.of(wanted.key, *former_keys(recorded))
            return any(job.job_id not in known for job in ours)

        timeout = wanted.timeout("submit")
        coming = await self.until_shown(shows_another, timeout, frozenset(passed_over))
        if coming is Coming.MAIN_RUNS and trace is _Trace.CERTAIN:
            raise main_outlasts(wanted)
        return Coming.SHOWN if coming is Coming.NEVER else coming

    async def until_shown(
        self,
        shown: Callable[[ClusterSnapshot], bool],
        timeout: float,
        passed_over: frozenset[str] = frozenset(),
    ) -> Coming:
        """Wait until the cluster lists a job that was submitted, or it is seen that it cannot.

        Each `main` whose name is in `passed_over` is not waited for.
        """

        async def observe(deadline: float) -> Arrival:
            # In this order: a `main` that ends between the two reads has its job listed.
            mains = await self._plane.running_mains()
            return Arrival(shown(await self._watch.list(deadline)), mains)

        arrived = Arrived(passed_over)
        waited = await self._watch.waiter.until(observe, arrived, timeout)
        if waited.met:
            return Coming.SHOWN
        if waited.failed:
            return Coming.NEVER
        left = arrived.left(waited.history)
        self._plane.outlasting |= left or frozenset()
        return Coming.MAIN_RUNS if left else Coming.UNKNOWN

    async def _may_be_cut_short(self, recorded: JobRecord | None, wanted: JobSpec) -> bool:
        """Whether an earlier run may have got as far as a submission: a jar is uploaded before."""
        if recorded is not None and recorded.job_id is not None:
            return True
        for identity in identities(recorded, wanted):
            if await self._plane.has_jars(identity):
                return True
        return False

    async def _trace(self, recorded: JobRecord | None, seen: Seen) -> _Trace:
        if seen.ended and await self._states.came_to_its_end(seen.ended[0]):
            return _Trace.NONE
        if recorded is None or recorded.job_id is None:
            return _Trace.CERTAIN
        row = next((job for job in seen.ended if job.job_id == recorded.job_id), None)
        ended = row is not None and row.state in ("FINISHED", "CANCELED")
        return _Trace.CERTAIN if ended and recorded.status.active else _Trace.POSSIBLE
