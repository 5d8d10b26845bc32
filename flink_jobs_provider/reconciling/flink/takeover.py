"""Taking a running job over as it is, and leaving one to others.

A running job bears no sign of who has it but its jobId, and one that was started by hand has none
of ours. So a stack that adopts such a job puts a mark on the cluster, which keeps another stack
from adopting it, too; and one that releases a job puts another. The marks are among the cluster's
jars: they are gone when the JobManager's upload directory is, and then this cannot be seen.

What a job runs is not shown by its cluster. The declared program is compared by its job graph.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import NoReturn

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.protocol import ControlPlane, JobMark, Mark
from flink_jobs_provider.model.errors import ActionFailed, JobError, OwnedElsewhere, PermanentError
from flink_jobs_provider.model.identity import (
    JobKey,
    identity_of,
    name_digits_of,
    spec_digits_of,
)
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.model.record import Adopted, JobRecord
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.savepoint import SavepointReason, iso_time, same_path
from flink_jobs_provider.model.spec import DesiredState, JobSpec
from flink_jobs_provider.model.state_check_mode import StateCheckMode
from flink_jobs_provider.planning.adoption import runs_otherwise
from flink_jobs_provider.planning.plan import Plan
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.observer import Seen, former_keys, retention
from flink_jobs_provider.reconciling.flink.program_check import PATIENCE_S
from flink_jobs_provider.reconciling.flink.state_check import PlanProgram
from flink_jobs_provider.reconciling.flink.submissions import submission
from flink_jobs_provider.reconciling.record_updates import keep

_JOB_ID = re.compile(r"[0-9a-f]{32}")
_UNTOUCHED = "It was not touched"
#: Marks of a stack that has a job which another one had before.
_GIVEN_AWAY = (Mark.ADOPTED, Mark.MOVING)
_COMPARED = {
    Adopted.SAME_VERSION: "it runs the declared version",
    Adopted.SAME_GRAPH: "the declared program builds its job graph",
    Adopted.OTHER_GRAPH: "the declared program builds another job graph, so that a restart needs "
    "allow_no_way_back",
    Adopted.NOT_COMPARED: "the declared program was not compared with it, so that a restart needs "
    "allow_no_way_back",
}


@dataclass(frozen=True)
class Takeover:
    """Adopts jobs that others have started, and releases jobs."""

    _plane: ControlPlane
    _states: StateFinder
    _say: Say

    async def candidate(self, wanted: JobSpec) -> ObservedJob | None:
        """Return the job that is to be adopted; None where this job's own version runs.

        Raises:
            PermanentError: No such job runs, several have the name, or it cannot be adopted so.
            OwnedElsewhere: It is another stack's.
        """
        snapshot, key = await self._plane.jobs(), wanted.key
        own = [job for job in snapshot.of(key) if job.active]
        named = _named(snapshot, str(wanted.adopt))
        found = [job for job in named if job.active and job not in own]
        if own and found:
            _refuse(
                wanted,
                f"{{field}}: job {own[0].job_id} of this stack runs under this job_name already",
                "Remove adopt; or choose another job_name for that job",
            )
        if own:
            return None
        if wanted.restore_from or wanted.desired_state is DesiredState.STOPPED:
            other = "restore_from" if wanted.restore_from else 'desired_state "stopped"'
            remedy = f"Remove {other}, and set it in a run after"
            _refuse(wanted, f"{{field}} takes a job over as it is, and {other} does not", remedy)
        if not found:
            await self._refuse_none(wanted, named)
        if len(found) > 1:
            which = ", ".join(job.job_id for job in found)
            why = f"{len(found)} running jobs are called {wanted.adopt}: {which}"
            _refuse(wanted, f"{{field}}: {why}", "Name one of them by its jobId")
        job = found[0]
        if job.ending:
            _refuse(wanted, f"{{field}}: job {job.job_id} is {job.state}", "Run again")
        if strangers := snapshot.strangers(key, [job]):
            raise OwnedElsewhere(
                f"{wanted.job_name}: a job of this name runs for another owner than "
                f"{wanted.owner}, as job {strangers[0].job_id}",
                now=_UNTOUCHED,
                remedy=Remedy.RENAME_OR_OWN,
            )
        await self._check_owner(wanted, job)
        return job

    async def foresee(self, wanted: JobSpec, jar: Jar | None) -> str | None:
        """Return the plan line of an adoption; None where this job's own version runs.

        With a jar, the declared program is compared with the job; nothing stays on the cluster.
        """
        job = await self.candidate(wanted)
        if job is None:
            return None
        compared = ""
        if jar is not None:
            safe = (await self._plane.facts()).intercepts_exit is True
            try_out = self._plane.try_out if safe else None
            compared = f"; {_COMPARED[await self._compare(wanted, jar, job, try_out)]}"
        called = f" ({job.name})" if job.name != job.job_id else ""
        compared += runs_otherwise(wanted, await self._plane.parallelism(job.job_id))
        return f"{wanted.job_name}: ADOPT job {job.job_id}{called}, it goes on as it is{compared}"

    async def take_over(self, wanted: JobSpec, jar: Jar | str) -> JobRecord | None:
        """Adopt a job; None where this job's own version runs. May be called again after a crash.

        Raises:
            PermanentError: It cannot be adopted, or the declared program cannot be started.
        """
        job = await self.candidate(wanted)
        if job is None:
            return None
        prefix = wanted.key.prefix
        try:
            found = await self._compare(wanted, jar, job, self._plane.plan)
            if found is Adopted.SAME_VERSION:
                # What an update that fails goes back to; no plan has uploaded it.
                first = submission(wanted, jar, 1, None)
                await self._plane.provide_jar(first, wanted.timeout("submit"))
            await self._claim(wanted, job)
        except PermanentError:
            await self._plane.forget_jars(prefix, frozenset())
            raise
        warning = "" if found in (Adopted.SAME_VERSION, Adopted.SAME_GRAPH) else "warning: "
        self._say(
            f"{warning}{wanted.job_name}: adopted job {job.job_id}, which goes on as it is; "
            f"{_COMPARED[found]}{runs_otherwise(wanted, await self._plane.parallelism(job.job_id))}"
        )
        return await self._record(wanted, job, found)

    async def check_is_ours(self, wanted: JobSpec, job: ObservedJob) -> None:
        """Check that a job of this identity, which no record names, was not given to others.

        Raises:
            OwnedElsewhere: Another stack has adopted it.
        """
        marks = await self._plane.marks(job.job_id)
        self._check_adopters(wanted, job, marks)
        await self._remove(marks, Mark.RELEASED)

    async def check_not_elsewhere(
        self, recorded: JobRecord | None, wanted: JobSpec, seen: Seen, restore: str | None
    ) -> None:
        """Check that nobody else has a job that does not run here, and is to be started.

        A stack that released a job may declare it again. Where another one has adopted it since, it
        may have carried it to another cluster, which this one does not show.

        Raises:
            OwnedElsewhere: Another stack has adopted it, or goes on from its state.
        """
        job_id = recorded.job_id if recorded else None
        if job_id is None and wanted.restore_from:
            return  # what it starts from was chosen
        ours = {key.prefix for key in (wanted.key, *former_keys(recorded))}
        for mark in await self._plane.marks_on(job_id or wanted.key.prefix):
            if mark.kind in _GIVEN_AWAY and mark.identity not in ours:
                raise OwnedElsewhere(
                    f"{wanted.job_name}: job {mark.job_id} was adopted by another stack, as jar "
                    f"{mark.id} of the cluster shows, and may run elsewhere",
                    now="Nothing was started",
                    remedy="Take this resource out of the stack; or, if no stack has the job, "
                    "remove that jar",
                )
        if restore and recorded and recorded.adopted:
            await self._check_not_continued(str(job_id), wanted, seen, restore)
        elif restore and job_id is None and seen.ended:
            await self._check_not_continued(seen.ended[0].job_id, wanted, seen, restore)

    async def _check_not_continued(
        self, job_id: str, wanted: JobSpec, seen: Seen, restore: str
    ) -> None:
        ours = {job.job_id for job in seen.ours}
        for job in (await self._plane.jobs()).jobs:
            if not job.active or job.job_id in ours:
                continue
            statistics = await self._plane.checkpoints(job.job_id)
            if statistics and same_path(statistics.restored_from, restore):
                raise OwnedElsewhere(
                    f"{wanted.job_name}: job {job.job_id} was started from {restore}, the state of "
                    f"job {job_id}",
                    now="Nothing was started alongside it",
                    remedy="Take this resource out of the stack, if another one has the job now; "
                    "or end that job, and run again",
                )

    async def release(self, recorded: JobRecord, active: list[ObservedJob]) -> str:
        """Leave a job to others as it is; return how it is. May be called again."""
        prefix, timeout = recorded.spec.key.prefix, recorded.spec.timeout("submit")
        for job in active:
            marks = await self._plane.marks(job.job_id)
            others = [each for each in marks if each.identity != prefix]
            if any(mark.kind is Mark.ADOPTED for mark in others):
                continue  # an earlier try has released it, and another one has it since
            if not any(mark.kind is Mark.RELEASED for mark in marks):
                await self._plane.put_mark(Mark.RELEASED, prefix, job.job_id, timeout)
            await self._remove([each for each in marks if each.identity == prefix], Mark.ADOPTED)
        if active:
            return (
                f"job {active[0].job_id} goes on, with its jar and savepoints; another stack takes "
                f"it over with adopt: {active[0].job_id}"
            )
        last = recorded.last_savepoint or recorded.restored_from
        return "nothing of it runs" + (f"; its last known state is {last}" if last else "")

    async def is_given_away(self, recorded: JobRecord) -> bool:
        """Whether a job was released, or adopted by others since, be it running or not."""
        prefix = recorded.spec.key.prefix
        marks = await self._plane.marks(str(recorded.job_id))
        return any(
            mark.kind is Mark.RELEASED or (mark.kind in _GIVEN_AWAY and mark.identity != prefix)
            for mark in marks
        )

    async def _check_owner(self, wanted: JobSpec, job: ObservedJob) -> None:
        marks = await self._plane.marks(job.job_id)
        self._check_adopters(wanted, job, marks)
        if any(mark.kind in (Mark.ADOPTED, Mark.RELEASED) for mark in marks):
            return  # it was released, or an earlier run of this stack has begun to adopt it
        declared = JobKey(job.name, "").name_digits == name_digits_of(job.job_id)
        if declared or await self._plane.has_jars(identity_of(job.job_id)):
            raise OwnedElsewhere(
                f"{wanted.job_name}: job {job.job_id} was started by another stack or gateway, and "
                "has not been released",
                now=_UNTOUCHED,
                remedy=Remedy.RELEASE_FIRST,
            )

    @staticmethod
    def _check_adopters(wanted: JobSpec, job: ObservedJob, marks: tuple[JobMark, ...]) -> None:
        """Check that no other job was the first to adopt one."""
        adopters = [mark for mark in marks if mark.kind is Mark.ADOPTED]
        if adopters and adopters[0].identity != wanted.key.prefix:
            raise OwnedElsewhere(
                f"{wanted.job_name}: job {job.job_id} was adopted by another stack, as jar "
                f"{adopters[0].id} of the cluster shows",
                now=_UNTOUCHED,
                remedy="Release it there; or remove that jar, if no stack has the job",
            )

    async def _claim(self, wanted: JobSpec, job: ObservedJob) -> None:
        """Mark a job as adopted by this one; of two that do so at once, the first one has it."""
        prefix = wanted.key.prefix
        marks = await self._plane.marks(job.job_id)
        self._check_adopters(wanted, job, marks)
        if not any(mark.kind is Mark.ADOPTED for mark in marks):
            timeout = wanted.timeout("submit")
            await self._plane.put_mark(Mark.ADOPTED, prefix, job.job_id, timeout)
            marks = await self._plane.marks(job.job_id)
            self._check_adopters(wanted, job, marks)
        await self._remove(marks, Mark.RELEASED)
        row = (await self._plane.jobs()).by_id.get(job.job_id)
        if row is None or not row.active:
            await self._refuse_ended(wanted, job.job_id, f"job {job.job_id} has ended meanwhile")

    async def _refuse_none(self, wanted: JobSpec, named: list[ObservedJob]) -> NoReturn:
        """Refuse to adopt a job of which none runs."""
        why = f"no job {wanted.adopt} runs on {wanted.target.address}"
        if named:
            why = f"{why}; job {named[0].job_id} is {named[0].state}"
        job_id = named[0].job_id if named else str(wanted.adopt)
        if _JOB_ID.fullmatch(job_id):
            await self._refuse_ended(wanted, job_id, why)
        _refuse(wanted, f"{{field}}: {why}", _WHICH_RUN)

    async def _refuse_ended(self, wanted: JobSpec, job_id: str, why: str) -> NoReturn:
        """Refuse to adopt a job that does not run, and name the state that it is seen to have left.

        Of a job that its JobManager has lost, or forgotten, no more is seen than what lies in the
        directories.
        """
        row = (await self._plane.jobs()).by_id.get(job_id)
        left = await self._states.of_ended(row) if row else None
        left = left or await self._states.directories.left_by(wanted, job_id)
        if left is None:
            _refuse(wanted, f"{{field}}: {why}", _WHICH_RUN)
        _refuse(
            wanted,
            f"{{field}}: {why}; it has left {left}",
            f"Remove adopt, and set restore_from to {left.path}, to start the job from there",
        )

    async def _remove(self, marks: tuple[JobMark, ...] | list[JobMark], kind: Mark) -> None:
        for mark in marks:
            if mark.kind is kind:
                await self._plane.remove_mark(mark)

    async def _compare(
        self, wanted: JobSpec, jar: Jar | str, job: ObservedJob, plan: PlanProgram | None
    ) -> Adopted:
        """Compare the declared program with a job; without a plan, it is not compared.

        Raises:
            PermanentError: The declared program cannot be started.
        """
        if await self._runs_declared_version(wanted, job):
            return Adopted.SAME_VERSION
        if wanted.state_check is StateCheckMode.OFF or plan is None:
            return Adopted.NOT_COMPARED
        try:
            planned = await plan(submission(wanted, jar, 1, None))
        except ActionFailed as error:
            raise PermanentError(
                f"{wanted.job_name}: the declared program cannot be started: {error.happened}",
                now=f"Job {job.job_id} goes on as it was, and was not adopted",
                remedy=Remedy.FIX_PROGRAM,
            ) from None
        ran = await self._plane.running_graph(job.job_id)
        if ran is None or not ran.vertices or not planned.vertices:
            return Adopted.NOT_COMPARED
        return Adopted.SAME_GRAPH if ran.shape == planned.shape else Adopted.OTHER_GRAPH

    async def _runs_declared_version(self, wanted: JobSpec, job: ObservedJob) -> bool:
        """Whether a job was started by this project as it is declared, as its jobId shows."""
        statistics = await self._plane.checkpoints(job.job_id)
        origins = {None, statistics.restored_from or None if statistics else None}
        digits = spec_digits_of(job.job_id)
        return any(wanted.digits(origin).startswith(digits) for origin in origins)

    async def _record(self, wanted: JobSpec, job: ObservedJob, found: Adopted) -> JobRecord:
        plane, snapshot = self._plane, await self._plane.jobs()
        known = [each.generation for each in snapshot.of(wanted.key)]
        generation = max([await self._states.directories.last_generation(wanted), *known])
        statistics = await plane.checkpoints(job.job_id)
        record = JobRecord(
            spec=wanted,
            job_id=job.job_id,
            status=job.status,
            job_output="Job adopted; it was not restarted",
            generation=generation,
            restored_from=(statistics.restored_from or None) if statistics else None,
            adopted=found,
            running_parallelism=await plane.parallelism(job.job_id),
            retains_checkpoints=await retention(plane, job.job_id),
            submitted_parallelism=await plane.parallelism_bounds(job.job_id),
            flink_version=(await plane.facts()).version_text,
            dashboard_url=plane.dashboard(job.job_id),
        )
        if statistics and statistics.savepoint:
            taken = iso_time(statistics.savepoint_time)
            return keep(record, statistics.savepoint, SavepointReason.FOUND, taken)
        return record


async def with_adoption(decided: Plan, foresee: Callable[[], Awaitable[str | None]]) -> Plan:
    """Return the plan of an adoption with which job it takes over, and how the program suits that.

    Args:
        decided: The plan.
        foresee: Returns the plan line of the adoption; None where the job's own version runs.
    """
    try:
        async with asyncio.timeout(PATIENCE_S):
            line = await foresee()
    except JobError as error:
        return replace(decided, refusal=str(error))
    except TimeoutError:
        return replace(decided, state=f"it was not compared within {PATIENCE_S:.0f} s")
    return replace(decided, state=line.partition(": ADOPT ")[2]) if line else decided


#: What would help where a job that is to be adopted does not run, and has left no state.
_WHICH_RUN = (
    "Remove adopt, to start the job, with restore_from where the one that ran has left a savepoint "
    "or checkpoint; flink-jobs adopt lists what runs there"
)


def _named(snapshot: ClusterSnapshot, adopt: str) -> list[ObservedJob]:
    """Return the jobs that an `adopt` names: by jobId, or by the name that Flink shows."""
    if _JOB_ID.fullmatch(adopt):
        return [snapshot.by_id[adopt]] if adopt in snapshot.by_id else []
    return [job for job in snapshot.jobs if job.name == adopt]


def _refuse(wanted: JobSpec, why: str, remedy: str) -> NoReturn:
    raise PermanentError(
        f"{wanted.job_name}: {why}", now="Nothing was changed", remedy=remedy, field="adopt"
    )
