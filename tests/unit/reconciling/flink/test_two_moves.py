"""Two runs that carry one job over at once, without a lock: it never runs on both clusters.

What remains is a start that is about to be sent when the other run takes a job back that did not
start: the later one is ended as soon as it is seen.
"""

from __future__ import annotations

import random

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.record import JobRecord
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.test_matrix import FAILURES
from tests.unit.reconciling.flink.test_move_gate import GATE, HEALTHY, SLOW, Gated
from tests.unit.reconciling.flink.two_runs import ALL, TwoRuns

#: How the job behaves on the new cluster.
THERE = {"passes": HEALTHY, "fails": SLOW, "does not start": FAILURES["tasks"]}
#: Of the pairs of steps at which the two are interrupted, how many are tried.
_PAIRS = 60


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


def check(
    there: Program, first: int, second: int, recorded: int, *, meanwhile: bool = True
) -> bool:
    """Check a pair of runs, and the next one; return whether the first had so many steps.

    `meanwhile` is whether the job must not run on both clusters for a moment either.
    """
    MemoryFileSystem.store.clear()
    two = Gated(there)
    both = TwoRuns((two.old, two.new), two.record, lambda: two.moving(**GATE), first, second)
    both.work()
    assert both.most[0] == 1 or not meanwhile
    [job] = two.active
    assert two.old.progress(job) >= both.furthest or not meanwhile
    _settled(two, both.runs[recorded].recorded)
    [job] = two.new.active()
    assert (two.old.active(), two.new.progress(job) >= both.furthest) == ([], True)
    return bool(both.runs[0].interrupted_at)


@pytest.mark.parametrize("there", THERE)
def test_a_run_within_another_leaves_the_job_on_one_cluster(
    there: str, random_choices: random.Random
) -> None:
    """Shows it for each step of the one at which the other begins, and goes to its end.

    The next run goes on with what either has recorded.
    """
    steps = 1
    while check(THERE[there], steps, ALL, random_choices.randint(0, 1)):
        steps += 1
    assert steps > 40


@pytest.mark.parametrize("there", THERE)
def test_two_runs_in_turns_leave_the_job_on_one_cluster(
    there: str, random_choices: random.Random
) -> None:
    """Shows it for a choice of the pairs of steps at which each of the two waits for the other."""
    for _ in range(_PAIRS):
        first, second = random_choices.randint(1, 90), random_choices.randint(1, 60)
        starts = there != "does not start"
        check(THERE[there], first, second, random_choices.randint(0, 1), meanwhile=starts)
