"""Each change of a job: the steps that it takes, and what is recorded afterwards."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.errors import (
    ActionFailed,
    OwnedElsewhere,
    PermanentError,
    StateUnavailable,
)
from flink_jobs_provider.model.savepoint import in_store, same_path
from tests.contract.dli.fake_dli import FIRST_ID
from tests.contract.dli.stack import JAR, NAMED, TARGET, Stack, running, spec, stopped
from tests.unit.model.made_up_jobs import DIGEST_2

BESIDE = "obs://bucket/beside"


def restored(stack: Stack) -> list[str | None]:
    """Return what each version was started from."""
    return [launch.restored_from for launch in stack.dli.launches]


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


def test_resources_of_version_2() -> None:
    stack = Stack()
    resources = {
        "max_slot": 2,
        "jobmanager_resource_spec": {"cpu": 1, "memory": "4G"},
        "taskmanager_resource_spec": {"cpu": 1.5, "memory": "4096M"},
    }
    wanted = spec(parallelism=3, dli={"resource_config": resources})
    stack.up(wanted)
    config = stack.dli.job().config
    assert config["resource_config_version"] == "v2"
    assert config["resource_config"] == {**resources, "parallel_number": 3}
    assert "parallel_number" not in config
    stack.refresh()
    assert not stack.plan(wanted).needed
    stack.up(spec(parallelism=4, dli={"resource_config": resources}))
    assert stack.dli.job().config["resource_config"]["parallel_number"] == 4
    stack.up(spec(parallelism=4))
    assert stack.dli.job().config["resource_config_version"] == "v1"
    assert stack.dli.job().config["parallel_number"] == 4


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


def test_a_gateway_moves_no_job_to_another_queue() -> None:
    stack = running(gateway=True)
    with pytest.raises(PermanentError, match="cannot move a job to another queue"):
        stack.up(spec(target={**TARGET, "queue": "others"}))
    assert stack.dli.steps == ["create", "run"]
    assert stack.dli.job().status == "job_running"


def test_two_jobs_that_came_up_at_once_are_not_run() -> None:
    """Shows that a second draft of one name, by a run that was thought dead, is seen."""
    stack = Stack()

    def twin(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("/flink-jobs"):
            stack.dli._create(json.loads(request.content))
            (job,) = stack.dli.jobs.values()
            stack.dli.put(config=dict(job.config))
            detail = {"job_id": job.number, "status_name": "job_init"}
            return httpx.Response(200, json={"is_success": True, "message": "", "job": detail})
        return None

    stack.dli.unlike = twin
    with pytest.raises(PermanentError, match="2 jobs have this name"):
        stack.up(spec())
    assert stack.dli.steps == ["create"]


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
    assert [each.path for each in record.savepoints] == [record.last_savepoint]
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
    """Shows that the former version does not run in between, and that the state is kept."""
    stack = stopped(gateway=gateway)
    record = stack.up(spec("New"))
    assert stack.dli.steps[2:] == ["stop, saved", "change", "run, resumed"]
    assert [launch.main_class for launch in stack.dli.launches] == ["Old", "New"]
    assert same_path(restored(stack)[-1], stack.dli.savepoints[-1])
    assert record.action is Action.START
    assert not stack.plan(spec("New")).needed


WHILE_RUNNING: list[tuple[str, Any, Any]] = [
    ("smn_topic", "one", "two"),
    ("restart_when_exception", True, False),
    ("resume_checkpoint", True, False),
    ("resume_max_num", 3, -1),
    ("obs_bucket", "obs://one", "two"),
    ("checkpoint_path", "obs://b/one/", "obs://b/two"),
]


@pytest.mark.parametrize(("name", "one", "two"), WHILE_RUNNING, ids=[r[0] for r in WHILE_RUNNING])
def test_what_may_be_changed_while_it_runs(name: str, one: Any, two: Any) -> None:
    """Shows that only the difference is sent, and that the job goes on."""
    stack = Stack()
    rest = {"obs_bucket": "rest", "smn_topic": "rest", "resume_max_num": 9}
    stack.up(spec(dli={**rest, name: one}))
    job_id = stack.recorded.job_id
    wanted = spec(dli={**rest, name: two})
    assert stack.plan(wanted).line().startswith("orders: no restart, changed while it runs: dli.")
    record = stack.up(wanted)
    assert stack.dli.steps == ["create", "run", "change"]
    put = next(r for r in stack.dli.requests if r.method == "PUT")
    assert json.loads(put.content) == {name: two}
    assert record.job_id == job_id
    stack.refresh()
    assert not stack.plan(wanted).needed


def test_a_setting_changed_by_somebody_else_is_drift_and_is_mended_while_it_runs() -> None:
    stack = Stack()
    wanted = spec(dli={"smn_topic": "ours", "obs_bucket": "obs://b"})
    stack.up(wanted)
    stack.dli.job().config["smn_topic"] = "theirs"
    stack.refresh()
    assert "dli.smn_topic theirs → ours" in stack.plan(wanted).line()
    stack.up(wanted)
    assert stack.dli.job().config["smn_topic"] == "ours"
    assert stack.dli.steps == ["create", "run", "change"]


def test_a_setting_that_is_taken_away_goes_back_to_its_default() -> None:
    stack = Stack()
    settings = {"smn_topic": "topic", "cu_number": 5, "checkpoint_enabled": True}
    stack.up(spec(dli=settings, flink_configuration={"gone": "1"}))
    stack.up(spec())
    config = stack.dli.job().config
    assert (config["smn_topic"], config["cu_number"]) == ("", 2)
    assert config["checkpoint_enabled"] is False
    assert "gone" not in stack.dli.options(stack.dli.job())
    stack.refresh()
    assert not stack.plan(spec()).needed


def test_a_setting_without_a_default_cannot_be_taken_away() -> None:
    stack = Stack()
    stack.up(spec(dli={"flink_version": "1.15", "feature": "basic"}))
    with pytest.raises(PermanentError, match=r"dli\.feature, dli\.flink_version cannot be taken"):
        stack.up(spec())
    assert stack.dli.steps == ["create", "run"]


def test_tags_cannot_be_changed() -> None:
    stack = Stack()
    stack.up(spec(dli={"tags": {"a": "1"}}))
    assert "dli.tags cannot be changed" in stack.plan(spec(dli={"tags": {"a": "2"}})).refusal


# Jobs that do not run


@pytest.mark.parametrize("word", ["job_running_exception", "job_cancel_success", "job_init"])
def test_a_job_that_ended_comes_back_from_a_savepoint_taken_since_its_start(word: str) -> None:
    stack = running()
    stack.up(spec(savepoint_trigger="1", savepoint_directory=BESIDE))
    stack.dli.fail(stack.dli.job(), word)
    stack.refresh()
    assert not stack.recorded.status.active
    record = stack.up(spec(savepoint_trigger="1", savepoint_directory=BESIDE))
    assert same_path(restored(stack)[-1], stack.dli.savepoints[-1])
    assert record.action is Action.START


@pytest.mark.parametrize("refreshed", [True, False])
@pytest.mark.parametrize("word", ["job_running_exception", "job_cancel_success", "job_submit_fail"])
def test_an_older_savepoint_is_not_taken_for_the_newest(word: str, refreshed: bool) -> None:
    """Shows that a job which has run on since its savepoint is not silently set back."""
    stack = stopped()
    stack.up(spec())
    stack.dli.fail(stack.dli.job(), word, "it broke")
    if refreshed:
        stack.refresh()
        assert "it broke" in stack.recorded.job_output or word == "job_cancel_success"
    with pytest.raises(StateUnavailable) as caught:
        stack.bring_about(spec())
    assert "no savepoint or retained checkpoint of it is known" in str(caught.value)
    assert "restore_from" in str(caught.value)
    assert len(stack.dli.launches) == 2
    path = stack.recorded.last_savepoint
    stack.up(spec(restore_from=path))
    assert same_path(restored(stack)[-1], path)


def test_a_job_started_by_somebody_else_is_not_set_back() -> None:
    """Shows that a savepoint which may be older than the last start is not taken."""
    stack = running()
    job = stack.dli.job()
    stack.dli._stop(job, True)
    stack.dli._launch(job, True)
    stack.dli.fail(job)
    for _ in range(2):
        with pytest.raises(StateUnavailable, match="restore_from"):
            stack.bring_about(spec())
        stack.refresh()
    assert len(stack.dli.launches) == 2


@pytest.mark.parametrize("word", ["job_running_exception", "job_cancel_success"])
def test_a_gateway_starts_from_the_newest_state(word: str) -> None:
    stack = running(gateway=True)
    job = stack.dli.job()
    stack.dli.fail(job, word)
    job.checkpoint = job.savepoint = "file:/checkpoints/1/chk-9"
    if word == "job_cancel_success":
        job.savepoint = ""
        stack.dli.fail(job, "job_running_exception")
    stack.refresh()
    record = stack.up(spec())
    assert stack.dli.steps[-1] == "run, resumed"
    assert record.restored_from == "file:/checkpoints/1/chk-9"


def test_a_gateway_without_any_state_refuses() -> None:
    stack = running(gateway=True)
    stack.dli.fail(stack.dli.job())
    stack.refresh()
    with pytest.raises(ActionFailed, match="no savepoint or retained checkpoint of it is known"):
        stack.up(spec())
    record = stack.up(spec(upgrade_mode="stateless"))
    assert restored(stack) == [None, None]
    assert record.action is Action.STATELESS_UPDATE


@pytest.mark.parametrize("gateway", [True, False])
def test_a_finished_job_is_not_run_again_from_nothing(gateway: bool) -> None:
    stack = running(gateway=gateway)
    stack.dli.fail(stack.dli.job(), "job_finish")
    stack.refresh()
    assert stack.recorded.status is JobStatus.FINISHED
    with pytest.raises(StateUnavailable, match="is FINISHED, and no savepoint"):
        stack.up(spec())
    assert len(stack.dli.launches) == 1


def test_a_job_that_is_gone_comes_back_from_its_savepoint() -> None:
    stack = running()
    stack.up(spec(savepoint_trigger="1", savepoint_directory=BESIDE))
    path = stack.recorded.last_savepoint
    stack.dli.jobs.clear()
    assert stack.refresh().status is JobStatus.LOST
    record = stack.up(spec(savepoint_trigger="1", savepoint_directory=BESIDE))
    assert stack.dli.steps[3:] == ["create", "import", "run, resumed"]
    assert same_path(restored(stack)[-1], path)
    assert record.run_id == str(stack.dli.job().number)


def test_a_job_that_is_gone_without_a_savepoint_starts_only_when_that_is_said() -> None:
    stack = running()
    stack.dli.jobs.clear()
    stack.refresh()
    with pytest.raises(StateUnavailable, match="no longer known"):
        stack.up(spec())
    assert len(stack.dli.steps) == 2
    stack.up(spec(upgrade_mode="stateless"))
    assert restored(stack) == [None, None]


# Failures


@pytest.mark.parametrize("word", ["job_submit_fail", "job_running_exception"])
def test_a_first_version_that_does_not_come_up_gives_way_to_the_next(word: str) -> None:
    stack = Stack(broken={"Old": word})
    with pytest.raises(ActionFailed) as caught:
        stack.up(spec())
    assert "did not start: The program failed: no such thing." in str(caught.value)
    assert "Nothing of it runs" in str(caught.value)
    if word == "job_submit_fail":
        stack.up(spec("New"))
        assert stack.dli.steps == ["create", "run", "change", "run"]
        assert restored(stack) == [None]


@pytest.mark.parametrize("gateway", [True, False])
def test_an_update_that_does_not_come_up_is_taken_back(gateway: bool) -> None:
    stack = running(gateway=gateway, broken={"New": "job_submit_fail"})
    before = stack.recorded
    with pytest.raises(ActionFailed) as caught:
        stack.up(spec("New", parallelism=4))
    taken = in_store(stack.dli.savepoints[-1].rstrip("/"))
    assert "did not start: The program failed: no such thing." in caught.value.happened
    job = stack.dli.job()
    assert caught.value.now == (f"The previous version runs again as job {job.jid}, from {taken}.")
    assert (job.config["main_class"], job.config["parallel_number"]) == ("Old", 2)
    assert same_path(restored(stack)[-1], taken)
    assert stack.record is before
    assert stack.dli.steps[2:5] == ["stop, saved", "change", "run, resumed"]
    stack.refresh()
    assert not stack.plan(spec()).needed, "it is the former version"
    stack.dli.broken.clear()
    stack.up(spec("New", parallelism=4))
    assert stack.dli.launches[-1].main_class == "New"


def test_neither_version_comes_up() -> None:
    stack = running(broken={"New": "job_submit_fail"})
    stack.dli.broken["Old"] = "job_submit_fail"
    with pytest.raises(ActionFailed) as caught:
        stack.up(spec("New"))
    path = in_store(stack.dli.savepoints[-1].rstrip("/"))
    assert "The previous version did not start again either" in caught.value.now
    assert f"its state is safe in {path}" in caught.value.now
    stack.dli.broken.clear()
    record = stack.up(spec("New"))
    assert same_path(restored(stack)[-1], path)
    assert same_path(record.restored_from, path)


@pytest.mark.parametrize(
    ("kept", "named"),
    [
        (("parallel_number", "runtime_config"), "flink_configuration, parallelism"),
        (("entrypoint", "entrypoint_args"), "args, jar"),
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
    with pytest.raises(ActionFailed) as caught:
        stack.up(wanted)
    assert f"the job service has not taken over {named}." in str(caught.value)
    assert "The previous version runs again" in str(caught.value)


def test_a_stop_that_fails_leaves_the_job_running() -> None:
    stack = running(savepoints_fail="the snapshot failed\non purpose")
    with pytest.raises(ActionFailed) as caught:
        stack.up(spec("New"))
    assert "the stop with savepoint failed: the snapshot failed on purpose." in str(caught.value)
    assert f"Job {stack.recorded.job_id} is RUNNING; no other version was started." in str(
        caught.value
    )
    assert [launch.main_class for launch in stack.dli.launches] == ["Old"]
    stack.dli.savepoints_fail = ""
    stack.up(spec("New"))
    assert same_path(restored(stack)[-1], stack.dli.savepoints[-1])


# Jobs that are not ours, or not alone


def test_another_owners_job_is_refused() -> None:
    stack = running()
    stack.record = None
    with pytest.raises(OwnedElsewhere, match="for another owner than other/stack/dev") as caught:
        stack.up(spec(owner="other/stack/dev"))
    assert str(stack.dli.job().number) in str(caught.value)
    assert stack.dli.job().jid in str(caught.value)
    assert stack.dli.steps == ["create", "run"]


def test_a_job_that_nobody_marked_is_refused_unless_it_is_just_what_is_wanted() -> None:
    stack = running(keeps_unknown_keys=False)
    stack.record = None
    with pytest.raises(OwnedElsewhere, match="that was not started by this stack"):
        stack.up(spec("New"))
    record = stack.up(spec())
    assert record.job_id == stack.dli.job().jid
    assert stack.dli.steps == ["create", "run"]


def test_a_name_of_a_job_of_another_kind_is_refused() -> None:
    stack = Stack()
    stack.dli.put(status="job_running")
    with pytest.raises(OwnedElsewhere):
        stack.up(spec())
    assert stack.dli.steps == []


def test_names_are_compared_exactly_over_all_pages() -> None:
    stack = Stack(page=100)
    for number in range(250):
        stack.dli.put(config={"name": f"orders-{number}"})
    stack.up(spec())
    stack.record = None
    stack.up(spec())
    assert stack.dli.steps == ["create", "run"], "adopted, though it is on the third page"


def test_an_owner_that_was_renamed_keeps_its_job() -> None:
    stack = running()
    stack.bring_about(spec(owner="acme/shop/renamed"))
    stack.up(spec("New", owner="acme/shop/renamed"))
    assert stack.dli.steps[2:] == ["stop, saved", "change", "run, resumed"]


# Drift


def test_a_version_that_somebody_else_put_there_is_drift() -> None:
    stack = running()
    stack.dli.job().config["parallel_number"] = 7
    stack.refresh()
    assert stack.recorded.other_version
    assert "another version than the recorded one runs" in stack.plan(spec()).line()
    stack.up(spec())
    assert stack.dli.job().config["parallel_number"] == 2
    assert same_path(restored(stack)[-1], stack.dli.savepoints[-1])


def test_a_job_without_a_graph_is_known_by_its_number() -> None:
    """Shows that a job whose Flink id is never shown does not look as if it had never run."""
    stack = running(shows_graphs=False)
    assert stack.recorded.job_id == stack.recorded.run_id
    stack.refresh()
    stack.up(spec("New"))
    assert same_path(restored(stack)[-1], stack.dli.savepoints[-1])
    stack.dli.jobs.clear()
    stack.record = stack.recorded.model_copy(update={"last_savepoint": None, "restored_from": None})
    stack.refresh()
    with pytest.raises(StateUnavailable):
        stack.up(spec("New"))


# Deletion


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
