"""One change of a job, turn by turn: look, decide, take one step, record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.step_plane import NotOffered, StepJob, StepPlane
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import JobError, StateUnavailable
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import SavepointReason, same_path
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.planning.plan import newly_restores
from flink_jobs_provider.reconciling.by_step.deciding import (
    Move,
    Step,
    Verdict,
    decide,
    judge,
    ran_since,
    status_of,
    was_imported,
)
from flink_jobs_provider.reconciling.by_step.failures import (
    no_default,
    no_other_queue,
    not_taken_over,
    start_failed,
)
from flink_jobs_provider.reconciling.by_step.going_back import go_back
from flink_jobs_provider.reconciling.by_step.recording import (
    UPDATES,
    adopted,
    lasting,
    telling_where,
)
from flink_jobs_provider.reconciling.by_step.taking import NotNow, Steps
from flink_jobs_provider.reconciling.finding import is_recorded, own_row, stranger
from flink_jobs_provider.reconciling.marks import mark_of
from flink_jobs_provider.reconciling.recording import (
    blank,
    ended,
    started,
    stopped,
    with_row,
    with_savepoint_of,
)
from flink_jobs_provider.reconciling.records import done, keep, now_text
from flink_jobs_provider.reconciling.refusals import refuse_stranger

#: What Flink 1 and 2 call the option that has checkpoints outlive a cancel.
_RETAINS = (
    "execution.checkpointing.externalized-checkpoint-retention",
    "execution.checkpointing.externalized.checkpoint-retention",
)


class Change:
    """One call of `bring_about`."""

    def __init__(
        self,
        plane: StepPlane,
        steps: Steps,
        say: Callable[[str], None],
        recorded: JobRecord | None,
        wanted: JobSpec,
        jar: Jar,
    ) -> None:
        self._plane = plane
        self._steps = steps
        self._say = say
        self._recorded = recorded
        self._wanted = wanted
        self._jar = jar
        self._base = recorded  # with what was found and done on the way
        self._asked: dict[str, Any] = {}
        self._former: dict[str, Any] = {}
        self._former_class: str | None = None
        self._replaces = False  # whether a version was stopped for the wanted one
        self._kept = ""  # the savepoint of that stop
        self._durable = ""  # one beside it, that the service does not delete
        self._written = False
        self._started = False
        self._saved = False

    async def turn(self) -> JobRecord | None:
        """Look, and do what is next; return the record when nothing is left to do."""
        job = await self._find()
        if job is not None and (job.in_progress or job.status is None):
            await self._steps.until_idle(job, self._wanted)
            return None
        if job is not None and self._base is not None and not ran_since(job, self._base):
            self._base = with_savepoint_of(self._base, job, SavepointReason.FOUND, self._wanted)
        verdict = Verdict(False, None)
        if self._wanted.desired_state is DesiredState.RUNNING:
            write = await self._to_write(job)
            verdict = judge(job, self._recorded, self._wanted, write, self._written)
        step = decide(job, self._base, self._wanted, verdict, self._plane.is_gateway)
        try:
            if step is not None:
                return await self._take(step, job)
            if job is not None and self._asks_for_savepoint():
                await self._save(job)
                return None
        except NotNow:
            return None  # somebody was faster, or the service is busy: judge anew
        return self._settled(job)

    async def _find(self) -> StepJob | None:
        """Return the job: the recorded one, or one that bears its mark; with Flink's id.

        Raises:
            OwnedElsewhere: Its name is another's.
        """
        job = None
        if self._base is not None and self._base.run_id:
            job = await self._plane.job(self._base.run_id)
        if job is None:
            jobs = await self._plane.named(self._wanted.job_name)
            job = own_row(jobs, self._base, self._wanted)
            if other := stranger(jobs, job, self._wanted):
                return await self._adoptable(other)
        if job is None:
            return None
        return replace(job, job_id=await self._plane.flink_job_id(job.run_id))

    async def _adoptable(self, other: StepJob) -> StepJob:
        """Return a job of this name that nobody has marked, if it is just what is wanted.

        Raises:
            OwnedElsewhere: It is not ours.
        """
        job = replace(other, job_id=await self._plane.flink_job_id(other.run_id))
        stays = self._wanted.desired_state is DesiredState.STOPPED
        if job.version.mark or job.version.jar is None or stays or await self._to_write(job):
            raise refuse_stranger(job, self._wanted)
        return job

    async def _to_write(self, job: StepJob | None) -> dict[str, Any]:
        """Return what a job's configuration has otherwise than it is wanted."""
        if not self._asked:
            wanted, recorded = self._wanted, self._recorded
            named = wanted.restore_from if newly_restores(recorded, wanted) else None
            mark = str(mark_of(wanted, named))
            self._asked = await self._plane.configuration(wanted, self._jar, mark)
            if recorded is not None and recorded.spec.jar_digest:
                self._former = await self._plane.configuration(recorded.spec, None, "")
                if names := self._plane.without_default(self._asked, self._former):
                    raise no_default(wanted, names)
        return self._plane.differences(self._asked, job, self._former) if job else {}

    def _asks_for_savepoint(self) -> bool:
        if self._recorded is None or self._started or self._saved:
            return False
        if self._wanted.desired_state is DesiredState.STOPPED:
            return False
        trigger = self._wanted.savepoint_trigger
        return trigger not in (None, self._recorded.spec.savepoint_trigger)

    # Something is to be done

    async def _take(self, step: Step, job: StepJob | None) -> JobRecord | None:
        if job is None:
            await self._steps.create(self._wanted, self._asked)
            return None
        if step.move is Move.STOP:
            return await self._stop(step, job)
        if step.move is Move.CHANGE:
            await self._change(step, job)
            return None
        return await self._start(step, job)

    async def _stop(self, step: Step, job: StepJob) -> JobRecord | None:
        if self._wanted.desired_state is DesiredState.RUNNING:
            self._replaces = True
            if self._plane.is_gateway and "queue_name" in await self._to_write(job):
                raise no_other_queue(self._wanted, job)
            if self._wanted.upgrade_mode is UpgradeMode.LAST_STATE:
                self._check_retained(job)
        if step.savepoint:
            self._durable = await self._save_beside(job)
        after = await self._steps.stop(self._wanted, job, step.savepoint)
        stops = self._wanted.desired_state is DesiredState.STOPPED
        reason = SavepointReason.STOP if stops else SavepointReason.UPDATE
        after = replace(after, job_id=after.job_id or job.job_id)
        base = with_row(self._base, job) if self._base else blank(self._wanted, job)
        if self._durable:
            base = keep(base, self._durable, reason, self._wanted)
        if step.savepoint:
            self._kept = after.last_savepoint
            base = with_savepoint_of(base, after, reason, self._wanted)
        self._base = base
        if not stops:
            return None
        lasts = self._plane.is_gateway or bool(self._durable)
        return stopped(base, self._wanted, telling_where(after, lasts))

    async def _save_beside(self, job: StepJob) -> str:
        """Take a savepoint to a place of one's own before a stop, whose own the service deletes."""
        if self._plane.is_gateway or self._wanted.savepoint_directory is None:
            return ""
        try:
            return await self._steps.save(self._wanted, job)
        except NotOffered:
            self._say(
                f"{self._wanted.job_name}: this service has no call to take a savepoint to "
                "savepoint_directory; there is the one of the stop alone"
            )
            return ""

    def _check_retained(self, job: StepJob) -> None:
        """Raise where a job would be cancelled whose checkpoints go with it.

        Raises:
            StateUnavailable: They do, as far as its configuration shows.
        """
        options = job.shown.get("runtime_config") or {}
        retained = any(options.get(name) == "RETAIN_ON_CANCELLATION" for name in _RETAINS)
        if self._plane.is_gateway and retained:
            return
        remedy = 'Use upgrade_mode "savepoint"'
        if self._plane.is_gateway:
            remedy = (
                f"Set {_RETAINS[0]} to RETAIN_ON_CANCELLATION in flink_configuration with an "
                'UPDATE first, or use upgrade_mode "savepoint"'
            )
        raise StateUnavailable(
            f"{self._wanted.job_name}: upgrade_mode last-state needs a completed checkpoint that "
            "is retained when the job is cancelled"
            + ("" if self._plane.is_gateway else ", and this service starts from none"),
            now=f"Job {job.job_id or job.run_id} goes on as it was",
            remedy=remedy,
        )

    async def _change(self, step: Step, job: StepJob) -> None:
        """Write the configuration, as far as it may be written, and see that it was taken over."""
        written = {**self._asked, **await self._to_write(job)}
        if job.unborn and was_imported(job, self._wanted):
            # It stays known that its savepoint is none of its own.
            mark = str(mark_of(self._wanted, job.last_savepoint))
            written |= await self._plane.configuration(self._wanted, self._jar, mark)
        if step.write:
            written = dict(step.write)
        else:
            self._former_class = self._former_class or job.shown.get("main_class")
        what = f"changing {', '.join(self._plane.inputs(step.write))}"
        self._say(f"{self._wanted.job_name}: {what if step.write else 'writing its configuration'}")
        try:
            await self._steps.change(self._wanted, job, written)
            left = await self._steps.until_taken(job, written, self._former)
            if left:
                raise not_taken_over(self._wanted, job, left)
            self._written = self._written or not step.write
        except JobError as error:
            if not self._kept or step.write:
                raise
            went_back = await self._back(job, error.happened)
            raise type(error)(error.happened, now=went_back, remedy=error.remedy) from None

    async def _start(self, step: Step, job: StepJob) -> JobRecord | None:
        wanted = self._wanted
        after = await self._steps.start(wanted, job, step.resume, step.imported)
        up = after is not None and (after.active or after.status is JobStatus.FINISHED)
        if after is None or not up:
            went_back = ""
            if self._replaces_with_state(step, job):
                reason = (after.output or after.status_word) if after else "it is gone"
                went_back = await self._back(job, reason)
            existed = self._recorded is not None and self._recorded.job_id is not None
            raise start_failed(wanted, after, step.origin, went_back, not existed)
        # Without Flink's id it is known by the service's: one that has run must not look new.
        jid = await self._plane.flink_job_id(after.run_id) or after.run_id
        after = replace(after, job_id=jid)
        base = self._base or blank(wanted, after)
        action = self._called(step)
        origin = after.started_from or step.origin
        if step.origin and after.started_from and same_path(step.origin, after.started_from):
            origin = step.origin
        record = started(base, wanted, after, action, origin)
        if not self._plane.is_gateway and self._kept and same_path(origin, self._kept):
            record = lasting(record, self._kept, self._durable)
        self._base, self._started = record, True
        return self._base

    def _called(self, step: Step) -> Action:
        """Return what a start is called in the record."""
        if self._replaces:
            return UPDATES[self._wanted.upgrade_mode]
        recorded = self._recorded
        if recorded and recorded.job_id and step.origin and self._runs_on(recorded):
            # A run that died has stopped the former version.
            return Action.UPDATE if step.called is Action.START else step.called
        return step.called

    def _runs_on(self, recorded: JobRecord) -> bool:
        return recorded.status.active and recorded.spec.digits(None) != self._wanted.digits(None)

    def _replaces_with_state(self, step: Step, job: StepJob) -> bool:
        """Whether there is a former version to go back to, and a savepoint of it."""
        if self._recorded is None or self._recorded.job_id is None:
            return False
        if not self._kept and self._runs_on(self._recorded) and step.called is Action.START:
            self._kept = job.last_savepoint  # of a stop by a run that died
        former = self._recorded.spec
        return bool(self._kept) and former.digits(None) != self._wanted.digits(None)

    async def _back(self, job: StepJob, why: str) -> str:
        recorded = self._recorded
        if recorded is None:
            return f"Nothing of it runs; its state is safe in {self._kept}"
        self._say(
            f"{self._wanted.job_name}: the new version did not start: {why}; going back to the "
            "previous version"
        )
        return await go_back(
            self._steps,
            self._plane,
            recorded.spec,
            self._former_class,
            job.run_id,
            self._durable if self._durable and not self._kept else self._kept,
        )

    async def _save(self, job: StepJob) -> None:
        path = await self._steps.save_as_asked(self._wanted, job)
        base = self._base or blank(self._wanted, job)
        base = keep(base, path, SavepointReason.SAVEPOINT, self._wanted, taken_at=now_text())
        output = f"Savepoint completed. Path: {path}"
        self._base = with_row(done(base, self._wanted, Action.SAVEPOINT, output), job)
        self._saved = True

    # Nothing is left to do

    def _settled(self, job: StepJob | None) -> JobRecord:
        if job is None or self._wanted.desired_state is DesiredState.STOPPED:
            return ended(self._base, self._wanted, self._refined(job))
        base, recorded = self._base, self._recorded
        if base and (self._started or self._saved):
            return with_row(base, job).model_copy(update={"spec": self._wanted})
        if base is None or recorded is None or not is_recorded(job, recorded):
            return self._adopted(job)
        ran = recorded.spec.desired_state is DesiredState.RUNNING and not recorded.other_version
        if ran and job.job_id in (None, recorded.job_id):
            return with_row(base, job).model_copy(update={"spec": self._wanted})
        return self._adopted(job)

    def _refined(self, job: StepJob | None) -> StepJob | None:
        return replace(job, status=status_of(job, self._recorded)) if job else None

    def _adopted(self, job: StepJob) -> JobRecord:
        self._say(f"{self._wanted.job_name}: it was started before, adopted")
        return adopted(self._recorded, self._base, self._wanted, job)
