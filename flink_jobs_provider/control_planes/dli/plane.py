"""Data Lake Insight as a system of single steps: the jar-job calls of its streaming API.

A job's details are read leniently: every property may be missing, null, or a default.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.artifacts.uploaded_jars import UploadedJars, exists
from flink_jobs_provider.control_planes.dli.client import DliClient
from flink_jobs_provider.control_planes.dli.job_config import (
    asked_by,
    shown_in,
    written,
)
from flink_jobs_provider.control_planes.protocol import Guard, Sleep
from flink_jobs_provider.control_planes.service_planes import (
    Capabilities,
    Configuration,
    OrderRefused,
    StepJob,
    Unanswered,
    Version,
)
from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.errors import ClusterRefused, JarMissing, Missing
from flink_jobs_provider.model.savepoint import canonical_path, in_store
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import DliTarget
from flink_jobs_provider.wire import SPEC_NOTE
from flink_jobs_provider.wire.dli import AT_CREATION, DliStatus

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


def job_of(detail: Mapping[str, Any], *, shows_origin: bool) -> StepJob | None:
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
        started=_integer(detail.get("start_time")),
        unborn=word in _UNBORN,
    )


def _savepoint(path: str) -> str:
    """Spell the path of a savepoint as the rest of the project does: a URI, without its file."""
    return in_store(path.rstrip("/").removesuffix("/_metadata"))


def _integer(value: Any) -> int:
    return int(value) if isinstance(value, int) or str(value).isdigit() else 0


def _text(detail: Mapping[str, Any], name: str) -> str:
    value = detail.get(name)
    return "" if value is None else str(value).strip()


_PAGE = 100  # the most that the service lists at once
_MOST_PAGES = 1000

_OF_THE_SERVICE = Capabilities(moves_jobs_between_queues=True)
_OF_GATEWAYS = Capabilities(
    keeps_savepoints=True,
    starts_from_newest_state=True,
    shows_starts=True,
    places_savepoints=True,
    shows_start_origin=True,
    isolates_jobs=False,
    keeps_jars=True,
    takes_paths_with_scheme=True,
)


class DliPlane:
    """One project of Data Lake Insight, or one that a gateway serves as such."""

    def __init__(
        self,
        target: DliTarget,
        http: httpx.AsyncClient,
        guard: Guard = lambda: None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._http = http
        self._client = DliClient(http, target.project_id, guard, sleep)
        self._jars = UploadedJars(target)

    @property
    def capabilities(self) -> Capabilities:
        """What the service can do, or the gateway that answers instead."""
        return _OF_GATEWAYS if self._client.is_gateway else _OF_THE_SERVICE

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    # Reading

    async def named(self, job_name: str) -> Sequence[StepJob]:
        """Return all jobs of exactly that name, by the list and the details of each."""
        rows = [row for row in await self._listed(job_name) if row.get("name") == job_name]
        found = [await self.job(str(row["job_id"])) for row in rows]
        return [job for job in found if job is not None]

    async def job(self, run_id: str) -> StepJob | None:
        """Return a job; None where the service reports that there is none."""
        try:
            answer = await self._client.read(f"/jobs/{_number(run_id)}")
        except Missing:
            return None
        detail = answer.get("job_detail")
        job = (
            job_of(detail, shows_origin=self.capabilities.shows_start_origin)
            if isinstance(detail, dict)
            else None
        )
        if job is None:
            raise ClusterRefused(
                f"{self._client.endpoint} answers, and not with a job",
                remedy="Check target.endpoint",
            )
        return job

    async def flink_job_id(self, run_id: str) -> str | None:
        """Return Flink's id of what was run last; None where that is not shown."""
        try:
            answer = await self._client.read(f"/jobs/{_number(run_id)}/execute-graph")
        except (ClusterRefused, Missing):
            return None  # a job that does not run has no graph
        graph = answer.get("execute_graph")
        jid = graph.get("jid") if isinstance(graph, dict) else None
        return str(jid) if jid else None

    async def _listed(self, job_name: str) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        read = 0
        for _ in range(_MOST_PAGES):
            answer = await self._client.read("/jobs", name=job_name, limit=_PAGE, offset=read)
            listed = answer.get("job_list")
            rows = listed.get("jobs") if isinstance(listed, dict) else None
            if not isinstance(rows, list):
                raise ClusterRefused(
                    f"{self._client.endpoint} answers, and not with a list of jobs",
                    remedy="Check target.endpoint",
                )
            new = {str(row.get("job_id")): row for row in rows if isinstance(row, dict)}
            read += len(rows)
            total = listed.get("total_count") if isinstance(listed, dict) else None
            # A page may be shorter than was asked for: the count shows whether it is the last.
            last = read >= total if isinstance(total, int) else len(rows) < _PAGE
            if last or not new.keys() - found.keys():
                return list((found | new).values())
            found |= new
        raise ClusterRefused(f"{self._client.endpoint} lists jobs without an end")

    # What is asked for

    async def configuration(self, spec: JobSpec, jar: Jar | None, mark: str) -> dict[str, Any]:
        """Return what a spec asks for; its jar is uploaded if it must be."""
        if jar is None:
            where = self._jars.where(spec, spec.jar_digest or "")
        else:
            where = await self._jars.place(spec, jar)
        main_class = spec.entry_class or (jar.main_class if jar else None)
        return asked_by(
            spec, where, main_class, mark, takes_directory=self.capabilities.places_savepoints
        )

    # Steps

    async def create(self, job_name: str, asked: Configuration) -> str:
        """Create a draft; return its id."""
        body = {"name": job_name, **written(asked)}
        try:
            answer = await self._client.step("POST", "/flink-jobs", body)
        except Missing as missing:  # not the job, which is to be created: its queue, say
            raise OrderRefused(missing.happened) from None
        job = answer.get("job")
        if not isinstance(job, dict) or job.get("job_id") in (None, ""):
            raise Unanswered(f"{self._client.endpoint} does not report which job it has created")
        return str(job["job_id"])

    async def change(self, run_id: str, asked: Configuration) -> None:
        """Change a job's configuration; what is set at its creation alone is left out."""
        body = {name: value for name, value in asked.items() if name not in AT_CREATION}
        await self._client.step("PUT", f"/flink-jobs/{_number(run_id)}", written(body))

    async def run(self, run_id: str, *, resume: bool) -> None:
        """Run a job: from its savepoint, or from nothing."""
        body = {"job_ids": [_number(run_id)], "resume_savepoint": resume}
        await self._client.step("POST", "/jobs/run", body)

    async def stop(self, run_id: str, *, savepoint: bool) -> None:
        """Stop a job, with a savepoint or without."""
        body = {"job_ids": [_number(run_id)], "trigger_savepoint": savepoint}
        await self._client.step("POST", "/jobs/stop", body)

    async def take_savepoint(self, run_id: str, directory: str | None) -> None:
        """Trigger a savepoint below a directory while the job goes on."""
        body = {"action": "TRIGGER"}
        if directory:
            body["savepoint_path"] = self._path(directory)
        await self._client.step("POST", f"/jobs/{_number(run_id)}/savepoint", body)

    async def import_savepoint(self, run_id: str, path: str) -> None:
        """Make a savepoint the one that the next run with `resume` starts from."""
        number = _number(run_id)
        body = {"job_id": number, "savepoint_path": self._path(path)}
        await self._client.step("POST", f"/jobs/{number}/import-savepoint", body)

    async def delete(self, run_id: str) -> None:
        """Delete a job; one that is gone is no error."""
        try:
            await self._client.step("DELETE", f"/jobs/{_number(run_id)}")
        except Missing:
            return

    async def provide_former(self, spec: JobSpec) -> None:
        """Make sure that a version's files are in OBS; a gateway keeps copies of its own."""
        if self.capabilities.keeps_jars:
            return
        await self._jars.provide_former(spec)
        settings = spec.dli
        needed = (settings.dependency_jars, settings.dependency_files) if settings else ()
        for file in (each for files in needed for each in files or ()):
            if "://" in file and not await exists(file):
                raise JarMissing(f"{file} does not exist")

    async def forget_jars(self, spec: JobSpec, keep: frozenset[str]) -> None:
        """Remove the jars that were uploaded for a job, but for those with these digests."""
        await self._jars.forget(spec, keep)

    def _path(self, path: str) -> str:
        """Write a savepoint's path as the service documents it: bucket/dir/, without a scheme."""
        if self.capabilities.takes_paths_with_scheme or not path.startswith("obs://"):
            return path
        return canonical_path(path.removeprefix("obs://")) + "/"


def _number(run_id: str) -> int:
    """Return a job's id as the number that it is on the wire."""
    if not run_id.isdigit():
        raise OrderRefused(f"{run_id!r} is no job id of Data Lake Insight")
    return int(run_id)
