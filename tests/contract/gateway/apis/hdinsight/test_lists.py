"""The list of jobs: its rows, its filter and its pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from flink_jobs_provider.gateway.apis.hdinsight import conventions
from flink_jobs_provider.gateway.apis.hdinsight.conventions import FAIL_OPERATION
from flink_jobs_provider.gateway.job_board import MOST_SAVEPOINTS
from flink_jobs_provider.gateway.job_service import DisposedSavepoint, JobRow
from flink_jobs_provider.model.action import ActionResult, JobStatus
from flink_jobs_provider.model.savepoint import Savepoint
from tests.contract.gateway.calling import NEW, NEWEST, VERSIONS, Gateway, error_of
from tests.contract.gateway.memory_service import CLUSTER_ID, OTHER

_WITH_RUN_IDS = VERSIONS[1:]


def _named(name: str, jar: str = "job.jar") -> dict[str, Any]:
    return {**NEW, "jobName": name, "jarName": jar}


@pytest.mark.parametrize("version", VERSIONS)
def test_savepoints_are_listed_without_an_action(version: str) -> None:
    """Shows each savepoint once, the newest first; the job's row stays as it is, also in action."""
    gateway = Gateway()
    gateway.run_job(NEW)
    gateway.act("SAVEPOINT")
    row = gateway.service.rows[1]
    first = row.record.savepoints[0].model_copy(update={"taken_at": "2024-05-21T06:57:28Z"})
    second = first.model_copy(update={"path": "s3://b/savepoint-2", "taken_at": "2024-06-01"})
    record = row.record.model_copy(update={"savepoints": (first, second)})
    gateway.service.rows[1] = replace(row, record=record)
    gateway.service.hold = True
    gateway.act("STOP")
    before = gateway.row()
    url = f"{CLUSTER_ID}/JOBS/job1/savepoints"
    answer = gateway.call("GET", f"{url}?api-version={version}", caller="reader")
    assert [(entry["path"], entry["takenAt"]) for entry in answer.json()["value"]] == [
        ("s3://b/savepoint-2", "2024-06-01"),
        (first.path, "2024-05-21T06:57:28Z"),
    ]
    assert answer.json()["value"][0]["name"] == "savepoint-2"
    assert [entry["disposedAt"] for entry in answer.json()["value"]] == [None, None]
    gateway.service.disposed.append(DisposedSavepoint(first, datetime(2024, 6, 2, tzinfo=UTC)))
    again = gateway.call("GET", f"{url}?api-version={version}", caller="reader")
    assert [(entry["path"], entry["disposedAt"]) for entry in again.json()["value"]] == [
        ("s3://b/savepoint-2", None),
        (first.path, "2024-06-02T00:00:00Z"),
    ]
    assert gateway.row() == before
    assert error_of(gateway.call("GET", url), 400)["code"] == "MissingApiVersionParameter"
    missing = gateway.call("GET", f"{CLUSTER_ID}/jobs/job2/savepoints?api-version={version}")
    assert error_of(missing, 404)["code"] == "ResourceNotFound"
    elsewhere = f"{OTHER.id}/jobs/job1/savepoints?api-version={version}"
    assert error_of(gateway.call("GET", elsewhere, caller="reader"), 403)


@pytest.mark.parametrize("version", VERSIONS)
def test_control_characters_get_to_no_record(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that no name with one is looked up: PostgreSQL refuses the whole query."""
    gateway = Gateway()

    async def jobs(*_: object, **__: object) -> list[JobRow]:
        raise AssertionError("looked up")

    monkeypatch.setattr(gateway.service, "jobs", jobs)
    of_job = f"{CLUSTER_ID}/jobs/job%001/savepoints?api-version={version}"
    assert error_of(gateway.call("GET", of_job), 404)["code"] == "ResourceNotFound"
    asked = f"{CLUSTER_ID}/jobs?api-version={version}&$filter=jobName eq 'job%001'"
    error = error_of(gateway.call("GET", asked), 400)
    assert (error["code"], error["target"]) == ("InvalidParameter", "$filter")


@pytest.mark.parametrize("version", _WITH_RUN_IDS)
def test_a_row_is_as_the_service_had_it(version: str) -> None:
    """Shows every property of a job that runs, in the service's order."""
    gateway = Gateway()
    gateway.run_job(NEW)
    gateway.act("SAVEPOINT")
    row = gateway.row(version)
    run_id = row["properties"]["runId"]
    assert row["id"] == f"{CLUSTER_ID}/jobs/{run_id}"
    assert list(row) == ["id", "properties"]
    assert list(row["properties"].items()) == [
        ("jobType", "FlinkJob"),
        ("runId", run_id),
        ("jobName", "job1"),
        ("jobJarDirectory", "abfs://jobs@account/jars"),
        ("jarName", "job.jar"),
        ("action", "SAVEPOINT"),
        ("entryClass", "com.example.Job"),
        ("args", "--input  in --output out"),
        (
            "flinkConfiguration",
            {
                "parallelism": "4",
                "savepoint.directory": "abfs://jobs@account/savepoints",
                "taskmanager.numberOfTaskSlots": "1",
            },
        ),
        ("jobId", "20e9e907eb360b1c6951050700000002"),
        ("status", "RUNNING"),
        ("jobOutput", "SAVEPOINT done."),
        ("actionResult", "SUCCESS"),
        ("lastSavePoint", "s3://bucket/savepoints/savepoint-20e9e9-000000000002"),
    ]


@pytest.mark.parametrize(
    ("status", "result", "output"),
    [
        ("FAILED", "SUCCESS", "it failed on purpose"),
        ("LOST", "SUCCESS", "it failed on purpose"),
        ("FAILED", "FAILED", "NEW done."),
        ("RUNNING", "SUCCESS", "Flink internal job status : RUNNING\nNEW done."),
        ("RESTARTING", "SUCCESS", "Flink internal job status : RESTARTING\nNEW done."),
        ("RUNNING", "FAILED", "NEW done."),
        ("FINISHED", "SUCCESS", "NEW done."),
    ],
)
def test_what_befell_a_job_since_its_last_action_is_told(
    status: str, result: str, output: str
) -> None:
    """Shows that a cause is not hidden behind an earlier success, nor an action's own failure."""
    gateway = Gateway()
    gateway.run_job(NEW)
    [(number, row)] = gateway.service.rows.items()
    record = row.record.model_copy(
        update={"status": JobStatus(status), "job_output": "it failed on purpose"}
    )
    last = replace(row.last, result=ActionResult(result))
    gateway.service.rows[number] = replace(row, record=record, status=status, last=last)
    assert gateway.row()["properties"]["jobOutput"] == output


def test_before_run_ids_the_id_ends_in_the_name() -> None:
    """Shows the id of 2023-06, which had no runId."""
    gateway = Gateway()
    gateway.run_job(NEW)
    row = gateway.row(VERSIONS[0])
    assert row["id"] == f"{CLUSTER_ID}/jobs/job1"
    assert "runId" not in row["properties"]


def test_what_is_not_yet_known_is_absent() -> None:
    """Shows a job whose NEW is in progress: no jobId, no status, no lastSavePoint."""
    gateway = Gateway()
    gateway.service.hold = True
    gateway.run_job({**NEW, "flinkConfiguration": None})
    properties = gateway.row()["properties"]
    assert properties["actionResult"] == "IN_PROGRESS"
    assert properties["flinkConfiguration"] == {"parallelism": "2"}
    assert not {"jobId", "status", "lastSavePoint", "jobOutput", "savePointName"} & set(properties)


def test_a_failed_launch_says_why() -> None:
    """Shows the row of a job that could not be launched."""
    gateway = Gateway()
    gateway.service.fails_with = "The jar has no class com.example.Job."
    gateway.run_job(NEW)
    properties = gateway.row()["properties"]
    assert properties["status"] == "JOB_LAUNCH_FAILED"
    assert properties["actionResult"] == "FAILED"
    assert properties["jobOutput"] == "The jar has no class com.example.Job."
    assert "jobId" not in properties


def test_the_parallelism_is_that_of_the_job() -> None:
    """Shows that after an update that failed the old parallelism is listed."""
    gateway = Gateway()
    gateway.run_job(NEW)
    gateway.service.fails_with = "Not enough slots."
    gateway.act("UPDATE", flinkConfiguration={"parallelism": "400"})
    properties = gateway.row()["properties"]
    assert properties["actionResult"] == "FAILED"
    assert properties["flinkConfiguration"]["parallelism"] == "4"


@pytest.mark.parametrize("later", ["SAVEPOINT", "CANCEL", "UPDATE"])
def test_a_savepoint_is_shown_with_its_action_alone(later: str) -> None:
    """Shows that what was restored from is not sent back by who sends back a later row."""
    gateway = Gateway()
    gateway.run_job(NEW)
    gateway.act("STOP")
    gateway.act("START", savePointName="s3://bucket/savepoints/savepoint-20e9e9-1")
    shown = gateway.row()["properties"]["savePointName"]
    assert shown == "s3://bucket/savepoints/savepoint-20e9e9-1"
    gateway.service.fails_with = "No." if later == "UPDATE" else ""
    gateway.act(later)
    assert "savePointName" not in gateway.row()["properties"]


def test_a_list_is_asked_for_by_get_or_post() -> None:
    """Shows both: one of the two printed descriptions lists by POST."""
    gateway = Gateway()
    gateway.run_job(NEW)
    for method in ("GET", "POST"):
        answer = gateway.call(method, f"{CLUSTER_ID}/JOBS?api-version={NEWEST}")
        assert len(answer.json()["value"]) == 1
        assert "nextLink" not in answer.json()


def test_a_cluster_has_its_own_jobs() -> None:
    """Shows that jobs of one cluster are not listed with another's."""
    gateway = Gateway()
    gateway.run_job(NEW)
    answer = gateway.call("GET", f"{OTHER.id}/jobs?api-version={NEWEST}")
    assert answer.json() == {"value": []}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("jobName eq job2", ["job2"]),
        ("jobName eq 'job2'", ["job2"]),
        ('JOBNAME EQ "job2"', ["job2"]),
        ("jarName eq b.jar", ["job2", "job3"]),
        ("jarName eq 'it''s.jar'", ["job4"]),
        ("jobName eq nothing", []),
        ("jobName eq ''", []),
    ],
)
def test_a_list_is_filtered(text: str, names: list[str]) -> None:
    """Shows each form of the two filters."""
    gateway = Gateway()
    jars = {"job1": "a.jar", "job2": "b.jar", "job3": "b.jar", "job4": "it's.jar"}
    for name, jar in jars.items():
        gateway.run_job(_named(name, jar))
    answer = gateway.call(
        "GET", f"{CLUSTER_ID}/jobs", params={"api-version": NEWEST, "$filter": text}
    )
    assert [row["properties"]["jobName"] for row in answer.json()["value"]] == names


@pytest.mark.parametrize(
    "query",
    [
        "&$filter=status eq RUNNING",
        "&$filter=jobName ne x",
        "&$filter=jobName eq x or jobName eq y",
        "&$filter=jobName eq 'x",
        "&$filter=jobName eq a%00",
        "&$filter=",
        "&$filter=jobName eq x&$filter=jobName eq y",
        "&$skipToken=x",
        "&$skipToken=after--1",
        "&$skipToken=after-9999999999999999999",
    ],
)
def test_an_unknown_filter_or_token_is_refused(query: str) -> None:
    """Shows that a list is never longer than what was asked for."""
    error = error_of(Gateway().jobs(query=query), 400)
    assert error["target"] in ("$filter", "$skipToken")


def test_the_oldest_version_has_no_filter() -> None:
    """Shows that a filter which would not count is refused."""
    error = error_of(Gateway().jobs(VERSIONS[0], "&$filter=jobName eq x"), 400)
    assert "2023-11-01-preview" in error["message"]


def test_pages_hold_every_job_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that nextLink leads through all jobs, also of a filter, and then is absent."""
    monkeypatch.setattr(conventions, "PAGE", 2)
    gateway = Gateway()
    for number in range(5):
        gateway.run_job(_named(f"job{number}", "a b.jar" if number < 3 else "c.jar"))
    seen = []
    url = f"{CLUSTER_ID}/jobs?api-version={NEWEST}"
    while url:
        answer = gateway.call("GET", url).json()
        seen += [row["properties"]["jobName"] for row in answer["value"]]
        url = answer.get("nextLink", "")
    assert seen == [f"job{number}" for number in range(5)]
    query = "&$filter=jarName eq 'a b.jar'"
    first = gateway.jobs(query=query).json()
    assert len(first["value"]) == 2
    link = urlsplit(first["nextLink"])
    assert parse_qs(link.query)["$filter"] == ["jarName eq 'a b.jar'"]
    second = gateway.call("GET", first["nextLink"]).json()
    assert [row["properties"]["jobName"] for row in second["value"]] == ["job2"]
    assert "nextLink" not in second


def test_who_may_only_read_sees_no_secrets() -> None:
    """Shows arguments, options and what actions said, in the list and in operations."""
    gateway = Gateway()
    options = {"parallelism": "4", "s3.secret-key": "hunter2", "table.exec.state.ttl": "1 d"}
    args = "--topic a --password hunter2"
    gateway.run_job({**NEW, "args": args, "flinkConfiguration": options})
    gateway.service.fails_with = "no access: password=hunter2"
    operation = gateway.act("STOP").headers["Location"].removeprefix(str(gateway.public_url))
    mine, theirs = (
        gateway.jobs(caller=caller).json()["value"][0]["properties"]
        for caller in ("operator", "reader")
    )
    assert (mine["args"], mine["flinkConfiguration"]) == (args, options)
    assert theirs["args"] == "--topic a --password ***"
    assert theirs["flinkConfiguration"] == {**options, "s3.secret-key": "***"}
    assert theirs["jobOutput"] == "no access: password=***"
    assert {**theirs, "args": 0, "flinkConfiguration": 0, "jobOutput": 0} == (
        {**mine, "args": 0, "flinkConfiguration": 0, "jobOutput": 0}
    )
    failed = f"{operation}&{FAIL_OPERATION}=true"
    assert "hunter2" in gateway.call("GET", failed).text
    shown = gateway.call("GET", failed, caller="reader")
    assert shown.status_code == 200
    assert "hunter2" not in shown.text


@pytest.mark.parametrize(
    ("top", "pages"),
    [("0", [[]]), ("1", [[0]]), ("2", [[0, 1]]), ("3", [[0, 1], [2]]), ("9", [[0, 1], [2, 3]])],
)
def test_top_counts_over_all_pages(
    monkeypatch: pytest.MonkeyPatch, top: str, pages: list[list[int]]
) -> None:
    """Shows that `$top` ends the list early, and goes on in the links of longer ones."""
    monkeypatch.setattr(conventions, "PAGE", 2)
    gateway = Gateway()
    for number in range(4):
        gateway.run_job(_named(f"job{number}", "a.jar"))
    url = f"{CLUSTER_ID}/jobs?api-version={NEWEST}&$top={top}"
    seen = []
    while url:
        answer = gateway.call("GET", url).json()
        seen.append([row["properties"]["jobName"] for row in answer["value"]])
        url = answer.get("nextLink", "")
    assert seen == [[f"job{number}" for number in page] for page in pages]


@pytest.mark.parametrize("top", ["-1", "ten", "", "1&$top=2", "1000000000"])
def test_a_wrong_top_is_refused(top: str) -> None:
    answer = Gateway().jobs(query=f"&$top={top}")
    assert error_of(answer, 400)["target"] == "$top"


@pytest.mark.parametrize(
    ("path", "option"),
    [
        ("jobs", "$orderby=jobName"),
        ("jobs", "$skip=1"),
        ("jobs", "$select=jobName"),
        ("jobs/job1/savepoints", "$top=1"),
    ],
)
def test_an_option_that_does_not_count_is_refused(path: str, option: str) -> None:
    gateway = Gateway()
    gateway.run_job(NEW)
    answer = gateway.call("GET", f"{CLUSTER_ID}/{path}?api-version={NEWEST}&{option}")
    error = error_of(answer, 400)
    assert error["target"] == option.partition("=")[0]
    assert error["message"].endswith("is not an option of this request: leave it out.")


def test_the_newest_savepoints_alone_are_listed() -> None:
    """Shows that a list of many is not as long as they are, whoever asks for it again and again."""
    gateway = Gateway()
    gateway.run_job(NEW)
    row = gateway.service.rows[1]
    taken = [
        Savepoint(path=f"s3://b/savepoint-{number}", taken_at=f"2024-05-21T06:57:28.{number:04d}Z")
        for number in range(MOST_SAVEPOINTS + 5)
    ]
    record = row.record.model_copy(update={"savepoints": taken[::-1]})
    gateway.service.rows[1] = replace(row, record=record)
    url = f"{CLUSTER_ID}/jobs/job1/savepoints?api-version={NEWEST}"
    listed = gateway.call("GET", url).json()["value"]
    assert len(listed) == MOST_SAVEPOINTS
    assert [listed[0]["name"], listed[-1]["name"]] == ["savepoint-1004", "savepoint-5"]
