"""What a cluster reports of a job for people to read: metrics, checkpoints, exceptions.

No decision depends on any of it: metrics are gathered by the cluster every ten seconds, and details
are served from a cache of three (`metrics.fetcher.update-interval`, `web.refresh-interval`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flink_jobs_provider.control_planes.flink.bodies import (
    addressable,
    last_cause,
    parse_checkpoints,
)
from flink_jobs_provider.control_planes.flink.client import FlinkAnswer, FlinkClient
from flink_jobs_provider.model.errors import ActionFailed
from flink_jobs_provider.model.observation import CheckpointStatistics

#: Restarts since the submission, newest name first (MetricNames of Flink 1.17 to 2.3).
RESTARTS = ("numRestarts", "fullRestarts")


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint or savepoint in a job's history.

    Attributes:
        number: Its id in Flink.
        kind: checkpoint, or savepoint.
        status: COMPLETED, IN_PROGRESS or FAILED.
        triggered: Milliseconds since the epoch.
        completed: When the last task acknowledged it; 0 where it has not completed.
        duration: Milliseconds from one end to the other.
        size: Bytes of state.
        path: Where it lies; empty where it cannot be restored from.
        discarded: Whether Flink has removed it since, as a newer one takes its place.
        failure: Why it failed.
    """

    number: int
    kind: str
    status: str
    triggered: int
    completed: int
    duration: int
    size: int
    path: str
    discarded: bool
    failure: str = ""


@dataclass(frozen=True)
class JobException:
    """One entry of a job's exception history.

    Attributes:
        at: Milliseconds since the epoch.
        cause: The last cause, one line.
        task: The task that failed; empty where the job failed as a whole.
        where: The TaskManager it ran on.
        trace: The stack trace as the cluster gives it.
    """

    at: int
    cause: str
    task: str
    where: str
    trace: str


class JobInspection:
    """Reads of one cluster's jobs."""

    def __init__(self, client: FlinkClient) -> None:
        self._client = client

    async def clock(self) -> int:
        """Return the cluster's own time in milliseconds, as its job list shows it.

        Where no job is active, the list shows no time: then it is the time here.
        """
        return cluster_time(await self._client.get("jobs/overview"))

    async def restarts(self, job_id: str) -> int | None:
        """Return how often a job was restarted; None where the cluster has no such metric (yet)."""
        try:
            names = ",".join(RESTARTS)
            metrics = await self._client.get(f"jobs/{job_id}/metrics?get={names}")
        except FlinkAnswer:
            return None
        values = {metric["id"]: metric.get("value") for metric in metrics}
        found = [values[name] for name in RESTARTS if values.get(name)]
        return int(float(found[0])) if found else None

    async def checkpoints(self, job_id: str) -> tuple[CheckpointStatistics, list[Checkpoint]]:
        """Return a job's checkpoint statistics, and the history in them, newest first.

        Both are empty where the cluster keeps none of it: it is unknown, or has no checkpoints.
        """
        try:
            body = await self._client.get(f"jobs/{job_id}/checkpoints")
        except FlinkAnswer as answer:
            if answer.status == 404:
                return CheckpointStatistics(enabled=False), []
            raise ActionFailed(f"Flink answered {answer}") from None
        return parse_checkpoints(body), parse_history(body)

    async def exceptions(self, job_id: str, limit: int) -> list[JobException]:
        """Return what a job failed of, newest first.

        Raises:
            ActionFailed: The cluster does not report it.
        """
        try:
            body = await self._client.get(f"jobs/{job_id}/exceptions?maxExceptions={limit}")
        except FlinkAnswer as answer:
            raise ActionFailed(f"Flink answered {answer}") from None
        return parse_exceptions(body)[:limit]


def cluster_time(body: Mapping[str, Any]) -> int:
    """Return when `GET /jobs/overview` was answered, by the cluster's clock, in milliseconds.

    It is the start of an active job and its duration; the time here where no job is active.
    """
    times = [
        int(row["start-time"]) + int(row["duration"])
        for row in body["jobs"]
        if int(row.get("end-time", -1)) < 0 <= int(row.get("duration", -1))
    ]
    return max(times, default=int(time.time() * 1000))


def parse_history(body: dict[str, Any]) -> list[Checkpoint]:
    """Read the body of `GET /jobs/:id/checkpoints`.

    The history holds the last ten (`web.checkpoints.history`); the latest of each kind may be
    older.
    """
    latest = body.get("latest") or {}
    found: dict[int, Checkpoint] = {}
    for each in (
        *(latest.get(kind) for kind in ("completed", "savepoint", "failed")),
        *(body.get("history") or ()),
    ):
        if each:
            found[int(each["id"])] = _checkpoint(each)
    return sorted(found.values(), key=lambda each: each.number, reverse=True)


def newest_completed(history: Iterable[Checkpoint]) -> Checkpoint | None:
    """Return the newest checkpoint that has completed, whether or not it is still there."""
    done = (each for each in history if each.kind == "checkpoint" and each.status == "COMPLETED")
    return next(done, None)


def _checkpoint(each: dict[str, Any]) -> Checkpoint:
    done = each.get("status") == "COMPLETED"
    triggered = int(each.get("trigger_timestamp") or 0)
    duration = int(each.get("end_to_end_duration") or 0)
    return Checkpoint(
        number=int(each["id"]),
        kind="savepoint" if each.get("is_savepoint") else "checkpoint",
        status=str(each.get("status")),
        triggered=triggered,
        completed=triggered + duration if done else 0,
        duration=duration,
        size=int(each.get("state_size") or 0),
        path=addressable(each.get("external_path")),
        discarded=bool(each.get("discarded")),
        failure=last_cause(str(each.get("failure_message") or "")),
    )


def parse_exceptions(body: dict[str, Any]) -> list[JobException]:
    """Read the body of `GET /jobs/:id/exceptions`: its history, else its root exception (1.x)."""
    entries = (body.get("exceptionHistory") or {}).get("entries") or []
    if not entries and body.get("root-exception"):
        entries = [{"stacktrace": body["root-exception"], "timestamp": body.get("timestamp")}]
    return [
        JobException(
            at=int(entry.get("timestamp") or 0),
            cause=last_cause(str(entry.get("stacktrace") or entry.get("exceptionName") or "")),
            task=str(entry.get("taskName") or ""),
            where=str(entry.get("endpoint") or entry.get("location") or ""),
            trace=str(entry.get("stacktrace") or ""),
        )
        for entry in entries
    ]
