"""One counting job that faults befall: its versions, its record, and what must hold of it."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count, product
from pathlib import Path
from typing import Any

import httpx

from flink_jobs_provider.artifacts import open_jar
from flink_jobs_provider.model.flink_options import RETAINED, RETENTION
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.planning.surplus_savepoints import ways_back
from tests.counting_output import Counts, assert_counts_continuous, committed_lines
from tests.faults.matrix.kinds import ANSWERS_WITHIN
from tests.faults.matrix.provider_runs import ProviderRun
from tests.faults.matrix.sites import Sites
from tests.faults.matrix.violations import CountedTwice, Doubled, Violated
from tests.flink_cluster import FlinkCluster
from tests.job_jars import COUNTING_JAR, copy_with_other_bytes

_OVER = ("FINISHED", "FAILED", "CANCELED")
_numbers = count(1)


class MatrixJob:
    """A job of its own name, whose every version has another jar and another label.

    Attributes:
        sites: The cluster that it is declared for, and the one that it is moved from, if any.
        record: What the stack's state says.
        inputs: What is declared, to be edited.
        overlaps: Whether two versions may run at once: each has an output and a sink of its own
            then, and both write what is counted meanwhile.
        foreign: A jobId that somebody else's submission has; empty for none.
        running: How long a version may take to come up, and to pass its gate.
    """

    def __init__(self, name: str, sites: Sites, root: Path) -> None:
        self.name = name
        self.sites = sites
        self.directory = root / name
        self.directory.mkdir(parents=True)
        self.record: JobRecord | None = None
        self.version = 0
        self.restored: set[str] = set()
        self.named: set[str] = set()
        self.overlaps = False
        self.foreign = ""
        self.running = "30s"
        self.inputs: dict[str, Any] = {
            "job_name": name,
            "owner": "organization/faults/matrix",
            "target": {"kind": "flink", "url": sites.declared.proxy.url},
            "parallelism": 1,
            "settle_time": "0s",
            "flink_configuration": {RETENTION: RETAINED},
        }
        self.savepoints = self.cluster.savepoints
        if sites.former is not None:
            self.savepoints = self.directory / "savepoints"
            self.inputs |= {"move": True, "savepoint_directory": str(self.savepoints)}
        self.next_version(fresh_output=True)

    @property
    def cluster(self) -> FlinkCluster:
        """The cluster that it is declared for."""
        return self.sites.declared.cluster

    def move(self) -> None:
        """Declare the other cluster."""
        self.sites.swap()
        self.inputs["target"] = {"kind": "flink", "url": self.sites.declared.proxy.url}

    def run(self, *, hurried: bool = False) -> ProviderRun:
        """Return another run; a hurried one soon gives up waiting for answers."""
        within = ANSWERS_WITHIN if hurried else 30
        self.inputs["timeouts"] = {
            "submit": f"{within}s",
            "running": self.running,
            "savepoint": "30s",
            "cancel": "20s",
        }
        urls = [site.proxy.url for site in self.sites]
        return ProviderRun(urls, f"{self.name}-{next(_numbers)}", within)

    @property
    def wanted(self) -> JobSpec:
        """What is declared now."""
        return JobSpec.model_validate(self.inputs)

    def next_version(self, *, fresh_output: bool = False) -> None:
        """Declare another version; with `fresh_output` one that counts from the beginning."""
        self.version += 1
        if fresh_output or self.overlaps:
            self.output = self.directory / f"output-{self.version}"
        jar = self.directory / f"job-{self.version}.jar"
        copy_with_other_bytes(COUNTING_JAR, jar, f"{self.name} {self.version}")
        self.inputs |= {"jar": str(jar), "jar_digest": open_jar(str(jar)).digest}
        self.inputs["args"] = self._args(self.output)
        if self.overlaps:
            self.inputs["args"] += ["--sink-uid", self.label]

    def _args(self, output: Path) -> list[str]:
        return [
            *("--output", str(output), "--label", self.label, "--rate", "50"),
            *("--keys", "4", "--checkpoint-interval", "200"),
        ]

    def rehearse(self) -> None:
        """Declare a rehearsal of the declared version, which writes to a directory of its own."""
        args = [*self._args(self.directory / "rehearsed"), "--sink-uid", "rehearsed"]
        self.inputs["rehearsal"] = {"args": args, "window": "1s"}

    def start_by_hand(self) -> None:
        """Start the declared version as somebody without this project would."""
        self.foreign = self.cluster.run(
            Path(self.inputs["jar"]),
            self.inputs["args"],
            parallelism=self.inputs["parallelism"],
            flinkConfiguration=self.inputs["flink_configuration"],
        )

    @property
    def label(self) -> str:
        """What marks the lines of the declared version."""
        return f"v{self.version}"

    # What must hold

    def active(self) -> list[str]:
        """Return the submissions of this job that any of its clusters works on."""
        return [id_ for id_ in self._unended() if id_.startswith(self.wanted.key.prefix)] + [
            id_ for id_ in self._unended() if id_ == self.foreign
        ]

    def _unended(self) -> list[str]:
        return [id_ for id_, row in self.sites.jobs() if row["state"] not in _OVER]

    def counts(self) -> Counts:
        """Return what was committed, of which nothing is missing, and nothing there twice.

        Of versions that overlap nothing is missing from what all of them have committed.
        """
        if self.overlaps:
            return self._counts_of_all()
        try:
            return assert_counts_continuous(self.output)
        except AssertionError as error:
            kind = CountedTwice if "repeated" in str(error) else Violated
            raise kind(str(error)) from None

    def _counts_of_all(self) -> Counts:
        lines = [
            line.split(",")
            for output in self.directory.glob("output-*")
            for line in committed_lines(output)
        ]
        counts: dict[str, set[int]] = {}
        for key, number, _ in lines:
            counts.setdefault(key, set()).add(int(number))
        for key, seen in counts.items():
            if missing := sorted(set(range(1, max(seen) + 1)) - seen):
                raise Violated(f"key {key}: no version has counted {missing[:5]} of {max(seen)}")
        labels = Counter(label for _, _, label in lines)
        return Counts({int(key): max(seen) for key, seen in counts.items()}, labels)

    async def assert_runs(self) -> None:
        """Assert that the declared version alone runs, recorded so, and goes on counting."""
        if self.record is not None and self.record.status in ("STARTING", "RESTARTING"):
            await self._come_up(str(self.record.job_id))
        self._assert_recorded("RUNNING")
        active = self.active()
        if len(active) > 1:
            raise Doubled(f"{len(active)} jobs run: {active}")
        assert self.record is not None
        if active != [self.record.job_id]:
            raise Violated(f"{active} runs, and {self.record.job_id} is recorded")
        if active[0] not in self.cluster.jobs():
            raise Violated(f"{active[0]} runs, but not on {self.cluster.url}")
        rehearsed = self.wanted.key.rehearsal.prefix
        if copies := [id_ for id_ in self._unended() if id_.startswith(rehearsed)]:
            raise Doubled(f"a rehearsal runs on: {copies}")
        parallelism = {self.inputs["parallelism"]}
        if (runs := self.cluster.parallelism(active[0])) != parallelism:
            raise Violated(f"it runs with parallelism {runs}, and {parallelism} is declared")
        before = self.counts().labels[self.label]
        await until(lambda: self.counts().labels[self.label] > before, 20, "it counts no further")
        if self.record.restored_from:
            self.restored.add(self.record.restored_from)

    async def _come_up(self, job_id: str) -> None:
        """Wait for a job that its JobManager was bringing back when a run recorded it; refresh."""
        await until(lambda: self._runs(job_id), 60, f"{job_id} does not come up")
        self.record = await self.run().up(self.record, self.wanted, refresh=True)

    async def assert_stopped(self) -> None:
        """Assert that nothing runs, and that all that was counted is committed."""
        self._assert_recorded("STOPPED")
        self._assert_nothing_runs()
        assert self.record is not None
        if not self.record.last_savepoint:
            await self._assert_lost_job_starts()
            return
        self.counts()
        try:
            assert_counts_continuous(self.output, complete=True)
        except AssertionError as error:
            raise Violated(str(error)) from None

    async def _assert_lost_job_starts(self) -> None:
        """Assert that a job which was lost before its stop starts from a checkpoint of its own."""
        assert self.record is not None
        left = self.record.restore_point
        if left is None:
            raise Violated("it is stopped, and neither a savepoint nor a checkpoint is recorded")
        self.counts()
        self.inputs["desired_state"] = "running"
        self.record = await self.run().up(self.record, self.wanted)
        await self.assert_runs()
        if self.record.restored_from != left.path:
            raise Violated(f"it started from {self.record.restored_from}, and not {left}")

    async def assert_gone(self) -> None:
        """Assert that neither a job nor a jar of it is left on the cluster."""
        self._assert_nothing_runs()
        jars = [jar["name"] for jar in self.cluster.get("/jars")["files"]]
        if left := [name for name in jars if self.wanted.key.prefix in name]:
            raise Violated(f"jars were left: {left}")

    def _assert_nothing_runs(self) -> None:
        if active := self.active():
            raise Doubled(f"it runs on: {active}")

    def _assert_recorded(self, status: str) -> None:
        if self.record is None or self.record.status != status:
            raise Violated(f"it is recorded as {self.record and self.record.status}")
        if self.wanted.savepoint_retention:  # others may have been disposed of
            self.named = set(ways_back(self.record))
        else:
            self.named |= {known.path for known in self.record.savepoints}

    async def assert_savepoints_restore(self, most: int | None = None) -> int:
        """Assert that a job starts from each savepoint that an output named; return how many.

        Most were restored from on the way. What is started here would write to the same output,
        so that all of the job's own must have ended, and been counted.
        """
        left = sorted(self.named - self.restored)[:most]
        jar = self.cluster.upload(COUNTING_JAR)
        for path in left:
            words = ["--output", str(self.directory / "restored"), "--keys", "4"]
            answer = self.cluster.submit(
                jar,
                words,
                savepointPath=path,
                parallelism=1,
                allowNonRestoredState=self.overlaps,  # of sinks, each of which has its own uid
            )
            if not answer.is_success:
                raise Violated(f"no job starts from {path}: {last_line(answer.text)}")
            job_id = answer.json()["jobid"]
            try:
                await until(partial(self._runs, job_id), 20, f"no job runs from {path}")
            finally:
                self.cluster.rest.patch(f"/jobs/{job_id}", params={"mode": "cancel"})
            self.restored.add(path)
        self.cluster.rest.delete(f"/jars/{jar}")
        return len(left)

    def _runs(self, job_id: str) -> bool:
        row = self.cluster.jobs()[job_id]
        if row["state"] in _OVER:
            raise Violated(f"{job_id} is {row['state']}: {self.cluster.root_exception(job_id)}")
        return bool(row["tasks"]["running"] == row["tasks"]["total"] > 0)

    async def close(self) -> None:
        """Cancel what runs of it."""

        def ended() -> bool:
            with suppress(httpx.HTTPError):  # its cluster may be on its way up
                left = self.active()
                for job_id, site in product(left, self.sites):
                    site.cluster.rest.patch(f"/jobs/{job_id}", params={"mode": "cancel"})
                return not left
            return False

        await until(ended, 60, f"{self.name} does not end")


async def until(condition: Callable[[], bool], timeout: float, what: str) -> None:
    """Wait until a condition is true, without keeping other jobs of this process.

    Raises:
        Violated: It is not, in so many seconds on a quiet machine; `what` is then so.
    """
    deadline = time.monotonic() + 3 * timeout
    while not condition():
        if time.monotonic() > deadline:
            raise Violated(f"not within {3 * timeout:g} s: {what}")
        await asyncio.sleep(0.05)


def last_line(text: str) -> str:
    """Return the last cause in an answer of Flink."""
    causes = re.findall(r"Caused by: ([^\\\n]+)", text)
    return str(causes[-1] if causes else text[:200])
