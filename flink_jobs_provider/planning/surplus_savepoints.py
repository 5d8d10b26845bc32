"""Which savepoints of a job exceed its `savepoint_retention`, and which are kept all the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import (
    Savepoint,
    SavepointLayout,
    SavepointReason,
    canonical_path,
    epoch_seconds,
    is_checkpoint,
    of_deletion,
    same_path,
)
from flink_jobs_provider.model.savepoint_retention import SavepointRetention
from flink_jobs_provider.model.spec import JobSpec

#: Savepoints of these reasons are of no state that the job itself goes on from.
_ASIDE = (SavepointReason.DUPLICATE, SavepointReason.REHEARSAL)
#: How many savepoints a plan names.
_MOST_NAMED = 3


def ways_back(record: JobRecord) -> list[str]:
    """Return the savepoints and checkpoints that a record names as what a job comes back to.

    That is where the running version, and the one before it, can be started from again. Savepoints
    of older versions are not among them: `history` marks those that are disposed of.
    """
    started = [each for each in record.history if each.started]
    named = [
        record.last_savepoint,
        record.restored_from,
        record.spec.restore_from,
        record.restore_point.path if record.restore_point else None,
        *(each.savepoint for each in started[:2]),
    ]
    return [path for path in named if path]


def surplus(  # noqa: PLR0913 - each is a limit or an exemption of its own
    record: JobRecord,
    retention: SavepointRetention,
    kept: Iterable[str],
    now: float,
    *,
    directory: str | None,
    to_come: int = 0,
    submissions: Iterable[str] = (),
) -> list[Savepoint]:
    """Return the savepoints of a job that exceed either limit, oldest first.

    Only those that lie in the job's own directory count, and the newest one stays in any case.

    Args:
        record: The job; its savepoints are listed newest first.
        retention: The limits.
        kept: What stays whatever the limits.
        now: Seconds since the epoch.
        directory: Where the job's savepoints are written; None for wherever the path shows it.
        to_come: How many savepoints are about to be taken.
        submissions: jobIds of the job besides those that its record names, for a record whose
            versions are listed elsewhere.
    """
    ours = {record.job_id, *(each.job_id for each in record.history), *submissions}
    own = [each for each in record.savepoints if _is_own(each.path, record, ours, directory)]
    newest = next((each for each in own if each.reason not in _ASIDE), None)
    most = max(retention.count - to_come, 0)
    stays = {canonical_path(path) for path in kept}
    found = [
        each
        for at, each in enumerate(own)
        if (at >= most or _is_older(each, retention, now))
        and each is not newest
        and canonical_path(each.path) not in stays
    ]
    return found[::-1]


def surplus_text(record: JobRecord, wanted: JobSpec, action: Action, now: float) -> str:
    """Return what a plan says is disposed of after an action; empty for none."""
    retention = wanted.savepoint_retention
    if retention is None:
        return ""
    found = surplus(
        record.model_copy(update={"spec": wanted}),
        retention,
        [*ways_back(record), wanted.restore_from or ""],
        now,
        directory=wanted.savepoint_directory,
        to_come=_to_come(record, action),
    )
    if not found:
        return ""
    names = [each.path.rstrip("/").rpartition("/")[2] for each in found[:_MOST_NAMED]]
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    count = "1 savepoint" if len(found) == 1 else f"{len(found)} savepoints"
    return f"{count} disposed of afterwards: {', '.join(names)}{more}"


def without(record: JobRecord, path: str, at: float) -> JobRecord:
    """Return a record without a savepoint that was disposed of; its version is marked."""
    when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    history = [
        each.model_copy(update={"disposed_at": when}) if same_path(each.savepoint, path) else each
        for each in record.history
    ]
    listed = [each for each in record.savepoints if not same_path(each.path, path)]
    return record.model_copy(update={"savepoints": listed, "history": history})


def _to_come(record: JobRecord, action: Action) -> int:
    """Return how many savepoints an action takes of a job that is recorded so."""
    takes = action in (Action.UPDATE, Action.STOP, Action.SAVEPOINT)
    return 1 if takes and record.status.active else 0


def _is_own(
    path: str, record: JobRecord, submissions: Collection[str | None], directory: str | None
) -> bool:
    """Whether a savepoint lies right below the directory of a submission of the job."""
    name = record.spec.job_name
    layout = SavepointLayout(directory, name) if directory else SavepointLayout.of(path, name)
    if layout is None or is_checkpoint(path) or of_deletion(path):
        return False
    job_id = layout.job_id_in(path)
    if job_id is None:
        return False
    if not record.spec.key.owns(job_id) and job_id not in submissions:
        return False
    parent, _, own_name = canonical_path(path).rpartition("/")
    return parent == canonical_path(layout.of_submission(job_id)) and own_name.strip(".") != ""


def _is_older(savepoint: Savepoint, retention: SavepointRetention, now: float) -> bool:
    """Whether a savepoint is older than it may become; not where its age is unknown."""
    most = retention.max_age_seconds
    return most is not None and 0 < epoch_seconds(savepoint.taken_at) < now - most
