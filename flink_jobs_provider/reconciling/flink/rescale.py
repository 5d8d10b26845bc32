"""What can be rescaled while it runs, which the adaptive scheduler allows over REST.

A change of `parallelism` alone is made so, and what somebody else changed is undone so. The jobId
stays, and the tasks go on from a checkpoint; so a job without periodic checkpoints, which would
lose its state, is stopped with a savepoint instead, as for any other change.

What counts is what a vertex may be scaled to, not what it runs with: under that scheduler a job
that lacks slots runs with less, and grows by itself. To stop it would give its slots away to jobs
that lack some, which that scheduler lets grow at once (measured on 2.3.0: nothing was left for the
new version).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.job_graph import JobGraph
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.parallelism import ParallelismManager
from flink_jobs_provider.model.record import JobRecord


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
        "running_parallelism": await runs_with(plane, job, bounds),
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


async def runs_with(plane: ControlPlane, job: ObservedJob, bounds: Mapping[str, int]) -> int | None:
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
