"""Each change of a job: the steps that it takes, and what is recorded afterwards."""

from __future__ import annotations

import json

import pytest

from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.errors import (
    ActionFailed,
    StateUnavailable,
)
from flink_jobs_provider.model.savepoint import in_store, same_path
from tests.contract.dli.fake_dli import FIRST_ID
from tests.contract.dli.stack import (
    BESIDE,
    JAR,
    NAMED,
    TARGET,
    Stack,
    restored,
    running,
    spec,
    stopped,
)
from tests.unit.model.made_up_jobs import DIGEST_2


def test_create() -> None:
    stack = Stack()
    settings = {
        "cu_number": 4,
        "checkpoint_enabled": True,
        "checkpoint_mode": "at_least_once",
        "tags": {"team": "shop"},
        "obs_bucket": "obs://logs",
        "log_enabled": True,
    }
    wanted = spec(parallelism=3, flink_configuration={"a.b": "1"}, dli=settings)
    record = stack.up(wanted)
    body = json.loads(stack.dli.requests[1].content)
    options = {each["key"]: each["value"] for each in json.loads(body.pop("runtime_config"))}
    mark = options.pop("flink-jobs.spec")
    assert mark.startswith(wanted.key.prefix)
    assert options == {"a.b": "1"}
    assert body == {
        "name": "orders",
        "queue_name": "streams",
        "main_class": "Old",
        "entrypoint": JAR,
        "entrypoint_args": "--topic orders",
        "parallel_number": 3,
        "cu_number": 4,
        "checkpoint_enabled": True,
        "checkpoint_mode": 2,
        "tags": [{"key": "team", "value": "shop"}],
        "obs_bucket": "obs://logs",
        "log_enabled": True,
    }
    assert stack.dli.steps == ["create", "run"]
    assert record.status is JobStatus.RUNNING
    assert (record.action, record.action_result) == (Action.NEW, ActionResult.SUCCESS)
    assert record.job_id == stack.dli.job().jid
    assert record.run_id == str(stack.dli.job().number)
    assert int(record.run_id) > FIRST_ID
    assert (record.generation, record.restored_from, record.last_savepoint) == (1, None, None)
    stack.refresh()
    assert not stack.plan(wanted).needed


def test_nothing_is_done_twice() -> None:
    stack = running()
    stack.bring_about(spec())
    stack.refresh()
    stack.up(spec())
    assert stack.dli.steps == ["create", "run"]


@pytest.mark.parametrize("gateway", [True, False])
def test_create_from_a_savepoint(gateway: bool) -> None:
    stack = Stack(gateway=gateway)
    record = stack.up(spec(restore_from=NAMED))
    assert stack.dli.steps == ["create", "import", "run, resumed"]
    assert same_path(restored(stack)[0], NAMED)
    assert record.restored_from == record.last_savepoint == NAMED
    stack.bring_about(spec(restore_from=NAMED))
    assert len(stack.dli.steps) == 3


def test_a_job_that_is_to_be_stopped_is_not_created() -> None:
    stack = Stack()
    assert stack.up(spec(desired_state="stopped")).status is JobStatus.STOPPED
    assert stack.dli.steps == []
    stack.up(spec())
    assert stack.dli.steps == ["create", "run"]


@pytest.mark.parametrize("after_stop", ["job_cancel_success", "job_init"])
@pytest.mark.parametrize("keeps", [True, False])
def test_update(keeps: bool, after_stop: str) -> None:
    """Shows a change of everything, also where the service shows no mark."""
    stack = running(keeps_unknown_keys=keeps, after_stop=after_stop)
    wanted = spec(
        "New",
        parallelism=5,
        args=["--other"],
        flink_configuration={"k": "v"},
        jar=JAR.replace("orders", "new"),
        jar_digest=DIGEST_2,
        target={**TARGET, "queue": "others"},
        dli={"cu_number": 6, "desc": "orders of the shop"},
    )
    record = stack.up(wanted)
    assert stack.dli.steps[2:] == ["stop, saved", "change", "run, resumed"]
    job = stack.dli.job()
    assert job.config["main_class"] == "New"
    assert job.config["entrypoint_args"] == "--other"
    assert job.config["queue_name"] == "others"
    assert (job.config["parallel_number"], job.config["cu_number"]) == (5, 6)
    assert job.config["desc"] == "orders of the shop"
    assert stack.dli.options(job)["k"] == "v"
    taken = in_store(stack.dli.savepoints[-1].rstrip("/"))
    assert same_path(restored(stack)[-1], taken)
    assert record.restored_from == record.last_savepoint == taken
    assert [(s.path, s.reason) for s in record.savepoints] == [(taken, "UPDATE")]
    assert (record.generation, record.action) == (2, Action.UPDATE)
    assert "The service may delete that savepoint now" in record.job_output
    stack.refresh()
    assert not stack.plan(wanted).needed
    stack.bring_about(wanted)
    assert len(stack.dli.steps) == 5


def test_update_through_a_gateway() -> None:
    stack = running(gateway=True)
    record = stack.up(spec("New", savepoint_directory=BESIDE))
    assert stack.dli.steps[2:] == ["stop, saved", "change", "run, resumed"]
    assert same_path(record.last_savepoint, stack.dli.savepoints[-1])
    assert record.job_output.startswith("Job started from ")
    assert stack.dli.options(stack.dli.job())["state.savepoints.dir"] == BESIDE


def test_a_savepoint_that_the_service_deletes_is_never_the_only_one() -> None:
    """Shows that one is taken to a place of one's own before the stop, and recorded as the last."""
    stack = running(keeps_unknown_keys=True)
    stack.up(spec(savepoint_directory=BESIDE))
    record = stack.up(spec("New", savepoint_directory=BESIDE))
    assert stack.dli.steps[2:] == ["savepoint", "stop, saved", "change", "run, resumed"]
    own, of_stop = stack.dli.savepoints
    assert same_path(restored(stack)[-1], of_stop)
    assert stack.dli.alive == {own}
    assert same_path(record.last_savepoint, own)
    assert same_path(record.restored_from, of_stop)
    listed = [each.path for each in record.savepoints]
    assert listed == [record.restored_from, record.last_savepoint]
    assert f"{BESIDE}/orders/" in str(record.last_savepoint)
    stack.refresh()
    assert not stack.plan(spec("New", savepoint_directory=BESIDE)).needed


def test_where_the_service_takes_no_savepoint_of_a_running_job_that_is_said() -> None:
    stack = running(lacks=("savepoint",))
    record = stack.up(spec("New", savepoint_directory=BESIDE))
    assert stack.dli.steps[2:] == ["stop, saved", "change", "run, resumed"]
    assert "The service may delete that savepoint now" in record.job_output
    assert any("no call to take a savepoint" in line for line in stack.said)
    with pytest.raises(ActionFailed, match="no call to take a savepoint of a running job"):
        stack.up(spec("New", savepoint_directory=BESIDE, savepoint_trigger="1"))
    assert len(stack.dli.steps) == 5


def test_stateless_update() -> None:
    stack = running()
    record = stack.up(spec("New", upgrade_mode="stateless"))
    assert stack.dli.steps[2:] == ["stop", "change", "run"]
    assert record.action is Action.STATELESS_UPDATE
    assert record.last_savepoint is record.restored_from is None
    stack.refresh()
    assert not stack.plan(spec("New", upgrade_mode="stateless")).needed


RETAINED = {"execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION"}


def test_last_state_update_through_a_gateway() -> None:
    stack = Stack(gateway=True)
    stack.up(spec(flink_configuration=RETAINED))
    stack.dli.job().checkpoint = "file:/checkpoints/1/chk-7"
    wanted = spec("New", flink_configuration=RETAINED, upgrade_mode="last-state")
    record = stack.up(wanted)
    assert stack.dli.steps[2:] == ["stop", "change", "run, resumed"]
    assert record.action is Action.LAST_STATE_UPDATE
    assert record.restored_from == "file:/checkpoints/1/chk-7"
    assert record.last_savepoint is None


@pytest.mark.parametrize("gateway", [True, False])
def test_last_state_is_refused_where_the_state_would_be_dropped(gateway: bool) -> None:
    stack = running(gateway=gateway)
    with pytest.raises(StateUnavailable, match="goes on as it was"):
        stack.up(spec("New", upgrade_mode="last-state"))
    assert stack.dli.steps == ["create", "run"]


@pytest.mark.parametrize("gateway", [True, False])
def test_update_from_a_named_savepoint(gateway: bool) -> None:
    stack = running(gateway=gateway)
    wanted = spec("New", restore_from=NAMED)
    record = stack.up(wanted)
    assert stack.dli.steps[2:] == ["stop, saved", "change", "import", "run, resumed"]
    assert same_path(restored(stack)[-1], NAMED)
    assert record.last_savepoint == record.restored_from == NAMED
    assert [same_path(s.path, stack.dli.savepoints[-1]) for s in record.savepoints] == [True]
    stack.bring_about(wanted)
    assert len(stack.dli.steps) == 6


def test_a_service_without_import() -> None:
    stack = Stack(lacks=("import-savepoint",))
    with pytest.raises(StateUnavailable, match=f"no call to start a job from {NAMED}"):
        stack.up(spec(restore_from=NAMED))
    assert stack.dli.steps == ["create"]


@pytest.mark.parametrize("gateway", [True, False])
def test_savepoint(gateway: bool) -> None:
    stack = running(gateway=gateway)
    for number in ("1", "2"):
        record = stack.up(spec(savepoint_trigger=number, savepoint_directory=BESIDE))
        assert same_path(record.last_savepoint, stack.dli.savepoints[-1])
    assert stack.dli.steps[2:] == ["savepoint", "savepoint"]
    assert [each.reason for each in record.savepoints] == ["SAVEPOINT", "SAVEPOINT"]
    assert record.status is JobStatus.RUNNING
    assert record.action is Action.SAVEPOINT
    sent = json.loads(stack.dli.requests[-6].content or "{}") if not gateway else {}
    assert sent == {} or sent["savepoint_path"].startswith("bucket/beside/orders/")


@pytest.mark.parametrize("gateway", [True, False])
def test_stop_and_start(gateway: bool) -> None:
    stack = stopped(gateway=gateway)
    path = in_store(stack.dli.savepoints[-1].rstrip("/"))
    assert stack.recorded.status is JobStatus.STOPPED
    assert stack.recorded.last_savepoint == path
    assert ("The service deletes it" in stack.recorded.job_output) is not gateway
    stack.refresh()
    assert stack.recorded.status is JobStatus.STOPPED
    assert not stack.plan(spec(desired_state="stopped")).needed
    record = stack.up(spec())
    assert stack.dli.steps[2:] == ["stop, saved", "run, resumed"]
    assert same_path(restored(stack)[-1], path)
    assert (record.status, record.restored_from) == (JobStatus.RUNNING, path)
    assert (record.action, record.generation) == (Action.START, 2)


@pytest.mark.parametrize("gateway", [True, False])
def test_start_of_a_changed_version(gateway: bool) -> None:
    """Shows that the previous version does not run in between, and that the state is kept."""
    stack = stopped(gateway=gateway)
    record = stack.up(spec("New"))
    assert stack.dli.steps[2:] == ["stop, saved", "change", "run, resumed"]
    assert [launch.main_class for launch in stack.dli.launches] == ["Old", "New"]
    assert same_path(restored(stack)[-1], stack.dli.savepoints[-1])
    assert record.action is Action.START
    assert not stack.plan(spec("New")).needed


@pytest.mark.parametrize("on_delete", ["cancel", "savepoint"])
@pytest.mark.parametrize("gateway", [True, False])
def test_delete(on_delete: str, gateway: bool) -> None:
    stack = running(gateway=gateway)
    stack.up(spec(on_delete=on_delete))
    path = stack.destroy()
    first = "stop, saved" if on_delete == "savepoint" else "stop"
    assert stack.dli.steps[2:] == [first, "delete"]
    assert stack.dli.jobs == {}
    assert same_path(path, stack.dli.savepoints[-1] if on_delete == "savepoint" else None)


@pytest.mark.parametrize("saved", [True, False])
def test_delete_of_what_has_failed_names_its_last_savepoint(saved: bool) -> None:
    stack = running()
    if saved:
        stack.up(spec(savepoint_trigger="1"))
    [job] = stack.dli.jobs.values()
    stack.dli.fail(job)
    stack.said.clear()
    stack.destroy()
    [line] = [each for each in stack.said if "does not run" in each]
    assert "orders: it does not run (job_running_exception), so that it is deleted" in line
    known = "the last one that is known is obs://" if saved else "; none of it is known"
    assert known in line


def test_delete_with_a_savepoint_to_a_place_of_ones_own() -> None:
    stack = running()
    stack.up(spec(on_delete="savepoint", savepoint_directory=BESIDE))
    path = stack.destroy()
    assert stack.dli.steps[2:] == ["savepoint", "stop, saved", "delete"]
    assert same_path(path, stack.dli.savepoints[0])


def test_delete_of_what_is_gone_or_stopped() -> None:
    stack = stopped()
    stack.dli.jobs.clear()
    stack.destroy()
    assert stack.dli.steps == ["create", "run", "stop, saved"]
    stack = stopped()
    stack.up(spec(desired_state="stopped", on_delete="savepoint"))
    assert same_path(stack.destroy(), stack.dli.savepoints[-1])
    assert stack.dli.steps[2:] == ["stop, saved", "delete"]


@pytest.mark.parametrize("gateway", [True, False])
def test_created_stopped_with_a_named_savepoint_then_started(gateway: bool) -> None:
    stack = Stack(gateway=gateway)
    stack.up(spec(desired_state="stopped", restore_from=NAMED))
    assert "start from " + NAMED in stack.plan(spec(restore_from=NAMED)).line()
    record = stack.up(spec(restore_from=NAMED))
    assert stack.dli.steps == ["create", "import", "run, resumed"]
    assert same_path(record.restored_from, NAMED)


@pytest.mark.parametrize("gateway", [True, False])
@pytest.mark.parametrize("marks", [True, False])
def test_a_savepoint_that_is_named_again_is_started_from_again(marks: bool, gateway: bool) -> None:
    """Shows that the plan's word is kept: what was honoured once may be asked for again."""
    stack = running(gateway=gateway, keeps_unknown_keys=marks)
    for _ in range(2):
        stack.up(spec(restore_from=NAMED))
        stack.up(spec())
    assert [same_path(each, NAMED) for each in restored(stack)] == [False, True, True]


@pytest.mark.parametrize("gateway", [True, False])
def test_a_restart_trigger_that_is_taken_away_restarts_nothing(gateway: bool) -> None:
    stack = Stack(gateway=gateway)
    stack.up(spec(restart_trigger="1"))
    assert not stack.plan(spec()).needed
    stack.bring_about(spec(timeouts={"submit": "1m"}))
    assert stack.dli.steps == ["create", "run"]
    stack.refresh()
    assert not stack.plan(spec(timeouts={"submit": "1m"})).needed
    stack.up(spec(restart_trigger="2"))
    assert len(stack.dli.launches) == 2


def test_a_savepoint_is_imported_by_its_directory() -> None:
    stack = Stack()
    stack.up(spec(restore_from=f"{NAMED}/_metadata"))
    (sent,) = [r for r in stack.dli.requests if r.url.path.endswith("/import-savepoint")]
    path = NAMED.removeprefix("obs://")
    assert json.loads(sent.content)["savepoint_path"] == f"{path}/"


def test_a_job_is_found_where_the_service_lists_fewer_than_it_was_asked_for() -> None:
    stack = Stack(page=20)
    for number in range(60):
        stack.dli.put(config={"name": f"orders-{number}"})
    stack.up(spec())
    stack.record = None
    stack.up(spec())
    assert stack.dli.steps == ["create", "run"]
