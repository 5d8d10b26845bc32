"""What the store takes and gives: plain values, no SQL.

Specs and records are stored without their target, which the configuration names: so no credential
reaches the database, and a cluster that moves takes its jobs along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flink_jobs_provider.gateway.job_service import ActionRow, JobFacts
from flink_jobs_provider.model.action import Action, ActionResult
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import FlinkTarget

#: The statuses of a job that runs, or is about to.
ACTIVE = ("STARTING", "RUNNING", "RESTARTING")


def stored_spec(spec: JobSpec) -> dict[str, Any]:
    """Return a spec as it is stored."""
    return {name: value for name, value in spec.plain().items() if name != "target"}


def stored_record(record: JobRecord) -> dict[str, Any]:
    """Return a record as it is stored."""
    document = record.model_dump(mode="json", exclude={"spec"}, exclude_none=True)
    return {**document, "spec": stored_spec(record.spec)}


def read_spec(document: Mapping[str, Any], target: FlinkTarget) -> JobSpec:
    """Return a stored spec on the cluster as it is reached now."""
    known = {name: value for name, value in document.items() if name in JobSpec.model_fields}
    return JobSpec.model_validate({**known, "target": target})


def read_record(document: Mapping[str, Any], target: FlinkTarget) -> JobRecord:
    """Return a stored record; what a later version added is left aside."""
    known = {name: value for name, value in document.items() if name in JobRecord.model_fields}
    return JobRecord.model_validate({**known, "spec": read_spec(document["spec"], target)})


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
class Claim:
    """The claim of a gateway on an action that it accepts.

    Attributes:
        gateway: Who executes the action.
        lease: For how many seconds no other gateway may.
        begins: Whether it begins at once, as `Leases.begin` would note afterwards.
    """

    gateway: str
    lease: float
    begins: bool = False


@dataclass(frozen=True)
class Ended:
    """How an action ended that is done with its acceptance."""

    output: str
    result: ActionResult = ActionResult.SUCCESS


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
    """What a job's row holds of the job.

    Attributes:
        record: The job as last seen, without its target.
        as_given: What the face shows; None to leave it as it is.
        started: Whether it is so by a start just made, which used up what was kept for that.
        ended: When its latest submission ended, in seconds since the epoch by its cluster's clock;
            None leaves that as it is on record.
        disposed: Paths of savepoints that were disposed of just now, which the record no longer
            lists.
    """

    record: dict[str, Any]
    status: str
    as_given: Mapping[str, Any] | None = None
    started: bool = False
    ended: float | None = None
    disposed: Sequence[str] = ()

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
class NewJob:
    """A job to be recorded.

    Attributes:
        cluster: Key of the cluster.
        job_name: Its name there.
        run_id: What distinguishes it from others of the name.
        identity: What its jobIds begin with.
        state: What its row holds; its generation is set to that of the last job of the name.
        replaces: Number and revision of the row that gives way to it, if there is one.
    """

    cluster: str
    job_name: str
    run_id: str
    identity: str
    state: JobState
    replaces: tuple[int, int] | None = None


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


@dataclass(frozen=True, kw_only=True)
class StoredJob(JobFacts):
    """A job on record; see `tables.JobEntry`."""

    identity: str
    job_id: str | None
    generation: int
    record: dict[str, Any]
    next_start: NextStart


@dataclass(frozen=True)
class Watched:
    """As much of a job's row as shows whether its cluster reports it otherwise."""

    number: int
    identity: str
    job_id: str | None
    status: str
    settled: bool


def moment(seconds: float) -> datetime:
    """Return a time of the database as others write it."""
    return datetime.fromtimestamp(seconds, UTC)


def moment_or_none(seconds: float | None) -> datetime | None:
    """Return the same of a time that may not have come."""
    return None if seconds is None else moment(seconds)
