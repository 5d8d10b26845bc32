"""The calls that change the records alone: creating a job, changing it, importing a savepoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from flink_jobs_provider.gateway.apis.dli import schema
from flink_jobs_provider.gateway.apis.dli.call_context import (
    Calls,
    authorize,
    done,
    place_of,
)
from flink_jobs_provider.gateway.apis.dli.presenter import milliseconds, runs
from flink_jobs_provider.gateway.apis.dli.translation import (
    AS_GIVEN,
    changed_fields,
    config_of,
    inputs_of,
    job_name_of,
    laid_over,
)
from flink_jobs_provider.gateway.http.api_answers import AuditedCall
from flink_jobs_provider.gateway.http.property_problems import Problem, RefusedProperties
from flink_jobs_provider.gateway.job_service import DraftRequest, InputChange, JobRow
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.wire.dli import WHILE_RUNNING, DliStatus

#: How often a change is made from a fresh row when the job changes meanwhile.
_TRIES = 5


class RecordCalls:
    """Answers the calls that change the records alone."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def create(self, request: Request) -> Response:
        """Put a job on record; it is not started."""
        async with self._calls.audited(request, "CREATE") as call:
            given = schema.job_fields(await self._calls.body(request, call))
            clusters = self._calls.operable(request, call.principal)
            call.job = given["name"]
            queue = given.get("queue_name") or self._calls.first_queue(request)
            cluster = _cluster_of(queue, clusters)
            call.cluster = cluster.key
            authorize(call.principal, cluster)
            job_name = job_name_of(given["name"])
            config = {**given, "queue_name": queue}
            inputs = inputs_of({*given, "parallel_number"}, config, cluster, job_name)
            row = await self._calls.service.draft(
                DraftRequest(cluster.key, job_name, inputs, {AS_GIVEN: config}, call.principal.name)
            )
        job = {"job_id": row.number, "status_name": DliStatus.INIT.value, "status_desc": ""}
        return done("The Flink job was created. Run it to start it.", job=job)

    async def update(self, request: Request) -> Response:
        """Change a job's fields."""
        async with self._calls.audited(request, "CHANGE") as call:
            given = schema.job_fields(await self._calls.body(request, call))
            given.pop("job_type", None)
            row = await self._changed(request, call, partial(_update, given=given))
        update_time = milliseconds(row.changed_at or row.created_at)
        return done("The Flink job was updated.", job={"update_time": update_time})

    async def import_savepoint(self, request: Request) -> Response:
        """Name the savepoint that the job's next run starts from."""
        async with self._calls.audited(request, "IMPORT_SAVEPOINT") as call:
            given = await self._calls.body(request, call)
            named = given.get("job_id")
            if named is not None and str(int(named)) != request.path_params["job_id"]:
                text = "job_id must be the one in the path."
                raise RefusedProperties([Problem("job_id", text)])
            path = given["savepoint_path"]
            await self._changed(
                request,
                call,
                lambda _, cluster: {"restore_from": place_of(path, cluster) if path else ""},
            )
        return done("The job is successfully updated.")

    async def authorize_buckets(self, request: Request) -> Response:
        """Let the service have buckets; does nothing, as only the cluster's access counts.

        Older Terraform providers send it. What jobs read and write is decided by the access that
        their cluster has to storage, and no call of this API changes that.
        """
        async with self._calls.audited(request, "OBS_AUTHORIZE") as call:
            await self._calls.body(request, call)
        return done(
            "Nothing had to be done: a cluster's own access to storage is what counts here."
        )

    async def _changed(
        self,
        request: Request,
        call: AuditedCall,
        change_of: Callable[[JobRow, ClusterConfiguration], Mapping[str, Any]],
    ) -> JobRow:
        """Make a change of a job as it is; again, where it has changed by the time.

        Args:
            request: The request, whose path names the job.
            call: The call that the request makes.
            change_of: Returns what an `InputChange` has of its own; empty where nothing changes.
        """
        for left in reversed(range(_TRIES)):
            row, cluster = await self._calls.job(request, call)
            own = change_of(row, cluster)
            if not own:
                return row
            change = InputChange(
                cluster=cluster.key,
                number=row.number,
                revision=row.revision,
                caller=call.principal.name,
                **{"inputs": {}, "as_given": {}, **own},
            )
            try:
                return await self._calls.service.change(change)
            except Refusal as refusal:
                if refusal.code != "Conflict" or left == 0:
                    raise
        raise AssertionError("unreachable")


def _update(row: JobRow, cluster: ClusterConfiguration, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the change that some fields make; empty where they are as they were."""
    before = config_of(row, cluster)
    changed = changed_fields(before, laid_over(before, given))
    # What is sent back as it was shown is not given: a default that is shown is no wish.
    given = {name: value for name, value in given.items() if name in changed}
    after = laid_over(before, given)
    fields = changed_fields(before, after)
    if not fields:
        return {}
    if fixed := {"name", "queue_name"} & set(fields):
        name = min(fixed)
        text = f"{name} cannot be changed (it is {before[name]}): create another job with it."
        raise RefusedProperties([Problem(name, text)])
    may_wait = set(fields) <= WHILE_RUNNING
    if runs(row.status) and not may_wait:
        kept = ", ".join(sorted(set(fields) & set(given) - WHILE_RUNNING))
        text = f"{kept} cannot be changed while the job runs: stop it first."
        raise Refusal("JobStatusConflict", text)
    return {
        "inputs": inputs_of(fields, after, cluster, row.job_name),
        "as_given": {AS_GIVEN: after},
        "while_it_runs": may_wait,
    }


def _cluster_of(queue: str, clusters: Mapping[str, ClusterConfiguration]) -> ClusterConfiguration:
    queues = {name: one for one in clusters.values() if one.dli for name in one.dli.queues}
    if queue not in queues:
        text = f"queue_name must be one of {', '.join(queues)}."
        raise RefusedProperties([Problem("queue_name", text)])
    return queues[queue]
