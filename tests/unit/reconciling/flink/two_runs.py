"""Two runs of one change at once, as of two engines that nothing keeps apart."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.record import JobRecord
from tests.unit.reconciling.flink.fake_flink import FakeFlink
from tests.unit.reconciling.flink.fake_job import FakeJob

#: More steps than a run has.
ALL = 10_000


@dataclass
class Run:
    """One of two runs, which goes so many steps before the other one has its turn.

    Attributes:
        recorded: What its engine has on record.
        ended: What it raised; None where it succeeded.
        interrupted_at: The step before which the other one had its turn; empty for none.
    """

    steps: int
    recorded: JobRecord
    ended: JobError | None = None
    interrupted_at: str = ""
    is_over: bool = False
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


class TwoRuns:
    """The first goes some steps, then the second goes some, then each to its end.

    Attributes:
        most: How many clusters the job has run on at the same time, and how many of it on one.
        furthest: The progress of the job that was seen.
    """

    def __init__(
        self,
        clusters: Sequence[FakeFlink],
        recorded: JobRecord,
        work: Callable[[], Awaitable[JobRecord]],
        first: int,
        second: int = ALL,
    ) -> None:
        self.furthest = 0
        self.most = (0, 0)
        self.runs = [Run(first, recorded), Run(second, recorded)]
        self._clusters = clusters
        self._work = work
        self._of_thread: dict[int, Run] = {}

    def work(self) -> None:
        """Let both work, in turns."""
        for cluster in self._clusters:
            cluster.on_step = self._step
        threads = [threading.Thread(target=self._run, args=(run,)) for run in self.runs]
        for thread in threads:
            thread.start()
        self.runs[0].turn.release()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        for cluster in self._clusters:
            cluster.on_step = lambda _step: None
        self._look()

    def _run(self, run: Run) -> None:
        run.turn.acquire()
        self._of_thread[threading.get_ident()] = run
        try:
            with asyncio.Runner() as runner:
                run.recorded = runner.run(self._to_its_end())
        except JobError as error:
            run.ended = error
            if isinstance(error.partial, JobRecord):
                run.recorded = error.partial
        finally:
            run.is_over = True
            self._other(run).turn.release()

    async def _to_its_end(self) -> JobRecord:
        return await self._work()

    def _other(self, run: Run) -> Run:
        return self.runs[1 - self.runs.index(run)]

    def _step(self, name: str) -> None:
        self._look()
        run = self._of_thread[threading.get_ident()]
        run.steps -= 1
        if run.steps == 0 and not self._other(run).is_over:
            run.interrupted_at = name
            self._other(run).turn.release()
            run.turn.acquire()

    @property
    def active(self) -> list[FakeJob]:
        """The jobs that run on any of the clusters."""
        return [job for cluster in self._clusters for job in cluster.active()]

    def _look(self) -> None:
        """See how far the job has come, and how often it runs."""
        running = [len(cluster.active()) for cluster in self._clusters]
        on, of_one = self.most
        self.most = max(on, sum(map(bool, running))), max(of_one, *running)
        reached = [self._clusters[0].progress(job) for job in self.active]
        self.furthest = max(self.furthest, *reached, 0)
