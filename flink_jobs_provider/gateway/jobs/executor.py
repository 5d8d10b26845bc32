"""Executing one action: each may be begun again after a crash at any point."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.gateway.job_board import MOST_SAVEPOINTS
from flink_jobs_provider.gateway.jobs.cluster_observer import with_end
from flink_jobs_provider.gateway.jobs.savepoint_retirement import SavepointRetirement
from flink_jobs_provider.gateway.jobs.transitions import instead_of
from flink_jobs_provider.gateway.refusals import ACTION_WORDS, ActionRemedy
from flink_jobs_provider.gateway.store import (
    JobState,
    StoredAction,
    StoredJob,
    read_record,
    read_spec,
    stored_record,
)
from flink_jobs_provider.model.action import STARTS, Action, ActionResult, JobStatus
from flink_jobs_provider.model.errors import JobError, PermanentError, TemporaryError
from flink_jobs_provider.model.on_delete import OnDelete
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import (
    RestorePoint,
    Savepoint,
    SavepointReason,
    canonical_path,
)
from flink_jobs_provider.model.spec import JobSpec, UpgradeMode
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.planning.known_state import last_state, last_words
from flink_jobs_provider.reconciling.flink.reconciler import Reconciler
from flink_jobs_provider.reconciling.record_updates import SAVEPOINTS_LISTED
from flink_jobs_provider.wire.hdinsight import LAUNCH_FAILED, last_state_prefix


@dataclass(frozen=True)
class Outcome:
    """How an action ended, and how its job is now.

    Attributes:
        state: What is recorded of the job; none to leave that as it is.
        deleted: Whether the job is no more.
    """

    result: ActionResult
    output: str
    state: JobState | None = None
    deleted: bool = False


@dataclass
class Executor:
    """Executes one action on one job.

    Attributes:
        plane: The job's cluster.
        reconciler: Brings jobs of that cluster about.
        target: How the cluster is reached.
        job: The job's row, as it was when the action was accepted.
        action: The action.
        jar: The jar to start, by digest where it is on the cluster alone; or None.
        known: The savepoints on record, for an action that lists them.
        disposed: How many others were disposed of, for the same action.
        retirement: Disposes of the job's old savepoints.
        settle_time: How long a version that was started must stay up.
        left: What an earlier try has left of a job that never ran, and that was accepted then.
    """

    plane: ControlPlane
    reconciler: Reconciler
    target: FlinkTarget
    job: StoredJob
    action: StoredAction
    jar: Jar | str | None
    known: list[Savepoint]
    disposed: int
    retirement: SavepointRetirement
    settle_time: str
    left: JobRecord | None = None

    def __post_init__(self) -> None:
        self._recorded = read_record(self.job.record, self.target)
        self._wanted: JobSpec | None = None
        if wanted := self.action.wanted:
            self._wanted = read_spec({**wanted, "settle_time": self.settle_time}, self.target)

    async def execute(self) -> Outcome:
        """Execute the action.

        Raises:
            JobError: It failed, or could not be executed for now.
        """
        ways: dict[Action, Callable[[], Awaitable[Outcome]]] = {
            Action.STOP: self._stop,
            Action.SAVEPOINT: self._take_savepoint,
            Action.LIST_SAVEPOINT: self._list_savepoints,
            Action.CANCEL: self._cancel,
            Action.DELETE: self._delete,
        }
        outcome = await ways.get(self.action.row.action, self._bring_about)()
        if self.action.row.action in (*STARTS, Action.STOP, Action.SAVEPOINT):
            outcome = await self._without_surplus(outcome)
        return await self._with_end(outcome)

    async def failed(self, error: str) -> Outcome:
        """Return how a failed action ended: the row is to show what runs now."""
        try:
            state = await self._state_after_failure()
        except JobError:  # it cannot be seen now: the next observation shows it
            state = None
            if self._recorded.job_id is None:
                state = JobState(self.job.record, LAUNCH_FAILED)
                if self.left is not None:
                    state = JobState(stored_record(self.left), self.left.status.value)
        return await self._with_end(Outcome(ActionResult.FAILED, error, state))

    async def _with_end(self, outcome: Outcome) -> Outcome:
        if outcome.state is None or outcome.deleted:
            return outcome
        return replace(outcome, state=await with_end(self.plane, outcome.state))

    async def _without_surplus(self, outcome: Outcome) -> Outcome:
        """Dispose of the savepoints that an action has left too many, or too old."""
        if outcome.state is None or not outcome.state.record["spec"].get("savepoint_retention"):
            return outcome
        record = outcome.state.record
        gone = await self.retirement.after_action(self._base(), read_record(record, self.target))
        places = {canonical_path(path) for path in gone}
        listed = [
            each
            for each in record.get("savepoints", [])
            if canonical_path(each["path"]) not in places
        ]
        # The others are on record all the same.
        record = {**record, "savepoints": listed[:SAVEPOINTS_LISTED]}
        return replace(outcome, state=replace(outcome.state, record=record, disposed=gone))

    # The actions

    async def _bring_about(self) -> Outcome:
        """Execute what starts a version, and what only changes one that is there."""
        assert self._wanted is not None  # noqa: S101 - so it was decided
        record = await self.reconciler.bring_about(
            self._base(), self._wanted, self.jar or self._wanted.jar_digest or ""
        )
        return self._succeeded(record)

    async def _stop(self) -> Outcome:
        seen = await self._seen()
        record = await self.reconciler.bring_about(
            self._base(), self._wanted or seen.spec, self.jar or seen.spec.jar_digest or ""
        )
        # An ended job whose statistics are of before its end (Flink renews them every 3 s) looks
        # as if it had come to its own end; the reconciler finds the savepoint of its stop.
        known = {savepoint.path for savepoint in self._recorded.savepoints}
        stopped = any(
            savepoint.reason is SavepointReason.STOP and savepoint.path not in known
            for savepoint in record.savepoints
        )
        if not seen.status.active and seen.status is not JobStatus.STOPPED and not stopped:
            raise PermanentError(
                f"{self.job.job_name}: it had ended before it could be stopped: it is "
                f"{seen.status}",
                now="No savepoint was taken",
                remedy=instead_of(seen.status.value, self.action.row.action),
            )
        return self._succeeded(record)

    async def _take_savepoint(self) -> Outcome:
        seen = await self._seen()
        if not seen.status.active:
            raise PermanentError(
                f"{self.job.job_name}: no savepoint can be taken: it is {seen.status}",
                now="Nothing was changed",
                remedy=ActionRemedy.LIST_SAVEPOINTS,
            )
        if seen.other_version:
            raise PermanentError(
                f"{self.job.job_name}: another version than the one on record runs, as job "
                f"{seen.job_id}",
                now="It was not touched",
                remedy=ActionRemedy.UPDATE,
            )
        outcome = await self._bring_about()
        assert outcome.state is not None  # noqa: S101 - an action that succeeded reports how it is
        # The directory may have been meant for this one savepoint alone.
        directory = self.job.record["spec"].get("savepoint_directory")
        spec = {**outcome.state.record["spec"], "savepoint_directory": directory}
        record = {**outcome.state.record, "spec": {k: v for k, v in spec.items() if v is not None}}
        return replace(outcome, state=replace(outcome.state, record=record))

    async def _list_savepoints(self) -> Outcome:
        note = ""
        found = []
        try:
            found = await self.reconciler.savepoints(self._recorded.spec)
        except TemporaryError as error:
            reason = error.worded(ACTION_WORDS)
            note = f"Those on record; the savepoint directory was not read: {reason}"
        if self.disposed:
            gone = f"Disposed of, and not listed: {self.disposed}"
            note = f"{note}\n{gone}" if note else gone
        savepoints = merged(self.known, found)
        record = self._recorded.model_copy(update={"savepoints": savepoints[:50]})
        state = JobState(stored_record(record), self.job.status)
        return Outcome(ActionResult.SUCCESS, listed(savepoints, note), state)

    async def _cancel(self) -> Outcome:
        await self.reconciler.cancel(self._recorded)
        record, status, lost = self._recorded, self.job.status, False
        if record.job_id is not None:
            seen = await self._seen()
            ended_here = record.status.active and seen.status is JobStatus.CANCELED
            lost = JobStatus.LOST in (record.status, seen.status) and not seen.status.active
            if ended_here or lost or seen.status.active:
                # One that is lost is not to be started again by itself any more.
                record = seen.model_copy(update={"status": JobStatus.CANCELED})
            elif record.status.active:
                record = seen
            status = record.status.value
        ran = self._recorded.status.active and status == JobStatus.CANCELED
        if lost:
            lost_record = record.model_copy(update={"status": JobStatus.LOST})
            state = last_state(await self._at_last(lost_record), time.time())
            output = (
                f"Nothing was left to cancel: the cluster no longer knows job {record.job_id}. "
                "The gateway does not start it again; "
                + (f"its last known state is {state}" if state else "no state of it is known")
            )
        else:
            output = "Job canceled" if ran else f"Nothing was left to cancel: the job is {status}"
        return Outcome(ActionResult.SUCCESS, output, JobState(stored_record(record), status))

    async def _delete(self) -> Outcome:
        seen = await self._seen()
        running = seen.status.active and seen.job_id is not None
        if self._wanted is not None and self._wanted.on_delete is OnDelete.RELEASE:
            return await self._release(seen, running=running)
        if running and not self.action.cancels_first:
            raise PermanentError(
                f"{self.job.job_name}: it runs, as job {seen.job_id}",
                now="It goes on, and was not deleted",
                remedy=ActionRemedy.STOP_THEN_DELETE,
            )
        spec = seen.spec.model_copy(update={"on_delete": OnDelete.CANCEL})
        at_last = None if running else await self._forgotten(seen)
        await self.reconciler.delete(seen.model_copy(update={"spec": spec}))
        output = "Job canceled and deleted" if running else "Job deleted"
        if at_last is not None:
            words = last_words(at_last.model_copy(update={"spec": spec}), time.time())
            output = words or f"{last_state_prefix(spec.job_name)}; no state of it is known"
        return Outcome(ActionResult.SUCCESS, output, deleted=True)

    async def _release(self, seen: JobRecord, *, running: bool) -> Outcome:
        """Take a job off the record that goes on; one that an earlier try has released, too."""
        if not running and not await self.reconciler.is_given_away(seen):
            raise PermanentError(
                f"{self.job.job_name}: it had ended before it could be released: it is "
                f"{seen.status}",
                now="It stays on record",
                remedy=instead_of(seen.status.value, self.action.row.action),
            )
        spec = seen.spec.model_copy(update={"on_delete": OnDelete.RELEASE})
        removed = await self.reconciler.delete(seen.model_copy(update={"spec": spec}))
        output = f"Job released: {removed.released}"
        return Outcome(ActionResult.SUCCESS, output, deleted=True)

    async def _forgotten(self, seen: JobRecord) -> JobRecord | None:
        """Return a job that its cluster has lost, with its last state; None for any other."""
        broken = seen.status in (JobStatus.LOST, JobStatus.FAILED, JobStatus.CANCELED)
        if not broken or seen.job_id in (await self.plane.jobs()).by_id:
            return None
        return await self._at_last(seen)

    async def _at_last(self, record: JobRecord) -> JobRecord:
        """Return a job with the state that a start would begin from, as far as that is seen."""
        try:
            point = await self.reconciler.find_start(record, record.spec)
        except JobError:
            return record
        return record.model_copy(update={"restore_point": point})

    # What is recorded

    def _base(self) -> JobRecord | None:
        """Return what the reconciler begins from; a job that never ran is one to be created."""
        if self._recorded.job_id is not None:
            return self._recorded
        if self.left is not None:
            return self.left
        if self._recorded.generation == 0:
            return None
        spec = self._recorded.spec.model_copy(update={"restore_from": None})
        return self._recorded.model_copy(update={"spec": spec})

    async def _seen(self) -> JobRecord:
        """Return the job as it is at this moment."""
        await self.plane.jobs()
        return await self.reconciler.refresh(self._recorded)

    def _succeeded(self, record: JobRecord) -> Outcome:
        record = record.model_copy(update={"spec": _without_mode(record.spec)})
        state = JobState(
            stored_record(record),
            record.status.value,
            self.action.as_given,
            started=self.action.row.action in STARTS,
        )
        return Outcome(ActionResult.SUCCESS, record.job_output, state)

    async def _state_after_failure(self) -> JobState | None:
        """Return what runs now, whichever version that is."""
        snapshot = await self.plane.jobs()
        if self._recorded.job_id is None and self.left is not None:
            seen = await self.reconciler.refresh(self.left)
            return JobState(stored_record(seen), seen.status.value)
        seen = await self.reconciler.refresh(self._recorded)
        as_given = None
        if self._wanted is not None and seen.status.active and seen.other_version:
            # The new version runs after all: it is up, and has not done all that was waited for.
            other = self._recorded.model_copy(update={"spec": _without_mode(self._wanted)})
            now = await self.reconciler.refresh(other)
            if not now.other_version:
                seen, as_given = now, self.action.as_given
        # A submission that failed is known from now on: nobody takes it for one to go on from.
        ours = snapshot.of(self._recorded.spec.key)
        generation = max([self._recorded.generation, *(job.generation for job in ours)])
        record = self._recorded.model_copy(update={"generation": generation})
        if seen.job_id is None:
            return JobState(stored_record(record), LAUNCH_FAILED)
        if not self._recorded.status.active and not seen.status.active and self._recorded.job_id:
            # What it was before, it still is: STOPPED, LOST, FAILED …
            return JobState(stored_record(record), self.job.status)
        started = as_given is not None and self.action.row.action in STARTS
        return JobState(stored_record(seen), seen.status.value, as_given, started=started)


def _without_mode(spec: JobSpec) -> JobSpec:
    """Return a spec without what was meant for one action alone."""
    of_one = {"upgrade_mode": UpgradeMode.SAVEPOINT, "restore_from": None, "rehearsal": None}
    return spec.model_copy(update=of_one)


def merged(known: Iterable[Savepoint], found: Iterable[RestorePoint]) -> list[Savepoint]:
    """Return the savepoints on record and in storage, each once, newest first."""
    savepoints = {canonical_path(savepoint.path): savepoint for savepoint in known}
    for point in found:
        place = canonical_path(point.path)
        if place not in savepoints:
            savepoints[place] = Savepoint(
                path=point.path, taken_at=point.taken_at, reason=SavepointReason.FOUND
            )
        elif not savepoints[place].taken_at:
            savepoints[place] = savepoints[place].model_copy(update={"taken_at": point.taken_at})
    return sorted(savepoints.values(), key=lambda savepoint: savepoint.taken_at, reverse=True)


def listed(savepoints: Sequence[Savepoint], note: str = "") -> str:
    """Return the newest in lines of time and path: each list of jobs has them as its output."""
    newest, older = savepoints[:MOST_SAVEPOINTS], len(savepoints) - MOST_SAVEPOINTS
    lines = [f"{savepoint.taken_at or '-'} {savepoint.path}" for savepoint in newest]
    lines += [f"Older ones, not listed: {older}"] if older > 0 else []
    return "\n".join([*(lines or ["No savepoints"]), *([note] if note else [])])
