"""Lists in the order of each column, page by page, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from flink_jobs_provider.gateway.job_service import (
    JobFilter,
    ListColumn,
    PageOfJobs,
)
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.store import Store
from flink_jobs_provider.model.action import ActionResult
from tests.unit.gateway.store.entries import CLUSTER, accept, finish, running_job

OTHER = "/subscriptions/s/clusters/other"
BOTH = JobFilter([CLUSTER, OTHER])


def _jobs(store: Store) -> dict[int, str]:
    """Have four jobs on record that differ in all columns but for two that are equal in some."""
    for name, cluster in (("d", CLUSTER), ("a", OTHER), ("c", CLUSTER), ("b", CLUSTER)):
        running_job(store, name, cluster)
    values = {
        "d": ("FAILED", 3.0, None, "zoe"),
        "a": ("RUNNING", 1.0, 9.0, None),
        "c": ("LOST", 2.0, None, "amy"),
        "b": ("RUNNING", None, 8.0, "zoe"),
    }
    with store._database.writing() as connection:
        for name, (status, started, ended, who) in values.items():
            connection.execute(
                text(
                    "UPDATE jobs SET status = :s, started_at = :t, ended_at = :e, "
                    "created_by = :w WHERE job_name = :n"
                ),
                {"s": status, "t": started, "e": ended, "w": who, "n": name},
            )
    return {
        job.number: job.job_name
        for job in store.found(BOTH, PageOfJobs(limit=9, newest_first=False))[0]
    }


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(
    ("column", "order"),
    [
        (ListColumn.CREATED, "dacb"),
        (ListColumn.NAME, "abcd"),
        (ListColumn.CLUSTER, "dcba"),
        (ListColumn.STATUS, "dcab"),
        (ListColumn.PARALLELISM, "dacb"),
        (ListColumn.CREATED_BY, "acdb"),
        (ListColumn.STARTED, "bacd"),
        (ListColumn.ENDED, "dcba"),
        (ListColumn.LAST_ACTION, "dacb"),
        (ListColumn.ATTENTION, "abdc"),
    ],
)
def test_each_order_page_by_page(
    store: Store, column: ListColumn, order: str, descending: bool
) -> None:
    names = _jobs(store)
    seen, beyond = "", 0
    while True:
        page, total = store.found(
            BOTH, PageOfJobs(limit=1, newest_first=descending, beyond=beyond, column=column)
        )
        assert total == 4
        if not page:
            break
        beyond = page[0].number
        seen += names[beyond]
    assert seen == (order[::-1] if descending else order)


COLUMNS = [column for column in ListColumn if column is not ListColumn.CREATED]


@pytest.mark.parametrize("column", COLUMNS)
def test_a_page_after_a_job_of_another_cluster(store: Store, column: ListColumn) -> None:
    """Shows that who may not read a cluster does not learn where its jobs are in an order."""
    numbers = {name: number for number, name in _jobs(store).items()}

    def page_after(number: int) -> None:
        of_one = JobFilter([CLUSTER])
        store.found(of_one, PageOfJobs(limit=9, newest_first=False, beyond=number, column=column))

    page_after(numbers["c"])
    for number in (numbers["a"], max(numbers.values()) + 1):  # of the other cluster; cleared away
        with pytest.raises(Refusal, match="cursor names a job that is not on record") as refused:
            page_after(number)
        assert (refused.value.code, refused.value.target) == ("InvalidParameter", "cursor")


def test_a_page_after_a_job_that_was_deleted(store: Store) -> None:
    """Shows that a list goes on from the last job of a page although that was deleted since."""
    names = _jobs(store)
    numbers = {name: number for number, name in names.items()}
    with store._database.writing() as connection:
        connection.execute(text("UPDATE jobs SET deleted_at = 1.0 WHERE job_name = 'b'"))
    rows, total = store.found(
        BOTH,
        PageOfJobs(limit=9, newest_first=False, beyond=numbers["b"], column=ListColumn.NAME),
    )
    assert ("".join(names[row.number] for row in rows), total) == ("cd", 3)


def test_jobs_that_need_attention(store: Store) -> None:
    """Shows those that broke down, whose last action failed, and that their cluster flags."""
    names = _jobs(store)

    def found(*flagged: str) -> str:
        wanted = JobFilter([CLUSTER, OTHER], attention=True, flagged=flagged)
        rows, total = store.found(wanted, PageOfJobs(limit=9, newest_first=False))
        assert total == len(rows)
        return "".join(names[row.number] for row in rows)

    assert found() == "dc"
    job = store.live_job(CLUSTER, "b")
    assert job is not None
    finish(store, accept(store, job), ActionResult.FAILED)
    assert found() == "dcb"
    other = store.live_job(OTHER, "a")
    assert other is not None
    assert "a" in found(str(other.job_id), "f" * 32)
