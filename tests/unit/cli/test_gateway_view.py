"""Jobs of a gateway as the commands show them: over its API, on a service in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx
import pytest

from flink_jobs_provider.cli.gateway_client import GatewayAddress, GatewayClient
from flink_jobs_provider.cli.gateway_view import GatewayJobs, GatewayView
from flink_jobs_provider.cli.health_rows import attention_lines, health_lines
from flink_jobs_provider.cli.job_changes import Change, Watch
from flink_jobs_provider.model.errors import (
    ClusterRefused,
    ClusterUnreachable,
    JobError,
    PermanentError,
)
from tests.contract.flink.scripted import ok
from tests.contract.flink.test_metrics import named, some
from tests.contract.gateway.apis.monitoring.test_api import JOB_ID, OWN, Monitored
from tests.contract.gateway.calling import NEW
from tests.contract.gateway.memory_service import CLUSTER, OTHER

T = TypeVar("T")


def through(
    transport: httpx.AsyncBaseTransport,
    work: Callable[[GatewayView], Awaitable[T]],
    cluster: str | None = None,
    token: str = "operator",
) -> T:
    """Do what a command does through a gateway."""

    async def session() -> T:
        address = GatewayAddress(url="http://gateway", bearer_token="env:TOKEN")
        client = GatewayClient.open(address, {"env:TOKEN": token}.__getitem__, transport)
        client._sleep = lambda _seconds: asyncio.sleep(0)
        try:
            return await work(GatewayView(client, cluster))
        finally:
            await client.close()

    return asyncio.run(session())


def at(monitored: Monitored) -> httpx.ASGITransport:
    return httpx.ASGITransport(monitored.gateway.app())


def test_rows_as_of_a_cluster() -> None:
    """Shows restarts and checkpoints, which no list has by itself."""
    monitored = Monitored()
    restarts = {"id": "numRestarts", "min": 2, "max": 2, "sum": 2, "avg": 2}
    monitored.planes.flink.answer("GET jobs/metrics", named("numRestarts"))
    monitored.planes.flink.answer(
        f"GET jobs/metrics?get=numRestarts&agg=min,max,sum,avg&jobs={JOB_ID}", some(restarts)
    )
    (row,) = through(at(monitored), lambda view: view.rows(ended=False))
    assert (row.title, row.status, row.job_id, row.owner) == (
        *("job1", "RUNNING", JOB_ID, "operator"),
    )
    assert (row.parallelism, row.restarts, row.last_checkpoint_age) == (4, 2, 10)


class Counting(httpx.AsyncBaseTransport):
    """Counts the requests to a gateway.

    Attributes:
        paths: Their paths.
    """

    def __init__(self, monitored: Monitored) -> None:
        self.paths: list[str] = []
        self._served = at(monitored)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Count a request, and have it answered."""
        self.paths.append(request.url.path)
        return await self._served.handle_async_request(request)


@pytest.mark.parametrize(
    ("command", "pages"),
    [
        (lambda view: view.rows(ended=False), 5),
        (lambda view: view.rows(ended=True), 5),
        (lambda view: view.load(()), 5),
    ],
    ids=["list", "list --all", "top"],
)
def test_a_thousand_jobs_are_a_request_a_page(
    command: Callable[[GatewayView], Awaitable[list[Any]]], pages: int
) -> None:
    monitored = Monitored()
    monitored.add_jobs(999)
    gateway = Counting(monitored)
    assert len(through(gateway, command)) == 1000
    assert gateway.paths == ["/api/v1/jobs"] * pages


@pytest.mark.parametrize(
    ("command", "more"),
    [
        (lambda view: view.described("job500", 0), ["/500", "/500/exceptions"]),
        (lambda view: view.checkpoints("job500"), ["/500/checkpoints"]),
        (lambda view: view.exceptions("job500", 9), ["/500/exceptions"]),
        (lambda view: view.metric_names("job500"), ["/500/metrics"]),
    ],
    ids=["describe", "checkpoints", "exceptions", "metrics"],
)
def test_one_job_of_a_thousand_is_found_by_one_request(
    command: Callable[[GatewayView], Awaitable[Any]], more: list[str]
) -> None:
    monitored = Monitored()
    monitored.add_jobs(999)
    gateway = Counting(monitored)
    through(gateway, command)
    assert gateway.paths == [f"/api/v1/jobs{each}" for each in ["", *more]]


def test_only_active_jobs_unless_all_are_wanted() -> None:
    monitored = Monitored()
    monitored.gateway.act("STOP")
    assert through(at(monitored), lambda view: view.rows(ended=False)) == []
    (row,) = through(at(monitored), lambda view: view.rows(ended=True))
    assert row.status == "STOPPED"


def test_a_job_with_its_health_and_its_last_action() -> None:
    monitored = Monitored()
    facts, health = through(at(monitored), lambda view: view.described("job1", 0))
    assert facts["tasks"] == "1 of 1 running"
    assert facts["last_checkpoint"]["path"] == "file:/checkpoints/chk-3"
    assert facts["last_failure"] == "IOException: postgres://***@db/x"
    assert facts["last_action"] == "NEW SUCCESS by operator, 2024-05-21T06:57:28Z"
    assert (facts["cluster"], facts["problem"]) == (CLUSTER.key, None)
    assert health_lines(health)["checkpoints"] == "0 completed, 0 failed"
    assert attention_lines(health) == []


def test_a_job_that_never_ran() -> None:
    """Shows no age, and why its launch failed, with what to do."""
    monitored = Monitored()
    monitored.gateway.service.fails_with = "no slots"
    monitored.gateway.run_job({**NEW, "jobName": "job2"})
    (row,) = [
        each
        for each in through(at(monitored), lambda view: view.rows(ended=True))
        if each.job_name == "job2"
    ]
    assert (row.status, row.age, row.started_at) == ("JOB_LAUNCH_FAILED", None, "")
    _, health = through(at(monitored), lambda view: view.described("job2", 0))
    assert attention_lines(health)[0].endswith("its last action, NEW, failed: no slots")


def test_a_trend_that_is_too_long_is_refused_before_it_is_waited_for() -> None:
    async def describe(view: GatewayView) -> object:
        async with asyncio.timeout(5):
            return await view.described("job1", 1000)

    with pytest.raises(JobError, match="trend must be a number of seconds from 1 to 900"):
        through(at(Monitored()), describe)


def test_a_job_whose_cluster_does_not_answer() -> None:
    """Shows what is on record, and why there is no more."""
    monitored = Monitored()
    monitored.planes.flink.answer("GET jobs/overview", httpx.ConnectError("refused"))
    facts, health = through(at(monitored), lambda view: view.described("job1", 0))
    assert "no connection to" in facts["problem"]
    assert (facts["status"], facts["tasks"], health["health"]) == ("RUNNING", None, None)
    (row,) = through(at(monitored), lambda view: view.load(()))
    assert (row.busy, row.needs_attention) == (None, ("not observed",))
    (listed,) = through(at(monitored), lambda view: view.rows(ended=False))
    assert (listed.status, listed.restarts) == ("RUNNING", None)
    assert "no connection to" in (listed.problem or "")
    with pytest.raises(ClusterUnreachable, match="no connection to"):
        through(at(monitored), lambda view: view.checkpoints("job1"))


def test_checkpoints_exceptions_and_metrics() -> None:
    monitored = Monitored()
    flink = monitored.planes.flink
    flink.answer(f"GET {OWN}", named("uptime"))
    flink.answer(f"GET {OWN}?get=uptime", some({"id": "uptime", "value": "60000"}))

    async def read(view: GatewayView) -> list[Any]:
        return [
            [each["id"] for each in await view.checkpoints("job1")],
            [each["task"] for each in await view.exceptions("job1", 1)],
            await view.metrics("job1", ["uptime"]),
            await view.metric_names("job1"),
        ]

    assert through(at(monitored), read) == [
        [3, 2],
        ["count (1/2)"],
        [{"metric": "uptime", "value": "60000"}],
        [{"metric": "uptime"}],
    ]
    with pytest.raises(JobError, match="no metric uptim; names like it: uptime"):
        through(at(monitored), lambda view: view.metrics("job1", ["uptim"]))


@pytest.mark.parametrize("wanted", ["job1", "1", JOB_ID, JOB_ID[:6]])
def test_what_a_job_is_named_by(wanted: str) -> None:
    (row,) = through(at(Monitored()), lambda view: view.load([wanted]))
    assert row.job_id == JOB_ID


def test_a_job_that_there_is_none_of() -> None:
    with pytest.raises(PermanentError, match=r"lists no such job, .*; names like it: job1"):
        through(at(Monitored()), lambda view: view.checkpoints("job2"))


def test_jobs_of_all_pages() -> None:
    monitored = Monitored()
    for number in range(2, 203):
        monitored.gateway.run_job({**NEW, "jobName": f"job{number}"})
    jobs = through(at(monitored), lambda view: view.listed())
    assert len(jobs.documents) == 202


@pytest.mark.parametrize("cluster", [CLUSTER.key, "flink-1", "Flink-1"])
def test_one_cluster(cluster: str) -> None:
    monitored = Monitored()
    jobs = through(at(monitored), lambda view: view.listed(), cluster)
    assert len(jobs.documents) == 1
    assert not through(at(monitored), lambda view: view.listed(), OTHER.key).documents


def test_a_cluster_that_there_is_none_of() -> None:
    with pytest.raises(
        PermanentError, match=r"--cluster must be one of the gateway's, .*'flink-3'"
    ):
        through(at(Monitored()), lambda view: view.listed(), "flink-3")


def test_a_gateway_without_a_portal_has_no_page() -> None:
    with pytest.raises(PermanentError, match="the gateway has no portal"):
        through(at(Monitored()), lambda view: view.page("job1"))


def document(**changes: Any) -> dict[str, Any]:
    return {
        "number": 1,
        "cluster": "/clusters/one",
        "name": "orders",
        "status": "RUNNING",
        "run_id": "job-1",
        "job_id": JOB_ID,
        "started_at": "2027-01-15T08:00:00Z",
        "tasks": 2,
        "running_tasks": 2,
        "observed": True,
        "last_action": {"result": "SUCCESS"},
        "needs_attention": [],
        **changes,
    }


def listing(*documents: dict[str, Any]) -> GatewayJobs:
    return GatewayJobs(documents)


def test_a_silent_cluster_shows_also_where_the_record_has_a_concern() -> None:
    """Shows it by the gateway's list of a job whose last action failed."""
    monitored = Monitored()
    monitored.gateway.service.fails_with = "no slots"
    monitored.gateway.run_job({**NEW, "action": "SAVEPOINT"})
    monitored.planes.flink.answer("GET jobs/overview", httpx.ConnectError("refused"))
    jobs = through(at(monitored), lambda view: view.listed())
    assert jobs.problem == "The gateway cannot observe flink-1."
    (job,) = jobs.shown(None)
    assert job.needs_attention == ("action failed", "not observed")


def test_one_name_on_two_clusters() -> None:
    """Shows that an active one is preferred, and that of two one must be chosen."""
    other = document(number=2, cluster="/clusters/two")
    with pytest.raises(PermanentError, match=r"number 1 on one .*, number 2 on two"):
        listing(document(), other).choose("orders")
    assert listing(document(status="STOPPED"), other).choose("orders")["number"] == 2


def test_a_watch_goes_on_while_an_action_is_in_progress() -> None:
    """Shows an update, between whose versions the job is STOPPED, and then its end."""
    looks = iter(
        [
            listing(document()),
            listing(document(status="STOPPED", last_action={"result": "IN_PROGRESS"})),
            listing(document(job_id="f" * 32)),
            listing(document(job_id="f" * 32, observed=False, needs_attention=None, tasks=None)),
            listing(document(job_id="f" * 32, status="FAILED")),
        ]
    )
    changes: list[Change] = []
    warnings: list[str] = []

    async def look() -> GatewayJobs:
        return next(looks)

    async def pause() -> None:
        pass

    watch = Watch(look, changes.append, warnings.append, pause)
    assert asyncio.run(watch.run("orders")) == "FAILED"
    assert [(each.before, each.status, each.job_id[:1]) for each in changes] == [
        (None, "RUNNING", JOB_ID[:1]),
        ("RUNNING", "STOPPED", JOB_ID[:1]),
        ("STOPPED", "RUNNING", "f"),
        ("RUNNING", "FAILED", "f"),
    ]
    assert warnings == [
        "The gateway cannot observe one. Watching goes on.",
        "The cluster answers again.",
    ]


def test_a_job_that_is_deleted_after_it_was_listed_is_left_out() -> None:
    """Shows that the command goes on with the others; one that is about this job alone fails."""
    monitored = Monitored()
    monitored.gateway.run_job({**NEW, "jobName": "job2"})
    served = at(monitored)

    class Deleting(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path == "/api/v1/jobs/2":
                error = {"code": "JobNotFound", "message": "There is no job '2'."}
                return httpx.Response(404, json={"error": error})
            return await served.handle_async_request(request)

    (row,) = through(Deleting(), lambda view: view.load(["job1", "job2"]))
    assert row.job_name == "job1"
    with pytest.raises(JobError, match="There is no job '2'"):
        through(Deleting(), lambda view: view.described("job2", 0))


def test_a_job_that_was_deleted_while_it_was_watched() -> None:
    with pytest.raises(PermanentError, match="the gateway no longer lists it"):
        raise listing().vanished("orders")


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (httpx.Response(401, json={"error": {"code": "X", "message": "Not accepted."}}),
         ClusterRefused, "answered 401 Not accepted. Give a token of this gateway"),
        (httpx.Response(404, json={"error": "not found"}),
         ClusterRefused, "http://gateway has no monitoring API: it answered 404"),
        (httpx.Response(200, text="<html>maintenance</html>"),
         ClusterUnreachable, "answers 200, and not as a gateway does"),
        (httpx.Response(503, text="away"), ClusterUnreachable, "answered 503"),
    ],
)  # fmt: skip
def test_what_answers_otherwise(answer: httpx.Response, kind: type[JobError], text: str) -> None:
    transport = httpx.MockTransport(
        lambda _: httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)
    )
    with pytest.raises(kind) as caught:
        through(transport, lambda view: view.listed())
    assert text in str(caught.value)


def test_a_gateway_that_limits_requests_is_asked_again() -> None:
    """Shows that it is asked when it says so; also after a connection that failed."""
    answers: list[httpx.Response | Exception] = [
        httpx.Response(429, headers={"Retry-After": "3"}),
        httpx.ConnectError("refused"),
        ok(value=[], total=0, next=None),
    ]

    def answer(_request: httpx.Request) -> httpx.Response:
        given = answers.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    jobs = through(httpx.MockTransport(answer), lambda view: view.listed())
    assert jobs.documents == ()
    assert answers == []


def test_a_token_that_is_not_there() -> None:
    address = GatewayAddress(url="http://gateway")
    with pytest.raises(ClusterRefused, match="FLINK_JOBS_GATEWAY_TOKEN"):
        GatewayClient.open(address, dict[str, str]().__getitem__)
