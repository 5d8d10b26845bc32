"""One change of a job, turn by turn: look, decide, have one step taken, record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.step_plane import StepJob, StepPlane
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import SavepointReason
from flink_jobs_provider.model.spec import DesiredState, JobSpec
from flink_jobs_provider.planning.plan import asks_for_savepoint
from flink_jobs_provider.reconciling.dli.change_steps import ChangeSteps
from flink_jobs_provider.reconciling.dli.conditions import described
from flink_jobs_provider.reconciling.dli.job_state import check_restore, status_of
from flink_jobs_provider.reconciling.dli.operations import NotNow, StepRunner
from flink_jobs_provider.reconciling.dli.progress import Progress, adopted
from flink_jobs_provider.reconciling.dli.safety_savepoints import (
    SafetySavepoints,
    counting_what_lasts,
    stop_of_dead_run,
)
from flink_jobs_provider.reconciling.dli.transitions import JobMatch, decide, judge
from flink_jobs_provider.reconciling.ownership import (
    has_finished,
    is_recorded,
    own_row,
    ran_since,
    stranger,
)
from flink_jobs_provider.reconciling.record_updates import ended, with_row, with_savepoint_of
from flink_jobs_provider.reconciling.refusals import adopted_and_down, refuse_stranger


class StepChange:
    """One call of `bring_about`."""

    def __init__(
        self,
        plane: StepPlane,
        steps: StepRunner,
        say: Callable[[str], None],
        recorded: JobRecord | None,
        wanted: JobSpec,
        jar: Jar,
    ) -> None:
        self._plane = plane
        self._steps = steps
        self._say = say
        self._safety = SafetySavepoints(plane, steps, say)
        self._searched = False
        self._progress = Progress(recorded, wanted, jar, recorded)
        self._acts = ChangeSteps(plane, steps, say, self._safety, self._progress)

    async def turn(self) -> JobRecord | None:
        """Look, and do what is next; return the record when nothing is left to do."""
        try:
            return await self._turn()
        except NotNow:
            return None  # somebody was faster, or the service is busy: judge anew
        except JobError as error:
            error.complete(now=self._progress.standing)
            if error.now:
                error.complete(remedy="Run again: it goes on from there")
            raise

    async def _turn(self) -> JobRecord | None:
        progress, wanted = self._progress, self._progress.wanted
        job = await self._find()
        if job is not None and (job.in_progress or job.status is None):
            await self._steps.until_idle(job, wanted)
            return None
        if job is not None and progress.base is not None:
            progress.base = await self._with_found(progress.base, job)
        if job is not None and progress.recorded is None and not progress.touched:
            check_restore(job, wanted)
        verdict = JobMatch(False, None)
        if wanted.desired_state is DesiredState.RUNNING:
            write = await progress.to_write(self._plane, job)
            verdict = judge(job, progress.recorded, wanted, write, progress.written)
        step = decide(job, progress.base, wanted, verdict, self._plane.capabilities)
        if step is not None:
            return await self._acts.take(step, job)
        if job is not None and self._asks_for_savepoint():
            await self._acts.save(job)
            return None
        return await self._settled(job)

    async def _find(self) -> StepJob | None:
        """Return the job: the recorded one, or one that bears its mark; with Flink's id.

        Raises:
            OwnedElsewhere: Its name is another's.
        """
        base, wanted, job = self._progress.base, self._progress.wanted, None
        if base is not None and base.run_id:
            job = await self._plane.job(base.run_id)
        if job is None:
            jobs = await self._plane.named(wanted.job_name)
            job = own_row(jobs, base, wanted)
            if other := stranger(jobs, job, wanted):
                return await self._adoptable(other)
        if job is None:
            return None
        return replace(job, job_id=await self._plane.flink_job_id(job.run_id))

    async def _adoptable(self, other: StepJob) -> StepJob:
        """Return a job of this name that nobody has marked, if it is just what is wanted.

        Raises:
            OwnedElsewhere: It is not ours.
        """
        wanted = self._progress.wanted
        job = replace(other, job_id=await self._plane.flink_job_id(other.run_id))
        if job.version.mark or job.version.jar is None:
            raise refuse_stranger(job, wanted)
        stays = wanted.desired_state is DesiredState.STOPPED
        if stays or await self._progress.to_write(self._plane, job):
            raise refuse_stranger(job, wanted)
        return job

    async def _with_found(self, base: JobRecord, job: StepJob) -> JobRecord:
        """Return a record with savepoints that it does not list: another client has taken them."""
        wanted, ran = self._progress.wanted, ran_since(job, base)
        if not ran:
            base = with_savepoint_of(base, job, SavepointReason.FOUND, wanted)
        if self._searched or self._progress.kept:
            return base  # what this run has taken, it knows
        self._searched = ran or not job.active
        return await self._safety.found(base, wanted, job)

    def _asks_for_savepoint(self) -> bool:
        progress = self._progress
        if progress.recorded is None or progress.started or progress.saved:
            return False
        if progress.wanted.desired_state is DesiredState.STOPPED:
            return False
        return asks_for_savepoint(progress.recorded, progress.wanted)

    # Nothing is left to do

    async def _settled(self, job: StepJob | None) -> JobRecord:
        base, recorded = self._progress.base, self._progress.recorded
        wanted = self._progress.wanted
        if job is None or wanted.desired_state is DesiredState.STOPPED:
            return ended(base, wanted, self._refined(job))
        if base and (self._progress.started or self._progress.saved):
            return with_row(base, job).model_copy(update={"spec": wanted})
        if base is None or recorded is None or not is_recorded(job, recorded):
            return await self._adopted(job)
        ran = recorded.spec.desired_state is DesiredState.RUNNING and not recorded.other_version
        if (ran or has_finished(job, recorded)) and not ran_since(job, recorded):
            return with_row(base, job).model_copy(update={"spec": wanted})
        return await self._adopted(job)

    def _refined(self, job: StepJob | None) -> StepJob | None:
        return replace(job, status=status_of(job, self._progress.recorded)) if job else None

    async def _adopted(self, job: StepJob) -> JobRecord:
        """Take over the wanted version, which a run that died has started.

        Raises:
            ActionFailed: It does not stay up.
        """
        progress, wanted = self._progress, self._progress.wanted
        self._say(f"{wanted.job_name}: it was started before, adopted")
        after = await self._steps.settled(job, wanted)
        if after is None or not (after.active or after.status is JobStatus.FINISHED):
            why = described(after) if after else "the job service no longer lists it"
            raise adopted_and_down(wanted.job_name, wanted.settle_seconds, why)
        record = adopted(progress.recorded, progress.base, progress.wanted, job)
        if self._plane.capabilities.keeps_savepoints:
            return record
        if progress.recorded is not None:
            record = stop_of_dead_run(record, progress.recorded, job)
        return counting_what_lasts(record, progress.wanted)
