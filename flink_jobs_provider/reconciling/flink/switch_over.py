"""Switching over with both versions running (blue-green): the old one stops last.

The new version, the green one, starts from a savepoint that is taken while the old one, the blue,
runs on; when it is up and healthy, the blue one is stopped with a savepoint, which is the way back.
Blue is not touched before, so that a green one that fails costs nothing.

A run that died is taken up by the next one: where that wants the green version, in this way, it
judges it again and goes on; else the green one is cancelled, and the blue one is the job.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

from flink_jobs_provider.control_planes.protocol import ControlPlane, Mark, Purpose
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ClusterUnreachable,
    DeadlineExceeded,
    GateFailed,
    JobError,
    JobVanished,
    MainStillRuns,
    PermanentError,
    StateUnavailable,
    TemporaryError,
)
from flink_jobs_provider.model.identity import identity_of, spec_digits_of
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import SavepointReason
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.planning.plan import newly_restores
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.flink.earlier_runs import Coming, EarlierRuns
from flink_jobs_provider.reconciling.flink.ending import Stopper
from flink_jobs_provider.reconciling.flink.gate_watch import GateWatch, Predecessor
from flink_jobs_provider.reconciling.flink.greens import greens_among, switching
from flink_jobs_provider.reconciling.flink.observer import (
    Change,
    Observer,
    Seen,
    identities,
    submissions_of,
)
from flink_jobs_provider.reconciling.flink.rollout import Launch, Roller, to_be_recorded
from flink_jobs_provider.reconciling.flink.submissions import DidNotStart, Started, Starter
from flink_jobs_provider.reconciling.job_errors import still_to_come
from flink_jobs_provider.reconciling.record_updates import keep, record_of

#: What follows from two versions that run at once.
_TWICE = "both write their output until then"


@dataclass(frozen=True)
class Greens:
    """Finds green versions of a job, and waits for those that are on their way."""

    _plane: ControlPlane
    _observer: Observer
    _earlier: EarlierRuns

    async def of(
        self, recorded: JobRecord | None, wanted: JobSpec, seen: Seen
    ) -> tuple[Seen, tuple[ObservedJob, ...]]:
        """Return the submissions of a job, and those of them that are green.

        One that a killed run has sent, and that its cluster does not list yet, is waited for. Marks
        that no switch-over needs any more are removed.

        Raises:
            DeadlineExceeded: One may still start.
        """
        if not seen.active:
            return seen, ()
        marks = await switching(self._plane, identities(recorded, wanted))
        listed = {job.job_id for job in seen.ours}
        on_their_way = [mark.job_id for mark in marks if mark.job_id not in listed]
        for job_id in on_their_way:
            coming = await self._earlier.until_shown(
                partial(_lists, job_id), wanted.timeout("submit")
            )
            if coming is Coming.MAIN_RUNS:
                raise still_to_come(job_id, wanted)
        if on_their_way:
            seen = await self._observer.observe(recorded, wanted)
        green = greens_among(seen.active, recorded, marks)
        needed = {job.job_id for job in green}
        for mark in marks:
            if mark.job_id not in needed:
                await self._plane.remove_mark(mark)
        return seen, green

    async def mark(self, job_id: str, timeout: float) -> None:
        """Mark a version that is about to be submitted."""
        known = await switching(self._plane, {identity_of(job_id)})
        if all(mark.job_id != job_id for mark in known):
            await self._plane.put_mark(Mark.SWITCHING, identity_of(job_id), job_id, timeout)

    async def unmark(self, job_id: str) -> None:
        """Remove the mark of a version: it is the job now, or has ended."""
        for mark in await switching(self._plane, {identity_of(job_id)}):
            if mark.job_id == job_id:
                await self._plane.remove_mark(mark)


@dataclass(frozen=True)
class SwitchOver:
    """Replaces running versions without stopping them before the new one has proven itself."""

    _plane: ControlPlane
    _observer: Observer
    greens: Greens
    _starter: Starter
    _stopper: Stopper
    _gate: GateWatch
    _roller: Roller
    _say: Say

    async def begin(
        self, change: Change, blue: ObservedJob, generation: int, before: Predecessor
    ) -> JobRecord:
        """Start the wanted version alongside the running one, and stop that when it is up.

        Raises:
            ActionFailed: It did not come up, and was cancelled; the running version goes on.
            TemporaryError: What runs is not known; the next run goes on.
        """
        wanted = change.wanted
        occasion = f"switch-over to version {generation}"
        path = await self._stopper.take_whole(wanted, blue, Purpose.SAVEPOINT, occasion)
        before = replace(before, runs_on=blue.job_id)
        launch = self._launch(change, blue, generation, path, before)
        self._say(
            f"{wanted.job_name}: starting version {generation} alongside job {blue.job_id}, which "
            f"stops when it is up; {_TWICE}"
        )
        try:
            await self.greens.mark(launch.job_id, wanted.timeout("submit"))
        except JobError as error:
            error.complete(now=_left(blue, error))
            raise

        async def start() -> Started:
            return await self._starter.start(wanted, change.jar, generation, path, before=before)

        return await self._completed(launch, blue, start)

    async def take_up(self, change: Change, greens: tuple[ObservedJob, ...]) -> JobRecord | None:
        """Go on with what a run has begun; None where one version alone is left by that.

        That is the blue one, as before; or the green one, where the blue was being stopped.
        """
        blue = next(job for job in change.seen.active if job not in greens)
        if await self._has_stopped(change.wanted, blue, greens):
            return None
        chosen = await self._chosen(change, greens, blue)
        for green in greens:
            if chosen is None or green is not chosen[0]:
                await self._cancel(change.wanted, green, blue)
        if chosen is None:
            return None
        green, path = chosen
        wanted = change.wanted
        self._say(
            f"{wanted.job_name}: job {green.job_id}, version {green.generation}, was started before"
            f" alongside job {blue.job_id}, which stops when it is up; {_TWICE}"
        )
        numbers = await self._gate.numbers_before_stop(wanted, blue)
        before = Predecessor(numbers, watched_before=True, runs_on=blue.job_id)

        async def watch() -> Started:
            return await self._starter.watch(wanted, green.job_id, path, before)

        return await self._completed(
            self._launch(change, blue, green.generation, path, before), blue, watch
        )

    async def call_off(self, recorded: JobRecord) -> None:
        """Cancel what a run has begun: the job itself is to be ended, or left to others."""
        spec = recorded.spec
        seen = Seen(tuple(submissions_of(recorded, await self._plane.jobs())))
        seen, greens = await self.greens.of(recorded, spec, seen)
        if not greens:
            return
        blue = next(job for job in seen.active if job not in greens)
        if await self._has_stopped(spec, blue, greens):
            return
        for green in greens:
            await self._cancel(spec, green, blue)

    async def _has_stopped(
        self, spec: JobSpec, blue: ObservedJob, greens: tuple[ObservedJob, ...]
    ) -> bool:
        """Whether the run that died was stopping the blue version already: it has ended then."""
        if not await self._stopper.await_stop(spec, blue):
            return False
        for green in greens:
            await self.greens.unmark(green.job_id)
        return True

    async def _chosen(
        self, change: Change, greens: tuple[ObservedJob, ...], blue: ObservedJob
    ) -> tuple[ObservedJob, str] | None:
        """Return the green version that is wanted, and what it started from; None for none."""
        recorded, wanted = change.recorded, change.wanted
        if wanted.upgrade_mode is not UpgradeMode.BLUE_GREEN or newly_restores(recorded, wanted):
            return None
        if wanted.desired_state is DesiredState.STOPPED:
            return None
        if (await self._observer.version(blue, change)).wanted:
            return None
        taken = await self._plane.checkpoints(blue.job_id)
        for green in greens:
            statistics = await self._plane.checkpoints(green.job_id)
            origin = statistics.restored_from if statistics else ""
            for path in (origin, taken.savepoint if taken else ""):
                if path and wanted.digits(path).startswith(spec_digits_of(green.job_id)):
                    return green, path
        return None

    async def _cancel(self, spec: JobSpec, green: ObservedJob, blue: ObservedJob) -> None:
        self._say(
            f"{spec.job_name}: cancelling job {green.job_id}, which an earlier run started "
            f"alongside job {blue.job_id}"
        )
        await self._starter.end(green.job_id, spec)
        await self.greens.unmark(green.job_id)

    def _launch(
        self, change: Change, blue: ObservedJob, generation: int, path: str, before: Predecessor
    ) -> Launch:
        base = change.recorded or record_of(change.wanted, blue)
        if all(known.path != path for known in base.savepoints):
            base = keep(base, path, SavepointReason.SAVEPOINT)
        return Launch(change, base, generation, path, path, Action.UPDATE, before=before)

    async def _completed(
        self, launch: Launch, blue: ObservedJob, until_up: Callable[[], Awaitable[Started]]
    ) -> JobRecord:
        """Wait for the green version, stop the blue one, and record that."""
        change, green = launch.change, launch.job_id
        try:
            started = await until_up()
        except MainStillRuns as error:
            now = f"It may still start, as job {green}. {_goes_on(blue)}"
            raise MainStillRuns(error.happened, now=now, remedy=error.remedy) from None
        except JobVanished as error:
            raise await self._lost(error, launch, blue) from None
        except (DidNotStart, ActionFailed, DeadlineExceeded) as failure:
            why = _why(failure, change.wanted.job_name)
            raise await self._failed(launch, blue, why) from None
        except PermanentError as error:
            error.complete(now=_goes_on(blue))
            raise
        except TemporaryError as error:
            now = f"Whether version {launch.generation} runs is not known. {_left(blue, error)}"
            raise type(error)(error.happened, now=now, remedy="Run again to go on") from None
        path = await self._retire(launch, blue)
        if path is not None:
            base = keep(launch.base or record_of(change.wanted, blue), path, SavepointReason.UPDATE)
            launch = replace(launch, base=base, back=path)
        await self._check_runs(launch, blue)
        record = await self._roller.record(launch.base, change.wanted, started, launch.action)
        await self.greens.unmark(green)
        digest = change.wanted.jar_digest
        await self._roller.forget_jars(change.recorded, change.wanted, green, digest)
        stopped = f"was stopped after that, with savepoint {path}"
        how = stopped if path else "has ended, without a savepoint"
        output = f"{record.job_output}; job {blue.job_id} {how}"
        return record.model_copy(update={"job_output": output})

    async def _retire(self, launch: Launch, blue: ObservedJob) -> str | None:
        """Stop the blue version; return its savepoint, or None if none could be taken.

        Raises:
            ActionFailed: It does not stop; the green version was cancelled.
            TemporaryError: Whether it has stopped is not known: both are left.
        """
        wanted, green = launch.change.wanted, launch.job_id
        try:
            path = await self._stopper.take(wanted, blue, Purpose.STOP)
        except TemporaryError as error:
            now = f"Job {green} is up, and job {blue.job_id} may still run"
            raise type(error)(error.happened, now=now, remedy="Run again to go on") from None
        except PermanentError as error:
            row = (await self._plane.jobs()).by_id.get(blue.job_id)
            runs, prefix = row is not None and row.active, f"{wanted.job_name}: "
            if runs and not isinstance(error, StateUnavailable):
                reason = error.reason.removeprefix(prefix)
                why = f"is up, and job {blue.job_id} could not be stopped: {reason}"
                raise await self._failed(launch, blue, why) from None
            self._say(
                f"warning: {wanted.job_name}: no savepoint could be taken of job {blue.job_id}"
                f"{'' if runs else ', which has ended meanwhile'}: "
                f"{error.reason.removeprefix(prefix)}"
            )
            await self._starter.end(blue.job_id, wanted)
            return None
        # Of one that has completed no checkpoint it is its origin, older than the green one's.
        return path if f"/{blue.job_id}/" in path else None

    async def _check_runs(self, launch: Launch, blue: ObservedJob) -> None:
        """Check that the green version still runs, now that the blue one has ended.

        Raises:
            ActionFailed: It does not; the previous version runs again, from its own end.
            PermanentError: Another run has started another version meanwhile.
        """
        change, green = launch.change, launch.job_id
        snapshot = await self._plane.jobs()
        row = snapshot.by_id.get(green)
        if row is not None and (row.active or row.state == "FINISHED"):
            return
        await self.greens.unmark(green)
        other = next((job for job in snapshot.of(change.wanted.key) if job.active), None)
        if other is not None:
            raise PermanentError(
                f"{change.wanted.job_name}: another run ended version {launch.generation}",
                now=f"Job {other.job_id} runs",
                remedy="See that only one run works on this stack, and run again with --refresh",
            )
        why = f"ended while job {blue.job_id} was being stopped"
        raise await self._roller.give_up(launch, green, why)

    async def _lost(self, error: JobVanished, launch: Launch, blue: ObservedJob) -> JobError:
        """Return the error for a green version that its cluster lost, perhaps with the blue one."""
        try:
            row = (await self._plane.jobs()).by_id.get(blue.job_id)
        except ClusterUnreachable as away:
            return away
        if row is None:
            both = f"job {blue.job_id}, which ran alongside it, is not listed either"
            now = f"{error.now.removesuffix('.')}; {both}"
            return JobVanished(error.happened, now=now, remedy=error.remedy)
        how = _goes_on(blue) if row.active else f"Job {blue.job_id} has ended meanwhile"
        now = f"Job {launch.job_id} is no longer listed. {how}"
        return JobVanished(error.happened, now=now, remedy="Run again to go on")

    async def _failed(self, launch: Launch, blue: ObservedJob, why: str) -> ActionFailed:
        """Cancel a green version that failed; return the error that reports both."""
        change, green = launch.change, launch.job_id
        recorded, wanted = change.recorded, change.wanted
        await self._starter.end(green, wanted)
        await self.greens.unmark(green)
        digest = recorded.spec.jar_digest if recorded else None
        await self._roller.forget_jars(recorded, wanted, blue.job_id, digest)
        row = (await self._plane.jobs()).by_id.get(blue.job_id)
        runs = row is not None and row.active
        ended = f"Job {blue.job_id} has ended meanwhile"
        failed = ActionFailed(
            f"{wanted.job_name}: version {launch.generation} {why}",
            now=f"It was cancelled. {_goes_on(blue) if runs else ended}",
            remedy="Fix the new version, and run again"
            if runs
            else "Fix the new version, or declare the previous one, and run with --refresh, which "
            "starts it from the newest state",
        )
        return to_be_recorded(failed, launch, outlived(launch.base, launch.generation))


def outlived(recorded: JobRecord | None, *generations: int) -> JobRecord | None:
    """Return the record of a version that goes on while later ones have ended: they are counted."""
    if recorded is None or recorded.job_id is None:
        return recorded
    return recorded.model_copy(update={"generation": max(recorded.generation, *generations)})


def _lists(job_id: str, snapshot: ClusterSnapshot) -> bool:
    return job_id in snapshot.by_id


def _goes_on(blue: ObservedJob) -> str:
    return f"Job {blue.job_id} was not stopped, and goes on as it was"


def _left(blue: ObservedJob, error: JobError) -> str:
    """Return how the blue version was left; a cluster that is away does not show how it is."""
    if isinstance(error, ClusterUnreachable):
        return f"Job {blue.job_id} was not stopped; how it is now is not known"
    return _goes_on(blue)


def _why(failure: DidNotStart | JobError, job_name: str) -> str:
    """Return how a green version failed, as the end of a sentence."""
    if not isinstance(failure, JobError):
        return f"did not start: {failure}"
    reason = failure.reason.removeprefix(f"{job_name}: ")
    gate = isinstance(failure, GateFailed)
    return f"did not {'pass its health gate' if gate else 'start'}: {reason}"
