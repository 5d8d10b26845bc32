"""Jobs on a real Flink, through a real gateway: the provider, its target an `HDInsightCluster`.

What is asserted is read from Flink and from what the jobs have committed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flink_jobs_provider.gateway.principal import Role
from flink_jobs_provider.model.savepoint import same_path
from flink_jobs_provider.provider.run_output import FlinkJobError
from tests.counting_output import assert_counts_continuous
from tests.flink_cluster import FlinkCluster
from tests.gateway_process import CLUSTER, GatewayProcess
from tests.integration.provided_job import COUNTING_ARGS, ProvidedJob, end_run
from tests.job_jars import entry_class


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, flink_2_session: FlinkCluster
) -> Iterator[GatewayProcess]:
    """Serve the shared cluster; jars are uploaded to a directory that it mounts."""
    directory = tmp_path_factory.mktemp("gateway")
    jars = f"file://{directory}/jars"
    cluster = {"id": CLUSTER, "flink": {"url": flink_2_session.url}, "mounts": {jars: jars}}
    with closing(GatewayProcess(directory, flink_2_session.url, clusters=[cluster])) as process:
        process.token("first", Role.READ)
        process.start()
        yield process


@pytest.fixture
def job(
    gateway: GatewayProcess,
    flink_2: FlinkCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[ProvidedJob]:
    monkeypatch.setenv("GATEWAY_TEST_TOKEN", gateway.token(tmp_path.name, Role.OPERATE))
    _, _, subscription, _, group, _, _, _, pool, _, name = CLUSTER.split("/")
    target = {
        "kind": "hdinsight",
        "subscription": subscription,
        "resource_group": group,
        "cluster_pool": pool,
        "cluster": name,
        "endpoint": gateway.url,
        "token": "env:GATEWAY_TEST_TOKEN",
        "jar_upload_directory": f"file://{gateway.directory}/jars",
    }
    yield ProvidedJob(target, flink_2, tmp_path)
    end_run()


def test_the_life_of_a_job(job: ProvidedJob) -> None:
    """Shows every change once: each with its state, and with nothing left to do afterwards."""
    created = job.up()
    job.assert_runs(None)
    assert (created["action"], created["status"]) == ("NEW", "RUNNING")
    assert created["run_id"].startswith("job-")
    assert job.unchanged()

    updated = job.up(parallelism=2.0, args=[*job.inputs["args"], "--label", "two"])
    assert (updated["action"], updated["generation"]) == ("UPDATE", 2)
    job.assert_runs(updated["last_savepoint"])
    assert job.unchanged()

    taken = job.up(savepoint_trigger="1")
    assert (taken["action"], taken["job_id"]) == ("SAVEPOINT", updated["job_id"])
    assert taken["last_savepoint"] != updated["last_savepoint"]

    stopped = job.up(desired_state="stopped")
    assert (stopped["action"], stopped["status"]) == ("STOP", "STOPPED")
    assert job.active() == []
    assert job.unchanged()
    assert_counts_continuous(job.output, complete=True)

    started = job.up(desired_state="running")
    assert started["action"] == "START"
    job.assert_runs(stopped["last_savepoint"])

    stopped = job.up(desired_state="stopped")
    changed = job.up(desired_state="running", parallelism=1.0)
    job.assert_runs(stopped["last_savepoint"])
    assert changed["restored_from"] == changed["last_savepoint"]
    assert job.unchanged()

    last_state = job.up(upgrade_mode="last-state", restart_trigger="1")
    assert last_state["action"] == "LAST_STATE_UPDATE"
    assert job.active() == [last_state["job_id"]]
    assert job.unchanged()

    job.up(upgrade_mode="savepoint", on_delete="savepoint")
    job.destroy()
    assert job.active() == []
    assert_counts_continuous(job.output, complete=True)
    assert not list(Path(job.inputs["target"]["jar_upload_directory"][7:]).glob("*.jar"))
    job.destroy()


def test_a_version_that_fails_gives_way_to_the_former(job: ProvidedJob) -> None:
    """Shows the gateway's rollback, told by the provider; and the next version, with the state."""
    job.up()
    job.assert_runs(None)
    before = job.state
    with pytest.raises(FlinkJobError) as caught:
        job.up(entry_class=entry_class("IncompatibleState"))
    assert "UPDATE failed: " in str(caught.value)
    assert "must not be incompatible" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert job.state is before
    args = job.inputs["args"]
    job.up(entry_class="flinkjobs.counting.CountingJob")
    assert job.unchanged()
    assert "The previous version runs again as job " + job.state["job_id"] in str(caught.value)
    job.assert_runs(job.state["last_savepoint"])
    job.up(entry_class="flinkjobs.counting.CountingJob", args=[*args, "--label", "3"])
    job.assert_runs(job.state["last_savepoint"])


def test_a_named_savepoint_wins_and_the_state_before_is_kept(job: ProvidedJob) -> None:
    job.up()
    older = job.up(savepoint_trigger="1")["last_savepoint"]
    job.output = job.output.with_name("again")
    args = ["--output", str(job.output), *COUNTING_ARGS]
    before = job.state["job_id"]
    job.up(restore_from=older, args=args)
    assert job.active() == [job.state["job_id"]]
    assert same_path(job.restored_from(), older)
    assert same_path(job.state["last_savepoint"], older)
    [given_up] = [each["path"] for each in job.state["savepoints"] if each["reason"] == "UPDATE"]
    assert f"/{before}/" in given_up
    assert Path(given_up.removeprefix("file:"), "_metadata").is_file()
    assert job.unchanged()


def test_a_create_whose_record_was_lost_is_adopted(job: ProvidedJob) -> None:
    first = job.up()
    job.state = {}
    second = job.up()
    assert second["job_id"] == first["job_id"]
    assert job.active() == [first["job_id"]]
    job.state = {}
    with pytest.raises(FlinkJobError, match="for another owner than somebody/else/dev"):
        job.up(owner="somebody/else/dev")


def test_a_job_that_ended_on_the_cluster_comes_back(job: ProvidedJob) -> None:
    """Shows drift: seen by a refresh, and mended from the newest state, which is a checkpoint.

    And that state which is dropped in words is dropped, though it is still there.
    """
    job.up()
    taken = job.up(savepoint_trigger="1")
    job.assert_counts_on()
    job.cancel_on_the_cluster()
    started = job.up()
    assert started["action"] == "RE_LAUNCH"
    assert job.active() == [started["job_id"]]
    assert f"/{taken['job_id']}/chk-" in str(started["restored_from"])
    assert same_path(started["restored_from"], job.restored_from())
    assert same_path(started["last_savepoint"], taken["last_savepoint"])
    job.assert_counts_on()
    assert job.unchanged()

    job.cancel_on_the_cluster()
    job.output = job.output.with_name("afresh")
    args = ["--output", str(job.output), *COUNTING_ARGS]
    started = job.up(upgrade_mode="stateless", args=args)
    assert started["action"] == "STATELESS_UPDATE"
    job.assert_runs(None)
    assert started["last_savepoint"] is None
    assert job.unchanged()


def test_a_wrong_token(job: ProvidedJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_TEST_TOKEN", "fjg_correct-horse")
    with pytest.raises(FlinkJobError, match=r"refused the credentials \(401\)") as caught:
        job.up()
    assert "correct-horse" not in str(caught.value)
