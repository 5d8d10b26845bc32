"""Data Lake Insight in memory: answers as its references, SDK and Terraform provider have them.

A draft does not run; each 200 is acceptance alone; numbers are written and words read; what is not
set is null, absent or a default; ids are beyond what a double holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx

from flink_jobs_provider.wire.dli import (
    CHECKPOINT_MODES,
    JOB_FIELDS,
    JOB_TYPE,
    TOP_LEVEL,
    WHILE_RUNNING,
)
from tests.unit.reconciling.fake_clock import FakeClock

ENDPOINT = "https://dli.eu-west-101.myhuaweicloud.eu"
PROJECT = "48cc2c48765f481480c7db940d6409d1"
PREFIX = f"/v1.0/{PROJECT}/streaming"
FIRST_ID = 2**53 + 1

_UP = ("job_running", "job_cancel_fail")


class Killed(Exception):
    """The run was killed."""


@dataclass
class Launch:
    """One start of a version: what was run, and from what.

    Attributes:
        newest: The newest savepoint that there was.
    """

    name: str
    main_class: str
    restored_from: str | None
    newest: str | None


@dataclass
class FakeJob:
    """One job of the service."""

    number: int
    config: dict[str, Any]
    status: str = "job_init"
    desc: str = ""
    savepoint: str = ""
    started: int = 0
    jid: str = ""
    imported: bool = False
    checkpoint: str = ""
    due: float = 0.0
    ends: Callable[[], None] | None = None

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.config["name"])


@dataclass
class FakeDli:
    """One project.

    Attributes:
        gateway: Whether it is served by a gateway of this project.
        takes: Seconds that a step takes.
        success: How it says that a call succeeded.
        nulls: Whether what is not set is null; else it is absent.
        strips: Whether buckets are shown without their scheme.
        keeps_unknown_keys: Whether options that are none of Flink's are kept.
        keeps_old: Fields that a change leaves as they are, whatever it is sent.
        lacks: Routes that this service does not have: "savepoint", "import-savepoint".
        after_stop: The word for a job that was stopped.
        broken: Main classes that do not come up, and the word for that.
        late: Main classes that come up, and fail after 3 s.
        savepoints_fail: What a stop with a savepoint says when that fails; empty where it works.
        shows_graphs: Whether a job that runs shows Flink's id. One that does not run has no graph,
            except on a gateway.
        lags: How long a step that was accepted does not show, in seconds.
        kill: At which request, from 0, the run is killed; and whether before it is carried out.
        at_moments: Called before and after each request, with that word.
        unlike: Answers for single requests, instead of its own.
    """

    time: FakeClock
    gateway: bool = False
    takes: float = 1.0
    success: Any = "true"
    nulls: bool = True
    strips: bool = True
    keeps_unknown_keys: bool = True
    keeps_old: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    after_stop: str = "job_cancel_success"
    broken: dict[str, str] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)
    savepoints_fail: str = ""
    shows_graphs: bool = True
    lags: float = 0.0
    page: int = 100
    kill: tuple[int, str] | None = None
    at_moments: list[Callable[[str], None]] = field(default_factory=list)
    unlike: Callable[[httpx.Request], httpx.Response | None] = lambda _request: None
    requests: list[httpx.Request] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    launches: list[Launch] = field(default_factory=list)
    savepoints: list[str] = field(default_factory=list)
    alive: set[str] = field(default_factory=set)
    written: dict[str, float] = field(default_factory=dict)
    jobs: dict[int, FakeJob] = field(default_factory=dict)
    _made: int = 0

    # What tests ask and do

    def transport(self) -> httpx.MockTransport:
        """Return a transport to it."""
        return httpx.MockTransport(self.answer)

    def job(self, name: str = "orders") -> FakeJob:
        """Return the one job of that name."""
        self._pass()
        (job,) = [job for job in self.jobs.values() if job.name == name]
        return job

    def put(self, **fields: Any) -> FakeJob:
        """Put a job there, as if somebody else had."""
        self._made += 1
        config = fields.pop("config", {})
        job = FakeJob(FIRST_ID + self._made, {"name": "orders", **config}, **fields)
        self.jobs[job.number] = job
        return job

    def fail(self, job: FakeJob, word: str = "job_running_exception", why: str = "") -> None:
        """Have a job end by itself."""
        job.status, job.desc = word, why

    def options(self, job: FakeJob) -> dict[str, str]:
        """Return Flink's options of a job."""
        given = json.loads(job.config.get("runtime_config") or "{}")
        if isinstance(given, list):
            return {each["key"]: each["value"] for each in given}
        return dict(given)

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
        if self.gateway:
            response.headers["X-Flink-Jobs-Gateway"] = "1"
        if self.kill == (number, "after"):
            raise Killed(str(number))
        for call in self.at_moments:
            call("after")
        return response

    def _answer(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path.startswith(PREFIX), request.url
        path = request.url.path.removeprefix(PREFIX)
        body = json.loads(request.content) if request.content else {}
        if (request.method, path) == ("GET", "/jobs"):
            return self._list(dict(request.url.params))
        if (request.method, path) == ("POST", "/flink-jobs"):
            return self._create(body)
        if match := re.fullmatch(r"/jobs/(run|stop|delete)", path):
            assert len(body["job_ids"]) == 1, "one id in each call"
            job = self.jobs.get(body["job_ids"][0])
            return self._missing() if job is None else self._batch(match.group(1), job, body)
        match = re.fullmatch(r"/(?:flink-)?jobs/(\d+)(?:/([a-z-]+))?", path)
        job = self.jobs.get(int(match.group(1))) if match else None
        if match and match.group(2) in self.lacks:
            return _error(404, "APIGW.0101", "The API does not exist or has not been published")
        if job is None:
            return self._missing()
        return self._one(request.method, match.group(2) if match else None, job, body)

    def _one(
        self, method: str, what: str | None, job: FakeJob, body: dict[str, Any]
    ) -> httpx.Response:
        if what == "execute-graph":
            up = self.gateway or job.status in _UP
            if not job.jid or not self.shows_graphs or not up:
                return _error(400, "DLI.0999X", "no graph")
            return self._ok(execute_graph={"jid": job.jid, "name": job.name, "isStoppable": False})
        if what == "savepoint":
            return self._trigger(job, body)
        if what == "import-savepoint":
            assert body["job_id"] == job.number
            assert isinstance(body["job_id"], int)
            self.steps.append("import")
            job.savepoint, job.imported = body["savepoint_path"], True
            return self._ok(message="The job is successfully updated.")
        if method == "PUT":
            return self._change(job, body)
        if method == "DELETE":
            self.steps.append("delete")
            del self.jobs[job.number]
            return self._ok(message="deleted")
        return self._ok(job_detail=self._detail(job))

    def _list(self, query: dict[str, str]) -> httpx.Response:
        assert int(query["limit"]) <= 100
        rows = [job for job in self.jobs.values() if query["name"] in job.name]
        offset = int(query["offset"])
        shown = rows[offset : offset + min(self.page, int(query["limit"]))]
        listed = [{"job_id": job.number, "name": job.name, "status": job.status} for job in shown]
        return self._ok(job_list={"total_count": len(rows), "jobs": listed})

    def _create(self, body: dict[str, Any]) -> httpx.Response:
        if any(job.name == body["name"] for job in self.jobs.values()):
            return _error(400, "DLI.0006", "The job name already exists")
        self.steps.append("create")
        self._made += 1
        job = FakeJob(FIRST_ID + self._made, {})
        self.jobs[job.number] = job
        self._write(job, body)
        detail = {"job_id": job.number, "status_name": "job_init", "status_desc": ""}
        return self._ok(message="created", job=detail)

    def _change(self, job: FakeJob, body: dict[str, Any]) -> httpx.Response:
        assert "tags" not in body
        running = job.status in _UP or job.ends is not None
        if running and set(body) - WHILE_RUNNING:
            return _error(400, "DLI.0007", "The job is running")
        if running and body.get("obs_bucket") == job.config.get("obs_bucket", 0):
            return _error(400, "DLI.0001", "obs_bucket is the same")
        self.steps.append("change")
        self._write(job, {k: v for k, v in body.items() if k not in self.keeps_old})
        return self._ok(message="updated", job={"update_time": 1})

    def _write(self, job: FakeJob, body: dict[str, Any]) -> None:
        job.config |= body
        if not self.keeps_unknown_keys:
            kept = {k: v for k, v in self.options(job).items() if not k.startswith("flink-jobs")}
            job.config["runtime_config"] = json.dumps(kept)

    def _batch(self, what: str, job: FakeJob, body: dict[str, Any]) -> httpx.Response:
        running = job.status in _UP or job.ends is not None
        if what == "run":
            if running:
                return self._no("DLI.0007: the job is running")
            resume = body["resume_savepoint"]
            if self.gateway and resume and job.jid and not (job.savepoint or job.checkpoint):
                return _error(400, "DLI.0007", "no savepoint or retained checkpoint of it is known")
            self.steps.append("run, resumed" if resume else "run")
            self._begin(job, "job_submitting", partial(self._launch, job, resume))
        else:
            assert what == "stop"
            if not running or job.ends:
                return self._no("DLI.0007: the job is not running")
            saves = body["trigger_savepoint"]
            self.steps.append("stop, saved" if saves else "stop")
            self._begin(job, "job_canceling", partial(self._stop, job, saves))
        accepted = {"is_success": self.success, "message": "delivered"}
        return httpx.Response(200, json=[accepted])

    def _trigger(self, job: FakeJob, body: dict[str, Any]) -> httpx.Response:
        assert body["action"] == "TRIGGER"
        assert job.status in _UP
        self.steps.append("savepoint")
        directory = body.get("savepoint_path") or "default/savepoints"
        self._begin(job, "job_savepointing", partial(self._saved, job, directory))
        inner = json.dumps({"is_success": self.success, "message": "begun"})
        return self._ok(message=inner)

    # What happens in the service

    def _pass(self) -> None:
        for job in list(self.jobs.values()):
            if job.ends and self.time.now() >= job.due:
                ends, job.ends = job.ends, None
                ends()
            late = job.status == "job_running" and job.config.get("main_class") in self.late
            if late and self.time.now() * 1000 >= job.started + 3000:
                self.fail(job, why="The program failed:\nlate")

    def _begin(self, job: FakeJob, word: str, ends: Callable[[], None]) -> None:
        shows = partial(self._show, job, word, ends)
        if self.lags:
            job.ends, job.due = shows, self.time.now() + self.lags
        else:
            shows()

    def _show(self, job: FakeJob, word: str, ends: Callable[[], None]) -> None:
        job.status, job.ends, job.due = word, ends, self.time.now() + self.takes

    def _launch(self, job: FakeJob, resume: bool) -> None:
        restored = None
        if resume:
            newest = job.checkpoint if self.gateway and not job.imported else ""
            restored = newest or job.savepoint or None
        job.imported, job.checkpoint = False, ""
        main_class = str(job.config.get("main_class"))
        if main_class not in self.broken or not self.gateway:
            job.started = int(self.time.now() * 1000)
        if main_class in self.broken:
            job.status, job.desc = self.broken[main_class], "The program failed:\nno such thing"
            return
        last = self.savepoints[-1] if self.savepoints else None
        self.launches.append(Launch(job.name, main_class, restored, last))
        job.jid = f"{len(self.launches):032x}"
        job.status = "job_running"
        job.desc = f"Job started from {restored}" if restored and self.gateway else ""
        if not self.gateway and restored and "jobs/savepoint" in restored:
            self.alive.discard(restored)  # the service deletes it when the job starts again

    def _stop(self, job: FakeJob, saves: bool) -> None:
        if saves and self.savepoints_fail:
            job.status, job.desc = "job_running", self.savepoints_fail
            return
        if saves:
            job.checkpoint = ""
            bucket = str(job.config.get("obs_bucket") or "bucket").removeprefix("obs://")
            self._store(job, f"{bucket}/jobs/savepoint/{job.number}/{int(self.time.now())}/")
        job.status, job.desc = self.after_stop, "The job was stopped"

    def _saved(self, job: FakeJob, directory: str) -> None:
        job.status = "job_running"
        self._store(job, f"{directory.rstrip('/')}/savepoint-{len(self.savepoints):06x}/")

    def _store(self, job: FakeJob, path: str) -> None:
        self.savepoints.append(path)
        self.alive.add(path)
        self.written[path] = self.time.now()
        job.savepoint = path

    # How it is shown

    def _detail(self, job: FakeJob) -> dict[str, Any]:
        config = dict(job.config)
        config.pop("tags", None)
        nested = {k: v for k, v in config.items() if k not in TOP_LEVEL}
        if "checkpoint_mode" in nested:
            nested["checkpoint_mode"] = CHECKPOINT_MODES[nested["checkpoint_mode"]]
        if self.strips:
            for name in ("obs_bucket", "entrypoint", "checkpoint_path"):
                if isinstance(nested.get(name), str):
                    nested[name] = nested[name].removeprefix("obs://")
        nested["runtime_config"] = json.dumps(
            [
                {"key": key, "value": value}
                for key, value in {**self.options(job), "service.own": "1"}.items()
            ]
        )
        for name in ("cu_number", "manager_cu_number", "resume_max_num"):
            nested.setdefault(name, JOB_FIELDS[name].default)
        if self.nulls:
            for name in ("smn_topic", "image", "obs_bucket", "dependency_jars"):
                nested.setdefault(name, None)
        top = {k: config[k] for k in TOP_LEVEL - {"name"} if k in config}
        return {
            "job_id": job.number,
            "name": job.name,
            "job_type": JOB_TYPE,
            "status": job.status,
            "status_desc": job.desc,
            "start_time": job.started or None,
            "savepoint_path": job.savepoint or None,
            **top,
            "job_config": nested,
        }

    def _ok(self, **body: Any) -> httpx.Response:
        return httpx.Response(200, json={"is_success": self.success, "message": "", **body})

    def _no(self, message: str) -> httpx.Response:
        return httpx.Response(200, json=[{"is_success": "false", "message": message}])

    def _missing(self) -> httpx.Response:
        return _error(400, "DLI.16001", "The job does not exist")


def _error(status: int, code: str, message: str) -> httpx.Response:
    return httpx.Response(status, json={"error_code": code, "error_msg": message})
