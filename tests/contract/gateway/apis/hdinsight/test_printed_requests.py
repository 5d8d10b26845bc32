"""Each request that the descriptions of the service print is taken as it is printed."""

from __future__ import annotations

import httpx
import pytest

from flink_jobs_provider.model.action import Action
from tests.contract.gateway.apis.hdinsight.printed import PRINTED, printed
from tests.contract.gateway.calling import VERSIONS, Gateway, error_of
from tests.contract.gateway.memory_service import CLUSTER_ID

_VALUES = {
    "NEW": {
        "JOB_JAR_STORAGE_PATH": "abfs://jobs@account/jars",
        "JOB_JAR_NAME": "job.jar",
        "JOB_ENTRY_CLASS": "com.example.Job",
        "JOB_JVM_ARGUMENT": "--input in",
        "JOB_PARALLELISM": "4",
        "JOB_SAVEPOINT_DIRECTORY_STORAGE_PATH": "abfs://jobs@account/savepoints",
    },
    "START": {"SAVEPOINT_NAME": "savepoint-20e9e9-000000000002"},
    "UPDATE": {"SAVEPOINT_NAME": "savepoint-20e9e9-000000000002", "JOB_JVM_ARGUMENT": "--new"},
    "STATELESS_UPDATE": {"JOB_JVM_ARGUMENT": "--new"},
}
#: What must have happened before, that a job is there which the action can be asked of.
_BEFORE = {"NEW": [], "START": ["NEW", "STOP"], "UPDATE": ["NEW", "SAVEPOINT"], "DELETE": ["NEW"]}
_CHANGES = {
    "START": {"restore_from": "s3://bucket/savepoints/savepoint-20e9e9-000000000002"},
    "UPDATE": {
        "args": ["--new"],
        "restore_from": "s3://bucket/savepoints/savepoint-20e9e9-000000000002",
    },
    "STATELESS_UPDATE": {"args": ["--new"]},
}


def _send(gateway: Gateway, action: str, version: str = VERSIONS[0]) -> httpx.Response:
    return gateway.call(
        "POST",
        f"{CLUSTER_ID}/runjob?api-version={version}",
        content=printed(action, JOB_NAME="job1", **_VALUES.get(action, {})),
        headers={"Content-Type": "application/json"},
    )


def test_every_action_of_the_descriptions_is_here() -> None:
    """Shows that the tests below look at all nine bodies."""
    assert set(PRINTED) == set(Action) - {"LAST_STATE_UPDATE", "RE_LAUNCH"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("action", list(PRINTED))
def test_a_printed_request_is_accepted(action: str, version: str) -> None:
    """Shows that it is taken as it stands there, and what it asks for."""
    gateway = Gateway()
    for before in _BEFORE.get(action, ["NEW"]):
        assert _send(gateway, before, version).status_code == 202
    answer = _send(gateway, action, version)
    assert answer.status_code == 202, answer.text
    request = gateway.service.requests[-1]
    assert (request.job_name, request.action) == ("job1", action)
    if action != "NEW":
        assert request.changes == _CHANGES.get(action, {})


def test_the_printed_new_is_read_whole() -> None:
    """Shows that nothing of the body with the missing comma is lost."""
    gateway = Gateway()
    _send(gateway, "NEW")
    changes = gateway.service.requests[-1].changes
    assert changes["args"] == ["--input", "in"]
    assert changes["parallelism"] == 4
    assert changes["savepoint_directory"] == "s3://bucket/jobs/savepoints"


def test_the_printed_list_is_answered_in_the_printed_form() -> None:
    """Shows the properties of the printed output, by POST and by GET."""
    gateway = Gateway()
    _send(gateway, "NEW")
    _send(gateway, "STOP")
    url = f"{CLUSTER_ID}/jobs?api-version={VERSIONS[0]}"
    assert gateway.call("POST", url).json() == gateway.call("GET", url).json()
    (row,) = gateway.call("POST", url).json()["value"]
    assert row["id"] == f"{CLUSTER_ID}/jobs/job1"
    printed_names = {
        *("jobType", "jobName", "jobJarDirectory", "jarName", "action", "entryClass"),
        *("flinkConfiguration", "jobId", "status", "jobOutput", "actionResult", "lastSavePoint"),
    }
    assert set(row["properties"]) == printed_names | {"args"}
    assert row["properties"]["status"] == "STOPPED"
    assert row["properties"]["actionResult"] == "SUCCESS"


def test_the_placeholders_themselves_are_refused_by_name() -> None:
    """Shows what is said to who sends a sample without filling it in."""
    gateway = Gateway()
    answer = gateway.call(
        "POST",
        f"{CLUSTER_ID}/runJob?api-version={VERSIONS[0]}",
        content=PRINTED["NEW"],
        headers={"Content-Type": "application/json"},
    )
    wrong = {detail["target"] for detail in error_of(answer, 400)["details"]}
    assert wrong == {
        "properties.jobName",
        "properties.flinkConfiguration.parallelism",
    }
