"""Operation status documents: what the pollers of Azure's clients read until an action ended."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from flink_jobs_provider.gateway.job_service import ActionRow
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.model.action import ActionResult
from flink_jobs_provider.wire.hdinsight import ApiVersion

#: Where the gateway says it is; any other is accepted.
LOCATION = "FLINK"
#: The query parameter that has an operation fail when its action failed.
FAIL_OPERATION = "failOperation"

_NAME = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\*([0-9A-F]{64})")


def operation_name(action: ActionRow) -> str:
    """Return the name of an action's operation: its id, and a digest, as the service has it."""
    return f"{action.id}*{_digest(action.cluster)}"


def action_id(name: str) -> str | None:
    """Return the id in the name of an operation; None where it is no such name."""
    match = _NAME.fullmatch(name)
    return match[1] if match else None


def operation_path(action: ActionRow) -> str:
    """Return the resource id of an action's operation."""
    name = operation_name(action)
    return f"/providers/Microsoft.HDInsight/locations/{LOCATION}/operationStatuses/{name}"


def status_url(base: str, action: ActionRow, version: ApiVersion, *, fails: bool) -> str:
    """Return the absolute address of an action's operation."""
    query = f"api-version={version}" + (f"&{FAIL_OPERATION}=true" if fails else "")
    return f"{base}{quote(operation_path(action), safe='/*')}?{query}"


def status_document(
    action: ActionRow, cluster_id: str, version: ApiVersion, *, fails: bool
) -> dict[str, Any]:
    """Return the document of an action's operation.

    An operation succeeds when its action has ended, however it ended: that is how the service has
    it, and scripts look for `actionResult` in the list afterwards. `fails` has the operation of a
    failed action fail, so that pollers raise its reason.
    """
    document: dict[str, Any] = {
        "id": operation_path(action),
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
    document["properties"] = _properties(action) if version.has_run_ids else None
    return document


def entity_tag(document: dict[str, Any]) -> str:
    """Return the ETag of a document: it changes as the document does."""
    text = json.dumps(document, sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def fails_with_action(given: Sequence[str]) -> bool:
    """Read `failOperation`.

    Raises:
        Refusal: It is neither true nor false.
    """
    if not given:
        return False
    if len(given) == 1 and given[0].lower() in ("true", "false"):
        return given[0].lower() == "true"
    message = f"{FAIL_OPERATION} must be true or false."
    raise Refusal("InvalidParameter", message, target=FAIL_OPERATION)


def _properties(action: ActionRow) -> dict[str, Any]:
    """Return what the service says, `jobStatus`, and the job as clients read the result."""
    return {
        "jobStatus": "SUBMITTED",
        "jobType": "FlinkJob",
        "runId": action.run_id,
        "jobName": action.job_name,
        "action": str(action.action),
        "jobOutput": action.output,
        "actionResult": str(action.result),
    }


def _digest(cluster: str) -> str:
    return hashlib.sha256(cluster.encode()).hexdigest().upper()


def _time(moment: datetime) -> str:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
