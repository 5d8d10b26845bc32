"""Killed at every step, then run again: one job, of the wanted version, with its state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from itertools import product, repeat
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from flink_jobs_provider.model.errors import ActionFailed
from flink_jobs_provider.model.spec import JobSpec
from tests.unit.reconciling.flink.fake_flink import Killed
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_matrix import running, version

#: How long until somebody runs it again, in seconds: at once (the savepoint may still be going
#: on), when Flink has forgotten trigger ids, and when it has forgotten ended jobs.
PAUSES = [0, 400, 4000]


def killed(begin: Callable[[], Stack], action: Callable[[Stack], object], step: int) -> Stack:
    """Return a stack whose run was killed at a step."""
    stack = begin()
    stack.flink.steps.clear()
    stack.flink.kill_at = step
    with pytest.raises(Killed):
        action(stack)
    stack.flink.kill_at = None
    return stack


def killed_when_it_was_submitted() -> Stack:
    """Return a stack whose first run was killed when the cluster had accepted its job."""
    tried = Stack()
    tried.up(version("Old", "savepoint"))
    accepted = tried.flink.steps.index("submitted") + 1
    return killed(Stack, lambda stack: stack.up(version("Old", "savepoint")), accepted)


def each_step(
    begin: Callable[[], Stack], action: Callable[[Stack], object], pause: float
) -> Iterator[Stack]:
    """Yield a stack for each step at which the action could be killed, some time later.

    A killed process leaves the cluster with its files, and what was recorded before. So each is a
    copy of one run, taken before a step; `test_a_kill_leaves_what_a_copy_has` shows it. They are
    used one after the other: the files in memory are those of the one that was yielded last.
    """
    for stack, files in _left_by_kills(begin(), action):
        MemoryFileSystem.store.clear()
        MemoryFileSystem.store.update(files)
        stack.flink.pass_time(pause)
        yield stack


def _left_by_kills(
    stack: Stack, action: Callable[[Stack], object]
) -> list[tuple[Stack, dict[str, Any]]]:
    found: list[tuple[Stack, dict[str, Any]]] = []

    def note(_step: str) -> None:
        unchanging = (*stack.flink.submissions, stack.record)
        memo: dict[int, object] = {id(one): one for one in unchanging}
        copied = deepcopy(stack, memo)
        copied.flink.on_step = nothing
        found.append((copied, dict(MemoryFileSystem.store)))

    nothing, stack.flink.on_step = stack.flink.on_step, note
    stack.flink.steps.clear()
    action(stack)
    return found


def test_a_kill_leaves_what_a_copy_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows it for an update that rolls back, with a savepoint, checkpoints, and two versions."""
    monkeypatch.setattr("tests.unit.reconciling.flink.stack.time.time", lambda: 1e9)
    monkeypatch.setattr("tests.unit.reconciling.flink.fake_flink._numbers", repeat(0))

    def begin() -> Stack:
        MemoryFileSystem.store.clear()
        stack = running("savepoint")
        stack.flink.programs["New"] = BAD["restarts for ever"]
        return stack

    def update(stack: Stack) -> None:
        with pytest.raises(ActionFailed):
            stack.up(version("New", "savepoint", timeouts={"running": "2s"}))

    copies = _left_by_kills(begin(), update)
    assert len(copies) > 20
    for step, (copied, files) in enumerate(copies):
        dead = killed(begin, update, step)
        assert _left(dead, MemoryFileSystem.store) == _left(copied, files)


def _left(stack: Stack, files: Mapping[str, Any]) -> str:
    """Return all that a killed run leaves, as text, but the time.

    What goes on alongside the step that is killed is killed at its own next step, 10 ms later.
    """
    flink = stack.flink
    everything = (
        *(flink.jobs_by_id, flink.jars, flink.submissions, flink.starts, flink.progress_in),
        *(flink.saved, flink.steps, flink._operations, sorted(files)),
        *(stack.record, stack.said),
    )
    return repr(everything)


def is_up(stack: Stack, wanted: JobSpec) -> None:
    """Check that exactly one job runs, of the wanted version, and that nothing is left to do."""
    job = stack.flink.the_job()
    assert job.job_id == stack.recorded.job_id
    assert stack.flink.submissions[-1].job_id == job.job_id
    assert stack.flink.submissions[-1].spec.entry_class == wanted.entry_class
    assert job.running_tasks == job.parallelism == wanted.parallelism
    stack.refresh()
    assert not stack.plan(wanted).needed
    digests = {digest for _, digest in stack.flink.jars}
    assert digests == {str(wanted.jar_digest)[:32]}


def end_state(stack: Stack) -> int:
    """Return the progress with which the latest version began."""
    return stack.flink.the_job().base


@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize("to", ["Old", "New"])
def test_create(pause: float, to: str) -> None:
    """Shows that a create that died is taken up, also with another spec; its state is kept."""
    wanted = version(to, "savepoint")
    for stack in each_step(Stack, lambda s: s.up(version("Old", "savepoint")), pause):
        before = [stack.flink.progress(job) for job in stack.flink.active()]
        stack.up(wanted)
        is_up(stack, wanted)
        if before and to == "New":
            assert end_state(stack) >= before[0]
        assert len(stack.flink.submissions) <= 2


@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize("to", ["Old", "New", "Other"])
@pytest.mark.parametrize("mode", ["savepoint", "last-state"])
def test_update(pause: float, to: str, mode: str) -> None:
    """Shows that an update that died goes on, or goes to another version, or back: with state."""
    for stack in each_step(lambda: running(mode), lambda s: s.up(version("New", mode)), pause):
        wanted = version(to, mode)
        so_far = state_kept(stack, mode)
        record = stack.refresh() if to == "Old" else stack.recorded
        assert record.status != "FAILED"
        stack.up(wanted)
        is_up(stack, wanted)
        assert stack.flink.progress(stack.flink.the_job()) >= so_far
        assert all(job.restore_from for job in stack.flink.submissions[1:])


def state_kept(stack: Stack, mode: str = "savepoint") -> int:
    """Return the progress that must not be lost: of what runs, or of the newest kept state."""
    active = [stack.flink.progress(job) for job in stack.flink.active()]
    if mode == "last-state":
        active = []
    return max(active or stack.flink.progress_in.values())


@pytest.mark.parametrize("pause", PAUSES)
def test_stop_and_start(pause: float) -> None:
    """Shows that a stop that died ends in one savepoint, from which a start goes on."""
    stopped = version("Old", "savepoint", desired_state="stopped")
    for stack in each_step(lambda: running("savepoint"), lambda s: s.up(stopped), pause):
        record = stack.up(stopped)
        assert stack.flink.active() == []
        assert record.status == "STOPPED"
        assert record.last_savepoint in stack.flink.progress_in
        kept = max(stack.flink.progress_in.values())
        stack.up(version("Old", "savepoint"))
        assert end_state(stack) == kept


@pytest.mark.parametrize("pause", [0, 400])
def test_savepoint(pause: float) -> None:
    """Shows that a savepoint is not taken twice within the time that Flink remembers it."""
    wanted = version("Old", "savepoint", savepoint_trigger="1")
    for stack in each_step(lambda: running("savepoint"), lambda s: s.up(wanted), pause):
        job = stack.flink.the_job()
        record = stack.up(wanted)
        assert stack.flink.the_job() is job
        taken = [path for path in stack.flink.progress_in if "/savepoint-" in path]
        assert record.last_savepoint in taken
        assert len(taken) == 1 or pause


@pytest.mark.parametrize("pause", PAUSES)
def test_stateless_update(pause: float) -> None:
    wanted = version("New", "stateless")
    for stack in each_step(lambda: running("stateless"), lambda s: s.up(wanted), pause):
        stack.up(wanted)
        is_up(stack, wanted)
        assert stack.flink.the_job().restored_from == ""


@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize("on_delete", ["cancel", "savepoint"])
def test_delete(pause: float, on_delete: str) -> None:
    """Shows that a delete that died leaves neither job nor jar once it is run again."""

    def begin() -> Stack:
        stack = running("savepoint")
        stack.up(version("Old", "savepoint", on_delete=on_delete))
        return stack

    for stack in each_step(begin, lambda s: s.destroy(), pause):
        path = stack.destroy()
        assert stack.flink.active() == []
        assert stack.flink.jars == set()
        if on_delete == "savepoint" and pause < 1000:
            assert path in stack.flink.progress_in


@pytest.mark.parametrize("on_delete", ["cancel", "savepoint"])
@pytest.mark.parametrize("pause", PAUSES)
def test_a_job_created_after_its_deletion_is_a_new_one(on_delete: str, pause: float) -> None:
    """Shows that what was deleted is not taken for what a dead create has left."""
    stack = running("savepoint")
    stack.up(version("Old", "savepoint", on_delete=on_delete))
    stack.destroy()
    stack.flink.pass_time(pause)
    stack.up(version("Old", "savepoint"))
    assert end_state(stack) == 0


#: How a version that was started does not come up.
BAD: dict[str, Program] = {
    "refused": Program(submit_error="no"),
    "state does not fit": Program(state_error="no"),
    "tasks fail": Program(task_error="no"),
    "restarts for ever": Program(restarts=True),
    "never comes up": Program(comes_up=False),
}


@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize("failure", BAD)
def test_update_that_rolls_back(pause: float, failure: str) -> None:
    """Shows that a run that died with a bad version, or rolling back, is mended by a good one."""

    def begin() -> Stack:
        stack = running("savepoint")
        stack.flink.programs["New"] = BAD[failure]
        return stack

    def update(stack: Stack) -> None:
        with pytest.raises(ActionFailed, match="The previous version runs again"):
            stack.up(version("New", "savepoint", timeouts={"running": "2s"}))

    for stack in each_step(begin, update, pause):
        so_far = state_kept(stack)
        wanted = version("Other", "savepoint")
        stack.up(wanted)
        is_up(stack, wanted)
        assert stack.flink.progress(stack.flink.the_job()) >= so_far


@pytest.mark.parametrize(
    ("failure", "mode", "restore"),
    [
        case
        for case in product(
            BAD, ["savepoint", "last-state", "stateless"], ["own state", "named savepoint"]
        )
        # Where nothing is restored, there is no state that might not fit.
        if case != ("state does not fit", "stateless", "own state")
    ],
)
def test_a_repeated_bad_update_rolls_back(failure: str, mode: str, restore: str) -> None:
    """Shows an update whose run died, and whose version fails while the next run waits for it."""

    def begin() -> Stack:
        stack = running(mode)
        if restore == "named savepoint":
            stack.up(version("Old", mode, savepoint_trigger="1"))
            stack.flink.pass_time(60)
        stack.flink.programs["New"] = BAD[failure]
        return stack

    def update(stack: Stack) -> None:
        named = stack.recorded.last_savepoint if restore == "named savepoint" else None
        changes = {"restore_from": named, "timeouts": {"running": "2s"}, "savepoint_trigger": "1"}
        with pytest.raises(ActionFailed, match="The previous version runs again"):
            stack.up(version("New", mode, **changes))

    for stack in each_step(begin, update, 0):
        so_far = 0 if mode == "stateless" else state_kept(stack, mode)
        update(stack)
        job = stack.flink.the_job()
        assert stack.flink.submissions[-1].spec.entry_class == "Old"
        assert stack.flink.progress(job) >= so_far


@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize("failure", [name for name in BAD if name != "state does not fit"])
def test_create_of_a_version_that_does_not_come_up(pause: float, failure: str) -> None:
    """Shows that a first version that never came up gives way to the next, without a manual step.

    It never completed a checkpoint, so there is no state that could be dropped.
    """

    def begin() -> Stack:
        stack = Stack()
        stack.flink.programs["Old"] = BAD[failure]
        return stack

    def create(stack: Stack) -> None:
        with pytest.raises(ActionFailed, match="it has no state yet"):
            stack.up(version("Old", "savepoint", timeouts={"running": "2s"}))

    for stack in each_step(begin, create, pause):
        wanted = version("New", "savepoint")
        stack.up(wanted)
        is_up(stack, wanted)


@pytest.mark.parametrize("failure", BAD)
def test_state_of_a_create_that_died_survives_a_bad_version(failure: str) -> None:
    """Shows a job that no record names yet, updated to a version that does not come up.

    There is no previous version to go back to, but its state is there, and is gone on from.
    """
    stack = killed_when_it_was_submitted()
    stack.flink.pass_time(600)
    stack.flink.programs["New"] = BAD[failure]
    with pytest.raises(
        ActionFailed, match=r"its state is in .*, whose _metadata is there and whole"
    ):
        stack.up(version("New", "savepoint", timeouts={"running": "2s"}))
    assert stack.flink.active() == []
    stack.up(version("Other", "savepoint"))
    assert end_state(stack) == stack.flink.saved > 0


def test_a_start_that_died_and_was_read_back_is_waited_for() -> None:
    """Shows that a refresh between does not make an accepted start a done one."""

    def begin() -> Stack:
        stack = running("savepoint")
        stack.up(version("Old", "savepoint", desired_state="stopped"))
        return stack

    wanted = version("Old", "savepoint")
    for stack in each_step(begin, lambda s: s.up(wanted), 0):
        stack.refresh()
        record = stack.up(wanted)
        is_up(stack, wanted)
        assert record.action == "START"


@pytest.mark.parametrize("failure", ["restarts for ever", "never comes up"])
def test_state_of_a_create_that_died_survives_two_deaths(failure: str) -> None:
    """Shows the same where the run with the bad version was killed, too, while waiting for it."""
    stack = killed_when_it_was_submitted()
    stack.flink.pass_time(600)
    stack.flink.programs["New"] = BAD[failure]

    def die_waiting(_step: str) -> None:
        if len(stack.flink.submissions) == 2:
            stack.flink.kill_before = "jobs"

    stack.flink.on_step = die_waiting
    with pytest.raises(Killed):
        stack.up(version("New", "savepoint"))
    stack.flink.on_step, stack.flink.kill_before = lambda _step: None, ""
    assert stack.flink.the_job().restored_from
    stack.up(version("Other", "savepoint"))
    assert end_state(stack) == stack.flink.saved > 0
