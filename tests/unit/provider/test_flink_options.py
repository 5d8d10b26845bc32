"""Rules for Flink's options hold for what a program declares, and for nothing that is recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flink_jobs_provider.provider.dynamic import FlinkJobProvider
from tests.unit.provider.test_calls import Job
from tests.unit.reconciling.flink.fake_flink import FakeFlink

SLOTS = "taskmanager.numberOfTaskSlots"
OLD = {"flink_configuration": {SLOTS: "4", "pipeline.object-reuse": "ja", "": "x"}}


@pytest.fixture
def job(provider: FlinkJobProvider, inputs: dict[str, Any], flink: FakeFlink) -> Job:
    return Job(provider, inputs)


@pytest.fixture
def old(job: Job, new_run: Callable[[], None], capsys: pytest.CaptureFixture[str]) -> Job:
    """Return a job that was recorded before there were rules for its options."""
    declared = job.checked()
    job.state = dict(job.provider.create({**declared, **OLD}).outs or {})
    new_run()
    capsys.readouterr()
    return job


def test_what_is_refused_names_its_key(job: Job) -> None:
    options = {SLOTS: "4", "": "x", "execution.checkpointing.interval": "10 sekunden"}
    result = job.provider.check({}, {**job.inputs, "flink_configuration": options})
    assert sorted(failure.property for failure in result.failures) == [
        "flink_configuration",
        "flink_configuration.execution.checkpointing.interval",
        f"flink_configuration.{SLOTS}",
    ]


def test_a_near_miss_is_printed(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    job.checked(flink_configuration={"execution.chekpointing.interval": "10s"})
    first, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("orders: warning: flink_configuration.execution.chekpointing.interval")
    assert first.endswith("did you mean execution.checkpointing.interval?")


def test_a_recorded_job_with_such_options_is_refreshed_and_deleted(
    old: Job, flink: FakeFlink
) -> None:
    read = old.provider.read("orders", old.state)
    assert read.outs is not None
    assert read.outs["status"] == "RUNNING"
    assert (read.inputs or {})["flink_configuration"] == OLD["flink_configuration"]
    assert not old.provider.diff("orders", read.outs, {**old.inputs, **(read.inputs or {})}).changes
    old.provider.delete("orders", read.outs)
    assert "cancel" in flink.steps


def test_a_recorded_job_keeps_them_with_a_warning(
    old: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shows that the next run is not stopped by what the job has run with so far."""
    assert not old.diff(**OLD).changes
    lines = capsys.readouterr().out.splitlines()
    of_options = [line.startswith("orders: warning: flink_configuration") for line in lines]
    assert sum(of_options) == 3
    changed = {**old.inputs, "flink_configuration": {SLOTS: "8"}}
    (failure,) = old.provider.check(old.state, changed).failures
    assert failure.property == f"flink_configuration.{SLOTS}"
    assert old.diff().changes  # without them: removing an option is a change
