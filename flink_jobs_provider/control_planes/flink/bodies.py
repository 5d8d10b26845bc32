"""Request bodies by Flink version: 1.17 and 1.18 refuse fields that later versions want."""

from __future__ import annotations

from typing import Any

from flink_jobs_provider.control_planes.protocol import SavepointRequest, Submission
from flink_jobs_provider.model.errors import ClusterRefused
from flink_jobs_provider.model.spec import JobSpec

OLDEST = (1, 17)
_CLAIM_MODE_SINCE = (1, 20)


def parse_version(text: str) -> tuple[int, ...]:
    """Read "2.3.0" or "1.20-SNAPSHOT".

    Raises:
        ClusterRefused: It is no version, or one that is too old.
    """
    numbers = text.split("-", 1)[0].split(".")
    if not all(number.isdigit() for number in numbers) or len(numbers) < 2:
        raise ClusterRefused(f"the cluster says its version is {text!r}, which is none of Flink's")
    version = tuple(map(int, numbers))
    if version < OLDEST:
        raise ClusterRefused(
            f"the cluster runs Flink {text}, which has no chosen jobIds with configuration",
            remedy="Flink 1.17 or newer is needed",
        )
    return version


#: The inputs of a job that `POST /jars/:id/plan` has fields for, by the names of the fields.
PLAN_FIELDS = {
    "entryClass": "entry_class",
    "programArgsList": "args",
    "parallelism": "parallelism",
    "flinkConfiguration": "flink_configuration",
}
#: The same of `POST /jars/:id/run`.
RUN_FIELDS = {**PLAN_FIELDS, "allowNonRestoredState": "allow_non_restored_state"}


def plan_body(submission: Submission) -> dict[str, Any]:
    """Return the body of `POST /jars/:id/plan`."""
    return _inputs(submission.spec, PLAN_FIELDS)


def run_body(submission: Submission, version: tuple[int, ...]) -> dict[str, Any]:
    """Return the body of `POST /jars/:id/run`.

    Savepoints are restored without claiming them, so that one which an output names stays.
    """
    body = _inputs(submission.spec, RUN_FIELDS)
    body["jobId"] = submission.job_id
    if submission.restore_from:
        body["savepointPath"] = submission.restore_from
        mode = "claimMode" if version >= _CLAIM_MODE_SINCE else "restoreMode"
        body[mode] = "NO_CLAIM"
    return body


def savepoint_body(request: SavepointRequest, trigger_id: str) -> tuple[str, dict[str, Any]]:
    """Return path and body of a savepoint call; the two calls spell the same words differently."""
    if request.stops:
        return f"jobs/{request.job_id}/stop", {
            "targetDirectory": request.directory,
            "drain": False,
            "formatType": request.format.value.upper(),
            "triggerId": trigger_id,
        }
    return f"jobs/{request.job_id}/savepoints", {
        "target-directory": request.directory,
        "cancel-job": False,
        "formatType": request.format.value.upper(),
        "triggerId": trigger_id,
    }


def _inputs(spec: JobSpec, fields: dict[str, str]) -> dict[str, Any]:
    """Return the inputs that a request has fields for, where they are given.

    The dashboard shows the job by its name, where neither program nor configuration names it.
    """
    given = spec.model_dump(mode="json", include=set(fields.values()), exclude_none=True)
    body = {field: given[name] for field, name in fields.items() if name in given}
    body["flinkConfiguration"] = {"pipeline.name": spec.job_name, **body["flinkConfiguration"]}
    return body
