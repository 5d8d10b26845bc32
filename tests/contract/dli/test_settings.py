"""Settings of a job: written, changed while it runs or not, undone, and found changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flink_jobs_provider.model.errors import ActionFailed, PermanentError
from tests.contract.dli.stack import Stack, killed_at, spec


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
    stack.up(spec(dli={"flink_version": "1.15", "tm_slot_num": 2}))
    with pytest.raises(
        PermanentError, match=r"dli\.flink_version, dli\.tm_slot_num cannot be taken"
    ):
        stack.up(spec())
    assert stack.dli.steps == ["create", "run"]


def test_tags_cannot_be_changed() -> None:
    stack = Stack()
    stack.up(spec(dli={"tags": {"a": "1"}}))
    assert "dli.tags cannot be changed" in stack.plan(spec(dli={"tags": {"a": "2"}})).refusal


BROAD: dict[str, Any] = {
    "cu_number": 8,
    "checkpoint_enabled": True,
    "checkpoint_mode": "at_least_once",
    "image": "mine",
    "feature": "custom",
}
PLAIN: dict[str, Any] = {
    "cu_number": 2,
    "checkpoint_enabled": False,
    "checkpoint_mode": 1,
    "image": "",
    "feature": "basic",
    "smn_topic": "rest",
}


def shows(stack: Stack, expected: dict[str, Any]) -> None:
    """Check a job's configuration as far as it is expected, and that nothing is left to do."""
    config = stack.dli.job().config
    assert {name: config.get(name) for name in expected} == expected


def test_what_a_version_has_set_that_did_not_start_is_taken_back() -> None:
    stack = Stack(broken={"New": "job_submit_fail"})
    stack.up(spec(dli={"smn_topic": "rest"}))
    with pytest.raises(ActionFailed, match="The previous version runs again"):
        stack.up(spec("New", dli={"smn_topic": "rest", **BROAD}))
    shows(stack, PLAIN)
    stack.refresh()
    assert not stack.plan(spec(dli={"smn_topic": "rest"})).needed


def test_what_a_run_that_died_has_set_is_taken_back() -> None:
    stack = Stack()
    stack.up(spec(dli={"smn_topic": "rest"}))
    killed_at(stack, spec("New", dli={"smn_topic": "rest", **BROAD}), "", "PUT")
    assert stack.dli.job().config["cu_number"] == 8
    stack.up(spec("Other", dli={"smn_topic": "rest"}))
    shows(stack, PLAIN)


def test_settings_given_while_it_is_stopped_count_from_its_start() -> None:
    settings = {"smn_topic": "alarm", "resume_checkpoint": True, "restart_when_exception": True}
    stack = Stack()
    stack.up(spec())
    stack.up(spec(desired_state="stopped"))
    stack.up(spec(desired_state="stopped", dli=settings))
    stack.up(spec(dli=settings))
    shows(stack, settings)
    stack.refresh()
    assert not stack.plan(spec(dli=settings)).needed


def test_settings_taken_away_while_it_is_stopped_go_back_to_their_defaults() -> None:
    settings = {"smn_topic": "alarm", "cu_number": 9, "checkpoint_enabled": True}
    stack = Stack()
    stack.up(spec(dli=settings))
    stack.up(spec(desired_state="stopped", dli=settings))
    stack.up(spec(desired_state="stopped"))
    stack.up(spec())
    shows(stack, {"smn_topic": "", "cu_number": 2, "checkpoint_enabled": False})


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"image": "mine", "feature": "custom"}, "dli.feature, dli.image"),
        ({"smn_topic": "alarm"}, "dli.smn_topic"),
        ({"dependency_jars": ["obs://b/one.jar"]}, "dli.dependency_jars"),
    ],
)
def test_what_a_gateway_cannot_honour_stops_no_job(settings: dict[str, Any], named: str) -> None:
    stack = Stack(gateway=True)
    stack.up(spec())
    with pytest.raises(PermanentError) as caught:
        stack.up(spec("New", dli=settings))
    assert caught.value.happened.startswith(f"orders: a gateway cannot honour {named}:")
    assert caught.value.now == f"Job {stack.recorded.job_id} is RUNNING, as before."
    assert stack.dli.steps == ["create", "run"]
