"""What pages for people ask of the gateway's records, beyond what the job APIs do.

A list of all clusters at once with what needs attention first, a job's history, and sessions of
people.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from flink_jobs_provider.gateway.job_history import JobHistory
from flink_jobs_provider.gateway.job_service import ActionRow, JobRow, JobService
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.planning.plan import Plan
from flink_jobs_provider.wire.hdinsight import LAUNCH_FAILED

#: Statuses of a job that has broken down.
BROKEN = ("FAILED", "LOST", LAUNCH_FAILED)
#: The status of a job that Flink is starting again after a failure.
RESTARTING = "RESTARTING"
#: How many of a job's savepoints are listed, the newest: one every ten minutes is 52,560 a year.
MOST_SAVEPOINTS = 1000


class JobOrder(StrEnum):
    """What a list of jobs is sorted by; ties by name."""

    ATTENTION = "attention"
    NAME = "name"
    STATUS = "status"
    CLUSTER = "cluster"
    SINCE = "since"


@dataclass(frozen=True)
class JobSearch:
    """Which jobs are listed, and how.

    Attributes:
        clusters: Keys of their clusters.
        text: A part of their name, or their whole run id or jobId; empty for all.
        statuses: Their status is one of these; empty for all.
        attention: Whether only those that need attention are listed: that have broken down, are
            restarting, whose last action failed, or that are noticed.
        noticed: jobIds of jobs whose clusters show that they need attention; a thousand at most.
        order: What they are sorted by.
        descending: Whether the order is turned round.
        offset: How many are left out at the beginning.
        limit: How many are listed at most.
    """

    clusters: Sequence[str]
    text: str = ""
    statuses: Collection[str] = ()
    attention: bool = False
    noticed: Collection[str] = ()
    order: JobOrder = JobOrder.ATTENTION
    descending: bool = False
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True)
class JobCounts:
    """How many jobs there are on some clusters.

    Attributes:
        by_status: By their status; "" for jobs whose first start has not come far enough for one.
        attention: How many of them need attention.
    """

    by_status: Mapping[str, int] = field(default_factory=dict)
    attention: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_status.values())


@dataclass(frozen=True)
class JobBoardPage:
    """A page of a list of jobs.

    Attributes:
        rows: The jobs.
        found: How many jobs the search finds in all.
        counts: How many jobs there are on the clusters, whatever is searched for.
    """

    rows: Sequence[JobRow]
    found: int
    counts: JobCounts


@dataclass(frozen=True)
class ClusterAnswer:
    """How a cluster answered when this gateway last observed it.

    Attributes:
        answers: Whether it did.
        at: When it answered last; None where it has not, since this process began.
        problem: Why it did not the last time; None where it did.
    """

    answers: bool
    at: datetime | None = None
    problem: JobError | None = None


@dataclass(frozen=True)
class StoredSession:
    """A session on record.

    Attributes:
        proof: What its holder signed in with, as `Authenticator.recall` reads it.
        expires_at: When it ends by itself.
    """

    proof: Mapping[str, Any]
    expires_at: datetime


class PlannedJobs(JobService, JobHistory, Protocol):
    """The jobs on record, how they were, and how what runs suits what is wanted."""

    async def with_verdict(
        self,
        cluster: str,
        planned: Plan,
        record: JobRecord | None,
        wanted: JobSpec,
        jar_digest: str | None = None,
    ) -> Plan:
        """Return a plan with how what runs suits the version that is wanted.

        Of an update, that is the state of the running version; of an adoption, the job that is to
        be adopted. The jar is read, and `main` runs on the cluster; nothing of it stays.

        Args:
            cluster: Key of the cluster.
            planned: The plan.
            record: The job as it is; None for a new one.
            wanted: What it is to be.
            jar_digest: The content that the jar must have; None for what lies there.

        Raises:
            Refusal: It is to start from a savepoint that was disposed of.
        """
        ...


class JobBoard(PlannedJobs, Protocol):
    """The jobs of all clusters, as people read them. All raise `Refusal`."""

    async def board(self, search: JobSearch) -> JobBoardPage:
        """Return a page of the jobs that a search finds, as they were last seen.

        It asks no cluster: a list is there at once, however its clusters are.

        Raises:
            Refusal: No such cluster.
        """
        ...

    async def history(self, cluster: str, number: int, *, limit: int) -> Sequence[ActionRow]:
        """Return the latest actions on a job, the newest first."""
        ...

    def answers(self) -> Mapping[str, ClusterAnswer]:
        """Return, by key, how each cluster answered; without those not observed so far."""
        ...

    async def task_slots(self, cluster: str) -> tuple[int, int] | None:
        """Return how many task slots are free, and how many there are; None without an answer.

        Whoever asks within a few seconds is given the same answer.
        """
        ...

    async def running_job(self, cluster: str, job_id: str) -> tuple[ObservedJob | None, int | None]:
        """Return a job of a cluster's list, None where it lists none, and its parallelism.

        Raises:
            Refusal: No such cluster, or it does not answer.
        """
        ...

    async def on_record(self, cluster: str, job_ids: Collection[str]) -> frozenset[str]:
        """Return which of some jobIds belong to jobs on record.

        Raises:
            Refusal: No such cluster.
        """
        ...

    async def put_session(self, digest: str, proof: Mapping[str, Any], lifetime: float) -> None:
        """Record a session with its lifetime in seconds; remove what has expired."""
        ...

    async def session(self, digest: str) -> StoredSession | None:
        """Return a session that has not expired; None where there is none."""
        ...

    async def end_session(self, digest: str) -> None:
        """Remove a session, if it is there."""
        ...
