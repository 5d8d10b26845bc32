"""A Flink that answers, and says that it is not ready."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from flink_jobs_provider.model.errors import ClusterUnreachable
from tests.contract.flink.scripted import ScriptedFlink


def test_a_leader_election_is_waited_for_not_taken_for_a_refusal() -> None:
    """Flink answers 503 with errors of its own while no JobManager leads: temporary."""
    flink = ScriptedFlink()
    busy = httpx.Response(503, json={"errors": ["Service temporarily unavailable due to leader."]})
    flink.answer("GET jobs/overview", busy)
    with pytest.raises(ClusterUnreachable, match="is not ready"):
        asyncio.run(flink.plane().jobs())
