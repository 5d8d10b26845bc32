"""The job service in memory: answers as recorded traffic of 2023 and 2024 has them.

Replies to runJob are 202 with the body `null` and both headers; rows lack what they do not have
yet; an operation succeeds even where the job does not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx

from flink_jobs_provider.wire.hdinsight import LAUNCH_FAILED, VERSION_PROPERTIES
from tests.unit.reconciling.fake_clock import FakeClock

SUBSCRIPTION = "/subscriptions/s/resourceGroups/g/providers/Microsoft.HDInsight"
CLUSTER = f"{SUBSCRIPTION}/clusterpools/pool/clusters/flink"
ENDPOINT = "https://management.azure.com"
OPERATIONS = "/providers/Microsoft.HDInsight/locations/WESTUS3/operationStatuses"

_ACTIVE = ("RUNNING", "RESTARTING", "STARTING")
_STARTS = ("NEW", "START", "UPDATE", "STATELESS_UPDATE", "LAST_STATE_UPDATE", "RE_LAUNCH")


class Killed(Exception):
    """The run was killed."""


@dataclass
class Launch:
    """One start of a version: what was run, and from what.

    Attributes:
        newest: The newest savepoint that there was.
    """

    name: str
    entry_class: str
    restored_from: str | None
    by: str
    newest: str | None


@dataclass
class _Row:
    run_id: str
    properties: dict[str, Any]
    due: float = 0.0
    ends: Callable[[], None] | None = None


@dataclass
class FakeArm:
    """One cluster.

    Attributes:
        takes: Seconds that an action takes.
        appears: Seconds after which a new row is listed.
        keeps_unknown_keys: Whether keys of flinkConfiguration that are none of Flink's are shown.
        keeps_old: Properties that an UPDATE leaves as they are, whatever it is sent.
        start_takes_spec: Whether START takes a changed version along; else it is refused.
        rolls_back: Whether an update that fails starts the previous version again.
        broken: Entry classes that do not come up.
        late: Entry classes that come up and change their status after 3 s, and to which.
        cancelled: The word for a job that was cancelled.
        kill: At which request, from 0, the run is killed; and whether before it is carried out.
        output: What its operations say of a job, as a gateway's do.
        at_moments: Called before and after each request, with that word.
        unlike: Answers for single requests, instead of its own.
    """

    time: FakeClock
    takes: float = 1.0
    appears: float = 0.0
    keeps_unknown_keys: bool = True
    keeps_old: tuple[str, ...] = ()
    start_takes_spec: bool = False
    rolls_back: bool = True
    broken: set[str] = field(default_factory=set)
    late: dict[str, str] = field(default_factory=dict)
    cancelled: str = "CANCELED"
    kill: tuple[int, str] | None = None
    at_moments: list[Callable[[str], None]] = field(default_factory=list)
    output: str = ""
    unlike: Callable[[httpx.Request], httpx.Response | None] = lambda _request: None
    requests: list[httpx.Request] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    launches: list[Launch] = field(default_factory=list)
    savepoints: list[str] = field(default_factory=list)
    rows: list[_Row] = field(default_factory=list)
    _made: int = 0
    _operations: dict[str, _Row] = field(default_factory=dict)

    # What tests ask and do

    def client(self) -> httpx.AsyncClient:
        """Return a client of it."""
        return httpx.AsyncClient(base_url=ENDPOINT, transport=httpx.MockTransport(self.answer))

    def job(self, name: str = "orders") -> dict[str, Any]:
        """Return the properties of the one job of that name."""
        self._pass()
        (row,) = [row for row in self.rows if row.properties["jobName"] == name]
        return row.properties

    def actions(self) -> list[str]:
        """Return the actions that were taken, in order."""
        return [order["action"] for order in self.orders]

    def put(self, **properties: Any) -> dict[str, Any]:
        """Put a row there, as if somebody else had."""
        row = self._new_row({"jobType": "FlinkJob", "jobName": "orders", **properties})
        return row.properties

    # The API

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; be killed before or after it, if so asked."""
        self._pass()
        number = len(self.requests)
        self.requests.append(request)
        if self.kill == (number, "before"):
            raise Killed(str(number))
        for call in self.at_moments:
            call("before")
        response = self.unlike(request) or self._answer(request)
        if self.kill == (number, "after"):
            raise Killed(str(number))
        for call in self.at_moments:
            call("after")
        return response

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.startswith(OPERATIONS):
            row = self._operations.get(path)
            busy = row is not None and row.ends is not None
            status = "InProgress" if busy else "Succeeded"
            said = {"jobOutput": self.output} if self.output else None
            return httpx.Response(200, json={"id": path, "status": status, "properties": said})
        if path == f"{CLUSTER}/jobs" and request.method == "GET":
            rows = [row for row in self.rows if row.properties.get("_from", 0) <= self.time.now()]
            return httpx.Response(200, json={"value": [self._shown(row) for row in rows]})
        if path == f"{CLUSTER}/runJob" and request.method == "POST":
            return self._run_job(json.loads(request.content)["properties"])
        return _error(404, "ResourceNotFound", "no such resource")

    def _shown(self, row: _Row) -> dict[str, Any]:
        shown = {k: v for k, v in row.properties.items() if v is not None and k[0] != "_"}
        if not self.keeps_unknown_keys and "flinkConfiguration" in shown:
            kept = shown["flinkConfiguration"].items()
            shown["flinkConfiguration"] = {k: v for k, v in kept if not k.startswith("flink-jobs")}
        return {"id": f"{CLUSTER}/jobs/{row.run_id}", "properties": shown}

    def _run_job(self, asked: dict[str, Any]) -> httpx.Response:
        action, name = asked["action"], asked["jobName"]
        row = next((row for row in self.rows if row.properties["jobName"] == name), None)
        if asked.get("runId"):
            row = next((row for row in self.rows if row.run_id == asked["runId"]), None)
        refusal = self._refusal(action, asked, row)
        if refusal:
            return refusal
        self.orders.append(asked)
        if row is None or action == "NEW":
            row = self._new_row({"jobType": "FlinkJob", "jobName": name})
            row.properties["_from"] = self.time.now() + self.appears
        row.properties |= {"action": action, "actionResult": "IN_PROGRESS"}
        row.due = self.time.now() + self.takes
        row.ends = partial(self._end, row, asked)
        self._made += 1
        path = f"{OPERATIONS}/{self._made:08x}*abc"
        self._operations[path] = row
        address = f"{ENDPOINT}{path}?api-version=2024-05-01-preview&t=1&c=secret&s=signature"
        headers = {"Location": address, "Azure-AsyncOperation": address}
        return httpx.Response(202, json=None, headers=headers)

    def _refusal(
        self, action: str, asked: dict[str, Any], row: _Row | None
    ) -> httpx.Response | None:
        if row is None:
            return None if action == "NEW" else _error(404, "JobNotFound", "no such job")
        status = row.properties.get("status", "")
        if row.ends:
            return _error(409, "ActionInProgress", f"{row.properties['action']} is in progress")
        if action == "NEW" and status != LAUNCH_FAILED:
            return _error(409, "JobAlreadyExists", "it exists")
        needs = {
            "START": ("STOPPED",),
            "RE_LAUNCH": ("FAILED", "LOST", "CANCELED"),
            "DELETE": ("STOPPED", "FAILED", "FINISHED", self.cancelled, LAUNCH_FAILED),
        }.get(action, _ACTIVE)
        if action not in ("NEW", "DELETE") and status not in needs:
            return _error(409, "JobStatusConflict", f"{action} while {status}")
        if action == "DELETE" and status in _ACTIVE:
            return _error(409, "JobStatusConflict", "it runs")
        changed = any(asked.get(k) not in (None, row.properties.get(k)) for k in VERSION_PROPERTIES)
        if action == "START" and changed and not self.start_takes_spec:
            return _error(400, "InvalidParameter", "START takes no such property")
        return None

    # What happens on the cluster

    def _pass(self) -> None:
        for row in list(self.rows):
            if row.ends and self.time.now() >= row.due:
                ends, row.ends = row.ends, None
                ends()
            later = self.late.get(row.properties.get("entryClass", ""))
            if later and self.time.now() >= row.due + 3:
                running = row.properties.get("status") == "RUNNING"
                row.properties |= {"status": later} if running else {}

    def _new_row(self, properties: dict[str, Any]) -> _Row:
        self._made += 1
        run_id = properties.setdefault("runId", f"job-{self._made:03x}-0000-0000-000000000000")
        row = _Row(run_id, properties)
        self.rows.append(row)
        return row

    def _savepoint(self, job: dict[str, Any]) -> str:
        directory = job["flinkConfiguration"].get("savepoint.directory", "abfs://c@a/savepoints")
        path = f"{directory}/savepoint-{str(job['jobId'])[:6]}-{len(self.savepoints):012x}"
        self.savepoints.append(path)
        job["lastSavePoint"] = path
        job["jobOutput"] = f"Savepoint completed. Path: {path}"
        return path

    def _end(self, row: _Row, asked: dict[str, Any]) -> None:
        job, action = row.properties, asked["action"]
        if action == "DELETE":
            self.rows.remove(row)
            return
        job["actionResult"] = "SUCCESS"
        if action in ("STOP", "SAVEPOINT"):
            self._savepoint(job)
            job["status"] = "STOPPED" if action == "STOP" else job["status"]
        elif action == "CANCEL":
            job["status"] = self.cancelled
        elif action in _STARTS:
            self._start(job, asked)

    def _start(self, job: dict[str, Any], asked: dict[str, Any]) -> None:
        action, former = asked["action"], dict(job)
        restore = asked.get("savePointName")
        if action == "UPDATE":
            taken = self._savepoint(job)
            restore = restore or taken
        elif action == "START":
            restore = restore or job.get("lastSavePoint")
        given = {k: asked[k] for k in (*VERSION_PROPERTIES, "savePointName") if k in asked}
        job |= {k: v for k, v in given.items() if k not in self.keeps_old or action == "NEW"}
        job |= {"action": action, "jobOutput": "Job is running. Flink job status RUNNING"}
        if job["entryClass"] not in self.broken:
            self._launched(job, restore, action)
            return
        job |= {"actionResult": "FAILED", "jobOutput": "The program failed:\nno such thing"}
        if action == "NEW":
            job["status"] = LAUNCH_FAILED
        elif former.get("status") == "RUNNING" and self.rolls_back:
            job |= {k: former.get(k) for k in VERSION_PROPERTIES}
            self._launched(job, restore, "rollback")
        else:
            job["status"] = "FAILED"

    def _launched(self, job: dict[str, Any], restore: str | None, by: str) -> None:
        job |= {"jobId": f"{len(self.launches) + 1:032x}", "status": "RUNNING"}
        newest = self.savepoints[-1] if self.savepoints else None
        self.launches.append(Launch(job["jobName"], job["entryClass"], restore, by, newest))


def _error(status: int, code: str, message: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"code": code, "message": message}})
