"""The engine's timeout of an operation: no step of it may take longer."""

from __future__ import annotations

from flink_jobs_provider.model.duration import seconds
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec


def limited(spec: JobSpec, timeout: float | None) -> JobSpec:
    """Return a spec of which no step may take longer than a number of seconds, if one is given."""
    if not timeout:
        return spec
    longest = max(1, int(timeout))
    shorter = {
        name: f"{longest}s"
        for name, length in spec.timeouts.model_dump().items()
        if seconds(length) > longest
    }
    return spec.model_copy(update={"timeouts": spec.timeouts.model_copy(update=shorter)})


def as_declared(record: JobRecord, during: JobSpec, declared: JobSpec) -> JobRecord:
    """Return a record with the timeouts of the program, where it has those of an operation."""
    if record.spec.timeouts != during.timeouts:
        return record  # of the version that was recorded before
    spec = record.spec.model_copy(update={"timeouts": declared.timeouts})
    return record.model_copy(update={"spec": spec})
