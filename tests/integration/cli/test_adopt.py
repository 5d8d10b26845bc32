"""`flink-jobs adopt`: what runs without a stack, and files that are refused until filled in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from flink_jobs_provider.cli.app import app
from flink_jobs_provider.job_files import read_job_file
from flink_jobs_provider.model.errors import InvalidFiles
from tests.flink_cluster import FlinkCluster
from tests.integration.cli.test_jobs import jobs
from tests.job_jars import COUNTING_JAR


def adopt(cluster: FlinkCluster, *words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["adopt", *words], env={"FLINK_JOBS_URL": cluster.url})
    assert result.exit_code == code, result.output
    return result


def test_jobs_without_a_stack_are_listed_and_written(flink_2: FlinkCluster, tmp_path: Path) -> None:
    """Shows that a file is refused until its jar is given, is never overwritten, and then valid."""
    args = ["--output", str(tmp_path / "out"), "--checkpoint-interval", "400"]
    job_id = flink_2.run(COUNTING_JAR, args, parallelism=2)
    ours = {"job_name": "ours", "jar": str(COUNTING_JAR), "settle_time": "0s", "parallelism": 1}
    file = tmp_path / "ours.yaml"
    file.write_text(yaml.safe_dump({**ours, "args": ["--output", str(tmp_path / "ours")]}))
    started = json.loads(jobs(flink_2, "start", str(file), "--json").stdout)["job_id"]

    listed = adopt(flink_2).stdout
    assert "counting" in listed
    assert job_id in listed
    assert started not in listed
    assert "there is no absent among" in adopt(flink_2, "absent", code=1).stderr

    directory = tmp_path / "jobs"
    done = json.loads(adopt(flink_2, job_id, "-d", str(directory), "--json").stdout)
    [path] = map(Path, done["files"])
    assert path == directory / "counting.yaml"
    with pytest.raises(InvalidFiles) as caught:
        read_job_file(path)
    assert [problem[1].split(":")[0] for problem in caught.value.problems] == [
        "jar",
        "args",
    ]
    before = path.read_text()
    assert "there is a file already" in adopt(flink_2, job_id, "-d", str(directory), code=1).stderr
    assert path.read_text() == before
    assert "flinkjobs.counting.CountingJob" in before

    lines = before.replace("jar:\n", f"jar: {COUNTING_JAR}\n")
    path.write_text(lines.replace("args:\n", f"args: {json.dumps(args)}\n"))
    job = read_job_file(path)
    assert (job["adopt"], job["job_name"], job["parallelism"]) == (job_id, "counting", 2)
    assert job["flink_configuration"] == {"execution.checkpointing.interval": "400 ms"}
