"""The savepoints of a job, as far as their directories can be read from here.

Nobody but the job's stack knows its `savepoint_directory`; but the cluster knows, of each
submission that it still lists, the last savepoint and the one that it started from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flink_jobs_provider.artifacts import StorageError
from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.inspecting.job_choice import NamedJobs
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
    """The savepoints of a job that were found, newest first.

    Attributes:
        name: The name that its savepoints go under.
        places: The directories that were searched.
        points: The savepoints.
        unseen: Of the directories, those that cannot be read from here, and why.
    """

    name: str
    places: tuple[str, ...]
    points: tuple[RestorePoint, ...]
    unseen: Mapping[str, str]


async def list_savepoints(
    plane: ControlPlane, jobs: NamedJobs, wanted: str, directory: str | None, *, local_paths: bool
) -> Listing:
    """List the savepoints of a job, also of one that its cluster no longer lists.

    A `directory` is searched instead of the cluster's own savepoint directory, and of those that
    its jobs of this name used. With `local_paths` the cluster's local paths are this machine's.

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
        raise PermanentError("the cluster has no savepoint directory of its own")
    places = list({canonical_path(place): place for place in places}.values())
    directories = StateDirectories(plane, local_paths)
    found: list[RestorePoint] = []
    unseen: dict[str, str] = {}
    for place in places:
        try:
            found += await directories.savepoints_below(place)
        except StorageError as error:
            unseen[place] = str(error)
    found = [point for point in found if not is_checkpoint(point.path)]
    found.sort(key=lambda point: point.taken_at, reverse=True)
    return Listing(name, tuple(places), tuple(found), unseen)


async def _used(plane: ControlPlane, jobs: Sequence[ObservedJob], name: str) -> list[str]:
    """Return the directories in which savepoints of these jobs lie, by the job's name."""
    statistics = await asyncio.gather(*(plane.checkpoints(job.job_id) for job in jobs))
    named = [path for each in statistics if each for path in (each.savepoint, each.restored_from)]
    paths = [path for path in named if not is_checkpoint(path)]
    layouts = [SavepointLayout.of(path, name) for path in paths]
    return [layout.of_job for layout in layouts if layout]
