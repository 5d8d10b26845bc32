"""What an action would do: told to those who may act, and nothing of it is done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.contract.gateway.apis.monitoring.test_api import Monitored
from tests.contract.gateway.calling import error_of


def _plan(monitored: Monitored, caller: str = "operator", **body: Any) -> httpx.Response:
    return monitored.gateway.call("POST", "/api/v1/jobs/1/plan", json=body, caller=caller)


def test_what_an_update_would_do() -> None:
    monitored = Monitored()
    service = monitored.gateway.service
    service.rows[1] = replace(service.rows[1], status="RUNNING")
    before = len(service.requests)
    answer = _plan(monitored, properties={"action": "UPDATE", "args": "--password hunter2"})
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert shown["action"] == "UPDATE"
    assert shown["how"].startswith("stop with savepoint and restart")
    assert shown["changes"] == ["args changed"]
    assert (shown["state"], shown["refusal"], shown["takes_jar"]) == ("state fits None", "", True)
    assert "hunter2" not in answer.text
    assert len(service.requests) == before
    audited = monitored.gateway.audit.entries[-1]
    assert (audited["what"], audited["job"], audited["result"]) == ("plan", "job1", "ACCEPTED")


def test_what_the_way_back_would_do() -> None:
    """Shows that the state is compared with the jar of that version."""
    monitored = Monitored()
    service = monitored.gateway.service
    service.rows[1] = replace(service.rows[1], status="RUNNING")
    answer = _plan(monitored, version=service.rows[1].last.id)
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == f"state fits {'d' * 64}"
    assert not answer.json()["takes_jar"]
    error_of(_plan(monitored, version="none"), 400)


def test_a_plan_of_a_job_that_has_changed_is_refused() -> None:
    """Shows that `seen` counts as for the way back itself."""
    monitored = Monitored()
    service = monitored.gateway.service
    service.rows[1] = replace(service.rows[1], status="RUNNING")
    last = service.rows[1].last.id
    assert _plan(monitored, version=last, seen=last).status_code == 200
    assert error_of(_plan(monitored, version=last, seen="another"), 409)["code"] == "Conflict"


@pytest.mark.parametrize(
    ("body", "target"),
    [
        ({}, "version"),
        ({"properties": 7}, "properties"),
        ({"properties": {"action": "UPDATE"}, "version": "a"}, "version"),
        ({"properties": {}}, "properties.action"),
        ({"properties": {"action": "UPDATE", "args": 7}}, "properties.args"),
    ],
)
def test_an_invalid_body_of_a_plan(body: dict[str, Any], target: str) -> None:
    assert error_of(_plan(Monitored(), **body), 400)["target"] == target


def test_an_action_that_the_status_does_not_allow_has_no_plan() -> None:
    monitored = Monitored()
    service = monitored.gateway.service
    service.rows[1] = replace(service.rows[1], status="STOPPED")
    error_of(_plan(monitored, properties={"action": "UPDATE"}), 409)


def test_who_may_only_read_has_no_main_run() -> None:
    monitored = Monitored()
    error_of(_plan(monitored, "reader", properties={"action": "UPDATE"}), 403)
    error_of(_plan(monitored, "stranger", properties={"action": "UPDATE"}), 404)
