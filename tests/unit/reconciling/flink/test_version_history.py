"""What a job's record lists of its versions, over updates, stops and starts that fail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.errors import ActionFailed
from flink_jobs_provider.model.history import RecordedVersion
from flink_jobs_provider.model.record import Adopted, JobRecord
from flink_jobs_provider.reconciling.version_history import (
    VERSIONS_LISTED,
    Occasion,
    VersionInputs,
    secret_inputs,
    secret_texts,
    with_failure,
    with_history,
)
from tests.unit.model.made_up_jobs import OWNER, spec
from tests.unit.reconciling.flink.fake_flink import RETAINED
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.stack import Stack


class _Recording:
    """A stack whose engine records what the provider returns, with the history."""

    def __init__(self) -> None:
        self.stack = Stack()

    @property
    def versions(self) -> list[RecordedVersion]:
        return self.stack.recorded.history

    def up(self, occasion: Occasion | None = None, **changes: Any) -> JobRecord:
        before = self.stack.record
        wanted = spec(**changes)
        occasion = occasion or Occasion(self.stack.plan(wanted).summary, "c0ffee")
        try:
            after = with_history(before, self.stack.up(wanted), occasion)
        except ActionFailed as error:
            failed = with_failure(before, error, wanted, occasion)
            after = failed if failed is not None else before  # type: ignore[assignment]
        self.stack.record = JobRecord.from_outputs(after.outputs()) if after else None
        return self.stack.recorded


@pytest.fixture
def orders() -> _Recording:
    """Return a job that was created."""
    orders = _Recording()
    orders.up()
    return orders


def test_each_start_is_a_version_with_what_it_left(orders: _Recording) -> None:
    """Shows number, reason, author and savepoints of an update, a stop and a start."""
    first = orders.stack.recorded.job_id
    orders.up(parallelism=3)
    second, first_again = orders.versions
    assert (first_again.number, first_again.action) == (1, Action.NEW)
    assert first_again.why == "NEW, first start, no state"
    assert (first_again.by, first_again.commit, first_again.job_id) == (OWNER, "c0ffee", first)
    assert second.number == 2
    assert second.why == "UPDATE, stop with savepoint and restart: parallelism 2 → 3"
    assert second.restored_from == first_again.savepoint == orders.stack.recorded.last_savepoint
    assert second.savepoint is None
    orders.up(parallelism=3, desired_state="stopped")
    assert [each.number for each in orders.versions] == [2, 1]
    left = orders.versions[0].savepoint
    assert left == orders.stack.recorded.last_savepoint != second.restored_from
    orders.up(parallelism=3)
    assert [(each.number, each.action) for each in orders.versions[:2]] == [
        (3, Action.START),
        (2, Action.UPDATE),
    ]
    assert orders.versions[0].restored_from == left


def test_a_version_of_a_killed_run_is_listed_once_it_is_gone_on_with(orders: _Recording) -> None:
    """Shows that a refresh which has seen it first takes nothing from the list."""
    before = orders.stack.recorded
    orders.stack.up(spec(parallelism=3))  # and is killed before anything is recorded
    orders.stack.record = before
    orders.stack.record = JobRecord.from_outputs(orders.stack.refresh().outputs())
    orders.up(parallelism=3)
    assert [each.number for each in orders.versions] == [2, 1]
    assert orders.versions[0].job_id == orders.stack.flink.the_job().job_id
    assert orders.versions[1].savepoint == orders.versions[0].restored_from is not None


def test_what_starts_nothing_is_no_version(orders: _Recording) -> None:
    listed = orders.versions
    orders.up(savepoint_trigger="now")
    orders.up(savepoint_trigger="now", on_delete="savepoint")
    assert orders.versions == listed


def test_the_inputs_of_each_version_are_recorded(orders: _Recording) -> None:
    """Shows that they are those that make a version, in one text, with the secret ones named."""
    orders.up(Occasion("", secret=frozenset({"args"})), args=["--key", "hunter2"])
    texts = orders.stack.recorded.version_inputs
    assert sorted(texts) == ["1", "2"]
    read = VersionInputs.of(texts["2"])
    assert read.secret == {"args"}
    assert read.inputs["args"] == ["--key", "hunter2"]
    assert {"jar", "jar_digest", "parallelism", "flink_configuration"} < set(read.inputs)
    assert not {"target", "owner", "restore_from", "timeouts"} & set(read.inputs)
    assert VersionInputs.of(texts["1"]).secret == frozenset()
    assert "hunter2" not in json.dumps([each.model_dump() for each in orders.versions])


def test_a_version_that_failed_is_listed_with_the_way_back(orders: _Recording) -> None:
    """Shows the version that did not start, and the one that runs again, which is recorded."""
    orders.stack.flink.programs["Late"] = Program(fails_after=5.0)
    record = orders.up(parallelism=3, entry_class="Late", settle_time="10s")
    back, failed, first = orders.versions
    assert (failed.number, failed.result) == (2, ActionResult.FAILED)
    assert failed.failure.startswith("orders: version 2 did not start: ")
    assert failed.savepoint is None
    assert (back.number, back.why) == (3, "version 2 did not start: back to version 1")
    assert back.restored_from == first.savepoint
    assert back.job_id == record.job_id == orders.stack.flink.active()[0].job_id
    assert record.action_result is ActionResult.FAILED
    assert record.spec.parallelism == 2
    assert sorted(record.version_inputs) == ["1", "3"]
    orders.up(parallelism=3)
    assert [each.number for each in orders.versions] == [4, 3, 2, 1]
    assert orders.stack.recorded.action_result is ActionResult.SUCCESS


def test_what_a_version_had_secret_is_secret_where_it_runs_again(orders: _Recording) -> None:
    """Shows it of a version that follows it in plain, and does not start."""
    orders.stack.flink.programs["Late"] = Program(fails_after=5.0)
    secret = Occasion("", secret=frozenset({"args"}))
    orders.up(secret, args=["--key", "hunter2", "--rate", "1000"])
    record = orders.up(args=["--rate", "1000"], entry_class="Late", settle_time="10s")
    assert record.spec.args == ["--key", "hunter2", "--rate", "1000"]
    known = secret_inputs(record)
    assert (known["args"], known["parallelism"]) == (True, False)
    assert secret_texts(record, {}) == {"hunter2", "1000"}
    assert secret_texts(record, {"args": ["--rate", "1000"]}) == {"hunter2"}
    # Of another value than any version had, nothing is known.
    other = record.model_copy(update={"spec": record.spec.model_copy(update={"args": ["x"]})})
    assert "args" not in secret_inputs(other)


def test_a_version_of_which_no_inputs_are_on_record_is_secret_where_it_runs_again(
    orders: _Recording,
) -> None:
    orders.stack.flink.programs["Late"] = Program(fails_after=5.0)
    bare: dict[str, Any] = {"version_inputs": {}}
    orders.stack.record = orders.stack.recorded.model_copy(update=bare)
    record = orders.up(args=["--rate", "1000"], entry_class="Late", settle_time="10s")
    known = secret_inputs(record)
    assert (known["parallelism"], known["jar"]) == (True, False)


def test_neither_version_came_up_and_the_next_run_has_the_state(orders: _Recording) -> None:
    """Shows that what a failed update leaves on record is gone on from."""
    late = Program(fails_after=5.0)
    orders.stack.flink.programs |= {"Late": late, "": late}
    orders.up(parallelism=3, entry_class="Late", settle_time="10s")
    failed, first = orders.versions
    assert (failed.number, failed.started, first.savepoint is not None) == (2, False, True)
    assert orders.stack.flink.active() == []
    assert orders.stack.recorded.last_savepoint == first.savepoint
    orders.stack.flink.programs.clear()
    orders.up(parallelism=3)
    assert orders.versions[0].restored_from == first.savepoint


def test_a_creation_that_failed_without_state_records_nothing() -> None:
    orders = _Recording()
    orders.stack.flink.programs["Late"] = Program(fails_after=5.0, checkpoint_faults=100)
    with pytest.raises(AssertionError):
        orders.up(entry_class="Late", settle_time="10s")
    assert orders.stack.record is None


def test_a_creation_that_failed_with_state_is_listed_as_a_version() -> None:
    """Shows that the next run lists the version that goes on from its checkpoint after it."""
    orders = _Recording()
    orders.stack.flink.programs["Late"] = Program(fails_after=5.0)
    retained = RETAINED
    record = orders.up(entry_class="Late", settle_time="10s", flink_configuration=retained)
    assert [(each.number, each.started) for each in orders.versions] == [(1, False)]
    assert record.status is JobStatus.FAILED
    orders.up()
    assert [(each.number, each.started) for each in orders.versions] == [(2, True), (1, False)]
    assert f"/{record.job_id}/chk-" in str(orders.versions[0].restored_from)


def test_as_many_versions_are_listed_as_are_promised(orders: _Recording) -> None:
    for number in range(VERSIONS_LISTED + 2):
        orders.up(parallelism=number % 2 + 3)
    assert len(orders.versions) == len(orders.stack.recorded.version_inputs) == VERSIONS_LISTED
    assert orders.versions[0].number == VERSIONS_LISTED + 3


def test_a_record_of_before_there_was_a_history(orders: _Recording) -> None:
    """Shows that nothing is written where there is none, and that the next update lists both."""
    bare: dict[str, Any] = {"history": [], "version_inputs": {}}
    old = orders.stack.recorded.model_copy(update=bare)
    assert not {"history", "version_inputs"} & set(old.outputs())
    orders.stack.record = JobRecord.from_outputs(old.outputs())
    orders.up(parallelism=3)
    second, first = orders.versions
    assert (second.number, first.number, first.job_id) == (2, 1, old.job_id)
    assert first.savepoint == second.restored_from
    assert "args" in VersionInputs.of(orders.stack.recorded.version_inputs["1"]).secret


def test_an_adopted_job_is_not_said_to_run_the_declared_program(orders: _Recording) -> None:
    adopted = {"history": [], "version_inputs": {}, "adopted": Adopted.SAME_GRAPH}
    orders.stack.record = orders.stack.recorded.model_copy(update=adopted)
    orders.up(parallelism=3)
    second, first = orders.versions
    assert (first.why, first.jar, first.jar_digest) == ("started by others, and adopted", "", None)
    assert first.savepoint == second.restored_from is not None
    assert sorted(orders.stack.recorded.version_inputs) == ["2"]


def test_a_kept_version_is_listed_with_what_its_gate_showed(orders: _Recording) -> None:
    stack = orders.stack
    stack.flink.programs["New"] = Program(checkpoint_ms=900)
    stack.flink.pass_time(61)
    gate = {"window": "5s", "max_checkpoint_slowdown": 2, "on_failure": "keep"}
    record = orders.up(entry_class="New", health=gate)
    kept, first = orders.versions
    assert (kept.number, kept.job_id, kept.result) == (2, record.job_id, ActionResult.SUCCESS)
    assert "health.max_checkpoint_slowdown: checkpoints take 900 ms, 50 ms" in kept.failure
    assert first.savepoint == record.last_savepoint
    orders.up(entry_class="New", health=gate)
    assert len(orders.versions) == 2


def test_a_version_that_did_not_pass_is_listed_with_the_one_that_runs_again(
    orders: _Recording,
) -> None:
    stack = orders.stack
    stack.flink.programs["New"] = Program(checkpoint_ms=900)
    stack.flink.pass_time(61)
    gate = {"window": "5s", "max_checkpoint_slowdown": 2}
    record = orders.up(entry_class="New", health=gate)
    again, failed, first = orders.versions
    assert again.job_id == record.job_id == stack.flink.the_job().job_id
    assert "did not pass its health gate" in failed.failure
    assert again.restored_from == record.last_savepoint == record.savepoints[0].path
    assert first.savepoint == record.savepoints[1].path


def test_a_rescale_while_it_runs_is_a_version_under_the_same_job_id(orders: _Recording) -> None:
    """Shows that nothing is said to have been restored, and that the next update closes it."""
    before = orders.stack.recorded
    bounds = {"v": 2}, {"v": 3}
    before = before.model_copy(update={"submitted_parallelism": bounds[0]})
    wanted = spec(parallelism=3)
    done = {"spec": wanted, "action": Action.UPDATE, "submitted_parallelism": bounds[1]}
    after = with_history(before, before.model_copy(update=done), Occasion("UPDATE, rescale"))
    second, first = after.history
    assert (second.number, second.action, second.why) == (2, Action.UPDATE, "UPDATE, rescale")
    assert second.job_id == first.job_id == before.job_id
    assert (second.restored_from, first.savepoint) == (None, None)
    assert VersionInputs.of(after.version_inputs["2"]).inputs["parallelism"] == 3
    again = with_history(after, after, Occasion("nothing"))
    assert again.history == after.history
