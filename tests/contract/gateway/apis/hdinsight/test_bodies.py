"""Bodies of runJob that are wrong: every property is named, and nothing is begun."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from flink_jobs_provider.gateway.apis.hdinsight.translation import Translator
from tests.contract.gateway.calling import NEW, NEWEST, VERSIONS, Gateway, error_of, targets
from tests.contract.gateway.memory_service import CLUSTER, CLUSTER_ID, MemoryService

_URL = f"{CLUSTER_ID}/runJob?api-version={NEWEST}"
_CONFIGURATION = "properties.flinkConfiguration"


@pytest.mark.parametrize(
    ("given", "target", "says"),
    [
        ({"jobType": "SparkJob"}, "properties.jobType", "FlinkJob"),
        ({"jobName": "Job_1"}, "properties.jobName", "lower-case"),
        ({"jobName": "job1\n"}, "properties.jobName", "lower-case"),
        ({"jobName": 1}, "properties.jobName", "got 1"),
        ({"jobName": None}, "properties.jobName", "lower-case"),
        ({"action": "RESTART"}, "properties.action", "one of NEW, START"),
        ({"action": None}, "properties.action", "one of NEW, START"),
        ({"jarName": "dir/job.jar"}, "properties.jarName", "jobJarDirectory"),
        ({"action": "UPDATE", "jarName": "job.txt"}, "properties.jarName", ".jar"),
        ({"jarName": "..\\job.jar"}, "properties.jarName", "plain name"),
        ({"jarName": "job.jar\n"}, "properties.jarName", "plain name"),
        ({"jarName": "job?.jar"}, "properties.jarName", "no ?"),
        ({"jarName": "%2e%2e.jar"}, "properties.jarName", "encoded"),
        ({"jobJarDirectory": "abfs://jobs@account/../x"}, "properties.jobJarDirectory", ".."),
        ({"jobJarDirectory": "abfs://other@account"}, "properties.jobJarDirectory", "mounted"),
        ({"jobJarDirectory": "file:///etc"}, "properties.jobJarDirectory", "mounted"),
        ({"jobJarDirectory": "/etc"}, "properties.jobJarDirectory", "mounted"),
        ({"jobJarDirectory": "http://169.254.169.254"}, "properties.jobJarDirectory", "mounted"),
        ({"jobJarDirectory": ""}, "properties.jobJarDirectory", "empty"),
        ({"jobJarDirectory": "abfs://j@a/" + "x" * 5000}, "properties.jobJarDirectory", "longer"),
        ({"entryClass": "two words"}, "properties.entryClass", "without blanks"),
        ({"entryClass": None}, "properties.entryClass", "class"),
        ({"args": ["--a"]}, "properties.args", "a text"),
        ({"flinkConfiguration": []}, _CONFIGURATION, "an object"),
        ({"flinkConfiguration": {"": "x"}}, _CONFIGURATION, "empty names"),
        ({"flinkConfiguration": {f"a{n}": 1 for n in range(501)}}, _CONFIGURATION, "500 options"),
        ({"savePointName": "savepoint-unknown"}, "properties.savePointName", "savepoint-unknown"),
        ({"savePointName": "a/b"}, "properties.savePointName", "absolute path"),
        ({"jobname": "x"}, "properties.jobname", "not a property"),
        ({"runId": ""}, "properties.runId", "empty"),
    ],
)
def test_a_wrong_property_is_named(given: dict[str, Any], target: str, says: str) -> None:
    """Shows the path of the property, and what would be right."""
    _check_refusal(given, target, says)


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("a.b", None, "text or a number"),
        ("a", {"b": 1}, "text or a number"),
        ("parallelism", "0", "from 1"),
        ("parallelism", "-1", "from 1"),
        ("parallelism", 1.5, "from 1"),
        ("parallelism", True, "from 1"),
        ("parallelism", "two", "'two'"),
        ("parallelism", "99999", "32768"),
        ("parallelism.default", "2", "use parallelism"),
        ("state.savepoints.dir", "/x", "use savepoint.directory"),
        ("execution.savepoint.path", "/x", "use savePointName"),
        ("savepoint.directory", "savepoints", "absolute path"),
        ("savepoint.directory", "http://host/x", "file system of Flink"),
        ("savepoint.directory", "s3://b/../x", ".."),
        ("savepoint.directory", "s3://b/%2e%2E/x", ".."),
        ("execution.savepoint.ignore-unclaimed-state", "yes", "true or false"),
    ],
)
def test_a_wrong_option_is_named(option: str, value: object, says: str) -> None:
    """Shows the same of an option of Flink."""
    given = {"flinkConfiguration": {option: value}}
    _check_refusal(given, f"{_CONFIGURATION}.{option}", says)


def _check_refusal(given: dict[str, Any], target: str, says: str) -> None:
    gateway = Gateway()
    answer = gateway.run_job({**NEW, **given})
    assert targets(answer) == [target]
    error = error_of(answer, 400)
    assert error["code"] == "InvalidParameter"
    assert error["target"] == target
    assert says in error["message"]
    assert target in error["message"]
    assert gateway.service.requests == []


def test_all_that_is_wrong_is_named_at_once() -> None:
    """Shows that problems of the form are told together, and then those of the values."""
    gateway = Gateway()
    body = {"jobType": "FlinkJob", "action": "NEW", "jobName": "A", "jarName": 1, "unknown": 1}
    assert sorted(targets(gateway.run_job(body))) == [
        "properties.entryClass",
        "properties.jarName",
        "properties.jobJarDirectory",
        "properties.jobName",
        "properties.unknown",
    ]
    values = {
        "jobJarDirectory": "s3://else/where",
        "savePointName": "none",
        "flinkConfiguration": {
            "savepoint.directory": "x",
            "parallelism.default": "1",
            "execution.savepoint.path": "1",
        },
    }
    answer = gateway.run_job({**NEW, **values})
    assert sorted(targets(answer)) == [
        "properties.flinkConfiguration.execution.savepoint.path",
        "properties.flinkConfiguration.parallelism.default",
        "properties.flinkConfiguration.savepoint.directory",
        "properties.jobJarDirectory",
        "properties.savePointName",
    ]
    error = error_of(answer, 400)
    assert error["message"].startswith("5 properties are invalid.")
    assert "target" not in error


@pytest.mark.parametrize(
    ("body", "target"),
    [
        ([], "body"),
        (None, "body"),
        ("x", "body"),
        ({}, "properties"),
        ({"properties": None}, "properties"),
        ({"properties": []}, "properties"),
        ({"properties": NEW, "location": "x"}, "location"),
    ],
)
def test_a_body_of_another_form_is_refused(body: Any, target: str) -> None:
    """Shows what is said of the body's own form."""
    answer = Gateway().call("POST", _URL, content=json.dumps(body))
    assert targets(answer) == [target]


@pytest.mark.parametrize("action", ["LAST_STATE_UPDATE", "RE_LAUNCH"])
def test_later_actions_are_unknown_to_the_oldest_version(action: str) -> None:
    """Shows which versions know the two actions that came later."""
    gateway = Gateway()
    gateway.run_job(NEW)
    assert targets(gateway.act(action, VERSIONS[0])) == ["properties.action"]
    for version in VERSIONS[1:]:
        assert gateway.act(action, version).status_code == 202


def test_run_ids_are_unknown_to_the_oldest_version() -> None:
    """Shows that the oldest version has no runId."""
    assert targets(Gateway().act("STOP", VERSIONS[0], runId="x")) == ["properties.runId"]


def test_no_secret_is_repeated() -> None:
    """Shows that neither arguments nor options stand in what is answered."""
    gateway = Gateway()
    body = {**NEW, "args": ["--password", "s3cret"], "flinkConfiguration": {"k": ["s3cret"]}}
    assert "s3cret" not in gateway.run_job(body).text
    options = {"parallelism.default": "s3cret", "execution.savepoint.path": "s3cret"}
    assert "s3cret" not in gateway.run_job({**NEW, "flinkConfiguration": options}).text


def test_the_name_of_a_savepoint_is_one_of_the_jobs_own() -> None:
    """Shows that a bare name is looked up, and a path is taken as it is."""
    gateway = Gateway()
    gateway.run_job(NEW)
    gateway.act("STOP")
    refused = gateway.act("START", savePointName="savepoint-20e9e9-ffffffffffff")
    assert "savepoint-20e9e9-ffffffffffff" in error_of(refused, 400)["message"]
    name = gateway.row()["properties"]["lastSavePoint"].rpartition("/")[2]
    gateway.act("START", savePointName=name)
    assert gateway.service.requests[-1].changes == {
        "restore_from": f"s3://bucket/savepoints/{name}"
    }
    gateway.act("STOP")
    gateway.act("START", savePointName="abfs://jobs@account/old/savepoint-1")
    assert gateway.service.requests[-1].changes == {
        "restore_from": "s3://bucket/jobs/old/savepoint-1"
    }
    gateway.act("STOP")
    gateway.act("START", savePointName="")
    assert gateway.service.requests[-1].changes == {}


def test_a_savepoint_may_be_one_that_was_found_in_its_directory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Shows that the names which LIST_SAVEPOINT shows can be used, if not on record before."""
    gateway = Gateway()
    gateway.run_job(NEW)
    gateway.act("STOP")
    name = gateway.row()["properties"]["lastSavePoint"].rpartition("/")[2]

    async def none(*_: object) -> list[Any]:
        return []

    monkeypatch.setattr(gateway.service, "savepoints", none)
    assert gateway.act("START", savePointName=name).status_code == 202


def test_a_job_that_is_not_there_is_not_found_whatever_is_given() -> None:
    """Shows that a savepoint's name is looked up for a job that is there alone."""
    gateway = Gateway()
    answer = gateway.act("START", savePointName="savepoint-1", args="--a")
    assert error_of(answer, 404)["code"] == "JobNotFound"


def test_what_an_action_does_not_take_is_not_kept() -> None:
    """Shows that a row which is sent back with STOP leaves what is shown as it is."""
    gateway = Gateway()
    gateway.run_job(NEW)
    assert gateway.act("STOP", args=NEW["args"], jarName=NEW["jarName"]).status_code == 202
    assert gateway.service.requests[-1].as_given == {"savePointName": None}
    assert gateway.act("START", args="--b", jarName=NEW["jarName"]).status_code == 202
    assert gateway.service.requests[-1].as_given == {"args": "--b", "savePointName": None}


def test_a_place_below_no_mount_is_the_clusters_own() -> None:
    """Shows that savepoints may go where the cluster can write and the gateway knows nothing."""
    gateway = Gateway()
    options = {"savepoint.directory": "hdfs://namenode/savepoints"}
    gateway.run_job({**NEW, "flinkConfiguration": options})
    changes = gateway.service.requests[-1].changes
    assert changes["savepoint_directory"] == "hdfs://namenode/savepoints"


def test_a_storage_that_flink_has_no_name_for_is_left_to_flink() -> None:
    """Shows a mount that the gateway reads by another name than the cluster does."""
    gateway = Gateway()
    options = {"savepoint.directory": "abfs://archive@account/savepoints"}
    given = {"jobJarDirectory": "abfs://archive@account/jars", "flinkConfiguration": options}
    assert gateway.run_job({**NEW, **given}).status_code == 202
    changes = gateway.service.requests[-1].changes
    assert changes["jar"] == "az://archive/jars/job.jar"
    assert changes["savepoint_directory"] == "abfs://archive@account/savepoints"


def test_many_problems_are_cut_short() -> None:
    """Shows that a body cannot make the answer grow beyond bounds."""
    body = {**NEW, **{f"unknown{number}": 1 for number in range(2000)}}
    answer = Gateway().run_job(body)
    assert len(targets(answer)) == 50
    assert len(answer.content) < 65536


@pytest.mark.parametrize("own", [None, "s3://cluster/savepoints"])
def test_an_empty_savepoint_directory_is_the_clusters(own: str | None) -> None:
    cluster = CLUSTER.model_copy(update={"savepoint_directory": own})
    translator = Translator(cluster, MemoryService())
    properties = {**NEW, "flinkConfiguration": {"savepoint.directory": ""}}
    wanted = asyncio.run(translator.request(properties, "me"))
    assert wanted.changes["savepoint_directory"] == own
    gateway = Gateway()
    assert gateway.run_job(properties).status_code == 202


def test_a_new_job_may_name_any_file() -> None:
    """Shows that such a job is taken, to fail as it was recorded; see the tests of actions."""
    gateway = Gateway()
    assert gateway.run_job({**NEW, "jarName": "JarName"}).status_code == 202
    request = gateway.service.requests[-1]
    assert request.fails_without_jar == "abfs://jobs@account/jars/JarName"
