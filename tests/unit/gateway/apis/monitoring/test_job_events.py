"""The stream of a job: an event for each change, and an end where nothing more is to come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from flink_jobs_provider.gateway.apis.monitoring.job_events import changes
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.observing.attention import needs_attention
from flink_jobs_provider.observing.documents import attention_document
from tests.unit.observing.sequences import failure, health, job


def _health(at: str, **more: Any) -> dict[str, Any]:
    return {"number": 1, "health": {"observed_at": at, "state": "RUNNING", **more}}


def _events(seen: Sequence[dict[str, Any] | Refusal]) -> list[tuple[str, dict[str, Any]]]:
    """Return the events of a job that is seen so, one look after the other; then it stops."""

    async def collected() -> list[tuple[str, dict[str, Any]]]:
        stopping = asyncio.Event()
        left = list(seen)

        async def look() -> dict[str, Any]:
            now = left.pop(0)
            if not left:
                stopping.set()
            if isinstance(now, Refusal):
                raise now
            return now

        return [
            (str(event.event), json.loads(event.data or ""))
            async for event in changes(look, stopping, 0.001)
        ]

    return asyncio.run(collected())


def test_only_changes_are_sent() -> None:
    """Shows that to be observed once more is none."""
    first, second = _health("1"), _health("3", state="FAILED")
    assert _events([first, _health("2"), second]) == [("job", first), ("job", second)]


def test_that_time_goes_by_is_no_change() -> None:
    """Shows it for a job that fails for ever longer, whose next failure has another cause."""
    seen = [
        _attention(second, cause)
        for second, cause in ((34, "disk"), (36, "disk"), (180, "disk"), (182, "net"))
    ]
    assert [data for _, data in _events(seen)] == [seen[0], seen[3]]


def _attention(seconds: int, cause: str) -> dict[str, Any]:
    """Return a job that has been restarting for N seconds."""
    restarting = health(
        seconds / 60, job=job("RESTARTING", running_tasks=0), exceptions=(failure(0, cause),)
    )
    found = needs_attention([restarting])
    return _health("1") | {"needs_attention": [attention_document(each) for each in found]}


def test_a_database_that_goes_and_comes_back() -> None:
    away = Refusal("RecordsUnavailable", "The database does not answer.")
    problem = {"code": "RecordsUnavailable", "message": "The database does not answer."}
    job = _health("1")
    assert _events([job, away, away, job]) == [("job", job), ("problem", problem), ("job", job)]


@pytest.mark.parametrize(
    "code", ["JobNotFound", "InvalidAuthenticationToken", "ExpiredAuthenticationToken"]
)
def test_a_job_that_is_deleted_and_a_token_that_is_revoked_end_it(code: Any) -> None:
    gone = Refusal(code, "No.")
    found = _events([_health("1"), gone, _health("2")])
    assert found == [("job", _health("1")), ("end", {"code": code, "message": "No."})]
