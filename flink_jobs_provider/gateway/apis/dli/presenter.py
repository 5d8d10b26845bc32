"""A job as the API shows it: its status, and all that is known of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from flink_jobs_provider.gateway.apis.dli.conventions import output_in_call_words
from flink_jobs_provider.gateway.apis.dli.runtime_config import with_masked_values
from flink_jobs_provider.gateway.apis.dli.translation import config_of, defaults_of
from flink_jobs_provider.gateway.apis.job_inputs import masked_args, masked_text
from flink_jobs_provider.gateway.job_service import JobRow
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.model.action import STARTS, Action, ActionResult, JobStatus
from flink_jobs_provider.wire.dli import JOB_TYPE, TOP_LEVEL, DliStatus, checkpoint_mode
from flink_jobs_provider.wire.hdinsight import LAUNCH_FAILED

_ENDS = {Action.STOP, Action.CANCEL, Action.DELETE}
_SETTLED = {
    "DRAFT": DliStatus.INIT,
    "": DliStatus.SUBMITTING,
    LAUNCH_FAILED: DliStatus.SUBMIT_FAIL,
    JobStatus.STARTING: DliStatus.SUBMITTING,
    JobStatus.RUNNING: DliStatus.RUNNING,
    JobStatus.RESTARTING: DliStatus.RUNNING,
    JobStatus.STOPPED: DliStatus.CANCEL_SUCCESS,
    JobStatus.CANCELED: DliStatus.CANCEL_SUCCESS,
    JobStatus.FINISHED: DliStatus.FINISH,
    JobStatus.FAILED: DliStatus.RUNNING_EXCEPTION,
    JobStatus.LOST: DliStatus.RUNNING_EXCEPTION,
}
_RUNS = {status for status in JobStatus if status.active}
#: What the service reports of every job, and this gateway has not.
_ALWAYS: Mapping[str, Any] = {"root_id": -1, "graph_editor_enabled": False}
#: Fields that stand alongside `job_config`, not in it.
_ALONGSIDE = {*TOP_LEVEL, "job_type"}

#: Fields of `job_config` that callers may write anything to, besides `runtime_config`.
_FREE_TEXTS = ("flink_log_config",)


def runs(status: str) -> bool:
    """Whether the cluster works on a job of that status, in the gateway's words."""
    return status in _RUNS


@lru_cache
def standings_of(wanted: DliStatus) -> frozenset[tuple[str, str, str]]:
    """Return with which statuses, last actions and results of these a job has that status."""
    return frozenset(
        (str(status), action.value, result.value)
        for status in (*_SETTLED, *JobStatus)
        for action in Action
        for result in ActionResult
        if dli_status(status, action, result) is wanted
    )


def dli_status(status: str, action: Action, result: ActionResult) -> DliStatus:
    """Return what a job does, by its status in the gateway's words and its last action."""
    if result is ActionResult.IN_PROGRESS:
        if action in _ENDS:
            return DliStatus.CANCELING
        if action is Action.SAVEPOINT:
            return DliStatus.SAVEPOINTING
        if action in STARTS:
            return DliStatus.SUBMITTING
    if result is ActionResult.FAILED:
        # Whoever waits for the end of a stop or a start must not wait for ever.
        if action in _ENDS and runs(status):
            return DliStatus.CANCEL_FAIL
        if action in STARTS and not runs(status):
            return DliStatus.SUBMIT_FAIL
    return _SETTLED.get(status, DliStatus.SUBMITTING)


def summary(row: JobRow, cluster: ClusterConfiguration) -> dict[str, Any]:
    """Return a job as an entry of a list without details."""
    return _head(row, config_of(row, cluster), cluster)


def detail(row: JobRow, cluster: ClusterConfiguration) -> dict[str, Any]:
    """Return a job with all that is known of it."""
    config = config_of(row, cluster)
    return {
        **_head(row, config, cluster),
        "user_id": row.created_by,
        "project_id": cluster.dli.project_id if cluster.dli else "",
        "sql_body": "",
        "run_mode": "exclusive_cluster",
        "job_config": _job_config(config, row.next_spec.parallelism),
        "main_class": config.get("main_class") or "",
        "entrypoint_args": config.get("entrypoint_args") or "",
        "execution_graph": None,
        "update_time": max(map(milliseconds, (row.changed_at, row.started_at, row.created_at))),
        "tags": config.get("tags") or [],
        "savepoint_path": row.next_restore or row.record.last_savepoint or "",
    }


def masked(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return a job as it is shown to who may only read."""
    known = {**shown, "status_desc": masked_text(shown["status_desc"])}
    if "entrypoint_args" in known:
        known["entrypoint_args"] = masked_args(known["entrypoint_args"])
    if "job_config" in known:
        known["job_config"] = {
            name: masked_text(value) if isinstance(value, str) and name in _FREE_TEXTS else value
            for name, value in known["job_config"].items()
        }
        if options := known["job_config"].get("runtime_config"):
            known["job_config"]["runtime_config"] = with_masked_values(options)
    return known


def _head(row: JobRow, config: Mapping[str, Any], cluster: ClusterConfiguration) -> dict[str, Any]:
    started = milliseconds(row.started_at)
    # Where its cluster did not report when it ended, how long it ran is unknown.
    ended = now() if runs(row.status) else milliseconds(row.ended_at) or started
    return {
        "job_id": row.number,
        "name": config["name"],
        "desc": config.get("desc") or "",
        "user_name": row.created_by,
        "job_type": JOB_TYPE,
        "status": str(dli_status(row.status, row.last.action, row.last.result)),
        "status_desc": output_in_call_words(_status_desc(row, cluster)),
        "create_time": milliseconds(row.created_at),
        "start_time": started,
        "duration": max(0, ended - started) if started else 0,
        **_ALWAYS,
        "has_savepoint": bool(row.next_restore or row.record.last_savepoint),
        "queue_name": config.get("queue_name") or "",
    }


def _job_config(config: Mapping[str, Any], parallelism: int) -> dict[str, Any]:
    given = {k: v for k, v in config.items() if k not in _ALONGSIDE and v not in (None, "")}
    if "checkpoint_mode" in given:
        given["checkpoint_mode"] = checkpoint_mode(given["checkpoint_mode"])
    shown = {**_ALWAYS, "edge_group_ids": [], **defaults_of(config)}
    return {**shown, "parallel_number": parallelism, **given}


def _status_desc(row: JobRow, cluster: ClusterConfiguration) -> str:
    """Return what the last action waits for, or has reported; or what befell the job since."""
    if row.last.result is not ActionResult.SUCCESS:
        return row.last.output
    if row.record.status in (JobStatus.FAILED, JobStatus.LOST) or row.record.other_version:
        return cluster.storage.in_callers_words(row.record.job_output)
    return "Flink restarts its tasks." if row.status == JobStatus.RESTARTING else row.last.output


def now() -> int:
    """Return the present time as the service writes it."""
    return int(time.time() * 1000)


def milliseconds(moment: datetime | None) -> int:
    """Return a time as the service writes it; 0 for none."""
    return 0 if moment is None else int(moment.timestamp() * 1000)
