"""A rescale that its health gate judges: set back where it fails, each number counted once."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.counting_output import assert_counts_continuous
from tests.end_to_end.flink.conftest import StackOn
from tests.end_to_end.flink.counting_stack import RETAINED, CountingStack
from tests.flink_cluster import ADAPTIVE, FLINK_1, FLINK_2, RESCALES, FlinkCluster, release_of

pytestmark = pytest.mark.skipif(
    release_of(FLINK_2) < RESCALES, reason="this Flink rescales no running job"
)
VERSIONS = sorted({FLINK_1, FLINK_2})


@pytest.fixture(params=VERSIONS)
def stack(
    start_flink: Callable[..., FlinkCluster], stack_on: StackOn, request: pytest.FixtureRequest
) -> CountingStack:
    """Return a stack on a cluster that rescales running jobs, of each of two versions."""
    return stack_on(start_flink(request.param, configuration=ADAPTIVE))


def test_one_that_passes_says_what_it_was_compared_with(stack: CountingStack) -> None:
    """Shows also that one which takes too few checkpoints is set back, under one jobId."""
    gate = {"window": "6s", "require_output": True, "max_checkpoint_slowdown": 50}
    stack.declare("orders", parallelism=2, flink_configuration=RETAINED, settle_time="1s")
    stack.project.up()
    first = stack.job_id("orders")
    stack.await_progress("orders")
    stack.change("orders", parallelism=4, health=gate)
    stack.project.preview().assert_says(
        "rescale while it runs, from a checkpoint: parallelism 2 → 4", "; health gate 6s"
    )
    up = stack.project.up()
    assert re.search(
        r"orders: health gate passed: \d+ s, 0 restarts, \d+ checkpoints of \d+ ms \(\d+ before\)",
        up.text,
    ), up.text
    assert stack.active("orders") == [first]
    stack.cluster.await_parallelism(first, 4)
    stack.project.preview("--refresh", "--expect-no-changes")

    gate = {"window": "2s", "min_checkpoints": 100_000}
    stack.change("orders", parallelism=2, health=gate, timeouts={"running": "20s"})
    failed = stack.project.failing_up()
    failed.assert_says(
        "orders: with parallelism 2 it did not pass its health gate: health.min_checkpoints: ",
        f"Job {first} was rescaled back to parallelism 4",
    )
    assert stack.active("orders") == [first]
    stack.cluster.await_parallelism(first, 4)
    stack.change("orders", health={**gate, "on_failure": "keep"})
    stack.project.failing_up().assert_says(f"Job {first} was left running and is recorded")
    stack.cluster.await_parallelism(first, 2)
    recorded = stack.recorded("orders")
    assert recorded["gate_failed"]["check"] == "min_checkpoints"
    stack.change("orders", health={"window": "2s"})
    stack.project.preview().assert_says("orders: no restart, watched through its health gate again")
    stack.project.up()
    assert stack.active("orders") == [first]
    assert "gate_failed" not in stack.project.outputs("orders")
    stack.stop_and_count("orders")


def test_one_that_ends_its_job_is_started_again_as_it_was(stack: CountingStack) -> None:
    """It goes on from what it did rescaled, by its newest checkpoint: no gap, and no repeat."""
    fails = ("--fail-after-millis", "45000")
    stack.declare(
        "orders", *fails, entry="FailingSink", parallelism=2, flink_configuration=RETAINED,
        settle_time="1s",
    )  # fmt: skip
    stack.project.up()
    first = stack.job_id("orders")
    stack.change("orders", parallelism=4, health={"window": "2m"})
    failed = stack.project.failing_up()
    failed.assert_says(
        "orders: version 1 with parallelism 4 did not pass its health gate: health.max_",
        "The previous version runs again as job ",
    )
    [again] = stack.active("orders")
    assert again != first
    assert stack.recorded("orders")["job_id"] == again
    stack.cluster.await_parallelism(again, 2)
    assert f"/{first}/chk-" in str(stack.restored_from(again))
    assert assert_counts_continuous(stack.output("orders")).total > 0
    stack.await_progress("orders")
