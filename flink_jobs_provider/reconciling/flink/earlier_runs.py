"""What earlier runs have left coming.

Flink runs a program's `main` within the request that submits it, and goes on with it when nobody
waits for the answer any more: its job may start later. A run that gave up has the submission
recorded. One that was killed has not: a trace of it is all that the cluster shows, and whether a
`main` runs there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.observation import ClusterSnapshot
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import DesiredState, JobSpec
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.conditions import Failed, Judgement, Met, NotYet, Observation
from flink_jobs_provider.reconciling.flink.job_watch import JobWatch
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.observer import Seen, former_keys, identities
from flink_jobs_provider.reconciling.job_errors import main_outlasts, still_to_come


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
