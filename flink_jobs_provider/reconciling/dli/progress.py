"""What one run knows of a change, and what it records of it: found, wanted, and done on the way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.step_plane import StepJob, StepPlane
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import SavepointReason, same_path
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.planning.plan import UPGRADES, newly_restores
from flink_jobs_provider.reconciling.dli.failures import no_default, not_offered
from flink_jobs_provider.reconciling.dli.transitions import to_restore
from flink_jobs_provider.reconciling.ownership import mark_of, read_mark, run_of
from flink_jobs_provider.reconciling.record_updates import (
    add_aside,
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
        jar: Its jar.
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
            if names := plane.not_offered(self.asked):
                raise not_offered(self.wanted, names, job)
            if recorded is not None and recorded.spec.jar_digest:
                self.former = await plane.configuration(recorded.spec, None, "")
                if names := plane.without_default(self.asked, self.former):
                    raise no_default(self.wanted, names)
        if job is None:
            return {}
        return plane.differences(self.asked, job, self.former if self._is_former(job) else None)

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
        """How the job stands, for an error that does not say it; empty where it is untouched."""
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


def telling_where(after: StepJob, lasts: bool) -> StepJob:
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
        said += f"look for another one below {wanted.savepoint_directory}"
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
