"""Bringing one job to what is wanted on a system that takes single steps, and ending it for good.

Where it stands is read from the system each time: what is in progress on it is waited for, the
next step is decided, sent once, and waited for until the job shows its effect. Then all is judged
anew, until nothing is left to do. So a run that died anywhere is taken up by the next one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.step_plane import StepJob, StepPlane
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import ActionFailed
from flink_jobs_provider.model.record import JobRecord, Removed
from flink_jobs_provider.model.spec import JobSpec, OnDelete
from flink_jobs_provider.reconciling.dli.change import StepChange
from flink_jobs_provider.reconciling.dli.job_state import status_of
from flink_jobs_provider.reconciling.dli.operations import NotNow, StepRunner
from flink_jobs_provider.reconciling.dli.safety_savepoints import (
    SafetySavepoints,
    counting_what_lasts,
    stop_of_dead_run,
)
from flink_jobs_provider.reconciling.ownership import own_row, ran_since
from flink_jobs_provider.reconciling.record_updates import seen
from flink_jobs_provider.reconciling.service_loop import changed, until_removed
from flink_jobs_provider.reconciling.version_marker import mark_of, read_mark
from flink_jobs_provider.reconciling.waiter import Clock
from flink_jobs_provider.wire.dli import DESCRIBING, WHILE_RUNNING

#: The most turns of a change: what is in progress, create, stop, write, start, savepoint, the
#: last look, and some steps that are not taken at once.
_MOST_TURNS = 14


class StepReconciler:
    """Carries out changes to the jobs of one project.

    Args:
        plane: The project.
        say: Called with a line for each step, while it happens.
        clock: Time and sleep.
    """

    def __init__(
        self,
        plane: StepPlane,
        say: Callable[[str], None] = lambda _line: None,
        clock: Clock | None = None,
    ) -> None:
        self._plane = plane
        self._say = say
        self._steps = StepRunner(plane, clock or Clock(), say)

    async def bring_about(self, recorded: JobRecord | None, wanted: JobSpec, jar: Jar) -> JobRecord:
        """Make a job as it is wanted, and return what is now so.

        May be called again after a crash at any point, with the same or another spec.

        Raises:
            JobError: What happened, what runs now, and what to do.
        """

        def begin(spec: JobSpec) -> StepChange:
            return StepChange(self._plane, self._steps, self._say, recorded, spec, jar)

        return await changed(self._plane, recorded, wanted, begin, _MOST_TURNS, "step", self._say)

    async def refresh(self, recorded: JobRecord) -> JobRecord:
        """Return a record as the service shows it now; nothing is touched."""
        job = await self._plane.job(recorded.run_id) if recorded.run_id else None
        if job is None:
            rows = await self._plane.named(recorded.spec.job_name)
            job = own_row(rows, recorded, recorded.spec)
        # Of a job that is being stopped, what it was a moment ago would be no drift.
        job = await self._steps.shortly_after(job) if job else None
        if job is None:
            return seen(recorded, None, False)
        job = replace(job, job_id=await self._plane.flink_job_id(job.run_id))
        other = await self._is_other(job, recorded.spec)
        safety = SafetySavepoints(self._plane, self._steps, self._say)
        found = await safety.found(recorded, recorded.spec, job)
        shown = seen(found, replace(job, status=status_of(job, recorded)), other)
        if ran_since(job, recorded) and not self._plane.capabilities.starts_from_newest_state:
            # Whether its savepoint is newer than the unrecorded start is unknown.
            shown = shown.model_copy(update={"restored_from": shown.last_savepoint})
            shown = stop_of_dead_run(shown, recorded, job)
            shown = counting_what_lasts(shown, recorded.spec)
        return shown.model_copy(update={"spec": self._plane.as_shown(shown.spec, job)})

    async def refresh_for_plan(self, recorded: JobRecord) -> JobRecord:
        """Return the same: what a start begins from shows at the start."""
        return await self.refresh(recorded)

    async def delete(self, recorded: JobRecord) -> Removed:
        """End a job for good, with a savepoint where `on_delete` asks for one."""
        return await Removal(self._plane, self._steps, self._say, recorded).carry_out()

    async def _is_other(self, job: StepJob, spec: JobSpec) -> bool:
        """Whether a job is of another version than a spec, by its mark and what it shows."""
        mark = read_mark(job.version.mark)
        if mark.key and mark.spec != mark_of(spec).spec:
            return True
        asked = await self._plane.configuration(spec, None, "")
        passing = WHILE_RUNNING | DESCRIBING | ({"entrypoint"} if mark.key else set())
        return bool(set(self._plane.differences(asked, job, asked)) - passing)


class Removal:
    """One call of `delete`."""

    def __init__(
        self, plane: StepPlane, steps: StepRunner, say: Callable[[str], None], recorded: JobRecord
    ) -> None:
        self._plane = plane
        self._steps = steps
        self._recorded = recorded
        self._spec = recorded.spec
        self._safety = SafetySavepoints(plane, steps, say)
        self._say = say
        self._path: str | None = None
        self._told = False

    async def carry_out(self) -> Removed:
        """End a job, and delete it and its jars.

        Raises:
            JobError: It is not gone.
        """
        return await until_removed(self._plane, self._spec, self._turn)

    async def _turn(self) -> Removed | None:
        job = await self._find()
        if job is None:
            return Removed(self._path, self._told)
        with contextlib.suppress(NotNow):  # somebody was faster, or the service is busy: look anew
            await self._next(job)
        return None

    async def _find(self) -> StepJob | None:
        recorded = self._recorded
        if recorded.run_id:
            job = await self._plane.job(recorded.run_id)
            if job is not None:
                return job
        return own_row(await self._plane.named(self._spec.job_name), recorded, self._spec)

    async def _next(self, job: StepJob) -> None:
        if job.in_progress or job.status is None:
            await self._steps.until_idle(job, self._spec)
            return
        with_savepoint = self._spec.on_delete is OnDelete.SAVEPOINT
        if job.active:
            job = replace(job, job_id=await self._plane.flink_job_id(job.run_id))
            safety = ""
            if with_savepoint:
                job, safety = await self._safety.take(self._spec, job)
            after = await self._stopped(job, with_savepoint, safety)
            if with_savepoint:
                self._path = safety or after.last_savepoint
            return
        status = status_of(job, self._recorded)
        if not with_savepoint and status in (JobStatus.FAILED, JobStatus.LOST):
            self._say_without(job)
        if with_savepoint and self._path is None:
            stopped = status is JobStatus.STOPPED
            recorded = self._recorded.last_savepoint
            known = recorded if self._recorded.status is JobStatus.STOPPED else None
            self._path = (known or job.last_savepoint or None) if stopped else None
            if self._path is None:
                self._say_without(job)
        await self._steps.delete(self._spec, job)

    async def _stopped(self, job: StepJob, with_savepoint: bool, safety: str) -> StepJob:
        try:
            return await self._steps.stop(self._spec, job, with_savepoint)
        except ActionFailed as error:
            left = f" A savepoint of just before is in {safety}" if safety else ""
            raise ActionFailed(
                error.happened,
                now=error.now + left,
                remedy="Run again: if it runs it is stopped once more, and if not it is deleted "
                "without a savepoint of its own",
            ) from None

    def _say_without(self, job: StepJob) -> None:
        """Report that no savepoint can be taken of a job that does not run."""
        self._told = True
        last = self._recorded.last_savepoint or job.last_savepoint
        known = f"; the last one that is known is {last}" if last else "; none of it is known"
        self._say(
            f"{self._spec.job_name}: it does not run ({job.status_word}), so that it is deleted "
            f"without a savepoint of its own{known}"
        )
