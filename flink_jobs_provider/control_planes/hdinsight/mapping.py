"""Between a job and the API's properties: the body of runJob, and rows read leniently."""

from __future__ import annotations

import re
from typing import Any

from flink_jobs_provider.control_planes.action_plane import ActionJob, Order, Version
from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.redaction import mask_foreign
from flink_jobs_provider.wire import SPEC_NOTE
from flink_jobs_provider.wire.hdinsight import (
    JOB_TYPE,
    LAUNCH_FAILED,
    PARALLELISM_KEY,
    SAVEPOINT_DIRECTORY_KEY,
)


def body_of(order: Order, with_run_id: bool) -> dict[str, Any]:
    """Return the body of an order.

    Args:
        order: What is asked for.
        with_run_id: Whether this version of the API knows run ids.
    """
    properties: dict[str, Any] = {"jobType": JOB_TYPE, "jobName": order.job_name}
    if with_run_id and order.run_id:
        properties["runId"] = order.run_id
    properties["action"] = order.action.value
    if order.version is not None:
        properties |= _carried(order.version)
    if order.restore_from:
        properties["savePointName"] = order.restore_from
    return {"properties": properties}


def _carried(version: Version) -> dict[str, Any]:
    directory, _, name = (version.jar or "").rpartition("/")
    configuration = {**(version.configuration or {}), PARALLELISM_KEY: str(version.parallelism)}
    if version.savepoint_directory:
        configuration[SAVEPOINT_DIRECTORY_KEY] = version.savepoint_directory
    if version.mark:
        configuration[SPEC_NOTE] = version.mark
    return {
        "jobJarDirectory": directory,
        "jarName": name,
        "entryClass": version.entry_class,
        "args": " ".join(version.args or ()),
        "flinkConfiguration": configuration,
    }


#: Words for a status apart from those of `JobStatus`, as far as they were seen or are Flink's own.
_STATUSES = {
    "CANCELLED": JobStatus.CANCELED,
    "CREATED": JobStatus.STARTING,
    "INITIALIZING": JobStatus.STARTING,
    "FAILING": JobStatus.RESTARTING,
    "RECONCILING": JobStatus.RESTARTING,
    LAUNCH_FAILED: JobStatus.FAILED,
    # The stop failed, not the job; "STOP-FAILED" in the examples of the API.
    "STOP_FAILED": JobStatus.RUNNING,
    **dict.fromkeys(("STOPPING", "CANCELING", "CANCELLING"), JobStatus.RUNNING),
}


#: What a gateway says of a start.
_STARTED_FROM = re.compile(r"^Job started from (\S+)$", re.MULTILINE)


def job_of(row: Any) -> ActionJob | None:
    """Read one row; None where it is not that of a Flink job."""
    properties = row.get("properties") if isinstance(row, dict) else None
    if not isinstance(properties, dict) or not properties.get("jobName"):
        return None
    last_segment = str(row.get("id") or "").rstrip("/").rpartition("/")[2]
    name = str(properties["jobName"])
    word = _text(properties, "status")
    status_word = word.upper().replace("-", "_").replace(" ", "_")
    action = _text(properties, "action").upper()
    result = _text(properties, "actionResult").upper()
    output = _text(properties, "jobOutput")
    return ActionJob(
        run_id=_text(properties, "runId") or last_segment or name,
        job_name=name,
        job_id=_text(properties, "jobId") or None,
        status=_status(status_word, action, result),
        status_word=word,
        launch_failed=status_word == LAUNCH_FAILED,
        stop_failed=status_word == "STOP_FAILED",
        action=Action(action) if action in Action.__members__ else None,
        result=ActionResult(result) if result in ActionResult.__members__ else None,
        output=mask_foreign(output),
        last_savepoint=_text(properties, "lastSavePoint") or _path_in(output, action),
        restored_from=_text(properties, "savePointName"),
        started_from=match.group(1) if (match := _STARTED_FROM.search(output)) else "",
        version=_version(properties),
    )


def _status(word: str, action: str, result: str) -> JobStatus | None:
    if word in JobStatus.__members__:
        return JobStatus(word)
    if word and action == Action.CANCEL and result == ActionResult.SUCCESS:
        return _STATUSES.get(word, JobStatus.CANCELED)  # that word is documented nowhere
    return _STATUSES.get(word)


def _version(properties: dict[str, Any]) -> Version:
    directory, name = _text(properties, "jobJarDirectory"), _text(properties, "jarName")
    given = properties.get("flinkConfiguration")
    configuration = None
    if isinstance(given, dict):
        configuration = {str(key): str(value) for key, value in given.items() if value is not None}
    options = dict(configuration or {})
    mark = options.pop(SPEC_NOTE, "")
    savepoints = options.pop(SAVEPOINT_DIRECTORY_KEY, "")
    parallelism = options.pop(PARALLELISM_KEY, "").strip()
    args = properties.get("args")
    return Version(
        jar=f"{directory.rstrip('/')}/{name}" if directory and name else None,
        entry_class=_text(properties, "entryClass") or None,
        args=tuple(args.split()) if isinstance(args, str) else None,
        parallelism=int(parallelism) if parallelism.isdigit() else None,
        configuration=None if configuration is None else options,
        savepoint_directory=savepoints or None,
        mark=mark,
    )


def _path_in(output: str, action: str) -> str:
    """Return the path of a savepoint in what an action said, where only that tells it."""
    if action not in (Action.STOP, Action.SAVEPOINT, Action.UPDATE):
        return ""
    match = re.search(r"\bPath:\s*(\S*savepoint\S*)", output)
    return match.group(1) if match else ""


def _text(properties: dict[str, Any], name: str) -> str:
    value = properties.get(name)
    return "" if value is None else str(value).strip()
