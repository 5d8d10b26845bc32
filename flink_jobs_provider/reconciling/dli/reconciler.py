"""Bringing one job to what is wanted on a system that takes single steps.

Where it stands is read from the system each time: what is in progress on it is waited for, the
next step is decided, sent once, and waited for until the job shows its effect. Then all is judged
anew, until nothing is left to do. So a run that died anywhere is taken up by the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.step_plane import StepJob, StepPlane
from flink_jobs_provider.model.record import JobRecord, Removed
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.dli.change import Change
from flink_jobs_provider.reconciling.dli.delete import Removal
from flink_jobs_provider.reconciling.dli.operations import Steps
from flink_jobs_provider.reconciling.dli.safety_savepoints import (
    Beside,
    counting_what_lasts,
    stop_of_dead_run,
)
from flink_jobs_provider.reconciling.dli.transitions import status_of
from flink_jobs_provider.reconciling.ownership import own_row
from flink_jobs_provider.reconciling.runs import ran_since
from flink_jobs_provider.reconciling.service_loop import forget_jars, until_reached
from flink_jobs_provider.reconciling.service_records import seen
from flink_jobs_provider.reconciling.version_marker import mark_of, read_mark
from flink_jobs_provider.reconciling.waiting import Clock
from flink_jobs_provider.wire.dli import DESCRIBING, WHILE_RUNNING

#: The most turns of a change: what is in progress, create, stop, write, start, savepoint, the
#: last look, and some steps that are not taken at once.
_MOST_TURNS = 14


class StepReconciler:
    """Carries out changes to the jobs of one project.

    Args:
        plane: The project.
        say: Told each step in a line, while it happens.
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
        self._steps = Steps(plane, clock or Clock(), say)

    async def bring_about(self, recorded: JobRecord | None, wanted: JobSpec, jar: Jar) -> JobRecord:
        """Make a job as it is wanted, and return what is now so.

        May be called again after a crash at any point, with the same or another spec.

        Raises:
            JobError: What happened, what runs now, and what to do.
        """
        wanted = wanted.carrying_on(recorded.spec) if recorded else wanted
        change = Change(self._plane, self._steps, self._say, recorded, wanted, jar)
        record = await until_reached(change.turn, _MOST_TURNS, wanted.job_name, "step")
        await forget_jars(self._plane, recorded, wanted, self._say)
        return record.model_copy(update={"honoured": None})

    async def look(self, recorded: JobRecord) -> JobRecord:
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
        beside = Beside(self._plane, self._steps, self._say)
        found = await beside.found(recorded, recorded.spec, job)
        shown = seen(found, replace(job, status=status_of(job, recorded)), other)
        if ran_since(job, recorded) and not self._plane.capabilities.starts_from_newest_state:
            # Whether its savepoint is newer than the start that nobody recorded is not told.
            shown = shown.model_copy(update={"restored_from": shown.last_savepoint})
            shown = stop_of_dead_run(shown, recorded, job)
            shown = counting_what_lasts(shown, recorded.spec)
        return shown.model_copy(update={"spec": self._plane.as_shown(shown.spec, job)})

    async def look_for_plan(self, recorded: JobRecord) -> JobRecord:
        """Return the same: what a start begins from shows at the start."""
        return await self.look(recorded)

    async def remove(self, recorded: JobRecord) -> Removed:
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
