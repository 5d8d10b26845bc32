"""The directories of savepoints and checkpoints, as far as they are read from here."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from flink_jobs_provider.artifacts import (
    UNSEEN,
    Finding,
    StorageError,
    inspect_savepoint,
    list_directory,
    list_names,
)
from flink_jobs_provider.artifacts.savepoint_files import read_snapshot
from flink_jobs_provider.artifacts.snapshot_metadata import MetadataError
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
from flink_jobs_provider.model.snapshot import SnapshotMetadata
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling import Say

#: The options by which a job has its checkpoints elsewhere than its cluster's other jobs have them;
#: the second is what Flink called it before 1.20, and still takes where the first is not set.
_CHECKPOINT_DIRECTORY = ("execution.checkpointing.dir", "state.checkpoints.dir")


@dataclass(frozen=True)
class Listed:
    """What directories hold of a job.

    Attributes:
        points: Its savepoints and checkpoints, with when each was written.
        unseen: The directories that cannot be read from here, and why.
    """

    points: list[tuple[float, RestorePoint]]
    unseen: Mapping[str, str]


def listing_of(unseen: Mapping[str, str]) -> str:
    """Name directories that cannot be read from here, each with the reason."""
    return " and ".join(f"{place} ({reason})" for place, reason in unseen.items())


@dataclass(frozen=True)
class StateDirectories:
    """Lists directories of savepoints and checkpoints; `_local_paths` if those are shared."""

    _plane: ControlPlane
    _local_paths: bool

    async def inspect(self, path: str) -> Finding:
        """Return the condition of a savepoint or checkpoint, as far as it is seen from here."""
        if not self.readable(path):
            return UNSEEN
        return await asyncio.to_thread(inspect_savepoint, path)

    async def snapshot(self, spec: JobSpec, job_id: str, path: str) -> SnapshotMetadata | None:
        """Return what the newest checkpoint of a running job holds, or a savepoint of it.

        None where that cannot be read from here. A checkpoint may be replaced at any moment, and
        the statistics of it are cached: then the newest one in the job's directory is read.

        Args:
            spec: The version that runs.
            job_id: Its submission.
            path: Where its newest savepoint or checkpoint is; empty where that is unknown.
        """
        if path and (found := await self._read(path)):
            return found
        newest = await self.newest_checkpoint(spec, job_id)
        return await self._read(newest.path) if newest else None

    async def newest_checkpoint(self, spec: JobSpec, job_id: str) -> RestorePoint | None:
        """Return the newest checkpoint of a submission, be it somebody else's; None for unseen."""
        return _newest(await self._checkpoint_points(spec, job_id))

    async def left_by(self, spec: JobSpec, job_id: str) -> RestorePoint | None:
        """Return the newest state of a submission, be it somebody else's; None for unseen.

        Of savepoints these are the ones in the job's own layout: others do not name their job.
        """
        layout = await self.layout(spec)
        entries = await self._metadata(layout.of_submission(job_id)) if layout else []
        taken = [_point(each, "savepoint") for each in entries]
        return _newest([*taken, *await self._checkpoint_points(spec, job_id)])

    async def _checkpoint_points(
        self, spec: JobSpec, job_id: str
    ) -> list[tuple[float, RestorePoint]]:
        return [
            _point(entry, "checkpoint")
            for directory in await self._checkpoint_directories(spec)
            for entry in await self._checkpoints(directory, job_id)
        ]

    async def _read(self, path: str) -> SnapshotMetadata | None:
        if not self.readable(path):
            return None
        try:
            return await asyncio.to_thread(read_snapshot, path)
        except (StorageError, MetadataError):
            return None

    async def _checkpoints(self, directory: str, job_id: str) -> list[Entry]:
        """Return the `_metadata` files of a submission's checkpoints below a directory."""
        entries = await self._metadata(join(directory, job_id))
        return [each for each in entries if _of_checkpoint(each)]

    async def listed(self, spec: JobSpec, recorded: JobRecord) -> Listed:
        """Return the savepoints and checkpoints of a job's recorded and later submissions."""
        found, unseen = [], {}
        layout = await self.layout(spec)
        if layout:
            try:
                for entry in await self._read_metadata(layout.of_job):
                    job_id = layout.job_id_in(entry.path)
                    if job_id and self._counts(job_id, recorded) and not of_deletion(entry.path):
                        found.append(_point(entry, "savepoint"))
            except StorageError as error:
                unseen[layout.of_job] = str(error)
        # Its checkpoints are where the version that ran had them, not where the next one will.
        directories = await self._checkpoint_directories(recorded.spec, spec)
        for directory in directories if recorded.job_id else ():
            try:
                for job_id in await self._submissions(directory, recorded):
                    entries = await self._read_metadata(join(directory, job_id))
                    found += [
                        _point(each, "checkpoint") for each in entries if _of_checkpoint(each)
                    ]
            except StorageError as error:
                unseen[directory] = str(error)
        return Listed(found, unseen)

    async def _submissions(self, directory: str, recorded: JobRecord) -> set[str]:
        """Return the recorded submission, and later ones that left checkpoints below a directory.

        A run that ended before it could record its version may have been followed by the cluster's
        end: then nothing else names that version.
        """
        names = await self._names(directory)
        return {str(recorded.job_id), *(n for n in names if self._counts(n, recorded))}

    async def lists_checkpoints(self, spec: JobSpec) -> bool:
        """Whether all checkpoints of a version that are left can be listed from here."""
        directories = await self._checkpoint_directories(spec)
        try:
            for each in directories:
                await self._names(each)
        except StorageError:
            return False
        return bool(directories)

    async def _checkpoint_directories(self, *specs: JobSpec) -> list[str]:
        """Return where checkpoints of some versions can lie: their own places, the cluster's."""
        named = [
            spec.flink_configuration.get(option, "").strip()
            for spec in specs
            for option in _CHECKPOINT_DIRECTORY
        ]
        named.append((await self._plane.facts()).checkpoint_directory)
        return list(dict.fromkeys(directory.rstrip("/") for directory in named if directory))

    async def last_generation(self, spec: JobSpec, say: Say | None = None) -> int:
        """Return the newest generation that left savepoints or checkpoints; 0 where none did.

        A cluster forgets an ended job after an hour. Under its jobId a new one would write into
        the directory of the old one's retained checkpoints (FLINK-35831), and fail there.

        Args:
            spec: The job.
            say: Is given a line that names the directories in which that is not seen, if any.
        """
        layout = await self.layout(spec)
        places = [layout.of_job if layout else "", *await self._checkpoint_directories(spec)]
        names: list[str] = []
        unseen: dict[str, str] = {}
        for place in filter(None, places):
            try:
                names += await self._names(place)
            except StorageError as error:
                unseen[place] = str(error)
        generation = max((generation_of(name) for name in names if spec.key.owns(name)), default=0)
        if unseen and say and not generation:
            say(
                f"{spec.job_name}: whether an earlier job of this name has left savepoints or "
                f"checkpoints is not seen from here, below {listing_of(unseen)}"
            )
        return generation

    async def savepoints(self, spec: JobSpec) -> list[RestorePoint]:
        """Return the savepoints in a job's directory, newest first; none where it is not readable.

        Those of another owner's job of the same name are not among them.
        """
        layout = await self.layout(spec)
        if not layout:
            return []
        found: list[RestorePoint] = []
        with contextlib.suppress(StorageError):
            found = await self.savepoints_below(layout.of_job)
        named = [(layout.job_id_in(point.path), point) for point in found]
        return [point for job_id, point in named if job_id is None or spec.key.owns(job_id)]

    async def savepoints_below(self, directory: str) -> list[RestorePoint]:
        """Return the savepoints below a directory, newest first; raise StorageError if unseen."""
        found = [_point(entry, "savepoint") for entry in await self._read_metadata(directory)]
        return [point for _, point in sorted(found, key=lambda point: -point[0])]

    async def layout(self, spec: JobSpec) -> SavepointLayout | None:
        """Return where a job's savepoints lie; None where no directory is known."""
        directory = spec.savepoint_directory or (await self._plane.facts()).savepoint_directory
        return SavepointLayout(directory, spec.job_name) if directory else None

    @staticmethod
    def _counts(job_id: str, recorded: JobRecord) -> bool:
        """Whether a submission's savepoints are of the state that is to be carried on."""
        if job_id == recorded.job_id:
            return True
        return recorded.spec.key.owns(job_id) and generation_of(job_id) > recorded.generation

    async def _metadata(self, directory: str) -> list[Entry]:
        with contextlib.suppress(StorageError):
            return await self._read_metadata(directory)
        return []

    async def _names(self, directory: str) -> list[str]:
        self._check_readable(directory)
        return await asyncio.to_thread(list_names, directory)

    async def _read_metadata(self, directory: str) -> list[Entry]:
        self._check_readable(directory)
        entries = await asyncio.to_thread(list_directory, directory)
        return [entry for entry in entries if entry.path.endswith("/_metadata")]

    def _check_readable(self, directory: str) -> None:
        if not self.readable(directory):
            raise StorageError("it is a path of the cluster's machines")

    def readable(self, path: str) -> bool:
        """Whether a path means the same here as on the cluster."""
        return self._local_paths or not path.startswith(("/", "file:"))


def _newest(points: list[tuple[float, RestorePoint]]) -> RestorePoint | None:
    return max(points, key=lambda point: point[0])[1] if points else None


def _of_checkpoint(entry: Entry) -> bool:
    return re.search(r"/chk-\d+/_metadata$", entry.path) is not None


def _point(entry: Entry, what: str) -> tuple[float, RestorePoint]:
    path = entry.path.removesuffix("/_metadata")
    return entry.modified, RestorePoint(path, what, iso_time(entry.modified * 1000))
