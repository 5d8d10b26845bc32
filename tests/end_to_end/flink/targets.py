"""The targets that every case runs on, and all in which what a user sees of them differs.

Both are the same Flink: by its own REST API, and by the job API of HDInsight on AKS, which a
gateway serves in front of it. What the cases assert of Flink itself holds for both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from flink_jobs_provider.gateway.principal import Role
from tests.flink_cluster import FlinkCluster
from tests.gateway_process import API, GatewayProcess
from tests.stack_project import StackProject
from tests.waiting import wait_until

#: Cases that cannot exist on a target, by the test's name, and why. They are shown as skipped.
CANNOT_EXIST: dict[str, dict[str, str]] = {
    "flink": {},
    "hdinsight": {
        "test_of_two_copies_one_is_kept": "the service lists one job of a name, not its copies",
    },
}

_cluster_numbers = count(1)


class Target(ABC):
    """One Flink cluster, as the jobs of a stack name it.

    Attributes:
        inputs: The jobs' `target`.
        environment: What the commands need in their environment to reach it.
        label: An argument as odd as it can be there.
        started_again: What the action is called that starts a job which failed or was cancelled.
    """

    label: ClassVar[str]
    started_again: ClassVar[str]

    def __init__(self, cluster: FlinkCluster) -> None:
        self.cluster = cluster
        self.inputs: dict[str, Any] = {}
        self.environment: dict[str, str] = {}

    @abstractmethod
    def owner(self, project: StackProject) -> str:
        """Return who owns the jobs of a stack on Flink: it is part of their job ids."""

    @abstractmethod
    def flink_version(self) -> str | None:
        """Return what the outputs call Flink's version."""

    @abstractmethod
    def dashboard_url(self, job_id: str) -> str | None:
        """Return where the outputs say that a job is shown to people."""

    @abstractmethod
    def running_parallelism(self, running: int) -> int | None:
        """Return what the outputs say of the parallelism that a job runs with."""

    @abstractmethod
    def await_shown(self, job_name: str, status: str) -> None:
        """Wait until it shows what became of a job on Flink: a look of its own may be due first."""

    @abstractmethod
    def close(self) -> None:
        """End what was started for it."""


class FlinkTarget(Target):
    """A Flink session cluster by its REST API: it keeps job ids, and nothing else."""

    label = "a 'b'  \"c\""
    started_again = "START"

    def __init__(self, cluster: FlinkCluster) -> None:
        super().__init__(cluster)
        self.inputs = {"kind": "flink", "url": cluster.url}

    def owner(self, project: StackProject) -> str:
        """Return the stack."""
        return project.owner

    def flink_version(self) -> str | None:
        """Return what the cluster says."""
        return self.cluster.version

    def dashboard_url(self, job_id: str) -> str | None:
        """Return the page of Flink's own dashboard."""
        return f"{self.cluster.url}/#/job/running/{job_id}/overview"

    def running_parallelism(self, running: int) -> int | None:
        """Return what the cluster says."""
        return running

    def await_shown(self, job_name: str, status: str) -> None:
        """Return: the cluster is asked each time."""

    def close(self) -> None:
        """Leave the cluster as it is."""


class HDInsightTarget(Target):
    """The job API of HDInsight on AKS, which keeps jobs by name, and serves what it was given.

    Its gateway is started for one test alone, under a cluster id that no other test has: so
    neither records nor Flink's memory of ended jobs are of a test before.
    """

    label = "a'b'\"c\"\\d"  # its arguments are one text that is split at blanks
    started_again = "RE_LAUNCH"

    def __init__(self, cluster: FlinkCluster, directory: Path) -> None:
        super().__init__(cluster)
        name = f"cluster-{next(_cluster_numbers)}"
        self._id = (
            "/subscriptions/0000/resourceGroups/Group/providers/Microsoft.HDInsight"
            f"/clusterpools/Pool/clusters/{name}"
        )
        directory.mkdir()
        jars = f"file://{directory}/jars"
        served = {
            "id": self._id,
            "flink": {"url": cluster.url},
            "mounts": {jars: jars},
            "relaunch_lost": False,  # it is the stacks that are to mend what befalls jobs
        }
        self._gateway = GatewayProcess(directory, cluster.url, clusters=[served])
        token = self._gateway.token("stack", Role.OPERATE)
        try:
            self._gateway.start()
        except BaseException:
            self._gateway.close()
            raise
        self._client = self._gateway.client(token)
        self.environment = {"GATEWAY_TOKEN": token}
        self.inputs = {
            "kind": "hdinsight",
            "subscription": "0000",
            "resource_group": "Group",
            "cluster_pool": "Pool",
            "cluster": name,
            "endpoint": self._gateway.url,
            "token": "env:GATEWAY_TOKEN",
            "jar_upload_directory": jars,
        }

    def owner(self, project: StackProject) -> str:
        """Return the cluster, since the service knows of no stacks."""
        return self._id.lower()

    def flink_version(self) -> str | None:
        """Return nothing: the service does not tell."""
        return None

    def dashboard_url(self, job_id: str) -> str | None:
        """Return nothing: the service does not tell."""
        return None

    def running_parallelism(self, running: int) -> int | None:
        """Return nothing: the service shows what was asked for, not what runs."""
        return None

    def await_shown(self, job_name: str, status: str) -> None:
        """Wait for the gateway's next look at the cluster."""

        def is_so() -> bool:
            shown = self._row(job_name).get("status")
            assert shown == status, shown
            return True

        wait_until(is_so, 30, f"the service shows {job_name} as {status}", interval=0.2)

    def _row(self, job_name: str) -> dict[str, Any]:
        answer = self._client.get(f"{self._id}/jobs", params=API).raise_for_status()
        rows: list[dict[str, Any]] = [row["properties"] for row in answer.json()["value"]]
        [row] = [row for row in rows if row["jobName"] == job_name]
        return row

    def close(self) -> None:
        """End the gateway."""
        self._client.close()
        self._gateway.close()


def open_target(kind: str, cluster: FlinkCluster, directory: Path) -> Target:
    """Return a target of a kind; what it starts has its files in `directory`."""
    if kind == "flink":
        return FlinkTarget(cluster)
    return HDInsightTarget(cluster, directory)
