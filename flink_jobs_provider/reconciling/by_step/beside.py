"""Savepoints beside those of stops: the service deletes its own when a job starts again.

Where the service has the call, and `savepoint_directory` names a place of one's own, one is taken
there before each stop: below it, the job's name and Flink's id of what ran.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from operator import itemgetter

from flink_jobs_provider.control_planes.step_plane import NotOffered, StepJob, StepPlane
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import (
    Savepoint,
    SavepointReason,
    in_store,
    iso_time,
    join,
    same_path,
)
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.by_step.deciding import ran_since
from flink_jobs_provider.reconciling.by_step.taking import NotNow, Steps
from flink_jobs_provider.reconciling.records import SAVEPOINTS_LISTED, knows


class Beside:
    """Takes such savepoints, and finds those of runs that died."""

    def __init__(self, plane: StepPlane, steps: Steps, say: Callable[[str], None]) -> None:
        self._plane = plane
        self._steps = steps
        self._say = say

    async def take(self, spec: JobSpec, job: StepJob) -> tuple[StepJob, str]:
        """Take one of a job that is to be stopped.

        Returns:
            The job as it is then, which may show that savepoint as its last one; and the
            savepoint's path, empty where none was taken.
        """
        if self._plane.is_gateway or spec.savepoint_directory is None:
            return job, ""
        try:
            path = await self._steps.save(spec, job)
        except NotOffered:
            self._say(
                f"{spec.job_name}: this service has no call to take a savepoint to "
                "savepoint_directory; there is the one of the stop alone"
            )
            return job, ""
        now = await self._plane.job(job.run_id)
        if now is None or now.in_progress or not now.active:
            raise NotNow
        return replace(now, job_id=job.job_id), path

    async def found(self, record: JobRecord, wanted: JobSpec, job: StepJob) -> JobRecord:
        """Put those into a record that it does not know: the run that took them has died.

        Args:
            record: What is known of the job.
            wanted: It names the place.
            job: The job, with Flink's id of what ran last.
        """
        directory, ran = wanted.savepoint_directory, ran_since(job, record)
        if self._plane.is_gateway or directory is None or (job.active and not ran):
            return record
        last_run, newest = job.job_id or (None if ran else record.job_id), ""
        for run in sorted({each for each in (record.job_id, job.job_id) if each}):
            listed = await self._steps.listed(join(directory, wanted.job_name, run))
            of_last_run = run == last_run != job.run_id
            reason = SavepointReason.FOUND if of_last_run else SavepointReason.UPDATE
            for path, written in sorted(listed.items(), key=itemgetter(1)):
                if not knows(record, path):
                    taken_at = iso_time(written * 1000)
                    entry = Savepoint(path=path, taken_at=taken_at, reason=reason)
                    record = _with_entry(record, entry)
                    newest = path if of_last_run else newest
        last = record.last_savepoint
        if newest and (last is None or same_path(last, record.restored_from)):
            return record.model_copy(update={"last_savepoint": newest})
        return record


def counting_what_lasts(record: JobRecord, wanted: JobSpec) -> JobRecord:
    """Have another savepoint count as the last one, where that is one of the service's own.

    The service may have deleted that since it started the job from it.
    """
    last = record.last_savepoint
    own = any(same_path(last, spec.restore_from) for spec in (record.spec, wanted))
    if not last or own or not same_path(last, record.restored_from):
        return record
    if not _lies_in_own(last, record.spec, wanted) and (other := lasting_in(record, wanted)):
        left = [each for each in record.savepoints if not same_path(each.path, last)]
        return record.model_copy(update={"savepoints": left, "last_savepoint": other})
    return record


def lasting_in(record: JobRecord | None, wanted: JobSpec) -> str:
    """Return the newest savepoint in a place of one's own; empty for none."""
    if record is None:
        return ""
    paths = (each.path for each in record.savepoints)
    return next((path for path in paths if _lies_in_own(path, record.spec, wanted)), "")


def _lies_in_own(path: str, *specs: JobSpec) -> bool:
    places = [spec.savepoint_directory for spec in specs if spec.savepoint_directory]
    return any(in_store(path).startswith(in_store(place).rstrip("/") + "/") for place in places)


def _with_entry(record: JobRecord, entry: Savepoint) -> JobRecord:
    """List a savepoint by its time."""
    listed = list(record.savepoints)
    times = [each.taken_at for each in listed]
    older = (i for i, time in enumerate(times) if time and time <= entry.taken_at)
    listed.insert(next(older, len(listed)), entry)
    return record.model_copy(update={"savepoints": listed[:SAVEPOINTS_LISTED]})
