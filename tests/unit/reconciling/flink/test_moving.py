"""A job is carried to another cluster: killed at every step, it runs once, with its state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, TypeVar

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.protocol import JobMark, Mark
from flink_jobs_provider.model.errors import (
    ActionFailed,
    JarError,
    JobVanished,
    MovedAway,
    PermanentError,
    StateUnavailable,
)
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.planning.move import is_move
from flink_jobs_provider.planning.plan import plan
from flink_jobs_provider.reconciling.flink.move_back import Place
from flink_jobs_provider.reconciling.flink.moving import Move
from flink_jobs_provider.reconciling.flink.reconciler import Reconciler
from tests.one_loop import run
from tests.unit.reconciling.flink.fake_flink import FakeFlink
from tests.unit.reconciling.flink.fake_job import FakeJob, Program
from tests.unit.reconciling.flink.stack import jar
from tests.unit.reconciling.flink.test_crashes import PAUSES
from tests.unit.reconciling.flink.test_matrix import FAILURES, LATE, running, version

NEW = "http://new:8081"


class TwoClusters:
    """A stack whose job runs on one cluster, and another cluster that reaches its savepoints."""

    def __init__(self) -> None:
        self.stack = running("savepoint")
        self.stack.up(version("Old", "savepoint", move=True))
        self.old = self.stack.flink
        self.new = FakeFlink(self.stack.time)
        self.new.progress_in = self.old.progress_in
        self.new.cluster = self.old.cluster
        self.record = self.stack.recorded

    def move(self, **changes: Any) -> JobRecord:
        """Change the target, as an engine would."""
        self.record = run(self.moving(**changes))
        return self.record

    async def moving(self, **changes: Any) -> JobRecord:
        """Return the record of the job once its target was changed."""
        wanted = moved(**changes)
        decided = plan(self.record, wanted)
        if decided.refusal:
            raise PermanentError(decided.refusal)
        if is_move(self.record, wanted):
            old, new = self._place(self.old, "old"), self._place(self.new, "new")
            work = Move(old, new, self.stack.said.append, self.stack.time.now)
            return await work.carry_over(self.record, wanted, jar(wanted))
        here = self._place(self.new, "new").reconciler
        return await here.bring_about(self.record, wanted, jar(wanted))

    async def taken_over(self) -> JobRecord:
        """Return what is recorded of the job on the new cluster by a stack that has no record."""
        reconciler = self._place(self.new, "new").reconciler
        return await reconciler.bring_about(None, moved(), jar(moved()))

    def _place(self, flink: FakeFlink, address: str) -> Place:
        clock, say = self.stack.time.clock(), self.stack.said.append
        return Place(flink, Reconciler(flink, say=say, clock=clock, find_jar=_no_jar), address)

    @property
    def active(self) -> list[FakeJob]:
        """The jobs that run on either."""
        return [*self.old.active(), *self.new.active()]

    def pass_time(self, seconds: float) -> None:
        """Let time pass on both clusters."""
        self.old.pass_time(seconds)
        self.new.pass_time()


Two = TypeVar("Two", bound=TwoClusters)


async def _no_jar(_uri: str, _digest: str) -> Jar:
    raise JarError("it is nowhere")


def moved(**changes: Any) -> JobSpec:
    """Return the job as it is declared for the new cluster."""
    return version("Old", "savepoint", **{"target": {"url": NEW}, "move": True, **changes})


def test_a_job_is_moved_with_its_state() -> None:
    """Shows the plan, where it ends and starts, and that nothing is left to do."""
    two = TwoClusters()
    [job] = two.active
    before = two.old.progress(job)
    assert plan(two.record, moved()).line() == (
        "orders: UPDATE, stop with savepoint on http://flink:8081, and start from it on the new: "
        "cluster http://flink:8081 → http://new:8081"
    )
    assert plan(two.record, moved()).replaces == ()
    record = two.move()
    [now] = two.new.active()
    assert two.old.active() == []
    assert now.base >= before
    assert (record.job_id, record.generation) == (now.job_id, 2)
    assert record.restored_from == job.savepoint == now.restored_from
    assert record.spec == moved()
    assert not plan(record, moved()).needed
    assert two.old.jars == set()
    two.pass_time(60)
    assert two.move(parallelism=4).generation == 3


def test_without_a_record_it_is_not_started_where_it_was_moved_away_from() -> None:
    """Shows it for a state that was lost, until the start is told what to begin with."""
    two = TwoClusters()
    old = version("Old", "savepoint", move=True)
    two.move()
    [now] = two.new.active()
    two.stack.record = None
    with pytest.raises(MovedAway) as refused:
        two.stack.up(old)
    assert two.active == [now]
    [mark] = moving_marks(two)
    assert f"remove jar {mark.id} from this cluster" in str(refused.value)
    assert "run again to take it over" in str(refused.value)
    two.record = run(two.taken_over())
    assert two.active == [now]
    assert two.record.job_id == now.job_id
    two.new.end(now, "CANCELED")
    two.stack.up(version("Old", "savepoint", move=True, restore_from=str(now.restored_from)))
    [here] = two.old.active()
    assert here.restored_from == now.restored_from
    assert moving_marks(two) == []


@pytest.mark.parametrize("pause", PAUSES)
def test_a_move_that_died_is_taken_up(pause: float) -> None:
    """Shows it at every step on either cluster: it never runs twice, and loses nothing."""
    for two in each_kill(TwoClusters(), TwoClusters.move, pause):
        assert len(two.active) <= 1
        kept = state_kept(two)
        two.move()
        [job] = two.new.active()
        assert two.old.active() == []
        assert two.new.progress(job) >= kept
        assert two.record.job_id == job.job_id


@pytest.mark.parametrize("pause", PAUSES)
def test_a_move_that_died_and_is_taken_back_never_runs_twice(pause: float) -> None:
    """Shows that the old cluster does not start it where it may run on the new one."""
    outcomes = set()
    for two in each_kill(TwoClusters(), TwoClusters.move, pause):
        kept = state_kept(two)
        two.stack.record = two.record
        try:
            two.stack.refresh()
            two.stack.up(version("Old", "savepoint", move=True))
        except StateUnavailable:
            outcomes.add("refused")
            two.move()
        assert len(two.active) == 1
        [job] = two.active
        assert max(two.old.progress(job), two.new.progress(job)) >= kept
        outcomes.add("new" if two.new.active() else "old")
    assert outcomes == {"refused", "old", "new"}


@pytest.mark.parametrize("failure", LATE)
def test_what_does_not_start_there_runs_again_where_it_was(failure: str) -> None:
    two = TwoClusters()
    before = state_kept(two)
    two.new.programs["Old"] = FAILURES[failure]
    with pytest.raises(ActionFailed, match="It runs again on old as job"):
        two.move(timeouts={"running": "2s"})
    [job] = two.old.active()
    assert two.new.active() == []
    assert job.base >= before
    assert two.old.marked == []
    two.new.programs["Old"] = Program()
    two.move()
    assert two.old.active() == []
    assert two.new.the_job().base >= job.base


@pytest.mark.parametrize("health", [None, {"window": "30s"}])
def test_a_job_that_the_new_cluster_loses_is_told_of_as_it_is(
    health: dict[str, Any] | None,
) -> None:
    """Shows where the next run starts it from, and that the message says so."""
    two = TwoClusters()
    [job] = two.active

    def lose(_step: str) -> None:
        if any(one.state == "RUNNING" for one in two.new.active()):
            two.new.on_step = nothing
            two.new.restart_job_manager()

    two.new.on_step = lose
    given = {"health": health} if health else {}
    with pytest.raises(JobVanished, match="it goes on from its newest checkpoint there; where"):
        two.move(**given)
    assert two.active == []
    two.move(**given)
    assert two.new.the_job().restored_from == job.savepoint


def test_what_cannot_start_there_is_not_stopped() -> None:
    """Shows it for a program that fails there, too few slots, no way back, and local disks."""
    two = TwoClusters()
    [job] = two.active
    two.new.programs["Old"] = FAILURES["main throws"]
    with pytest.raises(PermanentError, match="cannot be started"):
        two.move()
    two.new.programs["Old"] = Program()
    two.new.slots = 1
    with pytest.raises(PermanentError, match="2 task slots are needed, 1 are free"):
        two.move()
    two.new.slots = 24
    jars, two.old.jars = two.old.jars, set()
    with pytest.raises(PermanentError, match="could not be started again if the new one fails"):
        two.move()
    two.old.jars = jars
    with pytest.raises(PermanentError, match="a job is moved as it is, and these change"):
        two.move(parallelism=4)
    with pytest.raises(PermanentError, match="a change of target starts another job"):
        two.move(move=False)
    assert two.active == [job]


def test_a_local_disk_of_another_machine_is_refused_before_the_stop() -> None:
    two = TwoClusters()
    [job] = two.active
    former = two.record.spec.model_copy(update={"savepoint_directory": "/mnt/savepoints"})
    two.record = two.record.model_copy(update={"spec": former})
    place = two._place

    def local(flink: FakeFlink, address: str) -> Place:
        found = place(flink, address)
        return Place(found.plane, found.reconciler, address, loopback=address == "old")

    two._place = local  # type: ignore[method-assign]
    with pytest.raises(StateUnavailable, match="on the disks of old, which new does not have"):
        two.move(savepoint_directory="/mnt/savepoints")
    assert two.active == [job]


def test_a_job_that_runs_on_both_is_left_to_people() -> None:
    two = TwoClusters()
    two.move()
    two.record = two.stack.recorded
    two.old.jobs_by_id[str(two.record.job_id)].state = "RUNNING"
    with pytest.raises(PermanentError, match="it runs on both clusters"):
        two.move()
    assert len(two.active) == 2


def test_a_job_that_finishes_meanwhile_is_not_run_again() -> None:
    two = TwoClusters()
    [job] = two.active
    job.end("FINISHED", two.stack.time.now())
    two.pass_time(10)
    with pytest.raises(StateUnavailable, match="has come to its own end"):
        two.move()
    assert two.active == []


def test_a_job_that_failed_is_moved_with_its_retained_checkpoint() -> None:
    two = TwoClusters()
    [job] = two.active
    checkpoint = job.checkpoint
    assert checkpoint
    job.end("FAILED", two.stack.time.now())
    two.pass_time(10)
    two.stack.record = two.record
    two.record = two.stack.refresh()
    two.move()
    assert two.new.the_job().restored_from == checkpoint


def moving_marks(two: TwoClusters) -> list[JobMark]:
    """Return the marks of a move on the old cluster."""
    marks = run(two.old.marks_by(moved().key.prefix))
    return [mark for mark in marks if mark.kind is Mark.MOVING]


def state_kept(two: TwoClusters) -> int:
    """Return the progress that must not be lost."""
    active = [two.old.progress(job) for job in two.active]
    return max(active or two.old.progress_in.values())


def each_kill(two: Two, action: Callable[[Two], object], pause: float) -> Iterator[Two]:
    """Return what is left of the action, killed at each of its steps, some time later."""
    found: list[tuple[Two, dict[str, Any]]] = []

    def note(_step: str) -> None:
        hooks = two.old.on_step, two.new.on_step
        two.old.on_step = two.new.on_step = nothing
        unchanging = (*two.old.submissions, *two.new.submissions, two.record, two.stack.record)
        memo: dict[int, object] = {id(one): one for one in unchanging}
        found.append((deepcopy(two, memo), dict(MemoryFileSystem.store)))
        two.old.on_step, two.new.on_step = hooks

    two.old.on_step = two.new.on_step = note
    action(two)
    assert len(found) > 20
    yield from _later(found, pause)


def _later(found: list[tuple[Two, dict[str, Any]]], pause: float) -> Iterator[Two]:
    for copied, files in found:
        MemoryFileSystem.store.clear()
        MemoryFileSystem.store.update(files)
        copied.pass_time(pause)
        yield copied


def nothing(_step: str) -> None:
    pass
