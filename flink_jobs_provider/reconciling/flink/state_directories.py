"""The savepoints and checkpoints that lie in directories which can be read from here."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable

from flink_jobs_provider.artifacts import (
    UNSEEN,
    Finding,
    StorageError,
    inspect_savepoint,
    list_directory,
    list_names,
)
from flink_jobs_provider.artifacts.storage import Entry
from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.identity import generation_of
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import (
    RestorePoint,
    SavepointLayout,
    iso_time,
    join,
    of_deletion,
)
from flink_jobs_provider.model.spec import JobSpec

#: The options by which a job has its checkpoints elsewhere than its cluster's other jobs have them;
#: the second is what Flink called it before 1.20, and still takes where nothing says the first.
_CHECKPOINT_DIRECTORY = ("execution.checkpointing.dir", "state.checkpoints.dir")


class StateDirectories:
    """Lists the directories of a cluster's savepoints and checkpoints.

    Args:
        plane: The cluster.
        local_paths: Whether the cluster's local paths are this machine's.
    """

    def __init__(
        self,
        plane: ControlPlane,
        local_paths: bool,
        listing: Callable[[str], list[Entry]] = list_directory,
        names: Callable[[str], list[str]] = list_names,
        inspecting: Callable[[str], Finding] = inspect_savepoint,
    ) -> None:
        self._plane = plane
        self._local_paths = local_paths
        self._listing = listing
        self._names = names
        self._inspecting = inspecting

    async def inspect(self, path: str) -> Finding:
        """Return the condition of a savepoint or checkpoint, as far as it is seen from here."""
        if not self._readable(path):
            return UNSEEN
        return await asyncio.to_thread(self._inspecting, path)

    async def listed(self, spec: JobSpec, recorded: JobRecord) -> list[tuple[float, RestorePoint]]:
        """Return the savepoints and checkpoints of a job's recorded and later submissions."""
        found = []
        layout = await self._layout(spec)
        if layout:
            for entry in await self._metadata(layout.of_job):
                job_id = layout.job_id_in(entry.path)
                if job_id and self._counts(job_id, recorded) and not of_deletion(entry.path):
                    found.append(_point(entry, "savepoint"))
        # Its checkpoints are where the version that ran had them, not where the next one will.
        directories = await self._checkpoint_directories(recorded.spec, spec)
        for directory in directories if recorded.job_id else ():
            found += [
                _point(entry, "checkpoint")
                for entry in await self._metadata(join(directory, str(recorded.job_id)))
                if re.search(r"/chk-\d+/_metadata$", entry.path)
            ]
        return found

    async def _checkpoint_directories(self, *specs: JobSpec) -> list[str]:
        """Return where checkpoints of some versions can lie: their own places, the cluster's."""
        named = [
            spec.flink_configuration.get(option, "").strip()
            for spec in specs
            for option in _CHECKPOINT_DIRECTORY
        ]
        named.append((await self._plane.facts()).checkpoint_directory)
        return list(dict.fromkeys(directory.rstrip("/") for directory in named if directory))

    async def last_generation(self, spec: JobSpec) -> int:
        """Return the newest generation that left savepoints or checkpoints; 0 where none did.

        A cluster forgets an ended job after an hour. Under its jobId a new one would write into
        the directory of the old one's retained checkpoints (FLINK-35831), and fail there.
        """
        layout = await self._layout(spec)
        places = [layout.of_job if layout else None, *await self._checkpoint_directories(spec)]
        names: list[str] = []
        for place in filter(self._readable, filter(None, places)):
            with contextlib.suppress(StorageError):
                names += await asyncio.to_thread(self._names, place)
        return max((generation_of(name) for name in names if spec.key.owns(name)), default=0)

    async def savepoints(self, spec: JobSpec) -> list[RestorePoint]:
        """Return the savepoints in a job's directory, newest first.

        Those of another owner's job of the same name are not among them. None where it cannot be
        read from here.
        """
        layout = await self._layout(spec)
        if not layout:
            return []
        found = await self.savepoints_below(layout.of_job)
        named = [(layout.job_id_in(point.path), point) for point in found]
        return [point for job_id, point in named if job_id is None or spec.key.owns(job_id)]

    async def savepoints_below(self, directory: str) -> list[RestorePoint]:
        """Return the savepoints below a directory, newest first; None where it is not readable."""
        found = [_point(entry, "savepoint") for entry in await self._metadata(directory)]
        return [point for _, point in sorted(found, key=lambda point: -point[0])]

    async def _layout(self, spec: JobSpec) -> SavepointLayout | None:
        """Return where a job's savepoints lie; None where no directory is known."""
        directory = spec.savepoint_directory or (await self._plane.facts()).savepoint_directory
        return SavepointLayout(directory, spec.job_name) if directory else None

    @staticmethod
    def _counts(job_id: str, recorded: JobRecord) -> bool:
        """Whether a submission's savepoints are of the state that is to be carried on."""
        return recorded.spec.key.owns(job_id) and generation_of(job_id) >= recorded.generation

    async def _metadata(self, directory: str) -> list[Entry]:
        if not self._readable(directory):
            return []
        try:
            entries = await asyncio.to_thread(self._listing, directory)
        except StorageError:
            return []
        return [entry for entry in entries if entry.path.endswith("/_metadata")]

    def _readable(self, path: str) -> bool:
        """Whether a path means the same here as on the cluster."""
        return self._local_paths or not path.startswith(("/", "file:"))


def _point(entry: Entry, what: str) -> tuple[float, RestorePoint]:
    path = entry.path.removesuffix("/_metadata")
    return entry.modified, RestorePoint(path, what, iso_time(entry.modified * 1000))
