"""Adopting a job that runs: who may ask for it, and for what."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.contract.gateway.apis.monitoring.test_api import Monitored
from tests.contract.gateway.calling import error_of
from tests.contract.gateway.memory_service import CLUSTER

PROPERTIES = {
    "jobName": "orders",
    "jobJarDirectory": "abfs://jobs@account/jars",
    "jarName": "orders.jar",
    "entryClass": "com.example.Orders",
    "args": "--topic orders",
    "flinkConfiguration": {"parallelism": "2"},
}
BODY: dict[str, Any] = {"cluster": CLUSTER.key, "adopt": "f" * 32, "properties": PROPERTIES}


def _adopt(monitored: Monitored, caller: str = "operator", **body: Any) -> httpx.Response:
    given = {name: value for name, value in (BODY | body).items() if value is not None}
    return monitored.gateway.call("POST", "/api/v1/jobs", json=given, caller=caller)


@pytest.mark.parametrize("allowed", [None, True, False])
def test_an_adoption_is_a_new_job_that_takes_one_over(allowed: bool | None) -> None:
    """Shows what is asked of the service, and that it is audited."""
    monitored = Monitored()
    service = monitored.gateway.service
    service.hold = True
    answer = _adopt(monitored, allow_no_way_back=allowed)
    assert answer.status_code == 202, answer.text
    assert (answer.json()["action"], answer.json()["result"]) == ("NEW", "IN_PROGRESS")
    asked = service.requests[-1]
    assert (asked.job_name, asked.action, asked.caller) == ("orders", "NEW", "operator")
    assert asked.changes["adopt"] == "f" * 32
    assert asked.changes["allow_no_way_back"] == (True if allowed else None)
    assert asked.changes["args"] == ["--topic", "orders"]
    audited = monitored.gateway.audit.entries[-1]
    assert (audited["what"], audited["job"], audited["result"]) == ("adopt", "orders", "ACCEPTED")


@pytest.mark.parametrize(
    ("body", "target"),
    [
        ({"cluster": None}, "cluster"),
        ({"adopt": None}, "adopt"),
        ({"adopt": 7}, "adopt"),
        ({"adopt": ""}, "adopt"),
        ({"properties": None}, "properties"),
        ({"properties": []}, "properties"),
        ({"allow_no_way_back": "yes"}, "allow_no_way_back"),
        ({"to": "x"}, "to"),
        ({"properties": PROPERTIES | {"jarName": 7}}, "properties.jarName"),
        ({"properties": PROPERTIES | {"action": "CANCEL"}}, "properties.action"),
    ],
)
def test_an_invalid_body(body: dict[str, Any], target: str) -> None:
    monitored = Monitored()
    before = len(monitored.gateway.service.requests)
    assert error_of(_adopt(monitored, **body), 400)["target"] == target
    assert len(monitored.gateway.service.requests) == before


def test_who_may_not_act_is_refused_before_the_body_is_read() -> None:
    monitored = Monitored()
    before = len(monitored.gateway.service.requests)
    error_of(_adopt(monitored, "reader", cluster=7), 403)
    error_of(_adopt(monitored, "stranger", cluster=7), 403)
    error_of(_adopt(monitored, cluster="elsewhere"), 404)
    assert len(monitored.gateway.service.requests) == before
