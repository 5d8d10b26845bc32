"""The jobs that fail on purpose do what they say, on every Flink that is tested.

What Flink does with such a job is stated here as measured; the tests of upgrades build on it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.counting_output import assert_counts_continuous, committed_lines
from tests.flink_cluster import FlinkCluster
from tests.job_jars import COUNTING_JAR, TEST_JOBS_JAR, copy_with_other_bytes, entry_class
from tests.waiting import wait_until

Run = Callable[..., str]


@pytest.fixture
def run(flink: FlinkCluster, tmp_path: Path) -> Run:
    """Return a function that runs an entry class until its tasks run: (class, *args, **body)."""

    def run_entry_class(name: str, *args: str, **body: object) -> str:
        words = ["--output", str(tmp_path / "out"), *args]
        return flink.run(TEST_JOBS_JAR, words, entryClass=entry_class(name), **body)

    return run_entry_class


@pytest.fixture
def savepoint(flink: FlinkCluster, tmp_path: Path) -> str:
    """Return a savepoint of CountingJob, which wrote to `out`."""
    job_id = flink.run(COUNTING_JAR, ["--output", str(tmp_path / "out")])
    wait_until(lambda: committed_lines(tmp_path / "out"), 30, "lines are committed")
    return flink.stop_with_savepoint(job_id)


def test_throwing_main_makes_no_job(flink: FlinkCluster) -> None:
    """The submission is refused with the exception of `main`, and no job is left."""
    jar = flink.upload(TEST_JOBS_JAR)
    before = flink.jobs()
    answer = flink.submit(jar, [], entryClass=entry_class("ThrowingMain"))
    assert answer.status_code == 400
    assert "main threw on purpose" in answer.text
    assert flink.jobs() == before


def test_an_unknown_argument_is_refused(flink: FlinkCluster) -> None:
    """A misspelt argument is named, with those that there are."""
    answer = flink.submit(flink.upload(COUNTING_JAR), ["--ouput", "x"])
    assert answer.status_code == 400
    assert "Unknown argument '--ouput'" in answer.text
    assert "--output, --keys" in answer.text


def test_version_2_takes_over_the_counts(
    flink: FlinkCluster, run: Run, savepoint: str, tmp_path: Path
) -> None:
    """CountingJobV2 goes on from a savepoint of CountingJob, and its lines are marked."""
    job_id = run("CountingJobV2", savepointPath=savepoint, parallelism=2)
    wait_until(
        lambda: assert_counts_continuous(tmp_path / "out").labels["v2"], 30, "v2 commits lines"
    )
    flink.stop_with_savepoint(job_id)
    assert_counts_continuous(tmp_path / "out", complete=True)


def test_a_jar_with_other_bytes_behaves_the_same(
    flink: FlinkCluster, savepoint: str, tmp_path: Path
) -> None:
    """A copy with another digest goes on with the state of the first."""
    other = copy_with_other_bytes(COUNTING_JAR, tmp_path / "counting-job.jar")
    assert other.read_bytes() != COUNTING_JAR.read_bytes()
    before = assert_counts_continuous(tmp_path / "out", complete=True).total
    flink.run(other, ["--output", str(tmp_path / "out")], savepointPath=savepoint)
    wait_until(
        lambda: assert_counts_continuous(tmp_path / "out").total > before, 30, "more is committed"
    )


def test_incompatible_state_is_accepted_and_then_fails(
    flink: FlinkCluster, savepoint: str, tmp_path: Path
) -> None:
    """The submission succeeds; the tasks fail on the state; without restarts the job is FAILED."""
    answer = flink.submit(
        flink.upload(TEST_JOBS_JAR),
        ["--output", str(tmp_path / "out")],
        entryClass=entry_class("IncompatibleState"),
        savepointPath=savepoint,
    )
    assert answer.is_success, answer.text
    job_id = answer.json()["jobid"]
    flink.await_state(job_id, "FAILED")
    assert "must not be incompatible" in flink.root_exception(job_id)


def test_a_missing_operator_is_refused_at_submission(
    flink: FlinkCluster, run: Run, savepoint: str, tmp_path: Path
) -> None:
    """State that has no place in the job refuses it, unless non-restored state is allowed."""
    answer = flink.submit(
        flink.upload(TEST_JOBS_JAR),
        ["--output", str(tmp_path / "out")],
        entryClass=entry_class("MissingOperator"),
        savepointPath=savepoint,
    )
    assert answer.status_code == 400
    assert "allowNonRestoredState" in answer.text
    run("MissingOperator", savepointPath=savepoint, allowNonRestoredState=True)


def test_a_failing_snapshot_without_restarts_takes_the_job_down(
    flink: FlinkCluster, run: Run, tmp_path: Path
) -> None:
    """The stop fails, and the job ends FAILED."""
    marker = tmp_path / "marker"
    job_id = run("FailingSnapshot", "--checkpoint-interval", "0", "--marker", str(marker))
    marker.touch()
    operation = flink.stop(job_id)
    assert "failure-cause" in operation
    flink.await_state(job_id, "FAILED")
    assert "the snapshot failed on purpose" in flink.root_exception(job_id)


def test_a_failing_snapshot_with_restarts_leaves_the_job_running(
    flink: FlinkCluster, run: Run, tmp_path: Path
) -> None:
    """The stop fails, the job runs on, and a later stop succeeds with nothing lost."""
    marker = tmp_path / "marker"
    job_id = run("FailingSnapshot", "--marker", str(marker), "--restarts", "1000")
    wait_until(lambda: committed_lines(tmp_path / "out"), 30, "lines are committed")
    marker.touch()
    assert "failure-cause" in flink.stop(job_id)
    marker.unlink()
    flink.await_tasks_running(job_id)
    before = assert_counts_continuous(tmp_path / "out").total
    wait_until(
        lambda: assert_counts_continuous(tmp_path / "out").total > before, 30, "more is committed"
    )
    flink.await_tasks_running(job_id)
    flink.stop_with_savepoint(job_id)
    assert_counts_continuous(tmp_path / "out", complete=True)


def test_a_slow_snapshot_keeps_a_stop_in_progress(flink: FlinkCluster, run: Run) -> None:
    """A stop is IN_PROGRESS for as long as the snapshot takes, and then succeeds."""
    job_id = run("SlowSnapshot", "--checkpoint-interval", "0", "--snapshot-millis", "1000")
    answer = flink.rest.post(f"/jobs/{job_id}/stop", json={"triggerId": "ab" * 16})
    assert answer.status_code == 202
    path = f"/jobs/{job_id}/savepoints/{'ab' * 16}"
    assert flink.get(path)["status"]["id"] == "IN_PROGRESS"
    wait_until(lambda: "location" in (flink.get(path).get("operation") or {}), 30, "it is stopped")
    flink.await_state(job_id, "FINISHED")


def test_failing_tasks_end_the_job(flink: FlinkCluster, tmp_path: Path) -> None:
    """All tasks come to run, and a moment later the job is FAILED."""
    job_id = flink.run(
        TEST_JOBS_JAR,
        ["--output", str(tmp_path / "out"), "--fail-after-millis", "1500"],
        entryClass=entry_class("FailingTask"),
    )
    flink.await_state(job_id, "FAILED")
    assert "the task failed on purpose" in flink.root_exception(job_id)


def test_failing_tasks_are_restarted_when_asked_for(flink: FlinkCluster, run: Run) -> None:
    """With restarts the job fails again and again, and never ends on its own."""
    job_id = run("FailingTask", "--fail-after-millis", "300", "--restarts", "1000")
    path = f"/jobs/{job_id}/exceptions?maxExceptions=20"
    wait_until(
        lambda: len(flink.get(path)["exceptionHistory"]["entries"]) >= 2, 30, "it failed twice"
    )
    assert flink.jobs()[job_id]["state"] in ("RUNNING", "RESTARTING")


def test_without_checkpointing_only_a_stop_commits(
    flink: FlinkCluster, run: Run, tmp_path: Path
) -> None:
    """Flink shows an endless interval; the stop takes a savepoint and commits everything."""
    job_id = run("NoCheckpointing", "--rate", "200")
    assert flink.get(f"/jobs/{job_id}/checkpoints/config")["interval"] == 2**63 - 1
    assert committed_lines(tmp_path / "out") == []
    flink.stop_with_savepoint(job_id)
    assert assert_counts_continuous(tmp_path / "out", complete=True).total > 0


def test_a_batch_job_finishes_and_cannot_be_stopped(flink: FlinkCluster, tmp_path: Path) -> None:
    """It has no checkpoints and no savepoint; left alone it ends FINISHED with all its output."""
    answer = flink.submit(
        flink.upload(TEST_JOBS_JAR),
        ["--output", str(tmp_path / "out"), "--numbers", "80", "--millis", "20"],
        entryClass=entry_class("BatchJob"),
    )
    job_id = answer.raise_for_status().json()["jobid"]
    assert "failure-cause" in flink.stop(job_id)
    flink.await_state(job_id, "FINISHED")
    assert assert_counts_continuous(tmp_path / "out").by_key == dict.fromkeys(range(8), 10)


def test_global_parameters_replace_those_of_the_submission(flink: FlinkCluster, run: Run) -> None:
    """What was passed with the submission cannot be read back."""
    job_id = run(
        "GlobalParameters", flinkConfiguration={"pipeline.global-job-parameters": "owner:me"}
    )
    user = flink.get(f"/jobs/{job_id}/config")["execution-config"]["user-config"]
    assert user == {"set-by": "main"}
