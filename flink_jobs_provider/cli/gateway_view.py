"""The jobs that a gateway has on record, read through its monitoring API."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from flink_jobs_provider.cli.gateway_client import GatewayClient
from flink_jobs_provider.cli.load_rows import LoadRow, by_urgency
from flink_jobs_provider.inspecting.health_reading import periods
from flink_jobs_provider.inspecting.job_choice import unlisted
from flink_jobs_provider.inspecting.job_rows import JobRow, bounded
from flink_jobs_provider.inspecting.listed_job import ListedJob
from flink_jobs_provider.model.action import ActionResult, JobStatus
from flink_jobs_provider.model.errors import ActionFailed, Missing, PermanentError
from flink_jobs_provider.model.identity import generation_of

Document = Mapping[str, Any]
R = TypeVar("R")

_ACTIVE = frozenset(status.value for status in JobStatus if status.active)
_ONLY_ACTIVE = {"active": "true"}
#: Seconds between two looks at an action that goes on.
_PAUSE_S = 1.0
#: What stands for concerns that are unknown, since the job's cluster does not answer.
NOT_OBSERVED = "not observed"


@dataclass(frozen=True)
class GatewayJobs:
    """The jobs that a gateway lists, as its documents."""

    documents: tuple[Document, ...]

    @property
    def problem(self) -> str:
        """Why a part of it is older than the list, a sentence; empty where none is."""
        silent = {
            _short(each["cluster"])
            for each in self.documents
            if not each["observed"] and _is_active(each)
        }
        return f"The gateway cannot observe {', '.join(sorted(silent))}." if silent else ""

    def shown(self, wanted: str | None) -> list[ListedJob]:
        """Return the jobs that are meant, or all."""
        found = self.documents if wanted is None else self.fitting(wanted)
        return [
            ListedJob(
                key=str(each["number"]),
                job_id=each["job_id"] or "",
                name=each["name"],
                status=_status(each),
                active=_is_active(each),
                started=_milliseconds(each["started_at"]),
                tasks=each["tasks"],
                running_tasks=each["running_tasks"],
                needs_attention=_concerns(each),
            )
            for each in found
        ]

    def fitting(self, wanted: str) -> list[Document]:
        """Return the jobs that are meant: by name, number, run id, jobId, or its first digits."""
        jobs = self.documents
        begins = wanted.lower() if re.fullmatch("[0-9a-fA-F]{6,32}", wanted) else None
        return (
            [job for job in jobs if job["name"] == wanted]
            or [job for job in jobs if wanted in (str(job["number"]), job["run_id"])]
            or [job for job in jobs if begins and (job["job_id"] or "").startswith(begins)]
        )

    def choose(self, wanted: str) -> Document:
        """Return the one job that is meant; an active one is preferred.

        Raises:
            PermanentError: None fits, or more than one does.
        """
        fits = self.fitting(wanted)
        fits = [job for job in fits if _is_active(job)] or fits
        if not fits:
            raise self.unknown(wanted)
        if len(fits) > 1:
            these = ", ".join(
                f"number {job['number']} on {_short(job['cluster'])} ({_status(job)})"
                for job in fits
            )
            raise PermanentError(
                f"{wanted}: one job must fit, and these do: {these}",
                remedy="Give its number, or the cluster (--cluster)",
            )
        return fits[0]

    def unknown(self, wanted: str) -> PermanentError:
        """Return the error for a job that the gateway does not list."""
        return unlisted(
            f"{wanted}: the gateway lists no such job, or not for this token",
            wanted,
            {job["name"] for job in self.documents},
        )

    def vanished(self, wanted: str) -> PermanentError:
        """Return the error for a job that the gateway no longer lists."""
        return PermanentError(
            f"{wanted}: the gateway no longer lists it, so how it ended is not known",
            remedy="It was deleted; the gateway's audit log tells by whom",
        )


class GatewayView:
    """Shows the jobs of all clusters of a gateway, or of one.

    Args:
        client: The gateway's API.
        cluster: The key of the cluster that counts, or its last part; all, if None.
    """

    def __init__(self, client: GatewayClient, cluster: str | None = None) -> None:
        self._client = client
        self._cluster = cluster
        self._filter: dict[str, str] | None = None

    async def rows(self, *, ended: bool) -> list[JobRow]:
        """Return the active jobs, or all."""
        which = {} if ended else _ONLY_ACTIVE
        jobs = await self._listed(**which, health="checkpoints")
        ordered = sorted(jobs.documents, key=lambda job: (job["name"], -job["number"]))
        return list(map(_job_row, ordered))

    async def described(self, job: str, seconds: float) -> tuple[dict[str, Any], dict[str, Any]]:
        """Observe a job for some seconds; return its facts, and its health as plain JSON types."""
        found = await self._chosen(job)
        path = f"jobs/{found['number']}"
        # Of the first request, too: one that is too long is refused before it is waited for.
        trend = {"trend": max(1, round(seconds))} if seconds else {}
        shown = await self._client.get(path, **trend)
        async for _ in periods(seconds):
            shown = await self._client.get(path, **trend)
        health = shown["health"]
        facts = {
            **_job_row(shown).plain(),
            "tasks": _tasks(shown),
            "restored_from": shown["restored_from"],
            "last_checkpoint": health["last_checkpoint"] if health else None,
            "retains_checkpoints": _retains(health),
            "last_failure": await self._last_failure(shown),
            "cluster": shown["cluster"],
            "last_action": _action_line(shown["last_action"]),
        }
        names = ("health", "needs_attention", "trend")
        return facts, {name: shown[name] for name in names}

    async def checkpoints(self, job: str) -> list[dict[str, Any]]:
        """Return the last checkpoints and savepoints of a job, newest first."""
        return await self._values(job, "checkpoints")

    async def exceptions(self, job: str, limit: int) -> list[dict[str, Any]]:
        """Return the exceptions of a job, newest first."""
        return (await self._values(job, "exceptions"))[:limit]

    async def versions(self, job: str) -> list[dict[str, Any]]:
        """Return the versions of a job that were started, newest first."""
        found = await self._values(job, "versions")
        return [
            {
                "at": each["started_at"],
                "result": ActionResult.SUCCESS.value,
                **{
                    name: value
                    for name, value in each.items()
                    if name not in ("accepted_at", "started_at")
                },
            }
            for each in found
        ]

    async def go_back(
        self, job: str, version: str, savepoint: str | None, say: Callable[[str], None]
    ) -> dict[str, Any]:
        """Run an earlier version of a job again, and wait for the action's end; return it."""
        found = await self._chosen(job)
        path, name = f"jobs/{found['number']}", found["name"]
        known = (await self._client.get(f"{path}/versions", limit=200))["value"]
        ids = [each["action_id"] for each in known if each["action_id"].startswith(version)]
        if len(ids) != 1:
            raise PermanentError(
                f"{name}: one version must fit {version}, and {len(ids)} do",
                now="Nothing was begun",
                remedy="`flink-jobs jobs history` lists them by their action_id",
            )
        body = {"version": ids[0], "seen": found["last_action"]["id"]}
        action = await self._client.act(
            f"{path}/rollback", body | ({"savepoint": savepoint} if savepoint else {})
        )
        while action["finished_at"] is None:
            say(f"{name}: {action['output'] or action['action'] + ' is in progress'}")
            await asyncio.sleep(_PAUSE_S)
            actions = (await self._client.get(f"{path}/actions", limit=200))["value"]
            action = next(each for each in actions if each["id"] == action["id"])
        if action["result"] != ActionResult.SUCCESS.value:
            raise ActionFailed(f"{name}: {action['output']}")
        shown = await self._client.get(path)
        return {
            "job_name": name,
            "version": action["id"],
            "back_to": ids[0],
            "job_id": shown["job_id"],
            "status": shown["status"],
            "restored_from": shown["restored_from"],
        }

    async def metrics(self, job: str, wanted: Sequence[str]) -> list[dict[str, Any]]:
        """Return metrics of a job by their names, by default those that tell its health."""
        return await self._values(job, "metrics", get=list(wanted))

    async def metric_names(self, job: str) -> list[dict[str, Any]]:
        """Return the names of all metrics of a job, without values."""
        return await self._values(job, "metrics", names="true")

    async def load(self, wanted: Collection[str]) -> list[LoadRow]:
        """Return the load of the active jobs, or of those that are wanted.

        Raises:
            PermanentError: No such job is listed.
        """
        if not wanted:
            jobs = await self._listed(**_ONLY_ACTIVE, health=["load", "checkpoints"])
            return by_urgency(list(map(_load_row, jobs.documents)))
        jobs = await self.listed()
        fitting = {job["number"] for name in wanted for job in _fitting(jobs, name)}
        shown = [job for job in jobs.documents if _is_active(job) and job["number"] in fitting]
        return by_urgency(await _those_left(shown, self._load_of))

    async def listed(self) -> GatewayJobs:
        """Return the list of jobs, with what it shows to need attention."""
        return await self._listed()

    async def page(self, job: str) -> dict[str, Any]:
        """Return `job_name`, `job_id`, and the `url` of a job's page in the portal.

        Raises:
            PermanentError: The gateway has no portal.
        """
        found = await self._chosen(job)
        if found["page"] is None:
            raise PermanentError(
                "the gateway has no portal, and so the job has no page",
                remedy="`portal: {}` in its configuration opens one",
            )
        return {"job_name": found["name"], "job_id": found["job_id"], "url": found["page"]}

    async def _listed(self, **query: Any) -> GatewayJobs:
        if self._filter is None:
            self._filter = await self._chosen_cluster()
        pages = self._client.pages("jobs", sort="oldest", **self._filter, **query)
        return GatewayJobs(tuple([each async for each in pages]))

    async def _chosen(self, job: str) -> Document:
        """Return a job: by its name, which one request finds, else by what names it otherwise."""
        named = await self._listed(name=job)
        return (named if named.documents else await self.listed()).choose(job)

    async def _load_of(self, job: Document) -> LoadRow:
        return _load_row(await self._client.get(f"jobs/{job['number']}"))

    async def _values(self, job: str, what: str, **query: Any) -> list[dict[str, Any]]:
        found = await self._chosen(job)
        answer = await self._client.get(f"jobs/{found['number']}/{what}", **query)
        values: list[dict[str, Any]] = answer["value"]
        return values

    async def _last_failure(self, job: Document) -> str | None:
        if job["health"] is None:
            return None
        failures = await self._client.get(f"jobs/{job['number']}/exceptions")
        return failures["value"][0]["cause"] if failures["value"] else None

    async def _chosen_cluster(self) -> dict[str, str]:
        if self._cluster is None:
            return {}
        wanted = self._cluster.lower()
        keys = [str(each["key"]) for each in (await self._client.get("clusters"))["value"]]
        fits = [key for key in keys if wanted in (key, _short(key))]
        if len(fits) != 1:
            known = ", ".join(map(_short, keys)) or "none"
            raise PermanentError(
                f"--cluster must be one of the gateway's, by key or name (got {self._cluster!r})",
                remedy=f"This token may read: {known}",
            )
        return {"cluster": fits[0]}


def _job_row(job: Document) -> JobRow:
    """Return the row of a job, from its document in the list, or from that with its health."""
    health = job.get("health") or {}
    observed = health.get("observed_at")
    now = _milliseconds(observed) if observed else int(time.time() * 1000)
    started, ended = (_milliseconds(job[name]) for name in ("started_at", "ended_at"))
    checkpoint = health.get("last_checkpoint")
    completed = checkpoint["completed_at"] if checkpoint else None
    job_id = job["job_id"]
    return JobRow(
        job_name=job["name"],
        name=job["name"],
        status=_status(job),
        job_id=job_id or "",
        owner=job["created_by"],
        generation=generation_of(job_id) if job_id else None,
        parallelism=job["parallelism"],
        started_at=job["started_at"] or "",
        age=_seconds(started, ended or now) if started else None,
        restarts=health.get("restarts"),
        last_checkpoint_at=completed,
        last_checkpoint_age=_seconds(_milliseconds(completed), now) if completed else None,
        last_savepoint=job["last_savepoint"],
        dashboard_url=job["page"],
        problem=job.get("problem"),
    )


def _load_row(job: Document) -> LoadRow:
    """Return the load of a job, from its document with its health."""
    return LoadRow.of(
        job_name=job["name"],
        name=job["name"],
        job_id=job["job_id"] or "",
        status=_status(job),
        health=job["health"],
        concerns=_concerns(job),
    )


async def _those_left(
    jobs: Sequence[Document], work: Callable[[Document], Awaitable[R]]
) -> list[R]:
    """Return what is made of each job, without those that were deleted since they were listed."""

    async def made(job: Document) -> R | None:
        try:
            return await work(job)
        except Missing:
            return None

    return [each for each in await bounded(jobs, made) if each is not None]


def _fitting(jobs: GatewayJobs, wanted: str) -> list[Document]:
    found = jobs.fitting(wanted)
    if not found:
        raise jobs.unknown(wanted)
    return found


def _is_active(job: Document) -> bool:
    in_progress = job["last_action"]["result"] == ActionResult.IN_PROGRESS.value
    return in_progress or job["status"] in _ACTIVE


def _status(job: Document) -> str:
    return str(job["status"] or JobStatus.STARTING.value)


def _concerns(job: Document) -> tuple[str, ...]:
    recorded = tuple(each["concern"] for each in job["needs_attention"] or ())
    observed = job["observed"] and not job.get("problem")
    return recorded if observed else (*recorded, NOT_OBSERVED)


def _tasks(job: Document) -> str | None:
    return None if job["tasks"] is None else f"{job['running_tasks']} of {job['tasks']} running"


def _retains(health: Document | None) -> bool | None:
    settings = health["checkpoint_settings"] if health else None
    return settings["retained"] if settings and settings["periodic"] else None


def _action_line(action: Document) -> str:
    when = action["finished_at"] or action["began_at"] or action["accepted_at"]
    return f"{action['action']} {action['result']} by {action['by']}, {when}"


def _short(key: str) -> str:
    return key.rsplit("/", 1)[-1]


def _milliseconds(moment: str | None) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000) if moment else 0


def _seconds(since: int, until: int) -> int:
    return max(0, (until - since) // 1000)
