"""Flink's own command-line client, as its `bin/flink` starts it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from flink_jobs_provider.local.packages import fetch_flink, find_java
from flink_jobs_provider.local.settings import FlinkVersion
from tests.flink_cluster import FlinkCluster

_CLIENT = "org.apache.flink.client.cli.CliFrontend"
_LONGEST_S = 300.0


class FlinkClientProgram:
    """Runs the client against a cluster; a Java process for each call, as for its users."""

    def __init__(self, cluster: FlinkCluster) -> None:
        home = fetch_flink(cluster.version)
        java = find_java(FlinkVersion.parse(cluster.version))
        jars = sorted(str(jar) for jar in (home / "lib").glob("*.jar"))
        conf = cluster.layout.conf
        self._environment = {**os.environ, "FLINK_CONF_DIR": str(conf)}
        self._address = urlsplit(cluster.url).netloc
        self._command = [
            str(java.program),
            *java.module_options,
            f"-Dlog.file={cluster.layout.logs / 'client.log'}",
            f"-Dlog4j.configurationFile={(conf / 'log4j.properties').as_uri()}",
            *("-cp", os.pathsep.join(jars), _CLIENT),
        ]

    def run(self, jar: Path, arguments: Sequence[str]) -> str:
        """Submit a job at parallelism 1 without waiting for it to run; return its id."""
        finished = subprocess.run(
            [*self._command, "run", "-d", "-m", self._address, "-p", "1", str(jar), *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=_LONGEST_S,
            check=False,
        )
        said = finished.stdout + finished.stderr
        found = re.search(r"submitted with JobID ([0-9a-f]{32})", said)
        if finished.returncode != 0 or found is None:
            raise RuntimeError(f"the client failed: {finished.returncode}\n{said[-4000:]}")
        return found[1]
