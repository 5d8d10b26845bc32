"""Record the `_metadata` files that a real Flink writes, for the contract tests.

Starts a cluster of each version that is named, one after the other:

    python -m tests.contract.flink.record_snapshots 1.17.2 1.20.5 2.0.1 2.1.1 2.3.0

The files go to `recorded/snapshots-<version>.json` beside this file, by name of the case: packed by
zlib, as base64, with what the cluster's REST API reports of the same snapshot, and what Flink's own
classes read of the file. That takes a JDK (11 or newer).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flink_jobs_provider.local.packages import fetch_flink
from tests.contract.flink.record import RECORDED
from tests.flink_cluster import FlinkCluster, release_of
from tests.job_jars import TEST_JOBS_JAR, entry_class
from tests.waiting import wait_until

_FLINK_SNAPSHOTS = Path(__file__).parent / "FlinkSnapshots.java"
#: Options have other names since 1.20, and Flink 2 knows no others; each release skips the rest.
_HEAP = {"state.backend": "hashmap", "state.backend.type": "hashmap"}
_ROCKSDB = {
    "state.backend": "rocksdb",
    "state.backend.type": "rocksdb",
    "state.backend.incremental": "true",
    "execution.checkpointing.incremental": "true",
}
_IN_FILES = {
    "state.storage.fs.memory-threshold": "0b",
    "execution.checkpointing.data-inline-threshold": "0b",
}
_CHANGELOG = {
    "state.backend.changelog.enabled": "true",
    "state.changelog.enabled": "true",
    "state.backend.changelog.periodic-materialize.interval": "200ms",
    "state.changelog.periodic-materialize.interval": "200ms",
}
_UNALIGNED = {
    "execution.checkpointing.unaligned": "true",
    "execution.checkpointing.unaligned.enabled": "true",
}
_MERGED_FILES = {"execution.checkpointing.file-merging.enabled": "true"}
_FIRST_WITH_MERGED_FILES = (1, 20)
#: What is written again in older versions of the format, by the Flink that does so. Since
#: 2.1 Flink puts the records in flight of several channels into one, which no older format has.
_OLD_FORMATS: dict[str, dict[str, tuple[int, ...]]] = {
    "2.0.1": {"unaligned-checkpoint": (2, 3, 4)},
    "2.3.0": {"rocksdb-checkpoint": (2, 3, 4, 5)},
}
#: More checkpoints than one, so that the last shares files with others.
_CHECKPOINTS = 3


@dataclass(frozen=True)
class FlinkOperator:
    """What Flink itself reads of an operator."""

    id: str
    parallelism: int
    max_parallelism: int
    subtasks: int
    finished_subtasks: int
    fully_finished: bool
    has_state: bool
    size: int

    @classmethod
    def of(cls, line: str) -> FlinkOperator:
        """Return what FlinkSnapshots.java printed in a line."""
        id_, parallelism, most, subtasks, finished, fully_finished, has_state, size = line.split()
        return cls(
            id_,
            int(parallelism),
            int(most),
            int(subtasks),
            int(finished),
            fully_finished == "true",
            has_state == "true",
            int(size),
        )


@dataclass(frozen=True)
class Recorded:
    """A recorded file, what Flink reads of it, and what the cluster reported of its snapshot."""

    metadata: bytes
    operators: tuple[FlinkOperator, ...]
    details: dict[str, Any]


def recorded(version: str) -> dict[str, Recorded]:
    """Return the recordings of a version by their cases."""
    cases = json.loads((RECORDED / f"snapshots-{version}.json").read_text("utf-8"))
    return {
        name: Recorded(
            zlib.decompress(b64decode(case["metadata"])),
            tuple(map(FlinkOperator.of, case["operators"])),
            case["details"],
        )
        for name, case in cases.items()
    }


class SnapshotRecorder:
    """Runs the job with every kind of state, and takes snapshots of it."""

    def __init__(self, cluster: FlinkCluster, directory: Path) -> None:
        self._cluster = cluster
        self._directory = directory
        self._jar = cluster.upload(TEST_JOBS_JAR)
        self.cases: dict[str, dict[str, Any]] = {}
        self._files: dict[str, Path] = {}

    def start(self, configuration: Mapping[str, str], *args: str) -> str:
        """Start the job, and return its id once all tasks run."""
        self._cluster.clear()
        self._jar = self._cluster.upload(TEST_JOBS_JAR)
        answer = self._cluster.submit(
            self._jar,
            ["--output", str(self._directory / "output"), *args],
            entryClass=entry_class("StateKinds"),
            parallelism=2,
            flinkConfiguration={
                "execution.checkpointing.interval": "1h",
                **configuration,
            },
        )
        assert answer.is_success, answer.text
        job_id: str = answer.json()["jobid"]
        wait_until(lambda: self._running(job_id), 60, f"{job_id} runs")
        return job_id

    def _tasks(self, job_id: str) -> dict[str, int]:
        tasks: dict[str, int] = self._cluster.jobs()[job_id]["tasks"]
        return tasks

    def _running(self, job_id: str) -> bool:
        tasks = self._tasks(job_id)
        return tasks["running"] + tasks["finished"] == tasks["total"]

    def end_source(self, job_id: str) -> None:
        """Take the checkpoint that the tasks of an ended source wait for before they finish."""
        self._taken(job_id, "checkpoints", {"checkpointType": "CONFIGURED"})
        wait_until(lambda: self._tasks(job_id)["finished"], 60, "one source has ended")

    def checkpoint(self, name: str, job_id: str) -> None:
        """Take checkpoints, and keep the last."""
        for _ in range(_CHECKPOINTS):
            taken = self._taken(job_id, "checkpoints", {"checkpointType": "CONFIGURED"})
        self._keep(name, job_id, taken["checkpointId"])

    def savepoint(self, name: str, job_id: str, format_: str) -> None:
        """Take a savepoint, and keep it."""
        directory = str(self._directory / "savepoints")
        body = {"target-directory": directory, "formatType": format_}
        self._keep_savepoint(name, job_id, self._taken(job_id, "savepoints", body))

    def stop(self, name: str, job_id: str, *, drain: bool) -> None:
        """Stop the job with a savepoint, and keep that."""
        directory = str(self._directory / "savepoints")
        body = {"targetDirectory": directory, "drain": drain}
        taken = self._taken(job_id, "stop", body, "savepoints")
        self._cluster.await_state(job_id, "FINISHED")
        self._keep_savepoint(name, job_id, taken)

    def _taken(
        self, job_id: str, path: str, body: dict[str, Any], results: str = ""
    ) -> dict[str, Any]:
        """Request a snapshot, and return how that ended."""
        answer = self._cluster.rest.post(f"/jobs/{job_id}/{path}", json=body)
        request = answer.raise_for_status().json()["request-id"]

        def done() -> dict[str, Any]:
            found = self._cluster.get(f"/jobs/{job_id}/{results or path}/{request}")
            operation: dict[str, Any] = found.get("operation") or {}
            assert not {"failure-cause", "failureCause"} & set(operation), found
            return operation

        return wait_until(done, 120, f"{path} of {job_id}")

    def _keep_savepoint(self, name: str, job_id: str, taken: dict[str, Any]) -> None:
        def number() -> int:
            history = self._cluster.get(f"/jobs/{job_id}/checkpoints")["history"]
            rows = [row for row in history if row.get("external_path") == taken["location"]]
            return int(rows[0]["id"]) if rows else 0

        self._keep(name, job_id, wait_until(number, 60, f"{taken} shows"))

    def _keep(self, name: str, job_id: str, number: int) -> None:
        details = self._cluster.get(f"/jobs/{job_id}/checkpoints/details/{number}")
        file = Path(details["external_path"].removeprefix("file:")) / "_metadata"
        kept = ("id", "is_savepoint", "savepointFormat", "state_size")
        self.cases[name] = {
            "details": {
                **{key: details.get(key) for key in kept},
                "tasks": {key: task["state_size"] for key, task in details["tasks"].items()},
            }
        }
        self._add(name, file.read_bytes())

    def write_old(self, name: str, version: int) -> None:
        """Keep a snapshot again, as Flink writes it in an older version of the format."""
        old = self._directory / "old"
        flink_snapshots(
            self._cluster.version, "write", str(version), str(self._files[name]), str(old)
        )
        self.cases[f"{name}-v{version}"] = {"details": self.cases[name]["details"]}
        self._add(f"{name}-v{version}", old.read_bytes())

    def _add(self, name: str, metadata: bytes) -> None:
        self.cases[name]["metadata"] = b64encode(zlib.compress(metadata, 9)).decode()
        directory = self._directory / "files" / name
        directory.mkdir(parents=True)
        self._files[name] = directory / "_metadata"
        self._files[name].write_bytes(metadata)

    def read_by_flink(self) -> None:
        """Add to each case what Flink reads of its operators."""
        printed = flink_snapshots(self._cluster.version, "read", *map(str, self._files.values()))
        for name in self.cases:
            self.cases[name]["operators"] = []
        names = list(self._files)
        for line in printed.splitlines():
            number, _, operator = line.partition(" ")
            self.cases[names[int(number)]]["operators"].append(operator)


def flink_snapshots(version: str, *args: str) -> str:
    """Run FlinkSnapshots.java with the classes of a release, and return what it prints."""
    libraries = fetch_flink(version) / "lib" / "*"
    command = ["java", "-cp", str(libraries), str(_FLINK_SNAPSHOTS), *args]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def record(recorder: SnapshotRecorder, version: str) -> None:
    """Take a snapshot of each kind."""
    job = recorder.start(_HEAP, "--ended-source", "1")
    recorder.end_source(job)
    recorder.checkpoint("heap-checkpoint", job)
    recorder.savepoint("heap-savepoint", job, "CANONICAL")
    recorder.stop("heap-stop", job, drain=False)
    job = recorder.start({**_HEAP, **_IN_FILES})
    recorder.checkpoint("heap-files-checkpoint", job)
    recorder.savepoint("heap-native-savepoint", job, "NATIVE")
    recorder.stop("heap-drained", job, drain=True)
    job = recorder.start({**_ROCKSDB, **_IN_FILES})
    recorder.checkpoint("rocksdb-checkpoint", job)
    recorder.savepoint("rocksdb-savepoint", job, "CANONICAL")
    recorder.savepoint("rocksdb-native-savepoint", job, "NATIVE")
    job = recorder.start({**_HEAP, **_CHANGELOG})
    recorder.checkpoint("changelog-checkpoint", job)
    job = recorder.start({**_ROCKSDB, **_CHANGELOG, **_IN_FILES})
    recorder.checkpoint("changelog-files-checkpoint", job)
    # As many records as the channels hold, before an operator that takes one in 20 ms.
    job = recorder.start(_UNALIGNED, "--rate", "100000", "--pause-millis", "20")
    recorder.checkpoint("unaligned-checkpoint", job)
    if release_of(version) >= _FIRST_WITH_MERGED_FILES:
        job = recorder.start({**_ROCKSDB, **_IN_FILES, **_MERGED_FILES})
        recorder.checkpoint("merged-files-checkpoint", job)
    for name, formats in _OLD_FORMATS.get(version, {}).items():
        for old in formats:
            recorder.write_old(name, old)
    recorder.read_by_flink()


def main() -> None:
    """Record, and write the files."""
    for version in sys.argv[1:]:
        with tempfile.TemporaryDirectory(prefix="flink-") as name:
            directory = Path(name)
            changes = {
                "web.refresh-interval": "100",
                "state.backend.changelog.storage": "filesystem",
                "state.changelog.storage": "filesystem",
                "dstl.dfs.base-path": f"file://{directory}/changelog",
                "execution.checkpointing.externalized-checkpoint-retention": (
                    "RETAIN_ON_CANCELLATION"
                ),
            }
            cluster = FlinkCluster(directory, version, slots=4, configuration=changes)
            try:
                recorder = SnapshotRecorder(cluster, directory)
                record(recorder, version)
            finally:
                cluster.close()
        path = RECORDED / f"snapshots-{version}.json"
        path.write_text(json.dumps(recorder.cases, indent=1) + "\n", encoding="utf-8")
        sys.stdout.write(f"{path.name}: {len(recorder.cases)} snapshots\n")


if __name__ == "__main__":
    main()
