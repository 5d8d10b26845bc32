"""What a page shows, for other places: as commands for a terminal, as Pulumi programs.

Each API that a cluster is served by has its own. What is masked on the page is masked here, too: in
its place is a variable that must be set before the command or program does anything.
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from flink_jobs_provider.gateway.apis.hdinsight.conventions import NEWEST
from flink_jobs_provider.gateway.apis.hdinsight.presenter import masked_row
from flink_jobs_provider.gateway.portal.job_view import JobView
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.redaction import HIDDEN
from flink_jobs_provider.wire import NOTE_PREFIX
from flink_jobs_provider.wire.hdinsight import PARALLELISM_KEY, SAVEPOINT_DIRECTORY_KEY

_AUTHORIZATION = '"Authorization: Bearer $TOKEN"'
_DLI_AUTHORIZATION = '"X-Auth-Token: $TOKEN"'
#: The name of the state's directory among the options of the Data Lake Insight API.
_SAVEPOINTS = "state.savepoints.dir"
#: What takes a job's number out of the answer to its creation.
_NUMBER_OF_ANSWER = r"""sed -E 's/.*"job_id": ?([0-9]+).*/\1/'"""
#: What a command fails with while a secret is not set.
_UNSET = "export what is hidden here, escaped as in JSON"
#: Options of a Flink target that programs leave out: they may hold what only the gateway has.
_LEFT_OUT = ("basic_auth", "headers", "secret_headers", "tls")
_STOP_FIRST = (
    "Stop the job, and copy this again: it then names the savepoint of that stop. To start from",
    "another savepoint: pulumi config set restore_from PATH",
)


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


def adoption_samples(
    cluster: ClusterConfiguration,
    base: str,
    job_id: str,
    properties: Mapping[str, Any],
    *,
    allowed: bool,
) -> list[Sample]:
    """Return the adoption of a running job as a command of the monitoring API.

    Args:
        cluster: The job's cluster.
        base: What callers reach the gateway by.
        job_id: What runs.
        properties: Of the runJob that would start it as a new job.
        allowed: Whether it may be restarted also where its program is not known.
    """
    shown = masked_row({"id": "", "properties": dict(properties)})["properties"]
    body: dict[str, Any] = {"cluster": cluster.key, "adopt": job_id, "properties": shown}
    if allowed:
        body["allow_no_way_back"] = True
    return [Sample("monitoring", _curl("POST", f"{base}/api/v1/jobs", _AUTHORIZATION, body))]


def release_samples(base: str, number: int) -> list[Sample]:
    """Return the release of a job as a command: of the monitoring API, which alone has it.

    Args:
        base: What callers reach the gateway by.
        number: The job's number.
    """
    url = f"{base}/api/v1/jobs/{number}/release"
    return [Sample("monitoring", _curl("POST", url, _AUTHORIZATION, {}))]


def rollback_samples(
    base: str, job_name: str, number: int, body: Mapping[str, Any]
) -> list[Sample]:
    """Return the way back to a version as commands: of the monitoring API, and ours.

    Args:
        base: What callers reach the gateway by.
        job_name: The job.
        number: Its number.
        body: Of the request: `version`, and `savepoint` where one is named.
    """
    url = f"{base}/api/v1/jobs/{number}/rollback"
    words = ["flink-jobs", "jobs", "rollback", job_name, "--to", str(body["version"])]
    if savepoint := body.get("savepoint"):
        words += ["--from-savepoint", str(savepoint)]
    return [
        Sample("monitoring", _curl("POST", url, _AUTHORIZATION, body)),
        Sample("command_line", shlex.join([*words, "--gateway", base])),
    ]


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
            f"-d {_with_variables(shlex.quote(json.dumps(body, ensure_ascii=False)))}",
        ]
    return " \\\n  ".join(parts)


def _with_variables(quoted: str) -> str:
    """Return a text in single quotes with a variable in place of each masked value."""
    numbers = itertools.count(1)
    return re.sub(
        re.escape(HIDDEN), lambda _: f"'\"${{SECRET_{next(numbers)}:?{_UNSET}}}\"'", quoted
    )


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
        samples.append(Sample("hdinsight", _Program("HDInsightCluster", target, job).text()))
    if cluster.dli:
        target = (
            f"DliProject(\n        {cluster.dli.project_id!r}, endpoint={base!r},\n"
            f"        queue={cluster.dli.queues[0]!r}, {access},\n    )"
        )
        samples.append(Sample("dli", _Program("DliProject", target, job).text()))
    flink = cluster.flink
    secret = f", bearer_token={flink.bearer_token!r}" if flink.bearer_token else ""
    target = f"FlinkSessionCluster({flink.url!r}{secret})"
    program = _Program("FlinkSessionCluster", target, job)
    if left_out := [name for name in _LEFT_OUT if getattr(flink, name)]:
        also = ", ".join(left_out)
        program.notes.append(
            f"The gateway reaches this cluster with {also}, too: add what it needs."
        )
    if job.listed.status == JobStatus.STOPPED:
        program.more["restore_from"] = repr(job.last_savepoint) if job.last_savepoint else ""
    elif job.job_id:
        # What is its newest now is old when this is run; and without any, its state is dropped.
        program.notes += _STOP_FIRST
        program.more["restore_from"] = "pulumi.Config().require('restore_from')"
    samples.append(Sample("flink", program.text()))
    return samples


@dataclass
class _Program:
    """A program that declares a job.

    Attributes:
        kind: The class of its target.
        target: The target's expression.
        job: The job.
        notes: Comments on it, a line each.
        more: Expressions of further inputs, by name; empty for none.
    """

    kind: str
    target: str
    job: JobView
    notes: list[str] = field(default_factory=list)
    more: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """Return its text."""
        secrets = _Secrets()
        properties, job = self.job.properties, self.job
        options = {k: v for k, v in job.options.items() if not k.startswith(NOTE_PREFIX)}
        given: dict[str, Any] = {
            "job_name": job.listed.name,
            "jar": _jar(properties),
            "entry_class": properties.get("entryClass"),
            "args": properties.get("args", "").split(),
            "parallelism": int(properties["flinkConfiguration"][PARALLELISM_KEY]),
            "savepoint_directory": job.savepoint_directory,
            "flink_configuration": options,
        }
        inputs = {key: secrets.expression(value) for key, value in given.items() if value}
        inputs |= {key: value for key, value in self.more.items() if value}
        lines = "".join(f"    {key}={value},\n" for key, value in inputs.items())
        notes = [*self.notes, *secrets.notes()]
        comments = "".join(f"# {note}\n" for note in notes)
        pulumi = "import pulumi\n" if "pulumi." in lines else ""
        names = ", ".join(sorted(("FlinkJob", self.kind)))
        return (
            f"{pulumi}from flink_jobs_provider import {names}\n\n{comments}"
            f"FlinkJob(\n    {job.listed.name!r},\n    target={self.target},\n{lines})\n"
        )


@dataclass
class _Secrets:
    """The masked values of a program: secrets of its stack, which must be set before it runs."""

    names: list[str] = field(default_factory=list)

    def expression(self, value: Any) -> str:
        """Return the expression of a value."""
        if isinstance(value, list):
            return f"[{', '.join(map(self.expression, value))}]"
        if isinstance(value, dict):
            pairs = (f"{key!r}: {self.expression(each)}" for key, each in value.items())
            return f"{{{', '.join(pairs)}}}"
        if not isinstance(value, str) or HIDDEN not in value:
            return repr(value)
        first, *others = value.split(HIDDEN)
        parts = [repr(first) if first else ""]
        for text in others:
            self.names.append(f"secret_{len(self.names) + 1}")
            parts += [f"pulumi.Config().require_secret({self.names[-1]!r})"]
            parts += [repr(text) if text else ""]
        filled = [part for part in parts if part]
        return filled[0] if len(filled) == 1 else f"pulumi.Output.concat({', '.join(filled)})"

    def notes(self) -> list[str]:
        """Return how they are set, a line each."""
        return [f"A hidden value: pulumi config set --secret {name} VALUE" for name in self.names]


def _jar(properties: Mapping[str, Any]) -> str:
    directory = str(properties.get("jobJarDirectory") or "").rstrip("/")
    return f"{directory}/{properties.get('jarName') or ''}"
