"""Record what a real Flink reports of the health of jobs, for the contract tests.

Needs a running session cluster without jobs, such as one of `flink-jobs local up`:

    python -m tests.contract.flink.record_metrics http://127.0.0.1:8081 <its directory>

The answers go to `recorded/metrics-<version>.json` beside this file, by name of the case.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.contract.flink.record import RECORDED, Recorder
from tests.job_jars import COUNTING_JAR, TEST_JOBS_JAR, entry_class
from tests.waiting import wait_until

#: Jobs of the recordings: one that counts, and one that fails and is restarted again and again.
COUNTING, RESTARTED, UNKNOWN = f"{5:032x}", f"{8:032x}", f"{77:032x}"
VERTEX_METRICS = (
    *("busyTimeMsPerSecond", "backPressuredTimeMsPerSecond", "idleTimeMsPerSecond"),
    *("numRecordsInPerSecond", "numRecordsOutPerSecond"),
)
JOB_METRICS = ("numRestarts", "numberOfFailedCheckpoints", "numberOfCompletedCheckpoints")
METASPACE = ("Status.JVM.Memory.Metaspace.Used", "Status.JVM.Memory.Metaspace.Max")
ALL = "agg=min,max,sum,avg"


def record(recorder: Recorder) -> None:
    """Send all requests whose answers the contract tests know."""
    recorder.record("config", "GET", "/config")
    _run(recorder, COUNTING_JAR, COUNTING, ["--rate", "200", "--checkpoint-interval", "500"])
    failing = ["--fail-after-millis", "1000", "--restarts", "1000"]
    _run(recorder, TEST_JOBS_JAR, RESTARTED, failing, entryClass=entry_class("FailingTask"))
    vertices = _vertices(recorder)
    wait_until(lambda: _busy(recorder, vertices), 60, "the metrics of all vertices are gathered")
    wait_until(lambda: _restarts(recorder) >= 2, 60, "the job was restarted")
    _aggregates(recorder)
    recorder.record("detail", "GET", f"/jobs/{COUNTING}")
    recorder.record("checkpoints", "GET", f"/jobs/{COUNTING}/checkpoints")
    recorder.record("checkpoints-config", "GET", f"/jobs/{COUNTING}/checkpoints/config")
    recorder.record("exceptions", "GET", f"/jobs/{RESTARTED}/exceptions?maxExceptions=16")
    for number, vertex in enumerate(vertices):
        path = f"/jobs/{COUNTING}/vertices/{vertex}/subtasks/metrics"
        names = [row["id"] for row in recorder.record(f"vertex-{number}-names", "GET", path)]
        operators = [each for each in names if each.startswith("Source__") and "PerSec" in each]
        wanted = ",".join((*VERTEX_METRICS, *sorted(operators)))
        recorder.record(f"vertex-{number}", "GET", f"{path}?get={wanted}&{ALL}")
        watermark = f"{path}?get=currentInputWatermark&{ALL}"
        recorder.record(f"vertex-{number}-watermark", "GET", watermark)
    nowhere = f"/jobs/{COUNTING}/vertices/{UNKNOWN}/subtasks/metrics"
    recorder.record("unknown-vertex", "GET", nowhere)
    recorder.record("overview", "GET", "/overview")
    recorder.record("jobs-overview", "GET", "/jobs/overview")
    metaspace = ",".join(METASPACE)
    recorder.record("taskmanagers", "GET", f"/taskmanagers/metrics?get={metaspace}&{ALL}")
    recorder.record("jobmanager", "GET", f"/jobmanager/metrics?get={metaspace}")
    _ended(recorder)


def _run(recorder: Recorder, jar: Path, job_id: str, args: list[str], **body: Any) -> None:
    words = ["--output", tempfile.mkdtemp(), *args]
    body = {"programArgsList": words, "jobId": job_id, "parallelism": 2, **body}
    answer = recorder.send("POST", f"/jars/{recorder.upload(jar)}/run", json=body)
    assert answer.is_success, answer.text
    wait_until(lambda: recorder.state(job_id) in ("RUNNING", "RESTARTING"), 60, "the job runs")


def _vertices(recorder: Recorder) -> list[str]:
    rows = recorder.send("GET", f"/jobs/{COUNTING}").json()["vertices"]
    return [str(row["id"]) for row in rows]


def _busy(recorder: Recorder, vertices: list[str]) -> bool:
    wanted = f"subtasks/metrics?get={','.join(VERTEX_METRICS)}"
    return all(
        recorder.send("GET", f"/jobs/{COUNTING}/vertices/{each}/{wanted}").json()
        for each in vertices
    )


def _restarts(recorder: Recorder) -> float:
    rows = recorder.send("GET", f"/jobs/{RESTARTED}/metrics?get=numRestarts").json()
    return float(rows[0]["value"]) if rows else 0.0


def _aggregates(recorder: Recorder) -> None:
    wanted = ",".join(JOB_METRICS)
    recorder.record("names", "GET", "/jobs/metrics")
    recorder.record("aggregated", "GET", f"/jobs/metrics?get={wanted}&{ALL}")
    recorder.record("aggregated-default", "GET", f"/jobs/metrics?get={wanted}")
    for name, jobs in {"of-one": COUNTING, "of-unknown": UNKNOWN}.items():
        recorder.record(
            f"aggregated-{name}", "GET", f"/jobs/metrics?get={wanted}&{ALL}&jobs={jobs}"
        )
    recorder.record("missing", "GET", f"/jobs/metrics?get=numRestarts,noSuchMetric&{ALL}")
    recorder.record("one-job", "GET", f"/jobs/{RESTARTED}/metrics?get={wanted},noSuchMetric")


def _ended(recorder: Recorder) -> None:
    recorder.send("PATCH", f"/jobs/{RESTARTED}?mode=cancel")
    wait_until(lambda: recorder.state(RESTARTED) == "CANCELED", 60, "the job has ended")
    wanted = f"/jobs/metrics?get=numRestarts&{ALL}"
    recorder.record("ended", "GET", f"{wanted}&jobs={RESTARTED}")
    recorder.record("all-after-one-ended", "GET", wanted)
    recorder.send("PATCH", f"/jobs/{COUNTING}?mode=cancel")


def main() -> None:
    """Record, and write the file."""
    url, directory = sys.argv[1:]
    recorder = Recorder(url, directory)
    record(recorder)
    version = recorder.answers["config"]["body"]["flink-version"]
    path = RECORDED / f"metrics-{version}.json"
    path.write_text(json.dumps(recorder.answers, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{path.name}: {len(recorder.answers)} answers\n")


if __name__ == "__main__":
    main()
