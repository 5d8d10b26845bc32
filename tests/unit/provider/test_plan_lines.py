"""Plan lines are true, and printed once: of new resources, replaced ones, and in a refresh."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flink_jobs_provider.provider.dynamic import PREVIEW_KEY, FlinkJobProvider
from flink_jobs_provider.provider.run_output import FlinkJobError
from tests.unit.provider.test_calls import Job, as_the_engine_has_it
from tests.unit.reconciling.flink.fake_flink import RETAINED, FakeFlink


@pytest.fixture
def job(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    new_run: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
) -> Job:
    """Return a resource whose job an earlier run has started."""
    made = Job(provider, {**inputs, "flink_configuration": RETAINED})
    made.create()
    flink.steps.clear()
    new_run()
    capsys.readouterr()
    return made


def refresh(job: Job) -> None:
    """Read and compare as a refresh does, before the program declares anything."""
    result = job.provider.read("orders", job.state)
    assert result.outs is not None
    job.state = as_the_engine_has_it(result.outs)
    job.provider.diff("orders", job.state, {**(result.inputs or {}), "__provider": "gASV"})


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines printed since the last time."""
    return capsys.readouterr().out.splitlines()


def test_a_new_resource_of_a_job_that_runs(
    job: Job, flink: FakeFlink, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shows a renamed resource, in the process that has not read the old one."""
    new = Job(job.provider, job.inputs)
    new.checked()
    job_id = job.state["job_id"]
    assert said(capsys) == [f"orders: NEW, adopt job {job_id}, which runs already"]
    new.checked(parallelism=5)
    assert said(capsys) == [
        "orders: UPDATE, stop with savepoint and restart: "
        f"job {job_id}, which runs already, is of another version"
    ]
    assert not {"submit", "cancel", "stop"} & set(flink.steps)


def test_a_new_resource_drops_the_state_of_no_job_that_runs(job: Job, flink: FakeFlink) -> None:
    """Shows it of a preview and of a run; the job may be that of another resource."""
    new = Job(job.provider, job.inputs)
    other = {"upgrade_mode": "stateless", "parallelism": 5}
    preview = {**job.inputs, **other, PREVIEW_KEY: True}
    [failure] = job.provider.check({}, preview).failures
    told = f"would drop the state of job {job.state['job_id']}: it runs already"
    assert failure.property == "upgrade_mode"
    assert failure.reason.startswith(told)
    with pytest.raises(FlinkJobError, match=told) as caught:
        new.create(**other)
    assert str(caught.value).endswith("Nothing was changed.")
    assert not {"submit", "cancel", "stop"} & set(flink.steps)
    # The same version is adopted, and with a savepoint nothing is dropped.
    assert new.create(upgrade_mode="stateless")["job_id"] == job.state["job_id"]
    again = Job(job.provider, job.inputs)
    assert again.create(parallelism=5)["restored_from"]


@pytest.mark.parametrize("diffed", [True, False])
def test_a_replaced_resource(diffed: bool, job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    """Shows `--replace`: a check with what was recorded, and one without."""
    job.checked()
    if diffed:
        job.diff()
    Job(job.provider, job.inputs).checked()
    assert said(capsys) == [f"orders: NEW, adopt job {job.state['job_id']}, which runs already"]


def test_a_job_that_has_ended_here(
    job: Job, flink: FakeFlink, capsys: pytest.CaptureFixture[str]
) -> None:
    flink.end(flink.the_job(), "FAILED", "no")
    new = Job(job.provider, job.inputs)
    new.checked()
    new.checked(restore_from="file:/a")
    assert said(capsys) == [
        f"orders: NEW, start from the state that job {job.state['job_id']} left, if it did",
        "orders: NEW, start from file:/a",
    ]


def test_a_cluster_that_does_not_answer_is_asked_once(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    capsys: pytest.CaptureFixture[str],
) -> None:
    flink.unreachable = 1
    for name in ("one", "two"):
        provider.check({}, {**inputs, "job_name": name})
    assert said(capsys) == [
        "one: NEW, first start, no state, unless it runs already: its cluster did not answer",
        "two: NEW, first start, no state, unless it runs already: its cluster was not asked",
    ]


def test_a_refresh_announces_nothing(
    job: Job, flink: FakeFlink, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shows a job that the run deletes, or changes: what is done is said when that is known."""
    flink.restart_job_manager()
    refresh(job)
    assert said(capsys) == ["orders: the job is LOST on its cluster"]
    job.diff(parallelism=3)
    (line,) = said(capsys)
    assert line.startswith("orders: START, start from ")
    assert line.endswith(": the job is LOST on its cluster, parallelism 2 → 3")
