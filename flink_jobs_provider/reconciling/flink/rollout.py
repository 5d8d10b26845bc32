"""Starting a version, and going back to the previous one when it does not come up."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace

from flink_jobs_provider.artifacts import Condition, Jar
from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ClusterTakenDown,
    GateFailed,
    JobError,
    MainStillRuns,
    StartedMeanwhile,
    TemporaryError,
)
from flink_jobs_provider.model.health_gate import FailedGate
from flink_jobs_provider.model.identity import identity_of
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.savepoint import SavepointReason, is_checkpoint
from flink_jobs_provider.model.spec import JobSpec, UpgradeMode
from flink_jobs_provider.planning.plan import previous_version
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.flink.failed_version import WRITTEN_AGAIN, FailedVersions, Left
from flink_jobs_provider.reconciling.flink.first_version import FirstVersion, is_first
from flink_jobs_provider.reconciling.flink.gate_watch import Predecessor, keeps
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.move_marks import unmark_earlier_moves
from flink_jobs_provider.reconciling.flink.observer import (
    Change,
    identities,
    rehearsal_identities,
    retention,
)
from flink_jobs_provider.reconciling.flink.submissions import (
    DidNotStart,
    Started,
    Starter,
    submission,
)
from flink_jobs_provider.reconciling.flink.way_back import WayBack
from flink_jobs_provider.reconciling.job_errors import (
    DECLARED_RUNS,
    RUNS_AGAIN,
    gate_kept,
    neither_started,
)
from flink_jobs_provider.reconciling.record_updates import (
    comes_back_to,
    done,
    keep,
    knows,
    older_savepoint,
    with_found,
)


@dataclass(frozen=True)
class Launch:
    """A version to start, and what to do if it does not come up.

    Attributes:
        change: The change, whose record has the previous version as its spec.
        base: That record with what the action added so far (savepoints).
        generation: The generation of the version to start.
        restore: What it starts from; None for a fresh start.
        back: What the previous version starts from, if it must.
        action: What this is called in the record.
        sent_before: Whether an earlier run may have submitted the version, and got no answer.
        before: What its health gate compares it with.
        otherwise: What the previous version starts from where it does not start from `back`.
    """

    change: Change
    base: JobRecord | None
    generation: int
    restore: str | None
    back: str | None
    action: Action
    sent_before: bool = False
    before: Predecessor = field(default_factory=Predecessor)
    otherwise: str | None = None

    @property
    def job_id(self) -> str:
        """The jobId of the version to start."""
        change = self.change
        return submission(change.wanted, change.jar, self.generation, self.restore).job_id

    @property
    def first(self) -> FirstVersion:
        """The version to start, as the first one of its job."""
        wanted = self.change.wanted
        return FirstVersion(self.base, wanted, self.job_id, self.generation, self.restore)

    @property
    def keeps_state(self) -> bool:
        """Whether what the version has done is kept if it fails: there is none to go back to."""
        stateless = self.change.wanted.upgrade_mode is UpgradeMode.STATELESS
        return self.previous is None and not stateless

    @property
    def previous(self) -> JobSpec | None:
        """The version to go back to; None where there is none, or that start would be the same."""
        previous = previous_version(self.change.recorded)
        if previous is None:
            return None
        same = previous.digits(self.back) == self.change.wanted.digits(self.restore)
        return None if same else previous


def to_be_recorded(failed: ActionFailed, launch: Launch, record: JobRecord | None) -> ActionFailed:
    """Add to an error what is to be recorded of a job of which a version has run."""
    failed.version = launch.generation
    if record and launch.change.recorded and launch.change.recorded.job_id:
        update = {"action_result": ActionResult.FAILED, "job_output": failed.happened}
        failed.partial = record.model_copy(update=update)
    return failed


@dataclass(frozen=True)
class Roller:
    """Starts versions so that one that fails leaves the previous one running."""

    _plane: ControlPlane
    _starter: Starter
    _way_back: WayBack
    _states: StateFinder
    _failed: FailedVersions
    _say: Say

    async def launch(self, launch: Launch) -> JobRecord:
        """Start a version; if it does not come up, the previous one from the same state.

        Raises:
            ActionFailed: It did not come up; the error reports what runs now.
            TemporaryError: The cluster stopped answering; the error reports where the state is.
        """
        recorded, wanted, jar = launch.change.recorded, launch.change.wanted, launch.change.jar
        starter = self._starter.of_first_version if is_first(recorded) else self._starter
        try:
            started = await starter.start(
                wanted,
                jar,
                launch.generation,
                launch.restore,
                sent_before=launch.sent_before,
                before=launch.before,
            )
        except DidNotStart as failure:
            raise await self._did_not_start(launch, f"did not start: {failure}") from None
        except GateFailed as failure:
            raise await self.not_passed(launch, launch.job_id, failure) from None
        except ClusterTakenDown as error:
            now = f"{error.now.removesuffix('.')}; {await self._state_of(launch)}"
            raise ClusterTakenDown(error.happened, now=now, remedy=error.remedy) from None
        except MainStillRuns as error:
            raise await self._still_runs(launch, error, wanted.job_name) from None
        except TemporaryError as error:
            first = is_first(launch.change.recorded)
            partial = await launch.first.while_it_comes_up(error, self._states) if first else None
            if not error.now:
                state = f"it is recorded as job {launch.job_id}" if partial else None
                error = type(error)(
                    f"{wanted.job_name}: {error.happened}",
                    now=f"Whether version {launch.generation} runs is not known; "
                    f"{state or await self._state_of(launch)}",
                    remedy=error.remedy or "Run again to go on",
                )
            error.partial = partial
            raise error from None
        record = await self.record(launch.base, wanted, started, launch.action)
        digest = jar if isinstance(jar, str) else jar.digest
        await self.forget_jars(recorded, wanted, started.job_id, digest)
        return record

    async def _did_not_start(self, launch: Launch, why: str) -> JobError:
        """Return the error for a version that did not come up, once the previous one runs again.

        Where there is none to go back to, what this one has done is kept.
        """
        if not launch.keeps_state:
            await self._starter.end(launch.job_id, launch.change.wanted)
            return await self.go_back(launch, why)
        left = await self._failed.end_alone(launch.change.wanted, launch.job_id)
        return await self._nothing_runs(launch, why, left)

    async def _nothing_runs(self, launch: Launch, why: str, left: Left) -> ActionFailed:
        """Return the error for a version that was ended, and has none before it to go back to."""
        recorded, wanted, base = launch.change.recorded, launch.change.wanted, launch.base
        await self.forget_jars(recorded, wanted)
        remedy: str | Remedy = "Fix it, and run again"
        if left.point is not None:
            launch = replace(launch, back=left.point.path)
            base = with_found(base, left.point) if base else None
        state = await self._state_of(launch)
        if left.completed and left.point is None:
            ended = "the checkpoints that it had completed ended with it, as they are not retained"
            state = f"{ended}; {state}{WRITTEN_AGAIN}" if launch.back else ended
            remedy = remedy if launch.back else Remedy.RESTORE_OR_EMPTY_OR_STOPPED
        failed = ActionFailed(
            f"{wanted.job_name}: version {launch.generation} {why}",
            now=f"Nothing of it runs; {state}",
            remedy=remedy,
        )
        if not is_first(recorded):
            return to_be_recorded(failed, launch, base)
        failed.version = launch.generation
        failed.partial = launch.first.when_it_failed(left, failed.happened)
        return failed

    async def give_up(self, launch: Launch, job_id: str, why: str) -> JobError:
        """End a version that was started before, run the previous one again; return the error."""
        await self._starter.end(job_id, launch.change.wanted)
        return await self.go_back(launch, why)

    async def not_passed(self, launch: Launch, job_id: str, failure: GateFailed) -> JobError:
        """Return the error for a version that did not pass its health gate.

        As the gate asks for, the previous version runs again, or this one is left and recorded.
        """
        wanted = launch.change.wanted
        row = (await self._plane.jobs()).by_id.get(job_id)
        if keeps(wanted) and row is not None and row.active:
            return await self._kept(launch, row, failure)
        returned = await self._failed.end(wanted, job_id, failure, launch.restore, launch.back)
        base = launch.base
        taken = returned.path and not is_checkpoint(returned.path)
        if base and returned.path and taken and not knows(base, returned.path):
            base = keep(base, returned.path, SavepointReason.FOUND)
        launch = replace(launch, base=base, back=returned.path, otherwise=returned.otherwise)
        why = f"did not pass its health gate: {failure.reason}"
        return await self.go_back(launch, why, returned.note)

    async def _kept(self, launch: Launch, row: ObservedJob, failure: GateFailed) -> GateFailed:
        """Return the error for a version that is left running, with what is to be recorded."""
        wanted, jar = launch.change.wanted, launch.change.jar
        started = Started(row.job_id, launch.generation, launch.restore, row.status)
        record = await self.record(launch.base, wanted, started, launch.action)
        digest = jar if isinstance(jar, str) else jar.digest
        await self.forget_jars(launch.change.recorded, wanted, row.job_id, digest)
        failed = FailedGate(
            check=failure.check, reason=failure.reason, earlier=launch.before.numbers
        )
        return gate_kept(record.model_copy(update={"gate_failed": failed}))

    async def go_back(self, launch: Launch, why: str, note: str = "") -> JobError:
        """Run the previous version again, and return the error that reports both."""
        recorded, wanted = launch.change.recorded, launch.change.wanted
        what = f"{wanted.job_name}: version {launch.generation} {why}"
        previous = launch.previous
        if previous is None or previous.jar_digest is None:
            stateless = wanted.upgrade_mode is UpgradeMode.STATELESS
            left = Left() if stateless else await self._failed.left_by(wanted, launch.job_id)
            return await self._nothing_runs(launch, why, left)
        self._say(f"{what}; going back to the previous version")
        # Whether it is healthy was seen before: it is to come up, and no more.
        terms = {"settle_time": wanted.settle_time, "health": None}
        declared, back = previous, launch.back
        previous = previous.model_copy(update=terms)
        try:
            jar = await self._way_back.jar(previous, launch.change.jar)
            try:
                started = await self._start_again(previous, jar, launch.generation + 1, back)
            except DidNotStart as refused:
                if launch.otherwise is None:
                    raise
                self._say(f"{wanted.job_name}: the previous version did not start: {refused}")
                back, note = launch.otherwise, WRITTEN_AGAIN
                started = await self._start_again(previous, jar, launch.generation + 2, back)
        except MainStillRuns as error:
            return await self._still_runs(launch, error, f"{what}; going back, too")
        except StartedMeanwhile as error:
            return ActionFailed(what, now=error.now, remedy=error.remedy)
        except (DidNotStart, JobError) as second:
            reason = second.reason if isinstance(second, JobError) else str(second)
            failed = ActionFailed(
                what,
                now=neither_started(reason, await self._state_of(launch)),
                remedy="Fix it, and run again",
            )
            return to_be_recorded(failed, launch, launch.base)
        await self.forget_jars(recorded, wanted, started.job_id, previous.jar_digest)
        failed = ActionFailed(
            what,
            now=f"{DECLARED_RUNS if recorded and recorded.adopted else RUNS_AGAIN} as job "
            f"{started.job_id}, " + (f"from {back}" if back else "without state") + note,
            remedy="Fix the new version, and run again",
        )
        record = launch.base
        with suppress(JobError):  # if it cannot be seen now, the next run finds it by its jobId
            record = await self.record(record, declared, started, launch.action)
        return to_be_recorded(failed, launch, record)

    async def _start_again(
        self, previous: JobSpec, jar: Jar | str, generation: int, back: str | None
    ) -> Started:
        """Start a previous version; one that does not come up is cancelled."""
        try:
            return await self._starter.start(previous, jar, generation, back)
        except DidNotStart:
            await self._starter.end(submission(previous, jar, generation, back).job_id, previous)
            raise

    async def _still_runs(self, launch: Launch, error: MainStillRuns, what: str) -> MainStillRuns:
        """Return the error of a version that may start when nobody waits for it, to be recorded."""
        reported = MainStillRuns(
            f"{what}: {error.happened}",
            now=f"It may still start as job {error.job_id}; {await self._state_of(launch)}",
            remedy=error.remedy,
            field=error.field,
        )
        base = launch.base or JobRecord(spec=launch.change.wanted, status=JobStatus.STARTING)
        reported.job_id = error.job_id
        reported.partial = base.model_copy(update={"unconfirmed": error.job_id})
        return reported

    async def _state_of(self, launch: Launch) -> str:
        """Return where the state of a job is that does not run, as far as that is seen."""
        if launch.back is None:
            return {
                Action.NEW: "it has no state yet",
                Action.STATELESS_UPDATE: "its state was dropped, as was asked",
            }.get(launch.action, "no state of it is known")
        finding = await self._states.inspect(launch.back)
        if finding.condition is Condition.WHOLE:
            return f"its state is in {launch.back}, whose _metadata is there and whole"
        older = older_savepoint(launch.base, launch.back)
        next_one = f"; the next older savepoint is {older}" if older else ""
        return f"its newest known state, {launch.back}, {finding}{next_one}"

    async def record(
        self, base: JobRecord | None, wanted: JobSpec, started: Started, action: Action
    ) -> JobRecord:
        """Return what is recorded of a version that is up."""
        record = base or JobRecord(spec=wanted, status=JobStatus.RUNNING)
        origin = started.restored_from
        output = f"Job started from {origin}" if origin else "Job started without state"
        return done(record, wanted, action, output).model_copy(
            update={
                "job_id": started.job_id,
                "unconfirmed": None,
                "adopted": None,
                "status": started.status,
                "last_savepoint": comes_back_to(record, origin),
                "generation": started.generation,
                "restored_from": origin,
                "running_parallelism": await self._plane.parallelism(started.job_id),
                "retains_checkpoints": await retention(self._plane, started.job_id),
                "submitted_parallelism": await self._plane.parallelism_bounds(started.job_id),
                "flink_version": (await self._plane.facts()).version_text,
                "dashboard_url": self._plane.dashboard(started.job_id),
            }
        )

    async def forget_jars(
        self,
        recorded: JobRecord | None,
        wanted: JobSpec,
        running: str | None = None,
        digest: str | None = None,
    ) -> None:
        """Remove jars that nothing needs; one that stays by accident is removed the next time.

        That with the digest is kept, under the identity of the version that runs. That earlier ones
        were moving is over, too.
        """
        for identity in identities(recorded, wanted) | rehearsal_identities(recorded, wanted):
            kept = running is not None and identity_of(running) == identity
            try:
                await self._plane.forget_jars(
                    identity, frozenset({digest}) if kept and digest else frozenset()
                )
                if running is not None and kept:
                    await unmark_earlier_moves(self._plane, identity, running)
            except (ActionFailed, TemporaryError) as error:
                self._say(f"{wanted.job_name}: old jars could not be removed: {error}")
