"""What the answers of Data Lake Insight mean. Messages are shown, and never decided by.

A job's details are read leniently: every property may be missing, null, or a default.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx

from flink_jobs_provider.control_planes.action_plane import Version
from flink_jobs_provider.control_planes.dli.job_config import shown_in
from flink_jobs_provider.control_planes.http import date_in, plain
from flink_jobs_provider.control_planes.step_plane import StepJob
from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.savepoint import in_store
from flink_jobs_provider.wire import SPEC_NOTE
from flink_jobs_provider.wire.dli import DliStatus

#: A job that is not there: the codes of a job, and of any object (the latter with status 400).
MISSING = frozenset({"DLI.16001", "DLI.0002"})
#: Trouble of the service itself, also with status 400.
TROUBLE = "DLI.0999"

#: How far clocks may be apart before that is reported; the service takes 15 minutes.
_SKEW = 300.0


def succeeded(body: Any) -> bool:
    """Whether an answer says so: as text or boolean, in any case; one that says nothing does not.

    A message that is itself such an answer counts, too (the reference shows one of a savepoint).
    """
    if not isinstance(body, dict) or str(body.get("is_success")).strip().lower() != "true":
        return False
    inner = _json_in(body.get("message"))
    return not (isinstance(inner, dict) and "is_success" in inner) or succeeded(inner)


def error_in(body: Any) -> tuple[str, str]:
    """Return code and message of an answer that is no success; empty texts where it has none."""
    if not isinstance(body, dict):
        return "", ""
    code = str(body.get("error_code") or "")
    message = body.get("error_msg") or body.get("message") or ""
    inner = _json_in(message)
    if isinstance(inner, dict):
        return code or str(inner.get("error_code") or ""), error_in(inner)[1]
    return code, plain(str(message))


def is_missing(status: int, code: str) -> bool:
    """Whether a job is not there. A path that an API gateway does not know is no missing job."""
    return code in MISSING or (status == 404 and code.startswith("DLI."))


def no_such_route(status: int, code: str) -> bool:
    """Whether the service has no such call."""
    return status in (404, 405, 501) and not code.startswith("DLI.")


def skew(response: httpx.Response, now: datetime) -> str:
    """Return by how much this machine's clock differs from the service's, if that is too much."""
    there = date_in(response.headers.get("date", ""))
    if there is None:
        return ""
    ahead = (now - there).total_seconds()
    if abs(ahead) <= _SKEW:
        return ""
    which = "ahead of" if ahead > 0 else "behind"
    return f"this machine's clock is {abs(ahead) / 60:.0f} minutes {which} the service's"


def _json_in(text: Any) -> Any:
    if not isinstance(text, str) or not text.lstrip().startswith("{"):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


#: Words of jobs that are as they are until somebody asks for something.
_SETTLED: dict[str, JobStatus] = {
    DliStatus.RUNNING: JobStatus.RUNNING,
    DliStatus.CANCEL_FAIL: JobStatus.RUNNING,  # what has failed is the stop
    DliStatus.FINISH: JobStatus.FINISHED,
    DliStatus.INIT: JobStatus.CANCELED,
    DliStatus.CANCEL_SUCCESS: JobStatus.CANCELED,
    DliStatus.SUBMIT_FAIL: JobStatus.FAILED,
    DliStatus.RUNNING_EXCEPTION: JobStatus.FAILED,
    DliStatus.ARREARAGE_STOPPED: JobStatus.FAILED,
}
#: Words of jobs that are on their way, and the action that is in progress on them.
_MOVING: dict[str, tuple[JobStatus, Action]] = {
    DliStatus.SUBMITTING: (JobStatus.STARTING, Action.START),
    DliStatus.DOWNLOADING: (JobStatus.STARTING, Action.START),
    DliStatus.IDLE: (JobStatus.STARTING, Action.START),
    DliStatus.CANCELING: (JobStatus.RUNNING, Action.STOP),
    DliStatus.SAVEPOINTING: (JobStatus.RUNNING, Action.SAVEPOINT),
    DliStatus.ARREARAGE_RECOVERING: (JobStatus.RESTARTING, Action.START),
}
_UNBORN = (DliStatus.INIT, DliStatus.SUBMIT_FAIL)

#: What a gateway reports of a start.
_STARTED_FROM = re.compile(r"Job started from (\S+?)\.?$")


def job_of(detail: Mapping[str, Any], shows_origin: bool) -> StepJob | None:
    """Read one job; None where it does not show which one it is."""
    if detail.get("job_id") in (None, ""):
        return None
    word = _text(detail, "status").lower()
    status, action = _MOVING.get(word, (_SETTLED.get(word), None))
    shown = shown_in(detail)
    said = _text(detail, "status_desc")
    match = _STARTED_FROM.search(said) if shows_origin else None
    options = shown.get("runtime_config") or {}
    return StepJob(
        run_id=str(detail["job_id"]),
        job_name=_text(detail, "name"),
        status=status,
        status_word=word,
        launch_failed=word == DliStatus.SUBMIT_FAIL,
        stop_failed=word == DliStatus.CANCEL_FAIL,
        action=action,
        result=ActionResult.IN_PROGRESS if action else None,
        output=said,
        last_savepoint=_savepoint(_text(detail, "savepoint_path")),
        started_from=_savepoint(match.group(1)) if match else "",
        version=Version(jar=shown.get("entrypoint"), mark=options.get(SPEC_NOTE, "")),
        shown=shown,
        started=_number(detail.get("start_time")),
        unborn=word in _UNBORN,
    )


def _savepoint(path: str) -> str:
    """Spell the path of a savepoint as the rest of the project does: a URI, without its file."""
    return in_store(path.rstrip("/").removesuffix("/_metadata"))


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int) or str(value).isdigit() else 0


def _text(detail: Mapping[str, Any], name: str) -> str:
    value = detail.get(name)
    return "" if value is None else str(value).strip()
