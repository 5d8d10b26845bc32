"""HDInsight on AKS as a system that takes whole actions: `runJob`, and the list of jobs."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.artifacts.uploaded_jars import UploadedJars
from flink_jobs_provider.control_planes.hdinsight.client import ArmClient
from flink_jobs_provider.control_planes.http import SharedCall, json_of
from flink_jobs_provider.control_planes.protocol import Guard, MonotonicClock, Sleep
from flink_jobs_provider.control_planes.service_planes import (
    ActionCapabilities,
    ActionJob,
    Order,
    Version,
)
from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.errors import ClusterRefused
from flink_jobs_provider.model.redaction import mask_foreign
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import HDInsightTarget
from flink_jobs_provider.wire import SPEC_NOTE
from flink_jobs_provider.wire.hdinsight import (
    JOB_TYPE,
    LAUNCH_FAILED,
    PARALLELISM_KEY,
    SAVEPOINT_DIRECTORY_KEY,
    ApiVersion,
)


def body_of(order: Order, *, with_run_id: bool) -> dict[str, Any]:
    """Return the body of an order to a version of the API that knows run ids, or to an older."""
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


#: What a gateway reports of a start.
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
    """Return the path of a savepoint in the output of an action, where only that has it."""
    if action not in (Action.STOP, Action.SAVEPOINT, Action.UPDATE):
        return ""
    match = re.search(r"\bPath:\s*(\S*savepoint\S*)", output)
    return match.group(1) if match else ""


def _text(properties: dict[str, Any], name: str) -> str:
    value = properties.get(name)
    return "" if value is None else str(value).strip()


_SINCE_NOVEMBER = {Action.LAST_STATE_UPDATE, Action.RE_LAUNCH}
_MOST_PAGES = 1000


_OF_GATEWAYS = ActionCapabilities(
    frozenset(Action),
    starts_ended=True,
    shows_what_runs=True,
    lists_at_once=True,
    lists_savepoints=True,
    keeps_jars=True,
    shows_whole_results=True,
)


class HDInsightPlane:
    """One cluster of HDInsight on AKS, or one that a gateway serves as such."""

    def __init__(
        self,
        target: HDInsightTarget,
        http: httpx.AsyncClient,
        guard: Guard = lambda: None,
        clock: MonotonicClock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._http = http
        self._has_run_ids = ApiVersion(target.api_version).has_run_ids
        known = frozenset(set(Action) - (set() if self._has_run_ids else _SINCE_NOVEMBER))
        self._capabilities = ActionCapabilities(known)
        if not target.is_cloud:
            self._capabilities = replace(_OF_GATEWAYS, actions=known)
        self._path = urlsplit(target.endpoint).path.rstrip("/") + target.path
        self._client = ArmClient(http, target.api_version, guard, sleep, clock)
        self._jars = UploadedJars(target)
        self._list = SharedCall(self._fetch, clock)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @property
    def capabilities(self) -> ActionCapabilities:
        """What the service can do, or the gateway that is in its place.

        What Azure's own service does with jobs that have ended, and what its LIST_SAVEPOINT
        answers, is documented nowhere. Its rows show what was asked for, and appear later.
        """
        return self._capabilities

    async def jobs(self, max_age: float = 0.0) -> Sequence[ActionJob]:
        """Return all jobs, by one `GET …/jobs` for all who ask at once."""
        return await self._list.get(max_age)

    async def named(self, job_name: str) -> Sequence[ActionJob]:
        """Return all jobs of exactly that name."""
        return [job for job in await self.jobs() if job.job_name == job_name]

    async def version(self, spec: JobSpec, jar: Jar, mark: str) -> Version:
        """Return what is asked for by a spec; its jar is uploaded if it must be."""
        return Version(
            jar=await self._jars.place(spec, jar),
            entry_class=spec.entry_class or jar.main_class or None,
            args=tuple(spec.args),
            parallelism=spec.parallelism,
            configuration=dict(spec.flink_configuration),
            savepoint_directory=spec.savepoint_directory,
            mark=mark,
        )

    async def perform(self, order: Order, timeout: float) -> str:
        """Send `runJob` once, and follow its operation to the end."""
        body = body_of(order, with_run_id=self._has_run_ids)
        reply = await self._client.order(f"{self._path}/runJob", body)
        return await self._client.follow(reply, timeout)

    async def provide_former(self, spec: JobSpec, shown: str) -> None:
        """Make sure that a version's jar is in the storage; a gateway keeps copies of its own."""
        if not self._capabilities.keeps_jars:
            await self._jars.provide_former(spec, shown)

    async def forget_jars(self, spec: JobSpec, keep: frozenset[str]) -> None:
        """Remove the jars that were uploaded for a job, but for those with these digests."""
        await self._jars.forget(spec, keep)

    async def _fetch(self) -> Sequence[ActionJob]:
        found: list[ActionJob] = []
        address: str | None = f"{self._path}/jobs"
        asked: set[str] = set()
        while address:
            if address in asked or len(asked) > _MOST_PAGES:
                raise ClusterRefused(f"{self._client.endpoint} lists jobs without an end")
            asked.add(address)
            body: Any = json_of(await self._client.read(address))
            if not isinstance(body, dict) or not isinstance(body.get("value"), list):
                raise self._client.not_the_service(
                    f"{self._client.endpoint} answers, and not with a list of jobs"
                )
            found += filter(None, map(job_of, body["value"]))
            address = body.get("nextLink") or None
        return tuple(found)
