"""The way back to an earlier version of a job: who may ask for it, and for what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from flink_jobs_provider.model.savepoint import Savepoint
from tests.contract.gateway.apis.monitoring.test_api import Monitored
from tests.contract.gateway.calling import error_of


def _go_back(monitored: Monitored, caller: str = "operator", **body: Any) -> httpx.Response:
    return monitored.gateway.call("POST", "/api/v1/jobs/1/rollback", json=body, caller=caller)


@pytest.mark.parametrize(
    ("status", "action"),
    [("RUNNING", "UPDATE"), ("STOPPED", "START"), ("FAILED", "RE_LAUNCH"), ("LOST", "RE_LAUNCH")],
)
def test_the_way_back_is_the_action_that_the_status_allows(status: str, action: str) -> None:
    """Shows what is asked of the service, and that it is audited."""
    monitored = Monitored()
    service = monitored.gateway.service
    service.hold = True
    row = service.rows[1]
    service.rows[1] = replace(row, status=status)
    answer = _go_back(monitored, version="a-version", seen=row.last.id)
    assert answer.status_code == 202
    assert (answer.json()["action"], answer.json()["result"]) == (action, "IN_PROGRESS")
    asked = service.requests[-1]
    assert (asked.version, asked.seen, asked.run_id) == ("a-version", row.last.id, row.run_id)
    assert (asked.changes, asked.as_given, asked.caller) == ({}, {}, "operator")
    audited = monitored.gateway.audit.entries[-1]
    assert (audited["what"], audited["job"], audited["result"]) == ("rollback", "job1", "ACCEPTED")
    assert audited["has_action"]


def test_a_savepoint_of_the_way_back_must_be_on_record() -> None:
    monitored = Monitored()
    service = monitored.gateway.service
    taken = Savepoint(path="file:/savepoints/job1/1", taken_at="2026-11-28T06:30:00Z")
    record = service.rows[1].record.model_copy(update={"savepoints": [taken]})
    service.rows[1] = replace(service.rows[1], record=record)
    error = error_of(_go_back(monitored, version="a", savepoint="file:/etc"), 400)
    assert error["target"] == "savepoint"
    assert _go_back(monitored, version="a", savepoint=taken.path).status_code == 202
    assert service.requests[-1].changes == {"restore_from": taken.path}


@pytest.mark.parametrize(
    ("body", "target"), [({}, "version"), ({"version": 1}, "version"), ({"to": "x"}, "to")]
)
def test_an_invalid_body_of_the_way_back(body: dict[str, Any], target: str) -> None:
    assert error_of(_go_back(Monitored(), **body), 400)["target"] == target


def test_who_may_only_read_cannot_have_a_job_go_back() -> None:
    monitored = Monitored()
    before = len(monitored.gateway.service.requests)
    error_of(_go_back(monitored, "reader", version="a"), 403)
    error_of(_go_back(monitored, "stranger", version="a"), 404)
    assert len(monitored.gateway.service.requests) == before
    assert monitored.gateway.audit.entries[-1]["result"] == "JobNotFound"
