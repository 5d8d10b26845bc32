"""What a page shows, for other places: as commands for a terminal, as Pulumi programs.

Each API that a cluster is served by has its own. What is masked on the page is masked here, too.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flink_jobs_provider.gateway.apis.hdinsight.conventions import NEWEST
from flink_jobs_provider.gateway.apis.hdinsight.presenter import masked_row
from flink_jobs_provider.gateway.portal.job_view import JobView
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.wire import NOTE_PREFIX
from flink_jobs_provider.wire.hdinsight import PARALLELISM_KEY, SAVEPOINT_DIRECTORY_KEY

_AUTHORIZATION = '"Authorization: Bearer $TOKEN"'
_DLI_AUTHORIZATION = '"X-Auth-Token: $TOKEN"'
#: The name of the state's directory among the options of the Data Lake Insight API.
_SAVEPOINTS = "state.savepoints.dir"
#: What takes a job's number out of the answer to its creation.
_NUMBER_OF_ANSWER = r"""sed -E 's/.*"job_id": ?([0-9]+).*/\1/'"""


@dataclass(frozen=True)
class Sample:
    """A text for one API or target: `hdinsight`, `dli` or `flink`."""

    api: str
    text: str


def request_samples(
    cluster: ClusterConfiguration, base: str, properties: Mapping[str, Any], number: int = 0
) -> list[Sample]:
    """Return a runJob as commands, for each API that has such a request.

    Args:
        cluster: The job's cluster.
        base: What callers reach the gateway by.
        properties: Of the runJob.
        number: Of the job; 0 for a new one.
    """
    shown = masked_row({"id": "", "properties": dict(properties)})["properties"]
    samples = []
    # A draft's start is no runJob: that API knows no drafts.
    draft = properties["action"] == Action.NEW and number
    if cluster.id and not draft:
        url = f"{base}{quote(cluster.id)}/runJob?api-version={NEWEST}"
        text = _curl("POST", url, _AUTHORIZATION, {"properties": shown})
        samples.append(Sample("hdinsight", text))
    if cluster.dli and (text := _dli_request(cluster, base, shown, number)):
        samples.append(Sample("dli", text))
    return samples


def reading_samples(
    cluster: ClusterConfiguration, base: str, job_name: str, number: int
) -> list[Sample]:
    """Return the reading of a job as commands, for each API."""
    samples = []
    if cluster.id:
        query = f"api-version={NEWEST}&$filter={quote(f'jobName eq {job_name}')}"
        url = f"{base}{quote(cluster.id)}/jobs?{query}"
        samples.append(Sample("hdinsight", _curl("GET", url, _AUTHORIZATION)))
    if cluster.dli:
        url = f"{_streaming(cluster, base)}/jobs/{number}"
        samples.append(Sample("dli", _curl("GET", url, _DLI_AUTHORIZATION)))
    return samples


def _dli_request(
    cluster: ClusterConfiguration, base: str, properties: Mapping[str, Any], number: int
) -> str:
    """Return the call that stands for an action; empty where none does by itself.

    That API's start takes the jar as it lies there now, where START and RE_LAUNCH run the earlier
    bytes again; and its DELETE cancels a job that runs, where DELETE refuses: no calls for these.
    """
    # One with a savepoint that was chosen, or with other args, takes several calls.
    if properties.get("savePointName"):
        return ""
    action, streaming = Action(properties["action"]), _streaming(cluster, base)
    if action is Action.NEW and not number:
        created = _curl(
            "POST", f"{streaming}/flink-jobs", _DLI_AUTHORIZATION, _dli_job(cluster, properties)
        )
        run = _curl("POST", f"{streaming}/jobs/run", _DLI_AUTHORIZATION, {"job_ids": ["$ID"]})
        # The number is put between two quoted parts of the body.
        return f"ID=$({created} |\n  {_NUMBER_OF_ANSWER})\n" + run.replace('"$ID"', "'\"$ID\"'")
    ids: dict[str, Any] = {"job_ids": [number]}
    calls: dict[Action, tuple[str, dict[str, Any]]] = {
        Action.NEW: ("jobs/run", {**ids, "resume_savepoint": True}),
        Action.STOP: ("jobs/stop", {**ids, "trigger_savepoint": True}),
        Action.CANCEL: ("jobs/stop", {**ids, "trigger_savepoint": False}),
        Action.SAVEPOINT: (f"jobs/{number}/savepoint", {"action": "TRIGGER"}),
    }
    if action not in calls or "args" in properties:
        return ""
    path, body = calls[action]
    return _curl("POST", f"{streaming}/{path}", _DLI_AUTHORIZATION, body)


def _dli_job(cluster: ClusterConfiguration, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return a new job as the Data Lake Insight API names its fields."""
    options = dict(properties.get("flinkConfiguration", {}))
    parallelism = options.pop(PARALLELISM_KEY, None)
    if directory := options.pop(SAVEPOINT_DIRECTORY_KEY, None):
        options[_SAVEPOINTS] = directory
    assert cluster.dli is not None  # noqa: S101 - so it was asked for
    job = {
        "name": properties["jobName"],
        "queue_name": cluster.dli.queues[0],
        "entrypoint": _jar(properties),
        "main_class": properties.get("entryClass"),
        "entrypoint_args": properties.get("args"),
        "parallel_number": int(parallelism) if str(parallelism).isdecimal() else None,
        "runtime_config": json.dumps(options) if options else None,
    }
    return {name: value for name, value in job.items() if value}


def _streaming(cluster: ClusterConfiguration, base: str) -> str:
    assert cluster.dli is not None  # noqa: S101 - so it was asked for
    return f"{base}/v1.0/{quote(cluster.dli.project_id)}/streaming"


def _curl(method: str, url: str, authorization: str, body: object = None) -> str:
    begin = "curl" if method == "GET" else f"curl -X {method}"
    parts = [f"{begin} {shlex.quote(url)}", f"-H {authorization}"]
    if body is not None:
        parts += [
            "-H 'Content-Type: application/json'",
            f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}",
        ]
    return " \\\n  ".join(parts)


# Programs


def program_samples(cluster: ClusterConfiguration, base: str, job: JobView) -> list[Sample]:
    """Return programs of this project that declare a job as it is shown, one for each target.

    Args:
        cluster: The job's cluster.
        base: What callers reach the gateway by.
        job: The job.
    """
    access = 'token="env:FLINK_JOBS_GATEWAY_TOKEN"'
    samples = []
    if cluster.id:
        _, _, subscription, _, group, _, _, _, pool, _, name = cluster.id.split("/")
        target = (
            f"HDInsightCluster(\n        {subscription!r}, {group!r}, {pool!r}, {name!r},\n"
            f"        endpoint={base!r}, {access},\n    )"
        )
        samples.append(Sample("hdinsight", _program("HDInsightCluster", target, job)))
    if cluster.dli:
        target = (
            f"DliProject(\n        {cluster.dli.project_id!r}, endpoint={base!r},\n"
            f"        queue={cluster.dli.queues[0]!r}, {access},\n    )"
        )
        samples.append(Sample("dli", _program("DliProject", target, job)))
    flink = cluster.flink
    secret = f", bearer_token={flink.bearer_token!r}" if flink.bearer_token else ""
    target = f"FlinkSessionCluster({flink.url!r}{secret})"
    restore = {"restore_from": job.last_savepoint} if job.last_savepoint else {}
    samples.append(Sample("flink", _program("FlinkSessionCluster", target, job, restore)))
    return samples


def _program(kind: str, target: str, job: JobView, more: Mapping[str, Any] | None = None) -> str:
    properties = job.properties
    options = {k: v for k, v in job.options.items() if not k.startswith(NOTE_PREFIX)}
    given: dict[str, Any] = {
        "job_name": job.listed.name,
        "jar": _jar(properties),
        "entry_class": properties.get("entryClass"),
        "args": properties.get("args", "").split(),
        "parallelism": int(properties["flinkConfiguration"][PARALLELISM_KEY]),
        "savepoint_directory": job.savepoint_directory,
        "flink_configuration": options,
        **(more or {}),
    }
    inputs = [f"    {key}={value!r},\n" for key, value in given.items() if value]
    names = ", ".join(sorted(("FlinkJob", kind)))
    return (
        f"from flink_jobs_provider import {names}\n\n"
        f"FlinkJob(\n    {job.listed.name!r},\n    target={target},\n{''.join(inputs)})\n"
    )


def _jar(properties: Mapping[str, Any]) -> str:
    directory = str(properties.get("jobJarDirectory") or "").rstrip("/")
    return f"{directory}/{properties.get('jarName') or ''}"
