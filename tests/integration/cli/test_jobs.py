"""`flink-jobs jobs` on a real cluster."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from flink_jobs_provider.cli.app import app
from tests.counting_output import assert_counts_continuous
from tests.flink_cluster import FlinkCluster
from tests.job_jars import COUNTING_JAR, TEST_JOBS_JAR, entry_class
from tests.waiting import wait_until


def jobs(cluster: FlinkCluster, *words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["jobs", *words], env={"FLINK_JOBS_URL": cluster.url})
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def job_file(tmp_path: Path) -> Path:
    path = tmp_path / "counting.yaml"
    args = ["--output", str(tmp_path / "out"), "--rate", "200", "--checkpoint-interval", "200"]
    path.write_text(
        yaml.safe_dump(
            {"job_name": "counts", "jar": str(COUNTING_JAR), "args": args, "parallelism": 1}
        )
    )
    return path


def test_a_job_from_start_to_cancel(flink: FlinkCluster, job_file: Path, tmp_path: Path) -> None:
    """Start, list, describe, savepoint, stop, start again from its savepoint, cancel."""
    assert "counts is RUNNING" in jobs(flink, "start", str(job_file)).output
    row = json.loads(jobs(flink, "list", "--json").stdout)[0]
    assert (row["job_name"], row["status"], row["parallelism"]) == ("counts", "RUNNING", 1)
    assert row["generation"] == 1
    assert row["owner"] == "command-line"
    assert row["restarts"] == 0
    assert row["age"] < 600
    lines = [line.split() for line in jobs(flink, "list").output.splitlines()]
    assert len(lines) == 2
    assert lines[1][:4] == ["counts", "RUNNING", "1", "1"]
    assert row["job_id"] in jobs(flink, "list", "-o", "wide").output
    healthy = json.loads(jobs(flink, "describe", "counts", "--json").stdout)
    assert healthy["last_checkpoint"]["status"] == "COMPLETED"
    assert healthy["retains_checkpoints"] is False
    warned = jobs(flink, "describe", "counts").stderr
    assert "the checkpoints of counts do not survive a cancel" in warned
    listed = json.loads(jobs(flink, "checkpoints", "counts", "--json").stdout)
    assert [each["id"] for each in listed] == sorted((e["id"] for e in listed), reverse=True)
    assert "COMPLETED" in jobs(flink, "checkpoints", "counts").output

    first = jobs(flink, "savepoint", "counts").stdout.strip()
    assert Path(first.removeprefix("file:")).joinpath("_metadata").is_file()
    of_counts = Path(first.removeprefix("file:")).parents[1]
    shutil.copytree(of_counts, of_counts.with_name("forgotten"))
    lost = jobs(flink, "cancel", "forgotten", "--yes", code=1).stderr
    assert "forgotten: the cluster lists no such job" in lost
    assert "Nothing was cancelled. Its newest savepoint that is seen from here is " in lost
    assert "No savepoint of it is seen" in jobs(flink, "cancel", "never", "-y", code=1).stderr
    assert f"/counts/{row['job_id']}/" in first

    done = json.loads(jobs(flink, "stop", row["job_id"][:10], "--json").stdout)
    assert (done["job_name"], done["status"]) == ("counts", "FINISHED")
    stopped = done["savepoint"]
    assert stopped != first
    assert flink.jobs()[row["job_id"]]["state"] == "FINISHED"
    assert jobs(flink, "list").output.strip() == "No active jobs."

    listed = json.loads(jobs(flink, "savepoints", "counts", "--json").stdout)
    assert [Path(point["path"]).name for point in listed] == [
        Path(stopped).name,
        Path(first).name,
    ]

    again = jobs(flink, "start", str(job_file)).output
    assert stopped in again
    seen = json.loads(jobs(flink, "describe", "counts", "--json").stdout)
    assert seen["restored_from"] == stopped
    assert seen["generation"] == 2

    before = assert_counts_continuous(tmp_path / "out").total
    wait_until(
        lambda: assert_counts_continuous(tmp_path / "out").total > before, 30, "further counts"
    )
    assert "confirm it with --yes" in jobs(flink, "cancel", "counts", code=1).stderr
    assert "is CANCELED" in jobs(flink, "cancel", "counts", "--yes").output
    assert_counts_continuous(tmp_path / "out")


def test_a_job_that_is_not_ours_is_shown_as_such(flink_2: FlinkCluster, tmp_path: Path) -> None:
    """A job somebody else submitted is listed by its program's name, and marked."""
    job_id = flink_2.run(COUNTING_JAR, ["--output", str(tmp_path / "out")])
    flink_2.await_tasks_running(job_id)
    assert "(not ours)" in jobs(flink_2, "list").output
    row = json.loads(jobs(flink_2, "list", "--json").stdout)[0]
    assert row["job_name"] is None
    assert row["generation"] is None


def test_unknown_job_and_wrong_file_are_told(flink_2: FlinkCluster, tmp_path: Path) -> None:
    """What is not there, or wrong, is named in a line; nothing is started."""
    before = set(flink_2.jobs())
    assert "no such job" in jobs(flink_2, "stop", "nope", code=1).stderr
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("job_name: counts\njar: nowhere.jar\nparallelism: 0\n")
    said = jobs(flink_2, "start", str(wrong), code=1).stderr
    assert "parallelism" in said
    assert set(flink_2.jobs()) == before


def test_a_job_name_wins_and_a_failing_job_is_explained(
    flink: FlinkCluster, job_file: Path, tmp_path: Path
) -> None:
    """Shows our job beside one whose program bears its name, which fails while it is watched."""
    job_file.write_text(job_file.read_text().replace("job_name: counts", "job_name: counting"))
    jobs(flink, "start", str(job_file))
    args = ["--output", str(tmp_path / "other"), "--fail-after-millis", "1500", "--restarts", "1"]
    other = flink.run(TEST_JOBS_JAR, args, entryClass=entry_class("FailingTask"))
    seen = json.loads(jobs(flink, "describe", "counting", "--json").stdout)
    assert seen["job_name"] == "counting"
    assert seen["job_id"] != other

    lines = jobs(flink, "watch", other, "--interval", "0.2", "--json", code=1).stdout.splitlines()
    last = json.loads(lines[-1])
    assert (last["job_id"], last["status"]) == (other, "FAILED")

    failures = json.loads(jobs(flink, "exceptions", other, "--json").stdout)
    assert "the task failed on purpose" in failures[0]["cause"]
    assert "count" in failures[-1]["task"].lower()
    assert "\tat " in failures[0]["trace"]
    shown = jobs(flink, "exceptions", other, "-n", "1").stdout
    assert "the task failed on purpose" in shown
    assert "\tat " not in shown
    assert "names like it: counting" in jobs(flink, "describe", "countin", code=1).stderr
