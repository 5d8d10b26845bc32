"""The calls that begin an action: run, stop, delete, trigger a savepoint."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flink_jobs_provider.gateway.apis.dli.call_context import AuditedCall, Calls, done, place_of
from flink_jobs_provider.gateway.apis.dli.error_codes import code_of, no_such_job
from flink_jobs_provider.gateway.apis.dli.job_status import to_run, to_stop, to_trigger
from flink_jobs_provider.gateway.job_service import ActionRequest, JobRow
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.model.action import STARTS, Action

_Begin = Callable[[JobRow], tuple[Action, Mapping[str, Any]]]


class ActionCalls:
    """Answers the calls that begin an action."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def run(self, request: Request) -> Response:
        """Start jobs."""

        def begin(given: Mapping[str, Any]) -> _Begin:
            return lambda row: to_run(row, bool(given.get("resume_savepoint")))

        said = "The request for submitting DLI jobs is delivered successfully."
        return await self._batch(request, begin, said)

    async def stop(self, request: Request) -> Response:
        """Stop jobs, with a savepoint or without."""

        def begin(given: Mapping[str, Any]) -> _Begin:
            return lambda row: (to_stop(row, bool(given.get("trigger_savepoint"))), {})

        said = "The request for stopping DLI jobs is delivered successfully."
        return await self._batch(request, begin, said)

    async def delete_all(self, request: Request) -> Response:
        """Delete jobs, also those that run."""
        said = "The request for deleting DLI jobs is delivered successfully."
        return await self._batch(request, lambda _given: _to_delete, said)

    async def _batch(
        self,
        request: Request,
        begin: Callable[[Mapping[str, Any]], _Begin],
        said: str,
    ) -> Response:
        """Begin an action on each of some jobs; answer for each, in the order of their ids.

        A single job that is refused is refused as a whole request is: with an error code.
        """
        what = request.url.path.rstrip("/").rsplit("/", 1)[-1].upper()
        async with self._calls.audited(request, what, only_refusals=True) as call:
            self._calls.operable(request, call.principal)
            given = await self._calls.body(request)
        numbers = list(dict.fromkeys(str(int(number)) for number in given["job_ids"]))
        alone = len(numbers) == 1

        async def each(number: str) -> dict[str, str]:
            try:
                async with self._calls.audited(request, what) as call:
                    call.job = number
                    await self._begin(request, number, begin(given), call)
            except Refusal as refusal:
                if alone:
                    raise
                return _batched(False, f"{code_of(refusal)[1]}: {refusal.message}")
            return _batched(True, said)

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
            await self._begin(request, request.path_params["job_id"], _to_delete, call)
        return done("The request for deleting the job is delivered successfully.")

    async def trigger(self, request: Request) -> Response:
        """Take a savepoint; the job goes on."""
        async with self._calls.audited(request, "SAVEPOINT") as call:
            self._calls.operable(request, call.principal)
            given = await self._calls.body(request)
            row, cluster = await self._calls.job(request, call)
            changes = {}
            if path := given.get("savepoint_path"):
                changes["savepoint_directory"] = place_of(path, cluster)
            await self._submit(row, to_trigger(row), changes, call)
        return done("The request for triggering a savepoint is delivered successfully.")

    async def _begin(self, request: Request, number: str, begin: _Begin, call: AuditedCall) -> None:
        row, _ = await self._calls.job(request, call, number)
        action, changes = begin(row)
        await self._submit(row, action, changes, call)

    async def _submit(
        self, row: JobRow, action: Action, changes: Mapping[str, Any], call: AuditedCall
    ) -> None:
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
            call.action = await self._calls.service.submit(asked)
        except Refusal as refusal:
            if refusal.code == "JobNotFound":  # deleted meanwhile; callers know no run ids
                raise no_such_job(row.number) from None
            refusal.mask(partial(self._calls.in_callers_words, row.cluster))
            raise


def _to_delete(_row: JobRow) -> tuple[Action, Mapping[str, Any]]:
    return Action.DELETE, {}


def _batched(succeeded: bool, message: str) -> dict[str, str]:
    return {"is_success": str(succeeded).lower(), "message": message}
