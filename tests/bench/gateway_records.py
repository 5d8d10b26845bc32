"""A gateway with many jobs on record: its lists, its memory, and what it accepts in a second."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from flink_jobs_provider.gateway.store import JobState, Store, stored_record
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.identity import identity_of
from tests.bench.comparison import Aim, Comparison, Fact, Measured, in_turns
from tests.bench.gateway_actions import BenchGateway
from tests.flink_cluster import FLINK_2, FlinkCluster
from tests.gateway_process import CLUSTER, run_job
from tests.unit.gateway.store.entries import add_job, finish
from tests.unit.model.made_up_jobs import record, spec

_RECORDS = (10, 1_000, 10_000)
_CALLS = 50
_REQUESTS = 400
_CLIENTS = 8
_HOW = """
A gateway as a process of its own (SQLite, plain HTTP on the loopback interface) with that many
stopped jobs on record. Its list: a page of 100 jobs over one kept-alive connection, the median of
{calls} calls; baseline: /healthz, the cheapest answer that it has. Acceptance: {requests}
LIST_SAVEPOINT requests, each on a job of its own, by {clients} clients at once, until all are
answered 202, which means that they are on record; baseline: as many calls of /healthz. CPU is that
of the gateway's process for one of these requests, until all of the actions have ended: it also
carries them out.
"""


def measure(directory: Path, rounds: int) -> Measured:
    """Measure with 10, 1,000 and 10,000 records."""
    comparisons: list[Comparison] = []
    facts: list[Fact] = []
    with closing(FlinkCluster(directory, FLINK_2)) as cluster:
        for records in _RECORDS:
            place = directory / f"records-{records}"
            with closing(BenchGateway(place, cluster.url)) as gateway:
                gateway.refill(lambda database: fill_records(database, records))  # noqa: B023 - called here
                comparisons.append(_lists(gateway, rounds, records))
                if records == _RECORDS[1]:
                    accepted, cpu = _acceptance(gateway, rounds)
                    comparisons += [accepted, cpu]
                    rate = _REQUESTS / median(accepted.ours)
                    facts.append(Fact("runJob requests accepted", f"{rate:.0f} in a second"))
                    rate = 1000 / median(cpu.ours)
                    fact = Fact("the same by CPU alone, carried out too", f"{rate:.0f} in a second")
                    facts.append(fact)
                facts.append(Fact(f"memory with {records:,} jobs", f"{gateway.memory():.0f} MiB"))
    how = _HOW.format(calls=_CALLS, requests=_REQUESTS, clients=_CLIENTS)
    return Measured("A gateway with many jobs on record", how, comparisons, facts)


def fill_records(
    database: Path,
    records: int,
    clusters: Sequence[str] = (CLUSTER,),
    job_id_of: Callable[[int], str] | None = None,
) -> None:
    """Put one stopped job on record by the store, and copy its rows, for each cluster in turn.

    Args:
        database: The records.
        records: How many jobs.
        clusters: Their clusters.
        job_id_of: Returns the jobId of a job by its number: jobs of all clusters but the first then
            run.
    """
    keys = [cluster.lower() for cluster in clusters]
    with closing(Store(f"sqlite:///{database}")) as store:
        store.migrate()
        stopped = record(spec(job_name="job-0"), status=JobStatus.STOPPED)
        first = add_job(store, "job-0", cluster=keys[0])
        given = {"jarName": "orders.jar", "jobName": "job-0", "entryClass": "shop.Main"}
        finish(store, first, job_state=JobState(stored_record(stopped), "STOPPED", given))
    with closing(sqlite3.connect(database)) as connection, connection:
        job = _row(connection, "jobs")
        action = _row(connection, "actions")
        for number in range(1, records):
            name, action_id = f"job-{number}", f"action-of-{number}"
            texts = {key: str(job[key]).replace("job-0", name) for key in ("record", "as_given")}
            names = {"job_name": name, "run_id": f"run-{number}", "last_action": action_id}
            names["cluster"] = keys[number % len(keys)]
            if job_id_of and number % len(keys):
                job_id = job_id_of(number)
                runs = {**json.loads(texts["record"]), "job_id": job_id, "status": "RUNNING"}
                texts["record"] = json.dumps({**runs, "generation": 1})
                names |= {"job_id": job_id, "identity": identity_of(job_id), "status": "RUNNING"}
            key = job["number"] + number
            _insert(connection, "jobs", {**job, **texts, **names, "number": key})
            own = {"number": action["number"] + number, "id": action_id, "job_number": key}
            _insert(connection, "actions", {**action, **own})


def _row(connection: sqlite3.Connection, table: str) -> dict[str, Any]:
    cursor = connection.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in cursor.description]
    return dict(zip(names, cursor.fetchone(), strict=True))


def _insert(connection: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    names, places = ", ".join(row), ", ".join("?" * len(row))
    statement = f"INSERT INTO {table} ({names}) VALUES ({places})"
    connection.execute(statement, list(row.values()))


def _lists(gateway: BenchGateway, rounds: int, records: int) -> Comparison:
    def listed() -> float:
        return median(_timed(lambda: _page(gateway.client, records)) for _ in range(_CALLS))

    def healthy() -> float:
        return median(_timed(lambda: _healthy(gateway.client)) for _ in range(_CALLS))

    ours, baseline = in_turns(rounds, listed, healthy)
    what = f"a page of the list, {records:,} jobs"
    return Comparison(what, ours, baseline, aim=Aim("within 50 ms", ours=0.05))


def _page(client: httpx.Client, records: int) -> None:
    answer = client.get(f"{CLUSTER}/jobs", params={"api-version": "2023-11-01-preview"})
    assert len(answer.json()["value"]) == min(records, 100), answer.text[:500]


def _healthy(client: httpx.Client) -> None:
    assert client.get("/healthz").status_code == 200


def _acceptance(gateway: BenchGateway, rounds: int) -> tuple[Comparison, Comparison]:
    """Measure how long acceptance takes, and the CPU that the gateway takes for it."""
    cpu: dict[str, list[float]] = {"accepted": [], "healthy": []}
    with ExitStack() as opened, ThreadPoolExecutor(_CLIENTS) as threads:
        clients = [
            opened.enter_context(gateway.process.client(gateway.token)) for _ in range(_CLIENTS)
        ]

        def all_of(what: str, call: Callable[[httpx.Client, int], None]) -> float:
            before = gateway.cpu_time()
            taken = _timed(lambda: list(threads.map(call, cycle(clients), range(_REQUESTS))))
            gateway.await_idle()
            cpu[what].append((gateway.cpu_time() - before) * 1000 / _REQUESTS)
            return taken

        def accepted() -> float:
            return all_of("accepted", _accepted)

        def healthy() -> float:
            return all_of("healthy", lambda client, _number: _healthy(client))

        ours, baseline = in_turns(rounds, accepted, healthy)
    # Without the turns before the first that counts.
    cpu_ours, cpu_baseline = cpu["accepted"][-rounds:], cpu["healthy"][-rounds:]
    aim = Aim("within 5 ms, 200 in a second on one core", ours=5)
    return (
        Comparison(f"{_REQUESTS} runJob requests accepted", ours, baseline),
        Comparison("CPU for a runJob request", cpu_ours, cpu_baseline, "ms", aim),
    )


def _accepted(client: httpx.Client, number: int) -> None:
    answer = run_job(client, f"job-{number}", "LIST_SAVEPOINT")
    assert answer.status_code == 202, answer.text


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
