"""Operation status documents."""

from __future__ import annotations

import re

import pytest

from tests.contract.gateway.calling import NEW, NEWEST, VERSIONS, Gateway, error_of
from tests.contract.gateway.memory_service import CLUSTER_ID

_TIME = r"2024-05-21T06:57:28\.\d+Z"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_document_is_as_the_service_had_it(version: str) -> None:
    """Shows each member, while the action is in progress and when it has ended."""
    gateway = Gateway()
    gateway.service.hold = True
    location = gateway.run_job(NEW, version).headers["Location"]
    path = location.removeprefix("https://gateway.example.com").partition("?")[0]
    document = gateway.call("GET", location).json()
    assert document["id"] == path
    assert document["name"] == path.rpartition("/")[2]
    assert document["resourceId"] == CLUSTER_ID
    assert document["status"] == "InProgress"
    assert re.fullmatch(_TIME, document["startTime"])
    assert not {"endTime", "error"} & set(document)
    gateway.service.finish(next(iter(gateway.service.actions)))
    answer = gateway.call("GET", location)
    ended = answer.json()
    assert ended["status"] == "Succeeded"
    assert re.fullmatch(_TIME, ended["endTime"])
    assert "Retry-After" not in answer.headers
    if version == VERSIONS[0]:
        assert ended["properties"] is None
    else:
        assert ended["properties"]["jobStatus"] == "SUBMITTED"
        assert ended["properties"]["actionResult"] == "SUCCESS"


def test_an_operation_succeeds_though_its_action_failed() -> None:
    """Shows what the real service did: the list says how the action ended."""
    gateway = Gateway()
    gateway.service.fails_with = "No such class."
    location = gateway.run_job(NEW).headers["Location"]
    document = gateway.call("GET", location).json()
    assert document["status"] == "Succeeded"
    assert "error" not in document
    assert document["properties"]["actionResult"] == "FAILED"
    assert document["properties"]["jobOutput"] == "No such class."


def test_an_operation_fails_with_its_action_on_demand() -> None:
    """Shows failOperation, which the address of the operation carries on."""
    gateway = Gateway()
    gateway.service.fails_with = "No such class."
    url = f"{CLUSTER_ID}/runJob?api-version={NEWEST}&failOperation=true"
    location = gateway.call("POST", url, json={"properties": NEW}).headers["Location"]
    document = gateway.call("GET", location).json()
    assert document["status"] == "Failed"
    assert document["error"] == {"code": "NEW_FAILED", "message": "No such class."}
    gateway.service.fails_with = ""
    url = url.replace("true", "TRUE")
    answer = gateway.call("POST", url, json={"properties": {**NEW, "jobName": "job2"}})
    assert gateway.call("GET", answer.headers["Location"]).json()["status"] == "Succeeded"
    refused = gateway.call("POST", url.replace("TRUE", "1"), json={"properties": NEW})
    assert error_of(refused, 400)["target"] == "failOperation"


def test_the_address_has_no_case_and_any_location() -> None:
    """Shows that a client may write the address its own way."""
    gateway = Gateway()
    location = gateway.run_job(NEW).headers["Location"]
    for spelled in (
        location.replace("/FLINK/", "/westus2/"),
        location.replace("operationStatuses", "OPERATIONSTATUSES"),
        location.replace("*", "%2A"),
    ):
        assert gateway.call("GET", spelled).json()["status"] == "Succeeded"


def test_an_operation_that_is_not_known_is_not_found() -> None:
    """Shows one that never was, one that is no id at all, and one of another's name."""
    gateway = Gateway()
    location = gateway.run_job(NEW).headers["Location"]
    name = location.partition("?")[0].rpartition("/")[2]
    action, _, digest = name.partition("*")
    assert len(digest) == 64
    for other in (
        f"{'0' * 8}{action[8:]}*{digest}",
        f"{action}*{digest[::-1]}",
        f"{action}*{digest.lower()}",
        action,
        "x",
    ):
        path = location.replace(name, other)
        assert error_of(gateway.call("GET", path), 404)["code"] == "ResourceNotFound"


def test_an_operation_is_shown_to_readers_of_its_cluster() -> None:
    """Shows that to others it is as if it were not there."""
    gateway = Gateway()
    location = gateway.run_job(NEW).headers["Location"]
    assert gateway.call("GET", location, caller="reader").status_code == 200
    assert gateway.call("GET", location, caller="stranger").status_code == 404
    assert gateway.call("GET", location, caller=None).status_code == 401


def test_an_operation_has_a_tag() -> None:
    """Shows the ETag, which changes as the operation does."""
    gateway = Gateway()
    gateway.service.hold = True
    location = gateway.run_job(NEW).headers["Location"]
    before = gateway.call("GET", location).headers["ETag"]
    assert gateway.call("GET", location).headers["ETag"] == before
    gateway.service.finish(next(iter(gateway.service.actions)))
    assert gateway.call("GET", location).headers["ETag"] != before
