"""Savepoints and checkpoints over REST, each triggered under an id of our own.

So a repeat of a savepoint finds the first one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from flink_jobs_provider.control_planes.flink.bodies import last_cause, savepoint_body
from flink_jobs_provider.control_planes.flink.client import FlinkAnswer, FlinkClient
from flink_jobs_provider.control_planes.http import Polling
from flink_jobs_provider.control_planes.protocol import MonotonicClock, SavepointRequest
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ClusterUnreachable,
    DeadlineExceeded,
    TemporaryError,
)
from flink_jobs_provider.model.identity import trigger_id

#: How often the job is read, and how long an ended one's operation is given, in seconds.
_EVERY, _GRACE = 1.0, 5.0


class Outliving:
    """Watches the job of one operation, which may outlive it: Flink may never report how it ended.

    A checkpoint that was triggered just as its job failed stays IN_PROGRESS for good (measured on
    1.20.5), and a savepoint goes the same way through Flink.

    Args:
        ended: Returns the job's state where it has ended or is gone; else an empty text.
    """

    def __init__(self, ended: Callable[[], Awaitable[str]], clock: MonotonicClock) -> None:
        self._ended = ended
        self._clock = clock
        self._due = clock() + _EVERY
        self._since: float | None = None

    async def state(self) -> str:
        """Return the state of a job that ended a while ago; an empty text for any other."""
        now = self._clock()
        if now < self._due:
            return ""
        self._due = now + _EVERY
        state = await self._ended()
        if not state:
            self._since = None
            return ""
        if self._since is None:
            self._since = now
        return state if now - self._since >= _GRACE else ""


#: How many attempts are read at once when an earlier run's operation is searched.
_WINDOW = 4
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0
#: Between two reads of a checkpoint, in seconds.
_FIRST_CHECKPOINT_PAUSE, _LONGEST_CHECKPOINT_PAUSE = 0.01, 0.25
#: For how many seconds a cluster may be out of reach before waiting for a savepoint is given up.
_LONGEST_ABSENCE = 60.0


@dataclass(frozen=True)
class Operation:
    """What Flink knows under a trigger id: nothing, a path, a failure, or neither of both yet."""

    trigger: str
    known: bool = True
    path: str = ""
    failure: str = ""


class CheckpointOperations:
    """Savepoints and checkpoints of one cluster's jobs; `ended` is as for `Outliving`.

    Each attempt at a savepoint has a trigger id that is derived from the request.
    """

    def __init__(
        self,
        client: FlinkClient,
        ended: Callable[[str], Awaitable[str]],
        polling: Polling,
    ) -> None:
        self._client = client
        self._ended = ended
        self._clock = polling.clock
        self._polling = polling

    async def take(self, request: SavepointRequest, timeout: float) -> str:
        """Take a savepoint and return its path; an earlier one of the same request is returned.

        Raises:
            ActionFailed: Flink could not take it; the text is the last cause.
            DeadlineExceeded: It is still being taken.
            TemporaryError: The cluster forgot the operation, or stopped answering.
        """
        deadline = self._clock() + timeout
        operation = await self._resume(request)
        if not operation.known:
            await self._trigger(request, operation.trigger)
        return await self._wait(request, operation, deadline)

    async def find(self, request: SavepointRequest) -> str | None:
        """Return the path of the savepoint that an earlier attempt took, or None."""
        operation = await self._resume(request)
        return operation.path or None

    async def await_begun(self, request: SavepointRequest, timeout: float) -> str | None:
        """Wait for an earlier attempt; None where there is none, or it failed.

        Raises:
            DeadlineExceeded: It is still being taken.
            TemporaryError: The cluster forgot the operation, or stopped answering.
        """
        deadline = self._clock() + timeout
        operation = await self._resume(request)
        if not operation.known:
            return None
        try:
            return await self._wait(request, operation, deadline)
        except ActionFailed:
            return None

    async def _resume(self, request: SavepointRequest) -> Operation:
        """Find the latest attempt that is worth going on with, else the id of the next one.

        A failed attempt is remembered by Flink for five minutes and would be answered again.
        """
        purpose = f"{request.purpose}/{request.occasion}"
        first = 0
        last: Operation | None = None
        while True:
            ids = [trigger_id(request.job_id, purpose, first + i) for i in range(_WINDOW)]
            window = await asyncio.gather(*(self._read(request.job_id, id_) for id_ in ids))
            known = [operation for operation in window if operation.known]
            last = known[-1] if known else last
            if not window[-1].known:
                break
            first += _WINDOW
        if last and not last.failure:
            return last
        free = window.index(known[-1]) + 1 if known else 0
        return Operation(ids[free], known=False)

    async def _read(self, job_id: str, trigger: str) -> Operation:
        try:
            body = await self._client.get(f"jobs/{job_id}/savepoints/{trigger}", "status")
        except FlinkAnswer as answer:
            if answer.status == 404:
                return Operation(trigger, known=False)
            raise ActionFailed(f"Flink answered {answer}") from None
        return _operation(trigger, body)

    async def _trigger(self, request: SavepointRequest, trigger: str) -> None:
        """Send the request; the same trigger id again starts nothing new, so it may be repeated."""
        path, body = savepoint_body(request, trigger)
        try:
            await self._client.change("POST", path, json=body, repeatable=True, has="request-id")
        except FlinkAnswer as answer:
            raise ActionFailed(f"the savepoint was refused: {answer.cause}") from None

    async def _wait(self, request: SavepointRequest, operation: Operation, deadline: float) -> str:
        answered = self._clock()
        outliving = Outliving(lambda: self._ended(request.job_id), self._clock)

        async def path() -> str:
            nonlocal answered
            try:
                state = await outliving.state()
                now = await self._read(request.job_id, operation.trigger)
            except ClusterUnreachable:
                if self._clock() >= min(deadline, answered + _LONGEST_ABSENCE):
                    raise
                return ""
            answered = self._clock()
            if now.failure:
                raise ActionFailed(now.failure)
            if not now.known:
                raise TemporaryError(
                    "the cluster no longer knows the savepoint that was being taken",
                    remedy="Its JobManager may have restarted: run again",
                )
            if state and not now.path:
                raise TemporaryError(
                    f"the job is {state}, and Flink does not report how its savepoint ended",
                    remedy="Run again: the job goes on from what it left",
                )
            return now.path

        found = operation.path or await self._polling.until(
            path, deadline, _FIRST_PAUSE, _LONGEST_PAUSE
        )
        if not found:
            raise DeadlineExceeded("the savepoint is still being taken")
        return found

    async def complete_checkpoint(self, job_id: str, timeout: float) -> None:
        """Trigger a checkpoint of a job that has periodic ones, and wait for its end.

        Raises:
            ActionFailed: The checkpoint failed.
            DeadlineExceeded: It has not ended yet.
        """
        deadline = self._clock() + timeout
        outliving = Outliving(lambda: self._ended(job_id), self._clock)
        trigger = trigger_id(job_id, "checkpoint", int(self._clock() * 1000))
        body = {"checkpointType": "CONFIGURED", "triggerId": trigger}
        path = f"jobs/{job_id}/checkpoints"

        async def completed() -> dict[str, Any]:
            result: dict[str, Any] = await self._client.get(f"{path}/{trigger}", "status")
            if result["status"]["id"] == "COMPLETED":
                return result
            if self._clock() < deadline and (state := await outliving.state()):
                raise ActionFailed(f"the job is {state}, and no checkpoint has completed")
            return {}

        try:
            await self._client.change("POST", path, json=body, repeatable=True)
            result = await self._polling.until(
                completed, deadline, _FIRST_CHECKPOINT_PAUSE, _LONGEST_CHECKPOINT_PAUSE
            )
        except FlinkAnswer as answer:
            raise ActionFailed(answer.cause) from None
        if not result:
            raise DeadlineExceeded("no checkpoint has completed yet")
        # Not "failure-cause", as of savepoints (CheckpointInfo; measured on 1.20 and 2.3).
        cause = (result.get("operation") or {}).get("failureCause")
        if cause:
            raise ActionFailed(last_cause(cause.get("stack-trace") or cause.get("class") or ""))


def _operation(trigger: str, body: dict[str, Any]) -> Operation:
    """Read the poll's body: HTTP 200 both for success and failure (measured)."""
    if body["status"]["id"] != "COMPLETED":
        return Operation(trigger)
    result = body.get("operation") or {}
    cause = result.get("failure-cause")
    if cause:
        text = cause.get("stack-trace") or cause.get("class") or "no reason was given"
        return Operation(trigger, failure=last_cause(text))
    path = result.get("location") or ""
    return Operation(trigger, path=path, failure="" if path else "no path was given")
