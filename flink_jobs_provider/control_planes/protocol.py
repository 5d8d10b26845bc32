"""What every system that runs Flink jobs can do for us.

Each action may be called again after a crash at any point with the same result: a submission is
known by its jobId, a stop or savepoint by the trigger id derived from it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.model.job_graph import JobGraph
from flink_jobs_provider.model.observation import (
    Checkpointing,
    CheckpointStatistics,
    ClusterFacts,
    ClusterSnapshot,
    VitalSigns,
)
from flink_jobs_provider.model.savepoint import SavepointFormat
from flink_jobs_provider.model.spec import JobSpec

#: Resolves a reference, `env:NAME` or `config:KEY`, to the secret; KeyError where it leads nowhere.
Resolve = Callable[[str], str]
#: Called before each request that changes something; raises where none may be sent any more.
Guard = Callable[[], None]
#: Returns seconds that only ever grow.
MonotonicClock = Callable[[], float]
#: Waits that many seconds.
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class Submission:
    """All that is needed to start one version of a job.

    Attributes:
        job_id: The jobId it will run under.
        spec: The version: what Flink's requests have fields for is read from here.
        jar: Its jar, or the digest of one that an earlier submission left on the cluster.
        restore_from: Savepoint or checkpoint to start from; None for a fresh start.
        sent_before: Whether an earlier run may have sent it and got no answer: a refusal of its
            jobId is then a repeat.
        parallelism: What it starts with instead of the spec's own, where others manage that; it
            is not part of the jobId.
    """

    job_id: str
    spec: JobSpec
    jar: Jar | str
    restore_from: str | None
    sent_before: bool = False
    parallelism: int | None = None

    @property
    def job_name(self) -> str:
        """The job's name."""
        return self.spec.job_name

    @property
    def jar_digest(self) -> str:
        """SHA-256 of the jar's bytes."""
        return self.jar if isinstance(self.jar, str) else self.jar.digest


class Purpose(StrEnum):
    """What a savepoint operation is for; each has trigger ids of its own."""

    STOP = "stop"
    SAVEPOINT = "savepoint"
    DELETE = "delete"


@dataclass(frozen=True)
class SavepointRequest:
    """A savepoint to take.

    Attributes:
        directory: Where it is written; the system adds a name of its own below it.
        occasion: Tells one request from the next: the same again finds the same savepoint.
        drain: Whether a stop fires all timers and windows first.
    """

    job_id: str
    directory: str
    purpose: Purpose
    format: SavepointFormat
    occasion: str = ""
    drain: bool = False

    @property
    def stops(self) -> bool:
        """Whether the job ends with this savepoint."""
        return self.purpose is not Purpose.SAVEPOINT


class Mark(StrEnum):
    """What stacks leave on a cluster to tell others of a running job that bears no other sign."""

    ADOPTED = "adopted"
    RELEASED = "released"
    MOVING = "moving"
    #: It was started alongside the version that it is to replace.
    SWITCHING = "switching"
    #: It has swallowed records, so that nothing goes on from its state.
    SWALLOWED = "swallowed"


@dataclass(frozen=True)
class JobMark:
    """A mark on a job.

    Attributes:
        identity: Of the job that took it over, or released it.
        id: The mark's own name on the cluster.
        job_id: The job that it is on.
        at: When it was put there, in seconds since the epoch by the cluster's clock.
    """

    kind: Mark
    identity: str
    id: str
    at: float = 0.0
    job_id: str = ""


class ControlPlane(Protocol):
    """One cluster of one system. All raise the errors of `model.errors`.

    The `identity` of a job is the first digits of its jobIds, which all its submissions share.

    Attributes:
        outlasting: The names of each `main` that has not ended while it was waited for.
    """

    outlasting: set[str]

    async def jobs(self, max_age: float = 0.0) -> ClusterSnapshot:
        """Return all jobs by one list call, shared by all who ask at once.

        The answer may be older than this call by `max_age` seconds.
        """

    async def facts(self) -> ClusterFacts:
        """Return the facts of the cluster; read once."""

    async def task_slots(self) -> tuple[int, int]:
        """Return how many task slots are free, and how many there are."""

    async def running_mains(self) -> frozenset[str] | None:
        """Return what names each `main` of a submission that runs; None where that is hidden."""

    async def has_jars(self, identity: str) -> bool:
        """Return whether a submission of a job has left a jar, be it one that was cut short."""

    async def plan(self, submission: Submission) -> JobGraph:
        """Run the program's `main` as a submission would, and submit nothing."""

    async def try_out(self, submission: Submission) -> JobGraph:
        """Do the same, and leave no jar on the cluster that was not there before."""

    async def running_graph(self, job_id: str) -> JobGraph | None:
        """Return the graph of a job; None where the cluster does not know it."""

    async def state_sizes(self, job_id: str) -> dict[str, int | None] | None:
        """Return the bytes of state by vertex id, as of a job's newest checkpoint; none without.

        They are None where records in flight are among them.
        """

    async def max_parallelism(self, job_id: str) -> dict[str, int]:
        """Return the most subtasks that each vertex of a job can have, by vertex id."""

    async def provide_jar(self, submission: Submission, timeout: float) -> bool:
        """Make sure that a submission's jar is on the cluster, uploading it if it is missing.

        It returns False where the jar is missing, and only its digest is known.
        """

    async def submit(self, submission: Submission, timeout: float) -> None:
        """Start a job. Returns when it is accepted, also when it was accepted before."""

    async def take_savepoint(self, request: SavepointRequest, timeout: float) -> str:
        """Take a savepoint, or find the one that this request took before; return its path."""

    async def cancel(self, job_id: str) -> None:
        """Ask for the end of a job; an ended one is left as it is."""

    async def checkpoint(self, job_id: str, timeout: float) -> bool:
        """Trigger a checkpoint and wait for its end; False where the job keeps none."""

    async def find_savepoint(self, request: SavepointRequest) -> str | None:
        """Return the path of the savepoint that this request took, if the cluster still knows."""

    async def await_savepoint(self, request: SavepointRequest, timeout: float) -> str | None:
        """Wait for the savepoint that this request has begun to take; None where it has not.

        None also where that failed, or the cluster knows no more of it.
        """

    async def dispose_savepoint(self, path: str, timeout: float) -> bool:
        """Remove a savepoint for good; return False where it was not there."""

    async def forget_jars(self, identity: str, keep: frozenset[str]) -> None:
        """Remove the jars that a job's submissions left, but for those with the digests to keep."""

    async def marks(self, job_id: str) -> tuple[JobMark, ...]:
        """Return the marks on a job as they are now, the oldest first."""

    async def marks_by(self, identity: str) -> tuple[JobMark, ...]:
        """Return the marks that a job's runs have put, as of a few seconds ago at most."""

    async def marks_on(self, *identities: str, now: bool = False) -> tuple[JobMark, ...]:
        """Return the marks on submissions whose jobIds begin so, the oldest first.

        They are as of a few seconds ago at most, or as they are `now`.
        """

    async def put_mark(self, kind: Mark, identity: str, job_id: str, timeout: float) -> None:
        """Put a mark on a job."""

    async def remove_mark(self, mark: JobMark) -> None:
        """Remove a mark; it may be gone."""

    async def checkpoints(self, job_id: str) -> CheckpointStatistics | None:
        """Return a job's checkpoint statistics; None where the cluster no longer knows the job."""

    async def checkpointing(self, job_id: str) -> Checkpointing:
        """Return how a job is set to keep its state."""

    async def parallelism(self, job_id: str) -> int | None:
        """Return the highest parallelism among a job's vertices; None where it is unknown."""

    async def rescale(self, job_id: str, bounds: Mapping[str, int]) -> None:
        """Change what each vertex of a running job may be scaled to."""

    async def parallelism_bounds(self, job_id: str) -> dict[str, int] | None:
        """Return the most that each vertex may be scaled to, by vertex id.

        None where the cluster's scheduler does not change a running job's parallelism.
        """

    async def failure(self, job_id: str, since: int = 0) -> str:
        """Return why a job failed, as its last cause; empty where nothing is known.

        What failed before `since` does not count: milliseconds since the epoch, by the cluster's
        clock.
        """

    async def vital_signs(self, job_id: str, *, load: bool) -> VitalSigns:
        """Return the numbers of a job that a health gate judges.

        With `load` also those of its metrics, which a cluster gathers every ten seconds.
        """

    def dashboard(self, job_id: str) -> str:
        """Return the address of a job's page for people."""
