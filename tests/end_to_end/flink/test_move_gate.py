"""A move that its health gate judges, or whose job is lost: each number is counted once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.counting_output import assert_counts_continuous
from tests.end_to_end.flink.conftest import StackOn
from tests.end_to_end.flink.counting_stack import RETAINED, CountingStack
from tests.flink_cluster import FLINK_1, FLINK_2, FlinkCluster
from tests.waiting import wait_until

PASSES = {"window": "4s", "require_output": True, "max_checkpoint_slowdown": 100}
#: It is watched for so long that a test ends it.
WATCHED = {"window": "10m"}
#: No job completes as many in its time.
FAILS = {"window": "2s", "min_checkpoints": 100_000}


def active(cluster: FlinkCluster) -> list[str]:
    """Return the jobs of a cluster that run."""
    return [job for job, row in cluster.jobs().items() if row["state"] == "RUNNING"]


@pytest.mark.parametrize("version", sorted({FLINK_1, FLINK_2}))
def test_a_job_that_does_not_pass_there_goes_back_with_what_it_has_done(
    start_flink: Callable[..., FlinkCluster], stack_on: StackOn, tmp_path: Path, version: str
) -> None:
    """Shows it of a run that ends, and of one that is killed during the gate; and one that passes.

    No number is lost or counted twice, though the job has committed lines on both clusters.
    """
    here = start_flink(version)
    with closing(FlinkCluster(tmp_path / "elsewhere", version, slots=4)) as there:
        stack = stack_on(here)
        stack.declare(
            "orders",
            move=True,
            savepoint_directory=str(tmp_path / "savepoints"),
            flink_configuration=RETAINED,
            settle_time="1s",
        )
        stack.project.up()
        first = stack.job_id("orders")
        stack.await_progress("orders")

        gated = {"target": {"url": there.url}, "timeouts": {"running": "15s"}}
        stack.change("orders", **gated, health=FAILS)
        stack.project.preview().assert_says("and start from it on the new", "; health gate 2s")
        stack.project.failing_up().assert_says(
            f"orders: it did not pass its health gate on {there.url}: health.min_checkpoints: ",
            f"It runs again on {here.url} as job ",
            "; it goes on from what the new version has done",
        )
        [again] = active(here)
        assert (active(there), stack.job_id("orders")) == ([], again)
        [tried] = there.jobs()
        assert f"/{tried}/" in str(stack.restored_from(again))
        assert again != first
        stack.await_progress("orders")

        run = stack.project.start("up", "--yes", "--skip-preview")
        wait_until(lambda: active(there), 90, "the job runs on the new cluster")
        stack.project.close()
        run.communicate()
        stack.project.cancel()
        stack.change("orders", health=PASSES, timeouts={})
        stack.project.up().assert_says("orders: health gate passed: ")
        assert (active(here), active(there)) == ([], [stack.job_id("orders")])
        stack.await_progress("orders")
        stack.change("orders", desired_state="stopped")
        stack.project.up()
        assert assert_counts_continuous(stack.output("orders"), complete=True).total > 0


@pytest.fixture
def there(tmp_path: Path) -> Iterator[FlinkCluster]:
    """Return a second cluster, with directories of its own."""
    with closing(FlinkCluster(tmp_path / "elsewhere", FLINK_2, slots=4)) as cluster:
        yield cluster


def declared(stack: CountingStack, there: FlinkCluster, health: dict[str, Any]) -> None:
    """Start the job, and declare it for the other cluster."""
    stack.declare(
        "orders",
        move=True,
        savepoint_directory=str(stack.directory / "savepoints"),
        flink_configuration=RETAINED,
        settle_time="1s",
    )
    stack.project.up()
    stack.await_progress("orders")
    stack.change("orders", target={"url": there.url}, health=health, timeouts={"running": "20m"})


def counts_once(stack: CountingStack, there: FlinkCluster) -> None:
    """Assert that the job runs on the new cluster alone, and that each number is there once."""
    assert (active(stack.cluster), active(there)) == ([], [stack.job_id("orders")])
    stack.await_progress("orders")
    stack.change("orders", desired_state="stopped")
    stack.project.up()
    assert assert_counts_continuous(stack.output("orders"), complete=True).total > 0


def test_a_job_that_its_new_cluster_lost_goes_on_from_its_checkpoint_there(
    stack: CountingStack, there: FlinkCluster
) -> None:
    """Shows it of a JobManager that restarts without HA when the job has committed there."""
    declared(stack, there, WATCHED)
    run = stack.project.start("up", "--yes", "--skip-preview")
    wait_until(lambda: active(there), 90, "the job runs on the new cluster")
    [lost] = active(there)
    stack.await_progress("orders")
    there.restart_job_manager()
    said = "".join(run.communicate())
    assert run.returncode != 0
    assert "Run again: it goes on from its newest checkpoint there" in " ".join(said.split())
    assert (active(stack.cluster), active(there)) == ([], [])

    stack.change("orders", health=PASSES, timeouts={})
    stack.project.up().assert_says(f"orders: an earlier run started it on {there.url}; going on")
    restored = there.get(f"/jobs/{stack.job_id('orders')}/checkpoints")["latest"]["restored"]
    assert f"/{lost}/chk-" in restored["external_path"]
    counts_once(stack, there)


def test_a_run_that_is_killed_on_the_way_back_is_followed_by_one_that_goes_on(
    stack: CountingStack, there: FlinkCluster
) -> None:
    """Shows it of one that has stopped the version that failed, and started no other.

    The next run takes the job back, and the one after it tries the move again.
    """
    declared(stack, there, FAILS)
    stack.change("orders", timeouts={"running": "15s"})
    run = stack.project.start("up", "--yes", "--skip-preview")
    wait_until(lambda: active(there), 90, "the job runs on the new cluster")
    [tried] = active(there)
    wait_until(lambda: not active(there), 90, "it does not pass there", interval=0.01)
    stack.project.close()
    run.communicate()
    stack.project.cancel()
    went_back = active(stack.cluster)
    stack.change("orders", health=PASSES, timeouts={})
    if not went_back:
        stack.project.failing_up().assert_says(
            f"orders: another run has begun to take it back from {there.url}, where job {tried} ",
            f"It runs again on {stack.cluster.url} as job ",
            "it goes on from what the new version has done",
        )
        [back] = active(stack.cluster)
        restored = stack.cluster.get(f"/jobs/{back}/checkpoints")["latest"]["restored"]
        assert f"/{tried}/" in restored["external_path"]
    stack.project.up()
    counts_once(stack, there)
