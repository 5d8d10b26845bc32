"""How a plan words the health gate that follows a start."""

from __future__ import annotations

from flink_jobs_provider.model.health_gate import DEFAULT_WINDOW
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec


def gate_text(recorded: JobRecord | None, wanted: JobSpec) -> str:
    """Return in words how long a health gate is, as far as that is known; empty for none."""
    gate = wanted.health
    if gate is None:
        return ""
    if gate.window is not None:
        return f"health gate {gate.window}"
    if recorded is None or recorded.job_id is None:
        return "health gate"
    periodic = recorded.retains_checkpoints is not None
    return f"health gate {DEFAULT_WINDOW if periodic else wanted.settle_time}"
