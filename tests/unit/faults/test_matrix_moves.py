"""Moves in the fault matrix: the two clusters of a job, what is checked on both, the next runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from flink_jobs_provider.model.errors import ActionFailed, PermanentError, StateUnavailable
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.reconciling.flink.failed_version import WRITTEN_AGAIN
from tests.fault_proxy import Exchange, FaultProxy, Moment, Rule, Verdict
from tests.faults.matrix.actions import MOVE, UPDATE, MatrixAction
from tests.faults.matrix.campaign import disturbed_cases, every_case
from tests.faults.matrix.cases import LOSES_JOBS, Case, Outcome, Recovery, recorded_requests, tried
from tests.faults.matrix.disturbances import DISTURBANCES
from tests.faults.matrix.kinds import KINDS, RequestOfRun
from tests.faults.matrix.matrix_job import MatrixJob
from tests.faults.matrix.provider_runs import ProviderRun
from tests.faults.matrix.sites import Site, Sites
from tests.faults.matrix.violations import Doubled, Violated
from tests.flink_cluster import FlinkCluster

DONE = {"status": {"id": "COMPLETED"}}
RUN, STOP = "POST /jars/…/run", "POST /jobs/…/stop"
[RESET] = [each for each in KINDS if each.name == "reset, carried out"]


@dataclass
class Cluster:
    """What a job asks its cluster, in memory."""

    url: str
    savepoints: Path
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    def jobs(self) -> dict[str, dict[str, Any]]:
        """Return the rows by jobId."""
        return self.rows

    def parallelism(self, job_id: str) -> set[int]:
        """Return the parallelisms of a job's vertices."""
        return {1} if job_id in self.rows else set()


@dataclass
class Proxy:
    """A proxy that records its rule and the requests that it passes on."""

    url: str
    exchanges: list[Exchange] = field(default_factory=list)

    def begin(self, rule: Rule) -> None:
        """Set the rule, and forget what was recorded."""
        self.exchanges, self.rule = [], rule

    def send(self, method: str, path: str, run: str) -> Verdict:
        """Pass a request on; return whether the rule lets its answer through."""
        exchange = Exchange(method, path, int(method != "GET"), 0, run=run)
        self.exchanges.append(exchange)
        before = self.rule(exchange, Moment.BEFORE)
        verdict = self.rule(exchange, Moment.AFTER) if before is Verdict.PASS else before
        assert isinstance(verdict, Verdict)
        return verdict


def site(name: str, directory: Path) -> Site:
    cluster = Cluster(f"http://{name}", directory / name)
    return Site(cast(FlinkCluster, cluster), cast(FaultProxy, Proxy(f"http://proxy-{name}")))


@pytest.fixture
def job(tmp_path: Path) -> MatrixJob:
    """Return a job on the first of two clusters."""
    return MatrixJob("orders", Sites(site("one", tmp_path), site("two", tmp_path)), tmp_path)


def running(job: MatrixJob, place: Site, generation: int = 1) -> str:
    """Start a submission of a job on one of its clusters, with output; return its jobId."""
    job_id = f"{job.wanted.key.prefix}{generation:06x}00000000"
    place.cluster.jobs()[job_id] = {"state": "RUNNING"}
    job.output.mkdir(exist_ok=True)
    return job_id


def recorded(job: MatrixJob, job_id: str) -> None:
    job.record = JobRecord(spec=job.wanted, status="RUNNING", job_id=job_id, generation=1)


def counts_on(job: MatrixJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the job commit another number whenever its output is read."""
    counts, total = job.counts, 0

    def counted() -> Any:
        nonlocal total
        total += 1
        (job.output / f"part-{total}").write_text(f"0,{total},{job.label}\n", encoding="utf-8")
        return counts()

    monkeypatch.setattr(job, "counts", counted)


def test_a_move_declares_the_other_cluster_and_the_next_one_that_of_before(job: MatrixJob) -> None:
    one, two = job.sites
    assert (job.inputs["move"], job.inputs["savepoint_directory"]) == (True, str(job.savepoints))
    for declared in (two, one):
        MOVE.declare(job)
        assert job.cluster is declared.cluster
        assert job.wanted.target.url == declared.proxy.url  # type: ignore[union-attr]
    assert set(job.run().urls) == {one.proxy.url, two.proxy.url}


def test_a_job_must_run_once_over_both_clusters_and_on_the_declared_one(
    job: MatrixJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows that the former cluster, which is no longer declared, is checked as well."""
    here, there = job.sites
    first = running(job, here)
    recorded(job, first)
    counts_on(job, monkeypatch)
    asyncio.run(job.assert_runs())
    second = running(job, there, 2)
    with pytest.raises(Doubled, match="2 jobs run"):
        asyncio.run(job.assert_runs())
    there.cluster.jobs()[second]["state"] = "FINISHED"
    asyncio.run(job.assert_runs())
    job.move()
    with pytest.raises(Violated, match="but not on http://two"):
        asyncio.run(job.assert_runs())
    running(job, there)
    with pytest.raises(Doubled, match="2 jobs run"):
        asyncio.run(job.assert_runs())


def test_the_next_runs_of_a_move_take_turns() -> None:
    """Shows that a move is taken back, except after its mark is lost, and no version is added."""
    requests = [RequestOfRun(STOP, former=True), RequestOfRun(RUN)]

    def recoveries(action: MatrixAction) -> set[Recovery]:
        return {case.recovery for case in every_case({action: requests})}

    assert recoveries(MOVE) == {Recovery.SAME, Recovery.REFRESHED, Recovery.TAKEN_BACK}
    assert recoveries(UPDATE) == {Recovery.SAME, Recovery.REFRESHED, Recovery.ANOTHER}
    assert {case.request for case in every_case({MOVE: requests})} == set(requests)
    restarted = [each for each in DISTURBANCES if each.kind.name.startswith(LOSES_JOBS)]
    after_loss = {case.recovery for case in disturbed_cases({MOVE: requests * 9}, restarted)}
    assert after_loss == {Recovery.SAME, Recovery.REFRESHED}


Script = Callable[[ProviderRun], JobRecord]


@pytest.fixture
def play(job: MatrixJob, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Script]], None]:
    """Return a function that sets what the runs of the job do, one after the other."""

    def begin(scripts: list[Script]) -> None:
        left = iter(scripts)

        async def up(run: ProviderRun, *_: object, **__: object) -> JobRecord:
            return next(left)(run)

        monkeypatch.setattr(ProviderRun, "up", up)

    recorded(job, running(job, job.sites.declared))
    counts_on(job, monkeypatch)
    return begin


def moved(job: MatrixJob, number: int = 2) -> JobRecord:
    """Have a job run on the declared cluster alone; return its record."""
    for place in job.sites:
        place.cluster.jobs().clear()
    recorded(job, running(job, job.sites.declared, number))
    assert job.record is not None
    return job.record


def sends(job: MatrixJob, run: ProviderRun) -> list[Verdict]:
    """Send the stop to the former cluster and the start to the declared one, as a move does."""
    assert job.sites.former is not None
    former, declared = (cast(Proxy, s.proxy) for s in (job.sites.former, job.sites.declared))
    stop = former.send("POST", f"/jobs/{'a' * 32}/stop", run.name)
    return [stop, declared.send("POST", f"/jars/{'b' * 32}/run", run.name)]


def test_the_requests_to_both_clusters_are_recorded(
    job: MatrixJob, play: Callable[[list[Script]], None]
) -> None:
    def move(run: ProviderRun) -> JobRecord:
        assert sends(job, run) == [Verdict.PASS, Verdict.PASS]
        return moved(job)

    play([move])
    found = asyncio.run(recorded_requests(MOVE, job))
    assert found == [RequestOfRun(RUN), RequestOfRun(STOP, former=True)]


REFUSALS = {
    "marked": StateUnavailable(
        "an earlier run was moving it",
        remedy="Declare the target where it runs, and run again to finish the move; or …",
    ),
    "unconfirmed": PermanentError(
        "job 1 was submitted and may yet start where the job is. The job is untouched. Undo the "
        "change of target, and run again; move it then."
    ),
}


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("former", [True, False])
def test_a_move_that_is_taken_back_is_finished_where_the_old_cluster_asks_for_that(
    job: MatrixJob, play: Callable[[list[Script]], None], former: bool, refusal: str
) -> None:
    one, two = job.sites
    declared: list[Site] = []

    def struck(run: ProviderRun) -> JobRecord:
        answers = [Verdict.RESET, Verdict.PASS]
        assert sends(job, run) == (answers if former else answers[::-1])
        raise ActionFailed("its connection was reset")

    def refused(_run: ProviderRun) -> JobRecord:
        declared.append(job.sites.declared)
        raise REFUSALS[refusal]

    def finished(_run: ProviderRun) -> JobRecord:
        declared.append(job.sites.declared)
        return moved(job)

    play([struck, refused, finished])
    request = RequestOfRun(STOP if former else RUN, former=former)
    case = Case(MOVE, RESET, request, Recovery.TAKEN_BACK)
    done = asyncio.run(tried(case, job))
    assert (done.outcome, done.runs) == (Outcome.SURVIVED, 2), done
    assert declared == [one, two]


@pytest.mark.parametrize(
    ("note", "outcome"), [("", Outcome.DOUBLED), (WRITTEN_AGAIN, Outcome.WENT_BACK)]
)
def test_numbers_are_repeated_only_where_the_run_has_reported_it(
    job: MatrixJob, play: Callable[[list[Script]], None], note: str, outcome: Outcome
) -> None:
    def struck(run: ProviderRun) -> JobRecord:
        sends(job, run)
        raise ActionFailed("it did not start", now=f"It runs again, from savepoint-1{note}")

    def again(_run: ProviderRun) -> JobRecord:
        (job.output / "part-again").write_text(f"0,1,{job.label}\n", encoding="utf-8")
        return moved(job)

    play([struck, again])
    done = asyncio.run(tried(Case(MOVE, RESET, RequestOfRun(RUN)), job))
    assert done.outcome is outcome, done


def test_a_fault_befalls_the_cluster_whose_request_is_struck(
    job: MatrixJob, play: Callable[[list[Script]], None]
) -> None:
    """Shows that the fault begins and ends on that cluster, and not on the other one."""
    befallen: list[object] = []

    def struck(run: ProviderRun) -> JobRecord:
        sends(job, run)
        return moved(job)

    one = job.cluster
    play([struck, lambda _run: moved(job)])
    case = Case(
        MOVE,
        RESET,
        RequestOfRun(STOP, former=True),
        begin=lambda _job, cluster: befallen.append(cluster),
        repair=lambda _job, cluster: befallen.append(cluster),
    )
    assert asyncio.run(tried(case, job)).outcome is Outcome.SURVIVED
    assert befallen == [one, one]


def test_results_of_both_clusters_are_waited_for_until_they_are_forgotten(job: MatrixJob) -> None:
    """Shows it of a poll on each, by the fault that lets results and history expire."""
    [expired] = [each for each in DISTURBANCES if "expired" in each.kind.name]
    asked: list[str] = []

    def gone(url: str) -> httpx.MockTransport:
        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(f"{url}{request.url.path}")
            return httpx.Response(404 if len(asked) > 2 else 200, json=DONE)

        return httpx.MockTransport(answer)

    job.sites.let_pass()
    path = f"/jobs/{'a' * 32}/savepoints/{'b' * 32}"
    for place in job.sites:
        cast(Proxy, place.proxy).send("GET", path, "run")
        place.cluster.rest = httpx.Client(base_url="http://x", transport=gone(place.cluster.url))
    expired.repair(job, job.cluster)
    assert {f"http://{name}{path}" for name in ("one", "two")} == set(asked)
    assert len(asked) == 4
