"""Rescaling running jobs: requested, waited for, judged by the health gate, undone where it fails.

Without a gate the job is to stay up as any version that has started. One that does not pass is
rescaled back while it runs. If it has ended by then, it is started again as it was, from its newest
checkpoint. Its last savepoint may be old: a start from that is left to the next run, whose plan
shows its age.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.errors import ActionFailed, DeadlineExceeded, GateFailed, JobError
from flink_jobs_provider.model.health_gate import FailedGate
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.conditions import Failed, Judgement, Met, NotYet, Observation
from flink_jobs_provider.reconciling.flink.gate_watch import GateWatch, Predecessor, keeps
from flink_jobs_provider.reconciling.flink.job_watch import JobWatch
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.observer import Change
from flink_jobs_provider.reconciling.flink.rescale import Suitability, runs_with
from flink_jobs_provider.reconciling.flink.rollout import Launch, Roller
from flink_jobs_provider.reconciling.job_errors import gate_kept, vanished
from flink_jobs_provider.reconciling.record_updates import done

#: Since then a rescale waits for the next checkpoint, however late that is (FLIP-461; measured on
#: 2.3.0 with an interval of an hour). Before, it begins at once, from the last one.
_AFTER_A_CHECKPOINT = (2, 0)
#: The pause before the second checkpoint that a rescale is to begin after, in seconds; each further
#: one is twice as long. One that completes too soon after the last rescale, within the scheduler's
#: cooldown of 30 s, begins none.
_NEXT_CHECKPOINT = 10.0


@dataclass(frozen=True)
class RescaleObservation:
    """A job that is being rescaled, at one moment.

    Attributes:
        job: Its row; None where its cluster no longer lists it.
        free_slots: How many slots are free; None where it does not lack any.
    """

    job: ObservedJob | None
    free_slots: int | None = None


@dataclass(frozen=True)
class RescaleEnded:
    """So many tasks of a job run, or all that there are slots for.

    No vertex runs with more than the most that it may have. So where as many tasks run as all of
    these together, each vertex has its own: the fresh row is evidence for every vertex.
    """

    tasks: int

    def judge(self, history: Sequence[Observation[RescaleObservation]]) -> Judgement:
        """Judge by the last row, and by the slots that were free then."""
        seen = history[-1].seen
        row = seen.job
        if row is None:
            return Failed("its cluster no longer lists it", self)
        if not row.active:
            return Failed(f"the job is {row.state}", self)
        if row.healthy and (row.tasks == self.tasks or seen.free_slots == 0):
            return Met()
        return NotYet(f"{row.running_tasks} of {self.tasks} tasks run")


@dataclass(frozen=True)
class _Settled:
    """A job some time after a rescale was requested.

    Attributes:
        note: What is to be noted, where other tasks run than it is to have.
        taken: Whether its cluster has rescaled it, as far as there are slots.
    """

    row: ObservedJob
    note: str = ""
    taken: bool = True


@dataclass(frozen=True)
class Rescaler:
    """Rescales running jobs: to a declared parallelism, or back to it."""

    _plane: ControlPlane
    _watch: JobWatch
    _gate: GateWatch
    _states: StateFinder
    _roller: Roller
    _say: Say

    async def bring_back(self, recorded: JobRecord, wanted: JobSpec, job: ObservedJob) -> JobRecord:
        """Undo a rescale of somebody else, and wait until the job runs so, or has no slots to.

        A run that died may have requested it: then it is waited for, and not requested again.

        Raises:
            ActionFailed: The cluster refused it, or the job ended.
            DeadlineExceeded: Its tasks do not all run yet.
        """
        bounds = recorded.submitted_parallelism or {}
        self._say(f"{wanted.job_name}: rescaling job {job.job_id} back while it runs")
        try:
            if recorded.rescaled:
                await self._request(wanted, job, bounds)
        except (ActionFailed, DeadlineExceeded) as error:
            raise ActionFailed(
                f"{wanted.job_name}: it could not be rescaled back: {error.reason}",
                now=f"Job {job.job_id} was not stopped",
                remedy=Remedy.RESTART_AS_DECLARED,
            ) from None
        settled = await self._settled(wanted, job.job_id, bounds)
        return await self._record(recorded, recorded.spec, bounds, settled)

    async def rescale(
        self, change: Change, job: ObservedJob, recorded: JobRecord, to: Suitability
    ) -> JobRecord | None:
        """Rescale a job to its declared parallelism, and wait until it is up so.

        A run that died may have requested it: then it is waited for, and not requested again.

        Returns:
            The record; or None where the cluster does not take it, and the job goes on as it was.

        Raises:
            ActionFailed: The job ended by it, or did not stay up or pass its health gate: then it
                is rescaled back, or started again as it was.
            GateFailed: It did not pass, and is left as `on_failure` says.
            DeadlineExceeded: Its tasks do not all run yet.
        """
        wanted, most = change.wanted, max(to.bounds.values())
        bounds = await self._plane.parallelism_bounds(job.job_id) or {}
        requested = bounds == to.bounds
        before = await self._gate.before_rescale(wanted, job, requested=requested)
        self._say(f"{wanted.job_name}: rescaling job {job.job_id} to {most} while it runs")
        try:
            if not requested:
                await self._request(wanted, job, to.bounds)
        except (ActionFailed, DeadlineExceeded) as error:
            self._say_not_taken(wanted, error.reason)
            return None
        try:
            settled = await self._settled(wanted, job.job_id, to.bounds)
        except (ActionFailed, DeadlineExceeded) as error:
            left = isinstance(error, DeadlineExceeded) and keeps(wanted)
            if wanted.health is None or left:
                raise
            why = error.reason.removeprefix(f"{wanted.job_name}: ")
            raise await self._undone(change, recorded, job, f"did not come up: {why}") from None
        if not settled.taken:
            former = recorded.submitted_parallelism or bounds
            await self._plane.rescale(job.job_id, former)
            self._say_not_taken(wanted, settled.note.removeprefix("; "))
            return None
        if wanted.health is None:
            row = await self._stays_up(recorded, wanted, settled.row, most)
            return await self._record(recorded, wanted, to.bounds, replace(settled, row=row))
        before = await self._gate.since_rescale(wanted, settled.row, before)
        try:
            row = await self._passes(wanted, settled.row, before)
        except GateFailed as failure:
            now = (await self._plane.jobs()).by_id.get(job.job_id)
            if now is None or not now.active or not keeps(wanted):
                why = f"did not pass its health gate: {failure.reason}"
                raise await self._undone(change, recorded, job, why) from None
            kept = FailedGate(check=failure.check, reason=failure.reason, earlier=before.numbers)
            settled = replace(settled, row=now)
            record = await self._record(recorded, wanted, to.bounds, settled)
            what = f"with parallelism {most} it"
            raise gate_kept(record.model_copy(update={"gate_failed": kept}), what) from None
        return await self._record(recorded, wanted, to.bounds, replace(settled, row=row))

    async def _passes(self, wanted: JobSpec, row: ObservedJob, before: Predecessor) -> ObservedJob:
        """Wait until a rescaled job has passed its health gate, and is up still."""
        deadline = self._watch.waiter.clock.now() + wanted.timeout("running")
        row = await self._gate.until_passed(wanted, row, None, deadline, before)
        return await self._gate.is_up(wanted, row)

    async def _undone(
        self, change: Change, recorded: JobRecord, job: ObservedJob, why: str
    ) -> JobError:
        """Undo a rescale that failed; return the error that reports both."""
        name, most = change.wanted.job_name, f"with parallelism {change.wanted.parallelism}"
        ended = await self._ended(change, recorded, job, f"{most} {why}")
        if ended is not None:
            return ended
        self._say(f"{name}: {most} it {why}; rescaling it back")
        now = await self._back_from(recorded, job)
        # What it has failed of may have ended it meanwhile.
        ended = await self._ended(change, recorded, job, f"{most} {why}")
        what = f"{name}: {most} it {why}"
        return ended or ActionFailed(what, now=now, remedy="Fix what it names, and run again")

    async def _ended(
        self, change: Change, recorded: JobRecord, job: ObservedJob, why: str
    ) -> JobError | None:
        """Start a job again as it was that is listed as ended; None for any other.

        It goes on from its newest checkpoint. Without one that is left nothing is started.
        """
        row = (await self._plane.jobs()).by_id.get(job.job_id)
        if row is None or row.active:
            return None
        point = await self._states.of_ended(row)
        if point is None or point.what != "checkpoint":
            return ActionFailed(
                f"{change.wanted.job_name}: version {job.generation} {why}",
                now=f"Job {job.job_id} does not run, and has left no checkpoint",
                remedy="Run again with --refresh, whose plan names the state that it starts from",
            )
        launch = Launch(change, recorded, job.generation, None, point.path, Action.UPDATE)
        return await self._roller.go_back(launch, why)

    def _say_not_taken(self, wanted: JobSpec, why: str) -> None:
        self._say(f"{wanted.job_name}: its cluster did not rescale it: {why}; restarting it")

    async def _request(self, wanted: JobSpec, job: ObservedJob, to: Mapping[str, int]) -> None:
        """Send the request, where the rescale begins at once right after a checkpoint."""
        if (await self._plane.facts()).version < _AFTER_A_CHECKPOINT:
            await self._plane.checkpoint(job.job_id, wanted.timeout("savepoint"))
        await self._plane.rescale(job.job_id, to)

    async def _record(
        self, recorded: JobRecord, spec: JobSpec, bounds: Mapping[str, int], settled: _Settled
    ) -> JobRecord:
        output = f"Rescaled to parallelism {max(bounds.values())} while it ran{settled.note}"
        return done(recorded, spec, Action.UPDATE, output).model_copy(
            update={
                "status": settled.row.status,
                "running_parallelism": await runs_with(self._plane, settled.row, bounds),
                "submitted_parallelism": dict(bounds),
            }
        )

    async def _stays_up(
        self, recorded: JobRecord, wanted: JobSpec, row: ObservedJob, most: int
    ) -> ObservedJob:
        """Wait until a rescaled job is up for good; one that does not stay so is rescaled back."""
        deadline = self._watch.waiter.clock.now() + wanted.timeout("running")
        try:
            row = await self._watch.until_settled(wanted, row, None, deadline)
            return await self._watch.is_up(wanted, row)
        except ActionFailed as error:
            what = f"{wanted.job_name}: with parallelism {most} {error.happened}"
            raise ActionFailed(
                what,
                now=await self._back_from(recorded, row),
                remedy="Fix what failed, and run again",
            ) from None

    async def _back_from(self, recorded: JobRecord, job: ObservedJob) -> str:
        """Rescale a job back that did not stay up; return how it is then, a sentence."""
        former = recorded.submitted_parallelism or {}
        try:
            row = (await self._plane.jobs()).by_id.get(job.job_id)
            if row is None or not row.active:
                return f"Job {job.job_id} is {row.state if row else 'gone'}"
            await self._plane.rescale(job.job_id, former)
            spec = recorded.spec
            settled = await self._settled(spec, job.job_id, former)
        except JobError as error:
            return f"Job {job.job_id} was not stopped, and it is not back: {error.reason}"
        back = f"parallelism {max(former.values())}{settled.note}"
        return f"Job {job.job_id} was rescaled back to {back}"

    async def _settled(self, wanted: JobSpec, job_id: str, bounds: Mapping[str, int]) -> _Settled:
        """Wait until all its tasks run, or all that there are slots for."""
        tasks = sum(bounds.values())
        due = self._watch.waiter.clock.now()
        pause = _NEXT_CHECKPOINT
        waits = (await self._plane.facts()).version >= _AFTER_A_CHECKPOINT

        async def observe(deadline: float) -> RescaleObservation:
            nonlocal due, pause
            row = (await self._watch.list(deadline)).by_id.get(job_id)
            now = self._watch.waiter.clock.now()
            if waits and row is not None and row.healthy and row.tasks != tasks and now >= due:
                await self._watch.request_checkpoint(job_id, wanted.timeout("savepoint"))
                due, pause = self._watch.waiter.clock.now() + pause, pause * 2
                row = (await self._watch.list(deadline)).by_id.get(job_id)
            lacks = row is not None and row.active and row.tasks < tasks
            return RescaleObservation(row, (await self._plane.task_slots())[0] if lacks else None)

        timeout = wanted.timeout("running")
        waited = await self._watch.waiter.until(
            observe, RescaleEnded(tasks), timeout, about=wanted.job_name
        )
        row = waited.last.job
        if row is None:
            raise vanished(f"{wanted.job_name}: it was rescaled, and {waited.reason}", job_id)
        if waited.failed:
            raise ActionFailed(
                f"{wanted.job_name}: it was rescaled, and {await self._watch.described(row)}",
                now=f"Job {job_id} does not run",
                remedy="Run again with --refresh, which starts it from its newest state",
            )
        if row.tasks == tasks and waited.met:
            return _Settled(row)
        if row.healthy:
            why = "no slot is free" if waited.met else f"{timeout:.0f} s have passed"
            note = f"; {row.tasks} of {tasks} tasks run so far, and {why}"
            return _Settled(row, note, taken=waited.met)
        raise DeadlineExceeded(
            f"{wanted.job_name}: {timeout:.0f} s after it was rescaled, "
            f"{row.running_tasks} of {row.tasks} tasks run",
            now=f"Job {job_id} is {row.state}",
            remedy="Check its exceptions on Flink's dashboard, and run again with --refresh",
        )
