"""A job as the list shows it, and operation status documents.

Pollers of Azure's clients read such a document until an action has ended.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from flink_jobs_provider.gateway.apis.hdinsight.conventions import FAIL_OPERATION
from flink_jobs_provider.gateway.apis.hdinsight.schema import TAKES_SAVEPOINT
from flink_jobs_provider.gateway.apis.job_inputs import (
    as_texts,
    masked_args,
    masked_options,
    masked_text,
)
from flink_jobs_provider.gateway.job_service import (
    ActionRow,
    DisposedSavepoint,
    JobRow,
    listed_savepoints,
)
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration, Mounts
from flink_jobs_provider.model.action import STARTS, ActionResult, JobStatus
from flink_jobs_provider.model.savepoint import Savepoint, canonical_path
from flink_jobs_provider.wire.hdinsight import JOB_PROPERTIES, JOB_TYPE, PARALLELISM_KEY, ApiVersion

#: Where operations are; any other location is accepted.
_OPERATIONS = "/providers/Microsoft.HDInsight/locations/FLINK/operationStatuses"
_NAME = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\*([0-9A-F]{64})")
#: The service's own words about a job that it has started (recorded traffic of 2024).
_RUNS_AS = "Flink internal job status :"


def job_row(row: JobRow, cluster: ClusterConfiguration, version: ApiVersion) -> dict[str, Any]:
    """Return a job as an entry of a list.

    Its id ends in the run id, and before there were run ids in the job's name.
    """
    properties = properties_of(row, cluster.storage)
    if not version.has_run_ids:
        del properties["runId"]
    last = row.run_id if version.has_run_ids else row.job_name
    return {"id": f"{cluster.id}/jobs/{last}", "properties": properties}


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


def name_of(savepoint: str) -> str:
    """Return the name that a savepoint has in its directory, by its path."""
    return canonical_path(savepoint).rpartition("/")[2]


def savepoint_rows(
    savepoints: Iterable[Savepoint], disposed: Sequence[DisposedSavepoint] = ()
) -> list[dict[str, str | None]]:
    """Return savepoints as a list shows them: each once, the newest first."""
    left = listed_savepoints(savepoints, disposed)
    gone = {each.savepoint.path: each.when for each in disposed}
    rows = [*left, *(each.savepoint for each in disposed)]
    return [
        {
            "name": name_of(savepoint.path),
            "path": savepoint.path,
            "takenAt": savepoint.taken_at or None,
            "reason": str(savepoint.reason),
            "disposedAt": gone.get(savepoint.path),
        }
        for savepoint in sorted(rows, key=lambda each: each.taken_at, reverse=True)
    ]


def operation_name(action: ActionRow) -> str:
    """Return the name of an action's operation: its id, and a digest, as the service has it."""
    return f"{action.id}*{hashlib.sha256(action.cluster.encode()).hexdigest().upper()}"


def action_id(name: str) -> str | None:
    """Return the id in the name of an operation; None where it is no such name."""
    match = _NAME.fullmatch(name)
    return match[1] if match else None


def _operation_path(action: ActionRow) -> str:
    return f"{_OPERATIONS}/{operation_name(action)}"


def status_url(base: str, action: ActionRow, version: ApiVersion, *, fails: bool) -> str:
    """Return the absolute address of an action's operation."""
    query = f"api-version={version}" + (f"&{FAIL_OPERATION}=true" if fails else "")
    return f"{base}{quote(_operation_path(action), safe='/*')}?{query}"


def status_document(
    action: ActionRow, cluster_id: str, version: ApiVersion, *, fails: bool
) -> dict[str, Any]:
    """Return the document of an action's operation.

    An operation succeeds when its action has ended, however it ended: that is how the service has
    it, and scripts read `actionResult` in the list afterwards. `fails` has the operation of a
    failed action fail, so that pollers raise its reason.
    """
    document: dict[str, Any] = {
        "id": _operation_path(action),
        "name": operation_name(action),
        "resourceId": cluster_id,
        "status": "Succeeded",
        "startTime": _time(action.accepted_at),
    }
    if action.finished_at is not None:
        document["endTime"] = _time(action.finished_at)
    if action.result is ActionResult.IN_PROGRESS:
        document["status"] = "InProgress"
    elif action.result is ActionResult.FAILED and fails:
        document["status"] = "Failed"
        document["error"] = {"code": f"{action.action}_FAILED", "message": action.output}
    document["properties"] = _result(action) if version.has_run_ids else None
    return document


def entity_tag(document: dict[str, Any]) -> str:
    """Return the ETag of a document: it changes as the document does."""
    text = json.dumps(document, sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def _output(row: JobRow, mounts: Mounts) -> str:
    """Return what the last action reported; or why the job is no longer as that action left it."""
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
    if not name or row.last.result is not ActionResult.SUCCESS:
        return None
    same = name_of(name) == name_of(row.record.restored_from or "")
    return name if same and row.last.action in TAKES_SAVEPOINT else None


def _jar(row: JobRow, mounts: Mounts) -> dict[str, str | None]:
    """Return the jar's directory and name, as the caller would write them."""
    jar = row.record.spec.jar
    given = {name: row.as_given.get(name) for name in ("jobJarDirectory", "jarName")}
    path = f"{(given['jobJarDirectory'] or '').rstrip('/')}/{given['jarName'] or ''}"
    with contextlib.suppress(Refusal):
        if mounts.resolve(path, "") == jar:
            return given
    directory, _, name = (mounts.named(jar) or jar).rpartition("/")
    return {"jobJarDirectory": directory or None, "jarName": name}


def _args(row: JobRow) -> str | None:
    given: str | None = row.as_given.get("args")
    args = list(row.record.spec.args)
    return given if (given or "").split() == args else " ".join(args)


def _options(row: JobRow) -> dict[str, str]:
    """Return the Flink options, and what else a caller gives among them."""
    options = row.record.spec.flink_configuration
    given = as_texts(row.as_given.get("flinkConfiguration") or {})
    if all(given.get(key) == value for key, value in options.items()):
        return given
    return dict(options)


def _result(action: ActionRow) -> dict[str, Any]:
    """Return the result as clients read it."""
    return {
        "jobStatus": "SUBMITTED",
        "jobType": JOB_TYPE,
        "runId": action.run_id,
        "jobName": action.job_name,
        "action": str(action.action),
        "jobOutput": action.output,
        "actionResult": str(action.result),
    }


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
