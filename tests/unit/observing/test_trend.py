"""What changed of a job between observations."""

from __future__ import annotations

from flink_jobs_provider.observing.health import CheckpointCounts
from flink_jobs_provider.observing.trend import Measure, checkpoint_trend, trend
from tests.unit.observing.sequences import MINUTE, behind, checkpoint, health, vertex


def test_what_changed_between_two_observations() -> None:
    before = health(1, restarts=2, counts=CheckpointCounts(completed=4, failed=1))
    after = health(
        3,
        restarts=3,
        counts=CheckpointCounts(completed=9, failed=3),
        vertices=(vertex(busy=0.9, emitted=40.0, pending_records=7),),
    )
    found = trend(before, after)
    assert (found.over, found.restarts, found.completed, found.failed) == (2 * MINUTE, 1, 5, 2)
    assert found.throughput == Measure(100.0, 40.0)
    assert found.busy == Measure(0.5, 0.9)
    assert found.pending_records == Measure(None, 7)


def test_what_a_cluster_does_not_report_is_no_change() -> None:
    found = trend(health(1, restarts=None, vertices=()), health(2, restarts=4, vertices=()))
    assert found.restarts is None
    assert found.busy == Measure(None, None)


def test_lag_at_both_ends() -> None:
    found = trend(behind(1, 1), behind(2, 3)).event_time_lag
    assert found == Measure(MINUTE, 3 * MINUTE)


def test_checkpoints_that_grow_in_one_observation() -> None:
    """Shows the trend that the cluster's own history has, without failed ones and savepoints."""
    history = (
        checkpoint(5, 5, kind="savepoint", size=1),
        checkpoint(4, 4, duration=3000, size=9000),
        checkpoint(3, 3, "FAILED"),
        checkpoint(2, 2),
    )
    found = checkpoint_trend(health(6, checkpoints=history))
    assert found is not None
    assert (found.count, found.over) == (2, 2 * MINUTE)
    assert (found.duration, found.size) == (Measure(1000, 3000), Measure(5000, 9000))


def test_one_checkpoint_has_no_trend() -> None:
    assert checkpoint_trend(health(2)) is None
