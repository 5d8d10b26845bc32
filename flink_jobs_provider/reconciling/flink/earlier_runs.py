"""Submissions that an earlier run left on their way: their job may start when nobody waits for it.

Flink runs a program's `main` within the request that submits it, and goes on with it when nobody
waits for the answer any more. A run that gave up has the submission recorded. One that was killed
has not: a trace of it is all that the cluster shows, and whether a `main` runs there.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.observation import ClusterSnapshot
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import DesiredState, JobSpec
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.observer import Seen, former_keys, identities
from flink_jobs_provider.reconciling.refusals import main_outlasts, still_to_come
from flink_jobs_provider.reconciling.waiting import Coming, Waiter


class _Trace(Enum):
    """What the cluster shows of a run that was killed while it started a job."""

    NONE = auto()
    #: Nothing of the job runs, as was recorded: so it is also without any such run.
    POSSIBLE = auto()
    #: A job that is yet to be created has a jar; or the recorded version was ended, and no other
    #: one runs.
    CERTAIN = auto()


class EarlierRuns:
    """Waits for what earlier runs have submitted, so that nothing is started beside it."""

    def __init__(
        self,
        plane: ControlPlane,
        waiter: Waiter,
        states: StateFinder,
        say: Callable[[str], None],
    ) -> None:
        self._plane = plane
        self._waiter = waiter
        self._states = states
        self._say = say

    async def await_recorded(self, recorded: JobRecord, wanted: JobSpec) -> JobRecord:
        """Wait for a submission whose `main` was left running; return the record without it.

        Where the cluster does not show whether `main` runs on, the submission stays on record: the
        same version can be submitted again under its jobId, and no other.

        Raises:
            DeadlineExceeded: It may still start, and what is wanted would run beside it.
        """
        job_id = str(recorded.unconfirmed)
        self._say(f"{wanted.job_name}: waiting for job {job_id}, which may yet start")
        coming = await self._waiter.until_shown(
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
        coming = await self._waiter.until_shown(shows_another, timeout, frozenset(passed_over))
        if coming is Coming.MAIN_RUNS and trace is _Trace.CERTAIN:
            raise main_outlasts(wanted)
        return Coming.SHOWN if coming is Coming.NEVER else coming

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
