"""The calls that change a job, and the actions that they begin.

Creating a job, changing it and importing a savepoint change the records alone; run, stop, delete
and trigger begin an action.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flink_jobs_provider.gateway.apis.dli import schema
from flink_jobs_provider.gateway.apis.dli.call_context import (
    Calls,
    authorize,
    done,
    place_of,
)
from flink_jobs_provider.gateway.apis.dli.conventions import (
    code_of,
    no_such_job,
    output_in_call_words,
)
from flink_jobs_provider.gateway.apis.dli.presenter import dli_status, milliseconds, runs
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
from flink_jobs_provider.gateway.job_service import ActionRequest, DraftRequest, InputChange, JobRow
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.model.action import STARTS, Action, ActionResult, JobStatus
from flink_jobs_provider.wire.dli import WHILE_RUNNING, DliStatus

#: How often a change is made from a fresh row when the job changes meanwhile.
_TRIES = 5


class RecordCalls:
    """Answers the calls that change the records alone."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def create(self, request: Request) -> Response:
        """Record a job; it is not started."""
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
        """Accept buckets for the service, which does nothing: only the cluster's access counts.

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


_Given = Mapping[str, Any]
_Chosen = tuple[Action, Mapping[str, Any]]
#: Returns the action of a call and its changes, by the job, its cluster, and what a body gives.
_Choice = Callable[[JobRow, ClusterConfiguration, _Given], _Chosen]


class ActionCalls:
    """Answers the calls that begin an action."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def run(self, request: Request) -> Response:
        """Start jobs."""
        delivered = "The request for submitting DLI jobs is delivered successfully."
        return await self._batch(request, _to_run, delivered)

    async def stop(self, request: Request) -> Response:
        """Stop jobs, with a savepoint or without."""
        delivered = "The request for stopping DLI jobs is delivered successfully."
        return await self._batch(request, _to_stop, delivered)

    async def delete_all(self, request: Request) -> Response:
        """Delete jobs, also those that run."""
        delivered = "The request for deleting DLI jobs is delivered successfully."
        return await self._batch(request, _to_delete, delivered)

    async def _batch(self, request: Request, choose: _Choice, delivered: str) -> Response:
        """Begin an action on each of some jobs; answer for each, in the order of their ids.

        A single job that is refused is refused as a whole request is: with an error code.
        """
        what = request.url.path.rstrip("/").rsplit("/", 1)[-1].upper()
        async with self._calls.audited(request, what, only_refusals=True) as call:
            given = await self._calls.body(request, call)
        numbers = list(dict.fromkeys(str(int(number)) for number in given["job_ids"]))
        alone = len(numbers) == 1

        async def each(number: str) -> dict[str, str]:
            try:
                async with self._calls.audited(request, what) as call:
                    call.job = number
                    await self._begin(request, call, choose, given, number)
            except Refusal as refusal:
                if alone:
                    raise
                message = f"{code_of(refusal)[1]}: {refusal.message}"
                return {"is_success": "false", "message": message}
            return {"is_success": "true", "message": delivered}

        # At once: each may have a jar to be opened.
        answers = await asyncio.gather(*map(each, numbers), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return JSONResponse(answers)

    async def delete(self, request: Request) -> Response:
        """Delete a job, also one that runs."""
        async with self._calls.audited(request, "DELETE") as call:
            self._calls.operable(request, call.principal)
            await self._begin(request, call, _to_delete, {})
        return done("The request for deleting the job is delivered successfully.")

    async def trigger(self, request: Request) -> Response:
        """Take a savepoint; the job goes on."""
        async with self._calls.audited(request, "SAVEPOINT") as call:
            given = await self._calls.body(request, call)
            await self._begin(request, call, _to_trigger, given)
        return done("The request for triggering a savepoint is delivered successfully.")

    async def _begin(
        self,
        request: Request,
        call: AuditedCall,
        choose: _Choice,
        given: _Given,
        number: str | None = None,
    ) -> None:
        row, cluster = await self._calls.job(request, call, number)
        action, changes = choose(row, cluster, given)
        call.what = str(action)
        asked = ActionRequest(
            cluster=row.cluster,
            job_name=row.job_name,
            action=action,
            changes=changes,
            as_given={},
            caller=call.principal.name,
            run_id=row.run_id,
            cancels_first=action is Action.DELETE,
            spares_running=action is Action.STATELESS_UPDATE,
            starts_draft=action is Action.NEW,
            new_bytes=action in STARTS,
        )
        try:
            call.action_id = (await self._calls.service.submit(asked)).id
        except Refusal as refusal:
            if refusal.code == "JobNotFound":  # deleted meanwhile; callers know no run ids
                raise no_such_job(row.number) from None
            refusal.mask(cluster.storage.in_callers_words)
            raise


def _to_run(row: JobRow, _cluster: ClusterConfiguration, given: _Given) -> _Chosen:
    """Return the action that starts a job.

    With `resume_savepoint` it goes on from its newest state, or from the savepoint that was
    imported.

    Raises:
        Refusal: It runs, or there is nothing to go on from.
    """
    _refuse_in_progress(row)
    if runs(row.status):
        raise _not_possible(row, "cannot be run: it runs already")
    if row.status == "DRAFT":
        return Action.NEW, {} if given.get("resume_savepoint") else {"restore_from": None}
    if not given.get("resume_savepoint"):
        return Action.STATELESS_UPDATE, {}
    if row.status == JobStatus.STOPPED:
        return Action.START, {}
    if row.status == JobStatus.FINISHED and row.next_restore is None:
        raise _not_possible(
            row,
            "came to its own end, and has no state to go on with: run it with resume_savepoint "
            "false, or import a savepoint first",
        )
    return Action.RE_LAUNCH, {}


def _to_stop(row: JobRow, _cluster: ClusterConfiguration, given: _Given) -> _Chosen:
    """Return the action that stops a job.

    Raises:
        Refusal: It does not run.
    """
    _refuse_in_progress(row)
    with_savepoint = bool(given.get("trigger_savepoint"))
    # One that its cluster lost can be stopped without a savepoint: it is not started again then.
    lost = row.status == JobStatus.LOST and not with_savepoint
    if not (runs(row.status) or lost):
        raise _not_possible(row, "cannot be stopped: it does not run")
    return Action.STOP if with_savepoint else Action.CANCEL, {}


def _to_delete(_row: JobRow, _cluster: ClusterConfiguration, _given: _Given) -> _Chosen:
    return Action.DELETE, {}


def _to_trigger(row: JobRow, cluster: ClusterConfiguration, given: _Given) -> _Chosen:
    """Return the action that takes a savepoint.

    Raises:
        Refusal: The job does not run.
    """
    path = given.get("savepoint_path")
    changes = {"savepoint_directory": place_of(path, cluster)} if path else {}
    _refuse_in_progress(row)
    if not runs(row.status):
        raise _not_possible(row, "has no savepoint taken: it does not run")
    return Action.SAVEPOINT, changes


def _refuse_in_progress(row: JobRow) -> None:
    if row.last.result is ActionResult.IN_PROGRESS:
        waits = f" ({output_in_call_words(row.last.output).rstrip('.')})" if row.last.output else ""
        status = dli_status(row.status, row.last.action, row.last.result)
        raise _not_possible(row, f"is {status}{waits}: ask again when that has ended")


def _not_possible(row: JobRow, why: str) -> Refusal:
    status = dli_status(row.status, row.last.action, row.last.result)
    message = f"Job {row.number} ({row.job_name}) {why}. It is {status}; nothing was begun."
    return Refusal("JobStatusConflict", message)
