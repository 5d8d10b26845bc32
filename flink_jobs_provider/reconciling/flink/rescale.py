"""Jobs that somebody rescaled while they run, which the adaptive scheduler allows over REST.

What counts is what a vertex may be scaled to, not what it runs with: under that scheduler a job
that lacks slots runs with less, and goes back by itself.

Such a job is rescaled back while it runs, right after a checkpoint, from which its tasks go on.
To stop it would give its slots away to jobs that lack some, which that scheduler lets grow at once
(measured on 2.3.0: nothing was left for the new version). A job without periodic checkpoints would
lose its state so: it is stopped with a savepoint, as for any other change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.errors import ActionFailed, DeadlineExceeded
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.record_updates import done
from flink_jobs_provider.reconciling.waiting import Clock, Pauses, Waiter


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

    Args:
        submitted: The most that each vertex was submitted with, by vertex id.
        bounds: The same, now.
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
    """Return the highest parallelism that runs: as a rule the job list tells it, and is fresh."""
    if job.tasks == sum(bounds.values()):
        return max(bounds.values())
    return await plane.parallelism(job.job_id)


class Rescaler:
    """Rescales running jobs back to what they were submitted with."""

    def __init__(
        self, plane: ControlPlane, waiter: Waiter, clock: Clock, say: Callable[[str], None]
    ) -> None:
        self._plane = plane
        self._waiter = waiter
        self._clock = clock
        self._say = say

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
                remedy="Run again; or set restart_trigger, which restarts it as it is declared",
            ) from None
        row, note = await self._settled(wanted, job.job_id, sum(bounds.values()))
        output = f"Rescaled to parallelism {max(bounds.values())} while it ran{note}"
        running = await _parallelism(self._plane, row, bounds)
        return done(recorded, recorded.spec, Action.UPDATE, output).model_copy(
            update={"status": row.status, "running_parallelism": running}
        )

    async def _settled(self, wanted: JobSpec, job_id: str, tasks: int) -> tuple[ObservedJob, str]:
        """Wait until so many tasks run, or all that there are slots for.

        Returns:
            The job's row; and what is to be noted, where other tasks run.
        """
        timeout = wanted.timeout("running")
        deadline, pauses = self._clock.now() + timeout, Pauses.of_cluster(self._clock)
        while True:
            row = (await self._waiter.look(deadline)).by_id.get(job_id)
            if row is None or not row.active:
                why = await self._waiter.reason(row) if row else "its cluster no longer lists it"
                raise ActionFailed(
                    f"{wanted.job_name}: it was rescaled back to its parallelism, and {why}",
                    now=f"Job {job_id} does not run",
                    remedy="Run again with --refresh, which starts it from its newest state",
                )
            if row.healthy and row.tasks == tasks:
                return row, ""
            late = self._clock.now() >= deadline
            short = row.tasks < tasks and (await self._plane.task_slots())[0] == 0
            if row.healthy and (late or short):
                why = "no slot is free" if short else f"{timeout:.0f} s have passed"
                return row, f"; {row.tasks} of {tasks} tasks run so far, and {why}"
            if late:
                raise DeadlineExceeded(
                    f"{wanted.job_name}: {timeout:.0f} s after it was rescaled back to its "
                    f"parallelism, {row.running_tasks} of {row.tasks} tasks run",
                    now=f"Job {job_id} is {row.state}",
                    remedy="Look at its exceptions, and run again with --refresh",
                )
            await pauses.take()
