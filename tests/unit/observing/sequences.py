"""Observations of a job, written down: what `needs_attention` judges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flink_jobs_provider.control_planes.flink.inspection import Checkpoint, JobException
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.observing.health import (
    CheckpointCounts,
    CheckpointSettings,
    ClusterHealth,
    JobHealth,
    VertexHealth,
)

START = 1_800_000_000_000
MINUTE = 60_000
JOB_ID = "1" * 32
EVERY_MINUTE = CheckpointSettings(periodic=True, interval=MINUTE, timeout=10 * MINUTE)
BATCH = CheckpointSettings(periodic=False, interval=0, timeout=0)


def job(state: str = "RUNNING", **changes: Any) -> ObservedJob:
    """Return a row of the job list: one that has run since START, on two tasks."""
    values: dict[str, Any] = {"tasks": 2, "running_tasks": 2, "started": START, "modified": START}
    return ObservedJob(JOB_ID, "orders", state, **(values | changes))


def vertex(**changes: Any) -> VertexHealth:
    """Return the one vertex of a job, a source."""
    values: dict[str, Any] = {
        "id": "a",
        "name": "Source: orders",
        "source": True,
        "parallelism": 2,
        "max_parallelism": 128,
        "running": 2,
        "busy": 0.5,
        "emitted": 100.0,
    }
    return VertexHealth(**(values | changes))


def checkpoint(number: int, minute: float, status: str = "COMPLETED", **changes: Any) -> Checkpoint:
    """Return a checkpoint that was triggered some minutes after START, and took a second."""
    triggered = START + int(minute * MINUTE)
    done = status == "COMPLETED"
    values: dict[str, Any] = {
        "kind": "checkpoint",
        "completed": triggered + 1000 if done else 0,
        "duration": 1000,
        "size": 5000,
        "path": f"file:/c/chk-{number}" if done else "",
        "discarded": False,
    }
    return Checkpoint(number=number, status=status, triggered=triggered, **(values | changes))


def failure(minute: float, cause: str = "IOException: disk") -> JobException:
    """Return an exception some minutes after START."""
    return JobException(START + int(minute * MINUTE), cause, "orders (1/2)", "host:1", "")


def health(minute: float, **changes: Any) -> JobHealth:
    """Return an observation some minutes after START; of a healthy job, unless it is changed."""
    values: dict[str, Any] = {
        "job": job(),
        "state_since": START,
        "restarts": 0,
        "vertices": (vertex(),),
        "settings": EVERY_MINUTE,
        "counts": CheckpointCounts(completed=int(minute)),
        "checkpoints": (checkpoint(int(minute), minute - 0.5),),
    }
    return JobHealth(at=START + int(minute * MINUTE), **(values | changes))


def cluster(minute: float, *jobs: ObservedJob, **changes: Any) -> ClusterHealth:
    """Return an observation of a cluster with these jobs, some minutes after START."""
    values: dict[str, Any] = {"version": "2.3.0", "task_managers": 1, "slots": 8, "free_slots": 6}
    values["snapshot"] = ClusterSnapshot(jobs)
    return ClusterHealth(at=START + int(minute * MINUTE), **(values | changes))


def behind(minute: float, lag: float, **changes: Any) -> JobHealth:
    """Return an observation of a job that is some minutes behind in event time."""
    seen = health(minute, **changes)
    watermark = seen.at - int(lag * MINUTE)
    return replace(seen, vertices=(vertex(watermark=watermark, busy=0.97),))
