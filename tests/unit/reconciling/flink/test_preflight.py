"""What is checked before anything is changed: in a run, and in the preview of new jobs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.model.errors import ClusterRefused, ClusterUnreachable, JarError, JobError
from flink_jobs_provider.reconciling.flink.program_check import Trial, Trials
from tests.unit.model.made_up_jobs import DIGEST_1, URL, spec
from tests.unit.reconciling.fake_clock import FakeClock
from tests.unit.reconciling.flink.fake_flink import FakeFlink
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_matrix import version


@pytest.mark.parametrize("error", [ClusterRefused, JarError])
def test_a_check_that_could_not_be_made_tells_what_runs(
    error: type[JobError], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = Stack()
    stack.up(version("Old", "savepoint"))
    job = stack.flink.the_job()

    async def fail(_submission: object) -> None:
        raise error("the jar could not be uploaded", remedy="Raise the limit")

    monkeypatch.setattr(stack.flink, "plan", fail)
    with pytest.raises(error) as raised:
        stack.up(version("New", "savepoint"))
    assert raised.value.now == f"Job {job.job_id} goes on as it was."
    assert stack.flink.the_job() is job


JAR = Jar("orders.jar", Path("orders.jar"), DIGEST_1, "shop.Main")


class Cluster:
    """A Flink in memory of ten slots, and the trials of one preview on it."""

    def __init__(self, intercepts: bool | None = True, fixed: bool = True) -> None:
        self.clock = FakeClock()
        self.flink = FakeFlink(self.clock, slots=10)
        self.flink.cluster = replace(
            self.flink.cluster, intercepts_exit=intercepts, fixed_slots=fixed
        )
        self.trials = Trials(self.flink, URL, self.clock.clock())

    def try_out(self, **inputs: Any) -> Trial:
        """Try a job."""
        return asyncio.run(self.trials.try_out(spec(**inputs), JAR))


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def test_a_job_that_would_start(cluster: Cluster) -> None:
    assert cluster.try_out(parallelism=10) == Trial()
    assert cluster.flink.steps == ["try out", "free slots"]


@pytest.mark.parametrize(
    ("intercepts", "hidden"), [(False, ""), (None, ", or its configuration is hidden")]
)
def test_no_main_is_run_that_could_end_the_cluster(intercepts: bool | None, hidden: str) -> None:
    cluster = Cluster(intercepts)
    first, second = cluster.try_out(), cluster.try_out(job_name="other")
    assert cluster.flink.steps == []
    assert first == second
    assert first.warnings == (
        f"warning: the main of new jobs is not tried in previews at {URL}: one that calls "
        "System.exit would end its JobManager, since cluster.intercept-user-system-exit is not "
        f"THROW{hidden}",
    )


def test_an_entry_class_that_is_not_there(cluster: Cluster) -> None:
    cluster.flink.programs["no.Such"] = Program(plan_error="ClassNotFoundException: no.Such")
    problem = ("entry_class", "cannot be run: ClassNotFoundException: no.Such")
    assert cluster.try_out(entry_class="no.Such") == Trial(problems=(problem,))


def test_a_main_that_throws_may_not_do_so_when_the_run_comes_to_it(cluster: Cluster) -> None:
    """Shows a warning: the run may create the topic first that this main asks for."""
    cluster.flink.programs["A"] = Program(plan_error="no topic")
    assert cluster.try_out(entry_class="A") == Trial(
        warnings=("warning: orders: as things are, its start would fail: no topic",)
    )


def test_more_slots_than_the_cluster_has(cluster: Cluster) -> None:
    """Shows that TaskManagers are waited for, once."""
    cluster.flink.programs["A"] = Program(parallelism=200)
    trial = cluster.try_out(entry_class="A")
    assert trial.problems == (
        (
            "parallelism",
            f"200 task slots are needed, and {URL} has 10: lower parallelism, or add "
            "TaskManagers. Where this run adds them, set FLINK_JOBS_OFFLINE=1 for its preview",
        ),
    )
    waited = cluster.clock.now()
    assert waited >= 10
    assert cluster.try_out(parallelism=11, job_name="other").problems
    assert cluster.clock.now() < waited + 1


def test_slots_of_other_new_jobs_are_counted(cluster: Cluster) -> None:
    assert cluster.try_out(parallelism=6, job_name="one") == Trial()
    assert cluster.try_out(parallelism=5, job_name="two").warnings == (
        f"warning: two: 5 task slots are needed, and 6 by other new jobs; 10 of 10 at {URL} are "
        "free",
    )


def test_slots_that_come_with_the_jobs_are_not_counted() -> None:
    assert Cluster(fixed=False).try_out(parallelism=1000) == Trial()


def test_a_cluster_that_goes_away_meanwhile(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(_submission: object) -> None:
        raise ClusterUnreachable("the connection broke")

    monkeypatch.setattr(cluster.flink, "try_out", lost)
    warning = "warning: orders: its main was not tried: the connection broke"
    assert cluster.try_out() == Trial(warnings=(warning,))


def test_a_main_that_takes_too_long(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(_submission: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(cluster.flink, "try_out", slow)
    monkeypatch.setattr("flink_jobs_provider.reconciling.flink.program_check.PATIENCE_S", 0.01)
    (warning,) = cluster.try_out().warnings
    assert warning.startswith("warning: orders: its main was not tried to its end")
