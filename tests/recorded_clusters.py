"""Flink clusters that give recorded answers, and count who asks for what."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

_JOB: dict[str, Any] = {
    "name": "orders",
    "state": "RUNNING",
    "start-time": 1795904900127,
    "end-time": -1,
    "duration": 3_605_000,
    "last-modification": 1795904905127,
    "tasks": {
        **dict.fromkeys(
            ("created", "scheduled", "deploying", "finished", "canceling", "canceled"), 0
        ),
        **dict.fromkeys(("failed", "reconciling", "initializing"), 0),
        "total": 2,
        "running": 2,
    },
}
_ANSWERS: dict[str, Any] = {
    "config": {"flink-version": "2.3.0", "features": {"web-submit": True}},
    "overview": {
        "taskmanagers": 4,
        "slots-total": 400,
        "slots-available": 0,
        "jobs-running": 200,
        "jobs-finished": 0,
        "jobs-cancelled": 0,
        "jobs-failed": 0,
        "flink-version": "2.3.0",
    },
    "jobs/metrics": [],
}
#: Of each job.
_CHECKPOINTS: dict[str, Any] = {
    "checkpoints": {
        "counts": {"completed": 0, "failed": 0, "in_progress": 0},
        "history": [],
        "latest": {},
    },
    "checkpoints/config": {"mode": "exactly_once", "interval": 60_000, "timeout": 600_000},
}


def job_id_of(number: int) -> str:
    """Return the jobId of a job, by its number: that of its first submission."""
    return f"{number:018x}{1:06x}{0:08x}"


class RecordedClusters:
    """Clusters at addresses of their own below one server.

    Args:
        clusters: How many there are, the first one, which is not served here, among them.
        jobs: How many jobs run on all of them, in turn.

    Attributes:
        url: The server.
        asked: How often each was asked for something.
    """

    def __init__(self, clusters: int, jobs: int) -> None:
        self.asked: Counter[str] = Counter()
        self._lock = Lock()
        self._jobs: dict[str, dict[int, dict[str, Any]]] = {
            f"cluster-{cluster}": {
                number: {"jid": job_id_of(number), **_JOB}
                for number in range(cluster, jobs, clusters)
            }
            for cluster in range(1, clusters)
        }
        self._clusters = clusters
        self._lists = {key: self._list(key) for key in self._jobs}
        recorded = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                recorded._answer(self)

            def log_message(self, *_words: object) -> None:
                """Write no log."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def url_of(self, cluster: int) -> str:
        """Return the address of a cluster."""
        return f"{self.url}/cluster-{cluster}"

    def total(self) -> int:
        """Return how many requests have come in."""
        with self._lock:
            return self.asked.total()

    def let_run(self, number: int, tasks: int) -> None:
        """Let so many of the two tasks of a job run from now on."""
        key = f"cluster-{number % self._clusters}"
        with self._lock:
            job = self._jobs[key][number]
            self._jobs[key][number] = {**job, "tasks": {**job["tasks"], "running": tasks}}
            self._lists[key] = self._list(key)

    def _list(self, key: str) -> bytes:
        return json.dumps({"jobs": list(self._jobs[key].values())}).encode()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        _, cluster, path = request.path.partition("?")[0].split("/", 2)
        status = 200
        with self._lock:
            self.asked[f"{cluster}/{path}"] += 1
            body = self._lists[cluster] if path == "jobs/overview" else b""
        if not body:
            known = _ANSWERS.get(path, _CHECKPOINTS.get(path.partition("/")[2].partition("/")[2]))
            status = 404 if known is None else 200
            body = json.dumps({"errors": ["Not found"]} if known is None else known).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Write nothing of a client that has gone."""


@contextmanager
def recorded_clusters(clusters: int, jobs: int) -> Iterator[RecordedClusters]:
    """Serve clusters for a while."""
    recorded = RecordedClusters(clusters, jobs)
    try:
        yield recorded
    finally:
        recorded.close()
