"""Clusters and jobs as the monitoring API shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from flink_jobs_provider.gateway.apis.job_inputs import masked_args, masked_options, masked_text
from flink_jobs_provider.gateway.apis.monitoring.savepoint_presence import Presence
from flink_jobs_provider.gateway.job_history import JobPoint, JobVersion
from flink_jobs_provider.gateway.job_service import ActionRow, JobRow
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.savepoint import Savepoint, iso_time
from flink_jobs_provider.observing.attention import Attention, cluster_attention
from flink_jobs_provider.observing.documents import attention_document, memory_document
from flink_jobs_provider.observing.health import ClusterHealth

#: Masks what a caller may not see.
Mask = Callable[[str], str]


def cluster_document(
    cluster: ClusterConfiguration, seen: ClusterHealth | JobError
) -> dict[str, Any]:
    """Return a cluster, as far as it could be observed."""
    head = {
        "key": cluster.key,
        "id": cluster.id,
        "queues": cluster.dli.queues if cluster.dli else [],
        "reachable": isinstance(seen, ClusterHealth),
    }
    if not isinstance(seen, ClusterHealth):
        return {**head, "problem": str(seen)}
    states = Counter(job.status.value for job in seen.snapshot.jobs)
    return {
        **head,
        "observed_at": iso_time(seen.at),
        "version": seen.version,
        "task_managers": seen.task_managers,
        "slots": seen.slots,
        "free_slots": seen.free_slots,
        "jobs": dict(sorted(states.items())),
        "restarts": seen.restarts,
        "failed_checkpoints": seen.failed_checkpoints,
        "metaspace": memory_document(seen.metaspace),
        "job_manager_metaspace": memory_document(seen.job_manager_metaspace),
        "needs_attention": [attention_document(each) for each in cluster_attention(seen)],
    }


def job_document(
    row: JobRow,
    attention: Sequence[Attention] | None,
    mask: Mask,
    seen: ObservedJob | None = None,
    page: str | None = None,
    *,
    observed: bool,
) -> dict[str, Any]:
    """Return a job.

    Args:
        row: The job on record.
        attention: What needs attention; None where its cluster could not be observed, and its
            record shows nothing.
        mask: Masks what the caller may not see.
        seen: Its row of the cluster's job list; None where it was not seen there.
        page: The address of its page of the portal; None where there is no portal.
        observed: Whether its cluster answered.
    """
    record = row.record
    return {
        "number": row.number,
        "cluster": row.cluster,
        "name": row.job_name,
        "status": row.status,
        "run_id": row.run_id,
        "job_id": record.job_id or None,
        "parallelism": record.spec.parallelism,
        "tasks": seen.tasks if seen else None,
        "running_tasks": seen.running_tasks if seen else None,
        "observed": observed,
        "created_by": row.created_by,
        "created_at": _time(row.created_at),
        "started_at": _time(row.started_at),
        "ended_at": _time(row.ended_at),
        "restored_from": record.restored_from or None,
        "last_savepoint": record.last_savepoint or None,
        "page": page,
        "last_action": action_document(row.last, mask),
        "needs_attention": attention_documents(attention, mask),
    }


def point_document(point: JobPoint) -> dict[str, Any]:
    """Return a point of a series."""
    return {**asdict(point), "at": _time(point.at)}


def attention_documents(
    attention: Sequence[Attention] | None, mask: Mask
) -> list[dict[str, Any]] | None:
    """Return reasons for attention, as the caller may see them; None where they are unknown."""
    if attention is None:
        return None
    documents = [attention_document(each) for each in attention]
    return [each | {name: mask(each[name]) for name in ("reason", "remedy")} for each in documents]


def action_document(action: ActionRow, mask: Mask) -> dict[str, Any]:
    """Return an action: who, what, when, result, reason."""
    return {
        "id": action.id,
        "action": action.action.value,
        "result": action.result.value,
        "by": action.caller,
        "accepted_at": _time(action.accepted_at),
        "began_at": _time(action.began_at),
        "finished_at": _time(action.finished_at),
        "duration_ms": _duration(action),
        "output": mask(str(action.output)),
    }


def version_document(version: JobVersion, words: Mask, *, operates: bool) -> dict[str, Any]:
    """Return a version of a job.

    Args:
        version: The version.
        words: Names places as callers do.
        operates: Whether the caller may operate the cluster: secrets are masked for others.
    """
    inputs, action = version.inputs, version.action
    args = " ".join(map(str, inputs.get("args") or ()))
    options = {
        str(name): value for name, value in (inputs.get("flink_configuration") or {}).items()
    }
    return {
        "action_id": action.id,
        "action": action.action.value,
        "by": action.caller,
        "accepted_at": _time(action.accepted_at),
        "started_at": _time(action.finished_at),
        "jar": words(str(inputs.get("jar") or "")),
        "jar_digest": version.jar_digest,
        "entry_class": inputs.get("entry_class"),
        "args": args if operates else masked_args(args),
        "parallelism": inputs.get("parallelism"),
        "flink_configuration": options if operates else masked_options(options),
    }


def savepoint_document(
    savepoint: Savepoint, shows: Presence, now: float, disposed_at: str | None = None
) -> dict[str, Any]:
    """Return a savepoint: where, how large, how old, why it was taken, and whether it is there."""
    taken = datetime.fromisoformat(savepoint.taken_at).timestamp() if savepoint.taken_at else None
    return {
        "path": savepoint.path,
        "origin": str(savepoint.reason),
        "taken_at": savepoint.taken_at or None,
        "age_seconds": None if taken is None else max(0, int(now - taken)),
        "size_bytes": shows.size,
        "state": shows.state,
        "disposed_at": disposed_at,
    }


def _duration(action: ActionRow) -> int | None:
    """Return the milliseconds from an action's acceptance to its end."""
    if action.finished_at is None:
        return None
    return max(0, int((action.finished_at - action.accepted_at).total_seconds() * 1000))


def mask_for(*, operates: bool) -> Mask:
    """Return what masks texts for a caller: nothing for one who may operate the cluster."""
    return str if operates else masked_text


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else iso_time(moment.timestamp() * 1000)
