"""A stack with one CountingJob behind a fault proxy: its versions, its runs, and what must hold."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from tests.counting_output import Counts, assert_counts_continuous
from tests.fault_proxy import FaultProxy, Rule, Verdict
from tests.flink_cluster import FlinkCluster
from tests.job_jars import COUNTING_JAR, copy_with_other_bytes
from tests.processes import command_of
from tests.stack_project import Finished, StackProject
from tests.waiting import wait_until

NAME = "counted"
#: Killed commands end at once; one that reaches no point where it is killed is seen to fail.
_COMMAND_TIMEOUT_S = 120.0


class Victims(Enum):
    """Which processes of a run are killed."""

    ENGINE_AND_PROVIDER = "engine and provider"
    ENGINE = "engine"
    """The provider process lives on, and gets its answer."""


class CountedJob:
    """One job whose every version has another jar and another label in its output.

    Args:
        project: Its stack, empty.
        proxy: What the stack takes for the cluster.
        cluster: The cluster itself.
        directory: For jars and output; empty.

    Attributes:
        inputs: Of the job, to be edited.
        settled: Whether the job was seen to be as it should, and nothing was done to it since.

    """

    def __init__(
        self, project: StackProject, proxy: FaultProxy, cluster: FlinkCluster, directory: Path
    ) -> None:
        self.project = project
        self.proxy = proxy
        self.cluster = cluster
        self.directory = directory
        self.version = self._latest = 0
        self.settled = False
        self.orphans: list[int] = []
        self._sent_before_the_kill = 0
        self._savepoints: set[Path] = set()
        self.inputs = project.declare(NAME, parallelism=1, jar=str(directory / "job.jar"))
        directory.mkdir(parents=True, exist_ok=True)

    # Versions

    def next_version(
        self, *, fresh_output: bool = False, same_jar: bool = False, **inputs: Any
    ) -> None:
        """Declare another version; with `fresh_output` one that counts from the beginning."""
        self._latest += 1
        if fresh_output or self._latest == 1:
            self._output = self.directory / f"output-{self._latest}"
        self.declare(self._latest, same_jar=same_jar, **inputs)

    def declare(self, version: int, *, same_jar: bool = False, **inputs: Any) -> None:
        """Declare a version, by its number: other bytes in the same jar, and another label."""
        self.version = version
        if not same_jar:
            copy_with_other_bytes(COUNTING_JAR, Path(self.inputs["jar"]), f"version {version}")
        words = {
            "--output": str(self._output),
            "--label": self.label,
            "--rate": "50",
            "--keys": "4",
            "--checkpoint-interval": "200",
        }
        self.inputs["args"] = [word for pair in words.items() for word in pair]
        self.inputs.update(inputs)

    @property
    def label(self) -> str:
        """What marks the lines of the declared version."""
        return f"v{self.version}"

    # Runs

    def interrupted(self, words: tuple[str, ...], strike: Callable[..., Rule], who: Victims) -> str:
        """Run a command that is killed at a request, and return what it wrote.

        Args:
            words: The command, such as `("up", "--yes")`.
            strike: Makes the rule: (then, verdict).
            who: Who is killed.

        """
        killed = threading.Event()

        def kill() -> None:
            engine = self.project.engine_process(command)
            self._sent_before_the_kill = len(self.proxy.changes)
            below = psutil.Process(engine).children(recursive=True)
            providers = [p.pid for p in below if _is_provider(" ".join(command_of(p)))]
            end_at_once(engine)
            if who is Victims.ENGINE:
                self.orphans += providers
            else:
                for provider in providers:
                    end_at_once(provider)
            killed.set()

        self.settled = False
        verdict = Verdict.PASS if who is Victims.ENGINE else Verdict.DROP
        self.proxy.begin(strike(then=kill, verdict=verdict))
        command = self.project.start(*words)
        try:
            command.wait(_COMMAND_TIMEOUT_S)
        finally:
            written = _written(command)
        # The engine may be seen to have ended before its provider has.
        if not killed.wait(10):
            code = command.returncode
            raise AssertionError(f"the run was to be killed, and ended with {code}\n{written}")
        if self.project.engine == "pulumi":
            self.project.cancel()
        return written

    def recover(self, *words: str) -> Finished:
        """Run a command, `up` if none is given, that must succeed after an interrupted one."""
        finished = self.project.run(*(words or ("up", "--yes", "--skip-preview")))
        self._assert_orphans_kept_still()
        return finished

    def _assert_orphans_kept_still(self) -> None:
        """Assert that no provider changed anything after its engine had died."""
        later = self.proxy.changes[self._sent_before_the_kill :]
        sent = [str(exchange) for exchange in later if exchange.process in self.orphans]
        assert not sent, f"a provider without engine went on: {sent}"
        for orphan in self.orphans:
            wait_until(partial(has_ended, orphan), 60, f"provider {orphan} ends after its engine")
        self.orphans.clear()

    # What must hold

    def active(self) -> list[str]:
        """Return the jobs that the cluster works on, ours or not."""
        over = {"FINISHED", "FAILED", "CANCELED"}
        return [id_ for id_, row in self.cluster.jobs().items() if row["state"] not in over]

    def assert_runs(self) -> Counts:
        """Assert that the declared version alone runs, recorded so, with all that was counted."""
        outputs = self.outputs()
        assert self.active() == [outputs["job_id"]]
        assert outputs["status"] == "RUNNING"

        before = assert_counts_continuous(self._output).labels[self.label]

        def committed() -> Counts:
            counts = assert_counts_continuous(self._output)
            assert counts.labels[self.label] > before, counts
            return counts

        counts = wait_until(committed, 30, f"{self.label} commits lines")
        self.assert_savepoints_kept(outputs)
        self.settled = True
        return counts

    def assert_stopped(self) -> None:
        """Assert that nothing runs, and that the savepoint that is recorded is there."""
        outputs = self.outputs()
        assert self.active() == []
        assert outputs["status"] == "STOPPED"
        assert outputs["last_savepoint"], outputs
        self.assert_savepoints_kept(outputs)
        assert_counts_continuous(self._output, complete=True)

    def assert_gone(self) -> None:
        """Assert that neither a job nor a jar is left on the cluster."""
        assert self.active() == []
        assert self.cluster.get("/jars")["files"] == []
        assert self.project.resources() == {}
        self.assert_savepoints_kept({"savepoints": []})

    def assert_savepoints_kept(self, outputs: dict[str, Any]) -> None:
        """Assert that no savepoint of before has gone, and that each which is named is there."""
        there = set(self.cluster.savepoints.glob(f"{NAME}/**/_metadata"))
        if "savepoint_retention" not in self.inputs:
            assert there >= self._savepoints, f"gone: {self._savepoints - there}"
        self._savepoints = there
        for savepoint in outputs["savepoints"]:
            path = Path(savepoint["path"].removeprefix("file:"))
            assert (path / "_metadata").exists(), f"{path} is named, and not there"

    def outputs(self) -> dict[str, Any]:
        """Return what is recorded of the job."""
        recorded: dict[str, Any] = self.project.resources()[NAME]["outputs"]
        return {"last_savepoint": None, "savepoints": [], **recorded}

    def close(self) -> None:
        """End what was left running for the project."""
        self.project.close()


def end_at_once(process: int) -> None:
    """Kill a process as `kill -9` does, and wait until it has ended."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
        wait_until(partial(has_ended, process), 10, f"process {process} has ended", interval=0.005)


def has_ended(process: int) -> bool:
    """Whether nothing of a process runs any more.

    One that was killed is a zombie as soon as its first thread has ended: while others have not, it
    is still its children's parent, and still listens (seen for 76 ms on a busy machine).
    """
    try:
        found = psutil.Process(process)
        return found.status() == psutil.STATUS_ZOMBIE and found.num_threads() <= 1
    except psutil.NoSuchProcess:
        return True


def _written(command: subprocess.Popen[str]) -> str:
    """Return what a command wrote; end it, where it has not ended."""
    command.kill()
    out, err = command.communicate()
    return out + err


def _is_provider(command: str) -> bool:
    return "pulumi.dynamic" in command or "pulumi-resource-flink-jobs" in command
