"""Jobs on a system that takes single steps: observed, changed turn by turn, and ended for good."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.dli.job_config import as_shown, differences
from flink_jobs_provider.control_planes.service_planes import StepJob, StepPlane
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import ActionFailed, JobError
from flink_jobs_provider.model.on_delete import OnDelete
from flink_jobs_provider.model.record import JobRecord, Removed
from flink_jobs_provider.model.savepoint import SavepointReason
from flink_jobs_provider.model.spec import DesiredState, JobSpec
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.dli.change_steps import ChangeSteps
from flink_jobs_provider.reconciling.dli.decisions import (
    JobMatch,
    check_restore,
    could_be_ours,
    decide,
    judge,
    status_of,
)
from flink_jobs_provider.reconciling.dli.progress import (
    Progress,
    SafetySavepoints,
    adopted,
    counting_what_lasts,
    stop_of_dead_run,
)
from flink_jobs_provider.reconciling.dli.step_runner import NotNow, StepRunner
from flink_jobs_provider.reconciling.dli.step_watch import described
from flink_jobs_provider.reconciling.job_errors import (
    adopted_and_down,
    deleted_without_savepoint,
    refuse_stranger,
)
from flink_jobs_provider.reconciling.ownership import (
    asks_for_its_savepoint,
    goes_on_as_recorded,
    mark_of,
    own_row,
    ran_since,
    read_mark,
    stranger,
)
from flink_jobs_provider.reconciling.record_updates import (
    ended,
    seen,
    with_row,
    with_savepoint_of,
)
from flink_jobs_provider.reconciling.service_loop import ServiceReconciler, Turn, reporting_end
from flink_jobs_provider.reconciling.waiter import Clock
from flink_jobs_provider.wire.dli import DESCRIBING, WHILE_RUNNING


@dataclass
class _Change(ChangeSteps):
    """One call of `bring_about`: what is to be done, turn by turn."""

    _searched: bool = False

    async def turn(self) -> JobRecord | None:
        """Observe, and do what is next; return the record when nothing is left to do."""
        try:
            return await self._turn()
        except NotNow:
            return None  # somebody was faster, or the service is busy: judge again
        except JobError as error:
            error.complete(now=self.standing)
            if error.now:
                error.complete(remedy="Run again: it goes on from there")
            raise

    @property
    def standing(self) -> str:
        """How the job stands, for an error that does not report it; empty where it is untouched."""
        parts = (self._progress.standing, self._steps.going_on)
        return ". ".join(part for part in parts if part)

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
        verdict = JobMatch(wanted=False, named=None)
        if wanted.desired_state is DesiredState.RUNNING:
            write = await progress.to_write(self._plane, job)
            verdict = judge(job, progress.recorded, wanted, write, written=progress.written)
        step = decide(job, progress.base, wanted, verdict, self._plane.capabilities)
        if step is not None:
            return await self.take(step, job)
        done = progress.started or progress.saved
        if job is not None and not done and asks_for_its_savepoint(progress.recorded, wanted):
            await self.save(job)
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
        return replace(job, job_id=await self._steps.flink_id(job))

    async def _adoptable(self, other: StepJob) -> StepJob:
        """Return a job of this name that nobody has marked, if it is just what is wanted.

        Raises:
            OwnedElsewhere: It is not ours.
        """
        wanted = self._progress.wanted
        job = replace(other, job_id=await self._steps.flink_id(other))
        if job.version.mark or job.version.jar is None:
            raise refuse_stranger(job, wanted)
        stays = wanted.desired_state is DesiredState.STOPPED
        if stays or await self._progress.to_write(self._plane, job):
            raise refuse_stranger(job, wanted)
        if not could_be_ours(job, self._progress.base, wanted):
            raise refuse_stranger(job, wanted)
        return job

    async def _with_found(self, base: JobRecord, job: StepJob) -> JobRecord:
        """Return a record with savepoints that it does not list: another client has taken them."""
        wanted, ran = self._progress.wanted, ran_since(job, base)
        if not ran:
            base = with_savepoint_of(base, job, SavepointReason.FOUND)
        if self._searched or self._progress.kept:
            return base  # what this run has taken, it knows
        self._searched = ran or not job.active
        return await self._safety.found(base, wanted, job)

    # Nothing is left to do

    async def _settled(self, job: StepJob | None) -> JobRecord:
        base, recorded = self._progress.base, self._progress.recorded
        wanted = self._progress.wanted
        if job is None or wanted.desired_state is DesiredState.STOPPED:
            return self._ended(job)
        if base and (self._progress.started or self._progress.saved):
            return with_row(base, job).model_copy(update={"spec": wanted})
        if base and goes_on_as_recorded(job, recorded, same_run=not ran_since(job, recorded)):
            return with_row(base, job).model_copy(update={"spec": wanted})
        return await self._adopted(job)

    def _ended(self, job: StepJob | None) -> JobRecord:
        progress = self._progress
        if job is not None:
            job = replace(job, status=status_of(job, progress.recorded))
        saved = job is not None and job.status is JobStatus.STOPPED
        return reporting_end(ended(progress.base, progress.wanted, job, saved=saved), self._say)

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


class StepReconciler(ServiceReconciler[StepPlane]):
    """Applies changes to the jobs of one project; each turn takes one step."""

    #: What is in progress, create, stop, write, start, savepoint, the last observation, and some
    #: steps that are not accepted at once.
    most_turns = 14
    unit = "step"

    def __init__(
        self, plane: StepPlane, say: Say = lambda _line: None, clock: Clock | None = None
    ) -> None:
        super().__init__(plane, say)
        self._steps = StepRunner(plane, clock or Clock(), say)
        self._safety = SafetySavepoints(plane, self._steps, say)

    def _change(self, recorded: JobRecord | None, wanted: JobSpec, jar: Jar) -> _Change:
        progress = Progress(recorded, wanted, jar, recorded)
        return _Change(self._plane, self._steps, self._say, self._safety, progress)

    def _removal(self, recorded: JobRecord) -> Turn[Removed]:
        return _Removal(self._plane, self._steps, self._say, self._safety, recorded).turn

    async def refresh(self, recorded: JobRecord) -> JobRecord:
        """Return a record as the service shows it now; nothing is touched."""
        job = await self._plane.job(recorded.run_id) if recorded.run_id else None
        if job is None:
            rows = await self._plane.named(recorded.spec.job_name)
            job = own_row(rows, recorded, recorded.spec)
        # Of a job that is being stopped, what it was a moment ago would be no drift.
        job = await self._steps.watch.shortly_after(job) if job else None
        if job is None:
            return seen(recorded, None, other_version=False)
        job = replace(job, job_id=await self._steps.flink_id(job))
        other = await self._is_other(job, recorded.spec)
        found = await self._safety.found(recorded, recorded.spec, job)
        shown = seen(found, replace(job, status=status_of(job, recorded)), other_version=other)
        if ran_since(job, recorded) and not self._plane.capabilities.starts_from_newest_state:
            # Whether its savepoint is newer than the unrecorded start is unknown.
            shown = shown.model_copy(update={"restored_from": shown.last_savepoint})
            shown = stop_of_dead_run(shown, recorded, job)
            shown = counting_what_lasts(shown, recorded.spec)
        return shown.model_copy(update={"spec": as_shown(shown.spec, job.shown)})

    async def _is_other(self, job: StepJob, spec: JobSpec) -> bool:
        """Whether a job is of another version than a spec, by its mark and what it shows."""
        mark = read_mark(job.version.mark)
        if mark.key and mark.spec != mark_of(spec).spec:
            return True
        asked = await self._plane.configuration(spec, None, "")
        passing = WHILE_RUNNING | DESCRIBING | ({"entrypoint"} if mark.key else set())
        return bool(set(differences(asked, job.shown, asked)) - passing)


@dataclass
class _Removal:
    """One call of `delete`."""

    _plane: StepPlane
    _steps: StepRunner
    _say: Say
    _safety: SafetySavepoints
    _recorded: JobRecord
    _path: str | None = None
    _reported: bool = False

    async def turn(self) -> Removed | None:
        """Do the next thing towards the deletion of the job; return what is left when it is gone.

        Raises:
            ActionFailed: It was refused, or has failed.
        """
        job = await self._find()
        if job is None:
            return Removed(self._path, self._reported)
        try:
            await self._next(job)
        except NotNow:
            return None  # somebody was faster, or the service is busy
        except ActionFailed:
            if await self._find() is not None:
                raise
            return None  # it has gone meanwhile
        except JobError as error:
            error.complete(now=self._steps.going_on)
            raise
        return None

    async def _find(self) -> StepJob | None:
        recorded = self._recorded
        if recorded.run_id:
            job = await self._plane.job(recorded.run_id)
            if job is not None:
                return job
        return own_row(
            await self._plane.named(self._recorded.spec.job_name), recorded, self._recorded.spec
        )

    async def _next(self, job: StepJob) -> None:
        if job.in_progress or job.status is None:
            await self._steps.until_idle(job, self._recorded.spec)
            return
        with_savepoint = self._recorded.spec.on_delete is OnDelete.SAVEPOINT
        if job.active:
            job = replace(job, job_id=await self._steps.flink_id(job))
            safety = ""
            if with_savepoint:
                job, safety = await self._safety.take(self._recorded.spec, job)
            after = await self._stopped(job, with_savepoint=with_savepoint, safety=safety)
            if with_savepoint:
                self._path = safety or after.last_savepoint
            return
        status = status_of(job, self._recorded)
        if not with_savepoint and status in (JobStatus.FAILED, JobStatus.LOST):
            self._report_no_savepoint(job)
        if with_savepoint and self._path is None:
            stopped = status is JobStatus.STOPPED
            recorded = self._recorded.last_savepoint
            known = recorded if self._recorded.status is JobStatus.STOPPED else None
            self._path = (known or job.last_savepoint or None) if stopped else None
            if self._path is None:
                self._report_no_savepoint(job)
        await self._steps.delete(self._recorded.spec, job)

    async def _stopped(self, job: StepJob, *, with_savepoint: bool, safety: str) -> StepJob:
        try:
            return await self._steps.stop(
                self._recorded.spec, job, savepoint=with_savepoint, safety=safety
            )
        except ActionFailed as error:
            left = f" A savepoint of just before is in {safety}" if safety else ""
            raise ActionFailed(
                error.happened,
                now=error.now + left,
                remedy="Run again: if it runs it is stopped once more, and if not it is deleted "
                "without a savepoint of its own",
            ) from None

    def _report_no_savepoint(self, job: StepJob) -> None:
        """Report that no savepoint can be taken of a job that does not run."""
        self._reported = True
        last = self._recorded.last_savepoint or job.last_savepoint
        name = self._recorded.spec.job_name
        self._say(deleted_without_savepoint(name, job.status_word, last))
