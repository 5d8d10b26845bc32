"""What a job can be started from, as its page shows it: savepoints and retained checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flink_jobs_provider.control_planes.flink.inspection import Checkpoint
from flink_jobs_provider.gateway.apis.monitoring.savepoint_presence import (
    PRESENT,
    UNKNOWN,
    Presence,
)
from flink_jobs_provider.gateway.portal.health_view import moment
from flink_jobs_provider.gateway.portal.job_view import SavepointView
from flink_jobs_provider.gateway.portal.templating import iso
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.savepoint import canonical_path
from flink_jobs_provider.observing.attention import Observation
from flink_jobs_provider.observing.health import JobHealth

#: Savepoints of which it is looked up whether they are still there: the newest ones.
MOST_LOOKED_UP = 20
_TONES = {PRESENT: "good", UNKNOWN: "calm"}


@dataclass(frozen=True)
class StartPoint:
    """A savepoint or a retained checkpoint.

    Attributes:
        kind: checkpoint, or savepoint.
        name: The last part of its path.
        path: Where it lies.
        taken_at: When it was taken, as programs read it; empty where that is not known.
        reason: Why a savepoint was taken; empty for a checkpoint.
        size: Bytes; None where that is not known.
        presence: present, gone, damaged or unknown.
    """

    kind: str
    name: str
    path: str
    taken_at: str
    reason: str
    size: int | None
    presence: str

    @property
    def tone(self) -> str:
        """How its presence is coloured."""
        return _TONES.get(self.presence, "bad")

    @property
    def usable(self) -> bool:
        """Whether a start from it can be offered: it is not known to be gone or damaged."""
        return self.presence in _TONES


def retained_checkpoints(
    seen: tuple[Observation, ...] | JobError | None,
) -> tuple[Checkpoint, ...]:
    """Return the completed checkpoints in an observation of a job that outlive its end.

    Those that Flink has discarded are left out: it does so as newer ones complete.
    """
    newest = seen[-1] if isinstance(seen, tuple) else None
    if not isinstance(newest, JobHealth) or not (newest.settings and newest.settings.retained):
        return ()
    return tuple(
        each
        for each in newest.checkpoints
        if each.kind == "checkpoint"
        and each.status == "COMPLETED"
        and each.path
        and not each.discarded
    )


def timeline(
    savepoints: Sequence[SavepointView],
    presences: Sequence[Presence],
    checkpoints: Sequence[Checkpoint],
) -> list[StartPoint]:
    """Return what a job can be started from, the newest first.

    Args:
        savepoints: Those on record, the newest first.
        presences: What shows of them, in their order; nothing of those beyond.
        checkpoints: Retained ones that the cluster has not discarded, as it shows them.
    """
    known = [*presences, *[Presence()] * (len(savepoints) - len(presences))]
    recorded = {canonical_path(each.path) for each in savepoints}
    found = [
        StartPoint(
            "savepoint",
            savepoint.name,
            savepoint.path,
            savepoint.taken_at,
            savepoint.reason,
            presence.size,
            presence.state,
        )
        for savepoint, presence in zip(savepoints, known, strict=True)
    ]
    found += [
        _checkpoint(each) for each in checkpoints if canonical_path(each.path) not in recorded
    ]
    return sorted(found, key=lambda each: each.taken_at, reverse=True)


def _checkpoint(checkpoint: Checkpoint) -> StartPoint:
    taken = moment(checkpoint.triggered)
    return StartPoint(
        "checkpoint",
        checkpoint.path.rstrip("/").rpartition("/")[2],
        checkpoint.path,
        iso(taken) if taken else "",
        "",
        checkpoint.size,
        PRESENT,
    )
