"""The monitoring API: clusters, jobs page by page, one job with its health, exceptions."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response

from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.gateway.apis.monitoring import (
    MONITORING_PATHS,
    MonitoringFace,
    listed_health,
)
from flink_jobs_provider.gateway.job_history import JobPoint, Load
from flink_jobs_provider.gateway.job_service import DisposedSavepoint
from flink_jobs_provider.gateway.jobs.background import Intervals
from flink_jobs_provider.gateway.monitors import Monitors
from flink_jobs_provider.gateway.portal.addresses import Addresses, job_path
from flink_jobs_provider.model.savepoint import Savepoint
from flink_jobs_provider.model.target import FlinkTarget
from tests.contract.flink.scripted import ScriptedFlink, ok
from tests.contract.flink.test_metrics import named, some
from tests.contract.gateway.calling import NEW, PRINCIPALS, ByName, Gateway, error_of
from tests.contract.gateway.fuzzing import fuzz
from tests.contract.gateway.memory_service import CLUSTER, OTHER
from tests.savepoint_metadata import metadata
from tests.waiting import wait_until

NOW = 1_800_000_000_000
JOB_ID = f"20e9e907eb360b1c69510507{1:08x}"
SECRET = "IOException: postgres://user:hunter2@db/x"


COMPLETED = {
    "id": 3,
    "status": "COMPLETED",
    "is_savepoint": False,
    "trigger_timestamp": NOW - 10_000,
    "end_to_end_duration": 250,
    "state_size": 5000,
    "external_path": "file:/checkpoints/chk-3",
}
FAILED = {
    "id": 2,
    "status": "FAILED",
    "is_savepoint": False,
    "trigger_timestamp": NOW - 20_000,
    "failure_message": f"java.io.{SECRET}",
}
MEMORY = ("Metaspace.Used", "Metaspace.Max", "Heap.Used", "Heap.Max")
OWN = f"jobs/{JOB_ID}/metrics"


def listed_row(job_id: str, state: str = "RUNNING") -> dict[str, Any]:
    """Return a job's row of a cluster's list."""
    return {
        "jid": job_id,
        "name": "x",
        "state": state,
        "start-time": NOW - 60_000,
        "end-time": -1 if state == "RUNNING" else NOW,
        "duration": 60_000,
        "tasks": {"total": 1, "running": 1},
    }


class Planes:
    """Opens the cluster that answers; the other one refuses connections."""

    def __init__(self) -> None:
        self.flink = ScriptedFlink()
        away = ScriptedFlink()
        away.answer("GET jobs/overview", httpx.ConnectError("refused"))
        away.answer("GET overview", httpx.ConnectError("refused"))
        self._away = away

    def of(self, target: FlinkTarget) -> FlinkRest:
        """Return the control plane of a cluster."""
        return (self.flink if target == CLUSTER.flink else self._away).plane()


class Monitored:
    """A gateway with one job, on a cluster on which it is seen in a state."""

    def __init__(self, state: str = "RUNNING") -> None:
        self.planes = Planes()
        self.gateway = Gateway(monitors=Monitors([CLUSTER, OTHER], self.planes, patience=60))
        self.gateway.run_job(NEW)
        flink = self.planes.flink
        flink.answer("GET jobs/overview", ok(jobs=[listed_row(JOB_ID, state)]))
        overview = {"slots-total": 8, "slots-available": 3, "taskmanagers": 2}
        flink.answer("GET overview", ok(**overview, **{"flink-version": "2.3.0"}))
        flink.answer(f"GET jobs/{JOB_ID}", ok(now=NOW, vertices=[], timestamps={}))
        flink.answer(f"GET jobs/{JOB_ID}/checkpoints", ok(history=[COMPLETED, FAILED]))
        entry = {"timestamp": NOW, "stacktrace": f"java.io.{SECRET}", "taskName": "count (1/2)"}
        failed = ok(exceptionHistory={"entries": [entry]})
        flink.answer(f"GET jobs/{JOB_ID}/exceptions?maxExceptions=16", failed)

    def add_jobs(self, count: int) -> None:
        """Put jobs alongside the first one, of which only restarts are reported."""
        flink, rows = self.planes.flink, self.gateway.service.rows
        listed = []
        for number in range(1, count + 2):
            job_id = f"{JOB_ID[:24]}{number:08x}"
            record = rows[1].record.model_copy(update={"job_id": job_id})
            rows[number] = replace(rows[1], number=number, job_name=f"job{number}", record=record)
            listed.append(listed_row(job_id))
            flink.answer(f"GET jobs/{job_id}", ok(now=NOW, vertices=[], timestamps={}))
            flink.answer(f"GET jobs/{job_id}/metrics", named("numRestarts"))
        flink.answer("GET jobs/overview", ok(jobs=listed))

    def get(self, path: str, caller: str | None = "operator") -> httpx.Response:
        """Read a path of the API."""
        return self.gateway.call("GET", f"/api/v1/{path}", caller=caller)


def test_clusters_that_the_caller_may_read() -> None:
    """Shows one that answers, and one that does not: why, and within the same answer."""
    found = Monitored().get("clusters").json()["value"]
    first, second = found
    assert (first["key"], first["reachable"], first["jobs"]) == (CLUSTER.key, True, {"RUNNING": 1})
    assert (first["version"], first["slots"], first["free_slots"]) == ("2.3.0", 8, 3)
    assert first["needs_attention"] == []
    assert second["reachable"] is False
    assert "no connection to" in second["problem"]
    assert [each["key"] for each in Monitored().get("clusters", "reader").json()["value"]] == [
        CLUSTER.key
    ]
    assert Monitored().get("clusters", "stranger").json() == {"value": []}


def test_a_list_of_jobs_with_what_needs_attention() -> None:
    (shown,) = Monitored("FAILED").get("jobs").json()["value"]
    assert (shown["number"], shown["name"], shown["cluster"]) == (1, "job1", CLUSTER.key)
    assert [each["concern"] for each in shown["needs_attention"]] == ["failed"]
    assert shown["last_action"]["action"] == "NEW"
    assert shown["last_action"]["by"] == "operator"


def test_a_list_with_parts_of_each_jobs_health() -> None:
    """Shows the parts that are asked for, and what needs attention by them."""
    monitored = Monitored()
    monitored.planes.flink.answer(f"GET {OWN}", named("numRestarts"))
    restarts = some({"id": "numRestarts", "value": "2"})
    monitored.planes.flink.answer(f"GET {OWN}?get=fullRestarts,numRescales,numRestarts", restarts)
    settings = ok(mode="exactly_once", interval=1000, timeout=5000)
    monitored.planes.flink.answer(f"GET jobs/{JOB_ID}/checkpoints/config", settings)
    failing = {**FAILED, "id": 4}
    monitored.planes.flink.answer(
        f"GET jobs/{JOB_ID}/checkpoints", ok(history=[failing, COMPLETED])
    )

    def shown(query: str) -> dict[str, Any]:
        (job,) = monitored.get(f"jobs?{query}", "reader").json()["value"]
        return dict(job)

    state = {"observed_at", "state", "state_since", "restarts", "tasks", "running_tasks"}
    load = {"rescales", "throughput", "busy", "busiest_vertex", "backpressured"}
    load |= {"event_time_lag_ms", "pending_records"}
    checkpoints = {f"checkpoint_{each}" for each in ("settings", "counts", "trend")}
    checkpoints |= {"last_checkpoint"}
    assert "health" not in shown("")
    assert shown("health=load")["health"].keys() == state | load
    assert shown("health=load")["needs_attention"] == []
    assert shown("health=checkpoints")["health"].keys() == state | checkpoints
    both = shown("health=checkpoints&health=load")
    assert both["health"].keys() == state | load | checkpoints
    assert (both["health"]["restarts"], both["health"]["last_checkpoint"]["id"]) == (2, 3)
    assert [each["concern"] for each in both["needs_attention"]] == ["checkpoints failing"]
    assert "hunter2" not in str(both)
    assert both["problem"] is None


def test_health_in_a_list_where_there_is_none() -> None:
    """Shows a job that has ended, and one whose cluster does not answer: why, and nothing old."""
    ended = Monitored()
    ended.gateway.act("STOP")
    (job,) = ended.get("jobs?health=load").json()["value"]
    assert (job["health"], job["problem"]) == (None, None)
    silent = Monitored()
    silent.planes.flink.answer("GET jobs/overview", httpx.ConnectError("refused"))
    (job,) = silent.get("jobs?health=load&health=checkpoints").json()["value"]
    assert (job["health"], job["observed"]) == (None, False)
    assert "no connection to" in job["problem"]


def test_health_of_others_where_one_job_cannot_be_read() -> None:
    monitored = Monitored()
    monitored.add_jobs(1)
    monitored.planes.flink.answer(f"GET jobs/{JOB_ID}", httpx.Response(500, json={"errors": ["x"]}))
    one, other = monitored.get("jobs?health=load&sort=oldest").json()["value"]
    assert (one["health"], "answered 500" in one["problem"]) == (None, True)
    assert (other["health"]["state"], other["problem"]) == ("RUNNING", None)


def test_health_that_is_not_observed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that a slow job withholds nothing of the others."""
    monkeypatch.setattr(listed_health, "_WITHIN", 0.5)
    monitored = Monitored()
    monitored.add_jobs(1)
    # Its metrics are not gathered yet, and are waited for.
    monitored.planes.flink.answer(f"GET {OWN}", named())
    one, other = monitored.get("jobs?health=load&sort=oldest").json()["value"]
    assert (one["health"], "it was not observed within" in one["problem"]) == (None, True)
    assert other["health"]["state"] == "RUNNING"


def test_active_jobs_alone() -> None:
    """Shows that one that has ended is active while an action on it is in progress."""
    monitored = Monitored()
    assert monitored.get("jobs?active=true").json()["total"] == 1
    monitored.gateway.act("STOP")
    assert monitored.get("jobs?active=true").json()["total"] == 0
    assert monitored.get("jobs?active=false").json()["total"] == 1
    monitored.gateway.service.hold = True
    monitored.gateway.act("START")
    assert monitored.get("jobs?active=true").json()["total"] == 1
    assert monitored.get("jobs?active=true&status=RUNNING").json()["total"] == 0


def test_a_list_takes_the_records_as_they_were_observed_lately() -> None:
    """Shows that a page of all clusters does not wait until each has been observed again."""
    monitored = Monitored()
    monitored.get("jobs")
    [asked] = monitored.gateway.service.filters
    assert asked.max_age is not None
    assert asked.max_age >= Intervals().observe


def test_a_list_page_by_page() -> None:
    """Shows each job once, in the order that is asked for, until there is no further page."""
    monitored = Monitored()
    for number in range(2, 6):
        monitored.gateway.run_job({**NEW, "jobName": f"job{number}"})
    seen: list[int] = []
    cursor = ""
    for _ in range(3):
        page = monitored.get(f"jobs?limit=2&sort=oldest{cursor}").json()
        assert page["total"] == 5
        seen += [each["number"] for each in page["value"]]
        cursor = f"&cursor={page['next']}"
    assert seen == [1, 2, 3, 4, 5]
    assert page["next"] is None
    newest = monitored.get("jobs?limit=1").json()
    assert [each["number"] for each in newest["value"]] == [5]
    # A job that is created meanwhile moves no other one to another page.
    monitored.gateway.run_job({**NEW, "jobName": "job6"})
    after = monitored.get(f"jobs?limit=1&cursor={newest['next']}").json()["value"]
    assert [each["number"] for each in after] == [4]


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("", 1),
        ("name=job1", 1),
        ("name=other", 0),
        ("status=RUNNING", 1),
        ("status=FAILED", 0),
        ("status=FAILED&status=RUNNING", 1),
        ("created_by=operator", 1),
        (f"cluster={OTHER.key}", 0),
        ("cluster=elsewhere", 0),
    ],
)
def test_filters(query: str, number: int) -> None:
    assert Monitored().get(f"jobs?{query}").json()["total"] == number


@pytest.mark.parametrize("value", ["%00", "a%1Fb", "%7F"])
@pytest.mark.parametrize("name", ["name", "Created_By"])
def test_control_characters_in_a_filter_are_refused(name: str, value: str) -> None:
    """Shows that none gets to the records: PostgreSQL refuses the whole query."""
    error = error_of(Monitored().get(f"jobs?{name}={value}"), 400)
    assert error["target"] == name
    assert error["message"].startswith(f"{name} must have no control characters")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "clusters"),
        ("GET", "jobs/1/exceptions"),
        ("GET", "jobs/1/checkpoints"),
        ("GET", "jobs/1/events"),
        ("POST", "jobs/1/release"),
        ("POST", "jobs/1/rollback"),
        ("POST", "jobs"),
    ],
)
def test_a_parameter_that_does_not_count_is_refused(method: str, path: str) -> None:
    """Shows also that nothing is begun."""
    monitored = Monitored()
    before = len(monitored.gateway.service.requests)
    answer = monitored.gateway.call(method, f"/api/v1/{path}?dry_run=true", json={})
    assert error_of(answer, 400)["target"] == "dry_run"
    assert len(monitored.gateway.service.requests) == before


def test_every_problem_of_a_query_at_once() -> None:
    query = "limit=0&sort=up&cursor=x&status=FINE&nothing=1&name=a&name=b&active=yes&health=good"
    error = error_of(Monitored().get(f"jobs?{query}"), 400)
    assert {each["target"] for each in error["details"]} == {
        *("limit", "sort", "cursor", "status", "nothing", "name", "active", "health")
    }


def test_only_jobs_that_need_attention() -> None:
    """Shows it for what the cluster's list tells, and for what the record tells by itself."""
    failed = Monitored("FAILED").get("jobs?needs_attention=true").json()
    assert [each["needs_attention"][0]["concern"] for each in failed["value"]] == ["failed"]
    healthy = Monitored()
    assert healthy.get("jobs?needs_attention=true").json()["total"] == 0
    assert healthy.get("jobs?needs_attention=false").json()["total"] == 1
    healthy.gateway.service.fails_with = "no slots for hunter2"
    healthy.gateway.run_job({**NEW, "action": "SAVEPOINT"})
    (shown,) = healthy.get("jobs?needs_attention=true").json()["value"]
    (attention,) = shown["needs_attention"]
    assert attention["concern"] == "action failed"
    assert "SAVEPOINT, failed: no slots" in attention["reason"]


def test_a_failed_action_shows_also_where_the_cluster_does_not_answer() -> None:
    monitored = Monitored()
    monitored.gateway.service.fails_with = "no slots"
    monitored.gateway.run_job({**NEW, "action": "SAVEPOINT"})
    monitored.planes.flink.answer("GET jobs/overview", httpx.ConnectError("refused"))
    (shown,) = monitored.get("jobs?needs_attention=true").json()["value"]
    assert [each["concern"] for each in shown["needs_attention"]] == ["action failed"]
    assert shown["observed"] is False
    one = monitored.get("jobs/1").json()
    assert one["observed"] is False
    assert [each["concern"] for each in one["needs_attention"]] == ["action failed"]


@pytest.mark.parametrize(("sort", "names"), [("name", "abc"), ("-name", "cba"), ("oldest", "cab")])
def test_orders_page_by_page(sort: str, names: str) -> None:
    gateway = Monitored().gateway
    for name in "cab":
        gateway.run_job({**NEW, "jobName": name})
    seen, cursor = "", ""
    while len(seen) < 4:
        page = gateway.call("GET", f"/api/v1/jobs?limit=1&sort={sort}{cursor}").json()
        seen += page["value"][0]["name"].replace("job1", "")
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == names


POINT = JobPoint(datetime.fromtimestamp(60, UTC), 5, "RUNNING", "a", 2, 2, 1, Load(busy=0.5))


def test_a_series() -> None:
    """Shows the points, and that 24 hours are asked for in points of 5 minutes."""
    monitored = Monitored()
    monitored.gateway.service.points = [POINT, replace(POINT, load=None)]
    shown = monitored.get("jobs/1/series").json()
    first, second = shown["value"]
    assert (first["at"], first["state"], first["restarts"]) == (
        "1970-01-01T00:01:00Z",
        "RUNNING",
        1,
    )
    assert (first["load"]["busy"], first["load"]["throughput"], second["load"]) == (0.5, None, None)
    (span,) = monitored.gateway.service.spans
    assert (span.end - span.begin, span.minutes) == (24 * 60, 5)
    assert shown["resolution_minutes"] == 5


def test_a_series_of_a_time() -> None:
    monitored = Monitored()
    query = "from=2026-11-28T06:30:30Z&to=2026-11-28T07:45:00%2B01:00&resolution=1m"
    shown = monitored.get(f"jobs/1/series?{query}").json()
    assert (shown["from"], shown["to"]) == ("2026-11-28T06:30:00Z", "2026-11-28T06:45:00Z")
    (span,) = monitored.gateway.service.spans
    assert (span.end - span.begin, span.minutes) == (15, 1)


@pytest.mark.parametrize(
    ("query", "targets"),
    [
        ("from=yesterday&to=2026-11-28&resolution=x&nothing=1", "from to resolution nothing"),
        ("resolution=90s", "resolution"),
        ("resolution=25h", "resolution"),
        ("resolution=5m&resolution=6m", "resolution"),
        ("from=2026-11-28T06:30:00Z&to=2026-11-28T06:30:00Z", "from"),
        ("from=2026-11-01T00:00:00Z&to=2026-11-28T00:00:00Z", "resolution"),
        ("from=2026-11-28T06:30:00", "from"),
        (f"from={'9' * 400}", "from"),
        ("from=9999-12-31T12:00:00-14:00", "from"),
        ("from=2026-11-28T06:30:00Z&to=9999-12-31T23:59:00-00:01", "to"),
        ("from=1970-01-01T00:00:30Z&to=1970-01-01T00:05:00Z", "from"),
        ("from=1969-12-31T23:00:00Z&to=1969-12-31T23:30:00Z", "from to"),
        ("to=1970-01-01T00:01:00Z", "to"),
    ],
)
def test_every_problem_of_a_series_at_its_property(query: str, targets: str) -> None:
    error = error_of(Monitored().get(f"jobs/1/series?{query}"), 400)
    found = {each["target"] for each in error.get("details") or [error]}
    assert found == set(targets.split())


@pytest.mark.parametrize(
    ("query", "begin", "end"),
    [
        ("to=1970-01-01T00:05:00Z", "1970-01-01T00:01:00Z", "1970-01-01T00:05:00Z"),
        (
            "from=9999-12-31T23:00:00Z&to=9999-12-31T23:59:59Z",
            "9999-12-31T23:00:00Z",
            "9999-12-31T23:59:00Z",
        ),
    ],
)
def test_a_series_at_the_ends_of_time(query: str, begin: str, end: str) -> None:
    shown = Monitored().get(f"jobs/1/series?{query}").json()
    assert (shown["from"], shown["to"]) == (begin, end)


def test_actions_with_who_and_how_long() -> None:
    monitored = Monitored()
    monitored.gateway.run_job({**NEW, "action": "SAVEPOINT"}, caller="one")
    latest, first = monitored.get("jobs/1/actions").json()["value"]
    assert (first["action"], first["by"], first["result"]) == ("NEW", "operator", "SUCCESS")
    assert (latest["action"], latest["by"], latest["duration_ms"]) == ("SAVEPOINT", "one", 0)
    (only,) = monitored.get("jobs/1/actions?limit=1").json()["value"]
    assert only == latest
    error = error_of(monitored.get("jobs/1/actions?limit=0&x=1"), 400)
    assert {each["target"] for each in error["details"]} == {"limit", "x"}


@pytest.mark.parametrize(("caller", "shown"), [("operator", True), ("reader", False)])
def test_versions(caller: str, shown: bool) -> None:
    """Shows what runs in the caller's words; secrets to those alone who may operate."""
    monitored = Monitored()
    options = {**NEW["flinkConfiguration"], "s3.secret-key": "hunter2"}
    given = {**NEW, "jobName": "job2", "flinkConfiguration": options, "args": "--password hunter3"}
    monitored.gateway.run_job(given)
    (version,) = monitored.get("jobs/2/versions", caller).json()["value"]
    assert (version["entry_class"], version["parallelism"]) == ("com.example.Job", 4)
    assert version["jar"] == "abfs://jobs@account/jars/job.jar"
    assert (version["flink_configuration"]["s3.secret-key"] == "hunter2") is shown
    assert (version["args"] == "--password hunter3") is shown


@pytest.mark.parametrize(
    ("place", "url", "state"),
    [
        ("whole", "http://127.0.0.1:8081", "present"),
        ("torn", "http://127.0.0.1:8081", "damaged"),
        ("gone", "http://127.0.0.1:8081", "gone"),
        ("gone", "http://flink:8081", "unknown"),  # it may be there, on that machine
        ("s3://no-such-bucket-here/x", "http://flink:8081", "unknown"),
    ],
)
def test_savepoints_and_whether_they_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, url: str, state: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    for name, content in (("whole", metadata()), ("torn", b"x")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "_metadata").write_bytes(content)
    monitored = Monitored()
    service = monitored.gateway.service
    path = place if ":" in place else f"file:{tmp_path}/{place}"
    row = service.rows[1]
    taken = Savepoint(path=path, taken_at="2026-11-28T06:30:00Z")
    record = row.record.model_copy(update={"savepoints": [taken]})
    service.rows[1] = replace(row, record=record)
    cluster = CLUSTER.model_copy(update={"flink": FlinkTarget(url=url)})
    monitored.gateway.clusters = [cluster, OTHER]
    (found,) = monitored.get("jobs/1/savepoints").json()["value"]
    assert (found["path"], found["origin"], found["state"]) == (path, "SAVEPOINT", state)
    assert found["age_seconds"] >= 0
    assert (found["size_bytes"] is not None) is (state == "present")
    assert found["disposed_at"] is None
    service.disposed.append(DisposedSavepoint(taken, datetime(2026, 11, 29, tzinfo=UTC)))
    (again,) = monitored.get("jobs/1/savepoints").json()["value"]
    assert (again["path"], again["disposed_at"]) == (path, "2026-11-29T00:00:00Z")


@pytest.mark.parametrize("what", ["actions", "versions", "savepoints", "series", "events"])
def test_nothing_of_a_job_for_those_who_may_not_read_it(what: str) -> None:
    assert error_of(Monitored().get(f"jobs/1/{what}", "second"), 404)["code"] == "JobNotFound"


def test_one_job_with_its_health() -> None:
    shown = Monitored().get("jobs/1").json()
    assert shown["health"]["state"] == "RUNNING"
    assert (shown["problem"], shown["needs_attention"]) == (None, [])


def test_a_job_that_its_cluster_does_not_list_is_lost() -> None:
    monitored = Monitored()
    monitored.planes.flink.answer("GET jobs/overview", ok(jobs=[]))
    shown = monitored.get("jobs/1").json()
    assert shown["health"] is None
    assert [each["concern"] for each in shown["needs_attention"]] == ["lost"]


def test_a_job_whose_cluster_does_not_answer() -> None:
    """Shows that nothing is claimed of it: neither health, nor that nothing needs attention."""
    monitored = Monitored()
    monitored.planes.flink.answer("GET jobs/overview", httpx.ConnectError("refused"))
    shown = monitored.get("jobs/1").json()
    assert (shown["health"], shown["needs_attention"]) == (None, None)
    assert "no connection to" in shown["problem"]
    for what in ("exceptions", "checkpoints", "metrics"):
        refused = error_of(monitored.get(f"jobs/1/{what}"), 503)
        assert refused["code"] == "ClusterUnavailable"
    (listed,) = monitored.get("jobs").json()["value"]
    assert listed["needs_attention"] is None


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_metrics_that_are_not_finite_are_unknown(value: str) -> None:
    """Shows that no such number is in an answer, which JSON cannot hold, and none is a fault."""
    monitored = Monitored()
    flink = monitored.planes.flink
    restarts = "fullRestarts,numRescales,numRestarts"
    flink.answer(f"GET {OWN}", named("numRestarts"))
    flink.answer(f"GET {OWN}?get={restarts}", some({"id": "numRestarts", "value": value}))
    pool = "Status.JVM.Memory"
    used = [f"{pool}.{each}" for each in MEMORY]
    not_finite = some(*({"id": each, "value": value} for each in used))
    flink.answer(f"GET jobmanager/metrics?get={','.join(used)}", not_finite)
    assert monitored.get("jobs/1").json()["health"]["restarts"] is None
    first = monitored.get("clusters").json()["value"][0]
    assert (first["reachable"], first["job_manager_metaspace"]) == (True, None)


def test_exceptions_with_times_and_causes() -> None:
    (found,) = Monitored().get("jobs/1/exceptions").json()["value"]
    assert found["at"] == "2027-01-15T08:00:00Z"
    assert found["task"] == "count (1/2)"


def test_checkpoints_and_why_any_failed() -> None:
    done, failed = Monitored().get("jobs/1/checkpoints").json()["value"]
    assert (done["id"], done["status"], done["path"]) == (
        *(3, "COMPLETED", "file:/checkpoints/chk-3"),
    )
    assert (done["completed_at"], done["duration_ms"]) == ("2027-01-15T07:59:50Z", 250)
    assert (failed["status"], failed["failure"]) == ("FAILED", "IOException: postgres://***@db/x")
    shown = Monitored().get("jobs/1").json()
    assert shown["health"]["last_checkpoint"] == done
    assert (shown["running_tasks"], shown["tasks"]) == (1, 1)


def test_what_changed_in_the_last_seconds() -> None:
    """Shows it where it is asked for, and as far as the job was observed before."""
    monitored = Monitored()
    assert monitored.get("jobs/1").json()["trend"] is None
    monitored.planes.flink.answer(f"GET jobs/{JOB_ID}", ok(now=NOW + 4000, vertices=[]))
    seen = observed_twice(monitored)
    assert seen["trend"]["over"] == 4000
    for wrong in ("0", "901", "x", "1&trend=2"):
        assert error_of(monitored.get(f"jobs/1?trend={wrong}"), 400)["target"] == "trend"


def observed_twice(monitored: Monitored) -> Any:
    """Return a job with its trend, once its observation is too old to be shared."""
    return wait_until(
        lambda: (shown := monitored.get("jobs/1?trend=30").json())["trend"] and shown,
        20,
        "it is observed a second time",
    )


def test_metrics_by_their_names() -> None:
    monitored = Monitored()
    flink = monitored.planes.flink
    flink.answer(f"GET {OWN}", named("numRestarts", "uptime"))
    flink.answer(f"GET {OWN}?get=uptime", some({"id": "uptime", "value": "60000"}))
    named_all = monitored.get("jobs/1/metrics?names=true").json()["value"]
    assert [each["metric"] for each in named_all] == ["numRestarts", "uptime"]
    found = monitored.get("jobs/1/metrics?get=uptime").json()["value"]
    assert found == [{"metric": "uptime", "value": "60000"}]
    wrong = error_of(monitored.get("jobs/1/metrics?get=uptim"), 400)
    assert wrong["target"] == "get"
    assert "the job has no metric uptim; names like it: uptime" in wrong["message"]


def test_those_who_ask_for_the_same_metrics_share_the_requests() -> None:
    monitored = Monitored()
    flink = monitored.planes.flink
    flink.answer(f"GET {OWN}", named("uptime"))
    flink.answer(f"GET {OWN}?get=uptime", some({"id": "uptime", "value": "60000"}))
    for _ in range(5):
        assert monitored.get("jobs/1/metrics?get=uptime").json()["value"]
    assert flink.count(f"GET {OWN}?get=uptime") == 1


def test_every_problem_of_a_query_for_metrics_at_once() -> None:
    long = "x" * 501
    answer = Monitored().get(f"jobs/1/metrics?get={long}&names=perhaps&names=true&other=1")
    found = {each["target"] for each in error_of(answer, 400)["details"]}
    assert found == {"get", "names", "other"}
    both = error_of(Monitored().get("jobs/1/metrics?get=a&names=true"), 400)
    assert both["message"] == "names must not be true where get is given."


def test_a_job_that_its_cluster_does_not_list_has_no_metrics_and_no_checkpoints() -> None:
    monitored = Monitored()
    monitored.planes.flink.answer("GET jobs/overview", ok(jobs=[]))
    for what in ("metrics", "checkpoints", "exceptions"):
        assert monitored.get(f"jobs/1/{what}").json() == {"value": []}


@pytest.mark.parametrize("portal", [True, False])
def test_the_address_of_a_jobs_page(portal: bool) -> None:
    """Shows it only where there is a portal, below the address that callers reach it by."""
    monitored = Monitored()
    addresses = Addresses("https://gateway.example.com/flink")
    face = MonitoringFace(
        monitored.gateway.service,
        [CLUSTER],
        Monitors([CLUSTER], monitored.planes, patience=60),
        ByName().authenticate,
        asyncio.Event(),
        lambda _entry: None,
        1000,
        (lambda request, number: addresses.whole(request, job_path(number))) if portal else None,
    )

    class Operator(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
            request.scope["principal"] = PRINCIPALS["operator"]
            return await call_next(request)

    app = Starlette(routes=face.routes(), middleware=[Middleware(Operator)])

    async def get() -> Any:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return (await client.get("/api/v1/jobs")).json()

    (job,) = asyncio.run(get())["value"]
    expected = "https://gateway.example.com/flink/portal/jobs/1" if portal else None
    assert job["page"] == expected


@pytest.mark.parametrize("path", ["jobs/1", "jobs/1/exceptions", "jobs/1/checkpoints", "jobs"])
def test_credentials_are_shown_to_nobody_who_may_only_read(path: str) -> None:
    assert "hunter2" not in Monitored("FAILED").get(path, "reader").text


@pytest.mark.parametrize("number", ["2", "0", "x", "9" * 30])
def test_a_job_that_is_not_there(number: str) -> None:
    assert error_of(Monitored().get(f"jobs/{number}"), 404)["code"] == "JobNotFound"


def test_a_job_of_a_cluster_that_the_caller_may_not_read() -> None:
    """Shows the same answer as of a job that is not there."""
    strange = error_of(Monitored().get("jobs/1", "second"), 404)
    missing = error_of(Monitored().get("jobs/2", "second"), 404)
    assert strange["message"].replace("'1'", "") == missing["message"].replace("'2'", "")
    assert Monitored().get("jobs", "second").json()["value"] == []


def test_who_has_shown_no_token() -> None:
    answer = Monitored().get("clusters", None)
    assert answer.status_code == 401
    assert answer.headers["X-Request-Id"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_requests_are_limited() -> None:
    monitored = Monitored()
    monitored.gateway.rate_limit.refuses = 3
    answer = monitored.get("clusters")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_a_fuzzer_finds_no_fault(mode: GenerationMode) -> None:
    """Shows that answers are those of the OpenAPI document, which is made of the routes."""
    monitored = Monitored()
    app = monitored.gateway.app()
    sent = 0
    for result in schemathesis.openapi.from_dict(monitored.gateway.document()).get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        if not operation.path.startswith(MONITORING_PATHS):
            continue
        if mode is GenerationMode.NEGATIVE and not operation.query:
            continue
        place = {"number": "1"} if "{number}" in operation.path else None

        sent += fuzz(operation, app, mode, place)
    assert sent >= 20
