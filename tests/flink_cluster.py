"""A real Flink cluster for tests, and the few REST calls that tests make on their own.

The calls are made without the project's own client on purpose: they are what it is tested against.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil

from flink_jobs_provider.local import ClusterStatus, LocalCluster, Request
from flink_jobs_provider.local.processes import ClusterProcess, end
from flink_jobs_provider.local.settings import Layout
from flink_jobs_provider.model.flink_options import RETENTION
from tests.waiting import wait_until

#: What most cases run on: `make test-versions` names the others.
FLINK_2 = os.environ.get("FLINK_JOBS_TEST_FLINK") or "2.3.0"
FLINK_1 = "1.20.5"


def release_of(version: str) -> tuple[int, int]:
    """Return a version's release, such as (2, 3)."""
    major, minor, *_ = map(int, version.split("."))
    return major, minor


#: Before it, Flink takes the second job of a `main` and never runs it (1.17.2 to 2.2.1).
REFUSES_SECOND_JOBS = (2, 3)
#: Before it, Flink rescales no running job.
RESCALES = (1, 18)
#: Before it, Flink counts the tasks of a batch job's later stages before they can run (1.17, 1.18).
COUNTS_TASKS_OF_A_STAGE = (1, 19)
SLOTS = 24
#: What a cluster has by default that `local up` sets otherwise.
_AS_FLINK_COMES = {RETENTION: "NO_EXTERNALIZED_CHECKPOINTS"}
#: How soon one process of a cluster notices that another has gone, or is back. By default that
#: takes two heartbeats of 10 s, and a TaskManager that was turned away comes back after 10 s.
_QUICK_TO_NOTICE = {
    "heartbeat.interval": "1000",
    "cluster.registration.error-delay": "500",
    "cluster.registration.refused-registration-delay": "500",
}
#: The adaptive scheduler, without the pauses that it makes before it rescales a job.
ADAPTIVE = {
    "jobmanager.scheduler": "adaptive",
    **dict.fromkeys(
        (
            "jobmanager.adaptive-scheduler.scaling-interval.min",
            "jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling",
            "jobmanager.adaptive-scheduler.resource-stabilization-timeout",
            "jobmanager.adaptive-scheduler.executing.resource-stabilization-timeout",
            "jobmanager.adaptive-scheduler.submission.resource-stabilization-timeout",
        ),
        "0s",
    ),
}


class FlinkCluster:
    """A running cluster, in a directory of its own below the one given."""

    def __init__(
        self,
        directory: Path,
        version: str,
        *,
        slots: int = SLOTS,
        task_managers: int = 1,
        configuration: Mapping[str, str] | None = None,
    ) -> None:
        self.version = version
        # Named after the test run, so that another one can tell when this one is no more.
        self.directory = directory / f"flink-of-{os.getpid()}"
        self._cluster = LocalCluster(self.directory)
        request = Request(
            version=version,
            port=0,
            slots=slots,
            task_managers=task_managers,
            configuration={
                **_AS_FLINK_COMES,
                **_QUICK_TO_NOTICE,
                **(configuration or {}),
            },
        )
        try:
            self.url = _url(self._cluster.up(request).status)
        except BaseException:
            self._cluster.down()
            raise
        self.rest = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    @property
    def release(self) -> tuple[int, int]:
        """The release of its version."""
        return release_of(self.version)

    @property
    def layout(self) -> Layout:
        """Where its files lie."""
        return self._cluster.layout

    @property
    def savepoints(self) -> Path:
        """Where its savepoints go by default."""
        return self.layout.savepoints

    def status(self) -> ClusterStatus:
        """Look at the cluster."""
        return self._cluster.status()

    def close(self) -> None:
        """End the cluster; its files stay."""
        self.rest.close()
        self._cluster.down()

    # What may befall a cluster

    def stop_task_manager(self, number: int = 1) -> None:
        """End a TaskManager, and wait until the JobManager has noticed."""
        before = self.get("/overview")["taskmanagers"]
        end([ClusterProcess(self.layout, f"taskmanager-{number}")])
        wait_until(
            lambda: self.get("/overview")["taskmanagers"] < before, 60, "a TaskManager was missed"
        )

    def start_missing(self) -> None:
        """Start again what does not run."""
        self._cluster.up(Request())

    def stop_job_manager(self) -> None:
        """End the JobManager alone: the cluster cannot be reached."""
        end([ClusterProcess(self.layout, "jobmanager")])

    def restart_job_manager(self) -> None:
        """Restart the cluster at the same address: its jobs and their history are gone."""
        self.stop_job_manager()
        self.start_missing()

    # Calls

    def get(self, path: str) -> Any:
        """Return the answer to a GET that must succeed."""
        return self.rest.get(path).raise_for_status().json()

    def jobs(self) -> dict[str, dict[str, Any]]:
        """Return the rows of the overview by job id."""
        return {row["jid"]: row for row in self.get("/jobs/overview")["jobs"]}

    def upload(self, jar: Path, name: str | None = None) -> str:
        """Upload a jar and return its id."""
        files = {"jarfile": (name or jar.name, jar.read_bytes(), "application/x-java-archive")}
        answer = self.rest.post("/jars/upload", files=files).raise_for_status().json()
        return str(answer["filename"]).rsplit("/", 1)[-1]

    def submit(self, jar_id: str, args: list[str], **body: Any) -> httpx.Response:
        """Post a run of an uploaded jar; the answer may be an error."""
        return self.rest.post(f"/jars/{jar_id}/run", json={"programArgsList": args, **body})

    def run(self, jar: Path, args: list[str], **body: Any) -> str:
        """Upload and run a jar, wait until all its tasks run, and return the job id."""
        answer = self.submit(self.upload(jar), args, **body)
        assert answer.is_success, answer.text
        job_id: str = answer.json()["jobid"]
        self.await_tasks_running(job_id)
        return job_id

    def await_tasks_running(self, job_id: str, timeout: float = 60) -> None:
        """Wait until every task of a job runs."""

        def all_run() -> bool:
            row = self.jobs()[job_id]
            tasks = row["tasks"]
            assert row["state"] == "RUNNING", row
            assert tasks["running"] == tasks["total"] > 0, row
            return True

        wait_until(all_run, timeout, f"all tasks of {job_id} run")

    def await_state(self, job_id: str, state: str, timeout: float = 60) -> None:
        """Wait until a job is in a state such as FAILED."""

        def is_so() -> bool:
            assert self.jobs()[job_id]["state"] == state, self.jobs()[job_id]
            return True

        wait_until(is_so, timeout, f"{job_id} is {state}")

    def stop(self, job_id: str, timeout: float = 60) -> dict[str, Any]:
        """Stop a job with a savepoint, and return the operation: its location, or why it failed."""
        answer = self.rest.post(f"/jobs/{job_id}/stop", json={}).raise_for_status()
        path = f"/jobs/{job_id}/savepoints/{answer.json()['request-id']}"
        done = wait_until(
            lambda: (found := self.get(path))["status"]["id"] == "COMPLETED" and found,
            timeout,
            f"the stop of {job_id} is done",
        )
        operation: dict[str, Any] = done["operation"]
        return operation

    def stop_with_savepoint(self, job_id: str) -> str:
        """Stop a job, and return the path of the savepoint."""
        operation = self.stop(job_id)
        assert "location" in operation, operation
        self.await_state(job_id, "FINISHED")
        return str(operation["location"])

    def rescale(self, job_id: str, parallelism: int) -> None:
        """Rescale a running job, which the adaptive scheduler does, and wait until it runs so."""
        path = f"/jobs/{job_id}/resource-requirements"
        bounds = {"parallelism": {"lowerBound": 1, "upperBound": parallelism}}
        vertices = self.get(path)
        self.rest.put(path, json=dict.fromkeys(vertices, bounds)).raise_for_status()

        self.await_parallelism(job_id, parallelism)

    def await_parallelism(self, job_id: str, parallelism: int) -> None:
        """Wait until all vertices of a job run with a parallelism: Flink shows that late."""
        wait_until(
            lambda: self.parallelism(job_id) == {parallelism},
            60,
            f"all vertices of {job_id} have parallelism {parallelism}",
        )
        self.await_tasks_running(job_id)

    def parallelism(self, job_id: str) -> set[int]:
        """Return the parallelisms that the vertices of a job run with."""
        return {vertex["parallelism"] for vertex in self.get(f"/jobs/{job_id}")["vertices"]}

    def root_exception(self, job_id: str) -> str:
        """Return what a job last failed with, stack trace and all."""
        history = self.get(f"/jobs/{job_id}/exceptions?maxExceptions=5")["exceptionHistory"]
        return "\n".join(str(entry["stacktrace"]) for entry in history["entries"])

    def clear(self) -> None:
        """Cancel every job and remove every jar, as the next test expects it."""
        over = {"FINISHED", "FAILED", "CANCELED"}

        def left() -> list[str]:
            return [job_id for job_id, row in self.jobs().items() if row["state"] not in over]

        for job_id in left():
            self.rest.patch(f"/jobs/{job_id}", params={"mode": "cancel"})
        wait_until(lambda: not left(), 60, "all jobs ended")
        for jar in self.get("/jars")["files"]:
            self.rest.delete(f"/jars/{jar['id']}")


def end_orphans() -> None:
    """End the clusters of test runs that were killed before they could do so themselves."""
    mark = "-Dflink-jobs.directory="
    for process in psutil.process_iter(["cmdline"]):
        for word in process.info["cmdline"] or []:
            if word.startswith(mark) and _abandoned(Path(word.removeprefix(mark))):
                process.kill()


def _abandoned(directory: Path) -> bool:
    match = re.fullmatch(r"flink-of-(\d+)", directory.name)
    return match is not None and not psutil.pid_exists(int(match[1]))


def _url(status: ClusterStatus) -> str:
    assert status.url is not None
    return status.url
