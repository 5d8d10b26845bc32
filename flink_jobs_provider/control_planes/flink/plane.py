"""The control plane of a Flink session cluster: the protocol's actions as REST calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import httpx

from flink_jobs_provider.control_planes.flink.bodies import (
    bounds_body,
    newest_checkpoint,
    parse_bounds,
    parse_checkpointing,
    parse_checkpoints,
    parse_facts,
    parse_graph,
    parse_max_parallelism,
    parse_overview,
    parse_state_sizes,
)
from flink_jobs_provider.control_planes.flink.checkpoints import CheckpointOperations
from flink_jobs_provider.control_planes.flink.client import FlinkAnswer, FlinkClient
from flink_jobs_provider.control_planes.flink.inspection import MetricReader, parse_exceptions
from flink_jobs_provider.control_planes.flink.jars import ClusterJars
from flink_jobs_provider.control_planes.flink.program_runs import Submissions
from flink_jobs_provider.control_planes.flink.vital_signs import vital_signs
from flink_jobs_provider.control_planes.http import Polling, SharedCall
from flink_jobs_provider.control_planes.protocol import (
    Guard,
    JobMark,
    Mark,
    MonotonicClock,
    SavepointRequest,
    Sleep,
    Submission,
)
from flink_jobs_provider.model.errors import ActionFailed, ClusterRefused
from flink_jobs_provider.model.job_graph import JobGraph
from flink_jobs_provider.model.observation import (
    Checkpointing,
    CheckpointStatistics,
    ClusterFacts,
    ClusterSnapshot,
    VitalSigns,
)

#: How the thread is called in which the JobManager runs a submission's `main`.
_MAIN = "flink-jar-runner"


class FlinkRest:
    """A Flink session cluster. Implements `control_planes.protocol.ControlPlane`."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        guard: Guard = lambda: None,
        clock: MonotonicClock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        *,
        submissions: int | None = None,
    ) -> None:
        self.client = FlinkClient(http, guard, sleep)
        self._turn = asyncio.Semaphore(submissions) if submissions else nullcontext()
        self._http = http
        self._times = clock, sleep
        self._overview = SharedCall(self._fetch_jobs, clock, rest=sleep)
        self._jars = ClusterJars(self.client, clock)
        polling = Polling(clock, sleep)
        self._submissions = Submissions(self, self._jars, lambda: self._overview.latest, polling)
        self._checkpoints = CheckpointOperations(
            self.client, self.ended, self._statistics_cache, polling
        )
        self._facts: asyncio.Task[ClusterFacts] | None = None
        self.outlasting: set[str] = set()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _get(self, path: str, has: str) -> Any:
        try:
            return await self.client.get(path, has)
        except FlinkAnswer as answer:
            raise ActionFailed(f"{self.client.url}/{path} answered {answer}") from None

    async def jobs(self, max_age: float = 0.0) -> ClusterSnapshot:
        """Return all jobs, by one `GET /jobs/overview` for all who ask at once."""
        await self.facts()
        return await self._overview.get(max_age)

    async def _fetch_jobs(self) -> ClusterSnapshot:
        return parse_overview(await self._get("jobs/overview", "jobs"))

    async def facts(self) -> ClusterFacts:
        """Return version and directories, from `GET /config` and `GET /jobmanager/config`."""
        if self._facts is None or (self._facts.done() and _failed(self._facts)):
            self._facts = asyncio.create_task(self._ask_facts())
        return await asyncio.shield(self._facts)

    async def _ask_facts(self) -> ClusterFacts:
        config = await self._get("config", "flink-version")
        try:
            rows = await self.client.get("jobmanager/config")
            options = {row["key"]: row["value"] for row in rows}
        except (FlinkAnswer, TypeError, KeyError):
            options = {}  # some proxies hide it: the directories must then be given
        return parse_facts(config, options)

    async def task_slots(self) -> tuple[int, int]:
        """Return `slots-available` and `slots-total` of `GET /overview`."""
        overview = await self._get("overview", "slots-available")
        free = int(overview["slots-available"])
        return free, int(overview.get("slots-total", free))

    async def running_mains(self) -> frozenset[str] | None:
        """Return the threads of `main` methods in `GET /jobmanager/thread-dump`.

        Measured on 1.20.5 and 2.3.0: "flink-jar-runner-thread-1" is there from the acceptance of
        `POST /jars/:id/run` until `main` has ended, also when its client has gone. The number
        grows with each submission, and a plan has no such thread.
        """
        try:
            dump = await self.client.get("jobmanager/thread-dump", "threadInfos")
            names = [str(each["threadName"]) for each in dump["threadInfos"]]
        except (FlinkAnswer, ClusterRefused, TypeError, KeyError):
            return None
        return frozenset(name for name in names if name.startswith(_MAIN))

    async def has_jars(self, identity: str) -> bool:
        """Return whether `GET /jars` lists jars of a job."""
        return await self._jars.has_any(identity)

    async def plan(self, submission: Submission) -> JobGraph:
        """Run `main` by `POST /jars/:id/plan`: what fails there would fail after the job's stop."""
        return await self._submissions.plan(submission)

    async def try_out(self, submission: Submission) -> JobGraph:
        """Do the same, and leave no jar on the cluster that was not there before."""
        return await self._submissions.try_out(submission)

    async def running_graph(self, job_id: str) -> JobGraph | None:
        """Read `GET /jobs/:id/plan`; None where the job is unknown."""
        try:
            return parse_graph(await self.client.get(f"jobs/{job_id}/plan"))
        except FlinkAnswer:
            return None

    async def state_sizes(self, job_id: str) -> dict[str, int | None] | None:
        """Read the details of the newest completed checkpoint; None where there is none."""
        statistics = f"jobs/{job_id}/checkpoints"
        try:
            newest = newest_checkpoint(await self.client.get(statistics))
            if newest is None:
                return None
            return parse_state_sizes(await self.client.get(f"{statistics}/details/{newest}"))
        except FlinkAnswer:
            return None  # a batch job has no statistics, and an old checkpoint no details

    async def max_parallelism(self, job_id: str) -> dict[str, int]:
        """Read the maximum parallelism of each vertex of `GET /jobs/:id`."""
        try:
            return parse_max_parallelism(await self.client.get(f"jobs/{job_id}", "vertices"))
        except FlinkAnswer:
            return {}

    async def provide_jar(self, submission: Submission, timeout: float) -> bool:
        """Make sure that the jar is among `GET /jars`, uploading it if it is missing."""
        return await self._jars.provide(submission, timeout)

    async def submit(self, submission: Submission, timeout: float) -> None:
        """Upload the jar if it is not there, and run it under the submission's jobId.

        Its time begins when no more than `submissions` others are in progress.
        """
        async with self._turn:
            await self._submissions.submit(submission, timeout)

    async def take_savepoint(self, request: SavepointRequest, timeout: float) -> str:
        """Take a savepoint, or find the one that this request took before."""
        return await self._checkpoints.take(request, timeout)

    async def cancel(self, job_id: str) -> None:
        """Send `PATCH /jobs/:id?mode=cancel`; a job that has ended, or is unknown, needs none."""
        try:
            await self.client.change("PATCH", f"jobs/{job_id}?mode=cancel", repeatable=True)
        except FlinkAnswer as answer:
            if answer.status not in (404, 409):
                raise ActionFailed(f"the cancel was refused: {answer.cause}") from None

    async def checkpoint(self, job_id: str, timeout: float) -> bool:
        """Trigger a checkpoint and wait for its end; False where the job has no periodic ones."""
        if not (await self.checkpointing(job_id)).periodic:
            return False
        await self._checkpoints.complete_checkpoint(job_id, timeout)
        return True

    async def ended(self, job_id: str) -> str:
        """Return the state of a job that has ended, or is gone; an empty text for any other."""
        job = (await self.jobs()).by_id.get(job_id)
        if job is None:
            return "gone"
        return "" if job.active else job.state

    async def _statistics_cache(self) -> float:
        return (await self.facts()).statistics_cache

    async def checkpointing(self, job_id: str) -> Checkpointing:
        """Read `GET /jobs/:id/checkpoints/config`; a batch job, and an unknown one, has none."""
        try:
            return parse_checkpointing(
                await self.client.get(f"jobs/{job_id}/checkpoints/config", "interval")
            )
        except FlinkAnswer as answer:
            if answer.status == 404:
                return Checkpointing()
            raise ActionFailed(f"Flink answered {answer}") from None

    async def find_savepoint(self, request: SavepointRequest) -> str | None:
        """Return the path of the savepoint that this request took in the last five minutes."""
        return await self._checkpoints.find(request)

    async def await_savepoint(self, request: SavepointRequest, timeout: float) -> str | None:
        """Wait for the savepoint that this request has begun to take, if it has."""
        return await self._checkpoints.await_begun(request, timeout)

    async def dispose_savepoint(self, path: str, timeout: float) -> bool:
        """Send `POST /savepoint-disposal`, and wait for its end; False where it was not there."""
        return await self._checkpoints.dispose(path, timeout)

    async def forget_jars(self, identity: str, keep: frozenset[str]) -> None:
        """Remove the jars that a job's submissions left, but for those with the digests to keep."""
        await self._jars.remove(identity, keep)

    async def marks(self, job_id: str) -> tuple[JobMark, ...]:
        """Read the marks among `GET /jars`."""
        return await self._jars.marks(job_id)

    async def marks_by(self, identity: str) -> tuple[JobMark, ...]:
        """Read them among `GET /jars`, as of a few seconds ago at most."""
        return await self._jars.marks_by(identity)

    async def marks_on(self, *identities: str, now: bool = False) -> tuple[JobMark, ...]:
        """Return the marks among the jars that are on submissions of a job."""
        return await self._jars.marks_on(*identities, now=now)

    async def marked_jobs(self) -> dict[str, Mark]:
        """Return the mark that counts of each marked job, by jobId."""
        return await self._jars.marked_jobs()

    async def entry_classes(self) -> list[str]:
        """Return the entry classes that the manifests of the cluster's jars name."""
        files = (await self._get("jars", "files"))["files"]
        found = {str(each["name"]) for file in files for each in file.get("entry") or ()}
        return sorted(found)

    async def put_mark(self, kind: Mark, identity: str, job_id: str, timeout: float) -> None:
        """Upload an empty jar whose name is the mark."""
        await self._jars.put_mark(kind, identity, job_id, timeout)

    async def remove_mark(self, mark: JobMark) -> None:
        """Remove the mark's jar."""
        await self._jars.discard(mark.id)

    async def job_names(self) -> dict[str, str]:
        """Return the names of our jobs by the first 18 digits of their jobIds.

        They are read off the jars that each leaves on the cluster.
        """
        return {jar.prefix: jar.job_name for jar in await self._jars.list()}

    async def checkpoints(self, job_id: str) -> CheckpointStatistics | None:
        """Read `GET /jobs/:id/checkpoints`; None where the job is unknown."""
        try:
            return parse_checkpoints(await self.client.get(f"jobs/{job_id}/checkpoints", "counts"))
        except FlinkAnswer as answer:
            if answer.status == 404:
                unknown = "not been enabled" not in answer.text
                return None if unknown else CheckpointStatistics(enabled=False)
            raise ActionFailed(f"Flink answered {answer}") from None

    async def parallelism(self, job_id: str) -> int | None:
        """Read the widest vertex of `GET /jobs/:id`: code wins over what was asked for."""
        try:
            vertices = (await self.client.get(f"jobs/{job_id}", "vertices"))["vertices"]
        except FlinkAnswer:
            return None
        return max((int(vertex["parallelism"]) for vertex in vertices), default=None)

    async def rescale(self, job_id: str, bounds: Mapping[str, int]) -> None:
        """Send `PUT /jobs/:id/resource-requirements`; a repeat changes nothing.

        It is accepted, not applied, when this returns.
        """
        path, body = f"jobs/{job_id}/resource-requirements", bounds_body(bounds)
        try:
            await self.client.change("PUT", path, json=body, repeatable=True)
        except FlinkAnswer as answer:
            raise ActionFailed(answer.cause) from None

    async def parallelism_bounds(self, job_id: str) -> dict[str, int] | None:
        """Read `GET /jobs/:id/resource-requirements`, where the scheduler has it."""
        facts = await self.facts()
        adaptive = facts.adaptive
        if adaptive is None:  # the configuration is hidden, but Flink 2 lists each job's scheduler
            row = (await self.jobs()).by_id.get(job_id)
            adaptive = row is not None and row.scheduler == "Adaptive"
        if not adaptive or facts.version < (1, 18):
            return None
        try:
            return parse_bounds(await self.client.get(f"jobs/{job_id}/resource-requirements"))
        except FlinkAnswer:
            return None  # the job is not running any more
        except (AttributeError, KeyError, TypeError, ValueError):
            raise self.client.unreadable() from None

    async def failure(self, job_id: str, since: int = 0) -> str:
        """Read the newest entry of `GET /jobs/:id/exceptions`, and return its last cause.

        It is served from a cache of `web.refresh-interval`, 3 s by default.
        """
        try:
            body = await self.client.get(f"jobs/{job_id}/exceptions?maxExceptions=1")
        except FlinkAnswer:
            return ""
        found = parse_exceptions(body)
        return found[0].cause if found and found[0].trace and found[0].at >= since else ""

    async def vital_signs(self, job_id: str, *, load: bool) -> VitalSigns:
        """Read checkpoints and exceptions of a job, and with `load` metrics of its vertices."""
        # Names of metrics that are missing while tasks start are not to be cached.
        metrics = MetricReader(self.client, *self._times)
        return await vital_signs(self.client, metrics, job_id, load=load)

    def dashboard(self, job_id: str) -> str:
        """Return the job's page on Flink's dashboard."""
        return f"{self.client.url}/#/job/running/{job_id}/overview"


def _failed(task: asyncio.Task[ClusterFacts]) -> bool:
    return task.cancelled() or task.exception() is not None
