"""Orders that take longer than their time, or arrive when nobody waits: nothing is begun beside."""

from __future__ import annotations

from functools import partial

import pytest

from flink_jobs_provider.model.errors import ActionInProgress, ClusterUnreachable, DeadlineExceeded
from tests.contract.hdinsight.stack import Stack, spec
from tests.contract.hdinsight.test_crashes import is_up
from tests.contract.hdinsight.test_lifecycle import running
from tests.contract.late_request import LateRequest

_LONG = 1e6


@pytest.mark.parametrize("begun", ["create", "update"])
def test_an_action_that_outlasts_its_time_is_waited_for(begun: str) -> None:
    """Shows that neither the same version, another one, nor a deletion begins anything beside it.

    When it has ended, another version is one update from its state.
    """
    stack = Stack() if begun == "create" else running()
    stack.arm.takes = _LONG
    with pytest.raises(DeadlineExceeded, match="has not ended in"):
        stack.up(spec("New"))
    orders = len(stack.arm.orders)
    for wanted in (spec("New"), spec("Newer"), spec("New", desired_state="stopped")):
        with pytest.raises(ActionInProgress, match="nothing else was begun"):
            stack.up(wanted)
    if stack.record is not None:
        with pytest.raises(ActionInProgress, match="nothing else was begun"):
            stack.destroy()
    assert len(stack.arm.orders) == orders
    stack.time.time += _LONG
    stack.arm.takes = 1.0
    stack.up(spec("Newer"))
    is_up(stack, spec("Newer"))
    assert stack.arm.actions()[orders:] == ["UPDATE"]
    assert stack.arm.launches[-1].restored_from == stack.arm.savepoints[-1]


def _end(stack: Stack) -> None:
    stack.time.time += stack.arm.takes
    stack.arm._pass()


def _go_on() -> None:
    """Leave the action in progress."""


@pytest.mark.parametrize("then", ["New", "Newer"])
@pytest.mark.parametrize("late", ["before the next run", "in the next run", "and ends in it"])
@pytest.mark.parametrize("begun", ["create", "update"])
def test_an_order_that_arrives_late(begun: str, late: str, then: str) -> None:
    """Shows that its job is adopted, or updated; the service takes no second one of its name."""
    stack = Stack() if begun == "create" else running()
    order, before = LateRequest(stack.arm, "/runJob"), len(stack.arm.launches)
    with pytest.raises(ClusterUnreachable, match="does not show that it arrived"):
        stack.up(spec("New"))
    if late == "before the next run":
        order.arrives()
    else:
        order.arrives_before_the_next(partial(_end, stack) if late == "and ends in it" else _go_on)
    stack.up(spec(then))
    is_up(stack, spec(then))
    expected = ["New"] if then == "New" else ["New", "Newer"]
    if (begun, late, then) == ("update", "and ends in it", "New"):
        expected.append("New")  # the run's own UPDATE is one more, from the state of the late one
    assert [launch.entry_class for launch in stack.arm.launches[before:]] == expected
    assert len(stack.arm.rows) == 1
    if len(expected) == 2:
        assert stack.arm.launches[-1].restored_from == stack.arm.savepoints[-1]
