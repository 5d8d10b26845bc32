"""Jobs that somebody rescaled while they run, which the adaptive scheduler allows over REST.

What counts is what a vertex may be scaled to, not what it runs with: under that scheduler a job
that lacks slots runs with less, and goes back by itself.

Such a job is rescaled back while it runs, right after a checkpoint, from which its tasks go on.
To stop it would give its slots away to jobs that lack some, which that scheduler lets grow at once
(measured on 2.3.0: nothing was left for the new version). A job without periodic checkpoints would
lose its state so: it is stopped with a savepoint, as for any other change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.errors import ActionFailed, DeadlineExceeded
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.conditions import Failed, Judgement, Met, NotYet, Observation
from flink_jobs_provider.reconciling.flink.job_watch import JobWatch
from flink_jobs_provider.reconciling.record_updates import done


async def rescaling(
    plane: ControlPlane, recorded: JobRecord, job: ObservedJob
) -> dict[str, object]:
    """Return what is to be updated in the record of an active job.

    Where its cluster cannot rescale it, no request is made for it.
    """
    bounds = await plane.parallelism_bounds(job.job_id) if job.state == "RUNNING" else None
    if not bounds:
        return {}
    submitted = recorded.submitted_parallelism or bounds
    return {
        "running_parallelism": await _parallelism(plane, job, bounds),
        "submitted_parallelism": submitted,
        "rescaled": rescaled(submitted, bounds),
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
    """So many tasks of a job run, or all that there are slots for."""

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
class Rescaler:
    """Rescales running jobs back to what they were submitted with."""

    _plane: ControlPlane
    _watch: JobWatch
    _say: Say

    async def bring_back(self, recorded: JobRecord, wanted: JobSpec, job: ObservedJob) -> JobRecord:
        """Rescale a job while it runs, and wait until it runs so, or has no slots to.

        Raises:
            ActionFailed: The cluster refused it, or the job ended.
            DeadlineExceeded: Its tasks do not all run yet.
        """
        bounds = recorded.submitted_parallelism or {}
        self._say(f"{wanted.job_name}: rescaling job {job.job_id} back while it runs")
        try:
            await self._plane.checkpoint(job.job_id, wanted.timeout("savepoint"))
            await self._plane.rescale(job.job_id, bounds)
        except (ActionFailed, DeadlineExceeded) as error:
            raise ActionFailed(
                f"{wanted.job_name}: it could not be rescaled back: {error.reason}",
                now=f"Job {job.job_id} was not stopped",
                remedy=Remedy.RESTART_AS_DECLARED,
            ) from None
        row, note = await self._settled(wanted, job.job_id, sum(bounds.values()))
        output = f"Rescaled to parallelism {max(bounds.values())} while it ran{note}"
        running = await _parallelism(self._plane, row, bounds)
        return done(recorded, recorded.spec, Action.UPDATE, output).model_copy(
            update={"status": row.status, "running_parallelism": running}
        )

    async def _settled(self, wanted: JobSpec, job_id: str, tasks: int) -> tuple[ObservedJob, str]:
        """Wait until so many tasks run, or all that there are slots for.

        It returns the job's row; and what is to be noted, where other tasks run.
        """

        async def observe(deadline: float) -> RescaleObservation:
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
                f"{wanted.job_name}: it was rescaled back to its parallelism, and {why}",
                now=f"Job {job_id} does not run",
                remedy="Run again with --refresh, which starts it from its newest state",
            )
        if row.tasks == tasks and waited.met:
            return row, ""
        if row.healthy:
            why = "no slot is free" if waited.met else f"{timeout:.0f} s have passed"
            return row, f"; {row.tasks} of {tasks} tasks run so far, and {why}"
        raise DeadlineExceeded(
            f"{wanted.job_name}: {timeout:.0f} s after it was rescaled back to its "
            f"parallelism, {row.running_tasks} of {row.tasks} tasks run",
            now=f"Job {job_id} is {row.state}",
            remedy="Check its exceptions on Flink's dashboard, and run again with --refresh",
        )
