"""Savepoints that a request names by the last part of their path."""

from __future__ import annotations

from collections.abc import Sequence

from flink_jobs_provider.gateway.http.problems import Problem, RefusedProperties
from flink_jobs_provider.model.savepoint import Savepoint, canonical_path


def named_savepoint(name: str, savepoints: Sequence[Savepoint], target: str) -> str:
    """Return the path of a job's savepoint by the last part of it.

    Raises:
        RefusedProperties: The job has none of that name.
    """
    for savepoint in savepoints:
        if canonical_path(savepoint.path).rpartition("/")[2] == name:
            return savepoint.path
    raise RefusedProperties(
        [
            Problem(
                target,
                f"{target} must be the path of a savepoint, or the name of one of the job's own: "
                f"none that it has on record is named {name[:200]!r}. LIST_SAVEPOINT looks into "
                "its directory, too, and shows all of them.",
            )
        ]
    )
