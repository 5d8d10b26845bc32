"""Bodies in the form that other clients give them."""

from __future__ import annotations

import json

from tests.contract.gateway.calling import Gateway
from tests.contract.gateway.memory_service import CLUSTER_ID

_VERSION = {"api-version": "2023-06-01-preview"}


def test_terraforms_resource_action() -> None:
    """Shows what Microsoft's sample sends: NEW and UPDATE with the full set, the rest with none.

    Its jars lie in the root of a container, and its options come from a JSON file.
    """
    gateway = Gateway()
    given = {
        "args": "--hub h",
        "entryClass": "com.example.Job",
        "flinkConfiguration": {"parallelism": 2, "taskmanager.memory.process.size": "2g"},
        "jarName": "job.jar",
        "jobJarDirectory": "abfs://jobs@account",
    }
    for action in ("NEW", "UPDATE", "STOP", "START", "CANCEL", "DELETE"):
        properties = {"action": action, "jobName": "job1", "jobType": "FlinkJob"}
        if action in ("NEW", "UPDATE"):
            properties |= given  # type: ignore[arg-type]
        body = json.dumps({"properties": properties}, sort_keys=True, separators=(",", ":"))
        answer = gateway.call(
            "POST",
            f"{CLUSTER_ID}/runJob",
            params=_VERSION,
            content=body,
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 202, answer.text
    new, update = gateway.service.requests[:2]
    assert new.changes == update.changes
    assert new.changes["jar"] == "s3://bucket/jobs/job.jar"
    assert new.changes["parallelism"] == 2


def test_powershells_rest_method() -> None:
    """Shows a here-string of Windows: a byte order mark, CRLF, empty args."""
    gateway = Gateway()
    body = """{
      "properties": {
        "jobType": "FlinkJob",
        "jobName": "job1",
        "jobJarDirectory": "abfs://jobs@account/jars",
        "jarName": "FlinkJobDemo-1.0-SNAPSHOT.jar",
        "entryClass": "org.example.SleepJob",
        "args": "",
        "action": "NEW",
        "flinkConfiguration": {
          "parallelism": "1"
        }
      }
    }"""
    answer = gateway.call(
        "POST",
        f"{CLUSTER_ID}/runjob",
        params=_VERSION,
        content=body.replace("\n", "\r\n").encode("utf-8-sig"),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 202, answer.text
    assert gateway.service.requests[0].changes["args"] == []
    assert gateway.row()["properties"]["args"] == ""


def test_az_rest() -> None:
    """Shows a list asked for as `az rest` does, which wants the name of its request back."""
    gateway = Gateway()
    headers = {
        "Accept": "*/*",
        "CommandName": "rest",
        "Content-Type": "application/json",
        "x-ms-client-request-id": "5c1f2f8e-0000-0000-0000-000000000000",
        "x-ms-return-client-request-id": "true",
    }
    answer = gateway.call("GET", f"{CLUSTER_ID}/jobs", params=_VERSION, headers=headers)
    assert answer.json() == {"value": []}
    assert answer.headers["x-ms-client-request-id"] == headers["x-ms-client-request-id"]
