"""The history: one request for a cluster and minute, shared by gateways, and nothing made up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.gateway.configuration import GatewayConfiguration
from flink_jobs_provider.gateway.job_history import (
    NOT_LISTED,
    UNREACHABLE,
    JobPoint,
    Span,
    StateSample,
)
from flink_jobs_provider.gateway.jobs import Intervals, job_views
from flink_jobs_provider.gateway.jobs.background import Threads
from flink_jobs_provider.gateway.jobs.gateway_process import GatewayProcess, JarCache, JarOpener
from flink_jobs_provider.gateway.jobs.sampling import Sampling, samples
from flink_jobs_provider.gateway.monitors import Monitors
from flink_jobs_provider.gateway.store import Store, sample_records
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.observing.listed_jobs import JobList
from flink_jobs_provider.reconciling.waiter import Clock
from tests.contract.flink.scripted import Answer, ScriptedFlink, ok
from tests.unit.gateway.jobs.gateway import CLUSTER, Gateway, configuration
from tests.unit.gateway.store.entries import let_a_minute_pass, running_job

NOW = 1_800_000_000_000
_LIST = "GET jobs/overview"


def _listed(job_id: str, state: str = "RUNNING", **changes: Any) -> dict[str, Any]:
    return {
        "jid": job_id,
        "name": "x",
        "state": state,
        "start-time": NOW - 60_000,
        "end-time": -1,
        "duration": 60_000,
        "last-modification": NOW - 50_000,
        "tasks": {"total": 2, "running": 2},
        **changes,
    }


class Recorded:
    """Gateways that record the history of one cluster in one database."""

    def __init__(self, directory: Path) -> None:
        self.flink = ScriptedFlink()
        self.store = Store(f"sqlite:///{directory / 'gateway.db'}")
        self.store.migrate()
        self._configuration = configuration(directory)
        self._threads = Threads(2, "records")

    def of(self, _target: FlinkTarget) -> FlinkRest:
        """Return the cluster."""
        return self.flink.plane()

    def gateway(self) -> tuple[Sampling, Monitors]:
        """Return what records in one more gateway, and what people look through there."""
        intervals = Intervals()
        process = GatewayProcess(
            self._configuration,
            self.store,
            self._threads,
            self,
            JarOpener(JarCache(Path(self._configuration.data_directory)), intervals),
            intervals,
            Clock(),
            self._threads,
        )
        monitors = Monitors(self._configuration.clusters, self, patience=60)
        return Sampling(process, monitors), monitors

    def states(self, number: int) -> list[tuple[int, str]]:
        """Return how long a job was how, in minutes."""
        periods, _ = self.store.history(number, 0, 2**40)
        return [(each.ends - each.begins + 1, each.sample.state) for each in periods]


@asynccontextmanager
async def _recorded(directory: Path) -> AsyncIterator[Recorded]:
    recorded = Recorded(directory)
    try:
        yield recorded
    finally:
        await recorded._threads.close(10)
        recorded.store.close()


def test_gateways_share_the_minutes_of_a_cluster(tmp_path: Path) -> None:
    """Shows one request for a minute, whoever looks how often, and however many gateways."""

    async def life() -> None:
        async with _recorded(tmp_path) as recorded:
            job = running_job(recorded.store, cluster=CLUSTER)
            recorded.flink.answer(_LIST, ok(jobs=[_listed(str(job.job_id))]))
            (one, _), (two, _) = recorded.gateway(), recorded.gateway()
            await asyncio.gather(*(each.sample() for each in (one, two, one, two)))
            assert recorded.flink.count(_LIST) == len(recorded.flink.sent) == 1
            let_a_minute_pass(recorded.store)
            await two.sample()
            assert len(recorded.flink.sent) == 2
            assert recorded.states(job.number) == [(2, "RUNNING")]

    asyncio.run(life())


def test_a_cluster_that_goes_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows it away, back without the job, and with a later submission, under the same job."""
    monkeypatch.setattr(sample_records, "_LATE", 0)

    async def life() -> None:
        async with _recorded(tmp_path) as recorded:
            job = running_job(recorded.store, cluster=CLUSTER)
            later = f"{str(job.job_id)[:18]}{9:06x}{1:08x}"
            answers: list[Answer] = [
                ok(jobs=[_listed(str(job.job_id))]),
                httpx.ConnectError("refused"),
                ok(jobs=[]),
                ok(jobs=[_listed(later)]),
            ]
            sampling, _ = recorded.gateway()
            for each in answers:
                recorded.flink.answer(_LIST, each)
                await sampling.sample()
                let_a_minute_pass(recorded.store)
            assert recorded.states(job.number) == [
                *((1, "RUNNING"), (1, UNREACHABLE), (1, NOT_LISTED), (1, "RUNNING"))
            ]
            periods, _ = recorded.store.history(job.number, 0, 2**40)
            assert [each.sample.job_id for each in periods] == [*(job.job_id,) * 3, later]

    asyncio.run(life())


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError("refused"), httpx.Response(401)], ids=["no route", "no access"]
)
def test_a_gateway_that_alone_cannot_observe_a_cluster_leaves_the_minute_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Answer
) -> None:
    monkeypatch.setattr(sample_records, "_LATE", 3600)

    async def life() -> None:
        async with _recorded(tmp_path) as recorded:
            job = running_job(recorded.store, cluster=CLUSTER)
            (one, _), (two, _) = recorded.gateway(), recorded.gateway()
            recorded.flink.answer(_LIST, failure)
            await one.sample()
            assert recorded.states(job.number) == []
            recorded.flink.answer(_LIST, ok(jobs=[_listed(str(job.job_id))]))
            await two.sample()
            await one.sample()
            assert recorded.states(job.number) == [(1, "RUNNING")]

    asyncio.run(life())


def test_a_cluster_that_refuses_to_be_read_is_not_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows that its minute has no sample, and is tried no more."""
    monkeypatch.setattr(sample_records, "_LATE", 0)

    async def life() -> None:
        async with _recorded(tmp_path) as recorded:
            job = running_job(recorded.store, cluster=CLUSTER)
            recorded.flink.answer(_LIST, httpx.Response(401))
            (sampling, _) = recorded.gateway()
            await sampling.sample()
            sent = len(recorded.flink.sent)
            await sampling.sample()
            assert recorded.states(job.number) == []
            assert len(recorded.flink.sent) == sent

    asyncio.run(life())


def test_what_is_looked_at_is_recorded_in_detail_for_one_list(tmp_path: Path) -> None:
    async def life() -> None:
        async with _recorded(tmp_path) as recorded:
            job = running_job(recorded.store, cluster=CLUSTER)
            job_id = str(job.job_id)
            recorded.flink.answer(_LIST, ok(jobs=[_listed(job_id)]))
            recorded.flink.answer(f"GET jobs/{job_id}", ok(now=NOW, vertices=[], timestamps={}))
            counts = {"completed": 4, "failed": 1, "in_progress": 0, "restored": 0}
            recorded.flink.answer(f"GET jobs/{job_id}/checkpoints", ok(counts=counts))
            settings = ok(mode="exactly_once", interval=1000, timeout=1000)
            recorded.flink.answer(f"GET jobs/{job_id}/checkpoints/config", settings)
            sampling, monitors = recorded.gateway()
            await monitors.observe(CLUSTER, lambda each: each.job(job_id))
            sent = len(recorded.flink.sent)
            await sampling.sample()
            await sampling.sample()
            assert len(recorded.flink.sent) == sent + 1  # the list of this minute
            _, loads = recorded.store.history(job.number, 0, 2**40)
            (load,) = loads.values()
            assert (load.checkpoints_completed, load.checkpoints_failed) == (4, 1)

    asyncio.run(life())


def _job(state: str, **changes: Any) -> ObservedJob:
    return replace(ObservedJob("a" * 32, "x", state, tasks=1, running_tasks=1), **changes)


@pytest.mark.parametrize(
    ("listed", "status", "states"),
    [
        ([_job("RUNNING")], "RUNNING", ["RUNNING"]),
        ([_job("RUNNING")], "STOPPED", ["RUNNING"]),  # it is started at this moment
        ([_job("FAILED", ended=NOW - 1000)], "RUNNING", ["FAILED"]),
        ([_job("FAILED", ended=NOW - 121_000)], "FAILED", []),
        ([], "RUNNING", [NOT_LISTED]),
        ([], "LOST", [NOT_LISTED]),
        ([], "STOPPED", []),
        ([], "DRAFT", []),
    ],
)
def test_which_jobs_a_minute_has(
    listed: Sequence[ObservedJob], status: str, states: list[str]
) -> None:
    """Shows that an end is recorded, and that what ended long ago takes no more rows."""
    seen = JobList(NOW, ClusterSnapshot(tuple(listed)))
    found: list[StateSample] = list(samples([(1, "a" * 32, status)], seen))
    assert [each.state for each in found] == states


def test_an_older_submission_is_not_taken_for_the_job() -> None:
    old = _job("CANCELED", job_id="a" * 18 + "000001" + "0" * 8, ended=NOW)
    new = _job("RUNNING", job_id="a" * 18 + "000002" + "0" * 8)
    for order in ((old, new), (new, old)):
        seen = JobList(NOW, ClusterSnapshot(order))
        (found,) = samples([(1, old.job_id, "RUNNING")], seen)
        assert (found.job_id, found.state) == (new.job_id, "RUNNING")


@pytest.mark.parametrize("history", [True, False])
def test_the_history_is_recorded_unless_it_is_off(tmp_path: Path, history: bool) -> None:
    async def life() -> None:
        gateway = Gateway(tmp_path, monitoring={"history": history})
        async with gateway.running():
            assert any(task.get_name() == "history" for task in gateway.jobs._loops) is history
            assert await gateway.jobs.series(CLUSTER, 1, Span(0, 2**40)) == []

    asyncio.run(life())


def test_points_of_a_history_are_made_off_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows that a long history holds up nobody else's request."""
    made_in: list[threading.Thread] = []

    def points(*_: object) -> list[JobPoint]:
        made_in.append(threading.current_thread())
        return []

    monkeypatch.setattr(job_views, "points", points)

    async def life() -> None:
        gateway = Gateway(tmp_path)
        async with gateway.running():
            assert await gateway.jobs.series(CLUSTER, 1, Span(0, 10)) == []

    asyncio.run(life())
    (thread,) = made_in
    assert thread is not threading.current_thread()


def test_what_is_older_than_configured_is_cleared_away_at_the_start(tmp_path: Path) -> None:
    async def life() -> None:
        gateway = Gateway(tmp_path, monitoring={"history": False, "history_retention": "2h"})
        async with gateway.running():
            job = running_job(gateway.store, cluster=CLUSTER)
            minute = gateway.store.minute()
            row = ":j, :m, :m, 'a', 'RUNNING', 1, 1, 0"
            columns = (
                "job_number, begins, ends, job_id, state, tasks, running_tasks, finished_tasks"
            )
            with gateway.store._database.writing() as connection:
                connection.execute(
                    text(f"INSERT INTO job_states ({columns}) VALUES ({row})"),
                    [{"j": job.number, "m": minute - ago} for ago in (130, 100)],
                )
        async with gateway.running():
            while len(gateway.store.history(job.number, 0, minute)[0]) > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(life(), 60))


def test_a_history_is_kept_for_a_month_at_most(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='must be at most "31d"'):
        configuration(tmp_path, monitoring={"history_retention": "32d"})
    assert isinstance(configuration(tmp_path, monitoring={}), GatewayConfiguration)
