"""What the store takes and gives: plain values, no SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flink_jobs_provider.gateway.job_service import ActionRow
from flink_jobs_provider.model.action import Action


@dataclass(frozen=True)
class NewAction:
    """An action to be accepted.

    Attributes:
        wanted: The job as it should become, without its target; None where it becomes none.
        jar_digest: The bytes that it starts; None where it starts nothing.
        timeout: Seconds for which it is retried.
        cancels_first: DELETE only: whether a job that runs is cancelled.
    """

    id: str
    action: Action
    caller: str
    wanted: dict[str, Any] | None
    jar_digest: str | None
    as_given: Mapping[str, Any]
    timeout: float
    cancels_first: bool = False


@dataclass(frozen=True)
class NextStart:
    """What counts from a job's next start on.

    Attributes:
        inputs: Inputs of the job by name.
        restore: The savepoint to go on from, if one was named.
    """

    inputs: Mapping[str, Any] = field(default_factory=dict)
    restore: str | None = None


@dataclass(frozen=True)
class JobState:
    """What a job's row says of the job.

    Attributes:
        record: The job as last seen, without its target.
        as_given: What the face shows; none to leave it as it is.
        started: Whether it is so by a start just made, which used up what was kept for that.
        ended: When its latest submission ended, in seconds since the epoch by its cluster's clock;
            none leaves that as it is on record.
    """

    record: dict[str, Any]
    status: str
    as_given: Mapping[str, Any] | None = None
    started: bool = False
    ended: float | None = None

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
        seconds_left: For how long it is retried, when it was read.
        begun_on: The job that it began on as it was accepted; None where it is to begin yet.
    """

    row: ActionRow
    job_number: int
    wanted: dict[str, Any] | None
    jar_digest: str | None
    as_given: Mapping[str, Any]
    seconds_left: float
    cancels_first: bool = False
    begun_on: StoredJob | None = None


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
    next_start: NextStart
    created_by: str
    created_at: datetime
    started_at: datetime | None
    changed_at: datetime | None
    ended_at: datetime | None


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
