"""A new version that does not start: the old one runs (again) with its state, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from flink_jobs_provider.model.savepoint import same_path
from tests.end_to_end.flink.conftest import StackOn
from tests.end_to_end.flink.counting_stack import COUNTING_CLASS, CountingStack
from tests.flink_cluster import REFUSES_SECOND_JOBS, SLOTS, FlinkCluster
from tests.job_jars import TEST_JOBS_JAR, copy_with_other_bytes, entry_class


@pytest.fixture
def orders(stack: CountingStack) -> CountingStack:
    """Return a stack with a job `orders` that has counted a while, and one beside it."""
    stack.declare("orders")
    stack.declare("beside")
    stack.project.up()
    stack.await_progress("orders", "beside")
    return stack


def test_what_cannot_start_does_not_stop_the_old_version(orders: CountingStack) -> None:
    """A bad entry class, a `main` that throws, too few slots: refused, the job never interrupted.

    The next `up` with a good version is one UPDATE.
    """
    running, beside = orders.job_id("orders"), orders.job_id("beside")
    bad: list[tuple[dict[str, Any], str]] = [
        ({"entry_class": "flinkjobs.NoSuchJob"}, "flinkjobs.NoSuchJob"),
        ({"entry_class": entry_class("ThrowingMain")}, "main threw on purpose"),
        ({"entry_class": entry_class("ExitingMain")}, "attempted to exit JVM"),
        ({"parallelism": SLOTS + 6}, f"{SLOTS + 6} task slots are needed"),
    ]
    for inputs, reason in bad:
        orders.change("orders", **{"entry_class": COUNTING_CLASS, "parallelism": 1, **inputs})
        failed = orders.project.failing_up()
        failed.assert_says(reason)
        failed.assert_says(f"Job {running} goes on as it was.")
        assert ".java:" not in failed.text
        # The Pulumi SDK sends its own frames along, and the CLI prints them.
        assert "Traceback" not in failed.text or orders.project.engine == "pulumi"
        assert orders.submissions("orders") == {running: "RUNNING"}
        assert orders.job_id("orders") == running
    orders.await_progress("orders")

    orders.change("orders", entry_class=entry_class("CountingJobV2"), parallelism=2)
    orders.project.up()
    orders.assert_updated("orders", running)
    assert orders.active("beside") == [beside]
    assert orders.stop_and_count("orders")["orders"].labels["v2"] > 0


def test_a_version_that_fails_on_the_state_gives_way_to_the_old_one(orders: CountingStack) -> None:
    """State of another type, failing tasks: the old version runs again.

    It starts from the savepoint that was just taken; the error names both versions, and that
    savepoint. Declared again, the old version is known for what it is and not restarted; a good
    version afterwards goes on with the same state.
    """
    beside = orders.job_id("beside")
    savepoint = None
    bad = [
        (entry_class("IncompatibleState"), (), "must not be incompatible"),
        (entry_class("FailingTask"), ("--fail-after-millis", "0"), "the task failed on purpose"),
    ]
    for entry, args, reason in bad:
        [before] = orders.active("orders")
        orders.change("orders", "--label", reason.split()[0], *args, entry_class=entry)
        failed = orders.project.failing_up()
        [again] = orders.active("orders")
        failed.assert_says(reason)
        failed.assert_says("did not start")
        savepoint = orders.restored_from(again)
        assert savepoint is not None
        assert f"/orders/{before}/" in savepoint
        failed.assert_says(f"The previous version runs again as job {again}, from {savepoint}.")
        assert orders.submissions("orders")[before] == "FINISHED"
        orders.await_progress("orders")

    orders.project.drift().assert_says("orders: UPDATE")
    [before] = orders.active("orders")
    orders.change("orders", entry_class=COUNTING_CLASS, args=orders.args("orders"))
    orders.project.up("--refresh")
    assert orders.assert_runs("orders", restored_from=savepoint) == before, "it is the old version"
    assert same_path(orders.recorded("orders")["last_savepoint"], savepoint)
    orders.change("orders", "--label", "good", entry_class=entry_class("CountingJobV2"))
    orders.project.up()
    orders.assert_updated("orders", before)
    assert orders.active("beside") == [beside]
    assert orders.stop_and_count("orders")["orders"].labels["v2-good"] > 0


def test_a_main_that_does_not_start_one_job_is_refused(orders: CountingStack, target: str) -> None:
    """Two jobs, or none: nothing of the new version runs on, and the old one does.

    The first of two jobs may commit lines before it is cancelled, which the old version does again.
    Before Flink 2.3 the second one is taken and never runs: the first is the new version.
    """
    second = "main starts a second job, which a session cluster does not allow for one jobId"
    [before] = orders.active("orders")
    orders.change("orders", "--main", "none", entry_class=entry_class("UnusualMain"))
    if target != "dli":  # the service takes a new version when the job is stopped, and no sooner
        failed = orders.project.failing_up()
        failed.assert_says(
            "orders: the new version cannot be started: main has started no job: it must call "
            "execute() (Flink says: "
        )
        failed.assert_says(f"Job {before} goes on as it was.")
        assert orders.active("orders") == [before]

    orders.change("orders", "--main", "twice")
    if orders.cluster.release < REFUSES_SECOND_JOBS:
        orders.project.up()
        orders.assert_updated("orders", before)
        return
    failed = orders.project.failing_up()
    [again] = orders.active("orders")
    failed.assert_says(second)
    failed.assert_says(f"The previous version runs again as job {again}, from ")
    assert orders.submissions("orders")[again] == "RUNNING"

    orders.change("orders", entry_class=COUNTING_CLASS, args=orders.args("orders"))
    orders.declare("news", "--main", "twice", entry="UnusualMain")
    failed = orders.project.failing_up()
    failed.assert_says(second)
    # The first of the two jobs may have completed a checkpoint, or not.
    failed.assert_says("Nothing of it runs; ")
    assert orders.active("news") == []


def test_a_job_under_another_jobid_is_cancelled(flink_1: FlinkCluster, stack_on: StackOn) -> None:
    """Flink 1.20 lets `main` choose the jobId: what it started is named, and the old version runs.

    The same id once more is none of ours that is repeated, and of two jobs that `main` executes
    without waiting, neither is left.
    """
    stack = stack_on(flink_1)
    stack.declare("orders")
    stack.project.up()
    [before] = stack.active("orders")
    other = uuid4().hex  # the cluster is shared, and refuses an id that it has had
    stack.change(
        "orders", "--main", "other-id", "--job-id", other, entry_class=entry_class("UnusualMain")
    )
    failed = stack.project.failing_up()
    failed.assert_says(f"main started job {other} instead of")
    failed.assert_says("a cancel of it was asked for, and it is CANCELED")
    [again] = stack.active("orders")
    failed.assert_says(f"The previous version runs again as job {again}, from ")
    assert stack.submissions("orders") == {before: "FINISHED", again: "RUNNING"}
    assert flink_1.jobs()[other]["state"] == "CANCELED"

    failed = stack.project.failing_up()
    [again] = stack.active("orders")
    failed.assert_says("main does not start its job under ", "under one of a job that the cluster")
    failed.assert_says(f"The previous version runs again as job {again}, from ")

    stack.change("orders", "--main", "async")
    failed = stack.project.failing_up()
    [again] = stack.active("orders")
    failed.assert_says(f"The previous version runs again as job {again}, from ")


def test_state_without_a_place_is_refused_before_the_stop(stack: CountingStack) -> None:
    """An operator that is missing from the new version, and ids that are random: nothing stops."""
    stack.declare("orders")
    stack.declare("random", entry="RandomUid")
    stack.project.up()
    stack.await_progress("orders", "random")
    running = {name: stack.job_id(name) for name in ("orders", "random")}
    missing = {"entry_class": entry_class("MissingOperator")}
    for name, inputs in (("orders", missing), ("random", {"restart_trigger": "again"})):
        job_id, before = running[name], dict(stack.project.jobs[name])
        stack.change(name, **inputs)
        failed = stack.project.failing_up()
        failed.assert_says(f"{name}: the new version has no place for")
        failed.assert_says("it has no operator with the id of count")
        failed.assert_says(f"Job {job_id} goes on as it was.")
        assert stack.active(name) == [job_id]
        stack.project.jobs[name] = before
    stack.await_progress("orders", "random")


def test_a_main_that_ends_the_job_manager_is_named(
    start_flink: Callable[..., FlinkCluster], stack_on: StackOn, target: str
) -> None:
    """System.exit in `main` on a cluster that does not intercept it: the step, and who else ran.

    It is said in the run before that the cluster can be ended so.
    """
    cluster = start_flink(configuration={"cluster.intercept-user-system-exit": "DISABLED"})
    stack = stack_on(cluster)
    stack.declare("orders")
    stack.declare("beside")
    up = stack.project.up()
    if target == "flink":
        assert "a program whose main calls System.exit ends this cluster's JobManager" in up.text
    beside = stack.job_id("beside")
    stack.change("orders", entry_class=entry_class("ExitingMain"))
    failed = stack.project.failing_up()
    failed.assert_says("the connection broke while main of the new version was being tried")
    failed.assert_says("the cluster may have gone down with it")
    failed.assert_says(f"counting ({beside})")
    failed.assert_says("Set cluster.intercept-user-system-exit to THROW")
    assert cluster.status().state == "incomplete", "the JobManager is gone"


def test_a_first_version_that_fails_leaves_nothing(stack: CountingStack, target: str) -> None:
    """A create that fails leaves no job and no jar; a good version then starts from nothing.

    One that does not fit on the cluster is not begun: it would take every free slot for minutes.
    """
    bad: list[tuple[dict[str, Any], str]] = [
        ({"entry_class": entry_class("ThrowingMain")}, "main threw on purpose")
    ]
    if target == "flink":  # a gateway waits for slots first
        bad += [
            ({"parallelism": SLOTS + 6}, f"{SLOTS + 6} task slots are needed, {SLOTS} are free")
        ]
    stack.declare("orders")
    for inputs, reason in bad:
        stack.change("orders", **{"entry_class": COUNTING_CLASS, "parallelism": 1, **inputs})
        failed = stack.project.failing_up()
        failed.assert_says(reason)
        failed.assert_says("Nothing of it runs")
        assert stack.submissions("orders") == {}
        assert stack.cluster.get("/jars")["files"] == []
    stack.change("orders", entry_class=COUNTING_CLASS, parallelism=1)
    stack.project.up()
    stack.assert_runs("orders", restored_from=None)


def test_two_jobs_that_do_not_fit_together(stack: CountingStack, target: str) -> None:
    """Each fits alone: one starts, and the other one is refused with numbers and takes no slot."""
    names, wide = ("first", "second"), SLOTS // 2 + 1
    for name in names:
        stack.declare(name, parallelism=wide)
    failed = stack.project.failing_up()
    active = {name: stack.active(name) for name in names}
    refused, started = sorted(names, key=lambda name: len(active[name]))
    assert active == {refused: [], started: [stack.job_id(started)]}
    if target == "flink":  # a gateway waits for slots first
        assert stack.submissions(refused) == {}
        failed.assert_says(f"{refused}: {wide} task slots are needed, {SLOTS - wide} are free")
    failed.assert_says("Nothing of it runs")
    stack.assert_runs(started, restored_from=None)


def test_the_way_back_is_there_before_the_old_version_is_stopped(
    stack: CountingStack, tmp_path: Path
) -> None:
    """The upload directory is emptied: the old jar's file is uploaded again, or nothing is stopped.

    With the file where it was, a version that fails gives way to the old one. With other content
    there, the update is refused while the old version runs on.
    """
    first = copy_with_other_bytes(TEST_JOBS_JAR, tmp_path / "orders.jar", "first")
    second = copy_with_other_bytes(TEST_JOBS_JAR, tmp_path / "next.jar", "second")
    stack.declare("orders", jar=first)
    stack.project.up()
    stack.await_progress("orders")
    _empty_upload_directory(stack.cluster)
    failing = {"entry_class": entry_class("FailingTask"), "jar": str(second)}
    stack.change("orders", "--fail-after-millis", "0", **failing)
    stack.project.failing_up().assert_says("The previous version runs again as job")
    stack.await_progress("orders")

    [running] = stack.active("orders")
    _empty_upload_directory(stack.cluster)
    copy_with_other_bytes(TEST_JOBS_JAR, first, "rebuilt in place")
    failed = stack.project.failing_up("--refresh")
    failed.assert_says("the previous version could not be started again if the new one fails")
    failed.assert_says(f"and {first} has other content now. Job {running} goes on as it was.")
    assert stack.active("orders") == [running]
    stack.await_progress("orders")


def _empty_upload_directory(cluster: FlinkCluster) -> None:
    for jar in cluster.layout.uploads.rglob("*.jar"):
        jar.unlink()
