"""Old savepoints are disposed of after an action; none that anything may come back to is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from flink_jobs_provider.control_planes.protocol import Submission
from flink_jobs_provider.model.errors import ActionFailed
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import (
    Savepoint,
    SavepointLayout,
    SavepointReason,
    canonical_path,
)
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.planning.surplus_savepoints import surplus
from flink_jobs_provider.reconciling.flink.savepoint_disposal import SavepointDisposal
from flink_jobs_provider.reconciling.flink.state_directories import StateDirectories
from flink_jobs_provider.reconciling.record_updates import SAVEPOINTS_LISTED
from flink_jobs_provider.reconciling.version_history import Occasion, with_history
from tests.one_loop import run
from tests.unit.model.made_up_jobs import DIGEST_1, spec
from tests.unit.reconciling.flink.fake_flink import RETAINED, Killed
from tests.unit.reconciling.flink.fake_job import FakeJob, Program
from tests.unit.reconciling.flink.stack import Stack

TWO = {"count": 2}


class Retaining(Stack):
    """A stack whose provider lists versions, and disposes of old savepoints."""

    def up(self, wanted: JobSpec | None = None, **changes: Any) -> JobRecord:
        """Carry a plan out, list the version, and dispose of old savepoints."""
        before, wanted = self.record, wanted or spec(**changes)
        decided = self.plan(wanted)
        record = with_history(before, super().up(wanted), Occasion(decided.summary))
        self.record = before  # until all is done
        if decided.action:
            record = self.dispose(before, record)
        self.record = JobRecord.from_outputs(record.outputs())
        return self.record

    def dispose(self, before: JobRecord | None, after: JobRecord) -> JobRecord:
        """Do what follows an action."""
        directories = StateDirectories(self.flink, False)
        disposal = SavepointDisposal(self.flink, directories, self.time.clock(), self.said.append)
        return run(disposal.after_action(before, after))

    @property
    def listed(self) -> list[str]:
        """The savepoints on record, oldest first."""
        return [each.path for each in self.recorded.savepoints][::-1]

    @property
    def there(self) -> list[str]:
        """The savepoints that are there, oldest first."""
        return [path for path in self.flink.progress_in if "/savepoint-" in path]


def updated(times: int, readable: bool = True, **inputs: Any) -> Retaining:
    """Return a job that was updated so often, a minute apart, and then has a retention."""
    stack = Retaining(readable)
    for number in range(times + 1):
        stack.up(restart_trigger=str(number), flink_configuration=RETAINED, **inputs)
        stack.flink.pass_time(60)
    return stack


def update(stack: Retaining, number: int, retention: dict[str, Any] | None, **inputs: Any) -> None:
    """Update a job once more."""
    stack.up(
        restart_trigger=str(number),
        flink_configuration=RETAINED,
        savepoint_retention=retention,
        **inputs,
    )
    stack.flink.pass_time(60)


def by_hand(stack: Retaining, origin: str | None, **inputs: Any) -> FakeJob:
    """Start a job that is none of this stack's."""
    job_id = "ab" * 16
    return stack.flink.submit_by_hand(
        Submission(job_id, spec(job_name="other", **inputs), DIGEST_1, origin)
    )


@pytest.mark.parametrize("readable", [True, False])
def test_the_newest_are_kept_and_the_others_go(readable: bool) -> None:
    """Shows it with storage that is read from here, and with what the cluster alone shows."""
    stack = updated(4, readable)
    before = stack.there
    assert len(before) == 4
    plan = stack.plan(
        spec(restart_trigger="5", flink_configuration=RETAINED, savepoint_retention=TWO)
    )
    names = ", ".join(path.rpartition("/")[2] for path in before[:3])
    assert plan.summary.endswith(f"; 3 savepoints disposed of afterwards: {names}")
    update(stack, 5, TWO)
    assert stack.there == stack.listed == [before[3], stack.recorded.last_savepoint]
    assert [line for line in stack.said if "disposed of" in line] == [
        f"orders: disposed of savepoint {path} ({age} min old)"
        for path, age in zip(before[:3], (4, 3, 2), strict=True)
    ]
    marked = {each.savepoint for each in stack.recorded.history if each.disposed_at}
    assert marked == set(before[:3])


def test_without_the_input_none_goes_and_more_are_no_longer_listed() -> None:
    stack = updated(1)
    many = [
        Savepoint(path=stack.there[0] + str(number), taken_at="2026-01-01T00:00:00Z")
        for number in range(60)
    ]
    stack.record = stack.recorded.model_copy(
        update={"savepoints": [*stack.recorded.savepoints, *many]}
    )
    update(stack, 2, None)
    assert "dispose" not in stack.flink.steps
    assert len(stack.listed) == SAVEPOINTS_LISTED


def test_by_age() -> None:
    """Shows that one of unknown age stays."""
    stack = updated(4)
    before = stack.there
    undated = stack.recorded.savepoints[-1].model_copy(update={"taken_at": ""})
    stack.record = stack.recorded.model_copy(
        update={"savepoints": [*stack.recorded.savepoints[:-1], undated]}
    )
    update(stack, 5, {"max_age": "150s"})
    assert stack.there == [before[0], before[2], before[3], stack.recorded.last_savepoint]


def test_what_is_about_to_be_taken_counts_in_the_plan() -> None:
    stack = updated(3)
    retention = {"count": 3}

    def summary(**changes: Any) -> str:
        inputs = {"restart_trigger": "3", "flink_configuration": RETAINED} | changes
        return stack.plan(spec(savepoint_retention=retention, **inputs)).summary

    assert "1 savepoint disposed of afterwards: savepoint-" in summary(savepoint_trigger="now")
    assert "1 savepoint disposed of" in summary(desired_state="stopped")
    last_state = summary(restart_trigger="4", upgrade_mode="last-state")
    assert "disposed of" not in last_state, "it takes none"
    assert "disposed of" not in summary(), "nothing is done"


def test_also_after_a_stop_and_a_savepoint() -> None:
    stack = updated(3)
    before = stack.there
    update(stack, 3, TWO, savepoint_trigger="now")
    assert stack.there == [before[2], stack.recorded.last_savepoint]
    former = stack.recorded.last_savepoint
    update(stack, 3, {"count": 1}, savepoint_trigger="now", desired_state="stopped")
    # What the record of before names is all that a run killed here would leave.
    assert stack.there == [before[2], former, stack.recorded.last_savepoint]
    update(stack, 3, {"count": 1}, savepoint_trigger="now")
    assert stack.there == [before[2], stack.recorded.last_savepoint], "a START counts, too"


def test_the_ways_back_of_the_record_before_stay() -> None:
    """Shows that a run killed before it records leaves no record that names what is gone."""
    stack = updated(3)
    before = stack.there
    update(stack, 4, {"count": 1})
    assert stack.there == [before[2], stack.recorded.last_savepoint]
    assert stack.recorded.history[1].savepoint == stack.recorded.last_savepoint
    assert stack.listed == stack.there


def test_a_restore_point_that_the_program_names_stays() -> None:
    stack = updated(3)
    named = stack.there[0]
    update(stack, 4, None, restore_from=named)
    update(stack, 5, {"count": 1}, restore_from=named)
    update(stack, 6, {"count": 1}, restore_from=named)
    assert named in stack.there
    assert named in stack.listed


def test_what_another_job_was_started_from_stays() -> None:
    """Shows it for a job of others that runs, and for one that has ended."""
    for state in ("", "FAILED"):
        stack = updated(4)
        before = stack.there
        other = by_hand(stack, before[1])
        stack.flink.pass_time(10)
        if state:
            stack.flink.end(other, state)
        update(stack, 5, TWO)
        assert stack.there == [before[1], before[3], stack.recorded.last_savepoint]
        assert before[1] in stack.listed
        assert f"savepoint {before[1]} is kept: job {other.job_id} was started from it" in str(
            stack.said
        )


def test_while_a_job_starts_none_goes() -> None:
    """Shows that what does not show yet is not taken for nothing."""
    stack = updated(4)
    stack.flink.programs["Slow"] = Program(comes_up=False)
    other = by_hand(stack, None, entry_class="Slow")
    other.state = "CREATED"
    before = stack.there
    stack.flink.on_step = lambda _step: setattr(other, "state", "CREATED")
    update(stack, 5, TWO)
    assert stack.there[:4] == before
    assert f"what job {other.job_id} starts from does not show yet" in stack.said[-1]
    assert stack.said[-1].startswith("warning: orders: no old savepoint was disposed of: ")


def test_savepoints_of_others_and_elsewhere_stay() -> None:
    """Shows that only what lies right in the job's own directory is its own."""
    stack = updated(1)
    own = stack.there[0]
    root, job_id = own.split("/orders/")[0], own.split("/")[-2]
    foreign = [
        f"{root}/orders/{'0' * 32}/savepoint-000000-1",
        f"{root}/orders/{job_id}/on-delete/savepoint-000000-1",
        f"{root}/orders/{job_id}/savepoint-1/savepoint-000000-1",
        f"{root}/orders/{job_id}/..",
        f"{root}/other/{job_id}/savepoint-000000-1",
        f"memory:///elsewhere/orders/{job_id}/savepoint-000000-1",
        f"{root}/orders/{job_id}/chk-7",
    ]
    added = [Savepoint(path=path, taken_at="2020-01-01T00:00:00Z") for path in foreign]
    stack.record = stack.recorded.model_copy(
        update={"savepoints": [*stack.recorded.savepoints, *added]}
    )
    update(stack, 2, {"count": 1, "max_age": "1d"})
    update(stack, 3, {"count": 1, "max_age": "1d"})
    assert stack.listed[: len(foreign)] == foreign[::-1]
    assert own not in stack.there


def test_while_the_present_state_is_not_seen_none_goes() -> None:
    """Shows it for a last savepoint that has gone, of a job whose checkpoints are not retained."""
    stack = Retaining()
    for number in range(4):
        stack.up(restart_trigger=str(number))
        stack.flink.pass_time(5)
    before, after = stack.recorded, stack.recorded
    asked = after.spec.model_copy(
        update={"savepoint_retention": spec(savepoint_retention={"count": 1}).savepoint_retention}
    )
    after = after.model_copy(update={"spec": asked})
    stack.flink.remove(str(after.last_savepoint))
    there = stack.there
    assert stack.dispose(before, after) == after
    assert stack.there == there
    assert "it is not seen that the job's present state is kept" in stack.said[-1]


@pytest.mark.parametrize("end", ["FAILED", "CANCELED"])
def test_of_a_job_that_does_not_run_none_goes(end: str) -> None:
    stack = updated(4)
    stack.flink.end(stack.flink.the_job(), end)
    asked = spec(savepoint_retention={"count": 1}).savepoint_retention
    after = stack.recorded.model_copy(
        update={"spec": stack.recorded.spec.model_copy(update={"savepoint_retention": asked})}
    )
    assert stack.dispose(stack.recorded, after) == after
    assert len(stack.there) == 4
    assert f"is {end}" in stack.said[-1]


def test_what_fails_is_a_warning_and_is_tried_again() -> None:
    """Shows that the update has succeeded, and that what stays is still on record."""
    stack = updated(4)
    before = stack.there
    stack.flink.disposal_fault = "AccessDeniedException: no"
    update(stack, 5, TWO)
    assert stack.listed == stack.there == [*before, stack.recorded.last_savepoint]
    assert stack.said[-1] == (
        f"warning: orders: savepoint {before[2]} was not disposed of: AccessDeniedException: no; "
        "it stays on record, and the next action tries again"
    )
    stack.flink.disposal_fault = ""
    update(stack, 6, TWO)
    assert len(stack.there) == 2


def test_one_that_is_gone_already_leaves_the_list() -> None:
    stack = updated(4)
    gone = stack.there[0]
    stack.flink.remove(gone)
    update(stack, 5, TWO)
    assert gone not in stack.listed
    assert f"orders: no longer listed, since it is gone: {gone} (4 min old)" in stack.said


def test_after_an_update_that_failed_none_goes() -> None:
    stack = updated(4)
    there = stack.there
    stack.flink.programs["Bad"] = Program(task_error="RuntimeException: no")
    with pytest.raises(ActionFailed):
        update(stack, 5, {"count": 1}, entry_class="Bad")
    assert stack.there[:4] == there


def test_savepoints_of_copies_do_not_count_as_the_newest() -> None:
    """Shows that one that the job goes on from stays, however many its copies have left."""
    stack = updated(1)
    own = stack.recorded.savepoints[0]
    copy = own.model_copy(update={"path": own.path + "1", "reason": SavepointReason.DUPLICATE})
    record = stack.recorded.model_copy(
        update={"savepoints": [copy, own], "last_savepoint": None, "restored_from": None}
    )
    record = record.model_copy(update={"history": []})
    retention = spec(savepoint_retention={"count": 1}).savepoint_retention
    assert retention is not None
    assert surplus(record, retention, (), stack.time.now(), directory=None) == []


def test_a_record_without_versions_has_savepoints_of_its_own() -> None:
    """Shows it of a record whose versions are listed elsewhere, and of an adopted job's first id.

    Its first jobId is none that a submission of this job could have.
    """
    stack = updated(3)
    newest, *older = stack.recorded.savepoints
    first_id = "ab" * 16
    layout = SavepointLayout.of(newest.path, "orders")
    assert layout is not None
    adopted = newest.model_copy(
        update={
            "path": f"{layout.of_submission(first_id)}/savepoint-abcdef-0123456789ab",
            "taken_at": "2020-01-01T00:00:00Z",
        }
    )
    listed = [newest, *older, adopted]
    record = stack.recorded.model_copy(update={"savepoints": listed, "history": []})
    retention = spec(savepoint_retention={"count": 1}).savepoint_retention
    assert retention is not None
    limits = (record, retention, (), stack.time.now())
    assert surplus(*limits, directory=None) == older[::-1]
    found = surplus(*limits, directory=None, submissions=[first_id])
    assert found == [adopted, *older[::-1]]


def test_savepoints_that_the_caller_protects_stay() -> None:
    """Shows it of what is named outside the record, such as by the next start of another job."""
    stack = updated(4)
    before, after = stack.recorded, stack.recorded
    after = after.model_copy(
        update={"spec": spec(flink_configuration=RETAINED, savepoint_retention={"count": 1})}
    )
    protected = stack.there[0]
    directories = StateDirectories(stack.flink, False)
    disposal = SavepointDisposal(stack.flink, directories, stack.time.clock(), stack.said.append)
    left = run(disposal.after_action(before, after, kept=[protected]))
    assert protected in stack.there
    assert protected in [canonical_path(each.path) for each in left.savepoints]
    assert len(stack.there) < 4


def each_kill(begin: Callable[[], Retaining]) -> Iterator[Retaining]:
    """Yield a stack for each step of an update with disposals at which its run was killed."""
    MemoryFileSystem.store.clear()
    whole = begin()
    whole.flink.steps.clear()
    update(whole, 5, TWO)
    for step in range(len(whole.flink.steps)):
        MemoryFileSystem.store.clear()
        stack = begin()
        stack.flink.steps.clear()
        stack.flink.kill_at = step
        with pytest.raises(Killed):
            update(stack, 5, TWO)
        stack.flink.kill_at = None
        yield stack


@pytest.mark.parametrize("readable", [True, False])
def test_killed_at_every_step(readable: bool) -> None:
    """Shows that no record ever names a way back that is gone, and the next run ends it."""
    killed = 0
    for stack in each_kill(lambda: updated(4, readable)):
        killed += 1
        record = stack.recorded
        for path in (record.last_savepoint, record.restored_from, record.history[1].savepoint):
            assert canonical_path(str(path)) in stack.flink.progress_in
        progress = max(stack.flink.progress(job) for job in stack.flink.jobs_by_id.values())
        update(stack, 5, TWO)
        job = stack.flink.the_job()
        assert stack.flink.progress(job) >= progress
        assert job.job_id == stack.recorded.job_id
        assert [canonical_path(each) for each in stack.listed] == stack.there
        assert len(stack.there) == 2
        assert stack.recorded.last_savepoint in stack.there
    assert killed > 20
