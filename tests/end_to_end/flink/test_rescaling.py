"""A change of `parallelism` alone on real Flink: while the job runs, or by a restart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flink_jobs_provider.model.flink_options import RETAINED as RETAINS
from flink_jobs_provider.model.flink_options import RETENTION
from tests.end_to_end.flink.conftest import StackOn
from tests.end_to_end.flink.counting_stack import CountingStack
from tests.flink_cluster import ADAPTIVE, FLINK_1, FLINK_2, RESCALES, FlinkCluster, release_of

IN_PLACE = "orders: UPDATE, rescale while it runs, from a checkpoint: parallelism "
RESTART = "orders: UPDATE, stop with savepoint and restart: parallelism "
#: The checkpoints of a job are an hour apart, so that none of them helps a rescale along.
HOURLY = ("--checkpoint-interval", "3600000")

pytestmark = pytest.mark.skipif(
    release_of(FLINK_2) < RESCALES, reason="this Flink rescales no running job"
)


def assert_runs_with(stack: CountingStack, job_id: str, parallelism: int) -> None:
    """Assert that one job runs, with a parallelism of all vertices, as Flink shows it."""
    assert stack.active("orders") == [job_id]
    stack.cluster.await_parallelism(job_id, parallelism)
    assert stack.recorded("orders")["running_parallelism"] == parallelism
    stack.project.preview("--refresh", "--expect-no-changes")


@pytest.mark.parametrize("version", sorted({FLINK_1, FLINK_2}))
def test_it_is_rescaled_while_it_runs(
    start_flink: Callable[..., FlinkCluster], stack_on: StackOn, version: str
) -> None:
    """2 → 4 → 1 under one jobId and without a savepoint, and no number is lost or counted twice.

    Somebody who rescales it over REST makes drift again. A later change restarts it with its state.
    """
    stack = stack_on(start_flink(version, configuration={**ADAPTIVE, RETENTION: RETAINS}))
    stack.declare("orders", parallelism=2)
    stack.project.up()
    first = stack.job_id("orders")
    stack.await_progress("orders")
    for parallelism, words in ((4, "2 → 4"), (1, "4 → 1")):
        stack.change("orders", parallelism=parallelism)
        stack.project.preview().assert_says(f"{IN_PLACE}{words}")
        stack.project.up()
        assert_runs_with(stack, first, parallelism)
        stack.await_progress("orders")
    recorded = stack.recorded("orders")
    assert (recorded["action"], recorded["savepoints"]) == ("UPDATE", [])
    assert recorded["job_output"] == "Rescaled to parallelism 1 while it ran"

    stack.cluster.rescale(first, 3)
    stack.project.drift().assert_says("it was rescaled over REST: parallelism 3 instead of 1")
    stack.project.up("--refresh")
    assert_runs_with(stack, first, 1)

    stack.change("orders", "--rate", "50", parallelism=2)
    stack.project.up()
    second = stack.assert_updated("orders", first)
    assert_runs_with(stack, second, 2)
    stack.stop_and_count("orders")


@pytest.mark.parametrize("version", sorted({FLINK_1, FLINK_2}))
def test_the_default_scheduler_restarts_it(
    start_flink: Callable[..., FlinkCluster], stack_on: StackOn, version: str
) -> None:
    """2 → 4 → 1 by two updates, each under a jobId of its own, with all state."""
    stack = stack_on(start_flink(version))
    stack.declare("orders", parallelism=2)
    stack.project.up()
    for parallelism, words in ((4, "2 → 4"), (1, "4 → 1")):
        before = stack.job_id("orders")
        stack.await_progress("orders")
        stack.change("orders", parallelism=parallelism)
        stack.project.preview().assert_says(f"{RESTART}{words}")
        stack.project.up()
        assert_runs_with(stack, stack.assert_updated("orders", before), parallelism)
    stack.stop_and_count("orders")


def test_a_rescale_that_waits_for_a_checkpoint_gets_one(
    start_flink: Callable[..., FlinkCluster], stack_on: StackOn
) -> None:
    """Flink 2 begins a rescale with the next checkpoint, an hour away here: one is requested."""
    stack = stack_on(start_flink(configuration={**ADAPTIVE, RETENTION: RETAINS}))
    stack.declare("orders", *HOURLY, parallelism=2)
    stack.project.up()
    first = stack.job_id("orders")
    stack.change("orders", parallelism=4)
    stack.project.up()
    assert_runs_with(stack, first, 4)
    stack.stop_and_count("orders")


def test_where_slots_are_short_it_takes_what_there_is(
    start_flink: Callable[..., FlinkCluster], stack_on: StackOn
) -> None:
    """Too few slots: the preview says so; the job goes on with those that there are, and grows."""
    cluster = start_flink(slots=6, task_managers=2, configuration={**ADAPTIVE, RETENTION: RETAINS})
    stack = stack_on(cluster)
    cluster.stop_task_manager(2)
    stack.declare("orders", parallelism=2)
    stack.project.up()
    first = stack.job_id("orders")
    stack.change("orders", parallelism=4)
    stack.project.preview().assert_says(
        f"{IN_PLACE}2 → 4; 4 task slots are needed, and it can have 3 now: it grows by itself"
    )
    stack.project.up()
    assert_runs_with(stack, first, 3)
    assert "no slot is free" in stack.recorded("orders")["job_output"]
    cluster.start_missing()
    cluster.await_parallelism(first, 4)
    stack.project.preview("--refresh", "--expect-no-changes")
    stack.stop_and_count("orders")


def test_what_another_one_manages_is_kept(
    start_flink: Callable[..., FlinkCluster], stack_on: StackOn
) -> None:
    """An autoscaler's rescale is no drift, and a restart keeps it."""
    stack = stack_on(start_flink(configuration={**ADAPTIVE, RETENTION: RETAINS}))
    stack.declare("orders", parallelism=1, parallelism_managed_by="other")
    stack.project.up()
    first = stack.job_id("orders")
    stack.await_progress("orders")
    stack.cluster.rescale(first, 3)
    stack.project.preview("--refresh", "--expect-no-changes")

    stack.change("orders", "--rate", "50", parallelism=2)
    stack.project.up()
    second = stack.assert_updated("orders", first)
    assert_runs_with(stack, second, 3)
    stack.stop_and_count("orders")
