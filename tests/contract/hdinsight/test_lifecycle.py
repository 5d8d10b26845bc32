"""Each change of a job: the actions that it takes, and what is recorded afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.errors import (
    ActionFailed,
    OwnedElsewhere,
    PermanentError,
    StateUnavailable,
)
from flink_jobs_provider.wire.hdinsight import last_state_prefix
from tests.contract.hdinsight.stack import DIRECTORY, JAR, Stack, spec
from tests.unit.model.made_up_jobs import DIGEST_2


def running(mode: str = "savepoint", **service: Any) -> Stack:
    """Return a stack whose job runs."""
    stack = Stack(**service)
    stack.up(spec(upgrade_mode=mode))
    return stack


def stopped(**service: Any) -> Stack:
    """Return a stack whose job was stopped."""
    stack = running(**service)
    stack.up(spec(desired_state="stopped"))
    return stack


def test_create() -> None:
    stack = Stack()
    record = stack.up(spec(parallelism=3, flink_configuration={"a.b": "1"}))
    (order,) = stack.arm.orders
    mark = order["flinkConfiguration"].pop("flink-jobs.spec")
    assert order == {
        "jobType": "FlinkJob",
        "jobName": "orders",
        "action": "NEW",
        "jobJarDirectory": JAR.rpartition("/")[0],
        "jarName": "orders.jar",
        "entryClass": "Old",
        "args": "--topic orders",
        "flinkConfiguration": {
            "a.b": "1",
            "parallelism": "3",
            "savepoint.directory": DIRECTORY,
        },
    }
    assert mark.startswith(spec().key.prefix)
    assert record.status is JobStatus.RUNNING
    assert (record.action, record.action_result) == (Action.NEW, ActionResult.SUCCESS)
    assert record.job_id == stack.arm.job()["jobId"]
    assert record.run_id == stack.arm.job()["runId"]
    assert (record.generation, record.restored_from, record.last_savepoint) == (1, None, None)
    assert not stack.plan(spec(parallelism=3, flink_configuration={"a.b": "1"})).needed


def test_nothing_is_ordered_twice() -> None:
    stack = running()
    stack.bring_about(spec())
    stack.refresh()
    stack.up(spec())
    assert stack.arm.actions() == ["NEW"]


def test_create_from_a_savepoint() -> None:
    stack = Stack()
    record = stack.up(spec(restore_from=f"{DIRECTORY}/savepoint-1"))
    assert stack.arm.launches[0].restored_from == f"{DIRECTORY}/savepoint-1"
    assert record.restored_from == record.last_savepoint == f"{DIRECTORY}/savepoint-1"
    stack.bring_about(spec(restore_from=f"{DIRECTORY}/savepoint-1"))
    assert stack.arm.actions() == ["NEW"]


@pytest.mark.parametrize("keeps", [True, False])
def test_update(keeps: bool) -> None:
    """Shows a change of everything, also where the service shows no mark."""
    stack = running(keeps_unknown_keys=keeps)
    wanted = spec(
        "New",
        parallelism=5,
        args=["--other"],
        flink_configuration={"k": "v"},
        jar=JAR.replace("orders", "new"),
        jar_digest=DIGEST_2,
    )
    record = stack.up(wanted)
    assert stack.arm.actions() == ["NEW", "UPDATE"]
    job = stack.arm.job()
    assert job["entryClass"] == "New"
    assert job["args"] == "--other"
    assert job["flinkConfiguration"]["parallelism"] == "5"
    assert stack.arm.launches[-1].restored_from == stack.arm.savepoints[-1]
    assert record.restored_from == record.last_savepoint == stack.arm.savepoints[-1]
    assert [(s.path, s.reason) for s in record.savepoints] == [(stack.arm.savepoints[-1], "UPDATE")]
    assert (record.generation, record.action) == (2, Action.UPDATE)
    stack.refresh()
    assert not stack.plan(wanted).needed
    stack.bring_about(wanted)
    assert len(stack.arm.orders) == 2


@pytest.mark.parametrize(
    ("mode", "action"),
    [("last-state", "LAST_STATE_UPDATE"), ("stateless", "STATELESS_UPDATE")],
)
def test_other_updates(mode: str, action: str) -> None:
    stack = running()
    record = stack.up(spec("New", upgrade_mode=mode))
    assert stack.arm.actions() == ["NEW", action]
    assert record.action == action
    assert record.last_savepoint is None
    assert not stack.plan(spec("New", upgrade_mode=mode)).needed


def test_update_from_a_named_savepoint() -> None:
    stack = running()
    named = f"{DIRECTORY}/savepoint-1"
    record = stack.up(spec("New", restore_from=named))
    assert stack.arm.launches[-1].restored_from == named
    assert record.last_savepoint == record.restored_from == named
    assert {s.path for s in record.savepoints} == {stack.arm.savepoints[-1]}
    stack.bring_about(spec("New", restore_from=named))
    assert stack.arm.actions() == ["NEW", "UPDATE"]


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_a_restore_point_that_was_left_in_the_program(state: str) -> None:
    """Shows a renamed resource, or a lost state: the job is not set back to it."""
    stack = Stack()
    named = f"{DIRECTORY}/savepoint-1"
    stack.up(spec(restore_from=named))
    stack.up(spec("New", restore_from=named))
    record = stack.up(spec("New", restore_from=named, desired_state=state))
    stack.record = None
    orders = len(stack.arm.orders)
    with pytest.raises(StateUnavailable, match=r"is not recorded\. Nothing was changed"):
        stack.up(spec("New", restore_from=named))
    assert len(stack.arm.orders) == orders
    stack.up(spec("New"))
    assert stack.arm.launches[-1].restored_from == record.last_savepoint != named
    stack.up(spec("New", restore_from=named))
    assert stack.arm.launches[-1].restored_from == named, "named anew, it counts"


def test_savepoint() -> None:
    stack = running()
    for number in ("1", "2"):
        record = stack.up(spec(savepoint_trigger=number))
        assert record.last_savepoint == stack.arm.savepoints[-1]
    assert stack.arm.actions() == ["NEW", "SAVEPOINT", "SAVEPOINT"]
    assert len(record.savepoints) == 2
    assert record.status is JobStatus.RUNNING


def test_stop_and_start() -> None:
    stack = stopped()
    path = stack.arm.savepoints[-1]
    assert stack.recorded.status is JobStatus.STOPPED
    assert stack.recorded.last_savepoint == path
    stack.refresh()
    assert not stack.plan(spec(desired_state="stopped")).needed
    record = stack.up(spec())
    assert stack.arm.actions() == ["NEW", "STOP", "START"]
    assert "savePointName" not in stack.arm.orders[-1]
    assert stack.arm.launches[-1].restored_from == path
    assert (record.status, record.restored_from) == (JobStatus.RUNNING, path)
    assert record.generation == 2


def test_start_of_a_changed_version_where_start_takes_it() -> None:
    stack = stopped(start_takes_spec=True)
    stack.up(spec("New"))
    assert stack.arm.actions() == ["NEW", "STOP", "START"]
    assert [launch.entry_class for launch in stack.arm.launches] == ["Old", "New"]


def test_start_of_a_changed_version_where_start_does_not_take_it() -> None:
    """Shows that the previous version does not run in between, and that the state is kept."""
    stack = stopped()
    path = stack.arm.savepoints[-1]
    record = stack.up(spec("New"))
    assert stack.arm.actions() == ["NEW", "STOP", "DELETE", "NEW"]
    assert [launch.entry_class for launch in stack.arm.launches] == ["Old", "New"]
    assert stack.arm.launches[-1].restored_from == record.last_savepoint == path
    assert not stack.plan(spec("New")).needed


def test_start_of_a_changed_version_whose_savepoint_only_the_row_knows() -> None:
    """Shows that no row is deleted that alone knows where the state is."""
    stack = running()
    job = stack.arm.job()
    path = f"{DIRECTORY}/savepoint-by-hand"
    job |= {"status": "STOPPED", "lastSavePoint": path, "action": "STOP"}
    stack.bring_about(spec("New"))
    assert stack.arm.actions() == ["NEW", "START", "UPDATE"]
    assert [(run.entry_class, run.restored_from) for run in stack.arm.launches[1:]] == [
        ("Old", path),
        ("New", stack.arm.savepoints[-1]),
    ]


@pytest.mark.parametrize("status", ["FAILED", "CANCELED", "LOST"])
def test_a_job_that_does_not_run_comes_back_from_its_savepoint(status: str) -> None:
    stack = running()
    stack.up(spec(savepoint_trigger="1"))
    path = stack.arm.savepoints[-1]
    stack.arm.job()["status"] = status
    assert stack.refresh().status == status
    record = stack.up(spec(savepoint_trigger="1"))
    assert stack.arm.actions()[-1] == "RE_LAUNCH"
    assert stack.arm.launches[-1].restored_from == record.restored_from == path
    assert record.action is Action.RE_LAUNCH


def test_a_job_that_is_no_longer_listed_comes_back_from_its_savepoint() -> None:
    stack = running()
    stack.up(spec(savepoint_trigger="1"))
    path = stack.arm.savepoints[-1]
    stack.arm.rows.clear()
    assert stack.refresh().status is JobStatus.LOST
    record = stack.up(spec(savepoint_trigger="1"))
    assert stack.arm.actions()[-1] == "NEW"
    assert stack.arm.launches[-1].restored_from == record.last_savepoint == path


@pytest.mark.parametrize("lost", [True, False])
def test_nothing_starts_without_its_state(lost: bool) -> None:
    stack = running()
    if lost:
        stack.arm.rows.clear()
    else:
        stack.arm.job()["status"] = "FAILED"
    stack.refresh()
    with pytest.raises(
        StateUnavailable, match="no savepoint or retained checkpoint of it is known"
    ):
        stack.up(spec())
    assert stack.arm.actions() == ["NEW"]
    stack.up(spec(upgrade_mode="stateless"))
    assert stack.arm.launches[-1].restored_from is None
    assert stack.recorded.status is JobStatus.RUNNING


def test_state_that_was_dropped_on_purpose_stays_dropped() -> None:
    """Shows that the service's last savepoint is not taken where it is of the former state."""
    stack = running()
    stack.up(spec(savepoint_trigger="1"))
    stack.up(spec("New", upgrade_mode="stateless", savepoint_trigger="1"))
    stack.arm.job()["status"] = "FAILED"
    stack.refresh()
    with pytest.raises(StateUnavailable):
        stack.up(spec("New", savepoint_trigger="1"))


@pytest.mark.parametrize("on_delete", ["cancel", "savepoint"])
@pytest.mark.parametrize("cancelled", ["CANCELED", "CANCELLED", "TERMINATED"])
def test_delete(on_delete: str, cancelled: str) -> None:
    stack = running(cancelled=cancelled)
    stack.up(spec(on_delete=on_delete))
    path = stack.destroy()
    first = "STOP" if on_delete == "savepoint" else "CANCEL"
    assert stack.arm.actions() == ["NEW", first, "DELETE"]
    assert stack.arm.rows == []
    assert path == (stack.arm.savepoints[-1] if on_delete == "savepoint" else None)


def test_a_released_job_is_left_to_its_service() -> None:
    """Shows that nothing is asked of the service, and that who declares it again has it."""
    stack = running()
    stack.up(spec(on_delete="release"))
    before = stack.arm.actions()
    assert stack.destroy() is None
    stack.up(spec(on_delete="release"))
    assert stack.arm.actions() == before == ["NEW"]
    assert len(stack.arm.rows) == 1


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("Job deleted", False),
        ("", False),
        (f"{last_state_prefix('orders')}; its last known state is /c", True),
    ],
)
def test_what_a_gateway_says_of_a_deleted_jobs_state_is_passed_on(output: str, told: bool) -> None:
    """Shows it of a job that does not run: nobody else knows that state when the row is gone."""
    stack = running(output=output)
    stack.arm.job()["status"] = "LOST"
    stack.said.clear()
    stack.destroy()
    assert (output in stack.said) == told
    assert stack.said[1:] == ["orders: DELETE", *([output] if told else [])]


def test_delete_of_what_is_gone_or_stopped() -> None:
    stack = stopped()
    stack.arm.rows.clear()
    stack.destroy()
    assert stack.arm.actions() == ["NEW", "STOP"]
    stack = stopped()
    stack.up(spec(desired_state="stopped", on_delete="savepoint"))
    assert stack.destroy() == stack.arm.savepoints[-1]
    assert stack.arm.actions() == ["NEW", "STOP", "DELETE"]


# Failures


def test_a_first_version_that_does_not_come_up_gives_way_to_the_next() -> None:
    stack = Stack(broken={"Old"})
    with pytest.raises(ActionFailed) as caught:
        stack.up(spec())
    assert str(caught.value) == (
        "orders: NEW failed: The program failed: no such thing. Nothing of it runs; no savepoint "
        "of it is known. Fix it, and run again."
    )
    stack.up(spec("New"))
    assert stack.arm.actions() == ["NEW", "DELETE", "NEW"]
    assert len(stack.arm.rows) == 1


def test_an_update_that_the_service_rolls_back() -> None:
    stack = running(broken={"New"})
    before = stack.recorded
    with pytest.raises(ActionFailed) as caught:
        stack.up(spec("New"))
    assert "UPDATE failed: The program failed: no such thing." in str(caught.value)
    assert f"Job {stack.arm.job()['jobId']} is RUNNING." in str(caught.value)
    assert stack.record is before
    stack.arm.broken.clear()
    stack.up(spec("New"))
    assert stack.arm.actions() == ["NEW", "UPDATE", "UPDATE"]


def test_an_update_that_the_service_leaves_down_is_taken_back() -> None:
    stack = running(broken={"New"}, rolls_back=False)
    with pytest.raises(ActionFailed, match="The previous version runs again as job"):
        stack.up(spec("New"))
    assert stack.arm.actions() == ["NEW", "UPDATE", "RE_LAUNCH"]
    last = stack.arm.launches[-1]
    assert (last.entry_class, last.restored_from) == ("Old", stack.arm.savepoints[-1])


def test_neither_version_comes_up() -> None:
    stack = running(broken={"New"}, rolls_back=False)
    stack.arm.broken.add("Old")
    with pytest.raises(ActionFailed) as caught:
        stack.up(spec("New"))
    path = stack.arm.savepoints[-1]
    assert "The previous version did not start again either" in caught.value.now
    assert f"the last savepoint of it that is known is {path}" in caught.value.now
    stack.arm.broken.clear()
    record = stack.up(spec("New"))
    assert stack.arm.launches[-1].restored_from == record.restored_from == path


@pytest.mark.parametrize(
    ("kept", "named"),
    [
        (
            ("flinkConfiguration",),
            "parallelism, flink_configuration.k, flink_configuration.gone",
        ),
        (("jobJarDirectory", "jarName", "args"), "jar, args"),
    ],
)
def test_a_service_that_keeps_its_old_values(kept: tuple[str, ...], named: str) -> None:
    stack = Stack(keeps_old=kept)
    stack.up(spec(flink_configuration={"gone": "1"}))
    wanted = spec(
        parallelism=4,
        flink_configuration={"k": "v"},
        args=["--new"],
        jar=JAR.replace("orders", "new"),
        jar_digest=DIGEST_2,
    )
    for _ in range(2):
        with pytest.raises(ActionFailed) as caught:
            stack.up(wanted)
        assert f"the job service has not taken over {named}." in str(caught.value)


def test_the_reason_of_a_failure_is_not_what_was_said_before() -> None:
    stack = running()
    stack.arm.job()["status"] = "FAILED"
    assert stack.refresh().job_output == "The job service reports FAILED"
    assert "FAILED on its cluster (The job service reports FAILED)" in stack.plan(spec()).line()
    stack.arm.job()["jobOutput"] = "The task failed:\non purpose"
    assert "The task failed:\non purpose" in stack.refresh().job_output


# Rows that are not ours, or not alone


def test_another_owners_job_is_refused() -> None:
    stack = running()
    stack.record = None
    with pytest.raises(OwnedElsewhere, match="for another owner than other/stack/dev"):
        stack.up(spec(owner="other/stack/dev"))
    assert stack.arm.actions() == ["NEW"]


def test_a_job_that_nobody_marked_is_refused_unless_it_is_just_what_is_wanted() -> None:
    stack = running(keeps_unknown_keys=False)
    stack.record = None
    with pytest.raises(OwnedElsewhere, match="that was not started by this stack"):
        stack.up(spec("New"))
    record = stack.up(spec())
    assert record.job_id == stack.arm.job()["jobId"]
    assert stack.arm.actions() == ["NEW"]


def test_an_owner_that_was_renamed_keeps_its_job() -> None:
    stack = running()
    stack.bring_about(spec(owner="acme/shop/renamed"))
    stack.up(spec("New", owner="acme/shop/renamed"))
    assert stack.arm.actions() == ["NEW", "UPDATE"]


def test_rows_of_one_name_are_told_apart() -> None:
    """Shows that a row which failed to launch, and one of nothing at all, are left alone."""
    stack = running()
    stack.arm.put(action="NEW", status="JOB_LAUNCH_FAILED", actionResult="FAILED")
    stack.arm.put()
    stack.up(spec("New"))
    assert stack.arm.orders[-1]["runId"] == stack.recorded.run_id
    assert stack.arm.launches[-1].entry_class == "New"


def test_rows_of_one_name_that_cannot_be_told_apart_are_refused() -> None:
    stack = Stack()
    first = stack.arm.put(status="RUNNING", jobId="a" * 32)
    second = stack.arm.put()
    with pytest.raises(PermanentError) as caught:
        stack.up(spec())
    for row in (first, second):
        assert row["runId"] in str(caught.value)
    assert stack.arm.orders == []


# Drift


def test_a_version_that_somebody_else_put_there_is_drift() -> None:
    stack = running()
    stack.arm.job()["flinkConfiguration"]["parallelism"] = "7"
    assert stack.refresh().other_version
    assert "another version than the recorded one runs" in stack.plan(spec()).line()
    stack.up(spec())
    assert stack.arm.job()["flinkConfiguration"]["parallelism"] == "2"
    assert not stack.refresh().other_version


def test_a_word_that_nobody_knows_is_not_gone() -> None:
    stack = running()
    stack.arm.job()["status"] = "PONDERING"
    record = stack.refresh()
    assert record.status is JobStatus.RUNNING
    assert not stack.plan(spec()).needed
