"""A Flink REST API that answers as it is told, over httpx.MockTransport."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.flink.client import open_client
from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.control_planes.protocol import Submission
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import FlinkTarget
from tests.unit.model.made_up_jobs import DIGEST_1, URL, spec
from tests.unit.reconciling.fake_clock import FakeClock

VERSIONS = ("1.20.5", "2.3.0")
JOB_ID = f"{5:032x}"
IDENTITY = JOB_ID[:18]
_RECORDED = Path(__file__).parent / "recorded"

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


def recorded(name: str, version: str = "2.3.0") -> httpx.Response:
    """Return what a real Flink answered in a case that `record.py` names."""
    answer = _answers(version)[name]
    return httpx.Response(answer["status"], json=answer["body"])


@cache
def _answers(version: str) -> Any:
    return json.loads((_RECORDED / f"flink-{version}.json").read_text(encoding="utf-8"))


def ok(**body: Any) -> httpx.Response:
    """Return a 200 with a JSON body."""
    return httpx.Response(200, json=body)


ADAPTIVE = httpx.Response(200, json=[{"key": "jobmanager.scheduler", "value": "Adaptive"}])


@dataclass(frozen=True)
class Sent:
    """A request that was received."""

    method: str
    path: str
    body: Any


class ScriptedFlink:
    """Answers each request by the next of the answers given for it; the last is repeated.

    Attributes:
        sent: All requests so far.

    """

    def __init__(self, version: str = "2.3.0") -> None:
        self.clock = FakeClock()
        self.sent: list[Sent] = []
        self._answers: dict[str, list[Answer]] = defaultdict(list)
        self.answer("GET config", ok(**{"flink-version": version}))
        self.answer("GET jobmanager/config", httpx.Response(200, json=[]))
        self.answer("GET jobs/overview", ok(jobs=[]))
        name = f"orders-{IDENTITY}-{DIGEST_1[:32]}.jar"
        self.answer("GET jars", ok(files=[{"id": "uuid_orders.jar", "name": name}]))

    def answer(self, request: str, *answers: Answer) -> None:
        """Say how a request, such as "GET config", is answered from now on."""
        self._answers[request] = list(answers)

    def changes(self) -> list[str]:
        """Return what was sent to change something, as "POST path"."""
        return [f"{sent.method} {sent.path}" for sent in self.sent if sent.method != "GET"]

    def count(self, request: str) -> int:
        """Return how often a request was received."""
        return sum(f"{sent.method} {sent.path}" == request for sent in self.sent)

    def plane(self, guard: Callable[[], None] = lambda: None, **target: Any) -> FlinkRest:
        """Return the control plane under test, connected to this."""
        where = FlinkTarget.model_validate({"url": URL, **target})
        secrets = {"env:PASSWORD": "hunter2", "config:token": "abc"}
        client = open_client(where, secrets.__getitem__, httpx.MockTransport(self._handle))
        return FlinkRest(client, guard, self.clock.now, self.clock.sleep)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().lstrip("/")
        text = request.read()
        is_json = "json" in request.headers.get("content-type", "")
        self.sent.append(Sent(request.method, path, json.loads(text) if is_json else text))
        answers = self._answers.get(f"{request.method} {path}")
        if not answers:
            return recorded("unknown-trigger")  # a 404 of Flink's own
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            # A response can be read once; repeated answers are copies.
            return httpx.Response(
                answer.status_code, content=answer.content, headers=answer.headers
            )
        return answer(request)


def submission(**changes: Any) -> Submission:
    """Return a submission of the job `orders`."""
    inputs: dict[str, Any] = {
        "entry_class": "shop.Main",
        "args": ["--a", "b c", ""],
        "parallelism": 3,
        "flink_configuration": {"k": "v"},
    }
    for name in changes.keys() & JobSpec.model_fields.keys() - {"jar", "restore_from"}:
        inputs[name] = changes.pop(name)
    values: dict[str, Any] = {"job_id": JOB_ID, "jar": DIGEST_1, "restore_from": None}
    return Submission(spec=spec(**inputs), **(values | changes))


def jar_file(directory: Path, digest: str = "2" * 64) -> Jar:
    """Return a jar that is not yet on the cluster."""
    path = directory / "orders.jar"
    path.write_bytes(b"content of the jar")
    return Jar("orders.jar", path, digest, "shop.Main")
