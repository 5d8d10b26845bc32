"""The REST API of the Flink in memory, as far as pages look at it."""

from __future__ import annotations

import json
from typing import Any

import httpx

from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.target import FlinkTarget
from tests.contract.flink.scripted import ScriptedFlink, Sent, ok
from tests.unit.reconciling.flink.fake_flink import FakeFlink

NOW = 1_800_000_000_000


class SeenFlink(ScriptedFlink):
    """Lists the jobs of the Flink in memory; what a test adds of one is shown of it.

    Attributes:
        away: Whether nothing is answered.
    """

    def __init__(self, flink: FakeFlink) -> None:
        super().__init__()
        self._flink = flink
        self.away = False
        self._restarts: dict[str, int] = {}
        self.strangers: list[dict[str, Any]] = []
        self.answer("GET jobs/overview", lambda _: ok(jobs=self._rows()))
        overview = {"slots-total": 8, "slots-available": 5, "taskmanagers": 2}
        self.answer("GET overview", ok(**overview, **{"flink-version": "2.3.0"}))

    def of(self, _target: FlinkTarget) -> FlinkRest:
        """Return the control plane of it."""
        return self.plane()

    def job(self, job_id: str, since: int = NOW - 60_000, **details: Any) -> None:
        """Say what the cluster shows of a job."""
        body = {"now": NOW, "vertices": [], "timestamps": {"RUNNING": since}, **details}
        self.answer(f"GET jobs/{job_id}", ok(**body))

    def vertex(self, job_id: str, name: str, **metrics: float) -> None:
        """Give a job one vertex, a source, with metrics."""
        node = {"id": "a", "description": name, "parallelism": 2}
        row = {"id": "a", "name": name, "parallelism": 2, "maxParallelism": 128}
        self.job(job_id, vertices=[{**row, "tasks": {"RUNNING": 2}}], plan={"nodes": [node]})
        path = f"GET jobs/{job_id}/vertices/a/subtasks/metrics"
        self.answer(path, _list([{"id": each} for each in metrics]))
        names = ",".join(sorted(metrics))
        values = [
            {"id": each, **dict.fromkeys(("min", "max", "sum", "avg"), value)}
            for each, value in metrics.items()
        ]
        self.answer(f"{path}?get={names}&agg=min,max,sum,avg", _list(values))

    def restarts(self, job_id: str, number: int) -> None:
        """Say how often a job was restarted."""
        self.answer(f"GET jobs/{job_id}/metrics", _list([{"id": "numRestarts"}]))
        path = f"GET jobs/{job_id}/metrics?get=fullRestarts,numRescales,numRestarts"
        self.answer(path, _list([{"id": "numRestarts", "value": str(number)}]))

    def all_restarts(self, **numbers: int) -> None:
        """Say how often each job was restarted, by jobId, as one request for all of them does."""
        self.answer("GET jobs/metrics", _list([{"id": "numRestarts"}]))
        self._restarts = numbers

    def exceptions(self, job_id: str, *entries: dict[str, Any]) -> None:
        """Say what a job failed of."""
        path = f"GET jobs/{job_id}/exceptions?maxExceptions=16"
        self.answer(path, ok(exceptionHistory={"entries": list(entries)}))

    def checkpoints(self, job_id: str, *history: dict[str, Any], **settings: Any) -> None:
        """Say which checkpoints a job has taken, the newest first, and how it is set to."""
        done = [each for each in history if each["status"] == "COMPLETED"]
        counts = {"completed": len(done), "failed": len(history) - len(done), "in_progress": 0}
        path = f"GET jobs/{job_id}/checkpoints"
        self.answer(path, ok(counts=counts, history=list(history), latest={}))
        given = {"mode": "exactly_once", "interval": 60_000, "timeout": 600_000, **settings}
        self.answer(f"{path}/config", ok(**given))

    def _rows(self) -> list[dict[str, Any]]:
        return [_row(job.row()) for job in self._flink.jobs_by_id.values()] + self.strangers

    def _handle(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("refused")
        path = request.url.raw_path.decode().lstrip("/")
        prefix = "jobs/metrics?get=numRestarts&agg=min,max,sum,avg&jobs="
        if path.startswith(prefix) and self._restarts:
            self.sent.append(Sent("GET", path, None))
            found = [self._restarts[each] for each in path.removeprefix(prefix).split(",")]
            total = {"sum": sum(found), "avg": sum(found) / len(found)}
            return _list([{"id": "numRestarts", "min": min(found), "max": max(found), **total}])
        return super()._handle(request)


def checkpoint(number: int, status: str = "COMPLETED", **more: Any) -> dict[str, Any]:
    """Return a checkpoint of a history, which began a minute before now and took 1.5 s."""
    return {
        "id": number,
        "status": status,
        "is_savepoint": False,
        "trigger_timestamp": NOW - 60_000,
        "end_to_end_duration": 1500,
        "state_size": 3 * 2**20,
        **more,
    }


def _row(job: ObservedJob) -> dict[str, Any]:
    ended = not job.active
    return {
        "jid": job.job_id,
        "name": job.name,
        "state": job.state,
        "start-time": NOW - 60_000,
        "end-time": NOW if ended else -1,
        "duration": 60_000,
        "last-modification": job.modified or NOW - 50_000,
        "tasks": {
            "total": job.tasks,
            "running": job.running_tasks,
            "finished": job.finished_tasks,
        },
    }


def _list(body: list[Any]) -> httpx.Response:
    return httpx.Response(
        200, content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
