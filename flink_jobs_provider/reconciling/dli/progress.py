"""What one run knows of a change, and what it records of it: found, wanted, and done on the way.

Safety savepoints are taken in addition to those of stops, which the service deletes when the job
starts again. Where it has the call, and `savepoint_directory` names a place of one's own, one is
taken there before each stop: below it, the job's name and Flink's id of what ran.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.dli.job_config import (
    cannot_be_undone,
    differences,
    input_names,
    not_by_gateways,
)
from flink_jobs_provider.control_planes.service_planes import NotOffered, StepJob, StepPlane
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import (
    Savepoint,
    SavepointLayout,
    SavepointReason,
    in_store,
    iso_time,
    same_path,
)
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.planning.plan import UPGRADES, newly_restores
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.dli.decisions import to_restore
from flink_jobs_provider.reconciling.dli.failures import no_default, not_offered
from flink_jobs_provider.reconciling.dli.step_runner import NotNow, StepRunner
from flink_jobs_provider.reconciling.ownership import (
    mark_of,
    ran_since,
    read_mark,
    recorded_run,
    run_of,
)
from flink_jobs_provider.reconciling.record_updates import (
    SAVEPOINTS_LISTED,
    add_aside,
    knows,
    last_known,
    savepoint_output,
    started,
)


@dataclass
class Progress:
    """One call of `bring_about`.

    Attributes:
        recorded: The record in the state.
        wanted: The job as it should be.
        base: What is recorded, with what was found and done on the way.
        asked: The configuration that is wanted; empty until it was asked for.
        former: The configuration that was written last, as far as it is known.
        former_class: The entry class that ran before, where the spec leaves that to its jar.
        replaces: Whether a version was stopped for the wanted one.
        kept: The savepoint of that stop.
        safety: One taken in addition to it, that the service does not delete.
        down: Whether that version is down, and no other one was started.
        written: Whether the whole configuration was written.
        started: Whether the wanted version was started.
        saved: Whether the savepoint that was asked for was taken.
    """

    recorded: JobRecord | None
    wanted: JobSpec
    jar: Jar
    base: JobRecord | None
    asked: dict[str, Any] = field(default_factory=dict)
    former: dict[str, Any] = field(default_factory=dict)
    former_class: str | None = None
    replaces: bool = False
    kept: str = ""
    safety: str = ""
    down: bool = False
    written: bool = False
    started: bool = False
    saved: bool = False

    async def to_write(self, plane: StepPlane, job: StepJob | None) -> dict[str, Any]:
        """Return what a job's configuration has otherwise than it is wanted.

        Raises:
            PermanentError: It cannot be so.
        """
        if not self.asked:
            recorded = self.recorded
            before = run_of(job) if job else ""
            mark = str(mark_of(self.wanted, to_restore(recorded, self.wanted), before))
            self.asked = await plane.configuration(self.wanted, self.jar, mark)
            if not plane.capabilities.isolates_jobs and (names := not_by_gateways(self.asked)):
                raise not_offered(self.wanted, input_names(names), job)
            if recorded is not None and recorded.spec.jar_digest:
                self.former = await plane.configuration(recorded.spec, None, "")
                if names := cannot_be_undone(self.asked, self.former):
                    raise no_default(self.wanted, names)
        if job is None:
            return {}
        return differences(self.asked, job.shown, self.former if self._is_former(job) else None)

    @property
    def touched(self) -> bool:
        """Whether anything was done to the job."""
        return self.replaces or self.written or self.started

    @property
    def runs_on(self) -> bool:
        """Whether another version than the wanted one is recorded as running."""
        recorded = self.recorded
        if recorded is None or recorded.job_id is None:
            return False
        return recorded.status.active and recorded.spec.digits(None) != self.wanted.digits(None)

    @property
    def standing(self) -> str:
        """How the job stands, for an error that does not report it; empty where it is untouched."""
        if not self.down:
            return ""
        state = last_known(self.recorded, self.kept, self.safety)
        return f"The previous version was stopped, and no other one is known to run; {state}"

    def _is_former(self, job: StepJob) -> bool:
        """Whether what was asked for last, as it is recorded, is what was written last."""
        recorded = self.recorded
        if recorded is None or self.written:
            return True
        if recorded.spec.desired_state is DesiredState.STOPPED:
            return False  # what was changed meanwhile was recorded, and not written
        mark = read_mark(job.version.mark).spec
        return mark in ("", *(mark_of(each).spec for each in (recorded.spec, self.wanted)))


def naming_savepoint(after: StepJob, *, lasts: bool) -> StepJob:
    """Return a stopped job whose output names its savepoint, and whether that may be deleted."""
    said = savepoint_output(after.last_savepoint)
    if not lasts:
        said += (
            ". The service deletes it when the job starts again: set savepoint_directory to have "
            "another one taken there"
        )
    return replace(after, output=said)


def warning(record: JobRecord, wanted: JobSpec) -> JobRecord:
    """Return a record whose output warns that the service may delete its restore point."""
    said = f"{record.job_output.rstrip('.')}. The service may delete that savepoint now: "
    if wanted.savepoint_directory:
        said += f"another one may be below {wanted.savepoint_directory}"
    else:
        said += "set savepoint_directory to have another one taken there before each stop"
    return record.model_copy(update={"job_output": said})


def adopted(
    recorded: JobRecord | None, base: JobRecord | None, wanted: JobSpec, job: StepJob
) -> JobRecord:
    """Return what is recorded of the wanted version, which a run that died has started."""
    if recorded is None or recorded.job_id is None:
        origin = job.started_from or wanted.restore_from
        return started(base, wanted, job, Action.NEW, origin)
    stateless = wanted.upgrade_mode is UpgradeMode.STATELESS
    if newly_restores(recorded, wanted):
        origin = wanted.restore_from
    else:
        origin = None if stateless else job.last_savepoint or recorded.last_savepoint
    action = UPGRADES[wanted.upgrade_mode]
    if recorded.spec.desired_state is DesiredState.STOPPED:
        action = Action.STATELESS_UPDATE if stateless else Action.START
    base = base or recorded
    if not stateless and job.last_savepoint and not same_path(origin, job.last_savepoint):
        base = add_aside(base, job.last_savepoint, SavepointReason.FOUND)
    return started(base, wanted, job, action, job.started_from or origin)


#: Within how many seconds of one another a stop and the start after it are taken for one change.
_STOPS_WITHIN = 3600.0


@dataclass(frozen=True)
class SafetySavepoints:
    """Takes such savepoints, and finds those of runs that died."""

    _plane: StepPlane
    _steps: StepRunner
    _say: Say

    async def take(self, spec: JobSpec, job: StepJob) -> tuple[StepJob, str]:
        """Take one of a job that is to be stopped; return the job as it is then, and the path.

        The job may show that savepoint as its last one. The path is empty where none was taken.
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
