"""Ending a job for good: a stop, with a savepoint if that is wanted, and its deletion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from flink_jobs_provider.control_planes.step_plane import StepJob, StepPlane
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import ActionFailed, PermanentError
from flink_jobs_provider.model.record import JobRecord, Removed
from flink_jobs_provider.model.spec import OnDelete
from flink_jobs_provider.reconciling.dli.operations import NotNow, Steps
from flink_jobs_provider.reconciling.dli.safety_savepoints import Beside
from flink_jobs_provider.reconciling.dli.transitions import status_of
from flink_jobs_provider.reconciling.ownership import own_row

#: Waiting for what is in progress, the stop, the deletion, each perhaps not taken at once.
_MOST_TURNS = 8


class Removal:
    """One call of `remove`."""

    def __init__(
        self, plane: StepPlane, steps: Steps, say: Callable[[str], None], recorded: JobRecord
    ) -> None:
        self._plane = plane
        self._steps = steps
        self._recorded = recorded
        self._spec = recorded.spec
        self._beside = Beside(plane, steps, say)
        self._say = say
        self._path: str | None = None
        self._told = False

    async def carry_out(self) -> Removed:
        """End a job, and delete it and its jars.

        Raises:
            JobError: It is not gone.
        """
        for _ in range(_MOST_TURNS):
            job = await self._find()
            if job is None:
                await self._plane.forget_jars(self._spec, frozenset())
                return Removed(self._path, self._told)
            try:
                await self._next(job)
            except NotNow:
                continue  # somebody was faster, or the service is busy: look anew
        raise PermanentError(
            f"{self._spec.job_name}: it comes back each time it is deleted, or takes no orders",
            remedy="Is somebody else changing it? Run again to go on",
        )

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
            beside = ""
            if with_savepoint:
                job, beside = await self._beside.take(self._spec, job)
            after = await self._stopped(job, with_savepoint, beside)
            if with_savepoint:
                self._path = beside or after.last_savepoint
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

    async def _stopped(self, job: StepJob, with_savepoint: bool, beside: str) -> StepJob:
        try:
            return await self._steps.stop(self._spec, job, with_savepoint)
        except ActionFailed as error:
            left = f" A savepoint of just before is in {beside}" if beside else ""
            raise ActionFailed(
                error.happened,
                now=error.now + left,
                remedy="Run again: if it runs it is stopped once more, and if not it is deleted "
                "without a savepoint of its own",
            ) from None

    def _say_without(self, job: StepJob) -> None:
        """Say that no savepoint can be taken of a job that does not run."""
        self._told = True
        last = self._recorded.last_savepoint or job.last_savepoint
        known = f"; the last one that is known is {last}" if last else "; none of it is known"
        self._say(
            f"{self._spec.job_name}: it does not run ({job.status_word}), so that it is deleted "
            f"without a savepoint of its own{known}"
        )
