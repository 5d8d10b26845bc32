"""Observations as plain JSON types: times in ISO 8601 and UTC, shares 0 to 1, lags milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Any

from flink_jobs_provider.control_planes.flink.inspection import (
    Checkpoint,
    JobException,
    newest_completed,
)
from flink_jobs_provider.model.savepoint import iso_time
from flink_jobs_provider.observing.attention import Attention, Observation
from flink_jobs_provider.observing.health import JobHealth, Memory, VertexHealth
from flink_jobs_provider.observing.trend import checkpoint_trend, trend


class HealthPart(StrEnum):
    """A part of a job's health that a list can have of each of its jobs."""

    LOAD = "load"
    CHECKPOINTS = "checkpoints"


def health_document(health: JobHealth) -> dict[str, Any]:
    """Return the health of a job, without its exceptions."""
    vertices = [_vertex(each) for each in health.vertices]
    return {**partial_health_document(health, HealthPart), "vertices": vertices}


def partial_health_document(health: JobHealth, parts: Iterable[HealthPart]) -> dict[str, Any]:
    """Return the state and the restarts of a job, with some parts of its health."""
    made = {HealthPart.LOAD: _load, HealthPart.CHECKPOINTS: _checkpoints}
    found = {
        "observed_at": iso_time(health.at),
        "state": health.job.state,
        "state_since": iso_time(health.state_since) or None,
        "restarts": health.restarts,
        "tasks": health.job.tasks,
        "running_tasks": health.job.running_tasks,
    }
    for part in parts:
        found |= made[part](health)
    return found


def trend_document(seen: Sequence[Observation]) -> dict[str, Any] | None:
    """Return what changed from the first observation to the last; None without two moments."""
    observed = [each for each in seen if isinstance(each, JobHealth)]
    if not observed or observed[0].at == observed[-1].at:
        return None
    return asdict(trend(observed[0], observed[-1]))


def attention_document(attention: Attention) -> dict[str, Any]:
    """Return one reason for attention."""
    return {
        "concern": attention.concern.value,
        "reason": attention.reason,
        "remedy": attention.remedy,
        "since": iso_time(attention.since or 0) or None,
    }


def checkpoint_document(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return one checkpoint or savepoint."""
    return {
        "id": checkpoint.number,
        "kind": checkpoint.kind,
        "status": checkpoint.status,
        "triggered_at": iso_time(checkpoint.triggered),
        "completed_at": iso_time(checkpoint.completed) or None,
        "duration_ms": checkpoint.duration,
        "size_bytes": checkpoint.size,
        "path": checkpoint.path or None,
        "discarded": checkpoint.discarded,
        "failure": checkpoint.failure or None,
    }


def exception_document(exception: JobException) -> dict[str, Any]:
    """Return one exception of a job."""
    return {
        "at": iso_time(exception.at),
        "cause": exception.cause,
        "task": exception.task or None,
        "task_manager": exception.where or None,
        "trace": exception.trace,
    }


def memory_document(memory: Memory | None) -> dict[str, Any] | None:
    """Return a pool of memory, in bytes."""
    return asdict(memory) if memory else None


def _load(health: JobHealth) -> dict[str, Any]:
    busiest = health.busiest
    return {
        "rescales": health.rescales,
        "throughput": health.throughput,
        "busy": busiest.busy if busiest else None,
        "busiest_vertex": busiest.name if busiest else None,
        "backpressured": health.backpressured,
        "event_time_lag_ms": health.event_time_lag,
        "pending_records": health.pending_records,
    }


def _checkpoints(health: JobHealth) -> dict[str, Any]:
    over = checkpoint_trend(health)
    newest = newest_completed(health.checkpoints)
    return {
        "checkpoint_settings": asdict(health.settings) if health.settings else None,
        "checkpoint_counts": asdict(health.counts),
        "checkpoint_trend": asdict(over) if over else None,
        "last_checkpoint": checkpoint_document(newest) if newest else None,
    }


def _vertex(vertex: VertexHealth) -> dict[str, Any]:
    return asdict(vertex) | {"watermark": iso_time(vertex.watermark or 0) or None}
