"""From an accepted submission to the knowledge that all its tasks run."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from flink_jobs_provider.artifacts import open_jar
from flink_jobs_provider.control_planes.flink.client import open_client
from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.control_planes.protocol import Submission
from flink_jobs_provider.model.observation import ClusterSnapshot
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.reconciling.flink.reconciler import Reconciler
from tests.bench.comparison import SHORT, Aim, Comparison, Measured
from tests.flink_cluster import FLINK_2, FlinkCluster
from tests.job_jars import COUNTING_JAR

_NAIVE_PAUSE_S = 0.02
_LONGEST_S = 120.0
_HOW = """
{n} submissions of the counting job of examples/ (parallelism 2, a checkpoint each second), each
on its own, on a cluster with Flink's default settings. Ours: `Reconciler.bring_about` in process.
The clock starts when the cluster has answered the run request with 200; the first figure ends
when the provider knows that all tasks run, the second when it is done, which includes seeing one
checkpoint complete. Baseline: the same jar and arguments submitted by plain requests, and
`GET /jobs/:id` polled every {pause:.0f} ms until each vertex is RUNNING. That call is answered
from a cache which Flink renews every 3 s (web.refresh-interval); the provider polls the job list,
which is not.
"""


class _TimedPlane(FlinkRest):
    """Notes when a submission was accepted, and when its tasks were first seen to run."""

    accepted = 0.0
    running = 0.0
    _job_id = ""

    async def submit(self, submission: Submission, timeout: float) -> None:
        self._job_id, self.running = submission.job_id, 0.0
        await super().submit(submission, timeout)
        self.accepted = time.monotonic()

    async def jobs(self, max_age: float = 0.0) -> ClusterSnapshot:
        snapshot = await super().jobs(max_age)
        job = snapshot.by_id.get(self._job_id)
        if not self.running and job and job.healthy:
            self.running = time.monotonic()
        return snapshot


def measure(directory: Path, rounds: int) -> Measured:
    """Measure, with several submissions in each of the `rounds`."""
    with closing(FlinkCluster(directory, FLINK_2)) as cluster:
        return asyncio.run(_measure(cluster, directory, rounds * SHORT))


async def _measure(cluster: FlinkCluster, directory: Path, submissions: int) -> Measured:
    known, done, naive = [], [], []
    target = FlinkTarget(url=cluster.url)
    plane = _TimedPlane(open_client(target, lambda _reference: ""))
    async with httpx.AsyncClient(base_url=cluster.url, timeout=60, trust_env=False) as http:
        for number in range(submissions + 1):
            to_known, to_done = await _ours(plane, _spec(target, directory, number))
            to_naive = await _naive(http, _arguments(directory, f"naive-{number}"))
            await asyncio.to_thread(cluster.clear)
            if number:  # the first loads classes
                known.append(to_known)
                done.append(to_done)
                naive.append(to_naive)
    await plane.close()
    aim = Aim("under 0.3 s", ours=0.3)
    return Measured(
        "From accepted to running",
        _HOW.format(n=submissions, pause=_NAIVE_PAUSE_S * 1000),
        [
            Comparison("until it is known that all tasks run", known, naive, aim=aim),
            Comparison("until done, one checkpoint included", done, naive),
        ],
    )


def _spec(target: FlinkTarget, directory: Path, number: int) -> JobSpec:
    name = f"submitted-{number}"
    return JobSpec(
        target=target,
        job_name=name,
        owner="organization/bench/dev",
        jar=str(COUNTING_JAR),
        jar_digest=open_jar(str(COUNTING_JAR)).digest,
        args=_arguments(directory, name),
        parallelism=2,
        settle_time="0s",
    )


def _arguments(directory: Path, name: str) -> list[str]:
    return ["--output", str(directory / "counts" / name)]


async def _ours(plane: _TimedPlane, spec: JobSpec) -> tuple[float, float]:
    reconciler = Reconciler(plane, local_paths=True)
    record = await reconciler.bring_about(None, spec, open_jar(spec.jar))
    done = time.monotonic()
    await reconciler.delete(record)
    return plane.running - plane.accepted, done - plane.accepted


async def _naive(http: httpx.AsyncClient, arguments: list[str]) -> float:
    content = {"jarfile": (COUNTING_JAR.name, COUNTING_JAR.read_bytes())}
    uploaded = _body(await http.post("/jars/upload", files=content))
    jar = str(uploaded["filename"]).rsplit("/", 1)[-1]
    body = {"programArgsList": arguments, "parallelism": 2}
    job_id = _body(await http.post(f"/jars/{jar}/run", json=body))["jobid"]
    accepted = time.monotonic()
    while not _all_run(_body(await http.get(f"/jobs/{job_id}"))):
        if time.monotonic() - accepted > _LONGEST_S:
            raise TimeoutError(f"job {job_id} does not run")
        await asyncio.sleep(_NAIVE_PAUSE_S)
    taken = time.monotonic() - accepted
    await http.patch(f"/jobs/{job_id}?mode=cancel")
    return taken


def _body(answer: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(answer.raise_for_status().content)
    return body


def _all_run(job: dict[str, Any]) -> bool:
    return all(vertex["status"] == "RUNNING" for vertex in job["vertices"])
