"""Savepoints: their paths, and when and why they were taken."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class SavepointReason(StrEnum):
    """Why a savepoint was taken."""

    STOP = "STOP"
    UPDATE = "UPDATE"
    SAVEPOINT = "SAVEPOINT"
    DELETE = "DELETE"
    DUPLICATE = "DUPLICATE"
    REHEARSAL = "REHEARSAL"
    FOUND = "FOUND"


class SavepointFormat(StrEnum):
    """Flink's savepoint formats: canonical can be restored into any state backend."""

    CANONICAL = "canonical"
    NATIVE = "native"


class Savepoint(BaseModel):
    """A completed savepoint.

    `taken_at` is UTC in ISO 8601, to the second; empty where it is not known. `run` names the run
    of a job service's job that it was taken of: by Flink's jobId, or by the time of its start;
    empty, and not written, on a Flink session cluster, and where it is not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    taken_at: str = ""
    reason: SavepointReason = SavepointReason.SAVEPOINT
    run: str = ""

    @model_serializer(mode="wrap")
    def _without_unknown_run(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        if not self.run:
            written.pop("run", None)
        return written


@dataclass(frozen=True)
class RestorePoint:
    """A savepoint or checkpoint to start from.

    Attributes:
        what: "savepoint" or "checkpoint".
        taken_at: When it was taken: UTC, ISO 8601; empty where that is not known.
        behind: When a newer checkpoint was completed that is gone; empty where none is known.
        broken: Why it cannot be restored; empty where nothing is known against it.
        unseen: Where newer state may lie, and why that cannot be read from here; None, and not
            written, for nowhere.
    """

    path: str
    what: str
    taken_at: str = ""
    behind: str = ""
    broken: str = ""
    unseen: str | None = None

    @model_serializer(mode="wrap")
    def _without_nowhere(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        if not self.unseen:
            written.pop("unseen", None)  # not there either where no None is to be written
        return written

    @classmethod
    def at(cls, path: str, taken_at: str = "") -> RestorePoint:
        """Return the savepoint or checkpoint at a path, which shows what it is."""
        return cls(path, "checkpoint" if is_checkpoint(path) else "savepoint", taken_at)

    def __str__(self) -> str:
        """Name it."""
        return f"{self.what} {self.path}"

    def with_age(self, now: float) -> str:
        """Name it with its age at `now`, and warn where newer state is known to be gone.

        That is in seconds since the epoch.
        """
        text = f"{self} ({age(self.taken_at, now)})"
        if self.behind:
            text += (
                f", OLDER THAN ITS LAST COMPLETED CHECKPOINT ({age(self.behind, now)}), which is "
                "gone: what it did in between is done again"
            )
        if self.unseen:
            text += f", WHICH MAY NOT BE ITS NEWEST STATE: nothing is seen below {self.unseen}"
        return text


def age(taken_at: str, now: float) -> str:
    """Write how long ago something was, such as "3 min old".

    When it was is UTC in ISO 8601, empty where that is not known; `now` is in seconds since the
    epoch.
    """
    if not taken_at:
        return "of unknown age"
    past = max(0, int(now - datetime.fromisoformat(taken_at).timestamp()))
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if past >= 2 * size:
            return f"{past // size} {unit} old"
    return f"{past} s old"


def iso_time(milliseconds: float) -> str:
    """Write milliseconds since the epoch as UTC in ISO 8601; empty for none."""
    if milliseconds <= 0:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch_seconds(time: str) -> float:
    """Read such a time back, in seconds since the epoch; 0 for none."""
    return datetime.fromisoformat(time).timestamp() if time else 0.0


def canonical_path(path: str) -> str:
    """Spell a savepoint path one way, so that two spellings of one place compare equal.

    Flink answers `file:/a` for what was given as `file:///a` or `/a` (measured on 1.20 and 2.3).
    """
    path = path.strip().removesuffix("/_metadata").rstrip("/")
    if match := re.fullmatch(r"(?:file:)?/+(.*)", path):
        return "/" + re.sub(r"/{2,}", "/", match.group(1))
    return path


def same_path(one: str | None, other: str | None) -> bool:
    """Whether two paths name the same savepoint; none equals none."""
    return in_store(canonical_path(one or "")) == in_store(canonical_path(other or ""))


def in_store(path: str) -> str:
    """Name the store of a path that names none: `bucket/dir` is one of OBS.

    Data Lake Insight writes both `bucket/dir` and `obs://bucket/dir/` (its reference and its SDK).
    """
    if not path or "://" in path or path.startswith(("/", "file:")):
        return path
    return f"obs://{path}"


def is_checkpoint(path: str) -> bool:
    """Whether a path is that of a checkpoint, by Flink's way to name them: `chk-<number>`."""
    return re.search(r"/chk-\d+$", canonical_path(path)) is not None


@dataclass(frozen=True)
class SavepointLayout:
    """Where the savepoints of a job lie: `<directory>/<job_name>/<jobId>`, one below each other.

    The jobId is Flink's; on a job service, the service's own id of the job.

    Attributes:
        directory: The job's `savepoint_directory`, or its cluster's own.
    """

    directory: str
    job_name: str

    @classmethod
    def of(cls, path: str, job_name: str) -> SavepointLayout | None:
        """Return the layout that a savepoint of a job lies in; None where it lies otherwise."""
        match = re.match(rf"(.+)/{re.escape(job_name)}/[0-9a-f]{{32}}/", path)
        return cls(match.group(1), job_name) if match else None

    @property
    def of_job(self) -> str:
        """The directory of all its submissions."""
        return join(self.directory, self.job_name)

    def of_submission(self, job_id: str) -> str:
        """Return the directory of one submission."""
        return join(self.of_job, job_id)

    def of_deletion(self, job_id: str) -> str:
        """Return the directory of the savepoint that a deletion asks for.

        It lies apart, so that it is not taken for an update's.
        """
        return join(self.of_submission(job_id), _ON_DELETE)

    def job_id_in(self, path: str) -> str | None:
        """Return the jobId of the submission that a savepoint was taken of; None for no such."""
        rest = canonical_path(path).removeprefix(canonical_path(self.of_job)).lstrip("/")
        match = re.match(r"([0-9a-f]{32})/", rest + "/")
        return match.group(1) if match else None


_ON_DELETE = "on-delete"


def of_deletion(path: str) -> bool:
    """Whether a savepoint was taken because its job was deleted."""
    return f"/{_ON_DELETE}/" in path


def join(directory: str, *names: str) -> str:
    """Return a directory below another, whatever scheme it has."""
    return "/".join((directory.rstrip("/"), *names))
