"""Two runs at once, one within another at each of its requests: one job, and no older state."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from flink_jobs_provider.model.errors import StateUnavailable
from tests.contract.hdinsight.stack import Stack, spec
from tests.contract.hdinsight.test_lifecycle import running, stopped
from tests.contract.two_runs import check_no_older_state, two_runs

Run = Callable[[Stack], object]
OTHERS: dict[str, Run] = {
    "the same": lambda stack: stack.bring_about(spec("New")),
    "another version": lambda stack: stack.bring_about(spec("Newer")),
    "a stop": lambda stack: stack.bring_about(spec(desired_state="stopped")),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("begin", [Stack, running, stopped], ids=["create", "update", "start"])
def test_two_runs(begin: Callable[[], Stack], other: Run) -> None:
    """Shows that there is one job, each start of it from the newest state, and a third run goes on.

    The third may refuse to start where it cannot know which state is the newest.
    """
    checked = 0
    for stack in two_runs(begin(), lambda s: s.arm, OTHERS["the same"], other):
        assert len(stack.arm.rows) == 1
        stack.time.time += 3600
        if stack.record is not None:
            stack.refresh()
        with suppress(StateUnavailable):
            stack.bring_about(spec("Last"))
        assert len(stack.arm.rows) == 1
        check_no_older_state(stack.arm.launches)
        checked += 1
    assert checked > 8
