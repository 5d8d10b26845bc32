"""A change of `parallelism` alone, which is made while the job runs where that can be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flink_jobs_provider.model.errors import ActionFailed
from flink_jobs_provider.model.job_graph import JobGraph, Vertex
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.flink.rescale import suitability
from tests.unit.reconciling.flink.fake_flink import Killed
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_matrix import version
from tests.unit.reconciling.flink.test_rescaling import adaptive

LINE = "orders: UPDATE, rescale while it runs, from a checkpoint: parallelism 2 → "


def declared(parallelism: int, mode: str = "savepoint", **changes: object) -> JobSpec:
    """Return the job with another parallelism."""
    return version("Old", mode, parallelism=parallelism, **changes)


def assert_runs_in_place(stack: Stack, job_id: str, parallelism: int) -> None:
    """Assert that the same job runs with a parallelism, and that nothing differs any more."""
    job, record = stack.flink.the_job(), stack.recorded
    assert (job.job_id, job.parallelism, job.bounds) == (job_id, parallelism, {"all": parallelism})
    assert (record.job_id, record.running_parallelism) == (job_id, parallelism)
    assert (record.spec.parallelism, record.action, record.rescaled) == (
        parallelism,
        "UPDATE",
        None,
    )
    assert stack.refresh() == record
    assert not stack.plan(record.spec).needed


@pytest.mark.parametrize("flink", [(1, 20, 5), (2, 3, 0)])
@pytest.mark.parametrize("mode", ["savepoint", "last-state", "stateless"])
def test_it_is_rescaled_and_no_drift_afterwards(mode: str, flink: tuple[int, ...]) -> None:
    """Shows 2 → 4 → 1 under one jobId, whatever an upgrade would do; and drift from there."""
    stack = adaptive(mode)
    stack.flink.cluster = replace(stack.flink.cluster, version=flink)
    job = stack.flink.the_job()
    for parallelism in (4, 1):
        line = stack.plan(declared(parallelism, mode)).line()
        assert line.startswith("orders: UPDATE, rescale while it runs, from a checkpoint: ")
        assert stack.up(declared(parallelism, mode)).job_output == (
            f"Rescaled to parallelism {parallelism} while it ran"
        )
        assert_runs_in_place(stack, job.job_id, parallelism)
    assert (len(stack.flink.submissions), job.savepoint) == (1, "")

    stack.flink.rescale_by_hand(job, 3)
    assert stack.refresh().rescaled == "parallelism 3 instead of 1"
    stack.up(declared(1, mode))
    assert_runs_in_place(stack, job.job_id, 1)


def test_a_later_change_is_an_update_with_its_state() -> None:
    stack = adaptive()
    old = stack.flink.the_job()
    stack.up(declared(4))
    record = stack.up(version("New", "savepoint", parallelism=4))
    new = stack.flink.the_job()
    assert (old.stopped_with_savepoint, new.restored_from) == (True, old.savepoint)
    assert (new.parallelism, record.submitted_parallelism) == (4, {"all": 4})
    assert stack.refresh() == record


def test_another_change_with_it_restarts_the_job() -> None:
    stack = adaptive()
    wanted = version("New", "savepoint", parallelism=4)
    assert "stop with savepoint and restart" in stack.plan(wanted).line()
    stack.up(wanted)
    assert "rescale" not in stack.flink.steps


@pytest.mark.parametrize("why", ["no checkpoints", "default scheduler"])
def test_where_it_cannot_be_it_is_restarted(why: str) -> None:
    """Shows that the record alone says so, as a preview without a refresh needs it."""
    stack = adaptive(checkpoints=why != "no checkpoints")
    if why == "default scheduler":
        stack.flink.cluster = replace(stack.flink.cluster, adaptive=False)
        stack.up(version("Old", "savepoint", parallelism=2, restart_trigger="1"))
    old = stack.flink.the_job()
    wanted = declared(4, restart_trigger=stack.recorded.spec.restart_trigger)
    assert stack.plan(wanted).line() == (
        "orders: UPDATE, stop with savepoint and restart: parallelism 2 → 4"
    )
    stack.up(wanted)
    new = stack.flink.the_job()
    assert (old.stopped_with_savepoint, new.restored_from) == (True, old.savepoint)
    assert "rescale" not in stack.flink.steps


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (Program(other_graph_at=(4,)), "its job graph is another one then"),
        (
            Program(max_parallelism=(("all", 3),)),
            "parallelism 4 of all is above its maximum, 3",
        ),
    ],
)
def test_what_a_rescale_does_not_lead_to_is_restarted(program: Program, said: str) -> None:
    """Shows that the plan of the program decides, before anything is requested."""
    stack = adaptive()
    stack.flink.programs["Old"] = program
    stack.flink.the_job().program = program
    old = stack.flink.the_job()
    stack.up(declared(4))
    assert f"orders: it is not rescaled while it runs: {said}" in stack.said
    assert "rescale" not in stack.flink.steps
    new = stack.flink.the_job()
    assert (old.stopped_with_savepoint, new.restored_from) == (True, old.savepoint)


def test_one_that_the_cluster_refuses_is_restarted() -> None:
    stack = adaptive()
    old = stack.flink.the_job()
    stack.flink.rescale_fault = "RestHandlerException: no"
    record = stack.up(declared(4))
    assert any("did not rescale it: RestHandlerException: no; restarting" in x for x in stack.said)
    assert (old.stopped_with_savepoint, record.running_parallelism) == (True, 4)


def test_one_that_the_cluster_does_not_take_in_time_is_restarted() -> None:
    """Shows that a free slot which stays free for so long is no reason to wait any more."""
    stack = adaptive()
    old = stack.flink.the_job()
    stack.flink.rescale_delay = 100_000
    record = stack.up(declared(4, timeouts={"running": "2m"}))
    assert any("2 of 4 tasks run so far, and 120 s have passed; rest" in x for x in stack.said)
    assert old.bounds == {"all": 2}
    new = stack.flink.the_job()
    assert (new.restored_from, record.running_parallelism) == (old.savepoint, 4)


def test_a_checkpoint_within_the_cooldown_is_repeated() -> None:
    """Shows that a rescale which Flink 2 does not begin at once is not waited for in vain."""
    stack = adaptive()
    stack.flink.rescale_delay = 30
    began = stack.time.now()
    stack.up(declared(4))
    assert stack.time.now() - began < 60
    assert stack.flink.steps.count("checkpoint") == 1 + 3 + 1  # its start, at 0, 10, 30 s, its end
    assert stack.flink.the_job().parallelism == 4


def test_where_slots_are_short_it_takes_what_there_is() -> None:
    """Shows that the job is not stopped for it: it would lose the slots that it has."""
    stack = adaptive()
    job = stack.flink.the_job()
    stack.flink.slots = 3
    record = stack.up(declared(4))
    assert record.job_output.endswith("; 3 of 4 tasks run so far, and no slot is free")
    assert (stack.flink.the_job(), record.running_parallelism) == (job, 3)
    stack.flink.slots = 8
    stack.flink.pass_time(1)
    assert stack.refresh().running_parallelism == 4
    assert not stack.plan(declared(4)).needed


def test_one_that_does_not_stay_up_is_rescaled_back() -> None:
    stack = adaptive()
    job, before = stack.flink.the_job(), stack.recorded

    def fail(step: str) -> None:
        if step == "rescaled" and job.bounds["all"] == 4:
            job.program = replace(job.program, restarts_after=5.0)
            job.up_at = stack.time.now()

    stack.flink.on_step = fail
    with pytest.raises(ActionFailed) as caught:
        stack.up(declared(4, settle_time="10s"))
    assert "orders: with parallelism 4 it did not stay up" in str(caught.value)
    assert f"Job {job.job_id} was rescaled back to parallelism 2." in str(caught.value)
    assert (stack.flink.the_job(), job.bounds) == (job, {"all": 2})
    assert stack.recorded == before


@pytest.mark.parametrize("flink", [(1, 20, 5), (2, 3, 0)])
@pytest.mark.parametrize("step", ["plan", "checkpoint", "rescale", "rescaled", "free slots"])
@pytest.mark.parametrize("refreshed", [False, True])
def test_a_killed_run_is_gone_on_with(step: str, refreshed: bool, flink: tuple[int, ...]) -> None:
    """Shows that what was requested is waited for, and requested once."""
    stack = adaptive()
    stack.flink.cluster = replace(stack.flink.cluster, version=flink)
    job = stack.flink.the_job()
    stack.flink.kill_before, stack.flink.rescale_delay = step, 0.5
    with pytest.raises(Killed):
        stack.up(declared(4))
    stack.flink.kill_before = ""
    requested = "rescaled" in stack.flink.steps or step == "rescaled"
    if refreshed:
        stack.refresh()
    stack.flink.steps.clear()
    stack.up(declared(4))
    assert stack.flink.steps.count("rescale") == (not requested)
    assert_runs_in_place(stack, job.job_id, 4)


def test_a_killed_run_is_undone_where_the_program_was() -> None:
    """Shows that a refresh finds what it requested, where the old parallelism is declared again."""
    stack = adaptive()
    job = stack.flink.the_job()
    stack.flink.kill_before = "rescaled"
    with pytest.raises(Killed):
        stack.up(declared(4))
    stack.flink.kill_before = ""
    stack.refresh()
    assert "it was rescaled over REST: parallelism 4 instead of 2" in stack.plan(declared(2)).line()
    stack.up(declared(2))
    assert_runs_in_place(stack, job.job_id, 2)


def test_a_savepoint_that_is_asked_for_is_taken_as_well() -> None:
    stack = adaptive()
    job = stack.flink.the_job()
    wanted = declared(4, savepoint_trigger="one")
    assert ", and take a savepoint: " in stack.plan(wanted).line()
    record = stack.up(wanted)
    assert (record.action, record.last_savepoint) == ("SAVEPOINT", job.savepoint)
    assert (job.parallelism, record.running_parallelism) == (4, 4)
    assert stack.refresh() == record


def test_what_another_one_manages_is_left_alone_and_kept_by_a_restart() -> None:
    """Shows an autoscaler's rescale: no drift, not undone, and not lost by a new version."""
    stack = adaptive()
    job = stack.flink.the_job()
    stack.up(declared(2, parallelism_managed_by="other"))
    stack.flink.rescale_by_hand(job, 3)
    seen = stack.refresh()
    assert (seen.running_parallelism, seen.rescaled) == (3, None)
    assert not stack.plan(seen.spec).needed
    higher = declared(8, parallelism_managed_by="other")
    assert stack.plan(higher).action is None
    stack.up(higher)
    assert (stack.flink.the_job(), job.parallelism) == (job, 3)

    record = stack.up(version("New", "savepoint", parallelism=8, parallelism_managed_by="other"))
    assert (record.running_parallelism, stack.flink.the_job().parallelism) == (3, 3)
    assert any(line.endswith(", with parallelism 3, which ran last") for line in stack.said)
    assert stack.refresh() == record
    assert not stack.plan(record.spec).needed


def test_who_takes_it_over_again_rescales_it_back() -> None:
    stack = adaptive()
    job = stack.flink.the_job()
    stack.up(declared(2, parallelism_managed_by="other"))
    stack.flink.rescale_by_hand(job, 3)
    stack.refresh()
    stack.up(declared(2))
    assert stack.refresh().rescaled == "parallelism 3 instead of 2"
    stack.up(declared(2))
    assert (stack.flink.the_job(), job.parallelism) == (job, 2)


def test_what_was_rescaled_before_another_one_manages_it_stays_so() -> None:
    stack = adaptive()
    job = stack.flink.the_job()
    stack.flink.rescale_by_hand(job, 3)
    stack.refresh()
    wanted = declared(2, parallelism_managed_by="other")
    assert "rescale" not in stack.plan(wanted).line()
    record = stack.up(wanted)
    assert (job.parallelism, record.rescaled) == (3, None)
    assert stack.refresh() == record


def vertex(id_: str, parallelism: int, *inputs: str) -> Vertex:
    """Return a vertex of one operator."""
    return Vertex(id_, (id_,), parallelism=parallelism, inputs=inputs)


def test_vertices_that_the_program_sets_itself_stay_as_they_are() -> None:
    running = JobGraph(3, (vertex("source", 1), vertex("count", 2, "source"), vertex("sink", 3)))
    planned = JobGraph(8, (vertex("source", 1), vertex("count", 8, "source"), vertex("sink", 3)))
    found = suitability(planned, running, {"source": 1, "count": 128, "sink": 128})
    assert (found.bounds, found.obstacle) == ({"source": 1, "count": 8, "sink": 3}, "")


@pytest.mark.parametrize(
    ("planned", "running"),
    [
        (JobGraph(4, (vertex("source", 4),)), None),
        (JobGraph(4), JobGraph(2)),
        (
            JobGraph(1, (Vertex("source", ("source", "count"), parallelism=1),)),
            JobGraph(2, (vertex("source", 1), vertex("count", 2, "source"))),
        ),
    ],
)
def test_another_graph_is_not_rescaled_to(planned: JobGraph, running: JobGraph | None) -> None:
    """Shows that a chain which the parallelism makes, or breaks, is seen; and what is unknown."""
    assert suitability(planned, running, {}).obstacle == "its job graph is another one then"
