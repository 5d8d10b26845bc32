"""Savepoints that a cluster disposes of: done when it reports so, and no failure where none is."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from flink_jobs_provider.model.errors import ActionFailed, DeadlineExceeded, TemporaryError
from tests.contract.flink.scripted import VERSIONS, ScriptedFlink, ok, recorded

IN_PROGRESS = ok(status={"id": "IN_PROGRESS"}, operation=None)
DISPOSAL = "POST savepoint-disposal"
OLD = "file:/flink/savepoints/orders/1/savepoint-1"


def disposed(flink: ScriptedFlink, name: str, version: str = "2.3.0") -> bool:
    """Dispose of a savepoint, as a real Flink answered it under that name."""
    accepted = recorded(f"{name}-accepted", version)
    flink.answer(DISPOSAL, accepted)
    operation = accepted.json()["request-id"]
    completed = recorded(f"{name}-completed", version)
    flink.answer(f"GET savepoint-disposal/{operation}", IN_PROGRESS, IN_PROGRESS, completed)
    return asyncio.run(flink.plane().dispose_savepoint(OLD, 60))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_savepoint_is_disposed_of_when_that_has_ended(version: str) -> None:
    flink = ScriptedFlink(version)
    assert disposed(flink, "disposal", version)
    (sent,) = [sent for sent in flink.sent if sent.method == "POST"]
    assert sent.body == {"savepoint-path": OLD}
    assert flink.count(f"GET {flink.sent[-1].path}") == 3, "accepted is not done"


@pytest.mark.parametrize("version", VERSIONS)
def test_one_that_is_not_there_is_no_failure(version: str) -> None:
    assert not disposed(ScriptedFlink(version), "disposal-repeated", version)


@pytest.mark.parametrize("version", VERSIONS)
def test_one_that_cannot_be_removed_is_a_failure(version: str) -> None:
    """Shows that another failure is not taken for a savepoint that has gone."""
    with pytest.raises(ActionFailed, match="UnsupportedFileSystemSchemeException"):
        disposed(ScriptedFlink(version), "disposal-elsewhere", version)


def test_a_disposal_whose_answer_is_lost_is_requested_again() -> None:
    flink = ScriptedFlink()
    accepted = recorded("disposal-repeated-accepted")
    flink.answer(DISPOSAL, httpx.ReadError("connection reset"), accepted)
    operation = accepted.json()["request-id"]
    flink.answer(f"GET savepoint-disposal/{operation}", recorded("disposal-repeated-completed"))
    assert not asyncio.run(flink.plane().dispose_savepoint(OLD, 60))
    assert flink.changes() == [DISPOSAL, DISPOSAL]


def test_a_disposal_that_does_not_end_is_reported() -> None:
    flink = ScriptedFlink()
    accepted = recorded("disposal-accepted")
    flink.answer(DISPOSAL, accepted)
    flink.answer(f"GET savepoint-disposal/{accepted.json()['request-id']}", IN_PROGRESS)
    with pytest.raises(DeadlineExceeded):
        asyncio.run(flink.plane().dispose_savepoint(OLD, 60))


def test_a_disposal_that_its_cluster_forgot_is_temporary() -> None:
    """Shows that a JobManager that restarted is not taken for one that has disposed of it."""
    flink = ScriptedFlink()
    flink.answer(DISPOSAL, recorded("disposal-accepted"))
    operation = recorded("disposal-accepted").json()["request-id"]
    flink.answer(f"GET savepoint-disposal/{operation}", recorded("unknown-disposal"))
    with pytest.raises(TemporaryError):
        asyncio.run(flink.plane().dispose_savepoint(OLD, 60))
