"""A stop with savepoint that fails: no version is started without state, and the job comes back."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.flink.counting_stack import RETAINED, CountingStack

#: Seldom enough that only the checkpoints that something asks for meet a failing snapshot.
SELDOM = ("--checkpoint-interval", "600000")


def declare_failing(
    stack: CountingStack, name: str, marker: Path, restarts: int, **inputs: object
) -> tuple[str, ...]:
    """Declare a job whose snapshots fail while `marker` exists, and return its arguments."""
    args = (*SELDOM, "--marker", str(marker), "--restarts", str(restarts))
    stack.declare(name, *args, entry="FailingSnapshot", **inputs)
    return args


def test_a_job_that_survives_the_failed_stop_goes_on(stack: CountingStack, tmp_path: Path) -> None:
    """The old version runs on, and no other; once snapshots work again `up` updates it."""
    marker = tmp_path / "marker"
    args = declare_failing(stack, "orders", marker, 1000)
    stack.project.up()
    running = stack.job_id("orders")
    marker.touch()
    stack.change("orders", *args, "--label", "two")
    failed = stack.project.failing_up()
    failed.assert_says("orders: the stop with savepoint failed")
    failed.assert_says("no other version was started")
    failed.assert_says(f"Job {running} is R")
    assert stack.active("orders") == list(stack.submissions("orders")) == [running]

    marker.unlink()
    stack.project.up()
    stack.assert_updated("orders", running)
    assert stack.stop_and_count("orders")["orders"].labels["two"] > 0


def test_a_directory_that_cannot_be_written_leaves_the_job_running(
    stack: CountingStack, tmp_path: Path
) -> None:
    """The job goes on as it was, and is updated once the directory is mended."""
    (tmp_path / "file").touch()
    stack.declare("orders", savepoint_directory=f"file://{tmp_path}/file/below")
    stack.project.up()
    running = stack.job_id("orders")
    stack.await_progress("orders")
    stack.change("orders", "--label", "two")
    failed = stack.project.failing_up()
    failed.assert_says("no other version was started")
    assert stack.submissions("orders") == {running: "RUNNING"}

    stack.change("orders", savepoint_directory=f"file://{tmp_path}/savepoints")
    stack.project.up()
    stack.assert_updated("orders", running)
    assert stack.recorded("orders")["last_savepoint"].startswith(f"file:{tmp_path}/savepoints/")
    stack.stop_and_count("orders")


def test_a_job_taken_down_comes_back_from_its_checkpoint(
    stack: CountingStack, tmp_path: Path
) -> None:
    """The failed stop ends the job; nothing starts without state; the next `up` has it back."""
    marker = tmp_path / "marker"
    args = declare_failing(stack, "orders", marker, 0, flink_configuration=RETAINED)
    stack.project.up()
    running = stack.job_id("orders")
    marker.touch()
    stack.change("orders", *args, "--label", "two")
    failed = stack.project.failing_up()
    failed.assert_says("is now FAILED; nothing was started without state")
    failed.assert_says("nothing was started without state")
    failed.assert_says("it starts from its newest savepoint or retained checkpoint")
    assert stack.submissions("orders") == {running: "FAILED"}

    marker.unlink()
    stack.project.up()
    checkpoint = stack.recorded("orders")["restored_from"]
    assert f"/{running}/chk-" in checkpoint
    stack.assert_runs("orders", restored_from=checkpoint)
    assert stack.stop_and_count("orders")["orders"].labels["two"] > 0


def test_a_job_taken_down_without_a_checkpoint_is_not_started_from_nothing(
    stack: CountingStack, tmp_path: Path
) -> None:
    """Without any state left `up` refuses and says how to go on; told to, it begins anew."""
    marker = tmp_path / "marker"
    args = declare_failing(stack, "orders", marker, 0)
    stack.project.up()
    running = stack.job_id("orders")
    marker.touch()
    stack.change("orders", *args, "--label", "two")
    stack.project.failing_up()
    marker.unlink()

    refused = stack.project.failing_up()
    refused.assert_says("no savepoint or retained checkpoint of it is known")
    refused.assert_says('upgrade_mode to "stateless"')
    assert stack.submissions("orders") == {running: "FAILED"}

    stack.change("orders", *args, "--output", str(tmp_path / "anew"), upgrade_mode="stateless")
    done = stack.project.up()
    done.assert_says("STATE IS DISCARDED")
    stack.assert_runs("orders", restored_from=None)
