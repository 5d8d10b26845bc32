"""What runJob answers, and what it asks of the job service."""

from __future__ import annotations

import re
from typing import Any

import pytest

from flink_jobs_provider.model.action import Action
from tests.contract.gateway.calling import NEW, NEWEST, VERSIONS, Gateway, error_of
from tests.contract.gateway.memory_service import CLUSTER, CLUSTER_ID


@pytest.mark.parametrize("version", VERSIONS)
def test_an_accepted_action_is_answered_as_the_service_did(version: str) -> None:
    """Shows 202, a body of four bytes, and one URL in two headers; no Retry-After."""
    answer = Gateway().run_job(NEW, version)
    assert answer.status_code == 202
    assert answer.content == b"null"
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    url = answer.headers["Location"]
    assert answer.headers["Azure-AsyncOperation"] == url
    assert "Retry-After" not in answer.headers
    assert re.fullmatch(
        r"https://gateway\.example\.com/providers/Microsoft\.HDInsight/locations/[A-Z]+"
        rf"/operationStatuses/[0-9a-f-]{{36}}\*[0-9A-F]{{64}}\?api-version={version}",
        url,
    )


def test_a_new_job_is_asked_for_in_the_inputs_of_a_job() -> None:
    """Shows where each property of the body goes."""
    gateway = Gateway()
    gateway.run_job(NEW, caller="one")
    (request,) = gateway.service.requests
    assert request.cluster == CLUSTER.key == CLUSTER_ID.lower()
    assert (request.job_name, request.action, request.caller) == ("job1", Action.NEW, "one")
    assert request.changes == {
        "jar": "s3://bucket/jobs/jars/job.jar",
        "entry_class": "com.example.Job",
        "args": ["--input", "in", "--output", "out"],
        "parallelism": 4,
        "savepoint_directory": "s3://bucket/jobs/savepoints",
        "flink_configuration": {"taskmanager.numberOfTaskSlots": "1"},
        "allow_non_restored_state": False,
    }
    shown = ("jobJarDirectory", "jarName", "entryClass", "args", "flinkConfiguration")
    assert request.as_given == {**{name: NEW[name] for name in shown}, "savePointName": None}
    assert request.run_id is None


@pytest.mark.parametrize(
    "path",
    [
        f"{CLUSTER_ID}/runJob",
        f"{CLUSTER_ID}/runjob",
        f"{CLUSTER_ID}/RUNJOB/",
        f"{CLUSTER_ID}/runJob".upper(),
        f"{CLUSTER_ID}/runJob".lower(),
        f"{CLUSTER_ID}/runJob".replace("clusterpools", "clusterPools"),
    ],
)
def test_paths_have_no_case(path: str) -> None:
    """Shows that neither the words of a path nor the names in it are compared by case."""
    gateway = Gateway()
    body = {"properties": NEW}
    answer = gateway.call("POST", f"{path}?API-Version={NEWEST.upper()}", json=body)
    assert answer.status_code == 202, answer.text
    assert gateway.row()["id"].startswith(f"{CLUSTER_ID}/jobs/")


def test_only_what_is_given_is_changed() -> None:
    """Shows that an update with the documented fields leaves the rest as it is."""
    gateway = Gateway()
    gateway.run_job(NEW)
    assert gateway.act("UPDATE", args="--other").status_code == 202
    assert gateway.service.requests[-1].changes == {"args": ["--other"]}
    assert gateway.act("STOP").status_code == 202
    assert gateway.service.requests[-1].changes == {}


def test_an_empty_args_clears_them() -> None:
    """Shows that args of no words are given, not absent."""
    gateway = Gateway()
    gateway.run_job(NEW)
    gateway.act("UPDATE", args="")
    assert gateway.service.requests[-1].changes == {"args": []}
    assert gateway.row()["properties"]["args"] == ""


def test_a_null_is_as_absent() -> None:
    """Shows that clients that write every property may send null."""
    gateway = Gateway()
    gateway.run_job(NEW)
    answer = gateway.act("UPDATE", args=None, savePointName=None, runId=None, jobId=None)
    assert answer.status_code == 202, answer.text
    assert gateway.service.requests[-1].changes == {}


@pytest.mark.parametrize(
    ("given", "parallelism", "options"),
    [
        ({"parallelism": "8"}, 8, {}),
        ({"parallelism": 8}, 8, {}),
        ({"parallelism": 8.0}, 8, {}),
        (
            {"a": 1, "b": True, "c": 1.5, "d": 2.0},
            None,
            {"a": "1", "b": "true", "c": "1.5", "d": "2"},
        ),
    ],
)
def test_numbers_may_be_texts_or_numbers(
    given: dict[str, Any], parallelism: int | None, options: dict[str, str]
) -> None:
    """Shows that both are taken, and that what Flink is given is text."""
    gateway = Gateway()
    assert gateway.run_job({**NEW, "flinkConfiguration": given}).status_code == 202
    changes = gateway.service.requests[-1].changes
    assert changes.get("parallelism") == parallelism
    assert changes["flink_configuration"] == options
    assert all(
        isinstance(value, str)
        for value in gateway.row()["properties"]["flinkConfiguration"].values()
    )


def test_state_may_be_left_behind_in_flinks_own_words() -> None:
    """Shows that Flink's option for it becomes the input of that meaning."""
    gateway = Gateway()
    options = {"execution.state-recovery.ignore-unclaimed-state": "true"}
    gateway.run_job({**NEW, "flinkConfiguration": options})
    changes = gateway.service.requests[-1].changes
    assert changes["allow_non_restored_state"] is True
    assert changes["flink_configuration"] == {}


def test_a_run_is_named() -> None:
    """Shows that a runId goes to the service, which refuses another's."""
    gateway = Gateway()
    gateway.run_job(NEW)
    run_id = gateway.row()["properties"]["runId"]
    assert gateway.act("STOP", runId=run_id).status_code == 202
    assert gateway.service.requests[-1].run_id == run_id
    for asked in (gateway.act("START", runId="x"), gateway.run_job({**NEW, "runId": "x"})):
        assert error_of(asked, 404)["code"] == "JobNotFound"


def test_what_was_read_can_be_sent_back_with_another_action() -> None:
    """Shows that a job's row is a body: what stays as it is may be repeated."""
    gateway = Gateway()
    gateway.run_job(NEW)
    for action in ("SAVEPOINT", "LIST_SAVEPOINT", "STOP", "START", "UPDATE", "CANCEL", "DELETE"):
        row = gateway.row()
        row["properties"]["action"] = action
        answer = gateway.call("POST", f"{CLUSTER_ID}/runJob?api-version={NEWEST}", json=row)
        assert answer.status_code == 202, (action, answer.text)


def test_what_an_action_does_not_change_is_refused() -> None:
    """Shows that nothing which is given goes without effect in silence."""
    gateway = Gateway()
    gateway.run_job(NEW)
    answer = gateway.act("STOP", args="--other", jarName="other.jar", savePointName="savepoint-1")
    error = error_of(answer, 400)
    assert {detail["target"] for detail in error["details"]} == {
        "properties.args",
        "properties.jarName",
        "properties.savePointName",
    }
    assert "STOP" in error["message"]
    assert gateway.act("STATELESS_UPDATE", savePointName="/s/savepoint-1").status_code == 400
    assert len(gateway.service.requests) == 1


def test_of_directory_and_jar_the_other_stays() -> None:
    """Shows that an update may name a new jar in the old directory, or the reverse."""
    gateway = Gateway()
    gateway.run_job(NEW)
    gateway.act("UPDATE", jarName="job-2.jar")
    assert gateway.service.requests[-1].changes == {"jar": "s3://bucket/jobs/jars/job-2.jar"}
    gateway.act("UPDATE", jobJarDirectory="abfs://jobs@account/other/")
    assert gateway.service.requests[-1].changes == {"jar": "s3://bucket/jobs/other/job-2.jar"}


def test_the_addresses_are_of_the_host_that_was_asked() -> None:
    """Shows what Location begins with where no public URL is configured."""
    gateway = Gateway(public_url=None)
    location = gateway.run_job(NEW).headers["Location"]
    assert location.startswith("https://host:8443/providers/")
    odd = gateway.act("STOP", version=NEWEST)
    assert odd.status_code == 202
    hostile = gateway.call(
        "POST",
        f"{CLUSTER_ID}/runJob?api-version={NEWEST}",
        json={"properties": {"jobType": "FlinkJob", "jobName": "job1", "action": "START"}},
        headers={"Host": "a@b/c?d"},
    )
    assert hostile.headers["Location"].startswith("https://host:8443/providers/")


def test_what_counts_by_what_the_job_was_is_refused_where_it_has_changed() -> None:
    """Shows that the directory of another version is not put before the name of a jar."""
    gateway = Gateway()
    gateway.run_job(NEW)
    last = gateway.service.rows[1].last.id
    gateway.act("UPDATE", jarName="other.jar")
    assert gateway.service.requests[-1].seen == last
    gateway.act("STOP")
    assert gateway.service.requests[-1].seen == ""
