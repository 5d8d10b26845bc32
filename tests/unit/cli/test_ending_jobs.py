"""`flink-jobs jobs stop`, `savepoint` and `cancel` end jobs as the reconciler does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from unittest.mock import patch

import pytest
from typer.testing import CliRunner, Result

from flink_jobs_provider.cli.app import app
from flink_jobs_provider.control_planes.connection import Clusters
from flink_jobs_provider.control_planes.protocol import Submission
from flink_jobs_provider.model.identity import JobKey
from flink_jobs_provider.reconciling.flink import reconciler
from tests.unit.cli.test_job_actions import NamingFlink
from tests.unit.model.made_up_jobs import DIGEST_1, OWNER, spec
from tests.unit.reconciling.flink.fake_job import Program

URL = "http://127.0.0.1:8081"


@pytest.fixture
def flink() -> Iterator[NamingFlink]:
    """Return a Flink in memory, which the commands find in the place of a real one."""
    cluster = NamingFlink()
    with (
        patch.object(Clusters, "of", lambda _self, _target: cluster),
        patch.object(reconciler, "Clock", cluster._time.clock),
    ):
        yield cluster


def run(*words: str, code: int = 0) -> Result:
    """Run a command on the cluster."""
    result = CliRunner().invoke(app, ["jobs", *words, "--url", URL])
    assert result.exit_code == code, result.output
    return result


def started(flink: NamingFlink, program: Program | None = None) -> str:
    """Start the job `orders`, and let it come up; return its jobId."""
    flink.programs[""] = program or Program()
    job_id = flink.start("orders")
    flink.pass_time(5)
    return job_id


def actions(flink: NamingFlink) -> list[str]:
    """Return what was asked for that changes a job."""
    return [step for step in flink.steps if step in ("stop", "savepoint", "cancel")]


@pytest.mark.parametrize("command", ["stop", "savepoint"])
def test_a_job_whose_tasks_do_not_run_is_refused_before_anything_is_asked_for(
    flink: NamingFlink, command: str
) -> None:
    """Shows the reconciler's preflight: the job goes on, and the error says what to do."""
    job_id = started(flink, Program(comes_up=False))
    said = run(command, "orders", code=1).stderr
    assert "orders: no savepoint can be taken while its tasks do not all run: after 30 s" in said
    assert f"Job {job_id} was left as it is." in said
    assert "`flink-jobs jobs cancel` ends it without a savepoint" in said
    assert "upgrade_mode" not in said
    assert actions(flink) == []
    assert flink.jobs_by_id[job_id].active


@pytest.mark.parametrize("command", ["stop", "savepoint"])
def test_a_cluster_without_a_savepoint_directory(flink: NamingFlink, command: str) -> None:
    job_id = started(flink)
    flink.cluster = replace(flink.cluster, savepoint_directory="")
    said = run(command, "orders", code=1).stderr
    assert "neither the job nor the cluster names a savepoint directory" in said
    assert f"Job {job_id} goes on as it was. Give --directory." in said
    assert actions(flink) == []
    done = json.loads(run(command, "orders", "--directory", flink.own, "--json").stdout)
    assert done["savepoint"].startswith(f"{flink.own}/orders/{job_id}/")


def test_a_stop_that_fails_says_how_the_job_is(flink: NamingFlink) -> None:
    job_id = started(flink, Program(stop_fault="goes on"))
    said = run("stop", "orders", code=1).stderr
    assert "orders: the stop with savepoint failed:" in said
    assert f"Job {job_id} is RUNNING; no other version was started." in said


def test_a_savepoint_that_is_not_whole_is_no_success(flink: NamingFlink) -> None:
    """Shows that the savepoint is looked at before it is called one."""
    job_id = started(flink)

    def remove(step: str) -> None:
        if step == "stop done":
            flink.remove(flink.jobs_by_id[job_id].savepoint)

    flink.on_step = remove
    said = run("stop", "orders", code=1).stderr
    assert f"orders: the savepoint {flink.jobs_by_id[job_id].savepoint}" in said
    assert f"Job {job_id} ended with it." in said


def test_a_stop_is_taken_once(flink: NamingFlink) -> None:
    """Shows the trigger id that a stack's own stop has: a repeat finds the same savepoint."""
    job_id = started(flink)
    done = json.loads(run("stop", "orders", "--json").stdout)
    assert done == {
        "job_name": "orders",
        "job_id": job_id,
        "savepoint": flink.jobs_by_id[job_id].savepoint,
        "status": "FINISHED",
    }
    assert list(flink._operations) == [(job_id, "stop", "")]


def test_a_cancel(flink: NamingFlink) -> None:
    job_id = started(flink)
    assert "orders is CANCELED." in run("cancel", "orders", "--yes").output
    assert flink.jobs_by_id[job_id].state == "CANCELED"


def test_a_job_of_somebody_else(flink: NamingFlink) -> None:
    """Shows a job that no stack owns, by the name that its program gives itself."""
    submission = Submission("f" * 32, spec(job_name="other", parallelism=1), DIGEST_1, None)
    flink.submit_by_hand(submission)
    flink.pass_time(5)
    assert not JobKey("orders", OWNER).shares_name("f" * 32)
    done = json.loads(run("stop", "whatever main says", "--json").stdout)
    assert (done["job_name"], done["status"]) == ("whatever main says", "FINISHED")
