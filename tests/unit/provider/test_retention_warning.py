"""The warning that a cancel from outside would set a job back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flink_jobs_provider.provider.dynamic import FlinkJobProvider
from tests.unit.reconciling.flink.fake_flink import RETAINED, FakeFlink

WARNING = (
    "warning: the checkpoints of bills do not survive a cancel: a cancel from outside sets it back "
    "to its last savepoint. Set execution.checkpointing.externalized-checkpoint-retention to "
    "RETAIN_ON_CANCELLATION in its flink_configuration, or in the cluster's configuration. A run "
    "prints this once; flink-jobs jobs describe shows it for each job"
)


def test_a_run_warns_once_and_asks_the_cluster_only_of_what_it_starts(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    new_run: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Shows a run that creates three jobs, one of them well set, and a preview of the same."""
    jobs = [
        inputs | {"job_name": name, "flink_configuration": configuration}
        for name, configuration in [("orders", RETAINED), ("bills", {}), ("mails", {})]
    ]
    states: list[dict[str, Any]] = []
    for each in jobs:
        result = provider.create(provider.check({}, each).inputs)
        states.append(dict(result.outs or {}))
    assert [state["retains_checkpoints"] for state in states] == [True, False, False]
    assert capsys.readouterr().out.splitlines().count(WARNING) == 1

    new_run()
    steps = len(flink.steps)
    for each, state in zip(jobs, states, strict=True):
        news = provider.check(state, each).inputs
        assert not provider.diff(each["job_name"], state, news).changes
    assert capsys.readouterr().out.splitlines() == [WARNING]
    assert flink.steps[steps:] == []
