"""The savepoints of a job, as LIST_SAVEPOINT says them: a line each, newest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flink_jobs_provider.model.savepoint import (
    RestorePoint,
    Savepoint,
    SavepointReason,
    canonical_path,
)


def merged(known: Iterable[Savepoint], found: Iterable[RestorePoint]) -> list[Savepoint]:
    """Return the savepoints on record and in storage, each once, newest first."""
    savepoints = {canonical_path(savepoint.path): savepoint for savepoint in known}
    for point in found:
        place = canonical_path(point.path)
        if place not in savepoints:
            savepoints[place] = Savepoint(
                path=point.path, taken_at=point.taken_at, reason=SavepointReason.FOUND
            )
        elif not savepoints[place].taken_at:
            savepoints[place] = savepoints[place].model_copy(update={"taken_at": point.taken_at})
    return sorted(savepoints.values(), key=lambda savepoint: savepoint.taken_at, reverse=True)


def listed(savepoints: Sequence[Savepoint], note: str = "") -> str:
    """Return them in lines of time and path."""
    lines = [f"{savepoint.taken_at or '-'} {savepoint.path}" for savepoint in savepoints]
    return "\n".join([*(lines or ["No savepoints"]), *([note] if note else [])])
