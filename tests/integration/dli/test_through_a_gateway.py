"""Jobs on a real Flink, through a real gateway: the provider, its target a `DliProject`.

What is asserted is read from Flink and from what the jobs have committed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.gateway.principal import Role
from flink_jobs_provider.model.savepoint import same_path
from flink_jobs_provider.provider.run_output import FlinkJobError
from tests.counting_output import assert_counts_continuous
from tests.flink_cluster import FlinkCluster
from tests.gateway_process import GatewayProcess
from tests.integration.provided_job import COUNTING_ARGS, ProvidedJob, end_run, new_run
from tests.job_jars import entry_class

PROJECT = "48cc2c48765f481480c7db940d6409d1"
KEY = {
    "name": "signer",
    "access_key": "ABCDEFGH12345678",
    "secret_key": "env:GATEWAY_SECRET_KEY",
    "roles": {"*": "operate"},
}


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, flink_2_session: FlinkCluster
) -> Iterator[GatewayProcess]:
    """Serve the shared cluster as a queue; jars are uploaded to a directory that it mounts."""
    directory = tmp_path_factory.mktemp("gateway")
    jars = f"file://{directory}/jars"
    cluster = {
        "dli": {"project_id": PROJECT, "queues": ["streams"]},
        "flink": {"url": flink_2_session.url},
        "mounts": {jars: jars},
    }
    access = {"tokens_file": "tokens.yaml", "signing_keys": [KEY]}
    served = GatewayProcess(directory, flink_2_session.url, clusters=[cluster], access=access)
    with closing(served) as process:
        process.token("first", Role.READ)
        process.start({"GATEWAY_SECRET_KEY": "the-secret-key"})
        yield process


def target(gateway: GatewayProcess) -> dict[str, Any]:
    """Return the project that it serves."""
    return {
        "kind": "dli",
        "endpoint": gateway.url,
        "project_id": PROJECT,
        "queue": "streams",
        "token": "env:GATEWAY_TEST_TOKEN",
        "jar_upload_directory": f"file://{gateway.directory}/jars",
    }


@pytest.fixture
def job(
    gateway: GatewayProcess,
    flink_2: FlinkCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[ProvidedJob]:
    monkeypatch.setenv("GATEWAY_TEST_TOKEN", gateway.token(tmp_path.name, Role.OPERATE))
    yield ProvidedJob(target(gateway), flink_2, tmp_path)
    end_run()


def test_the_life_of_a_job(job: ProvidedJob) -> None:
    """Shows every change once: each with its state, and with nothing left to do afterwards."""
    settings = {"obs_bucket": "one", "resume_max_num": 3.0, "tags": {"team": "shop"}}
    created = job.up(dli=settings)
    job.assert_runs(None)
    assert (created["action"], created["status"]) == ("NEW", "RUNNING")
    assert created["run_id"].isdigit()
    assert job.unchanged()

    changed = job.up(dli={**settings, "obs_bucket": "two"})
    assert changed["job_id"] == created["job_id"], "it went on"
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

    started = job.up(desired_state="running", parallelism=1.0)
    assert started["action"] == "START"
    job.assert_runs(stopped["last_savepoint"])
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


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"entry_class": entry_class("IncompatibleState")}, "must not be incompatible"),
        ({"entry_class": "flinkjobs.NoSuchJob"}, "flinkjobs.NoSuchJob"),
    ],
)
def test_a_version_that_fails_gives_way_to_the_former(
    job: ProvidedJob, changes: dict[str, Any], why: str
) -> None:
    """Shows the way back, from the savepoint of the stop; and the next version, with the state."""
    job.up()
    job.assert_runs(None)
    before, good = job.state, job.inputs["entry_class"]
    with pytest.raises(FlinkJobError) as caught:
        job.up(**changes)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
    assert job.state is before
    job.up(entry_class=good)
    assert job.unchanged()
    told = f"The previous version runs again as job {job.state['job_id']}, from "
    assert told in str(caught.value)
    assert same_path(str(caught.value).partition(told)[2].partition(". ")[0], job.restored_from())
    job.assert_runs(job.state["last_savepoint"])
    job.up(args=[*job.inputs["args"], "--label", "3"])
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
    assert f"/{taken['job_id']}/chk-" in str(job.restored_from())
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


def test_signed_requests(
    job: ProvidedJob, gateway: GatewayProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLI_ACCESS_KEY", KEY["access_key"])  # type: ignore[arg-type]
    monkeypatch.setenv("DLI_SECRET_KEY", "the-secret-key")
    signed = {name: value for name, value in target(gateway).items() if name != "token"}
    signed |= {"access_key": "env:DLI_ACCESS_KEY", "secret_key": "env:DLI_SECRET_KEY"}
    job.up(target=signed)
    job.assert_runs(None)
    job.destroy()
    assert job.active() == []
    monkeypatch.setenv("DLI_SECRET_KEY", "another-secret-key")
    end_run()
    new_run(job.provider)
    job.state = {}
    with pytest.raises(FlinkJobError, match=r"refused the credentials \(401\)") as caught:
        job.up()
    assert "another-secret-key" not in str(caught.value)


def test_a_wrong_token(job: ProvidedJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_TEST_TOKEN", "fjg_correct-horse")
    with pytest.raises(FlinkJobError, match=r"refused the credentials \(401\)") as caught:
        job.up()
    assert "correct-horse" not in str(caught.value)
