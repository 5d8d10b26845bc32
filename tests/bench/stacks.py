"""Stacks to measure with: as many jobs as wanted, real ones or those of the no-op provider."""

from __future__ import annotations

import json
import resource
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.empty_stacks import PLAIN_COMMAND
from tests.job_jars import COUNTING_JAR, ROOT, TEST_JOBS_JAR, entry_class
from tests.stack_project import StackProject

#: 1,000 jobs on a slow machine take their time.
LONGEST_S = 3000.0

_PROGRAM = """\
import json
import pathlib

{imports}

for name, inputs in json.loads(pathlib.Path("jobs.json").read_text()).items():
    {resource}(name, **inputs)
"""
REAL = _PROGRAM.format(imports="from flink_jobs_provider import FlinkJob", resource="FlinkJob")
PLUGIN = _PROGRAM.format(imports="from flink_jobs_provider.plugin import Job", resource="Job")
NOOP = _PROGRAM.format(imports="from tests.bench.noop_provider import NoopJob", resource="NoopJob")


class BenchStack(StackProject):
    """A project whose program declares its jobs and exports nothing.

    Args:
        root: An empty directory.
        program: `REAL`, `PLUGIN` or `NOOP`.
        cluster_url: Where the jobs run.
        stack: Name of the stack.
    """

    preloaded = False

    def __init__(self, root: Path, program: str, cluster_url: str, *, stack: str) -> None:
        super().__init__(root, "embedded", cluster_url, stack=stack)
        (root / "program/__main__.py").write_text(program, encoding="utf-8")
        self.environment["PYTHONPATH"] = str(ROOT)

    def declare_counting_jobs(self, number: int, **inputs: Any) -> None:
        """Declare as many counting jobs, which do as little as they can."""
        for name in self._names(number):
            output = str(self.root / "counts" / name)
            args = ["--output", output, "--rate", "1", "--checkpoint-interval", "0"]
            self._declare(name, COUNTING_JAR, args, **inputs)

    def declare_idle_jobs(self, number: int) -> None:
        """Declare as many jobs that never do anything."""
        for name in self._names(number):
            args = ["--name", f"numbers of {name}"]
            self._declare(name, TEST_JOBS_JAR, args, entry_class=entry_class("IdleJob"))

    def _names(self, number: int) -> list[str]:
        return [f"{self.stack}-{index:04}" for index in range(number)]

    def _declare(self, name: str, jar: Path, args: list[str], **inputs: Any) -> None:
        owned = {"owner": self.owner, "jar": str(jar), "args": args, "parallelism": 1}
        self.declare(name, **owned, **inputs)

    def command(self) -> tuple[str, ...]:
        """Return the command line as a user has it, who waits for the key to be derived."""
        return PLAIN_COMMAND

    def seconds(self, *words: str) -> float:
        """Run a command that must succeed; return how long it took.

        `cpu_s` is then how long it computed, with the processes that it started and waited for.
        """
        began, before = time.monotonic(), _children_cpu_s()
        process = self.start(*words)
        try:
            out, err = process.communicate(timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        taken = time.monotonic() - began
        self.cpu_s = _children_cpu_s() - before
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {process.returncode}\n{(out + err)[-4000:]}")
        return taken

    def recorded(self) -> Mapping[str, dict[str, Any]]:
        """Return the resources in the state by name, whatever their type."""
        latest = json.loads(self.checkpoint.read_text(encoding="utf-8"))["checkpoint"]["latest"]
        return {
            resource["urn"].rpartition("::")[2]: resource
            for resource in latest["resources"]
            if resource["type"].startswith("pulumi-python:dynamic/flink_jobs:")
        }


def _children_cpu_s() -> float:
    """Return the CPU time of all processes that ended and were waited for, by any parent."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
