"""Releasing a job that runs: who may ask for it, and what is asked of the service."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.contract.gateway.apis.monitoring.test_api import Monitored
from tests.contract.gateway.calling import error_of


def _release(monitored: Monitored, body: object = None, caller: str = "operator") -> httpx.Response:
    path = "/api/v1/jobs/1/release"
    return monitored.gateway.call("POST", path, json={} if body is None else body, caller=caller)


def test_it_is_a_deletion_that_leaves_the_job_running() -> None:
    """Shows what is asked of the service, and that it is audited."""
    monitored = Monitored()
    service = monitored.gateway.service
    service.hold = True
    answer = _release(monitored)
    assert answer.status_code == 202, answer.text
    assert (answer.json()["action"], answer.json()["result"]) == ("DELETE", "IN_PROGRESS")
    asked = service.requests[-1]
    assert (asked.action, asked.releases, asked.caller) == ("DELETE", True, "operator")
    assert not asked.cancels_first
    audited = monitored.gateway.audit.entries[-1]
    assert (audited["what"], audited["result"]) == ("release", "ACCEPTED")


@pytest.mark.parametrize(
    ("body", "target"),
    [({"to": "x"}, "to"), ({"seen": 7}, "seen"), ({"seen": ""}, "seen"), ([], None)],
)
def test_an_invalid_body(body: Any, target: str | None) -> None:
    monitored = Monitored()
    before = len(monitored.gateway.service.requests)
    assert error_of(_release(monitored, body), 400).get("target") == target
    assert len(monitored.gateway.service.requests) == before


def test_who_may_not_act_is_refused_before_the_body_is_read() -> None:
    monitored = Monitored()
    before = len(monitored.gateway.service.requests)
    error_of(_release(monitored, {"to": "x"}, "reader"), 403)
    error_of(_release(monitored, {"to": "x"}, "stranger"), 404)
    assert len(monitored.gateway.service.requests) == before
