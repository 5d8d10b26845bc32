"""What a page shows, for other places: as a command for a terminal, as a Pulumi program."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from flink_jobs_provider.gateway.apis.hdinsight.conventions import NEWEST
from flink_jobs_provider.gateway.portal.job_view import JobView
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.wire.hdinsight import PARALLELISM_KEY

_AUTHORIZATION = '"Authorization: Bearer $TOKEN"'


def run_job_command(cluster: ClusterConfiguration, base: str, properties: Mapping[str, Any]) -> str:
    """Return a runJob as a command; empty for a cluster that has no id to name it by.

    Args:
        cluster: The cluster.
        base: What callers reach the gateway by.
        properties: Of the runJob.
    """
    if not cluster.id:
        return ""
    url = shlex.quote(f"{base}{quote(cluster.id)}/runJob?api-version={NEWEST}")
    body = shlex.quote(json.dumps({"properties": properties}, ensure_ascii=False))
    return " \\\n  ".join(
        [
            f"curl -X POST {url}",
            f"-H {_AUTHORIZATION}",
            "-H 'Content-Type: application/json'",
            f"-d {body}",
        ]
    )


def job_row_command(cluster: ClusterConfiguration, base: str, job_name: str) -> str:
    """Return the reading of a job as a command; empty for a cluster that has no id."""
    if not cluster.id:
        return ""
    query = f"api-version={NEWEST}&$filter={quote(f'jobName eq {job_name}')}"
    url = shlex.quote(f"{base}{quote(cluster.id)}/jobs?{query}")
    return f"curl {url} \\\n  -H {_AUTHORIZATION}"


def pulumi_program(cluster: ClusterConfiguration, base: str, job: JobView) -> str:
    """Return a program of this project that declares a job as it is shown; empty without an id.

    Args:
        cluster: The job's cluster.
        base: What callers reach the gateway by.
        job: The job; what is masked of it is so in the program, too.
    """
    if not cluster.id:
        return ""
    _, _, subscription, _, group, _, _, _, pool, _, name = cluster.id.split("/")
    properties = job.properties
    jar = f"{properties.get('jobJarDirectory', '').rstrip('/')}/{properties.get('jarName', '')}"
    given: dict[str, Any] = {
        "job_name": job.listed.name,
        "jar": jar,
        "entry_class": properties.get("entryClass"),
        "args": properties.get("args", "").split(),
        "parallelism": int(properties["flinkConfiguration"][PARALLELISM_KEY]),
        "savepoint_directory": job.savepoint_directory,
        "flink_configuration": dict(job.options),
    }
    inputs = [f"    {key}={value!r},\n" for key, value in given.items() if value]
    return (
        "from flink_jobs_provider import FlinkJob, HDInsightCluster\n\n"
        f"FlinkJob(\n    {job.listed.name!r},\n"
        f"    target=HDInsightCluster(\n        {subscription!r}, {group!r}, {pool!r}, {name!r},\n"
        f'        endpoint={base!r}, token="env:FLINK_JOBS_GATEWAY_TOKEN",\n    ),\n'
        f"{''.join(inputs)})\n"
    )
