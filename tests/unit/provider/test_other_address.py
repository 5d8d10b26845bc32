"""One job of a service, called by two addresses of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flink_jobs_provider.control_planes.clusters import Clusters
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.provider.declarations import is_same_job
from tests.contract.hdinsight.stack import TARGET
from tests.unit.model.made_up_jobs import record, spec


def known(endpoint: str, **changes: Any) -> JobRecord:
    """Return what is recorded of the job behind an address."""
    base = {"run_id": "run-1", "job_id": "a" * 32, "started_at": "2026-11-01T10:00:00Z"}
    return record(spec(target={**TARGET, "endpoint": endpoint}), **{**base, **changes})


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"run_id": "run-2"}, False),
        ({"job_id": "b" * 32}, False),
        ({"started_at": "2026-11-01T10:00:01Z"}, False),
    ],
)
def test_a_run_is_known_by_its_ids_and_its_start(changes: dict[str, str], same: bool) -> None:
    old, new = known("https://gateway"), known("https://gateway.example", **changes)
    assert asyncio.run(is_same_job(Clusters(str), old, new)) is same


def test_a_jobs_name_tells_no_run() -> None:
    """Shows one version of HDInsight's API, which calls a run by it."""
    old, new = (known(url, run_id="orders") for url in ("https://one", "https://two"))
    assert not asyncio.run(is_same_job(Clusters(str), old, new))
