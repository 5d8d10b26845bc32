"""Jobs whose parallelism changes while they run, which the adaptive scheduler allows over REST.

A change of `parallelism` alone is made so, and what somebody else changed is undone so. The jobId
stays, and the tasks go on from a checkpoint; so a job without periodic checkpoints, which would
lose its state, is stopped with a savepoint instead, as for any other change.

What counts is what a vertex may be scaled to, not what it runs with: under that scheduler a job
that lacks slots runs with less, and grows by itself. To stop it would give its slots away to jobs
that lack some, which that scheduler lets grow at once (measured on 2.3.0: nothing was left for the
new version).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.errors import ActionFailed, DeadlineExceeded, JobError
from flink_jobs_provider.model.job_graph import JobGraph
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.parallelism import ParallelismManager
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.conditions import Failed, Judgement, Met, NotYet, Observation
from flink_jobs_provider.reconciling.flink.job_watch import JobWatch
from flink_jobs_provider.reconciling.record_updates import done

#: Since then a rescale waits for the next checkpoint, however late that is (FLIP-461; measured on
#: 2.3.0 with an interval of an hour). Before, it begins at once, from the last one.
_AFTER_A_CHECKPOINT = (2, 0)
#: The pause before the second checkpoint that a rescale is to begin after, in seconds; each further
#: one is twice as long. One that completes too soon after the last rescale, within the scheduler's
#: cooldown of 30 s, begins none.
_NEXT_CHECKPOINT = 10.0


async def rescaling(
    plane: ControlPlane, recorded: JobRecord, job: ObservedJob
) -> dict[str, object]:
    """Return what is to be updated in the record of an active job.

    Where its cluster cannot rescale it, no request is made for it. Where others manage its
    parallelism, what they changed is no drift.
    """
    bounds = await plane.parallelism_bounds(job.job_id) if job.state == "RUNNING" else None
    if not bounds:
        return {}
    submitted = recorded.submitted_parallelism or bounds
    by_others = recorded.spec.parallelism_managed_by is ParallelismManager.OTHER
    return {
        "running_parallelism": await _parallelism(plane, job, bounds),
        "submitted_parallelism": submitted,
        "rescaled": None if by_others else rescaled(submitted, bounds),
    }


def rescaled(submitted: Mapping[str, int], bounds: Mapping[str, int]) -> str | None:
    """Return in words how a job's vertices may now be scaled, or None for as they were submitted.

    Both map a vertex id to the most that the vertex may be scaled to.
    """
    other = [vertex for vertex, most in submitted.items() if bounds.get(vertex, most) != most]
    if not other:
        return None
    was, now = max(submitted.values()), max(bounds.values())
    if was != now:
        return f"parallelism {now} instead of {was}"
    return f"another parallelism of {len(other)} of its {len(submitted)} vertices"


async def _parallelism(
    plane: ControlPlane, job: ObservedJob, bounds: Mapping[str, int]
) -> int | None:
    """Return the highest parallelism that runs: as a rule the job list shows it, and is fresh."""
    if job.tasks == sum(bounds.values()):
        return max(bounds.values())
    return await plane.parallelism(job.job_id)


@dataclass(frozen=True)
class Suitability:
    """Whether a running job can be rescaled to what a program plans.

    Attributes:
        bounds: The most that each vertex would have, by vertex id.
        obstacle: Why it is restarted instead, a clause; empty where it is not.
    """

    bounds: Mapping[str, int]
    obstacle: str = ""


@dataclass(frozen=True)
class Foresight:
    """What a preview finds out of a rescale.

    Attributes:
        obstacle: Why the job is restarted instead, a clause; empty where it is not.
        lacks: A clause on the slots that it would lack; empty where it lacks none.
    """

    obstacle: str = ""
    lacks: str = ""


def suitability(
    planned: JobGraph, running: JobGraph | None, limits: Mapping[str, int]
) -> Suitability:
    """Return whether a running job can be rescaled to what its program plans with a parallelism.

    Vertices whose parallelism the program sets itself have the same in its plan, so they stay as
    they are. Where the parallelism makes another graph, as one that chains other operators, no
    rescale leads there. `limits` are the maximum parallelisms that run, by vertex id.
    """
    bounds = {each.id: each.parallelism for each in planned.vertices}
    if running is None or not bounds or planned.shape != running.shape:
        return Suitability({}, "its job graph is another one then")
    for each in planned.vertices:
        most = limits.get(each.id, each.parallelism)
        if each.parallelism > most:
            return Suitability(
                {}, f"parallelism {each.parallelism} of {each.name} is above its maximum, {most}"
            )
    return Suitability(bounds)


async def suits(plane: ControlPlane, planned: JobGraph, job: ObservedJob) -> Suitability:
    """Return whether a running job can be rescaled to what its program plans."""
    running, limits = await plane.running_graph(job.job_id), await plane.max_parallelism(job.job_id)
    return suitability(planned, running, limits)


async def lacking_slots(plane: ControlPlane, bounds: Mapping[str, int], job: ObservedJob) -> str:
    """Return a clause on the slots that a rescaled job would lack now, or an empty text."""
    used = await plane.parallelism(job.job_id) or 0
    free, _ = await plane.task_slots()
    needed = max(bounds.values())
    if free + used >= needed:
        return ""
    return (
        f"{needed} task slots are needed, and it can have {free + used} now: it grows by itself "
        "when there are more"
    )


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
        self, recorded: JobRecord, wanted: JobSpec, job: ObservedJob, to: Suitability
    ) -> JobRecord | None:
        """Rescale a job to its declared parallelism, and wait until it is up so.

        A run that died may have requested it: then it is waited for, and not requested again.

        Returns:
            The record; or None where the cluster does not take it, and the job goes on as it was.

        Raises:
            ActionFailed: The job ended by it, or did not stay up: then it is rescaled back.
            DeadlineExceeded: Its tasks do not all run yet.
        """
        before = await self._plane.parallelism_bounds(job.job_id) or {}
        most = max(to.bounds.values())
        self._say(f"{wanted.job_name}: rescaling job {job.job_id} to {most} while it runs")
        try:
            if before != to.bounds:
                await self._request(wanted, job, to.bounds)
        except (ActionFailed, DeadlineExceeded) as error:
            self._say_not_taken(wanted, error.reason)
            return None
        settled = await self._settled(wanted, job.job_id, to.bounds)
        if not settled.taken:
            former = recorded.submitted_parallelism or before
            await self._plane.rescale(job.job_id, former)
            self._say_not_taken(wanted, settled.note.removeprefix("; "))
            return None
        row = await self._stays_up(recorded, wanted, settled.row, most)
        return await self._record(recorded, wanted, to.bounds, _Settled(row, settled.note))

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
                "running_parallelism": await _parallelism(self._plane, settled.row, bounds),
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
        if waited.failed or row is None:
            why = await self._watch.described(row) if row else waited.reason
            raise ActionFailed(
                f"{wanted.job_name}: it was rescaled, and {why}",
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
