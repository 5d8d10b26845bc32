"""The steps of a change, and what is recorded of each; and the way back where one fails."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flink_jobs_provider.control_planes.dli.job_config import differences, input_names
from flink_jobs_provider.control_planes.service_planes import StepJob, StepPlane
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import ActionFailed, JobError, StateUnavailable
from flink_jobs_provider.model.flink_options import RETAINED, RETENTION
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import SavepointReason, same_path
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.planning.plan import UPGRADES
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.dli.decisions import Move, NextStep, to_restore, was_imported
from flink_jobs_provider.reconciling.dli.failures import (
    how_it_is,
    no_checkpoints,
    no_other_queue,
    not_taken_over,
    start_failed,
)
from flink_jobs_provider.reconciling.dli.progress import (
    Progress,
    SafetySavepoints,
    counting_what_lasts,
    lies_in_own,
    naming_savepoint,
    safety_savepoint_of,
    warning,
)
from flink_jobs_provider.reconciling.dli.step_runner import NotNow, StepRunner
from flink_jobs_provider.reconciling.dli.step_watch import (
    came_up_and_was_ended,
    described,
    has_new_savepoint,
)
from flink_jobs_provider.reconciling.job_errors import (
    ENDED_BY_OTHERS,
    RUNS_AGAIN,
    neither_started,
    no_retained_checkpoint,
)
from flink_jobs_provider.reconciling.ownership import mark_of, run_of
from flink_jobs_provider.reconciling.record_updates import (
    blank,
    done,
    keep,
    last_known,
    savepoint_output,
    started,
    stopped,
    with_row,
    with_savepoint_of,
)
from flink_jobs_provider.reconciling.service_loop import secure_in_storage

#: What Flink 1 and 2 call the option that has checkpoints outlive a cancel.
_RETAINS = (RETENTION, "execution.checkpointing.externalized.checkpoint-retention")
#: How often a service that accepts nothing for now is asked again to go back.
_MOST_TRIES = 8


@dataclass
class ChangeSteps:
    """What may be done in a turn of a change."""

    _plane: StepPlane
    _steps: StepRunner
    _say: Say
    _safety: SafetySavepoints
    _progress: Progress

    @property
    def _wanted(self) -> JobSpec:
        return self._progress.wanted

    async def take(self, step: NextStep, job: StepJob | None) -> JobRecord | None:
        """Take a step; return the record where it is the last one."""
        if job is None:
            await self._steps.create(self._wanted, self._progress.asked)
            return None
        if step.move is Move.STOP:
            return await self._stop(step, job)
        if step.move is Move.CHANGE:
            await self._change(step, job)
            return None
        return await self._start(step, job)

    async def save(self, job: StepJob) -> None:
        """Take the savepoint that `savepoint_trigger` asks for."""
        progress = self._progress
        path = await self._steps.save_as_asked(self._wanted, job)
        base = progress.base or blank(self._wanted, job)
        base = keep(base, path, SavepointReason.SAVEPOINT, run=run_of(job))
        output = savepoint_output(path)
        progress.base = with_row(done(base, self._wanted, Action.SAVEPOINT, output), job)
        progress.saved = True

    async def _stop(self, step: NextStep, job: StepJob) -> JobRecord | None:
        progress = self._progress
        stays = self._wanted.desired_state is DesiredState.STOPPED
        if not stays:
            progress.replaces = True
            write = await progress.to_write(self._plane, job)
            if "queue_name" in write and not self._plane.capabilities.moves_jobs_between_queues:
                raise no_other_queue(self._wanted, job)
            if self._wanted.upgrade_mode is UpgradeMode.LAST_STATE:
                self._check_retained(job)
            if step.savepoint:
                now = f"Job {job.job_id or job.run_id} goes on as it was"
                await secure_in_storage(
                    progress.recorded, self._plane.provide_former, now, self._say
                )
        base = with_row(progress.base, job) if progress.base else blank(self._wanted, job)
        reason = SavepointReason.STOP if stays else SavepointReason.UPDATE
        if step.savepoint:
            job, progress.safety = await self._safety.take(self._wanted, job)
            if progress.safety:
                base = keep(base, progress.safety, reason, run=run_of(job))
                progress.base = base
        try:
            after = await self._steps.stop(
                self._wanted, job, savepoint=step.savepoint, safety=progress.safety
            )
        except ActionFailed as error:
            if not progress.safety:
                raise
            now = f"{error.now} A savepoint of just before is in {progress.safety}"
            raise ActionFailed(error.happened, now=now, remedy=error.remedy) from None
        after = replace(after, job_id=after.job_id or job.job_id)
        if step.savepoint:
            progress.kept = after.last_savepoint
            base = with_savepoint_of(base, after, reason)
            base = base.model_copy(update={"status": JobStatus.STOPPED})
        progress.base, progress.down = base, not stays
        if not stays:
            return None
        lasts = self._plane.capabilities.keeps_savepoints or bool(progress.safety)
        return stopped(base, self._wanted, naming_savepoint(after, lasts=lasts))

    def _check_retained(self, job: StepJob) -> None:
        """Raise where a job would be cancelled whose checkpoints go with it.

        Raises:
            StateUnavailable: They do, as far as its configuration shows.
        """
        if not self._plane.capabilities.starts_from_newest_state:
            raise no_checkpoints(self._wanted, job)
        options = job.shown.get("runtime_config") or {}
        if not any(options.get(name) == RETAINED for name in _RETAINS):
            raise no_retained_checkpoint(self._wanted.job_name, job.job_id or job.run_id)

    async def _change(self, step: NextStep, job: StepJob) -> None:
        """Write the configuration, as far as it may be written, and see that it was taken over."""
        progress = self._progress
        written = {**progress.asked, **await progress.to_write(self._plane, job)}
        if job.unborn and was_imported(job, self._wanted):
            # It stays known that its savepoint is none of its own.
            mark = str(mark_of(self._wanted, job.last_savepoint))
            written |= await self._plane.configuration(self._wanted, progress.jar, mark)
        if step.write:
            written = dict(step.write)
        else:
            progress.former_class = progress.former_class or job.shown.get("main_class")
        what = f"changing {', '.join(input_names(step.write))}"
        self._say(f"{self._wanted.job_name}: {what if step.write else 'writing its configuration'}")
        try:
            await self._steps.change(self._wanted, job, written)
            left = await self._steps.watch.until_taken(job.run_id, written, progress.former)
            if left:
                raise not_taken_over(self._wanted, job, left)
            progress.former = {**progress.former, **written} if step.write else written
            progress.written = progress.written or not step.write
        except (ActionFailed, StateUnavailable) as error:
            if step.write or not self._goes_back(job):
                raise
            raise await self._back_after(error, job) from None

    async def _start(self, step: NextStep, job: StepJob) -> JobRecord | None:
        progress, wanted = self._progress, self._wanted
        try:
            after = await self._steps.start(wanted, job, resume=step.resume, imported=step.imported)
        except (ActionFailed, StateUnavailable) as error:
            if not self._goes_back(job, step):
                raise
            raise await self._back_after(error, job) from None
        before = replace(job, last_savepoint=step.imported or job.last_savepoint)
        ended = after is not None and came_up_and_was_ended(after, before)
        up = after is not None and (after.active or after.status is JobStatus.FINISHED)
        if after is None or not (up or ended):
            raise await self._not_started(step, job, after)
        progress.down = False
        after = replace(after, job_id=await self._steps.id_of(after.run_id))
        base = progress.base or blank(wanted, after)
        origin = after.started_from or step.origin
        if step.origin and after.started_from and same_path(step.origin, after.started_from):
            origin = step.origin
        record = started(base, wanted, after, self._called(step), origin)
        own = origin and same_path(origin, job.last_savepoint)
        if own and not self._plane.capabilities.keeps_savepoints:
            record = self._with_one_that_lasts(record)
        if ended:
            record = self._ended_by_others(record, before, after)
        progress.base, progress.started = record, True
        return record

    def _with_one_that_lasts(self, record: JobRecord) -> JobRecord:
        """Name, of a job started from its own savepoint, one that the service keeps."""
        counted = counting_what_lasts(record, self._wanted)
        last = counted.last_savepoint
        if last is None or lies_in_own(last, counted.spec, self._wanted):
            return counted
        return warning(counted, self._wanted)

    def _ended_by_others(self, record: JobRecord, before: StepJob, after: StepJob) -> JobRecord:
        """Record that somebody has ended what came up: it is not a version that failed.

        To go back to the one before would drop what it has done since, and undo that.
        """
        self._say(f"{self._wanted.job_name}: {ENDED_BY_OTHERS}")
        saved = has_new_savepoint(after, before)
        record = with_savepoint_of(record, after, SavepointReason.FOUND) if saved else record
        status = JobStatus.STOPPED if saved else JobStatus.CANCELED
        return record.model_copy(update={"status": status})

    def _called(self, step: NextStep) -> Action:
        """Return what a start is called in the record."""
        if self._progress.replaces:
            return UPGRADES[self._wanted.upgrade_mode]
        if step.origin and self._progress.runs_on:
            # A run that died has stopped the previous version.
            return Action.UPDATE if step.called is Action.START else step.called
        return step.called

    # The way back

    async def _not_started(
        self, step: NextStep, job: StepJob, after: StepJob | None
    ) -> ActionFailed:
        """Go back where there is a version to go back to; return the error that reports both."""
        progress, went_back = self._progress, ""
        if self._goes_back(job, step):
            reason = (after.output or after.status_word) if after else "it is gone"
            went_back = await self._back(job, reason)
        shown = after.last_savepoint if after else None
        states = [each for each in (shown or step.origin, progress.safety) if each]
        first = progress.recorded is None or progress.recorded.job_id is None
        # Else it is unknown whether its last savepoint is newer than this start.
        names = not self._plane.capabilities.starts_from_newest_state
        return start_failed(
            self._wanted, after, states, went_back, first=first, names=names, base=progress.base
        )

    def _goes_back(self, job: StepJob, step: NextStep | None = None) -> bool:
        """Whether there is a previous version to go back to, and a savepoint of it."""
        progress = self._progress
        recorded = progress.recorded
        if recorded is None or recorded.job_id is None:
            return False
        if step and not progress.kept and progress.runs_on and step.called is Action.START:
            progress.kept = step.origin or job.last_savepoint  # of a stop by a run that died
        if not progress.kept:
            return False
        if step is None or to_restore(recorded, self._wanted):
            return True
        return recorded.spec.digits(None) != self._wanted.digits(None)

    async def _back_after(self, error: JobError, job: StepJob) -> JobError:
        """Go back since a step was refused; return what that came to."""
        went_back = await self._back(job, error.happened)
        return type(error)(error.happened, now=went_back, remedy=error.remedy)

    async def _back(self, job: StepJob, why: str) -> str:
        progress = self._progress
        if progress.recorded is None:
            return f"Nothing of it runs; {last_known(progress.base, progress.kept)}"
        self._say(
            f"{self._wanted.job_name}: the new version did not start: {why}; going back to the "
            "previous version"
        )
        safety = progress.safety
        if progress.base is not None and not self._plane.capabilities.keeps_savepoints:
            safety = safety or safety_savepoint_of(progress.kept, progress.base, self._wanted)
        states = [path for path in (progress.kept, safety) if path]
        came = await self._go_back(progress.recorded.spec, job.run_id, states)
        progress.down = False  # its outcome shows how the job stands
        return came

    async def _go_back(self, former: JobSpec, run_id: str, states: list[str]) -> str:
        """Start the previous version from a savepoint that was taken of it; return what runs now.

        The newest one is first; the next is tried where a job started from one does not come up.
        """
        known = last_known(self._progress.base, *states)
        why, left = "", list(states)
        for _ in range(_MOST_TRIES):
            try:
                job = await self._plane.job(run_id)
                if job is not None and job.active:
                    return f"Somebody else has started it: {described(job)}; {known}"
                after = await self._start_former(former, job, left[0]) if job else None
            except NotNow:
                why = "the service takes nothing now"
                continue
            except JobError as error:
                why = error.happened
                if self._steps.going_on:
                    return f"{self._steps.going_on}: {why.rstrip('.')}; {known}"
                break
            if after is not None and after.active:
                return f"{RUNS_AGAIN} as job {await self._steps.id_of(run_id)}, from {left[0]}"
            why = how_it_is(after)
            left = left[1:] if after else []
            if not left:
                break
        return neither_started(why, known)

    async def _start_former(self, former: JobSpec, job: StepJob, back: str) -> StepJob | None:
        """Write the former configuration, start it, and return how the job is then."""
        plane, progress = self._plane, self._progress
        if job.in_progress:
            await self._steps.until_idle(job, former)
            raise NotNow
        asked = await plane.configuration(former, None, str(mark_of(former)))
        if former.entry_class is None and progress.former_class:
            asked["main_class"] = progress.former_class
        # What was asked for by the version that did not start is taken back.
        asked |= differences(asked, job.shown, progress.asked)
        await self._steps.change(former, job, asked)
        # What that version left, if anything, is not what the former goes on from.
        own = same_path(job.last_savepoint, back)
        own = own and not plane.capabilities.starts_from_newest_state
        return await self._steps.start(former, job, resume=True, imported=None if own else back)
