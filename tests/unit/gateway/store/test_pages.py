"""Ten thousand jobs on record: what is asked again and again touches an index only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import event, insert, text

from flink_jobs_provider.gateway.job_board import JobOrder, JobSearch
from flink_jobs_provider.gateway.job_service import (
    GivenText,
    JobFilter,
    JobsOfCluster,
    PageOfJobs,
)
from flink_jobs_provider.gateway.store import ACTIVE, Store, StoredJob
from flink_jobs_provider.gateway.store.tables import ActionEntry, JobEntry
from tests.unit.gateway.store.entries import CLUSTER, state

JOBS = 10_000


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.process)]
)
def crowded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """Return a store with ten thousand jobs: a few run, and a few are of another cluster."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('crowded') / 'gateway.db'}"
    else:
        url = request.getfixturevalue("postgres_server").new_database()
    with closing(Store(url)) as store:
        store.migrate()
        fill(store)
        yield store


def fill(store: Store) -> None:
    """Put the jobs on record."""
    jobs, actions = [], []
    columns = state("FINISHED").columns
    for number in range(JOBS):
        running = number % 1000 == 0
        jobs.append(
            {
                **columns,
                "status": "RUNNING" if running else "FINISHED",
                "cluster": "/another" if number % 100 == 99 else CLUSTER,
                "job_name": f"job-{number}",
                "run_id": f"run-{number}",
                "identity": f"{number:018x}",
                "revision": 1,
                "last_action": f"action-{number}",
                "created_at": 0.0,
            }
        )
        actions.append(
            {
                "id": f"action-{number}",
                "job_number": number + 1,
                "action": "NEW",
                "caller": "tester",
                "result": "SUCCESS",
                "output": "",
                "as_given": {},
                "accepted_at": 0.0,
                "finished_at": 1.0,
                "deadline": 0.0,
            }
        )
    with store._database.writing() as connection:
        connection.execute(insert(JobEntry), jobs)
        connection.execute(insert(ActionEntry), actions)
    with store._database.writing() as connection:
        connection.execute(text("ANALYZE"))


CALLS: dict[str, Callable[[Store], Any]] = {
    "first page": lambda store: store.jobs(JobsOfCluster(CLUSTER, limit=100)),
    "last page": lambda store: store.jobs(JobsOfCluster(CLUSTER, after=JOBS - 100, limit=100)),
    "by name": lambda store: store.jobs(JobsOfCluster(CLUSTER, job_name="job-500")),
    "newest": lambda store: found(store),
    "newest by name": lambda store: found(store, job_name="job-500"),
    "by number": lambda store: store.job(CLUSTER, 501),
    "live job": lambda store: store.live_job(CLUSTER, "job-500"),
    "by status": lambda store: store.watched(CLUSTER, ACTIVE),
    "by job id": lambda store: store.watched_of(CLUSTER, [f"{500:032x}"]),
    "operation": lambda store: store.action("action-500"),
    "left behind": lambda store: store.claim("one", 30, [CLUSTER], 100),
}


def found(store: Store, limit: int = 10, **filters: Any) -> tuple[list[StoredJob], int]:
    """Return the newest jobs that pass a filter, and how many pass it."""
    jobs = JobFilter([CLUSTER], **filters)
    return store.found(jobs, PageOfJobs(offset=20, limit=limit, newest_first=True))


@pytest.mark.parametrize(
    ("filters", "total"),
    [
        ({}, 9900),
        ({"standings": [("FINISHED", "NEW", "SUCCESS")]}, 9890),
        ({"given": [GivenText(("dli", "queue_name"), "default", [CLUSTER])]}, 9900),
    ],
    ids=["all", "status", "queue"],
)
def test_a_filtered_page_reads_no_more_rows_than_it_shows(
    crowded: Store, filters: dict[str, Any], total: int
) -> None:
    """Shows that memory does not grow with the jobs: the database filters, counts and skips."""
    read: list[JobEntry] = []

    def note(job: JobEntry, _args: object, _columns: object) -> None:
        read.append(job)

    event.listen(JobEntry, "init", note)
    page, counted = found(crowded, **filters)
    event.remove(JobEntry, "init", note)
    assert counted == total
    assert len(page) == len(read) == 10


@pytest.mark.parametrize("call", CALLS)
def test_no_table_is_read_whole(crowded: Store, call: str) -> None:
    for statement, parameters in _asked(crowded, CALLS[call]):
        plan = _plan(crowded, statement, parameters)
        wide = [
            line for line in plan if _reads_all(line) or line.endswith("jobs_of_a_name (cluster=?)")
        ]
        assert not wide, "\n".join([statement, *plan])


@pytest.mark.parametrize(
    "asked",
    [
        *({"order": order, "descending": down} for order in JobOrder for down in (False, True)),
        {"text": "job-77"},
        {"attention": True},
        {"statuses": ["RUNNING"]},
    ],
    ids=str,
)
@pytest.mark.parametrize("crowded", ["sqlite"], indirect=True)
def test_a_list_of_all_clusters_reads_the_rows_of_its_page_alone(
    crowded: Store, asked: dict[str, Any]
) -> None:
    """Shows that an index alone answers what sorts and counts ten thousand jobs.

    PostgreSQL has the documents of a row elsewhere: to look into it costs little there.
    """
    search = JobSearch([CLUSTER, "/another"], noticed=["ff"], **asked)
    of_all = [
        (statement, parameters)
        for statement, parameters in _asked(crowded, lambda store: store.board(search))
        if "JOIN actions" not in statement
    ]
    assert len(of_all) >= 2
    for statement, parameters in of_all:
        plan = _plan(crowded, statement, parameters)
        alone = any("COVERING INDEX live_jobs_as_listed" in line for line in plan)
        # One that need not be sorted ends with its page.
        sorted_already = "ORDER BY" in statement and not any("ORDER BY" in line for line in plan)
        assert alone or sorted_already, "\n".join([statement, *plan])


def _asked(store: Store, call: Callable[[Store], object]) -> list[tuple[str, Any]]:
    """Return what a call asks the database for, with its parameters."""
    asked: list[tuple[str, Any]] = []
    engine = store._database.engine

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _x: Any, _m: bool) -> None:
        if statement.startswith("SELECT") and "FROM" in statement:
            asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    call(store)
    event.remove(engine, "before_cursor_execute", note)
    assert asked
    return asked


def test_a_page_is_as_many_rows_as_asked_for(crowded: Store) -> None:
    assert len(crowded.jobs(JobsOfCluster(CLUSTER, limit=100))) == 100
    assert len(crowded.jobs(JobsOfCluster("/another", after=JOBS - 300))) == 3


def _plan(store: Store, statement: str, parameters: Any) -> list[str]:
    explain = "EXPLAIN" if store.shared else "EXPLAIN QUERY PLAN"
    with store._database.connected() as connection:
        if store.shared:  # among few rows it may choose to read all, though it need not
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        rows = connection.exec_driver_sql(f"{explain} {statement}", parameters)
        return [str(row[-1] if not store.shared else row[0]) for row in rows]


def _reads_all(line: str) -> bool:
    """Whether a line of a plan says that a table is gone through row by row."""
    line = line.strip().removeprefix("-> ").strip()
    if line.startswith("Seq Scan"):
        return True
    return line.startswith("SCAN") and "USING" not in line and not line.startswith("SCAN (")
