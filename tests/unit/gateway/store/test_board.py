"""The list of jobs of several clusters, on each kind of database."""

from __future__ import annotations

from typing import Any

import pytest

from flink_jobs_provider.gateway.job_board import JobOrder, JobSearch
from flink_jobs_provider.gateway.store import Store
from flink_jobs_provider.model.action import ActionResult
from tests.unit.gateway.store.entries import CLUSTER, add_job, finish, running_job, state

OTHER = "/subscriptions/s/clusters/d"


def _fill(store: Store) -> None:
    running_job(store, "calm")
    finish(store, add_job(store, "broken"), job_state=state("FAILED", job="broken"))
    finish(store, add_job(store, "undone"), ActionResult.FAILED, state("RUNNING", job="undone"))
    finish(store, add_job(store, "lost", cluster=OTHER), job_state=state("LOST", job="lost"))
    add_job(store, "new-one")


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ({}, ["broken", "lost", "undone", "calm", "new-one"]),
        ({"clusters": [CLUSTER]}, ["broken", "undone", "calm", "new-one"]),
        ({"clusters": []}, []),
        ({"attention": True}, ["broken", "lost", "undone"]),
        (
            {"order": JobOrder.NAME, "descending": True},
            ["undone", "new-one", "lost", "calm", "broken"],
        ),
        ({"order": JobOrder.CLUSTER}, ["broken", "calm", "new-one", "undone", "lost"]),
        ({"text": "O"}, ["broken", "lost", "undone", "new-one"]),
        ({"text": "w-o"}, ["new-one"]),
        ({"text": "%"}, []),
        ({"text": "w_o"}, []),
        ({"statuses": ["LOST", ""]}, ["lost", "new-one"]),
        ({"offset": 1, "limit": 2}, ["lost", "undone"]),
    ],
)
def test_search(store: Store, search: dict[str, Any], names: list[str]) -> None:
    _fill(store)
    asked = JobSearch(**{"clusters": [CLUSTER, OTHER], **search})
    page, found, counts = store.board(asked)
    assert [job.job_name for job in page] == names
    if "limit" not in search:
        assert found == len(names)
    if asked.clusters == [CLUSTER, OTHER]:
        assert (counts.total, counts.attention) == (5, 3)
        assert counts.by_status == {"FAILED": 1, "RUNNING": 2, "LOST": 1, "": 1}


def test_ids(store: Store) -> None:
    job = running_job(store)
    for text in (job.run_id, job.job_id):
        page, _, _ = store.board(JobSearch([CLUSTER], text=str(text)))
        assert [one.number for one in page] == [job.number]
