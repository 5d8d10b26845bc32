"""Bringing one job to what is wanted: observe, decide, check, perform, wait, or roll back.

Where it stands is read from the cluster each time, never remembered: a run that died anywhere is
taken up by the next one. The newest active submission is the present version; if it is the wanted
one, the work was done before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.protocol import ControlPlane, Purpose, Submission
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import ActionFailed, ClusterTakenDown, PermanentError
from flink_jobs_provider.model.identity import generation_of
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord, Removed
from flink_jobs_provider.model.savepoint import RestorePoint, SavepointReason, same_path
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.planning.plan import asks_for_new_run, newly_restores
from flink_jobs_provider.reconciling.flink.delete import cancel, remove
from flink_jobs_provider.reconciling.flink.earlier_runs import EarlierRuns
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.lost_operators import LostOperators
from flink_jobs_provider.reconciling.flink.observer import Observer, Seen, Version
from flink_jobs_provider.reconciling.flink.preflight import Preflight
from flink_jobs_provider.reconciling.flink.refresh import Reader
from flink_jobs_provider.reconciling.flink.rescale import Rescaler, rescaling
from flink_jobs_provider.reconciling.flink.rollback import (
    FindJar,
    WayBack,
    find_here,
    previous_version,
)
from flink_jobs_provider.reconciling.flink.rollout import Launch, Roller
from flink_jobs_provider.reconciling.flink.slots import Slots
from flink_jobs_provider.reconciling.flink.start_origin import Origins
from flink_jobs_provider.reconciling.flink.state_directories import StateDirectories
from flink_jobs_provider.reconciling.flink.stop import Stopper
from flink_jobs_provider.reconciling.flink.submit import Starter, submission
from flink_jobs_provider.reconciling.record_updates import add_aside, done, keep
from flink_jobs_provider.reconciling.refusals import finished_meanwhile, still_to_come
from flink_jobs_provider.reconciling.waiting import Clock, Coming, Waiter


class Reconciler:
    """Carries out changes to the jobs of one cluster.

    Args:
        plane: The cluster.
        local_paths: Whether the cluster's local paths are this machine's.
        say: Told each step in a line, while it happens.
        clock: Time and sleep.
        find_jar: Returns the jar of a previous version that is no longer on the cluster.
    """

    def __init__(
        self,
        plane: ControlPlane,
        local_paths: bool = False,
        say: Callable[[str], None] = lambda _line: None,
        clock: Clock | None = None,
        find_jar: FindJar = find_here,
    ) -> None:
        self._plane = plane
        self._say = say
        clock = clock or Clock()
        waiter = Waiter(plane, clock)
        self._observer = Observer(plane)
        self._clock = clock
        self._waiter = waiter
        self._directories = StateDirectories(plane, local_paths)
        self._states = StateFinder(plane, clock, self._directories)
        self._preflight = Preflight(plane, self._states, Slots(plane, clock), say)
        self._origins = Origins(plane, self._states, clock, say)
        self._stopper = Stopper(plane, waiter, self._states, self._preflight, say)
        self._starter = Starter(plane, waiter, clock, say)
        self._operators = LostOperators(plane, say)
        self._way_back = WayBack(plane, find_jar)
        self._roller = Roller(plane, self._starter, self._way_back, self._states, say)
        self._earlier = EarlierRuns(plane, waiter, self._states, say)
        self._rescaler = Rescaler(plane, waiter, clock, say)
        self._reader = Reader(plane, self._states, self._observer, waiter)

    async def bring_about(
        self, recorded: JobRecord | None, wanted: JobSpec, jar: Jar | str
    ) -> JobRecord:
        """Make a job as it is wanted, and return what is now so.

        May be called again after a crash at any point, with the same or another spec.

        Args:
            recorded: What the state says; none where the job is to be created. One that names no
                job, but a generation, is of a job to be created whose name had others before:
                what they left is not gone on from.
            wanted: The job as it should be.
            jar: Its jar, opened; or the digest of one that is on the cluster already.

        Raises:
            JobError: What happened, what runs now, and what to do.
        """
        try:
            return await self._brought_about(recorded, wanted, jar)
        finally:
            self._preflight.slots.give_back(wanted.key.prefix)

    async def _brought_about(
        self, recorded: JobRecord | None, wanted: JobSpec, jar: Jar | str
    ) -> JobRecord:
        wanted = wanted.carrying_on(recorded.spec) if recorded else wanted
        if recorded and recorded.unconfirmed:
            recorded = await self._earlier.await_recorded(recorded, wanted)
            seen = await self._observer.observe(recorded, wanted)
            sent_before = recorded.unconfirmed is not None
        else:
            seen = await self._observer.observe(recorded, wanted)
            coming = await self._earlier.await_unrecorded(recorded, wanted, seen)
            if coming is not Coming.NEVER:
                seen = await self._observer.observe(recorded, wanted)
            sent_before = coming in (Coming.MAIN_RUNS, Coming.UNKNOWN)
        if wanted.desired_state is DesiredState.STOPPED:
            return await self._stopped(recorded, wanted, seen)
        for older in seen.active[1:]:
            recorded = await self._stop_duplicate(recorded, wanted, older)
        if seen.active:
            return await self._with_active(recorded, wanted, jar, seen, seen.active[0])
        return await self._from_ended(recorded, wanted, jar, seen, sent_before)

    async def look(self, recorded: JobRecord) -> JobRecord:
        """Return a record as the cluster shows it now; nothing is touched."""
        return await self._reader.look(recorded)

    async def look_for_plan(self, recorded: JobRecord) -> JobRecord:
        """Return the same with what a start would begin from, for a plan to name."""
        return await self._reader.look_for_plan(recorded)

    async def find_start(self, recorded: JobRecord, wanted: JobSpec) -> RestorePoint | None:
        """Return what a start of a job that does not run would begin from, or None."""
        return await self._reader.find_start(recorded, wanted)

    async def cancel(self, recorded: JobRecord) -> bool:
        """End a job without a savepoint; whether any of it ran. Its jars stay."""
        await self._await_unrecorded(recorded)
        return await cancel(self._plane, self._stopper, recorded)

    async def savepoints(self, spec: JobSpec) -> list[RestorePoint]:
        """Return the savepoints in a job's savepoint directory, newest first.

        Those of another owner's job of the same name are not among them. None where it cannot be
        read from here.
        """
        return await self._directories.savepoints(spec)

    async def remove(self, recorded: JobRecord) -> Removed:
        """End a job for good, with a savepoint where `on_delete` asks for one."""
        if recorded.unconfirmed:
            recorded = await self._earlier.await_recorded(recorded, recorded.spec)
        else:
            await self._await_unrecorded(recorded)
        if recorded.unconfirmed:
            raise still_to_come(recorded.unconfirmed, recorded.spec)
        return await remove(self._plane, self._stopper, self._states, recorded)

    async def _await_unrecorded(self, recorded: JobRecord) -> None:
        """Wait for what a killed run may have submitted of a job that is to be ended."""
        ours = (await self._plane.jobs()).of(recorded.spec.key, recorded=recorded.job_id)
        await self._earlier.await_unrecorded(recorded, recorded.spec, Seen(tuple(ours)))

    # A version runs

    async def _with_active(
        self,
        recorded: JobRecord | None,
        wanted: JobSpec,
        jar: Jar | str,
        seen: Seen,
        current: ObservedJob,
    ) -> JobRecord:
        version = await self._observer.version(current, recorded, wanted, seen)
        if not version.wanted:
            return await self._restart(recorded, wanted, jar, seen, current, version)
        if recorded is None or recorded.job_id != current.job_id or recorded.other_version:
            return await self._adopt(recorded, wanted, jar, seen, current, version)
        if recorded.spec.desired_state is DesiredState.STOPPED:  # a START that died, read back
            return await self._adopt(recorded, wanted, jar, seen, current, version)
        if recorded.rescaled:
            now = await rescaling(self._plane, recorded, current)
            recorded = recorded.model_copy(update=now)
        if recorded.rescaled and not recorded.rescales_in_place:
            return await self._restart(recorded, wanted, jar, seen, current, version)
        if recorded.rescaled:
            recorded = await self._rescaler.bring_back(recorded, wanted, current)
        if wanted.savepoint_trigger not in (None, recorded.spec.savepoint_trigger):
            return await self._savepoint(recorded, wanted, current)
        return recorded.model_copy(
            update={"spec": wanted, "status": current.status, "duplicates": []}
        )

    async def _adopt(
        self,
        recorded: JobRecord | None,
        wanted: JobSpec,
        jar: Jar | str,
        seen: Seen,
        current: ObservedJob,
        version: Version,
    ) -> JobRecord:
        """Take over the wanted version, which a run that died has started.

        One that does not come up gives way to the previous version, as it would have in that run.
        """
        self._say(f"{wanted.job_name}: version {current.generation} was started before, adopted")
        origin = version.restored_from
        try:
            started = await self._starter.watch(wanted, current.job_id, origin)
        except ActionFailed as error:
            launch = await self._interrupted(recorded, wanted, jar, seen, current, version)
            if launch:
                raise await self._roller.give_up(launch, current.job_id, error.happened) from None
            raise ActionFailed(
                f"{wanted.job_name}: {error.happened}",
                now=f"It is job {current.job_id}, which an earlier run started",
                remedy="Mend the job, and run again",
            ) from None
        base = recorded
        if base and origin and all(known.path != origin for known in base.savepoints):
            base = keep(base, origin, SavepointReason.FOUND, wanted, taken_at="")
        started = replace(started, generation=current.generation)
        action = Action.UPDATE if recorded and recorded.job_id else Action.NEW
        if recorded and recorded.spec.desired_state is DesiredState.STOPPED:
            action = Action.START
        return await self._roller.record(base, wanted, started, action)

    async def _interrupted(
        self,
        recorded: JobRecord | None,
        wanted: JobSpec,
        jar: Jar | str,
        seen: Seen,
        current: ObservedJob,
        version: Version,
    ) -> Launch | None:
        """Return the launch that a killed run began, or None where nothing is to go back to.

        A version that has completed a checkpoint of its own holds state that the previous one
        would drop.
        """
        if recorded is None or recorded.job_id == current.job_id:
            return None
        row = (await self._plane.jobs()).by_id.get(current.job_id, current)
        statistics = await self._states.settled(row)
        if statistics and statistics.completed:
            return None
        back = version.restored_from
        if back and newly_restores(recorded, wanted) and same_path(back, wanted.restore_from):
            former = next((job for job in seen.ended if job.job_id == recorded.job_id), None)
            point = await self._states.of_ended(former) if former else None
            back = point.path if point else None
        if back is None and wanted.upgrade_mode is not UpgradeMode.STATELESS:
            return None
        launch = Launch(
            recorded,
            recorded,
            wanted,
            jar,
            current.generation,
            version.restored_from,
            back,
            Action.UPDATE,
        )
        return launch if launch.previous else None

    async def _savepoint(
        self, recorded: JobRecord, wanted: JobSpec, current: ObservedJob
    ) -> JobRecord:
        path = await self._stopper.take(
            wanted, current, Purpose.SAVEPOINT, occasion=wanted.savepoint_trigger or ""
        )
        record = keep(recorded, path, SavepointReason.SAVEPOINT, wanted)
        output = f"Savepoint completed. Path: {path}"
        return done(record, wanted, Action.SAVEPOINT, output).model_copy(
            update={"status": JobStatus.RUNNING}
        )

    async def _restart(
        self,
        recorded: JobRecord | None,
        wanted: JobSpec,
        jar: Jar | str,
        seen: Seen,
        current: ObservedJob,
        version: Version,
    ) -> JobRecord:
        """UPDATE, LAST_STATE_UPDATE or STATELESS_UPDATE of a job that runs."""
        unchanged = f"Job {current.job_id} goes on as it was"
        generation = seen.next_generation(recorded)
        named, mode = version.restores, wanted.upgrade_mode
        if named:
            await self._preflight.restore_point(wanted, named, unchanged)
        with_savepoint = mode is UpgradeMode.SAVEPOINT or (
            named is not None and mode is UpgradeMode.LAST_STATE
        )
        if with_savepoint:
            await self._preflight.savepoint_layout(wanted, unchanged)
        previous = previous_version(recorded)
        if previous and previous.jar_digest != wanted.jar_digest:
            await self._way_back.secure(previous, unchanged)
        await self._check_program(
            recorded,
            wanted,
            jar,
            generation,
            named,
            current,
            unchanged,
            carried=named is None and mode is not UpgradeMode.STATELESS,
        )
        base = recorded
        restore: str | None
        back: str | None
        never_ran = recorded is None or recorded.job_id is None
        if with_savepoint and never_ran and await self._stopper.cancel_stillborn(wanted, current):
            restore, back, action = named, None, Action.NEW
        elif with_savepoint:
            path = await self._stopper.take(wanted, current, Purpose.STOP)
            base = keep(recorded, path, SavepointReason.UPDATE, wanted, current)
            restore, back, action = named or path, path, Action.UPDATE
        elif mode is UpgradeMode.LAST_STATE:
            path = (await self._stopper.cancel_for_last_state(wanted, current)).path
            restore, back, action = path, path, Action.LAST_STATE_UPDATE
        else:
            self._say(f"{wanted.job_name}: cancelling job {current.job_id}, its state is dropped")
            await self._stopper.cancel(wanted, current)
            restore, back, action = named, None, Action.STATELESS_UPDATE
        return await self._roller.launch(
            Launch(recorded, base, wanted, jar, generation, restore, back, action)
        )

    async def _check_program(
        self,
        recorded: JobRecord | None,
        wanted: JobSpec,
        jar: Jar | str,
        generation: int,
        restore: str | None,
        replaced: ObservedJob | None,
        now: str,
        carried: bool = False,
    ) -> None:
        """Check that a version could start; one that could not leaves no jar behind.

        Args:
            recorded: What the state says.
            wanted: The version.
            jar: Its jar.
            generation: Its generation.
            restore: What it starts from.
            replaced: The running version.
            now: What is said of that in errors.
            carried: Whether the state of the running version is to be carried over.
        """
        try:
            request = submission(wanted, jar, generation, restore)
            planned = await self._preflight.program(request, replaced, now)
            if carried and replaced and planned and not wanted.allow_non_restored_state:

                async def running_version() -> Submission | None:
                    return await self._running_version(recorded, replaced, jar)

                await self._operators.check(replaced.job_id, request, planned, running_version, now)
        except ClusterTakenDown:
            raise
        except PermanentError:
            running = recorded.job_id if recorded else None
            digest = recorded.spec.jar_digest if recorded else None
            await self._roller.forget_jars(recorded, wanted, running, digest)
            raise

    async def _running_version(
        self, recorded: JobRecord | None, current: ObservedJob, jar: Jar | str
    ) -> Submission | None:
        """Return the running version, or None where it is not the recorded one."""
        previous = previous_version(recorded)
        if recorded is None or previous is None:
            return None
        if current.job_id != recorded.job_id or recorded.other_version:
            same, _ = await self._observer.submitted_as(current, recorded, previous)
            if not same:
                return None
        same_jar = isinstance(jar, Jar) and jar.digest == previous.jar_digest
        return submission(previous, jar if same_jar else str(previous.jar_digest), 1, None)

    # No version runs

    async def _from_ended(
        self,
        recorded: JobRecord | None,
        wanted: JobSpec,
        jar: Jar | str,
        seen: Seen,
        sent_before: bool,
    ) -> JobRecord:
        """Start a job that does not run: new, stopped, failed, cancelled, or lost.

        Args:
            recorded: What the state says.
            wanted: The job as it should be.
            jar: Its jar.
            seen: Its submissions, all of which have ended.
            sent_before: Whether an earlier run may have submitted this version.
        """
        if recorded and recorded.job_id:
            over = await self._finished(recorded, wanted, jar, seen)
            if over is not None:
                return over
        origin = await self._origins.of(recorded, wanted, seen)
        generation = seen.next_generation(recorded)
        if generation == 1:
            generation += await self._directories.last_generation(wanted)
        unconfirmed = recorded.unconfirmed if recorded else None
        if unconfirmed:
            earlier = generation_of(unconfirmed)
            again = submission(wanted, jar, earlier, origin.restore).job_id == unconfirmed
            if not again:
                raise still_to_come(unconfirmed, wanted)
            generation = earlier
        now = "Nothing of it runs"
        if origin.restore and same_path(origin.restore, wanted.restore_from):
            await self._preflight.restore_point(wanted, origin.restore, now)
        await self._check_program(recorded, wanted, jar, generation, origin.restore, None, now)
        return await self._roller.launch(
            Launch(
                recorded,
                origin.base,
                wanted,
                jar,
                generation,
                origin.restore,
                origin.back,
                origin.action,
                sent_before,
            )
        )

    async def _finished(
        self, recorded: JobRecord, wanted: JobSpec, jar: Jar | str, seen: Seen
    ) -> JobRecord | None:
        """Return the record of a job that came to its own end; None where a new run is asked for.

        Raises:
            StateUnavailable: One is, and the plan was made for a job that runs.
        """
        newest = seen.ended[0] if seen.ended else None
        if newest is None or newest.generation < recorded.generation:
            over = recorded.status is JobStatus.FINISHED and not asks_for_new_run(recorded, wanted)
            return recorded.model_copy(update={"spec": wanted}) if over else None
        if recorded.status is JobStatus.STOPPED and newest.job_id == recorded.job_id:
            return None
        if not await self._states.came_to_its_end(newest):
            return None
        version = await self._observer.version(newest, recorded, wanted, seen)
        if version.wanted and newest.job_id != recorded.job_id:
            return await self._adopt(recorded, wanted, jar, seen, newest, version)
        if version.wanted:
            update = {"spec": wanted, "status": JobStatus.FINISHED, "running_parallelism": None}
            return recorded.model_copy(update={**update, "duplicates": []})
        stateless = wanted.upgrade_mode is UpgradeMode.STATELESS
        if recorded.status.active and not version.restores and not stateless:
            raise finished_meanwhile(wanted, newest.job_id)
        return None

    # Stopping

    async def _stopped(self, recorded: JobRecord | None, wanted: JobSpec, seen: Seen) -> JobRecord:
        """STOP: end the job with a savepoint, or record that it has ended."""
        record = recorded or JobRecord(spec=wanted, status=JobStatus.STOPPED)
        path = None
        for job in reversed(seen.active):  # the newest last: its savepoint is the one to go on from
            path = await self._stopper.take(wanted, job, Purpose.STOP)
            base = recorded and record
            record = keep(base, path, SavepointReason.STOP, wanted, job)
        status = JobStatus.STOPPED
        if not seen.active and recorded and recorded.status is not JobStatus.STOPPED:
            path, record, status = await self._found_ended(recorded, wanted, seen)
        action = Action.STOP if path else record.action
        output = f"Savepoint completed. Path: {path}" if path else record.job_output
        return done(record, wanted, action, output).model_copy(
            update={"status": status, "running_parallelism": None}
        )

    async def _found_ended(
        self, recorded: JobRecord, wanted: JobSpec, seen: Seen
    ) -> tuple[str | None, JobRecord, JobStatus]:
        """Return how a job is that ended before it was to be stopped.

        Returns:
            The savepoint of a stop by a run that died, or None; the record, with the savepoint
            that was found; and the job's status.
        """
        newest = seen.ended[0] if seen.ended else None
        if newest is None or newest.generation < recorded.generation:
            finished = recorded.status is JobStatus.FINISHED
            return None, recorded, JobStatus.FINISHED if finished else JobStatus.STOPPED
        if await self._states.came_to_its_end(newest):
            return None, recorded, JobStatus.FINISHED
        point = await self._states.of_ended(newest)
        if point is None or point.what != "savepoint":
            return None, recorded, JobStatus.STOPPED
        stopped = newest.state == "FINISHED"
        reason = SavepointReason.STOP if stopped else SavepointReason.FOUND
        record = keep(recorded, point.path, reason, wanted, newest, taken_at=point.taken_at)
        return point.path if stopped else None, record, JobStatus.STOPPED

    async def _stop_duplicate(
        self, recorded: JobRecord | None, wanted: JobSpec, older: ObservedJob
    ) -> JobRecord | None:
        """End the older of two copies; with a savepoint, since nobody knows which state counts."""
        self._say(f"{wanted.job_name}: two copies run; stopping the older one, {older.job_id}")
        path = await self._stopper.take(wanted, older, Purpose.STOP)
        return add_aside(recorded, path, SavepointReason.DUPLICATE) if recorded else None
