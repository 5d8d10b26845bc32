"""A version whose tasks ran for a moment did not come up: the old one runs again, or nothing."""

from __future__ import annotations

from tests.end_to_end.flink.counting_stack import CountingStack
from tests.job_jars import TEST_JOBS_JAR, entry_class


def test_a_version_that_fails_soon_after_its_tasks_run_gives_way(stack: CountingStack) -> None:
    """A map that throws 0.5 s after its first record, and a task that fails after two checkpoints.

    The first has no checkpointing. `up` fails, the previous version runs again with its state; a
    first version is cancelled, and nothing is recorded of it.
    """
    late = ("--fail-after-millis", "1500", "--checkpoint-interval", "400", "--restarts", "5")
    soon = ("--fail-after-millis", "500", "--checkpoint-interval", "0")
    stack.declare("orders", settle_time="1s")
    stack.declare("new", *soon, entry="FailingTask", settle_time="10s")
    failed = stack.project.failing_up()
    failed.assert_says("new: version 1 did not start: it did not stay up for 10 s")
    failed.assert_says("the task failed on purpose")
    assert set(stack.submissions("new").values()) == {"FAILED"}
    assert "new" not in stack.project.resources()
    del stack.project.jobs["new"]
    stack.await_progress("orders")

    for args in (soon, late):
        [before] = stack.active("orders")
        # What a version commits until it fails, the previous one counts once more.
        stack.await_progress("orders")
        stack.change("orders", *args, entry_class=entry_class("FailingTask"), settle_time="10s")
        failed = stack.project.failing_up()
        [again] = stack.active("orders")
        failed.assert_says("it did not stay up for 10 s", "the task failed on purpose")
        failed.assert_says(f"The previous version runs again as job {again}, from ")
        assert f"/orders/{before}/" in str(stack.restored_from(again))


def test_a_source_that_finds_nobody_to_read_from_did_not_come_up(stack: CountingStack) -> None:
    """Shows a job as Flink's SocketWindowWordCount where nobody listens: without checkpoints."""
    stack.project.declare(
        "socket",
        jar=str(TEST_JOBS_JAR),
        entry_class=entry_class("SocketSource"),
        args=["--port", "1"],
        parallelism=1,
        settle_time="10s",
    )
    failed = stack.project.failing_up()
    failed.assert_says("Connection refused", "Nothing of it runs")
    assert stack.active("socket") == []
    assert stack.project.resources() == {}
