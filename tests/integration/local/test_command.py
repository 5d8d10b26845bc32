"""`flink-jobs local` as a user runs it: a command that ends while the cluster goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from flink_jobs_provider.local import LocalCluster

COMMAND = [sys.executable, "-c", "from flink_jobs_provider.cli.local import app; app()"]


def run(*words: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words, "--directory", str(directory)],
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )


def test_a_cluster_outlives_the_command_that_started_it(tmp_path: Path) -> None:
    """Not even a signal to all that the command's session held ends the cluster."""
    directory = tmp_path / "cluster"
    try:
        with subprocess.Popen(
            [*COMMAND, "up", "--port", "0", "--slots", "2", "--directory", str(directory)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as up:
            said = up.communicate(timeout=600)[0]
            assert up.returncode == 0
            # Where nothing is left in its process group, that is as good.
            with suppress(ProcessLookupError):
                os.killpg(up.pid, signal.SIGHUP)
        assert said.startswith("Flink 2.3.0 started at http://127.0.0.1:")
        assert "2 slots, 2 free, Java " in said

        again = run("up", directory=directory)
        assert again.stdout == said.replace(" started ", " already up ")

        shown = run("status", directory=directory)
        assert shown.returncode == 0
        lines = [line.split() for line in shown.stdout.splitlines()]
        assert lines[1] == ["process", "pid", "state"]
        assert [(line[0], line[2]) for line in lines[2:]] == [
            ("jobmanager", "running"),
            ("taskmanager-1", "running"),
        ]
        as_json = json.loads(run("status", "--json", directory=directory).stdout)
        assert as_json["state"] == "running"
        assert as_json["url"] in said

        ended = run("down", directory=directory)
        assert "Stopped jobmanager, taskmanager-1; the data in" in ended.stdout
        stopped = run("status", directory=directory)
        assert stopped.returncode == 3
        assert "stopped" in stopped.stdout
    finally:
        LocalCluster(directory).down()
