"""Savepoints and checkpoints over REST, each triggered under an id of our own.

So a repeat of a savepoint finds the first one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from flink_jobs_provider.control_planes.flink.bodies import last_cause, savepoint_body
from flink_jobs_provider.control_planes.flink.client import FlinkAnswer, FlinkClient
from flink_jobs_provider.control_planes.http import Polling
from flink_jobs_provider.control_planes.protocol import MonotonicClock, SavepointRequest
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ClusterUnreachable,
    DeadlineExceeded,
    Signal,
    TemporaryError,
)
from flink_jobs_provider.model.identity import trigger_id

#: How often the job is read, and how long an ended one's operation is given, in seconds.
_EVERY, _GRACE = 1.0, 5.0
#: How long an operation is given that no statistics show, in seconds beside the age that these may
#: have; they are read as often as `_GRACE` says.
_UNSEEN = 10.0


class Outliving:
    """Watches the job of one operation, of which Flink may never report how it ended.

    A checkpoint that was triggered just as its job failed stays IN_PROGRESS for good (measured on
    1.20.5), and a savepoint goes the same way through Flink. The same befalls both where the job
    goes on: 12 of 3,300 that were triggered while it was rescaled (measured on 2.3.0), and its
    statistics count none in progress then.

    Args:
        ended: Returns the job's state where it has ended or is gone; else an empty text.
        idle: Whether its statistics count no checkpoint or savepoint in progress.
        may_be_old: Returns how old these may be, in seconds.
    """

    def __init__(
        self,
        ended: Callable[[], Awaitable[str]],
        idle: Callable[[], Awaitable[bool]],
        may_be_old: Callable[[], Awaitable[float]],
        clock: MonotonicClock,
    ) -> None:
        self._ended = ended
        self._idle = idle
        self._may_be_old = may_be_old
        self._clock = clock
        self._due, self._idle_due = clock() + _EVERY, clock() + _GRACE
        self._ended_since: float | None = None
        self._idle_since: float | None = None

    async def state(self) -> str:
        """Return the state of a job that ended a while ago; an empty text for any other."""
        now = self._clock()
        if now < self._due:
            return ""
        self._due = now + _EVERY
        state = await self._ended()
        if not state:
            self._ended_since = None
            return ""
        if self._ended_since is None:
            self._ended_since = now
        return state if now - self._ended_since >= _GRACE else ""

    async def is_lost(self) -> bool:
        """Whether the statistics have shown for a while that nothing is in progress any more."""
        now = self._clock()
        if now < self._idle_due:
            return False
        self._idle_due = now + _GRACE
        if not await self._idle():
            self._idle_since = None
            return False
        if self._idle_since is None:
            self._idle_since = now
        return now - self._idle_since >= _UNSEEN + await self._may_be_old()


#: How often a savepoint that was lost is triggered again.
_LOST_AGAIN = 1
_NOT_REPORTED = "it does not report how it ended, and none of the job is in progress"


class OperationLost(Signal):
    """An operation that Flink lost: the job goes on, and nothing of it is in progress."""


#: How many attempts are read at once when an earlier run's operation is searched.
_WINDOW = 4
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0
#: Between two reads of a checkpoint, in seconds.
_FIRST_CHECKPOINT_PAUSE, _LONGEST_CHECKPOINT_PAUSE = 0.01, 0.25
#: For how many seconds a cluster may be out of reach before waiting for a savepoint is given up.
_LONGEST_ABSENCE = 60.0
#: Flink's last cause where a savepoint that is to be disposed of is not there (measured on 1.20.5
#: and 2.3.0).
_NOT_THERE = "FileNotFoundException"


@dataclass(frozen=True)
class Operation:
    """What Flink knows under a trigger id: nothing, a path, a failure, or neither of both yet.

    Attributes:
        attempt: The number of the attempt that the id is derived from.
    """

    trigger: str
    attempt: int = 0
    known: bool = True
    path: str = ""
    failure: str = ""


class CheckpointOperations:
    """Savepoints and checkpoints of one cluster's jobs; the two functions are as for `Outliving`.

    Each attempt at a savepoint has a trigger id that is derived from the request.
    """

    def __init__(
        self,
        client: FlinkClient,
        ended: Callable[[str], Awaitable[str]],
        may_be_old: Callable[[], Awaitable[float]],
        polling: Polling,
    ) -> None:
        self._client = client
        self._ended = ended
        self._may_be_old = may_be_old
        self._clock = polling.clock
        self._polling = polling

    async def take(self, request: SavepointRequest, timeout: float) -> str:
        """Take a savepoint and return its path; an earlier one of the same request is returned.

        One that Flink has lost is triggered again.

        Raises:
            ActionFailed: Flink could not take it; the text is the last cause.
            DeadlineExceeded: It is still being taken.
            TemporaryError: The cluster forgot the operation, or stopped answering.
        """
        deadline = self._clock() + timeout
        operation, triggered = await self._resume(request), 0
        while True:
            if not operation.known:
                await self._trigger(request, operation.trigger)
                triggered += 1
            try:
                return await self._wait(request, operation, deadline)
            except OperationLost:
                if triggered > _LOST_AGAIN:
                    raise ActionFailed(f"Flink lost the savepoint: {_NOT_REPORTED}") from None
                operation = _attempt(request, operation.attempt + 1)

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
        except (ActionFailed, OperationLost):
            return None

    async def _resume(self, request: SavepointRequest) -> Operation:
        """Find the latest attempt that is worth going on with, else the id of the next one.

        A failed attempt is remembered by Flink for five minutes and would be answered again.
        """
        first = 0
        last: Operation | None = None
        while True:
            attempts = [_attempt(request, first + i) for i in range(_WINDOW)]
            window = await asyncio.gather(*(self._read(request.job_id, each) for each in attempts))
            known = [operation for operation in window if operation.known]
            last = known[-1] if known else last
            if not window[-1].known:
                break
            first += _WINDOW
        if last and not last.failure:
            return last
        free = window.index(known[-1]) + 1 if known else 0
        return attempts[free]

    async def _read(self, job_id: str, attempt: Operation) -> Operation:
        path = f"jobs/{job_id}/savepoints/{attempt.trigger}"
        try:
            body = await self._client.get(path, "status")
        except FlinkAnswer as answer:
            if answer.status == 404:
                return replace(attempt, known=False)
            raise ActionFailed(f"Flink answered {answer}") from None
        return _operation(attempt, body)

    async def _trigger(self, request: SavepointRequest, trigger: str) -> None:
        """Send the request; the same trigger id again starts nothing new, so it may be repeated."""
        path, body = savepoint_body(request, trigger)
        try:
            await self._client.change("POST", path, json=body, repeatable=True, has="request-id")
        except FlinkAnswer as answer:
            raise ActionFailed(f"the savepoint was refused: {answer.cause}") from None

    async def _wait(self, request: SavepointRequest, operation: Operation, deadline: float) -> str:
        answered = self._clock()
        outliving = self._outliving(request.job_id)

        async def path() -> str:
            nonlocal answered
            try:
                state = await outliving.state()
                lost = await outliving.is_lost()
                now = await self._read(request.job_id, operation)
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
            if lost and not now.path:
                raise OperationLost
            return now.path

        found = operation.path or await self._polling.until(
            path, deadline, _FIRST_PAUSE, _LONGEST_PAUSE
        )
        if not found:
            raise DeadlineExceeded("the savepoint is still being taken")
        return found

    async def dispose(self, path: str, timeout: float) -> bool:
        """Dispose of a savepoint by its cluster, and wait for that; False where it was not there.

        A second request finds nothing, and harms nothing, so it may be repeated. The cluster
        chooses the id of the operation, so a repeat does not find the first one's.

        Raises:
            ActionFailed: It could not be removed; the text is the last cause.
            DeadlineExceeded: It is still being removed.
            TemporaryError: The cluster forgot the operation, or stopped answering.
        """
        deadline = self._clock() + timeout
        body = {"savepoint-path": path}
        try:
            sent = await self._client.change(
                "POST", "savepoint-disposal", json=body, repeatable=True, has="request-id"
            )
        except FlinkAnswer as answer:
            raise ActionFailed(f"the disposal was refused: {answer.cause}") from None

        async def ended() -> dict[str, Any]:
            try:
                found: dict[str, Any] = await self._client.get(
                    f"savepoint-disposal/{sent['request-id']}", "status"
                )
            except FlinkAnswer as answer:
                raise TemporaryError(f"the cluster no longer knows it: {answer}") from None
            return found if found["status"]["id"] == "COMPLETED" else {}

        result = await self._polling.until(ended, deadline, _FIRST_PAUSE, _LONGEST_PAUSE)
        if not result:
            raise DeadlineExceeded("it is still being disposed of")
        cause = (result.get("operation") or {}).get("failure-cause")
        if not cause:
            return True
        text = last_cause(cause.get("stack-trace") or cause.get("class") or "no reason was given")
        if text.startswith(_NOT_THERE):
            return False
        raise ActionFailed(text)

    async def complete_checkpoint(self, job_id: str, timeout: float) -> None:
        """Trigger a checkpoint of a job that has periodic ones, and wait for its end.

        Raises:
            ActionFailed: The checkpoint failed.
            DeadlineExceeded: It has not ended yet.
        """
        deadline = self._clock() + timeout
        outliving = self._outliving(job_id)
        trigger = trigger_id(job_id, "checkpoint", int(self._clock() * 1000))
        body = {"checkpointType": "CONFIGURED", "triggerId": trigger}
        path = f"jobs/{job_id}/checkpoints"

        async def completed() -> dict[str, Any]:
            result: dict[str, Any] = await self._client.get(f"{path}/{trigger}", "status")
            if result["status"]["id"] == "COMPLETED":
                return result
            if self._clock() < deadline and (state := await outliving.state()):
                raise ActionFailed(f"the job is {state}, and no checkpoint has completed")
            if self._clock() < deadline and await outliving.is_lost():
                raise ActionFailed(f"Flink lost the checkpoint: {_NOT_REPORTED}")
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

    def _outliving(self, job_id: str) -> Outliving:
        async def idle() -> bool:
            try:
                body = await self._client.get(f"jobs/{job_id}/checkpoints", "counts")
            except FlinkAnswer:  # it is gone, or has no statistics
                return False
            # A stop whose savepoint is complete ends when all tasks have finished.
            savepoint = (body.get("latest") or {}).get("savepoint") or {}
            stopping = savepoint.get("checkpoint_type") == "SYNC_SAVEPOINT"
            return not stopping and not body["counts"].get("in_progress", 1)

        return Outliving(lambda: self._ended(job_id), idle, self._may_be_old, self._clock)


def _attempt(request: SavepointRequest, number: int) -> Operation:
    """Return an attempt at a savepoint of which nothing is known."""
    purpose = f"{request.purpose}/{request.occasion}"
    return Operation(trigger_id(request.job_id, purpose, number), number, known=False)


def _operation(attempt: Operation, body: dict[str, Any]) -> Operation:
    """Read the poll's body: HTTP 200 both for success and failure (measured)."""
    attempt = replace(attempt, known=True)
    if body["status"]["id"] != "COMPLETED":
        return attempt
    result = body.get("operation") or {}
    cause = result.get("failure-cause")
    if cause:
        text = cause.get("stack-trace") or cause.get("class") or "no reason was given"
        return replace(attempt, failure=last_cause(text))
    path = result.get("location") or ""
    return replace(attempt, path=path, failure="" if path else "no path was given")
