"""A job as the list shows it."""

from __future__ import annotations

from typing import Any

from flink_jobs_provider.gateway.arm.body import PARALLELISM
from flink_jobs_provider.gateway.arm.versions import ApiVersion
from flink_jobs_provider.gateway.service import JobRow

#: In the order of the service's own answers.
_ORDER = (
    *("jobType", "runId", "jobName", "jobJarDirectory", "jarName", "action", "entryClass"),
    *("args", "savePointName", "flinkConfiguration", "jobId", "status", "jobOutput"),
    *("actionResult", "lastSavePoint"),
)


def job_row(row: JobRow, cluster_id: str, version: ApiVersion) -> dict[str, Any]:
    """Return a job as an entry of a list.

    Its id ends in the run id, and before there were run ids in the job's name.
    """
    properties = properties_of(row)
    if not version.has_run_ids:
        del properties["runId"]
    last = row.run_id if version.has_run_ids else row.job_name
    return {"id": f"{cluster_id}/jobs/{last}", "properties": properties}


def properties_of(row: JobRow) -> dict[str, Any]:
    """Return a job's properties, without those that it has not: `jobId` before it was launched."""
    given = row.as_given
    properties = {
        "jobType": "FlinkJob",
        "runId": row.run_id,
        "jobName": row.job_name,
        "action": str(row.last.action),
        "actionResult": str(row.last.result),
        "jobOutput": row.last.output or None,
        "status": row.status or None,
        "jobId": row.record.job_id,
        "lastSavePoint": row.record.last_savepoint,
        # What the job runs with: after an update that failed it is not what was given last.
        "flinkConfiguration": {
            **_texts(given.get("flinkConfiguration") or {}),
            PARALLELISM: str(row.record.spec.parallelism),
        },
    }
    for name in ("jobJarDirectory", "jarName", "entryClass", "args", "savePointName"):
        properties[name] = given.get(name)
    return {name: properties[name] for name in _ORDER if properties[name] is not None}


def as_text(value: object) -> str:
    """Write a JSON number or boolean as Flink's configuration does."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _texts(options: dict[str, Any]) -> dict[str, str]:
    return {key: as_text(value) for key, value in options.items()}
