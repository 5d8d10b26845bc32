"""A job that somebody else started is taken over as it is, keeps its state, and is let go again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flink_jobs_provider.control_planes.protocol import JobMark, Mark, Submission
from flink_jobs_provider.model.errors import ActionFailed, OwnedElsewhere, PermanentError
from flink_jobs_provider.model.identity import JobKey
from flink_jobs_provider.model.job_graph import Vertex
from flink_jobs_provider.model.record import Adopted
from flink_jobs_provider.model.savepoint import SavepointLayout
from flink_jobs_provider.model.spec import JobSpec
from tests.unit.model.made_up_jobs import DIGEST_1, DIGEST_2, URL
from tests.unit.reconciling.flink.fake_flink import Killed
from tests.unit.reconciling.flink.fake_job import FakeJob, Program
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_crashes import PAUSES, each_step, state_kept
from tests.unit.reconciling.flink.test_matrix import FAILURES, LATE, running, version

#: Its generation digits are the highest there are: they must count for nothing.
FOREIGN = "a" * 18 + "f" * 14
COUNT = Vertex("count", ("count",))
SUM = Vertex("sum", ("sum",))


def foreign(stack: Stack, job_id: str = FOREIGN, **inputs: Any) -> FakeJob:
    """Start a job as somebody else would, and let it run for a while."""
    stack.flink.programs.setdefault("Old", Program(vertices=(COUNT,)))
    by_hand = version("Old", "savepoint", job_name="by-hand", **inputs)
    job = stack.flink.submit_by_hand(Submission(job_id, by_hand, DIGEST_1, None))
    stack.flink.pass_time(60)
    return job


def adopting(to: str = "Old", **inputs: Any) -> JobSpec:
    """Return the declaration of the foreign job."""
    return version(to, "savepoint", **{"adopt": FOREIGN, **inputs})


def adopted(program: Program | None = None, **inputs: Any) -> Stack:
    """Return a stack that has adopted a foreign job."""
    stack = Stack()
    if program:
        stack.flink.programs["Old"] = program
    foreign(stack)
    stack.up(adopting(**inputs))
    return stack


@pytest.mark.parametrize("named", [FOREIGN, "whatever main says"])
def test_a_job_is_adopted_as_it_is(named: str) -> None:
    """Shows it by jobId and by name: nothing is submitted or stopped, and nothing is left to do."""
    stack = Stack()
    job = foreign(stack)
    record = stack.up(adopting(adopt=named))
    assert (record.job_id, record.adopted, record.generation) == (FOREIGN, Adopted.SAME_GRAPH, 0)
    assert (record.action, record.restored_from) == (None, None)
    assert stack.flink.the_job() is job
    assert len(stack.flink.submissions) == 1
    assert "adopted job" in stack.said[-1]
    assert "parallelism" not in stack.said[-1]
    assert not stack.plan(adopting(adopt=named)).needed
    assert stack.plan(version("Old", "savepoint")).line() == (
        "orders: no action, recorded only: adopt was removed"
    )
    assert stack.refresh().model_copy(update={"restore_point": None}) == record


def test_a_declared_parallelism_that_does_not_run_is_named() -> None:
    """Shows that the adoption says it, since no later plan does: it is no drift."""
    stack = Stack()
    foreign(stack, parallelism=3)
    stack.up(adopting(parallelism=4))
    otherwise = "it runs with parallelism 3, and parallelism 4 takes effect with its first restart"
    assert otherwise in stack.said[-1]
    assert not stack.plan(adopting(parallelism=4)).needed


def test_the_first_change_carries_its_state_over() -> None:
    """Shows that it is stopped with a savepoint, and that its jobId counts for no generation."""
    stack = adopted()
    wanted = adopting(parallelism=4)
    assert "it is the first restart since the job was adopted" in stack.plan(wanted).line()
    before = stack.flink.progress(stack.flink.the_job())
    record = stack.up(wanted)
    job = stack.flink.the_job()
    assert job.base >= before
    assert (record.generation, record.adopted, job.parallelism) == (1, None, 4)
    assert record.restored_from == job.restored_from
    assert f"/orders/{FOREIGN}/" in job.restored_from
    assert stack.flink.marked == []
    assert stack.up(version("Old", "savepoint", parallelism=2)).generation == 2


@pytest.mark.parametrize("failure", LATE)
def test_a_first_change_that_fails_goes_back_to_the_declared_version(failure: str) -> None:
    stack = adopted()
    before = stack.flink.progress(stack.flink.the_job())
    stack.flink.programs["New"] = replace(FAILURES[failure], vertices=(COUNT,))
    with pytest.raises(ActionFailed, match="declared when the job was adopted runs as job"):
        stack.up(adopting("New", timeouts={"running": "2s"}))
    assert stack.flink.submissions[-1].spec.entry_class == "Old"
    assert stack.flink.the_job().base >= before


@pytest.mark.parametrize("cause", ["another graph", "not compared"])
def test_without_a_way_back_nothing_is_stopped_unless_said_in_words(cause: str) -> None:
    """Shows the refusal before the stop, and that the words permit it."""
    off = {"state_check": "off"} if cause == "not compared" else {}
    stack = Stack()
    job = foreign(stack)
    stack.flink.programs["Other"] = Program(vertices=(SUM,))
    to = "Old" if off else "Other"
    assert stack.up(adopting(to, **off)).adopted is (
        Adopted.NOT_COMPARED if off else Adopted.OTHER_GRAPH
    )
    assert stack.said[-1].startswith("warning: ")
    wanted = adopting(to, parallelism=4, state_check="off")
    with pytest.raises(PermanentError, match="could not be started again"):
        stack.up(wanted)
    assert stack.flink.the_job() is job
    permitted = wanted.model_copy(update={"allow_no_way_back": True})
    stack.flink.programs["New"] = Program(task_error="RuntimeException: no")
    failing = permitted.model_copy(update={"entry_class": "New"})
    with pytest.raises(ActionFailed, match="Nothing of it runs; its state is in "):
        stack.up(failing)
    assert stack.flink.active() == []
    assert [each.spec.entry_class for each in stack.flink.submissions] == ["Old", "New"]
    stack.up(permitted)
    assert stack.flink.the_job().restored_from


def test_a_program_that_cannot_be_planned_is_not_adopted() -> None:
    stack = Stack()
    job = foreign(stack)
    stack.flink.programs["New"] = FAILURES["main throws"]
    with pytest.raises(PermanentError, match=r"cannot be started: .*was not adopted"):
        stack.up(adopting("New"))
    assert stack.flink.the_job() is job
    assert (stack.flink.jars, stack.flink.marked) == (set(), [])


def test_what_cannot_be_adopted() -> None:
    """Shows each refusal: none, several, ended, not as it is, and alongside the job itself."""
    stack = Stack()
    with pytest.raises(PermanentError, match=f"no job {FOREIGN} runs"):
        stack.up(adopting())
    foreign(stack)
    other = foreign(stack, "b" * 32)
    with pytest.raises(PermanentError, match="2 running jobs are called whatever main says"):
        stack.up(adopting(adopt="whatever main says"))
    other.end("FAILED", stack.time.now())
    with pytest.raises(PermanentError, match=f"job {other.job_id} is FAILED"):
        stack.up(adopting(adopt=other.job_id))
    with pytest.raises(PermanentError, match="restore_from does not"):
        stack.up(adopting(restore_from="/savepoints/one"))
    with pytest.raises(PermanentError, match='desired_state "stopped" does not'):
        stack.up(adopting(desired_state="stopped"))
    assert stack.record is None
    stack.up(version("Old", "savepoint"))
    stack.record = None
    with pytest.raises(PermanentError, match="of this stack runs under this job_name already"):
        stack.up(adopting())
    assert len(stack.flink.active()) == 2


def test_of_a_job_that_its_cluster_lost_the_newest_checkpoint_is_named() -> None:
    """Shows that it cannot be adopted any more, and is gone on from as the refusal says."""
    stack = Stack()
    job = foreign(stack)
    stack.flink.pass_time(60)
    left = job.checkpoint
    assert left
    stack.flink.restart_job_manager()
    with pytest.raises(PermanentError) as refused:
        stack.up(adopting())
    assert f"no job {FOREIGN} runs on {URL}; it has left checkpoint {left}. " in str(refused.value)
    remedy = f"Remove adopt, and set restore_from to {left}, to start the job from there."
    assert remedy in str(refused.value)
    stack.up(version("Old", "savepoint", restore_from=left))
    assert stack.flink.the_job().restored_from == left


@pytest.mark.parametrize("forgotten", [False, True])
def test_of_a_job_that_was_stopped_its_savepoint_is_named(forgotten: bool) -> None:
    """Shows it while Flink lists the job, and by a directory of this project's once it does not."""
    stack = Stack()
    job = foreign(stack)
    wanted = adopting()
    layout = SavepointLayout(stack.flink.cluster.savepoint_directory, wanted.job_name)
    stack.flink.stop_by_hand(job, layout.of_submission(FOREIGN) if forgotten else "memory://theirs")
    if forgotten:
        stack.flink.restart_job_manager()
    with pytest.raises(PermanentError) as refused:
        stack.up(wanted)
    assert f"; it has left savepoint {job.savepoint}. " in str(refused.value)
    assert f"set restore_from to {job.savepoint}, to start" in str(refused.value)
    stack.up(version("Old", "savepoint", restore_from=job.savepoint))
    assert stack.flink.the_job().restored_from == job.savepoint


def test_a_second_stack_does_not_adopt_it() -> None:
    """Shows it for one that comes later, and for one that is first of two that come at once."""
    stack = adopted()
    with pytest.raises(OwnedElsewhere, match="was adopted by another stack"):
        second(stack).up(adopting(job_name="second"))
    racing = Stack()
    foreign(racing)

    def win(step: str) -> None:
        if step == "put adopted":
            theirs = adopting(job_name="second").key.prefix
            racing.flink.marked.append((FOREIGN, JobMark(Mark.ADOPTED, theirs, "first")))

    racing.flink.on_step = win
    with pytest.raises(OwnedElsewhere, match="was adopted by another stack"):
        racing.up(adopting())
    assert [mark.identity for _, mark in racing.flink.marked] == [
        adopting(job_name="second").key.prefix
    ]


def second(first: Stack) -> Stack:
    """Return another stack on the same cluster."""
    stack = Stack()
    stack.flink, stack.time = first.flink, first.time
    return stack


def test_a_job_of_another_stack_is_adopted_only_when_it_was_released() -> None:
    """Shows the whole way of a job from one stack to another, and that the first has lost it."""
    first = running("savepoint", Program(vertices=(COUNT,)))
    job = first.flink.the_job()
    other = second(first)
    theirs = adopting(adopt=job.job_id, owner="organization/shop/other", job_name="theirs")
    with pytest.raises(OwnedElsewhere, match="has not been released"):
        other.up(theirs)
    first.up(version("Old", "savepoint", on_delete="release"))
    first.destroy()
    assert first.flink.the_job() is job
    assert len(first.flink.jars) == 1
    same_name = adopting(adopt=job.job_id, owner="organization/shop/other")
    record = other.up(same_name)
    assert (record.job_id, record.adopted) == (job.job_id, Adopted.SAME_VERSION)
    assert [mark.kind for _, mark in other.flink.marked] == [Mark.ADOPTED]
    with pytest.raises(OwnedElsewhere, match="was adopted by another stack"):
        first.up(version("Old", "savepoint"))
    before = first.flink.progress(job)
    other.up(same_name.model_copy(update={"parallelism": 4}))
    assert other.flink.the_job().base >= before


def test_who_releases_a_job_may_declare_it_again() -> None:
    """Shows that it is then no longer there for others."""
    stack = running("savepoint")
    job = stack.flink.the_job()
    stack.up(version("Old", "savepoint", on_delete="release"))
    stack.destroy()
    stack.up(version("Old", "savepoint"))
    assert stack.flink.the_job() is job
    assert stack.flink.marked == []


@pytest.mark.parametrize("on_delete", ["cancel", "savepoint", "release"])
def test_an_adopted_job_is_deleted_as_any_other(on_delete: str) -> None:
    """Shows that a released one can be adopted again."""
    stack = adopted(on_delete=on_delete)
    savepoint = stack.destroy()
    assert bool(savepoint) == (on_delete == "savepoint")
    assert len(stack.flink.active()) == (on_delete == "release")
    if on_delete == "release":
        assert stack.up(adopting()).job_id == FOREIGN
    else:
        assert stack.flink.marked == []


def test_two_stacks_do_not_both_go_on_from_its_state() -> None:
    """Shows it where the marks were lost, so that both have adopted it."""
    stack = adopted()
    stack.flink.marked.clear()
    other = second(stack)
    other.up(adopting(job_name="second"))
    other.up(adopting(job_name="second", parallelism=4))
    with pytest.raises(OwnedElsewhere, match=r"was started from .*, the state of job"):
        stack.up(adopting(parallelism=4))
    assert len(stack.flink.active()) == 1


def test_a_later_job_of_the_name_does_not_hide_its_state() -> None:
    """Shows that a job which ended long before, with a higher generation, is not gone on from."""
    stack = running("savepoint")
    stack.up(version("New", "savepoint"))
    stack.destroy()
    stack.flink.programs["Old"] = Program(vertices=(COUNT,))
    foreign(stack)
    record = stack.up(adopting())
    assert record.generation == 2

    stack.flink.kill_before = "submit"
    with pytest.raises(Killed):
        stack.up(adopting(parallelism=4))
    stack.flink.kill_before = ""
    assert stack.up(adopting(parallelism=4)).generation == 3
    assert f"/{FOREIGN}/" in stack.flink.the_job().restored_from


@pytest.mark.parametrize("pause", PAUSES)
def test_an_adoption_that_died_is_taken_up(pause: float) -> None:
    """Shows it for a foreign job, at every step: it is never restarted, and one mark is left."""

    def begin() -> Stack:
        stack = Stack()
        foreign(stack)
        return stack

    for stack in each_step(begin, lambda stack: stack.up(adopting()), pause):
        stack.up(adopting())
        assert [job.job_id for job in stack.flink.active()] == [FOREIGN]
        assert [mark.kind for _, mark in stack.flink.marked] == [Mark.ADOPTED]
        assert len(stack.flink.submissions) == 1


@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize("to", ["Old", "New"])
def test_a_first_change_that_died_goes_on_with_its_state(pause: float, to: str) -> None:
    """Shows it at every step, also for a change that is taken back."""
    seen = set()
    for stack in each_step(adopted, lambda stack: stack.up(adopting("New")), pause):
        so_far = state_kept(stack)
        stack.refresh()
        stack.up(adopting(to))
        job = stack.flink.the_job()
        assert stack.flink.progress(job) >= so_far
        assert job.job_id == stack.recorded.job_id
        seen.add(job.job_id == FOREIGN)
    assert seen == ({True, False} if to == "Old" else {False})


@pytest.mark.parametrize("pause", PAUSES)
def test_a_release_that_died_is_taken_up(pause: float) -> None:
    def begin() -> Stack:
        return adopted(on_delete="release")

    for stack in each_step(begin, lambda stack: stack.destroy(), pause):
        stack.record = stack.record or begin().record
        stack.destroy()
        assert [job.job_id for job in stack.flink.active()] == [FOREIGN]
        assert [mark.kind for _, mark in stack.flink.marked] == [Mark.RELEASED]


def test_a_released_job_that_has_ended_is_reported_so() -> None:
    stack = adopted(on_delete="release")
    stack.flink.the_job().end("FAILED", stack.time.now())
    stack.destroy()
    assert stack.flink.marked == [
        (FOREIGN, mark) for _, mark in stack.flink.marked if mark.kind is Mark.ADOPTED
    ]


def test_a_replacement_does_not_leave_a_released_job_alongside() -> None:
    stack = running("savepoint")
    stack.up(version("Old", "savepoint", on_delete="release"))
    wanted = version("Old", "stateless", on_delete="release", job_name="renamed")
    assert "would leave job" in stack.plan(wanted).refusal


def test_the_name_digits_tell_a_declared_job_without_its_jars() -> None:
    """Shows that a job whose program keeps the name that it was given is known by its jobId."""
    stack = Stack()
    key = JobKey("whatever main says", "organization/shop/other")
    foreign(stack, key.job_id(3, DIGEST_2))
    stack.flink.jars.clear()
    with pytest.raises(OwnedElsewhere, match="has not been released"):
        stack.up(adopting(adopt="whatever main says"))
