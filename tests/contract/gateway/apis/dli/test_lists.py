"""The list of jobs: its filters, its order, its pages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.gateway.apis.dli.calling import Dli, done, refused
from tests.contract.gateway.calling import NEW


def _names(listed: dict[str, Any]) -> list[str]:
    return [job["name"] for job in listed["jobs"]]


def _filled() -> Dli:
    dli = Dli()
    dli.create(name="a", tags=[{"key": "team", "value": "x"}, {"key": "stage"}])
    dli.running(name="b", tags=[{"key": "team", "value": "y"}])
    dli.create(name="c", queue_name="other")
    return dli


def test_the_newest_come_first_and_all_are_counted() -> None:
    listed = _filled().listed()
    assert (_names(listed), listed["total_count"]) == (["c", "b", "a"], 3)


@pytest.mark.parametrize(
    ("query", "names", "total"),
    [
        ({"order": "asc"}, ["a", "b", "c"], 3),
        ({"order": "desc", "limit": 2}, ["c", "b"], 3),
        ({"limit": 2, "offset": 2}, ["a"], 3),
        ({"offset": 3}, [], 3),
        ({"limit": 0}, [], 3),
        ({"name": "b"}, ["b"], 1),
        ({"name": "B"}, [], 0),
        ({"status": "job_init"}, ["c", "a"], 2),
        ({"status": "job_running"}, ["b"], 1),
        ({"status": "job_arrearage_stopped"}, [], 0),
        ({"job_type": "flink_jar_job"}, ["c", "b", "a"], 3),
        ({"job_type": "flink_sql_job"}, [], 0),
        ({"root_job_id": 1}, [], 0),
        ({"queue_name": "other"}, ["c"], 1),
        ({"queue_name": "default"}, ["b", "a"], 2),
        ({"user_name": "operator"}, ["c", "b", "a"], 3),
        ({"user_name": "nobody"}, [], 0),
        ({"tags": "team=x"}, ["a"], 1),
        ({"tags": "team=x,stage="}, ["a"], 1),
        ({"tags": "team=z"}, [], 0),
        ({"name": ""}, ["c", "b", "a"], 3),
    ],
)
def test_filters_and_pages(query: dict[str, Any], names: list[str], total: int) -> None:
    listed = _filled().listed(**query)
    assert (_names(listed), listed["total_count"]) == (names, total)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("limit=101", "limit must be 100 or less"),
        ("limit=-1", "limit must be a whole number"),
        ("offset=x", "offset must be a whole number"),
        ("order=up", "order must be one of asc, desc"),
        ("status=running", "status must be one of job_init"),
        ("job_type=jar", "job_type must be one of flink_jar_job"),
        ("show_detail=maybe", "show_detail must be one of"),
        ("tags=team", "tags must be as key=value"),
        ("name=a&name=b", "name must be given once"),
        ("sys_enterprise_project_name=x", "sys_enterprise_project_name is not a parameter"),
    ],
)
def test_a_wrong_query_is_refused_by_name(query: str, says: str) -> None:
    assert says in refused(Dli().call("GET", f"/jobs?{query}"), 400, "DLI.0001")


def test_details_are_shown_when_asked_for() -> None:
    dli = _filled()
    assert "job_config" not in dli.listed()["jobs"][0]
    detailed = dli.listed(show_detail="True")["jobs"]
    assert detailed[0] == dli.detail(detailed[0]["job_id"])


def test_only_what_a_caller_may_read_is_listed() -> None:
    dli = _filled()
    answer = dli.call("GET", "/jobs", token="reader")
    assert _names(answer.json()["job_list"]) == ["b", "a"]


def test_jobs_of_the_other_face_are_listed_too() -> None:
    dli = _filled()
    assert dli.gateway.run_job(NEW).status_code == 202
    listed = dli.listed(limit=1)
    assert _names(listed) == ["job1"]
    assert listed["jobs"][0]["queue_name"] == "default"


@pytest.mark.parametrize("listed", [True, False])
def test_who_may_only_read_sees_no_secrets(listed: bool) -> None:
    """Shows arguments, options in either form, and what actions said, in list and details."""
    options = {"s3.secret-key": "hunter2", "table.exec.state.ttl": "1 d"}
    pairs = [{"key": key, "value": value} for key, value in options.items()]
    given = json.dumps(pairs if listed else options)
    dli = Dli()
    log = "password=hunter2"
    args = "--topic a --password hunter2"
    number = dli.running(entrypoint_args=args, runtime_config=given, flink_log_config=log)
    dli.gateway.service.fails_with = "no access: password=hunter2"
    dli.act("stop", number)
    mine = dli.detail(number)
    assert (mine["entrypoint_args"], mine["job_config"]["runtime_config"]) == (args, given)
    theirs = done(dli.call("GET", f"/jobs/{number}", token="reader"))["job_detail"]
    assert theirs["entrypoint_args"] == "--topic a --password ***"
    assert theirs["job_config"]["runtime_config"] == given.replace("hunter2", "***")
    for query in ({}, {"show_detail": "true"}):
        answer = dli.call("GET", "/jobs", token="reader", params=query)
        assert len(done(answer)["job_list"]["jobs"]) == 1
        assert "hunter2" not in answer.text
    assert "hunter2" not in str(theirs)
