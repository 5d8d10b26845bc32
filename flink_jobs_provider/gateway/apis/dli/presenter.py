"""A job as the API shows it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flink_jobs_provider.gateway.apis.dli.call_words import output_in_call_words
from flink_jobs_provider.gateway.apis.dli.flink_options import with_masked_values
from flink_jobs_provider.gateway.apis.dli.job_status import dli_status, runs
from flink_jobs_provider.gateway.apis.dli.mapping import config_of, defaults_of
from flink_jobs_provider.gateway.clusters import ClusterConfiguration
from flink_jobs_provider.gateway.http.masking import masked_args, masked_text
from flink_jobs_provider.gateway.job_service import JobRow
from flink_jobs_provider.gateway.mounts import Mounts
from flink_jobs_provider.model.action import ActionResult, JobStatus
from flink_jobs_provider.wire.dli import JOB_TYPE, TOP_LEVEL, checkpoint_mode

#: What the service says of every job, and this gateway has not.
_ALWAYS: Mapping[str, Any] = {
    "root_id": -1,
    "edge_group_ids": [],
    "graph_editor_enabled": False,
}
#: Fields that stand beside `job_config`, not in it.
_BESIDE = {*TOP_LEVEL, "job_type"}

#: Fields of `job_config` that callers may write anything to, besides `runtime_config`.
_FREE_TEXTS = ("flink_log_config",)


def summary(row: JobRow, cluster: ClusterConfiguration) -> dict[str, Any]:
    """Return a job as an entry of a list without details."""
    return _head(row, config_of(row, cluster), cluster)


def detail(row: JobRow, cluster: ClusterConfiguration) -> dict[str, Any]:
    """Return a job with all that is known of it."""
    config = config_of(row, cluster)
    place = cluster.dli
    savepoint = row.next_restore or row.record.last_savepoint
    return {
        **_head(row, config, cluster),
        "user_id": row.created_by,
        "project_id": place.project_id if place else "",
        "sql_body": "",
        "run_mode": "exclusive_cluster",
        "job_config": _job_config(config, row.next_spec.parallelism),
        "main_class": config.get("main_class") or "",
        "entrypoint_args": config.get("entrypoint_args") or "",
        "execution_graph": None,
        "update_time": milliseconds(_changed_at(row)),
        "tags": config.get("tags") or [],
        "savepoint_path": savepoint or "",
    }


def masked(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return a job as it is shown to who may only read."""
    known = dict(shown)
    known["status_desc"] = masked_text(known["status_desc"])
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
    # Where its cluster did not say when it ended, nobody knows how long it ran.
    ended = now() if runs(row.status) else milliseconds(row.ended_at) or started
    return {
        "job_id": row.number,
        "name": config["name"],
        "desc": config.get("desc") or "",
        "user_name": row.created_by,
        "job_type": JOB_TYPE,
        "status": str(dli_status(row.status, row.last)),
        "status_desc": output_in_call_words(_status_desc(row, cluster)),
        "create_time": milliseconds(row.created_at),
        "start_time": started,
        "duration": max(0, ended - started) if started else 0,
        "root_id": -1,
        "graph_editor_enabled": False,
        "has_savepoint": bool(row.next_restore or row.record.last_savepoint),
        "queue_name": config.get("queue_name") or "",
    }


def _job_config(config: Mapping[str, Any], parallelism: int) -> dict[str, Any]:
    given = {
        name: value
        for name, value in config.items()
        if name not in _BESIDE and value not in (None, "")
    }
    if "checkpoint_mode" in given:
        given["checkpoint_mode"] = checkpoint_mode(given["checkpoint_mode"])
    return {**_ALWAYS, **defaults_of(config), "parallel_number": parallelism, **given}


def _status_desc(row: JobRow, cluster: ClusterConfiguration) -> str:
    """Return what the last action waits for, or has said; or what befell the job since."""
    if row.last.result is not ActionResult.SUCCESS:
        return row.last.output
    if row.record.status in (JobStatus.FAILED, JobStatus.LOST) or row.record.other_version:
        return Mounts(cluster.mounts).in_callers_words(row.record.job_output)
    return "Flink restarts its tasks." if row.status == JobStatus.RESTARTING else row.last.output


def _changed_at(row: JobRow) -> datetime | None:
    moments = [row.changed_at, row.started_at, row.created_at]
    known = [moment for moment in moments if moment is not None]
    return max(known, default=None)


def now() -> int:
    """Return the present time as the service writes it."""
    return int(time.time() * 1000)


def milliseconds(moment: datetime | None) -> int:
    """Return a time as the service writes it; 0 for none."""
    return 0 if moment is None else int(moment.timestamp() * 1000)
