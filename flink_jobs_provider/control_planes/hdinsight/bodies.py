"""The body of runJob."""

from __future__ import annotations

from typing import Any

from flink_jobs_provider.control_planes.action_plane import Order, Version
from flink_jobs_provider.wire import SPEC_NOTE
from flink_jobs_provider.wire.hdinsight import JOB_TYPE, PARALLELISM_KEY, SAVEPOINT_DIRECTORY_KEY


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
