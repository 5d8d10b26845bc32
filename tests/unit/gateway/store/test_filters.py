"""Lists of jobs, filtered and paged by either database."""

from __future__ import annotations

from typing import Any

import pytest

from flink_jobs_provider.gateway.job_service import (
    GivenText,
    JobFilter,
    PageOfJobs,
)
from flink_jobs_provider.gateway.store import JobState, Store
from tests.unit.gateway.store.entries import CLUSTER, add_job, finish, state

OTHER = "/subscriptions/s/clusters/other"
NAME, QUEUE = ("dli", "name"), ("dli", "queue_name")
TEAM = {"key": "team", "value": "x"}
BOTH: dict[str, Any] = {"clusters": [CLUSTER, OTHER]}
#: What the jobs were given, by their names.
GIVEN: dict[str, dict[str, Any]] = {
    "plain": {"jarName": "x"},
    "named": {"dli": {"name": "Named", "queue_name": "q", "tags": [TEAM, {"key": "stage"}]}},
    "odd": {"dli": {"name": 'it\'s "odd" %', "tags": None, "queue_name": "q_"}},
}


@pytest.fixture
def filled(store: Store) -> Store:
    """Return a store with a job for each of `GIVEN` that runs, and a failed one elsewhere."""
    for name, given in GIVEN.items():
        _add(store, name, given, CLUSTER, "RUNNING")
    _add(store, "elsewhere", {"dli": {"tags": [{**TEAM, "value": "y"}]}}, OTHER, "FAILED")
    return store


def _add(store: Store, name: str, given: dict[str, Any], cluster: str, status: str) -> None:
    record = state(status, job=name).record
    how = JobState(record, status, given)
    assert finish(store, add_job(store, name, cluster=cluster), job_state=how)


def names(store: Store, limit: int = 10, offset: int = 0, **filters: Any) -> list[str]:
    """Return the jobs of a page, newest first."""
    jobs = JobFilter(**{"clusters": [CLUSTER], **filters})
    page, total = store.found(jobs, PageOfJobs(offset=offset, limit=limit, newest_first=True))
    assert total >= len(page)
    return [job.job_name for job in page]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["odd", "named", "plain"]),
        (BOTH, ["elsewhere", "odd", "named", "plain"]),
        ({"clusters": []}, []),
        ({"job_name": "named"}, ["named"]),
        ({"created_by": "tester"}, ["odd", "named", "plain"]),
        ({"created_by": "nobody"}, []),
        ({**BOTH, "standings": [("FAILED", "NEW", "SUCCESS")]}, ["elsewhere"]),
        ({**BOTH, "standings": [("RUNNING", "NEW", "FAILED")]}, []),
        ({"standings": []}, []),
        ({"given": [GivenText(NAME, "Named")]}, ["named"]),
        ({"given": [GivenText(NAME, "named")]}, []),
        ({"given": [GivenText(NAME, 'it\'s "odd" %')]}, ["odd"]),
        ({"given": [GivenText(QUEUE, "q")]}, ["named"]),
        ({"given": [GivenText(QUEUE, "q", [CLUSTER])]}, ["named", "plain"]),
        ({**BOTH, "given": [GivenText(QUEUE, "q", [OTHER])]}, ["elsewhere", "named"]),
        ({**BOTH, "entries": {"team": "x"}}, ["named"]),
        ({**BOTH, "entries": {"team": "x", "stage": ""}}, ["named"]),
        ({**BOTH, "entries": {"stage": "x"}}, []),
        ({**BOTH, "entries": {"team": "y"}}, ["elsewhere"]),
    ],
)
def test_filters(filled: Store, filters: dict[str, Any], expected: list[str]) -> None:
    assert names(filled, entries_path=("dli", "tags"), **filters) == expected


def test_pages(filled: Store) -> None:
    assert names(filled, limit=2, **BOTH) == ["elsewhere", "odd"]
    assert names(filled, limit=2, offset=2, **BOTH) == ["named", "plain"]
    assert names(filled, limit=2, offset=4, **BOTH) == []
    assert names(filled, limit=0, **BOTH) == []
    page, total = filled.found(JobFilter(**BOTH), PageOfJobs(offset=1, limit=1, newest_first=False))
    assert ([job.job_name for job in page], total) == (["named"], 4)


@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_beyond_a_job(filled: Store, newest_first: bool) -> None:
    """Shows pages that jobs which come or go do not move; the total is that of all of them."""
    seen: list[str] = []
    beyond = 0
    for _ in range(4):
        (job,), total = filled.found(
            JobFilter(**BOTH), PageOfJobs(limit=1, newest_first=newest_first, beyond=beyond)
        )
        seen.append(job.job_name)
        beyond = job.number
        assert total == 4
    assert seen == names(filled, **BOTH)[:: 1 if newest_first else -1]
    page, _ = filled.found(
        JobFilter(**BOTH), PageOfJobs(limit=1, newest_first=newest_first, beyond=beyond)
    )
    assert page == []
