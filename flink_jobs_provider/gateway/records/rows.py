"""What the store takes and gives: plain values, no SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flink_jobs_provider.gateway.service import ActionRow
from flink_jobs_provider.model.action import Action


@dataclass(frozen=True)
class NewAction:
    """An action to be accepted.

    Attributes:
        wanted: The job as it should become, without its target; none where it becomes none.
        jar_digest: The bytes that it starts; none where it starts nothing.
        timeout: Seconds for which it is tried again.
    """

    id: str
    action: Action
    caller: str
    wanted: dict[str, Any] | None
    jar_digest: str | None
    as_given: Mapping[str, Any]
    timeout: float


@dataclass(frozen=True)
class JobState:
    """What a job's row says of the job.

    Attributes:
        record: The job as last seen, without its target.
        as_given: What the face shows; none to leave it as it is.
    """

    record: dict[str, Any]
    status: str
    as_given: Mapping[str, Any] | None = None

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of the row, by name."""
        spec = self.record["spec"]
        columns: dict[str, Any] = {
            "record": self.record,
            "status": self.status,
            "job_id": self.record.get("job_id"),
            "generation": self.record.get("generation", 0),
            "settled": not (self.record.get("duplicates") or self.record.get("other_version")),
            "jar_name": str(spec["jar"]).rstrip("/").rsplit("/", 1)[-1],
            "jar_digest": spec.get("jar_digest") or "",
        }
        if self.as_given is not None:
            columns["as_given"] = dict(self.as_given)
        return columns


@dataclass(frozen=True)
class StoredAction:
    """An action on record.

    Attributes:
        row: What is shown of it.
        seconds_left: For how long it is tried again, when it was read.
    """

    row: ActionRow
    job_number: int
    wanted: dict[str, Any] | None
    jar_digest: str | None
    as_given: Mapping[str, Any]
    seconds_left: float


@dataclass(frozen=True)
class StoredJob:
    """A job on record; see `schema.JobEntry`."""

    number: int
    cluster: str
    job_name: str
    run_id: str
    identity: str
    job_id: str | None
    generation: int
    status: str
    record: dict[str, Any]
    as_given: Mapping[str, Any]
    revision: int
    last: ActionRow


@dataclass(frozen=True)
class Watched:
    """As much of a job's row as tells whether its cluster shows it otherwise."""

    number: int
    identity: str
    job_id: str | None
    status: str
    settled: bool


def moment(seconds: float) -> datetime:
    """Return a time of the database as others write it."""
    return datetime.fromtimestamp(seconds, UTC)
