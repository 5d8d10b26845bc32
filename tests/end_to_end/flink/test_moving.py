"""A job is carried to another real cluster by a change of its target, also by a killed run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.counting_output import assert_counts_continuous
from tests.end_to_end.flink.conftest import StackOn
from tests.end_to_end.flink.counting_stack import CountingStack
from tests.flink_cluster import FLINK_2, FlinkCluster
from tests.waiting import wait_until


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[FlinkCluster]:
    """Return a second cluster on this machine, with directories of its own."""
    with closing(FlinkCluster(tmp_path, FLINK_2, slots=4)) as cluster:
        yield cluster


def active(cluster: FlinkCluster) -> list[str]:
    """Return the jobs of a cluster that run."""
    return [job for job, row in cluster.jobs().items() if row["state"] == "RUNNING"]


@contextmanager
def without_state(stack: CountingStack) -> Iterator[None]:
    """Take all resources out of the state of a stack, until the block ends."""
    recorded = stack.project.checkpoint.read_text(encoding="utf-8")
    lost = json.loads(recorded)
    lost["checkpoint"]["latest"]["resources"] = []
    stack.project.checkpoint.write_text(json.dumps(lost), encoding="utf-8")
    yield
    stack.project.checkpoint.write_text(recorded, encoding="utf-8")


def test_a_job_is_moved_there_and_back_also_by_killed_runs(
    stack: CountingStack, elsewhere: FlinkCluster, tmp_path: Path
) -> None:
    """It counts on without a gap or a repeat, and runs on one of the two alone at each moment.

    A stack whose state was lost does not start it where it was moved away from.
    """
    here, there = stack.cluster, elsewhere
    stack.declare("orders", move=True, savepoint_directory=str(tmp_path / "savepoints"))
    stack.project.up()
    stack.await_progress("orders")
    first = stack.job_id("orders")

    stack.change("orders", target={"url": there.url})
    line = (
        f"orders: UPDATE, stop with savepoint on {here.url}, and start from it on the new: cluster "
        f"{here.url} → {there.url}"
    )
    stack.project.preview().assert_says(line)
    assert active(here) == [first]
    stack.project.up().assert_says(line)
    second = stack.job_id("orders")
    assert (active(here), active(there)) == ([], [second])
    assert here.jobs()[first]["state"] == "FINISHED"
    stack.await_progress("orders")
    stack.project.preview("--refresh", "--expect-no-changes")

    stack.change("orders", target={"url": here.url})
    with without_state(stack):
        stack.project.failing_up().assert_says(
            f"orders: an earlier run was moving job {first} to another cluster, where it may run. "
            "Nothing was started here."
        )
    assert (active(here), active(there)) == ([], [second])
    run = stack.project.start("up", "--yes", "--skip-preview")
    wait_until(lambda: not active(there), 60, "the job ends where it was", interval=0.02)
    stack.project.close()
    run.communicate()
    assert len(active(here)) + len(active(there)) <= 1
    stack.project.cancel()
    stack.project.up()
    assert (active(here), active(there)) == ([stack.job_id("orders")], [])
    stack.await_progress("orders")

    stack.change("orders", desired_state="stopped")
    stack.project.up()
    assert assert_counts_continuous(stack.output("orders"), complete=True).total > 0


def test_a_job_is_carried_into_another_stack_also_by_killed_runs(
    flink: FlinkCluster, stack_on: StackOn, tmp_path: Path
) -> None:
    """It is released, adopted, and moved: one stack has it at each moment, and it runs once.

    The stack that had it declares it again meanwhile, and afterwards: it starts nothing.
    """
    with closing(FlinkCluster(tmp_path, flink.version, slots=4)) as there:
        giver, taker = stack_on(flink), stack_on(flink, "taker")
        inputs = {"savepoint_directory": str(tmp_path / "savepoints")}
        giver.declare("orders", on_delete="release", **inputs)
        giver.project.up()
        giver.await_progress("orders")
        first = giver.job_id("orders")
        giver.project.destroy().assert_says(f"takes it over with adopt: {first}")
        taker.declare("orders", adopt=first, move=True, **inputs)
        taker.project.jobs["orders"]["args"] = giver.args("orders")
        taker.project.preview().assert_says(
            f"orders: ADOPT job {first} (counting), it goes on as it is; it runs the declared "
            "version"
        )
        taker.project.up()
        assert (taker.job_id("orders"), active(flink)) == (first, [first])
        giver.project.failing_up().assert_says("was adopted by another stack")

        taker.change("orders", target={"url": there.url})
        run = taker.project.start("up", "--yes", "--skip-preview")
        wait_until(lambda: not active(flink), 60, "the job ends where it was", interval=0.02)
        taker.project.close()
        run.communicate()
        assert len(active(flink)) + len(active(there)) <= 1
        giver.project.failing_up().assert_says("was adopted by another stack")
        taker.project.cancel()
        taker.project.up()
        assert (active(flink), active(there)) == ([], [taker.job_id("orders")])
        giver.project.failing_up().assert_says("was adopted by another stack", "may run elsewhere")
        assert active(flink) == []
        giver.await_progress("orders")
        taker.change("orders", desired_state="stopped")
        taker.project.up()
        assert assert_counts_continuous(giver.output("orders"), complete=True).total > 0


def test_what_does_not_start_there_goes_on_here(stack: CountingStack, tmp_path: Path) -> None:
    """Too few slots are refused before the stop; a start that fails there is taken back."""
    broken = {"execution.checkpointing.dir": "file:///proc/none"}
    directory = str(tmp_path / "savepoints")
    with closing(FlinkCluster(tmp_path, FLINK_2, slots=4, configuration=broken)) as elsewhere:
        stack.declare("wide", move=True, savepoint_directory=directory, parallelism=8)
        stack.declare("orders", move=True, savepoint_directory=directory)
        stack.project.up()
        wide, orders = stack.job_id("wide"), stack.job_id("orders")
        stack.await_progress("orders")
        for name in ("wide", "orders"):
            stack.change(name, target={"url": elsewhere.url})
        stack.project.failing_up().assert_says(
            "8 task slots are needed, 4 are free",
            f"Job {wide} goes on as it was",
            f"orders: it did not start on {elsewhere.url}: ",
            f"It runs again on {stack.cluster.url} as job ",
        )
        assert active(elsewhere) == []
        [again] = [job for job in active(stack.cluster) if job != wide]
        assert again != orders
        assert again == stack.job_id("orders")
        assert f"/orders/{orders}/" in str(stack.restored_from(again))
        stack.await_progress("orders")
        stack.change("wide", move=False)
        stack.project.failing_up().assert_says("a change of target starts another job")
