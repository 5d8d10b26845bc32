"""Record what a real Flink answers, for the contract tests.

Needs a running session cluster without jobs, such as one of `flink-jobs local up`:

    python -m tests.contract.flink.record http://127.0.0.1:8081 <its directory>

The answers go to `recorded/flink-<version>.json` beside this file, by name of the case. Paths of
the machine are replaced, and stack traces cut to a few frames; nothing else is changed.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.job_jars import COUNTING_JAR, TEST_JOBS_JAR, entry_class
from tests.waiting import wait_until

RECORDED = Path(__file__).parent / "recorded"
_FRAMES = 2


class Recorder:
    """Sends requests to a cluster and keeps the answers."""

    def __init__(self, url: str, directory: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=60, trust_env=False)
        self._replaced = {directory: "/flink", str(tempfile.gettempdir()): "/tmp"}
        self.answers: dict[str, Any] = {}

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request that is not recorded."""
        return self._http.request(method, path, **options)

    def record(self, name: str, method: str, path: str, **options: Any) -> Any:
        """Send a request, keep the answer under a name, and return its body."""
        response = self.send(method, path, **options)
        self._keep(name, response)
        return response.json()

    def poll(self, name: str, path: str, done: Callable[[Any], bool]) -> Any:
        """Repeat a GET until its body is as it should be; keep that one."""
        seen: list[httpx.Response] = []

        def is_done() -> bool:
            seen.append(self.send("GET", path))
            return done(seen[-1].json())

        wait_until(is_done, 60, name)
        self._keep(name, seen[-1])
        return seen[-1].json()

    def upload(self, jar: Path, name: str | None = None) -> str:
        """Upload a jar and return its id."""
        part = {"jarfile": (jar.name, jar.read_bytes(), "application/x-java-archive")}
        response = self.send("POST", "/jars/upload", files=part)
        if name:
            self._keep(name, response)
        return str(response.json()["filename"]).rsplit("/", 1)[-1]

    def running(self, job_id: str) -> bool:
        """Whether all tasks of a job run."""
        rows = {row["jid"]: row for row in self.send("GET", "/jobs/overview").json()["jobs"]}
        tasks = rows[job_id]["tasks"]
        return bool(tasks["running"] == tasks["total"] > 0)

    def state(self, job_id: str) -> str:
        """Return Flink's word for how a job is."""
        rows = {row["jid"]: row for row in self.send("GET", "/jobs/overview").json()["jobs"]}
        return str(rows[job_id]["state"])

    def _keep(self, name: str, response: httpx.Response) -> None:
        text = response.text
        for path, instead in self._replaced.items():
            text = text.replace(path, instead)
        self.answers[name] = {"status": response.status_code, "body": _cut(json.loads(text))}


def _cut(value: Any) -> Any:
    """Cut stack traces to a few frames each; all else stays."""
    if isinstance(value, dict):
        return {key: _cut(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_cut(item) for item in value]
    if not isinstance(value, str) or "\n\tat " not in value:
        return value
    return re.sub(rf"((?:\n\tat [^\n]*){{{_FRAMES}}})(?:\n\tat [^\n]*)+", r"\1", value)


def _id(number: int) -> str:
    return f"{number:032x}"


def record(recorder: Recorder) -> None:
    """Send all requests whose answers the contract tests know."""
    output = tempfile.mkdtemp()
    args = ["--output", output]
    config = recorder.record("config", "GET", "/config")
    assert config["flink-version"]
    recorder.record("jobmanager-config", "GET", "/jobmanager/config")
    options = recorder.answers["jobmanager-config"]
    options["body"] = [row for row in options["body"] if "points.dir" in row["key"]]
    jar = recorder.upload(COUNTING_JAR, "upload")
    jobs = recorder.upload(TEST_JOBS_JAR)
    recorder.record("jars", "GET", "/jars")
    recorder.record("delete-unknown-jar", "DELETE", "/jars/nothing.jar")
    recorder.record("plan", "POST", f"/jars/{jar}/plan", json={"programArgsList": args})

    def run(name: str, jar_id: str, number: int, **body: Any) -> None:
        body = {"programArgsList": args, "jobId": _id(number), **body}
        recorder.record(name, "POST", f"/jars/{jar_id}/run", json=body)

    run("bad-entry-class", jar, 1, entryClass="no.such.Main")
    run("main-throws", jobs, 2, entryClass=entry_class("ThrowingMain"))
    run("unknown-jar", "nothing.jar", 3)
    run("savepoint-missing", jar, 4, savepointPath="file:///nothing/here")
    run("accepted", jar, 5)
    wait_until(lambda: recorder.running(_id(5)), 60, "the job runs")
    recorder.record("overview", "GET", "/jobs/overview")
    run("duplicate-running", jar, 5)
    recorder.record("detail", "GET", f"/jobs/{_id(5)}")
    recorder.record("checkpoints-config", "GET", f"/jobs/{_id(5)}/checkpoints/config")
    recorder.record("unknown-trigger", "GET", f"/jobs/{_id(5)}/savepoints/{_id(99)}")
    _savepoints(recorder)
    run("duplicate-ended", jar, 5)
    _unknown_job(recorder)
    _failing(recorder, run, jobs)


def _savepoints(recorder: Recorder) -> None:
    job = f"/jobs/{_id(5)}"
    body: dict[str, Any] = {"triggerId": _id(50), "cancel-job": False, "formatType": "CANONICAL"}
    recorder.record("savepoint-accepted", "POST", f"{job}/savepoints", json=body)
    over = lambda answer: answer["status"]["id"] == "COMPLETED"  # noqa: E731 - said thrice
    taken = recorder.poll("savepoint-completed", f"{job}/savepoints/{_id(50)}", over)
    checkpoint = {"checkpointType": "CONFIGURED", "triggerId": _id(51)}
    recorder.record("checkpoint-accepted", "POST", f"{job}/checkpoints", json=checkpoint)
    recorder.poll("checkpoint-completed", f"{job}/checkpoints/{_id(51)}", over)
    body = {"triggerId": _id(52), "drain": False, "formatType": "CANONICAL"}
    recorder.record("stop-accepted", "POST", f"{job}/stop", json=body)
    recorder.poll("stop-completed", f"{job}/savepoints/{_id(52)}", over)
    wait_until(lambda: recorder.state(_id(5)) == "FINISHED", 60, "the job has stopped")
    recorder.record("cancel-ended", "PATCH", f"{job}?mode=cancel")
    body = {"triggerId": _id(53), "drain": False, "formatType": "CANONICAL"}
    recorder.record("stop-ended-job", "POST", f"{job}/stop", json=body)
    recorder.poll("stop-ended-job-failed", f"{job}/savepoints/{_id(53)}", over)
    stopped = "SYNC_SAVEPOINT"
    recorder.poll(
        "statistics-stopped",
        f"{job}/checkpoints",
        lambda answer: (answer["latest"]["savepoint"] or {}).get("checkpoint_type") == stopped,
    )
    _disposals(recorder, taken["operation"]["location"])


def _disposals(recorder: Recorder, savepoint: str) -> None:
    """Dispose of a savepoint, then once more, and of one in a store that Flink does not know."""
    over = lambda answer: answer["status"]["id"] == "COMPLETED"  # noqa: E731 - said thrice
    for name, path in {
        "disposal": savepoint,
        "disposal-repeated": savepoint,
        "disposal-elsewhere": "s3://bucket/savepoint-1",
    }.items():
        body = {"savepoint-path": path}
        sent = recorder.record(f"{name}-accepted", "POST", "/savepoint-disposal", json=body)
        recorder.poll(f"{name}-completed", f"/savepoint-disposal/{sent['request-id']}", over)
    recorder.record("unknown-disposal", "GET", f"/savepoint-disposal/{_id(99)}")


def _unknown_job(recorder: Recorder) -> None:
    for name, path in {
        "unknown-job": "",
        "unknown-job-statistics": "/checkpoints",
        "unknown-job-statistics-config": "/checkpoints/config",
        "unknown-job-exceptions": "/exceptions?maxExceptions=1",
    }.items():
        recorder.record(name, "GET", f"/jobs/{_id(77)}{path}")
    recorder.record("cancel-unknown", "PATCH", f"/jobs/{_id(77)}?mode=cancel")


def _failing(recorder: Recorder, run: Callable[..., None], jobs: str) -> None:
    run("batch-accepted", jobs, 7, entryClass=entry_class("BatchJob"))
    recorder.record("statistics-batch", "GET", f"/jobs/{_id(7)}/checkpoints")
    recorder.record("checkpoints-config-batch", "GET", f"/jobs/{_id(7)}/checkpoints/config")
    run("failing-accepted", jobs, 8, entryClass=entry_class("FailingTask"))
    wait_until(
        lambda: recorder.send("GET", f"/jobs/{_id(8)}/exceptions?maxExceptions=1").json()[
            "exceptionHistory"
        ]["entries"],
        60,
        "the task has failed",
    )
    recorder.record("exceptions", "GET", f"/jobs/{_id(8)}/exceptions?maxExceptions=1")
    for number in (7, 8):
        recorder.send("PATCH", f"/jobs/{_id(number)}?mode=cancel")


def main() -> None:
    """Record, and write the file."""
    url, directory = sys.argv[1:]
    recorder = Recorder(url, directory)
    record(recorder)
    RECORDED.mkdir(exist_ok=True)
    version = recorder.answers["config"]["body"]["flink-version"]
    path = RECORDED / f"flink-{version}.json"
    path.write_text(json.dumps(recorder.answers, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{path.name}: {len(recorder.answers)} answers\n")


if __name__ == "__main__":
    main()
