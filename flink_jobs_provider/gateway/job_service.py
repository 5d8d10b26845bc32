"""What the faces of the gateway ask of it, and what they get back.

A face (the HDInsight on AKS API, the Data Lake Insight API) translates its requests into these and
these into its answers; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from flink_jobs_provider.model.action import Action, ActionResult
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import Savepoint, canonical_path
from flink_jobs_provider.model.spec import JobSpec


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
            `allow_non_restored_state`. What is not given stays as the job has it; None takes it
            away. SAVEPOINT takes `savepoint_directory`, for this one savepoint.
        as_given: What the face shows when the job is read, in its own words; laid over what
            earlier requests gave.
        caller: Who asks, for the audit log.
        run_id: The run that is meant, where the face's request names one: refused where the job of
            that name is another one, or none is there. NEW with the one of a draft starts that.
        cancels_first: DELETE only: whether a job that runs is cancelled, in the same action.
        releases: DELETE only: whether a job that runs is taken off the record, and goes on.
        spares_running: Whether the action is refused for a job that runs.
        starts_draft: NEW with a run id only: whether it is refused unless that is a draft still.
            It may give no inputs, and must not record another job in the draft's place.
        new_bytes: Whether the jar that the job has, from its next start on, is taken as it lies
            there now, also by START and RE_LAUNCH, which else take the bytes that ran before.
        fails_without_jar: What the caller calls the jar. If given, NEW of a new job whose jar
            cannot be read is recorded as an action that failed; otherwise it is refused.
        seen: Id of the job's last action as the caller knows it: refused where another one has
            been accepted since. Empty for whatever it was.
        revision: That of the job's row as the caller knows it: refused where the row has changed
            since, in whatever way. 0 for whatever it is.
        version: Id of the action that started an earlier version of the job, which is to be
            started again: its inputs count, and the bytes of its jar. `changes` then holds a
            savepoint at most, and `as_given` nothing.
    """

    cluster: str
    job_name: str
    action: Action
    changes: Mapping[str, Any]
    as_given: Mapping[str, Any]
    caller: str
    run_id: str | None = None
    cancels_first: bool = False
    spares_running: bool = False
    starts_draft: bool = False
    new_bytes: bool = False
    fails_without_jar: str = ""
    seen: str = ""
    version: str = ""
    releases: bool = False
    revision: int = 0


@dataclass(frozen=True)
class DraftRequest:
    """A job to be recorded without being started; see `ActionRequest`."""

    cluster: str
    job_name: str
    inputs: Mapping[str, Any]
    as_given: Mapping[str, Any]
    caller: str


@dataclass(frozen=True)
class InputChange:
    """A change of what a job is to be from its next start on; nothing is started or stopped.

    Attributes:
        revision: That of the row that the change was made from.
        inputs: As `ActionRequest.changes`, without `restore_from`.
        restore_from: A savepoint that the next start goes on from; none leaves that as it is, an
            empty text takes it back. A job that runs takes none: its own state would be lost.
        while_it_runs: Whether a job may run meanwhile.
    """

    cluster: str
    number: int
    revision: int
    inputs: Mapping[str, Any]
    as_given: Mapping[str, Any]
    caller: str
    restore_from: str | None = None
    while_it_runs: bool = False


@dataclass(frozen=True)
class ActionRow:
    """An action that was accepted.

    Attributes:
        id: A UUID.
        output: What it reported, or why it failed; while it is in progress, what it waits for.
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
class DisposedSavepoint:
    """A savepoint that was disposed of through its cluster.

    Attributes:
        disposed_at: When that was recorded, by the database's clock.
    """

    savepoint: Savepoint
    disposed_at: datetime

    @property
    def when(self) -> str:
        """That time in UTC, in ISO 8601."""
        return self.disposed_at.strftime("%Y-%m-%dT%H:%M:%SZ")


def listed_savepoints(
    recorded: Iterable[Savepoint], disposed: Iterable[DisposedSavepoint]
) -> list[Savepoint]:
    """Return savepoints, each once, newest first, without those that were disposed of."""
    gone = {canonical_path(each.savepoint.path) for each in disposed}
    once = {canonical_path(each.path): each for each in reversed([*recorded])}
    # Of those of one second, the first stays first.
    as_given = [each for path, each in reversed(once.items()) if path not in gone]
    return sorted(as_given, key=lambda each: each.taken_at, reverse=True)


@dataclass(frozen=True, kw_only=True)
class JobFacts:
    """What a job's row holds of it, as it is.

    Attributes:
        number: Counts the jobs of all clusters in the order of their creation, from 1.
        run_id: `job-xxx-xxxx-xxxx-xxxxxxxxxxxx`; a later job of the same name has another.
        status: `record.status`; DRAFT where it was never started; JOB_LAUNCH_FAILED where NEW
            failed before anything ran; "" where NEW has not come that far.
        as_given: What the face shows, in its own words.
        last: The last action. Drafts and changes of inputs are on record as NEW and UPDATE that
            have ended.
        revision: Later states of the row have another.
        started_at: When its latest submission was first seen; None where it was never started.
        changed_at: When its inputs were last changed without a start.
        ended_at: When its latest submission ended; none while it runs, or where its cluster did
            not report it.
    """

    number: int
    cluster: str
    job_name: str
    run_id: str
    status: str
    as_given: Mapping[str, Any]
    last: ActionRow
    revision: int = 0
    created_by: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None
    changed_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class JobRow(JobFacts):
    """A job as the gateway has it on record.

    Attributes:
        record: The job as last seen; its `status` is that of the cluster's latest list.
        next_inputs: Inputs that count from the next start on, by name.
        next_restore: The savepoint that the next start goes on from.
    """

    record: JobRecord
    next_inputs: Mapping[str, Any] = field(default_factory=dict)
    next_restore: str | None = None

    @property
    def next_spec(self) -> JobSpec:
        """What the job is to be when it is started next."""
        given = {**self.record.spec.plain(), **self.next_inputs}
        kept = {name: value for name, value in given.items() if value is not None}
        return JobSpec.model_validate({**kept, "target": self.record.spec.target})


@dataclass(frozen=True)
class GivenText:
    """A text among what a face was given of a job.

    Attributes:
        path: Where it is in `JobRow.as_given`.
        value: What it must be.
        default_of: Clusters whose jobs have that value where none was given.
    """

    path: tuple[str, ...]
    value: str
    default_of: Collection[str] = ()


class ListColumn(StrEnum):
    """What a list of jobs is sorted by; jobs that are equal in it by their creation."""

    CREATED = "created_at"
    NAME = "name"
    CLUSTER = "cluster"
    STATUS = "status"
    PARALLELISM = "parallelism"
    CREATED_BY = "created_by"
    STARTED = "started_at"
    ENDED = "ended_at"
    LAST_ACTION = "last_action"
    ATTENTION = "needs_attention"


@dataclass(frozen=True)
class JobFilter:
    """The jobs of a list. What is None or empty lets every job through, but for `clusters`.

    Attributes:
        clusters: Their keys.
        standings: Their status, with the action and the result of their last action: one of these.
        given: Texts that they were given.
        entries_path: Where among what was given a list of objects with `key` and `value` is.
        entries: Values that it must have, by key; one without a value has an empty one.
        flagged: JobIds of jobs that need attention as their clusters show it.
        attention: Whether only those are let through, and those whose record shows that they need
            it: that FAILED, are LOST, never came to run, or whose last action failed.
        max_age: How many seconds ago the clusters may have been observed; None for fewer than a
            gateway lets pass between two observations.
    """

    clusters: Sequence[str]
    job_name: str | None = None
    created_by: str | None = None
    standings: Collection[tuple[str, str, str]] | None = None
    given: Sequence[GivenText] = ()
    entries_path: tuple[str, ...] = ()
    entries: Mapping[str, str] = field(default_factory=dict)
    flagged: Collection[str] = ()
    attention: bool = False
    max_age: float | None = None


@dataclass(frozen=True, kw_only=True)
class PageOfJobs:
    """A page of the jobs that pass a filter.

    Attributes:
        limit: How many there are at most.
        newest_first: Whether the order is descending: the job that was created last first.
        offset: How many jobs are left out.
        beyond: The number of a job after which the page begins, in that order; 0 for none.
        column: What is sorted by.
    """

    limit: int
    newest_first: bool
    offset: int = 0
    beyond: int = 0
    column: ListColumn = ListColumn.CREATED


@dataclass(frozen=True)
class JobsOfCluster:
    """A page of the jobs of one cluster, in the order of their numbers.

    Attributes:
        cluster: Key of the cluster.
        after: The number after which the page begins.
        limit: How many at most.
        job_name: Only the job of that name.
        jar_name: Only jobs whose jar's file has that name.
    """

    cluster: str
    after: int = 0
    limit: int = 100
    job_name: str | None = None
    jar_name: str | None = None


@dataclass(frozen=True)
class Execution:
    """The latest submission of a job as its cluster has it.

    Attributes:
        name: The name that the program gave itself.
        state: Flink's own word; that of the record where the cluster no longer knows the job.
        started: Milliseconds since the epoch; 0 where it is not known.
        ended: The same; 0 while it goes on.
    """

    job_id: str
    name: str
    state: str
    started: int = 0
    ended: int = 0


class JobService(Protocol):
    """The jobs of all clusters of a gateway. All raise `Refusal`, before anything was changed."""

    async def submit(self, request: ActionRequest) -> ActionRow:
        """Record an action and begin it; return as soon as it is on record.

        Raises:
            Refusal: No such cluster or job; the name is taken; another action on the job is in
                progress (its message names it); the job's status does not allow it; an input is
                invalid; too many actions are in progress.
        """

    async def draft(self, request: DraftRequest) -> JobRow:
        """Record a job that is started later, by NEW with its run id.

        Raises:
            Refusal: No such cluster; the name is taken; an input is invalid.
        """

    async def change(self, change: InputChange) -> JobRow:
        """Change what a job is to be from its next start on.

        Raises:
            Refusal: No such job; it is no longer as the change was made from; an action is in
                progress; its status does not allow it; an input is invalid.
        """

    async def cluster_of(self, number: int) -> str | None:
        """Return the key of the cluster that a job is on; None where there is no such job."""

    async def found(self, jobs: JobFilter, page: PageOfJobs) -> tuple[Sequence[JobRow], int]:
        """Return a page of the jobs that pass a filter, and how many pass it in all.

        Raises:
            Refusal: No such cluster.
        """

    async def execution(self, cluster: str, number: int) -> Execution | None:
        """Return the latest submission of a job; None where it was never started.

        Raises:
            Refusal: No such job; the cluster cannot be asked now.
        """

    async def jobs(self, wanted: JobsOfCluster) -> Sequence[JobRow]:
        """Return a page of a cluster's jobs in the order of their numbers.

        Raises:
            Refusal: No such cluster.
        """

    async def job(self, cluster: str, number: int) -> JobRow | None:
        """Return the job of that number; None where there is none on that cluster."""

    async def operation(self, action_id: str) -> ActionRow | None:
        """Return an accepted action; None where there is none, or it was cleared away."""

    async def savepoints(
        self, cluster: str, number: int, limit: int | None = None
    ) -> Sequence[Savepoint]:
        """Return the savepoints on record of a job, newest first; all of them without a limit."""

    async def disposed_savepoints(
        self, cluster: str, number: int, limit: int | None = None
    ) -> Sequence[DisposedSavepoint]:
        """Return those that were disposed of, newest first; all of them without a limit."""

    async def ready(self) -> list[str]:
        """Return what keeps the gateway from working, a sentence each; empty when it is ready."""
