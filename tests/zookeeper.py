"""A real ZooKeeper, in which the JobManagers of one Flink cluster keep what they must not forget.

Its classes are in Flink's own package.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from flink_jobs_provider.local.launch import free_port
from flink_jobs_provider.local.packages import fetch_flink, find_java
from flink_jobs_provider.local.settings import FlinkVersion
from tests.waiting import wait_until

_MAIN = "org.apache.flink.shaded.zookeeper3.org.apache.zookeeper.server.ZooKeeperServerMain"


class ZooKeeper:
    """One server on a free loopback port, with its files in the directory given."""

    def __init__(self, directory: Path, version: str) -> None:
        # Named after the test run, so that another one can tell when this one is no more.
        self.directory = directory / f"flink-of-{os.getpid()}"
        self.directory.mkdir(parents=True)
        self.port = free_port()
        lib = fetch_flink(version) / "lib"
        jars = [*lib.glob("flink-dist-*.jar"), *lib.glob("log4j-*.jar")]
        command = [
            str(find_java(FlinkVersion.parse(version)).program),
            *("-Xmx64m", f"-Dflink-jobs.directory={self.directory}"),
            "-Dzookeeper.admin.enableServer=false",
            *("-cp", os.pathsep.join(map(str, jars))),
            *(_MAIN, str(self.port), str(self.directory / "data")),
        ]
        with (self.directory / "zookeeper.out").open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        wait_until(self._answers, 60, "ZooKeeper answers")

    def _answers(self) -> bool:
        assert self._process.poll() is None, "ZooKeeper has ended"
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5):
            return True
        return False

    @property
    def configuration(self) -> Mapping[str, str]:
        """That of a cluster whose JobManager goes on, when it is started again, with its jobs."""
        return {
            "high-availability.type": "zookeeper",
            "high-availability.zookeeper.quorum": f"127.0.0.1:{self.port}",
            "high-availability.storageDir": str(self.directory / "ha"),
            "high-availability.cluster-id": "/tests",
            # Until then a JobManager that was killed has the lead.
            "high-availability.zookeeper.client.session-timeout": "2000",
        }

    def close(self) -> None:
        """End it; its files stay."""
        self._process.kill()
        self._process.wait()
