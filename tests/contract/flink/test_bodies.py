"""What is sent: bodies by Flink version. 1.17 and 1.18 refuse fields that later ones want."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from flink_jobs_provider.control_planes.flink.bodies import (
    parse_version,
    plan_body,
    run_body,
    savepoint_body,
)
from flink_jobs_provider.control_planes.protocol import Purpose, SavepointRequest
from flink_jobs_provider.model.errors import ClusterRefused
from flink_jobs_provider.model.savepoint import SavepointFormat
from tests.contract.flink.scripted import JOB_ID, ScriptedFlink, ok, submission

COMMON = {
    "jobId": JOB_ID,
    "entryClass": "shop.Main",
    "programArgsList": ["--a", "b c", ""],
    "parallelism": 3,
    "flinkConfiguration": {"pipeline.name": "orders", "k": "v"},
    "allowNonRestoredState": False,
}
#: Fields of the run body that Flink 1.17 and 1.18 know (RestAPI of 1.17; measured on 1.17.2).
KNOWN_TO_1_17 = {
    "entryClass",
    "programArgs",
    "programArgsList",
    "parallelism",
    "jobId",
    "allowNonRestoredState",
    "savepointPath",
    "restoreMode",
    "flinkConfiguration",
}


@pytest.mark.parametrize("version", ["1.17.2", "1.18.1", "1.19.3", "1.20.5", "2.3.0"])
def test_first_start(version: str) -> None:
    """Shows that a start without state says nothing of savepoints, on any version."""
    assert run_body(submission(), parse_version(version)) == COMMON


@pytest.mark.parametrize(
    ("version", "claim"),
    [
        ("1.17.2", {"restoreMode": "NO_CLAIM"}),
        ("1.18.1", {"restoreMode": "NO_CLAIM"}),
        ("1.19.3", {"restoreMode": "NO_CLAIM"}),
        ("1.20.5", {"claimMode": "NO_CLAIM"}),
        ("2.3.0", {"claimMode": "NO_CLAIM"}),
    ],
)
def test_start_from_a_savepoint_never_claims_it(version: str, claim: dict[str, str]) -> None:
    wanted = submission(restore_from="/s/1", allow_non_restored_state=True)
    body = run_body(wanted, parse_version(version))
    assert body == {
        **COMMON,
        "savepointPath": "/s/1",
        "allowNonRestoredState": True,
        **claim,
    }
    if "restoreMode" in claim:
        assert set(body) <= KNOWN_TO_1_17


def test_no_entry_class_leaves_it_to_the_manifest() -> None:
    assert "entryClass" not in run_body(submission(entry_class=None), (2, 3, 0))


def test_a_name_in_the_configuration_wins() -> None:
    body = plan_body(submission(flink_configuration={"pipeline.name": "mine"}))
    assert body["flinkConfiguration"] == {"pipeline.name": "mine"}


def test_a_plan_names_no_job() -> None:
    """Shows that a plan asks for what a run would, under no jobId and from no state."""
    body = plan_body(submission(restore_from="/s/1"))
    assert set(COMMON) - set(body) == {"jobId", "allowNonRestoredState"}
    assert "savepointPath" not in body


def test_stop_is_spelt_in_camel_case_and_savepoint_with_hyphens() -> None:
    stop = SavepointRequest(JOB_ID, "/s", Purpose.STOP, SavepointFormat.CANONICAL)
    assert savepoint_body(stop, "t1") == (
        f"jobs/{JOB_ID}/stop",
        {"targetDirectory": "/s", "drain": False, "formatType": "CANONICAL", "triggerId": "t1"},
    )
    drained = replace(stop, drain=True)
    assert savepoint_body(drained, "t1")[1]["drain"] is True
    delete = SavepointRequest(JOB_ID, "/s", Purpose.DELETE, SavepointFormat.CANONICAL)
    assert savepoint_body(delete, "t1")[0] == f"jobs/{JOB_ID}/stop"
    goes_on = SavepointRequest(JOB_ID, "/s", Purpose.SAVEPOINT, SavepointFormat.NATIVE)
    assert savepoint_body(goes_on, "t2") == (
        f"jobs/{JOB_ID}/savepoints",
        {
            "target-directory": "/s",
            "cancel-job": False,
            "formatType": "NATIVE",
            "triggerId": "t2",
        },
    )


@pytest.mark.parametrize(
    ("text", "version"),
    [("2.3.0", (2, 3, 0)), ("1.17.2", (1, 17, 2)), ("1.20-SNAPSHOT", (1, 20))],
)
def test_versions(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize("text", ["1.16.3", "1.9", "0.10.1", "latest", "2", "", "<unknown>"])
def test_versions_that_are_too_old_or_none(text: str) -> None:
    with pytest.raises(ClusterRefused):
        parse_version(text)


@pytest.mark.parametrize(("version", "mode"), [("1.18.1", "restoreMode"), ("2.3.0", "claimMode")])
def test_the_version_that_the_cluster_says_decides(version: str, mode: str) -> None:
    flink = ScriptedFlink(version)
    flink.answer("POST jars/uuid_orders.jar/run", ok(jobid=JOB_ID))
    asyncio.run(flink.plane().submit(submission(restore_from="/s/1"), 60))
    (sent,) = [sent for sent in flink.sent if sent.method == "POST"]
    assert sent.body[mode] == "NO_CLAIM"
