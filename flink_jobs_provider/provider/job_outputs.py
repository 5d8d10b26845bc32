"""The outputs of a Flink job's resource, as a Pulumi program reads them.

Annotations are not postponed here: the SDK evaluates those of a resource's class again for each
resource, and those that are text cost it almost three times as much.
"""

import inspect
from typing import Any

from pulumi import Output


class JobOutputs:
    """What is known of a job once it is declared."""

    job_name: Output[str]
    jar_digest: Output[str]
    job_id: Output[str | None]
    run_id: Output[str | None]
    started_at: Output[str | None]
    status: Output[str]
    action: Output[str | None]
    action_result: Output[str | None]
    job_output: Output[str]
    last_savepoint: Output[str | None]
    savepoints: Output[list[dict[str, Any]]]
    generation: Output[int]
    restored_from: Output[str | None]
    restore_point: Output[dict[str, Any] | None]
    honoured: Output[str | None]
    unconfirmed: Output[str | None]
    adopted: Output[str | None]
    gate_failed: Output[dict[str, Any] | None]
    running_parallelism: Output[int | None]
    retains_checkpoints: Output[bool | None]
    submitted_parallelism: Output[dict[str, int] | None]
    rescaled: Output[str | None]
    flink_version: Output[str | None]
    dashboard_url: Output[str | None]
    other_version: Output[bool]
    duplicates: Output[list[str]]
    rehearsals: Output[list[str] | None]
    history: Output[list[dict[str, Any]] | None]
    version_inputs: Output[dict[str, str] | None]


def with_outputs(resource: type[JobOutputs]) -> None:
    """Copy these annotations to a resource's class: the SDK reads no inherited ones."""
    resource.__annotations__ = dict(inspect.get_annotations(JobOutputs))


def computed_names() -> list[str]:
    """Return the names of what the provider computes; `job_name` is an input."""
    return [name for name in inspect.get_annotations(JobOutputs) if name != "job_name"]
