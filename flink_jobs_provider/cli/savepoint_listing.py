"""Where a job's savepoints lie, as far as its cluster tells.

Nobody but the job's stack knows its `savepoint_directory`; but the cluster knows, of each
submission that it still lists, the last savepoint and the one that it started from.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from flink_jobs_provider.cli.job_choice import NamedJobs
from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.savepoint import (
    RestorePoint,
    SavepointLayout,
    canonical_path,
    is_checkpoint,
)
from flink_jobs_provider.reconciling.flink.state_directories import StateDirectories


@dataclass(frozen=True)
class Listing:
    """The savepoints that were found.

    Attributes:
        name: The job's name, which is a part of their paths.
        places: The directories that were looked in.
        points: The savepoints, newest first.
    """

    name: str
    places: tuple[str, ...]
    points: tuple[RestorePoint, ...]


async def list_savepoints(
    plane: ControlPlane, jobs: NamedJobs, wanted: str, directory: str | None, local_paths: bool
) -> Listing:
    """List the savepoints of a job, also of one that its cluster no longer lists.

    Args:
        plane: The cluster.
        jobs: Its jobs.
        wanted: The job's job_name, jobId (or first digits), or its program's name.
        directory: What is looked in instead of the cluster's own savepoint directory, and of those
            that its jobs of this name used.
        local_paths: Whether the cluster's local paths are this machine's.

    Raises:
        PermanentError: Jobs of several names fit, or no directory is known.
    """
    fits = jobs.fitting(wanted)
    called = sorted({jobs.name_of(job, wanted) for job in fits}) or [wanted]
    if len(called) > 1:
        raise PermanentError(
            f"{wanted}: one job must fit, and these do: {jobs.described(fits)}",
            remedy="Give more of the jobId, or the job_name",
        )
    name = called[0]
    bases = [directory] if directory else [(await plane.facts()).savepoint_directory]
    places = [SavepointLayout(base, name).of_job for base in bases if base]
    if directory is None:
        places += await _used(plane, fits, name)
    if not places:
        raise PermanentError(
            "the cluster has no savepoint directory of its own", remedy="Give --directory"
        )
    places = list({canonical_path(place): place for place in places}.values())
    directories = StateDirectories(plane, local_paths)
    found = [point for place in places for point in await directories.savepoints_below(place)]
    found = [point for point in found if not is_checkpoint(point.path)]
    found.sort(key=lambda point: point.taken_at, reverse=True)
    return Listing(name, tuple(places), tuple(found))


async def left_by(plane: ControlPlane, jobs: NamedJobs, wanted: str, local_paths: bool) -> str:
    """Return, as a sentence, what savepoint is seen of a job that its cluster does not list."""
    try:
        listing = await list_savepoints(plane, jobs, wanted, None, local_paths)
    except PermanentError as error:
        return f"Its savepoints are not seen from here: {error.reason}"
    if not listing.points:
        return f"No savepoint of it is seen from here, below {', '.join(listing.places)}"
    newest = listing.points[0]
    return f"Its newest savepoint that is seen from here is {newest.told(time.time())}"


async def _used(plane: ControlPlane, jobs: Sequence[ObservedJob], name: str) -> list[str]:
    """Return the directories in which savepoints of these jobs lie, by the job's name."""
    statistics = await asyncio.gather(*(plane.checkpoints(job.job_id) for job in jobs))
    named = [path for each in statistics if each for path in (each.savepoint, each.restored_from)]
    paths = [path for path in named if not is_checkpoint(path)]
    layouts = [SavepointLayout.of(path, name) for path in paths]
    return [layout.of_job for layout in layouts if layout]
