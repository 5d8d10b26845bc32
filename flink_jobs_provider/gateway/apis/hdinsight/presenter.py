"""A job as the list shows it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from flink_jobs_provider.gateway.apis.hdinsight.schema import TAKES_SAVEPOINT
from flink_jobs_provider.gateway.http.flink_paths import as_text
from flink_jobs_provider.gateway.http.masking import masked_args, masked_options, masked_text
from flink_jobs_provider.gateway.job_service import JobRow
from flink_jobs_provider.gateway.mounts import Mounts
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.model.action import STARTS, ActionResult, JobStatus
from flink_jobs_provider.model.savepoint import Savepoint, canonical_path
from flink_jobs_provider.wire.hdinsight import JOB_PROPERTIES, JOB_TYPE, PARALLELISM_KEY, ApiVersion

#: The service's own words about a job that it has started (recorded traffic of 2024).
_RUNS_AS = "Flink internal job status :"


def job_row(row: JobRow, cluster_id: str, mounts: Mounts, version: ApiVersion) -> dict[str, Any]:
    """Return a job as an entry of a list.

    Its id ends in the run id, and before there were run ids in the job's name.
    """
    properties = properties_of(row, mounts)
    if not version.has_run_ids:
        del properties["runId"]
    last = row.run_id if version.has_run_ids else row.job_name
    return {"id": f"{cluster_id}/jobs/{last}", "properties": properties}


def masked_row(shown: dict[str, Any]) -> dict[str, Any]:
    """Return an entry of a list as it is shown to who may only read."""
    properties = dict(shown["properties"])
    for name, mask in (
        ("args", masked_args),
        ("flinkConfiguration", masked_options),
        ("jobOutput", masked_text),
    ):
        if name in properties:
            properties[name] = mask(properties[name])
    return {**shown, "properties": properties}


def properties_of(row: JobRow, mounts: Mounts) -> dict[str, Any]:
    """Return a job's properties, without those that it has not: `jobId` before it was launched.

    What the job is made of is shown as it was given, as long as it is so: another face may have
    changed it, or an update that failed went back.
    """
    spec = row.record.spec
    properties = {
        "jobType": JOB_TYPE,
        "runId": row.run_id,
        "jobName": row.job_name,
        "action": str(row.last.action),
        "actionResult": str(row.last.result),
        "jobOutput": _output(row, mounts) or None,
        "status": row.status or None,
        "jobId": row.record.job_id,
        "lastSavePoint": row.record.last_savepoint,
        "flinkConfiguration": {**_options(row), PARALLELISM_KEY: str(spec.parallelism)},
        "entryClass": spec.entry_class,
        "args": _args(row),
        **_jar(row, mounts),
    }
    properties["savePointName"] = _savepoint_name(row)
    return {name: properties[name] for name in JOB_PROPERTIES if properties[name] is not None}


def savepoint_rows(savepoints: Iterable[Savepoint]) -> list[dict[str, str | None]]:
    """Return savepoints as a list shows them: each once, the newest first."""
    once = {canonical_path(savepoint.path): savepoint for savepoint in reversed([*savepoints])}
    newest_first = sorted(once.values(), key=lambda savepoint: savepoint.taken_at, reverse=True)
    return [
        {
            "name": canonical_path(savepoint.path).rpartition("/")[2],
            "path": savepoint.path,
            "takenAt": savepoint.taken_at or None,
            "reason": str(savepoint.reason),
        }
        for savepoint in newest_first
    ]


def _output(row: JobRow, mounts: Mounts) -> str:
    """Return what the last action said; or why the job is no longer as that action left it."""
    last = row.last
    if last.result is not ActionResult.SUCCESS:
        return last.output
    if row.record.status in (JobStatus.FAILED, JobStatus.LOST) and row.record.job_output:
        return mounts.in_callers_words(row.record.job_output)
    if last.action in STARTS and row.record.status.active:
        return f"{_RUNS_AS} {row.record.status}\n{last.output}".rstrip()
    return last.output


def _savepoint_name(row: JobRow) -> str | None:
    """Return what the last action was given to start from, if the job did start from that.

    Who sends back a row of later must not restore the same state a second time.
    """
    name: str | None = row.as_given.get("savePointName")
    restored = canonical_path(row.record.restored_from or "")
    if not name or row.last.result is not ActionResult.SUCCESS:
        return None
    same = canonical_path(name).rpartition("/")[2] == restored.rpartition("/")[2]
    return name if same and row.last.action in TAKES_SAVEPOINT else None


def _jar(row: JobRow, mounts: Mounts) -> dict[str, str | None]:
    """Return the jar's directory and name, as the caller would write them."""
    jar = row.record.spec.jar
    given = {name: row.as_given.get(name) for name in ("jobJarDirectory", "jarName")}
    with contextlib.suppress(Refusal):
        if mounts.resolve(_joined(given), "") == jar:
            return given
    directory, _, name = (mounts.named(jar) or jar).rpartition("/")
    return {"jobJarDirectory": directory or None, "jarName": name}


def _joined(given: dict[str, Any]) -> str:
    return f"{str(given['jobJarDirectory'] or '').rstrip('/')}/{given['jarName'] or ''}"


def _args(row: JobRow) -> str | None:
    given: str | None = row.as_given.get("args")
    args = list(row.record.spec.args)
    return given if (given or "").split() == args else " ".join(args)


def _options(row: JobRow) -> dict[str, str]:
    """Return the Flink options, and what else a caller gives among them."""
    options = row.record.spec.flink_configuration
    given = _texts(row.as_given.get("flinkConfiguration") or {})
    if all(given.get(key) == value for key, value in options.items()):
        return given
    return dict(options)


def _texts(options: dict[str, Any]) -> dict[str, str]:
    return {key: as_text(value) for key, value in options.items()}
