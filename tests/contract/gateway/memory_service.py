"""A job service in memory: what the API is tested on without a database or a cluster."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from flink_jobs_provider.gateway.job_history import JobPoint, JobVersion, Span
from flink_jobs_provider.gateway.job_service import (
    ActionRequest,
    ActionRow,
    DisposedSavepoint,
    DraftRequest,
    Execution,
    InputChange,
    JobFilter,
    JobRow,
    JobsOfCluster,
    ListColumn,
    PageOfJobs,
)
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.model.action import STARTS, Action, ActionResult, JobStatus
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import Savepoint
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.planning.plan import Plan

CLUSTER_ID = (
    "/subscriptions/Sub-1/resourceGroups/Group-1/providers/Microsoft.HDInsight"
    "/clusterpools/Pool-1/clusters/Flink-1"
)
PROJECT = "48cc2c48765f481480c7db940d6409d1"
CLUSTER = ClusterConfiguration.model_validate(
    {
        "id": CLUSTER_ID,
        "dli": {"project_id": PROJECT, "queues": ["default", "spare"]},
        "flink": {"url": "http://flink:8081"},
        "mounts": {
            "abfs://jobs@account": "s3://bucket/jobs",
            "obs://bucket": "s3://mirror",
            "abfs://archive@account": "az://archive",
            "file:///srv": "file:///srv",
        },
    }
)
OTHER = ClusterConfiguration.model_validate(
    {
        "id": CLUSTER_ID.replace("Flink-1", "Flink-2"),
        "dli": {"project_id": PROJECT, "queues": ["other"]},
        "flink": {"url": "http://other:8081"},
        "mounts": {"obs://bucket": "s3://mirror"},
    }
)
NOW = datetime(2024, 5, 21, 6, 57, 28, 562500, UTC)
_STATUS = {
    Action.STOP: JobStatus.STOPPED,
    Action.CANCEL: JobStatus.CANCELED,
}


@dataclass
class MemoryService:
    """Carries actions out at once, unless `hold` is set; `finish` ends what is held.

    Attributes:
        requests: Everything that was submitted, in order; and so `drafts` and `changes`.
        fails_with: Why the next actions fail; empty where they succeed.
        refuses_with: Raised by the next submit.
        problems: What `ready` says.
        points: What `series` returns; `spans`: what it was asked for.
        filters: What `found` was asked for.
        disposed: The savepoints that every job had, and that were disposed of.
    """

    hold: bool = False
    fails_with: str = ""
    refuses_with: Exception | None = None
    problems: list[str] = field(default_factory=list)
    requests: list[ActionRequest] = field(default_factory=list)
    drafts: list[DraftRequest] = field(default_factory=list)
    changes: list[InputChange] = field(default_factory=list)
    rows: dict[int, JobRow] = field(default_factory=dict)
    actions: dict[str, ActionRow] = field(default_factory=dict)
    points: list[JobPoint] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    filters: list[JobFilter] = field(default_factory=list)
    disposed: list[DisposedSavepoint] = field(default_factory=list)
    _given: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def submit(self, request: ActionRequest) -> ActionRow:
        """Take an action, if the job's row allows it."""
        if self.refuses_with:
            raise self.refuses_with
        self.requests.append(request)
        row = self._live(request)
        if request.run_id and (row is None or row.run_id != request.run_id):
            raise Refusal("JobNotFound", f"There is no run {request.run_id}.")
        if request.starts_draft and row and row.status != "DRAFT":
            raise Refusal("JobStatusConflict", f"It is {row.status}.")
        if request.action is Action.NEW and not (request.run_id and row and row.status == "DRAFT"):
            if row:
                raise Refusal("JobAlreadyExists", f"A job {request.job_name} exists already.")
            row = self._new(request, request.changes)
        if row is None:
            raise Refusal("JobNotFound", f"There is no job {request.job_name}.")
        if row.last.result is ActionResult.IN_PROGRESS and row.last.id in self.actions:
            message = f"{row.last.action} is in progress: operation {row.last.id}."
            raise Refusal("ActionInProgress", message)
        action = replace(
            row.last,
            id=str(uuid.uuid4()),
            action=request.action,
            result=ActionResult.IN_PROGRESS,
            output="",
            caller=request.caller,
            finished_at=None,
        )
        if request.action in STARTS:
            kept = {} if row.next_restore is None else {"restore_from": row.next_restore}
            request = replace(request, changes={**row.next_inputs, **kept, **request.changes})
        self.rows[row.number] = replace(row, last=action)
        self.actions[action.id] = action
        self._given[action.id] = {**row.as_given, **request.as_given}
        if not self.hold:
            self.finish(action.id, self._changed(row, request))
        return action

    def finish(self, action_id: str, record: JobRecord | None = None) -> None:
        """End an action."""
        action = self.actions[action_id]
        number = next(n for n, row in self.rows.items() if row.last.id == action_id)
        row = self.rows[number]
        result = ActionResult.FAILED if self.fails_with else ActionResult.SUCCESS
        output = self.fails_with or f"{action.action} done."
        ended = replace(action, result=result, output=output, finished_at=NOW)
        self.actions[action_id] = ended
        record = row.record if record is None or self.fails_with else record
        status = str(record.status)
        if self.fails_with and action.action is Action.NEW:
            status = "JOB_LAUNCH_FAILED"
            record = record.model_copy(update={"job_id": None})
        as_given = row.as_given if self.fails_with else self._given[action_id]
        self.rows[number] = replace(
            row, last=ended, record=record, status=status, as_given=as_given
        )
        if action.action in STARTS and not self.fails_with:
            self.rows[number] = replace(
                self.rows[number], next_inputs={}, next_restore=None, started_at=NOW
            )
        if action.action is Action.DELETE and not self.fails_with:
            del self.rows[number]

    async def draft(self, request: DraftRequest) -> JobRow:
        """Put a job on record."""
        if self.refuses_with:
            raise self.refuses_with
        self.drafts.append(request)
        if self._live(request):
            raise Refusal("JobAlreadyExists", f"A job {request.job_name} exists already.")
        row = self._new(request, request.inputs)
        last = replace(row.last, result=ActionResult.SUCCESS, finished_at=NOW)
        self.rows[row.number] = replace(row, status="DRAFT", last=last)
        return self.rows[row.number]

    async def change(self, change: InputChange) -> JobRow:
        """Change what counts from the next start on."""
        if self.refuses_with:
            raise self.refuses_with
        self.changes.append(change)
        row = self.rows[change.number]
        if row.last.result is ActionResult.IN_PROGRESS:
            raise Refusal("ActionInProgress", f"{row.last.action} is in progress.")
        if row.revision != change.revision:
            raise Refusal("Conflict", "It changes at this moment.")
        runs = row.record.status.active and row.status not in ("DRAFT", "JOB_LAUNCH_FAILED")
        if runs and (change.restore_from or not change.while_it_runs):
            raise Refusal("JobStatusConflict", "The job runs.")
        self.rows[change.number] = replace(
            row,
            revision=row.revision + 1,
            as_given={**row.as_given, **change.as_given},
            next_inputs={**row.next_inputs, **change.inputs},
            next_restore=(
                row.next_restore if change.restore_from is None else change.restore_from or None
            ),
            changed_at=NOW,
        )
        return self.rows[change.number]

    async def cluster_of(self, number: int) -> str | None:
        """Return a job's cluster."""
        row = self.rows.get(number)
        return row.cluster if row else None

    async def found(self, jobs: JobFilter, page: PageOfJobs) -> tuple[Sequence[JobRow], int]:
        """Return a page of the jobs that pass a filter, and how many pass it."""
        self.filters.append(jobs)

        def place(row: JobRow) -> tuple[str, int]:
            by_name = page.column is ListColumn.NAME
            return row.job_name if by_name else "", row.number

        rows = sorted(self.rows.values(), key=place, reverse=page.newest_first)
        found = [row for row in rows if _passes(row, jobs)]
        numbers = [row.number for row in found]
        beyond = page.beyond
        begins = numbers.index(beyond) + 1 if beyond in numbers else 0
        if beyond and page.column is ListColumn.CREATED:
            past = (n < beyond if page.newest_first else n > beyond for n in numbers)
            begins = next((place for place, is_past in enumerate(past) if is_past), len(found))
        return found[begins:][page.offset : page.offset + page.limit], len(found)

    async def history(self, cluster: str, number: int, *, limit: int) -> Sequence[ActionRow]:
        """Return the actions on a job, the newest first."""
        name = self.rows[number].job_name
        return [row for row in self.actions.values() if row.job_name == name][::-1][:limit]

    async def versions(self, cluster: str, number: int, *, limit: int) -> Sequence[JobVersion]:
        """Return the version that runs."""
        row = self.rows[number]
        inputs = row.record.spec.plain()
        return [JobVersion(row.last, inputs, "d" * 64)][:limit]

    async def with_verdict(
        self,
        cluster: str,
        planned: Plan,
        record: JobRecord | None,
        wanted: JobSpec,
        jar_digest: str | None = None,
    ) -> Plan:
        """Return the plan with what was asked for, as if it had been compared."""
        del cluster, record, wanted
        return replace(planned, state=f"state fits {jar_digest}")

    async def series(self, cluster: str, number: int, span: Span) -> Sequence[JobPoint]:
        """Return what was recorded."""
        self.spans.append(span)
        return self.points

    async def execution(self, cluster: str, number: int) -> Execution | None:
        """Return the latest submission."""
        row = self.rows[number]
        if row.record.job_id is None:
            return None
        return Execution(row.record.job_id, "Job", "RUNNING", 1_700_000_000_000)

    async def jobs(self, wanted: JobsOfCluster) -> Sequence[JobRow]:
        """Return a page."""
        found = [
            row
            for number, row in sorted(self.rows.items())
            if number > wanted.after
            and row.cluster == wanted.cluster
            and wanted.job_name in (None, row.job_name)
            and wanted.jar_name in (None, row.as_given.get("jarName"))
        ]
        return found[: wanted.limit]

    async def job(self, cluster: str, number: int) -> JobRow | None:
        """Return a job."""
        row = self.rows.get(number)
        return row if row and row.cluster == cluster else None

    async def operation(self, action_id: str) -> ActionRow | None:
        """Return an action."""
        return self.actions.get(action_id)

    async def savepoints(
        self, cluster: str, number: int, limit: int | None = None
    ) -> Sequence[Savepoint]:
        """Return a job's savepoints."""
        return self.rows[number].record.savepoints[:limit]

    async def disposed_savepoints(
        self, cluster: str, number: int, limit: int | None = None
    ) -> Sequence[DisposedSavepoint]:
        """Return those that were disposed of."""
        return self.disposed[:limit]

    async def ready(self) -> list[str]:
        """Return what is set."""
        return self.problems

    def _live(self, request: ActionRequest | DraftRequest) -> JobRow | None:
        return next(
            (
                row
                for row in self.rows.values()
                if (row.cluster, row.job_name) == (request.cluster, request.job_name)
            ),
            None,
        )

    def _new(self, request: ActionRequest | DraftRequest, given: Mapping[str, Any]) -> JobRow:
        number = max(self.rows, default=0) + 1
        run_id = f"job-{number:03x}-4b48-abba-5ee598dbd653"
        inputs: dict[str, Any] = {
            "target": CLUSTER.flink,
            "owner": request.cluster,
            "job_name": request.job_name,
            **{name: value for name, value in given.items() if value is not None},
        }
        record = JobRecord(spec=JobSpec.model_validate(inputs), status=JobStatus.STARTING)
        first = ActionRow(
            id="",
            cluster=request.cluster,
            job_name=request.job_name,
            run_id=run_id,
            action=Action.NEW,
            result=ActionResult.IN_PROGRESS,
            output="",
            caller=request.caller,
            accepted_at=NOW,
            began_at=NOW,
            finished_at=None,
        )
        self.rows[number] = JobRow(
            number=number,
            cluster=request.cluster,
            job_name=request.job_name,
            run_id=run_id,
            record=record,
            status="",
            as_given=dict(request.as_given),
            last=first,
            created_by=request.caller,
            created_at=NOW,
        )
        return self.rows[number]

    def _changed(self, row: JobRow, request: ActionRequest) -> JobRecord:
        """Return the record as the action leaves it."""
        record = row.record
        status = _STATUS.get(request.action, JobStatus.RUNNING)
        if request.action in (Action.SAVEPOINT, Action.LIST_SAVEPOINT, Action.DELETE):
            status = record.status
        if request.action in (Action.STOP, Action.UPDATE, Action.SAVEPOINT):
            path = f"s3://bucket/savepoints/savepoint-20e9e9-{len(self.actions):012x}"
            record = record.with_savepoint(Savepoint(path=path))
        changes = dict(request.changes)
        if request.action not in STARTS:
            changes = {}
        restored_from = changes.pop("restore_from", record.last_savepoint)
        return record.model_copy(
            update={
                "spec": record.spec.model_copy(update=changes),
                "status": status,
                "job_id": f"20e9e907eb360b1c69510507{len(self.actions):08x}",
                "restored_from": restored_from,
            }
        )


def _passes(row: JobRow, jobs: JobFilter) -> bool:
    listed = _at(row, jobs.entries_path) if jobs.entries_path else None
    entries = {one["key"]: one.get("value") or "" for one in listed or []}
    failed = row.status in ("FAILED", "LOST") or row.last.result is ActionResult.FAILED
    return (
        row.cluster in jobs.clusters
        and (not jobs.attention or failed or row.record.job_id in jobs.flagged)
        and jobs.job_name in (None, row.job_name)
        and jobs.created_by in (None, row.created_by)
        and (
            jobs.standings is None
            or (str(row.status), row.last.action.value, row.last.result.value) in jobs.standings
        )
        and all(
            _at(row, text.path) == text.value
            or (_at(row, text.path) is None and row.cluster in text.default_of)
            for text in jobs.given
        )
        and all(entries.get(key) == value for key, value in jobs.entries.items())
    )


def _at(row: JobRow, path: tuple[str, ...]) -> Any:
    value: Any = row.as_given
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
