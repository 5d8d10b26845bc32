"""Savepoints in addition to those of stops: the service deletes its own when a job starts again.

Where the service has the call, and `savepoint_directory` names a place of one's own, one is taken
there before each stop: below it, the job's name and Flink's id of what ran.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import itemgetter

from flink_jobs_provider.control_planes.step_plane import NotOffered, StepJob, StepPlane
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import (
    Savepoint,
    SavepointLayout,
    SavepointReason,
    in_store,
    iso_time,
    same_path,
)
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.dli.operations import NotNow, StepRunner
from flink_jobs_provider.reconciling.ownership import ran_since, recorded_run, run_of
from flink_jobs_provider.reconciling.protocol import Say
from flink_jobs_provider.reconciling.record_updates import SAVEPOINTS_LISTED, knows

#: Within how many seconds of one another a stop and the start after it are taken for one change.
_STOPS_WITHIN = 3600.0


@dataclass(frozen=True)
class SafetySavepoints:
    """Takes such savepoints, and finds those of runs that died."""

    _plane: StepPlane
    _steps: StepRunner
    _say: Say

    async def take(self, spec: JobSpec, job: StepJob) -> tuple[StepJob, str]:
        """Take one of a job that is to be stopped.

        Returns:
            The job as it is then, which may show that savepoint as its last one; and the
            savepoint's path, empty where none was taken.
        """
        if self._plane.capabilities.keeps_savepoints or spec.savepoint_directory is None:
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
        """Return a record with those that it does not know: the run that took them has died.

        The job has Flink's id of what ran last.
        """
        directory, ran = wanted.savepoint_directory, ran_since(job, record)
        if self._plane.capabilities.keeps_savepoints or directory is None:
            return record
        if job.active and not ran:
            return record
        layout = SavepointLayout(directory, wanted.job_name)
        runs = {record.job_id: recorded_run(record), job.job_id: run_of(job)}
        for job_id, run in runs.items():
            place = layout.of_submission(job_id) if job_id else None
            listed = await self._steps.listed(place)
            for path, written in sorted(listed.items(), key=itemgetter(1)):
                if not knows(record, path):
                    entry = Savepoint(
                        path=path,
                        taken_at=iso_time(written * 1000),
                        reason=SavepointReason.FOUND,
                        run=run if job_id != job.run_id else "",
                    )
                    record = _with_entry(record, entry)
        return record


def stop_of_dead_run(record: JobRecord, recorded: JobRecord, job: StepJob) -> JobRecord:
    """Record which run a job's last savepoint is of, where the provider that took it has died.

    It is that of a stop, if another one was taken shortly before the job was started again.
    """
    run = recorded_run(recorded)
    first, last = iso_time(job.started - _STOPS_WITHIN * 1000), iso_time(job.started)
    taken = [
        each
        for each in record.savepoints
        if run and each.run == run and first <= each.taken_at <= last
    ]
    path = job.last_savepoint
    if not taken or not path or any(same_path(path, each.path) for each in taken):
        return record
    of_stop = Savepoint(path=path, reason=SavepointReason.UPDATE, run=run)
    others = [each for each in record.savepoints if not same_path(each.path, path)]
    return record.model_copy(update={"savepoints": [of_stop, *others]})


def counting_what_lasts(record: JobRecord, wanted: JobSpec) -> JobRecord:
    """Make the safety savepoint the last one, after a start from the savepoint of the stop.

    The service may have deleted that one since.
    """
    last = record.last_savepoint
    named = any(same_path(last, spec.restore_from) for spec in (record.spec, wanted))
    if not last or named or not same_path(last, record.restored_from):
        return record
    if not lies_in_own(last, record.spec, wanted) and (
        other := safety_savepoint_of(last, record, wanted)
    ):
        return record.model_copy(update={"last_savepoint": other})
    return record


def safety_savepoint_of(of_stop: str, record: JobRecord, wanted: JobSpec) -> str:
    """Return the savepoint that was taken in addition to that of a stop; empty for none.

    It lies in a place of one's own, and is the newest there of the run that was stopped.
    """
    runs = {each.run for each in record.savepoints if same_path(each.path, of_stop)} - {""}
    # What was asked for by savepoint_trigger may be of any age.
    taken = [each for each in record.savepoints if each.reason is not SavepointReason.SAVEPOINT]
    of_run = [each.path for each in taken if each.run in runs]
    return next((path for path in of_run if lies_in_own(path, record.spec, wanted)), "")


def lies_in_own(path: str, *specs: JobSpec) -> bool:
    """Whether a savepoint lies in a place of one's own, of which the service deletes nothing."""
    places = [spec.savepoint_directory for spec in specs if spec.savepoint_directory]
    return any(in_store(path).startswith(in_store(place).rstrip("/") + "/") for place in places)


def _with_entry(record: JobRecord, entry: Savepoint) -> JobRecord:
    """List a savepoint by its time."""
    listed = list(record.savepoints)
    times = [each.taken_at for each in listed]
    older = (i for i, time in enumerate(times) if time and time <= entry.taken_at)
    listed.insert(next(older, len(listed)), entry)
    return record.model_copy(update={"savepoints": listed[:SAVEPOINTS_LISTED]})
