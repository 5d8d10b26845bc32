"""A job as pages show it: in its callers' words, with secrets masked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flink_jobs_provider.gateway.apis.hdinsight.presenter import (
    masked_row,
    properties_of,
    savepoint_rows,
)
from flink_jobs_provider.gateway.apis.job_inputs import masked_args, masked_options, masked_text
from flink_jobs_provider.gateway.job_board import BROKEN, RESTARTING
from flink_jobs_provider.gateway.job_service import ActionRow, JobRow
from flink_jobs_provider.gateway.portal.health_view import AttentionView, moment
from flink_jobs_provider.gateway.portal.stack_notes import has_stack_note
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.model.action import ActionResult, JobStatus
from flink_jobs_provider.model.savepoint import Savepoint
from flink_jobs_provider.observing.health import JobHealth
from flink_jobs_provider.wire.hdinsight import PARALLELISM_KEY, SAVEPOINT_DIRECTORY_KEY

_TONES = {
    "RUNNING": "good",
    "FINISHED": "good",
    "STARTING": "busy",
    RESTARTING: "warn",
    **dict.fromkeys(BROKEN, "bad"),
}
_RESULTS = {
    ActionResult.SUCCESS: "good",
    ActionResult.FAILED: "bad",
    ActionResult.IN_PROGRESS: "busy",
}


def short_name(cluster: ClusterConfiguration) -> str:
    """Return the last part of a cluster's name: what people call it."""
    return cluster.name.rpartition("/")[2]


@dataclass(frozen=True)
class ActionView:
    """An action as pages show it.

    Attributes:
        action: Its name.
        result: How it ended, or IN_PROGRESS.
        tone: How that is coloured.
        output: What it said, with secrets masked.
        caller: Who asked for it.
        accepted_at: When.
        finished_at: When it ended; None while it is in progress.
        seconds: How long it took; None while it is in progress.
    """

    action: str
    result: str
    tone: str
    output: str
    caller: str
    accepted_at: datetime
    finished_at: datetime | None
    seconds: float | None

    @classmethod
    def of(cls, row: ActionRow) -> ActionView:
        """Return an action on record as pages show it."""
        took = (row.finished_at - row.accepted_at).total_seconds() if row.finished_at else None
        return cls(
            action=str(row.action),
            result=str(row.result),
            tone=_RESULTS[row.result],
            output=masked_text(str(row.output)),
            caller=row.caller,
            accepted_at=row.accepted_at,
            finished_at=row.finished_at,
            seconds=None if took is None else max(0.0, took),
        )

    @property
    def in_progress(self) -> bool:
        """Whether it has not ended."""
        return self.finished_at is None


@dataclass(frozen=True)
class ListedJob:
    """A job as the list shows it.

    Attributes:
        number: Its number.
        name: Its name.
        cluster: What people call its cluster.
        cluster_name: The whole name of that.
        status: Its status.
        tone: How that is coloured.
        attention: Whether it needs a look.
        concerns: Names of why, as far as its cluster shows it, and how they are coloured.
        restarts: Restarts since its submission; None where that is not known.
        checkpoint: When its last checkpoint completed; None where none is known.
        failing: How many checkpoints have failed since.
        since: Since when it has run, or when it ended; None where neither is known.
        ended: Whether that is when it ended.
        parallelism: As it runs, or as it is wanted.
        last: Its last action.
        declared: Whether a Pulumi stack has left its note with it; unknown where it has not.
    """

    number: int
    name: str
    cluster: str
    cluster_name: str
    status: str
    tone: str
    attention: bool
    since: datetime | None
    ended: bool
    parallelism: int
    last: ActionView
    concerns: Sequence[AttentionView] = ()
    restarts: int | None = None
    checkpoint: datetime | None = None
    failing: int = 0
    declared: bool = False

    @classmethod
    def of(
        cls,
        row: JobRow,
        cluster: ClusterConfiguration,
        concerns: Sequence[AttentionView] = (),
        health: JobHealth | None = None,
    ) -> ListedJob:
        """Return a job on record as the list shows it.

        Args:
            row: The job.
            cluster: Its cluster.
            concerns: Why it needs attention, as its cluster shows it.
            health: Its restarts and checkpoints; None where they are not known.
        """
        active = row.record.status.active and row.status == str(row.record.status)
        failed = row.last.result is ActionResult.FAILED
        running = row.record.running_parallelism if active else None
        done = health.last_completed if health else None
        return cls(
            number=row.number,
            name=row.job_name,
            cluster=short_name(cluster),
            cluster_name=cluster.name,
            status=row.status,
            tone=_TONES.get(row.status, "calm"),
            attention=bool(concerns) or failed or row.status in (*BROKEN, RESTARTING),
            since=row.started_at if active else row.ended_at,
            ended=not active,
            parallelism=running or row.record.spec.parallelism,
            last=ActionView.of(row.last),
            declared=has_stack_note(row),
            concerns=concerns,
            restarts=health.restarts if health else None,
            checkpoint=moment(done.completed) if done else None,
            failing=len(health.failed_since_completed) if health else 0,
        )


@dataclass(frozen=True)
class SavepointView:
    """A savepoint as pages show it: `name` is the last part of its path."""

    name: str
    path: str
    taken_at: str
    reason: str


@dataclass(frozen=True)
class JobView:
    """A job as its page shows it.

    Attributes:
        listed: As the list shows it.
        run_id: Its run id.
        row: Its row as the HDInsight on AKS API has it, with secrets masked.
        masks: Whether anything of it is masked.
        options: Its Flink options, with secrets masked.
        savepoint_directory: Where its savepoints go; empty where it names no place.
        generation: How often it was submitted.
        jar_digest: Digest of the bytes that were submitted; empty where there are none.
        job_id: Flink's jobId of the latest submission.
        restored_from: What that started from.
        flink_version: Version of the cluster when it was last seen.
        dashboard_url: Flink's own page on it; empty where it is no web address.
        last_savepoint: Path of its newest savepoint.
        next_inputs: What counts from the next start on, by name, with secrets masked.
        next_restore: The savepoint that the next start goes on from.
        created_by: Who put it on record.
        created_at: When.
        happened: What became of it by itself: why it failed, or is lost; empty where it did not.
        savepoints: Its savepoints, the newest first.
    """

    listed: ListedJob
    run_id: str
    row: Mapping[str, Any]
    masks: bool
    options: Mapping[str, str]
    savepoint_directory: str
    generation: int
    jar_digest: str
    job_id: str
    restored_from: str
    flink_version: str
    dashboard_url: str
    last_savepoint: str
    next_inputs: Mapping[str, str]
    next_restore: str
    created_by: str
    created_at: datetime | None
    happened: str
    savepoints: Sequence[SavepointView]

    @property
    def json(self) -> str:
        """The row as text."""
        return json.dumps(self.row, indent=2, ensure_ascii=False)

    @property
    def properties(self) -> Mapping[str, Any]:
        """Its properties in the words of the HDInsight on AKS API."""
        found: Mapping[str, Any] = self.row["properties"]
        return found


def job_view(
    row: JobRow,
    cluster: ClusterConfiguration,
    savepoints: Sequence[Savepoint],
    *,
    reveal: bool = False,
) -> JobView:
    """Return a job on record as its page shows it.

    Args:
        row: The job.
        cluster: Its cluster.
        savepoints: Those on record of it.
        reveal: Whether secrets are shown.
    """
    mounts = cluster.storage
    # A cluster that has no id is called otherwise, and has such a row all the same.
    shown_id = f"{cluster.name}/jobs/{row.run_id}"
    whole: dict[str, Any] = {"id": shown_id, "properties": properties_of(row, mounts)}
    masked = masked_row(whole)
    shown = whole if reveal else masked
    record = row.record
    options = dict(shown["properties"].get("flinkConfiguration", {}))
    options.pop(PARALLELISM_KEY, None)
    options.pop(SAVEPOINT_DIRECTORY_KEY, None)
    following = {name: _plain(value) for name, value in row.next_inputs.items()}
    masked_following = {
        name: masked_args(value) if name == "args" else masked_text(value)
        for name, value in masked_options(following).items()
    }
    words = mounts.in_callers_words
    broke = record.status in (JobStatus.FAILED, JobStatus.LOST) and row.status == record.status
    dashboard = record.dashboard_url or ""
    return JobView(
        listed=ListedJob.of(row, cluster),
        run_id=row.run_id,
        row=shown,
        masks=masked != whole or masked_following != following,
        options=options,
        savepoint_directory=masked_text(words(record.spec.savepoint_directory or "")),
        generation=record.generation,
        jar_digest=record.spec.jar_digest or "",
        job_id=record.job_id or "",
        restored_from=record.restored_from or "",
        flink_version=record.flink_version or "",
        dashboard_url=dashboard if dashboard.startswith(("http://", "https://")) else "",
        last_savepoint=record.last_savepoint or "",
        next_inputs=following if reveal else masked_following,
        next_restore=row.next_restore or "",
        created_by=row.created_by,
        created_at=row.created_at,
        happened=masked_text(words(record.job_output)) if broke else "",
        savepoints=[
            SavepointView(
                str(one["name"]), str(one["path"]), one["takenAt"] or "", str(one["reason"])
            )
            for one in savepoint_rows([*savepoints, *record.savepoints])
        ],
    )


def as_started_next(row: JobRow) -> JobRow:
    """Return a job with the version that its next start makes of it."""
    return replace(row, record=row.record.model_copy(update={"spec": row.next_spec}))


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(str(part) for part in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
