"""Each field of a jar job: what it becomes, or why it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from flink_jobs_provider.gateway.apis.dli import schema
from tests.contract.gateway.apis.dli.calling import JOB, Dli, done, refused

_CHECKPOINTS = {
    "execution.checkpointing.interval": "30s",
    "execution.checkpointing.mode": "AT_LEAST_ONCE",
    "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
}


_PAIRS = {"a": "1", "b": "2"}


def _inputs(**fields: Any) -> dict[str, Any]:
    dli = Dli()
    dli.create(**fields)
    return dict(dli.gateway.service.drafts[0].inputs)


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        (
            {"checkpoint_enabled": True, "checkpoint_mode": 2.0, "checkpoint_interval": 30.0},
            _CHECKPOINTS,
        ),
        (
            {
                "checkpoint_enabled": True,
                "checkpoint_mode": "at_least_once",
                "checkpoint_interval": 30,
            },
            _CHECKPOINTS,
        ),
        (
            {"checkpoint_enabled": True},
            {
                **_CHECKPOINTS,
                "execution.checkpointing.interval": "10s",
                "execution.checkpointing.mode": "EXACTLY_ONCE",
            },
        ),
        ({"checkpoint_enabled": False, "checkpoint_interval": 30}, {}),
        (
            {"checkpoint_path": "obs://other/dir/"},
            {
                "execution.checkpointing.dir": "obs://other/dir/",
                "state.checkpoints.dir": "obs://other/dir/",
            },
        ),
        (
            {"restart_when_exception": False},
            {"restart-strategy.type": "none", "restart-strategy": "none"},
        ),
        (
            {"restart_when_exception": True, "resume_max_num": -1.0},
            {
                "restart-strategy.type": "fixed-delay",
                "restart-strategy": "fixed-delay",
                "restart-strategy.fixed-delay.attempts": "2147483647",
            },
        ),
        (
            {"runtime_config": '{"table.exec.state.ttl": 5, "a": true, "flink-jobs.spec": {}}'},
            {"table.exec.state.ttl": "5", "a": "true"},
        ),
        ({"runtime_config": ""}, {}),
        ({"runtime_config": '[{"key": "a", "value": "1"}, {"key": "b", "value": 2}]'}, _PAIRS),
        (
            {
                "checkpoint_enabled": True,
                "checkpoint_interval": 60,
                "checkpoint_mode": "at_least_once",
                "checkpoint_path": "obs://other/dir",
                "runtime_config": json.dumps(
                    {
                        "execution.checkpointing.interval": "1 min",
                        "execution.checkpointing.mode": "at_least_once",
                        "state.checkpoints.dir": "obs://other/dir/",
                    }
                ),
            },
            {
                **_CHECKPOINTS,
                "execution.checkpointing.interval": "1 min",
                "execution.checkpointing.mode": "at_least_once",
                "execution.checkpointing.dir": "obs://other/dir",
                "state.checkpoints.dir": "obs://other/dir/",
            },
        ),
        (
            {
                "checkpoint_enabled": True,
                "restart_when_exception": True,
                "resume_max_num": -1,
                "runtime_config": json.dumps(
                    {
                        "execution.checkpointing.interval": "60s",
                        "execution.checkpointing.mode": "AT_LEAST_ONCE",
                        "restart-strategy": "fixeddelay",
                        "restart-strategy.fixed-delay.attempts": 3,
                    }
                ),
            },
            {
                **_CHECKPOINTS,
                "execution.checkpointing.interval": "60s",
                "restart-strategy.type": "fixed-delay",
                "restart-strategy": "fixeddelay",
                "restart-strategy.fixed-delay.attempts": "3",
            },
        ),
        (
            {
                "checkpoint_enabled": True,
                "runtime_config": json.dumps(
                    {
                        "execution.checkpointing.externalized-checkpoint-retention": "NO",
                        "execution.checkpointing.interval": "10s",
                    }
                ),
            },
            {
                "execution.checkpointing.interval": "10s",
                "execution.checkpointing.mode": "EXACTLY_ONCE",
                "execution.checkpointing.externalized-checkpoint-retention": "NO",
            },
        ),
    ],
)
def test_settings_become_options_of_flink(fields: dict[str, Any], options: dict[str, str]) -> None:
    assert _inputs(**fields)["flink_configuration"] == options


def test_what_runtime_config_says_of_savepoints_becomes_inputs() -> None:
    options = {
        "state.savepoints.dir": "obs://bucket/savepoints",
        "execution.savepoint.ignore-unclaimed-state": True,
    }
    inputs = _inputs(runtime_config=json.dumps(options))
    assert inputs["flink_configuration"] == {}
    assert inputs["savepoint_directory"] == "s3://mirror/savepoints"
    assert inputs["allow_non_restored_state"] is True


@pytest.mark.parametrize(
    ("fields", "parallelism"),
    [
        ({"parallel_number": None}, 1),
        ({"parallel_number": 7.0}, 7),
        (
            {
                "parallel_number": None,
                "resource_config_version": "v2",
                "resource_config": {"parallel_number": 5, "max_slot": 2},
            },
            5,
        ),
        ({"resource_config_version": "v1", "cu_number": 4, "tm_cus": 2, "tm_slot_num": 1}, 3),
    ],
)
def test_the_parallelism_of_both_kinds_of_resources(
    fields: dict[str, Any], parallelism: int
) -> None:
    assert _inputs(**fields)["parallelism"] == parallelism


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "a b"}, "name must be 1 to 57"),
        ({"name": "x" * 58}, "name must be 1 to 57"),
        ({"name": None}, "name must be"),
        ({"entrypoint": "obs://elsewhere/a.jar"}, "entrypoint must lie in a storage"),
        ({"entrypoint": "group/a.jar"}, "entrypoint must be an absolute URI"),
        ({"entrypoint": ""}, "entrypoint must not be empty"),
        ({"main_class": "a b"}, "main_class must be the name of a class"),
        ({"parallel_number": 0}, "parallel_number must be 1 or more"),
        ({"parallel_number": "2"}, "parallel_number must be a whole number"),
        ({"smn_topic": "alerts"}, "smn_topic must be left out"),
        ({"image": "mine"}, "image must be left out"),
        ({"feature": "custom"}, "feature must be basic"),
        ({"dependency_jars": ["a.jar"]}, "dependency_jars must be left out"),
        ({"dependency_files": ["a"]}, "dependency_files must be left out"),
        ({"checkpoint_mode": 3}, "checkpoint_mode must be 1"),
        ({"checkpoint_interval": 0}, "checkpoint_interval must be 1 or more"),
        ({"resume_max_num": -2}, "resume_max_num must be -1 or more"),
        (
            {"restart_when_exception": True, "resume_checkpoint": False},
            "resume_checkpoint must be true",
        ),
        ({"runtime_config": "[1]"}, "runtime_config must be a JSON object"),
        ({"runtime_config": '[{"value": "x"}]'}, "runtime_config. must be a text"),
        ({"runtime_config": "{"}, "runtime_config must be a JSON object"),
        ({"runtime_config": '{"a": {}}'}, "runtime_config.a must be a text"),
        ({"runtime_config": '{"parallelism.default": 3}'}, "use parallel_number"),
        (
            {"runtime_config": '{"execution.savepoint.path": "s3://x/y"}'},
            "use an imported savepoint",
        ),
        (
            {
                "checkpoint_enabled": True,
                "checkpoint_mode": 1,
                "runtime_config": '{"execution.checkpointing.mode": "AT_LEAST_ONCE"}',
            },
            "runtime_config.execution.checkpointing.mode contradicts checkpoint_mode",
        ),
        (
            {
                "checkpoint_enabled": True,
                "checkpoint_interval": 60,
                "runtime_config": '{"execution.checkpointing.interval": "60"}',
            },
            "contradicts checkpoint_interval",
        ),
        (
            {
                "restart_when_exception": True,
                "resume_max_num": 3,
                "runtime_config": '{"restart-strategy.fixed-delay.attempts": 4}',
            },
            "contradicts resume_max_num",
        ),
        (
            {
                "checkpoint_path": "bucket/a",
                "runtime_config": '{"execution.checkpointing.dir": "s3://other/b"}',
            },
            "runtime_config.execution.checkpointing.dir contradicts",
        ),
        (
            {
                "checkpoint_path": "bucket/a",
                "runtime_config": '{"state.checkpoints.dir": "s3://other/b"}',
            },
            "runtime_config.state.checkpoints.dir contradicts",
        ),
        (
            {
                "restart_when_exception": False,
                "runtime_config": '{"restart-strategy": "fixed-delay"}',
            },
            "runtime_config.restart-strategy contradicts",
        ),
        (
            {
                "runtime_config": '{"state.savepoints.dir": "s3://a/b", '
                '"execution.checkpointing.savepoint-dir": "s3://c/d"}',
            },
            "runtime_config.state.savepoints.dir contradicts",
        ),
        ({"checkpoint_path": "https://host/dir"}, "checkpoint_path must be"),
        ({"checkpoint_path": "bucket/../dir"}, "checkpoint_path must not hold"),
        ({"resource_config": {"parallel_number": 2}}, "resource_config_version v2"),
        (
            {
                "parallel_number": 2,
                "resource_config_version": "v2",
                "resource_config": {"parallel_number": 3},
            },
            "must not differ",
        ),
        ({"flink_version": "one"}, "flink_version must be as"),
        ({"sql_body": "SELECT 1"}, "sql_body is not a property"),
        ({"tags": [{"value": "x"}]}, "tags.0.key is required"),
    ],
)
def test_a_wrong_field_is_refused_by_name(fields: dict[str, Any], says: str) -> None:
    dli = Dli()
    body_ = {**JOB, **fields}
    answer = dli.call("POST", "/flink-jobs", json=body_)
    assert says in refused(answer, 400, "DLI.0001")
    assert dli.gateway.service.drafts == []


def test_all_that_is_wrong_is_told_at_once() -> None:
    answer = Dli().call("POST", "/flink-jobs", json={"smn_topic": "x", "image": "y"})
    said = refused(answer, 400, "DLI.0001")
    for name in ("name", "entrypoint", "smn_topic", "image"):
        assert name in said
    wrong = {**JOB, "entrypoint": "obs://elsewhere/a.jar", "runtime_config": "1"}
    said = refused(Dli().call("POST", "/flink-jobs", json=wrong), 400, "DLI.0001")
    assert "2 properties are invalid" in said


_KEPT: dict[str, Any] = {
    "cu_number": 4,
    "manager_cu_number": 2,
    "tm_cus": 2,
    "tm_slot_num": 3,
    "log_enabled": True,
    "obs_bucket": "logs",
    "flink_version": "1.17",
    "execution_agency_urn": "agency",
    "feature": "basic",
    "flink_log_config": "{}",
    "resource_config_version": "v2",
    "resource_config": {
        "parallel_number": 3,
        "max_slot": 2,
        "jobmanager_resource_spec": {"cpu": 0.5, "memory": "2G"},
    },
    "runtime_config": '{ "b":"1",  "flink-jobs.spec":{"x":[1]}, "a":"2"}',
    "checkpoint_enabled": True,
    "checkpoint_interval": 20,
    "checkpoint_path": "bucket/dir",
    "restart_when_exception": True,
    "resume_checkpoint": True,
    "resume_max_num": 4,
}


def test_what_was_given_is_shown_as_it_was_given() -> None:
    """Shows also that a client's notes in `runtime_config` come back letter by letter."""
    dli = Dli()
    tags = [{"key": "team", "value": "orders"}]
    number = dli.create(**_KEPT, desc="All", tags=tags, checkpoint_mode=2)
    detail = dli.detail(number)
    assert {name: detail["job_config"][name] for name in _KEPT} == _KEPT
    assert detail["job_config"]["checkpoint_mode"] == "at_least_once"
    assert detail["job_config"]["entrypoint"] == JOB["entrypoint"]
    assert (detail["desc"], detail["tags"]) == ("All", tags)
    assert (detail["main_class"], detail["entrypoint_args"]) == (
        JOB["main_class"],
        JOB["entrypoint_args"],
    )
    assert detail["job_type"] == "flink_jar_job"


def test_zero_is_as_not_given_where_the_cluster_decides() -> None:
    """Shows it for what Huawei's Terraform provider sends of a job that says nothing of these."""
    dli = Dli()
    zeros = dict.fromkeys(("cu_number", "manager_cu_number", "tm_cus", "tm_slot_num"), 0)
    resources = {"resource_config_version": "v2", "resource_config": {"max_slot": 0}}
    config = dli.detail(dli.create(**zeros, **resources))["job_config"]
    assert {name: config[name] for name in zeros} == {
        "cu_number": 2,
        "manager_cu_number": 1,
        "tm_cus": 1,
        "tm_slot_num": 3,  # the job has parallelism 3, and one CU for tasks
    }
    assert "resource_config" not in config or "max_slot" not in config["resource_config"]
    number = dli.running(name="other", tm_slot_num=3)
    done(dli.call("PUT", f"/flink-jobs/{number}", json={**zeros, "obs_bucket": "logs"}))
    config = dli.detail(number)["job_config"]
    assert (config["tm_slot_num"], config["obs_bucket"]) == (3, "logs")


def test_defaults_are_shown_for_what_was_not_given() -> None:
    dli = Dli()
    config = dli.detail(dli.create(parallel_number=None))["job_config"]
    assert config["parallel_number"] == 1
    assert config["checkpoint_enabled"] is False
    assert "runtime_config" not in config


def test_what_another_face_changed_is_shown_as_it_is() -> None:
    """Shows that the fields do not go on saying what was once given."""
    dli = Dli()
    number = dli.running(runtime_config='{"a": "1"}')
    gateway = dli.gateway
    body_ = {
        "jobType": "FlinkJob",
        "jobName": "orders",
        "action": "UPDATE",
        "jobJarDirectory": "abfs://jobs@account/dir",
        "jarName": "other.jar",
        "entryClass": "com.example.Other",
        "args": "--x",
        "flinkConfiguration": {"parallelism": "9", "b": "2"},
    }
    assert gateway.run_job(body_).status_code == 202
    detail = dli.detail(number)
    config = detail["job_config"]
    assert config["entrypoint"] == "abfs://jobs@account/dir/other.jar"
    assert (detail["main_class"], detail["entrypoint_args"]) == ("com.example.Other", "--x")
    assert config["parallel_number"] == 9
    assert json.loads(config["runtime_config"]) == {"b": "2"}


@pytest.mark.parametrize("listed", [False, True])
def test_a_change_of_a_setting_leaves_what_another_face_said_of_savepoints(listed: bool) -> None:
    """Shows that it is shown, too, in the form in which the caller reads `runtime_config`."""
    dli = Dli()
    first = [{"key": "a", "value": "1"}] if listed else {"a": "1", "flink-jobs.spec": "mine"}
    number = dli.running(runtime_config=json.dumps(first))

    def options() -> dict[str, str]:
        shown = json.loads(dli.detail(number)["job_config"]["runtime_config"])
        return {pair["key"]: pair["value"] for pair in shown} if listed else shown

    def update(**configuration: Any) -> None:
        asked = {"jobType": "FlinkJob", "jobName": "orders", "action": "UPDATE"}
        body_ = {**asked, "flinkConfiguration": {"parallelism": "3", **configuration}}
        assert dli.gateway.run_job(body_).status_code == 202

    of_savepoints = {
        "savepoint.directory": "s3://arm/savepoints",
        "execution.savepoint.ignore-unclaimed-state": "true",
    }
    shown = {
        "state.savepoints.dir": "s3://arm/savepoints",
        "execution.savepoint.ignore-unclaimed-state": "true",
    }
    for configuration in ({"a": "1"}, {"b": "2"}):
        update(**configuration, **of_savepoints)
        notes = {} if listed or configuration != {"a": "1"} else {"flink-jobs.spec": "mine"}
        assert options() == {**configuration, **notes, **shown}
        path = f"/flink-jobs/{number}"
        done(dli.call("PUT", path, json={"checkpoint_path": "bucket/checkpoints"}))
        spec = dli.gateway.service.rows[number].next_spec
        assert spec.savepoint_directory == "s3://arm/savepoints"
        assert spec.allow_non_restored_state is True
        done(dli.call("PUT", path, json={"checkpoint_path": ""}))
    update(b="2", **{"savepoint.directory": "s3://arm/savepoints"})
    assert options() == {"b": "2", "state.savepoints.dir": "s3://arm/savepoints"}
    dli.acted("stop", number)
    done(dli.call("PUT", f"/flink-jobs/{number}", json={"runtime_config": '{"b": "3"}'}))
    spec = dli.gateway.service.rows[number].next_spec
    assert (spec.savepoint_directory, dict(spec.flink_configuration)) == (None, {"b": "3"})


def test_a_job_of_this_face_is_shown_by_the_other_one() -> None:
    dli = Dli()
    dli.create(runtime_config='{"a": "1"}')
    row = dli.gateway.row()["properties"]
    assert (row["jobName"], row["status"], row["action"]) == ("orders", "DRAFT", "NEW")
    assert row["jobJarDirectory"] == "obs://bucket/jars"
    assert (row["jarName"], row["args"]) == ("orders.jar", "--input in")
    assert row["entryClass"] == "com.example.Orders"
    assert row["flinkConfiguration"] == {"a": "1", "parallelism": "3"}


def test_the_schemas_are_schemas() -> None:
    for each in (
        schema.CREATE,
        schema.UPDATE,
        schema.batch_body("resume_savepoint"),
        schema.TRIGGER,
        schema.IMPORT,
    ):
        Draft202012Validator.check_schema(each)
    Draft202012Validator(schema.CREATE).validate(JOB)
