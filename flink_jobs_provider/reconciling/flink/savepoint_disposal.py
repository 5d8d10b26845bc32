"""Disposing of old savepoints through the cluster, after an action that succeeded.

A savepoint goes only if it exceeds `savepoint_retention`, lies in the job's own directory, and is
none of these:

- what the record names as a way back, neither the record of now nor the one before the action,
  which is all that a run killed from here on leaves;
- the job's newest one;
- what a job that the cluster lists was started from: it may come back to that.

None goes unless the present state of the job is seen elsewhere: in its last savepoint, or in a
retained checkpoint of the version that runs. A run that was killed meanwhile is followed by one
that finds what is gone, and records it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

from flink_jobs_provider.artifacts import Condition
from flink_jobs_provider.control_planes.protocol import ControlPlane, Purpose, SavepointRequest
from flink_jobs_provider.model.action import ActionResult, JobStatus
from flink_jobs_provider.model.errors import ActionFailed, EngineGone, JobError
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import Savepoint, age, same_path
from flink_jobs_provider.planning.surplus_savepoints import surplus, ways_back, without
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.flink.observer import rehearsal_identities, submissions_of
from flink_jobs_provider.reconciling.flink.state_directories import StateDirectories
from flink_jobs_provider.reconciling.waiter import Clock

#: Jobs whose statistics do not show yet what they start from (measured on 1.20.5 and 2.3.0).
_STARTING = {"INITIALIZING", "CREATED", "RECONCILING"}
#: How many jobs are read at once.
_AT_ONCE = 8
Decide = Callable[[Sequence[Savepoint]], Awaitable[Sequence[Savepoint]]]


@dataclass(frozen=True)
class SavepointDisposal:
    """Disposes of the savepoints of a job that exceed its `savepoint_retention`."""

    _plane: ControlPlane
    _directories: StateDirectories
    _clock: Clock
    _say: Say
    #: Records which of some savepoints go, before the first request; returns those that can.
    _decide: Decide | None = None

    async def after_action(
        self,
        before: JobRecord | None,
        after: JobRecord,
        *,
        kept: Collection[str] = (),
        submissions: Collection[str] = (),
    ) -> JobRecord:
        """Dispose of old savepoints after an action; return the record without them.

        What fails is a warning: the action itself has succeeded. Such a savepoint stays on record,
        and the next action tries again.

        Args:
            before: The job as it was recorded before the action.
            after: The job as it is to be recorded.
            kept: Savepoints that stay, besides those that the records name as ways back.
            submissions: jobIds of the job besides those that its record names.

        Raises:
            EngineGone: The run that this belongs to has ended.
        """
        if before is None or after.spec.savepoint_retention is None:
            return after
        name = after.spec.job_name
        try:
            found = await self._surplus(before, after, kept, submissions)
            if found and self._decide:
                found = [*await self._decide(found)]
        except EngineGone:
            raise
        except JobError as error:
            self._say(f"warning: {name}: no old savepoint was disposed of: {error.reason}")
            return after
        for savepoint in found:
            try:
                after = await self._dispose(after, savepoint)
            except EngineGone:
                raise
            except JobError as error:
                self._say(
                    f"warning: {name}: savepoint {savepoint.path} was not disposed of: "
                    f"{error.reason}; it stays on record, and the next action tries again"
                )
        return after

    async def _dispose(self, record: JobRecord, savepoint: Savepoint) -> JobRecord:
        now = self._clock.wall()
        was_there = await self._plane.dispose_savepoint(
            savepoint.path, record.spec.timeout("savepoint")
        )
        if not was_there:
            finding = await self._directories.inspect(savepoint.path)
            if finding.condition is Condition.WHOLE:
                raise ActionFailed("its cluster does not find it, and it is there")
        how_old = age(savepoint.taken_at, now)
        what = "disposed of savepoint" if was_there else "no longer listed, since it is gone:"
        self._say(f"{record.spec.job_name}: {what} {savepoint.path} ({how_old})")
        return without(record, savepoint.path, now)

    async def _surplus(
        self,
        before: JobRecord,
        after: JobRecord,
        kept: Collection[str],
        submissions: Collection[str],
    ) -> list[Savepoint]:
        """Return the savepoints that can go, oldest first.

        Raises:
            ActionFailed: None can go now; the text is the reason.
        """
        retention = after.spec.savepoint_retention
        layout = await self._directories.layout(after.spec)
        if retention is None or layout is None:
            return []
        stays = [*ways_back(before), *ways_back(after), *kept]
        now = self._clock.wall()
        found = surplus(
            after,
            retention,
            stays,
            now,
            directory=layout.directory,
            submissions=submissions,
        )
        if not found:
            return []
        snapshot = await self._plane.jobs()
        await self._check_present_state(after, snapshot)
        origins = await self._origins(after, snapshot)
        left = []
        for each in found:
            user = next((job for job, path in origins if same_path(path, each.path)), None)
            if user is None:
                left.append(each)
                continue
            self._say(
                f"{after.spec.job_name}: savepoint {each.path} is kept: job {user} was started "
                "from it"
            )
        return left

    async def _check_present_state(self, record: JobRecord, snapshot: ClusterSnapshot) -> None:
        """Check that the present state of a job is kept, apart from what is to go.

        Raises:
            ActionFailed: That is not seen.
        """
        row = snapshot.by_id.get(record.job_id or "")
        if record.action_result is not ActionResult.SUCCESS or record.gate_failed:
            raise ActionFailed("the last action did not succeed")
        if record.status is JobStatus.STOPPED:
            seen = await self._shows_last_savepoint(record, row)
        elif row is not None and row.active and row.healthy:
            seen = await self._shows_state_of_running(record, row)
        else:
            raise ActionFailed(f"job {record.job_id} is {row.state if row else 'not listed'}")
        if not seen:
            raise ActionFailed(
                "it is not seen that the job's present state is kept, in its last savepoint or in "
                "a retained checkpoint"
            )

    async def _shows_last_savepoint(self, record: JobRecord, row: ObservedJob | None) -> bool:
        """Whether a stopped job has left its last savepoint, as its storage or Flink shows it."""
        path = record.last_savepoint
        whole = await self._is_whole(path)
        if whole is not None or row is None:
            return bool(whole)
        request = SavepointRequest(row.job_id, "", Purpose.STOP, record.spec.savepoint_format)
        if same_path(await self._plane.find_savepoint(request), path):
            return True
        statistics = await self._plane.checkpoints(row.job_id)
        return statistics is not None and same_path(statistics.savepoint, path)

    async def _is_whole(self, path: str | None) -> bool | None:
        """Whether a job's last savepoint, if it has one, is whole; None where that is not seen."""
        if path is None:
            return False
        finding = await self._directories.inspect(path)
        if finding.condition is Condition.UNSEEN:
            return None
        return finding.condition is Condition.WHOLE

    async def _shows_state_of_running(self, record: JobRecord, row: ObservedJob) -> bool:
        """Whether a running job has a savepoint to come back to, or a retained checkpoint."""
        statistics = await self._plane.checkpoints(row.job_id)
        if statistics is None:
            return False
        if record.retains_checkpoints and statistics.checkpoint:
            finding = await self._directories.inspect(statistics.checkpoint)
            if not finding.broken:
                return True
        path = record.last_savepoint
        whole = await self._is_whole(path)
        if whole is not None:
            return whole
        shown = (statistics.savepoint, statistics.restored_from)
        return any(same_path(each, path) for each in shown if each)

    async def _origins(self, record: JobRecord, snapshot: ClusterSnapshot) -> list[tuple[str, str]]:
        """Return each job that the cluster lists, with what it was started from.

        Ended submissions of the job itself, and of its rehearsals, do not come back.

        Raises:
            ActionFailed: What one was started from does not show yet.
        """
        ended = {job.job_id for job in submissions_of(record, snapshot) if not job.active}
        copies = tuple(rehearsal_identities(record, record.spec))
        jobs = [
            job
            for job in snapshot.jobs
            if job.job_id not in ended and (job.active or not job.job_id.startswith(copies))
        ]
        for job in jobs:
            if job.state in _STARTING:
                raise ActionFailed(f"what job {job.job_id} starts from does not show yet")
        turns = asyncio.Semaphore(_AT_ONCE)

        async def origin(job: ObservedJob) -> tuple[str, str]:
            async with turns:
                statistics = await self._plane.checkpoints(job.job_id)
            return job.job_id, statistics.restored_from if statistics else ""

        return [each for each in await asyncio.gather(*map(origin, jobs)) if each[1]]
