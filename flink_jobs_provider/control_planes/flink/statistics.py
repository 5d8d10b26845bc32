"""A job's checkpoint statistics: where its state is."""

from __future__ import annotations

from typing import Any

from flink_jobs_provider.model.observation import Checkpointing, CheckpointStatistics

#: An interval beyond this is Flink's way to say that there are no periodic checkpoints.
_NEVER = 2**62


def parse_checkpoints(body: dict[str, Any]) -> CheckpointStatistics:
    """Read the body of `GET /jobs/:id/checkpoints`."""
    latest = body.get("latest") or {}
    savepoint = latest.get("savepoint") or {}
    checkpoint = latest.get("completed") or {}
    restored = latest.get("restored") or {}
    if checkpoint.get("is_savepoint"):
        checkpoint = {}
    savepoint_time = int(savepoint.get("trigger_timestamp") or 0)
    checkpoint_time = int(checkpoint.get("trigger_timestamp") or 0)
    there = not checkpoint.get("discarded", True)
    return CheckpointStatistics(
        completed=int((body.get("counts") or {}).get("completed") or 0),
        restored_from=addressable(restored.get("external_path")),
        savepoint=addressable(savepoint.get("external_path")),
        savepoint_time=savepoint_time,
        stopped_with_savepoint=savepoint.get("checkpoint_type") == "SYNC_SAVEPOINT"
        and savepoint_time >= checkpoint_time,
        checkpoint=addressable(checkpoint.get("external_path")) if there else "",
        checkpoint_time=checkpoint_time if there else 0,
        last_completed=max(savepoint_time, checkpoint_time),
    )


def addressable(path: object) -> str:
    """Return a path that can be restored from; others Flink puts into angle brackets."""
    return path if isinstance(path, str) and not path.startswith("<") else ""


def parse_checkpointing(body: dict[str, Any]) -> Checkpointing:
    """Read the body of `GET /jobs/:id/checkpoints/config`."""
    kept = body.get("externalization") or {}
    return Checkpointing(
        periodic=0 < int(body.get("interval") or 0) < _NEVER,
        retained=bool(kept.get("enabled")) and not kept.get("delete_on_cancellation"),
    )
