"""A job service in memory: what the API is tested on without a database or a cluster."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from flink_jobs_provider.gateway.configuration import ClusterConfiguration
from flink_jobs_provider.gateway.service import ActionRequest, ActionRow, JobRow, Refusal
from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import Savepoint
from flink_jobs_provider.model.spec import JobSpec

CLUSTER_ID = (
    "/subscriptions/Sub-1/resourceGroups/Group-1/providers/Microsoft.HDInsight"
    "/clusterpools/Pool-1/clusters/Flink-1"
)
CLUSTER = ClusterConfiguration.model_validate(
    {
        "id": CLUSTER_ID,
        "flink": {"url": "http://flink:8081"},
        "mounts": {
            "abfs://jobs@account": "s3://bucket/jobs",
            "abfs://archive@account": "az://archive",
            "file:///srv": "file:///srv",
        },
    }
)
OTHER = ClusterConfiguration.model_validate(
    {"id": CLUSTER_ID.replace("Flink-1", "Flink-2"), "flink": {"url": "http://other:8081"}}
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
        requests: Everything that was submitted, in order.
        fails_with: Why the next actions fail; empty where they succeed.
        refuses_with: Raised by the next submit.
        problems: What `ready` says.
    """

    hold: bool = False
    fails_with: str = ""
    refuses_with: Exception | None = None
    problems: list[str] = field(default_factory=list)
    requests: list[ActionRequest] = field(default_factory=list)
    rows: dict[int, JobRow] = field(default_factory=dict)
    actions: dict[str, ActionRow] = field(default_factory=dict)
    _given: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def submit(self, request: ActionRequest) -> ActionRow:
        """Take an action, if the job's row allows it."""
        if self.refuses_with:
            raise self.refuses_with
        self.requests.append(request)
        row = self._live(request)
        if request.action is Action.NEW:
            if row:
                raise Refusal(409, "JobAlreadyExists", f"A job {request.job_name} exists already.")
            row = self._new(request)
        if row is None or request.run_id not in (None, row.run_id):
            raise Refusal(404, "JobNotFound", f"There is no job {request.job_name}.")
        if row.last.result is ActionResult.IN_PROGRESS and row.last.id in self.actions:
            message = f"{row.last.action} is in progress: operation {row.last.id}."
            raise Refusal(409, "ActionInProgress", message)
        action = replace(
            row.last,
            id=str(uuid.uuid4()),
            action=request.action,
            result=ActionResult.IN_PROGRESS,
            output="",
            caller=request.caller,
            finished_at=None,
        )
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
        if action.action is Action.DELETE and not self.fails_with:
            del self.rows[number]

    async def jobs(
        self,
        cluster: str,
        *,
        after: int = 0,
        limit: int = 100,
        job_name: str | None = None,
        jar_name: str | None = None,
    ) -> Sequence[JobRow]:
        """Return a page."""
        found = [
            row
            for number, row in sorted(self.rows.items())
            if number > after
            and row.cluster == cluster
            and job_name in (None, row.job_name)
            and jar_name in (None, row.as_given.get("jarName"))
        ]
        return found[:limit]

    async def job(self, cluster: str, number: int) -> JobRow | None:
        """Return a job."""
        row = self.rows.get(number)
        return row if row and row.cluster == cluster else None

    async def operation(self, action_id: str) -> ActionRow | None:
        """Return an action."""
        return self.actions.get(action_id)

    async def savepoints(self, cluster: str, number: int) -> Sequence[Savepoint]:
        """Return a job's savepoints."""
        return self.rows[number].record.savepoints

    async def ready(self) -> list[str]:
        """Return what is set."""
        return self.problems

    def _live(self, request: ActionRequest) -> JobRow | None:
        return next(
            (
                row
                for row in self.rows.values()
                if (row.cluster, row.job_name) == (request.cluster, request.job_name)
            ),
            None,
        )

    def _new(self, request: ActionRequest) -> JobRow:
        number = max(self.rows, default=0) + 1
        run_id = f"job-{number:03x}-4b48-abba-5ee598dbd653"
        inputs: dict[str, Any] = {
            "target": CLUSTER.flink,
            "owner": request.cluster,
            "job_name": request.job_name,
            **request.changes,
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
        restored_from = changes.pop("restore_from", record.last_savepoint)
        return record.model_copy(
            update={
                "spec": record.spec.model_copy(update=changes),
                "status": status,
                "job_id": f"20e9e907eb360b1c69510507{len(self.actions):08x}",
                "restored_from": restored_from,
            }
        )
