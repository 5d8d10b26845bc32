"""Triggers that are taken away: they ask for nothing, and the version that runs goes on."""

from __future__ import annotations

import pytest

from tests.unit.reconciling.flink.stack import Stack


@pytest.mark.parametrize("refreshed", [True, False])
def test_a_restart_trigger_that_is_taken_away_restarts_nothing(refreshed: bool) -> None:
    stack = Stack()
    job_id = stack.up(restart_trigger="1").job_id
    record = stack.up(timeouts={"submit": "1m"})
    if refreshed:
        record = stack.refresh()
    assert (record.job_id, record.other_version) == (job_id, False)
    assert record.spec.restart_trigger == "1"
    record = stack.up(timeouts={"submit": "2m"})
    assert record.job_id == job_id
    assert stack.up(restart_trigger="2").job_id != job_id
