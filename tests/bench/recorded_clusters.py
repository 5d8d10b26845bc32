"""Flink clusters that give recorded answers, and count who asks for what."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

_RUNNING = 200
_JOB = {
    "name": "somebody-elses",
    "state": "RUNNING",
    "start-time": 1795904900127,
    "end-time": -1,
    "duration": 5000,
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
_JOBS = [{"jid": f"{number:032x}", **_JOB} for number in range(1, _RUNNING + 1)]
_ANSWERS: dict[str, Any] = {
    "/config": {"flink-version": "2.3.0", "features": {"web-submit": True}},
    "/overview": {
        "taskmanagers": 4,
        "slots-total": 400,
        "slots-available": 0,
        "jobs-running": _RUNNING,
        "jobs-finished": 0,
        "jobs-cancelled": 0,
        "jobs-failed": 0,
        "flink-version": "2.3.0",
    },
    "/jobs/overview": {"jobs": _JOBS},
    "/jobs/metrics": [],
}


class RecordedClusters:
    """Clusters at addresses of their own below one server.

    Attributes:
        url: The server.
        asked: How often each was asked for something.
    """

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self._lock = Lock()
        clusters = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                clusters._answer(self)

            def log_message(self, *_words: object) -> None:
                """Write no log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def url_of(self, number: int) -> str:
        """Return the address of a cluster."""
        return f"{self.url}/cluster-{number}"

    def total(self) -> int:
        """Return how many requests have come in."""
        with self._lock:
            return self.asked.total()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        _, cluster, path = request.path.partition("?")[0].split("/", 2)
        with self._lock:
            self.asked[f"{cluster}/{path}"] += 1
        answer = _ANSWERS.get(f"/{path}")
        body = json.dumps(answer if answer is not None else {"errors": ["Not found"]}).encode()
        request.send_response(200 if answer is not None else 404)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def recorded_clusters() -> Iterator[RecordedClusters]:
    """Serve clusters for a while."""
    clusters = RecordedClusters()
    try:
        yield clusters
    finally:
        clusters.close()
