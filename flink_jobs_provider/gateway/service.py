"""What the faces of the gateway ask of it, and what they are told.

A face (the HDInsight on AKS API, the Data Lake Insight API) translates its requests into these and
these into its answers; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from flink_jobs_provider.model.action import Action, ActionResult
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import Savepoint


@dataclass(frozen=True)
class ActionRequest:
    """One action that somebody asks for.

    Attributes:
        cluster: Key of the cluster: its id in the configuration, in lower case.
        job_name: The job, by its name on that cluster.
        action: What is to be done.
        changes: Inputs of `JobSpec` by name that the request gives, as far as it gives any: `jar`
            (a URI that was resolved through the cluster's mounts), `entry_class`, `args`,
            `parallelism`, `flink_configuration`, `savepoint_directory`, `restore_from`,
            `allow_non_restored_state`. What is not given stays as the job has it.
        as_given: What the face shows when the job is read, in its own words; laid over what
            earlier requests gave.
        caller: Who asks, for the audit log.
        run_id: The run that is meant, where the face's request names one.
    """

    cluster: str
    job_name: str
    action: Action
    changes: Mapping[str, Any]
    as_given: Mapping[str, Any]
    caller: str
    run_id: str | None = None


@dataclass(frozen=True)
class ActionRow:
    """An action that was accepted.

    Attributes:
        id: A UUID; the face's operation status documents are found by it.
        output: What it said, or why it failed; while it is in progress, what it waits for.
    """

    id: str
    cluster: str
    job_name: str
    run_id: str
    action: Action
    result: ActionResult
    output: str
    caller: str
    accepted_at: datetime
    began_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True)
class JobRow:
    """A job as the gateway has it on record.

    Attributes:
        number: Counts the jobs of all clusters in the order of their creation, from 1.
        run_id: `job-xxx-xxxx-xxxx-xxxxxxxxxxxx`: tells this job from a later one of the same name.
        record: The job as last seen; its `status` is that of the cluster's latest list.
        status: `record.status`; JOB_LAUNCH_FAILED where NEW failed before anything ran; "" where
            NEW has not come that far.
        as_given: What the face shows, in its own words.
        last: The last action.
    """

    number: int
    cluster: str
    job_name: str
    run_id: str
    record: JobRecord
    status: str
    as_given: Mapping[str, Any]
    last: ActionRow


class JobService(Protocol):
    """The jobs of all clusters of a gateway. All raise `Refusal`, before anything was changed."""

    async def submit(self, request: ActionRequest) -> ActionRow:
        """Record an action and begin it; return as soon as it is on record.

        Raises:
            Refusal: No such cluster or job; the name is taken; another action on the job is in
                progress (its message names it); the job's status does not allow it; an input is
                wrong; too many actions are in progress.
        """
        ...

    async def jobs(
        self,
        cluster: str,
        *,
        after: int = 0,
        limit: int = 100,
        job_name: str | None = None,
        jar_name: str | None = None,
    ) -> Sequence[JobRow]:
        """Return a page of a cluster's jobs in the order of their numbers.

        Args:
            cluster: Key of the cluster.
            after: The number after which the page begins.
            limit: How many at most.
            job_name: Only the job of that name.
            jar_name: Only jobs whose jar's file has that name.

        Raises:
            Refusal: No such cluster.
        """
        ...

    async def job(self, cluster: str, number: int) -> JobRow | None:
        """Return the job of that number; none where there is none on that cluster."""
        ...

    async def operation(self, action_id: str) -> ActionRow | None:
        """Return an accepted action; none where there is none, or it was cleared away."""
        ...

    async def savepoints(self, cluster: str, number: int) -> Sequence[Savepoint]:
        """Return the savepoints on record of a job, newest first."""
        ...

    async def ready(self) -> list[str]:
        """Return what keeps the gateway from working, a sentence each; empty when it is ready."""
        ...


class Refusal(Exception):
    """A request that is not carried out; nothing was changed.

    Attributes:
        status: The HTTP status of the answer.
        code: A word for programs, as Azure Resource Manager's error codes are written.
        message: Sentences for people: what is wrong, and what would be right.
        target: Path of the property that is wrong, in the face's own words; empty where none is.
        retry_after: Seconds after which the same request may be taken; none where it will not be.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str = "",
        retry_after: float | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.retry_after = retry_after
        super().__init__(message)
