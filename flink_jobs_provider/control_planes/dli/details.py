"""A job's details, read leniently: every property may be missing, null, or a default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flink_jobs_provider.control_planes.action_plane import Version
from flink_jobs_provider.control_planes.dli.configuration import shown_in
from flink_jobs_provider.control_planes.step_plane import StepJob
from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.savepoint import in_store
from flink_jobs_provider.wire import SPEC_NOTE
from flink_jobs_provider.wire.dli import DliStatus

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

#: What a gateway says of a start.
_STARTED_FROM = re.compile(r"Job started from (\S+?)\.?$")


def job_of(detail: Mapping[str, Any], from_gateway: bool) -> StepJob | None:
    """Read one job; none where it is not told which one it is."""
    if detail.get("job_id") in (None, ""):
        return None
    word = _text(detail, "status").lower()
    status, action = _MOVING.get(word, (_SETTLED.get(word), None))
    shown = shown_in(detail)
    said = _text(detail, "status_desc")
    match = _STARTED_FROM.search(said) if from_gateway else None
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
