"""Clusters that end in the middle of an update, and stops that outlast the run that began them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flink_jobs_provider.model.savepoint import same_path
from tests.fault_proxy import FaultProxy, Moment, at_request
from tests.faults.counted_job import CountedJob, Victims
from tests.faults.points import CHECKPOINT, RUN, STOP
from tests.flink_cluster import FlinkCluster
from tests.job_jars import TEST_JOBS_JAR, entry_class
from tests.stack_project import StackProject

UP = ("up", "--yes", "--skip-preview")


@pytest.fixture
def private_job(private_flink: FlinkCluster, tmp_path: Path) -> Iterator[CountedJob]:
    """Return a job that runs on a cluster which may be ended."""
    with FaultProxy(private_flink.url) as proxy:
        project = StackProject(tmp_path / "project", "embedded", proxy.url)
        job = CountedJob(project, proxy, private_flink, tmp_path / "files")
        job.next_version()
        project.up()
        job.assert_runs()
        yield job
        job.close()


def test_a_cluster_killed_between_stop_and_start(private_job: CountedJob) -> None:
    """The error names the savepoint; when the cluster is back, its history gone, `up` uses it."""
    cluster = private_job.cluster
    private_job.next_version(timeouts={"submit": "5s"})
    private_job.proxy.begin(at_request(RUN.pattern, Moment.BEFORE, then=cluster.stop_job_manager))
    failed = private_job.project.failing_up()
    (savepoint,) = cluster.savepoints.glob("counted/*/*/_metadata")
    assert (
        f"its state is in file:{savepoint.parent}, whose _metadata is there and whole."
        in failed.text
    )
    assert "no connection to" in failed.text
    assert "the connection broke while main of the new version was being run" in failed.text
    assert "Traceback" not in failed.text

    again = private_job.project.failing_up()
    assert "counted" in again.text
    assert "counted: it could not be updated: no connection to" in again.text
    assert "How it is now is not known. Is the cluster up, and the address right?" in again.text
    kept = private_job.project.destroy(code=None)
    assert kept.code != 0
    recorded = private_job.outputs()["job_id"]
    assert f"counted: job {recorded} could not be ended: no connection to" in kept.text
    assert "Whether it runs is not known; it was not deleted, and stays recorded." in kept.text
    assert "(pulumi state delete, or flink-jobs state delete), which touches no job." in kept.text

    cluster.start_missing()
    assert private_job.active() == []
    private_job.recover()
    counts = private_job.assert_runs()
    assert counts.labels["v1"] > 0
    assert same_path(private_job.outputs()["restored_from"], f"file:{savepoint.parent}")


def test_a_cluster_killed_while_two_versions_are_compared(private_job: CountedJob) -> None:
    """The new version is not blamed; when the cluster is back, `up` goes on from kept state."""
    cluster = private_job.cluster
    blue = private_job.outputs()["job_id"]
    private_job.next_version(upgrade_mode="blue-green", health={"window": "5m"}, fresh_output=True)
    private_job.inputs["args"] += ["--sink-uid", private_job.label]
    private_job.inputs["allow_non_restored_state"] = True

    def restart() -> None:
        cluster.stop_job_manager()
        cluster.start_missing()

    strikes = at_request(CHECKPOINT.pattern, Moment.AFTER, then=restart, once_seen=RUN.pattern)
    private_job.proxy.begin(strikes)
    failed = private_job.project.failing_up()
    assert "the cluster no longer lists it" in failed.text
    assert "its JobManager may have restarted" in failed.text
    assert f"job {blue}, which ran alongside it, is not listed either" in failed.text
    assert "health." not in failed.text
    assert "did not pass" not in failed.text
    assert private_job.active() == []
    private_job.inputs.update(upgrade_mode="savepoint", health=None)
    private_job.recover()
    (job_id,) = private_job.active()
    assert private_job.outputs()["job_id"] == job_id
    assert private_job.outputs()["restored_from"]


def test_a_preview_on_a_cluster_that_lost_the_job_plans_no_rehearsal(
    private_job: CountedJob,
) -> None:
    """Shows it without a refresh, by a state that has the job running."""
    job_id = private_job.outputs()["job_id"]
    private_job.next_version()
    elsewhere = ["--output", str(private_job.directory / "rehearsed"), "--sink-uid", "rehearsed"]
    private_job.inputs["rehearsal"] = {"args": [*private_job.inputs["args"], *elsewhere]}
    private_job.project.preview().assert_says("counted: REHEARSE, then UPDATE, ")
    private_job.cluster.stop_job_manager()
    away = private_job.project.preview()
    away.assert_says(f"rehearsed if job {job_id} runs, which was not seen")
    private_job.cluster.start_missing()
    lost = private_job.project.preview()
    lost.assert_says(f"; not rehearsed, since job {job_id} is not listed by its cluster: --refresh")
    assert "REHEARSE" not in lost.text


@pytest.fixture
def slow_job(make_job: Callable[..., CountedJob]) -> CountedJob:
    """Return a job that runs, and takes seconds for a snapshot."""
    job = make_job()
    job.next_version()
    job.inputs.update(jar=str(TEST_JOBS_JAR), entry_class=entry_class("SlowSnapshot"))
    job.inputs["args"] += ["--snapshot-millis", "4000", "--checkpoint-interval", "60000"]
    job.project.up()
    job.proxy.begin()
    return job


def test_a_stop_that_is_still_going_on(slow_job: CountedJob) -> None:
    """The stop of the killed run is waited for; no second one is begun, and nothing runs twice."""
    before = set(slow_job.cluster.jobs())
    slow_job.inputs["parallelism"] = 2
    slow_job.interrupted(UP, STOP.strike, Victims.ENGINE_AND_PROVIDER)
    (old,) = slow_job.active()
    assert list(slow_job.cluster.savepoints.glob(f"counted/{old}/*/_metadata")) == []
    slow_job.recover()
    assert len(set(slow_job.cluster.jobs()) - before) == 1
    (savepoint,) = slow_job.cluster.savepoints.glob(f"counted/{old}/*/_metadata")
    outputs = slow_job.outputs()
    assert outputs["restored_from"] == f"file:{savepoint.parent}"
    assert slow_job.active() == [outputs["job_id"]]
