"""Two runs that carry one job over at once, without a lock: it never runs on both clusters."""

from __future__ import annotations

import asyncio
import random
import threading
from dataclasses import dataclass, field

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.record import JobRecord
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.test_matrix import FAILURES
from tests.unit.reconciling.flink.test_move_gate import GATE, HEALTHY, SLOW, Gated

#: How the job behaves on the new cluster.
THERE = {"passes": HEALTHY, "fails": SLOW, "does not start": FAILURES["tasks"]}
#: More steps than a run has.
_ALL = 10_000
#: Of the pairs of steps at which the two are interrupted, how many are tried.
_PAIRS = 60


@dataclass
class Run:
    """One of two runs, which goes so many steps before the other one has its turn.

    Attributes:
        ended: What it raised; None where it has moved the job.
        was_interrupted: Whether the other one had its turn before it was over.
    """

    steps: int
    recorded: JobRecord
    ended: JobError | None = None
    was_interrupted: bool = False
    is_over: bool = False
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def record(self, done: JobRecord | JobError) -> None:
        """Keep what an engine has on record when it has ended."""
        if isinstance(done, JobRecord):
            self.recorded = done
            return
        self.ended = done
        if isinstance(done.partial, JobRecord):
            self.recorded = done.partial


class TwoRuns:
    """Two runs of one change: the first goes some steps, the second some, then each to its end.

    Attributes:
        furthest: The progress of the job that was seen.
        on_both: Whether it has run on both clusters at the same time.
    """

    def __init__(self, two: Gated, first: int, second: int) -> None:
        self.two = two
        self.furthest = 0
        self.on_both = False
        self.runs = [Run(first, two.record), Run(second, two.record)]
        self._of_thread: dict[int, Run] = {}

    def work(self) -> None:
        """Let both work, in turns."""
        self.two.old.on_step = self.two.new.on_step = self._step
        threads = [threading.Thread(target=self._run, args=(run,)) for run in self.runs]
        for thread in threads:
            thread.start()
        self.runs[0].turn.release()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        self.two.old.on_step = self.two.new.on_step = lambda _step: None

    def _run(self, run: Run) -> None:
        run.turn.acquire()
        self._of_thread[threading.get_ident()] = run
        try:
            run.record(asyncio.run(self.two.moving(**GATE)))
        except JobError as error:
            run.record(error)
        finally:
            run.is_over = True
            self._other(run).turn.release()

    def _other(self, run: Run) -> Run:
        return self.runs[1 - self.runs.index(run)]

    def _step(self, _name: str) -> None:
        self.look()
        run = self._of_thread[threading.get_ident()]
        run.steps -= 1
        if run.steps == 0 and not self._other(run).is_over:
            run.was_interrupted = True
            self._other(run).turn.release()
            run.turn.acquire()

    def look(self) -> None:
        """See how far it has come, and on how many clusters it runs."""
        two = self.two
        self.on_both = self.on_both or bool(two.old.active() and two.new.active())
        for flink in (two.old, two.new):
            for job in flink.active():
                self.furthest = max(self.furthest, flink.progress(job))


def _settled(two: Gated, record: JobRecord) -> None:
    """Run again until the job is where it is declared, as people would."""
    two.record = record
    two.new.programs["Old"] = HEALTHY
    for _ in range(3):
        try:
            two.move()
        except JobError as error:
            if isinstance(error.partial, JobRecord):
                two.record = error.partial
        else:
            return
    raise AssertionError("it is not moved")


def check(there: Program, first: int, second: int, recorded: int) -> bool:
    """Check a pair of runs, and the next one; return whether the first had so many steps."""
    MemoryFileSystem.store.clear()
    two = Gated(there)
    both = TwoRuns(two, first, second)
    both.work()
    both.look()
    assert not both.on_both
    [job] = two.active
    assert two.old.progress(job) >= both.furthest
    _settled(two, both.runs[recorded].recorded)
    [job] = two.new.active()
    assert (two.old.active(), two.new.progress(job) >= both.furthest) == ([], True)
    return both.runs[0].was_interrupted


@pytest.mark.parametrize("there", THERE)
def test_a_run_within_another_leaves_the_job_on_one_cluster(
    there: str, random_choices: random.Random
) -> None:
    """Shows it for each step of the one at which the other begins, and goes to its end.

    The next run goes on with what either has recorded.
    """
    steps = 1
    while check(THERE[there], steps, _ALL, random_choices.randint(0, 1)):
        steps += 1
    assert steps > 40


@pytest.mark.parametrize("there", ["passes", "fails"])
def test_two_runs_in_turns_leave_the_job_on_one_cluster(
    there: str, random_choices: random.Random
) -> None:
    """Shows it for a choice of the pairs of steps at which each of the two waits for the other."""
    for _ in range(_PAIRS):
        first, second = random_choices.randint(1, 90), random_choices.randint(1, 60)
        check(THERE[there], first, second, random_choices.randint(0, 1))
