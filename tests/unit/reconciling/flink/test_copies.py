"""Two versions that two runs have submitted at once: one of them goes on."""

from __future__ import annotations

import pytest

from flink_jobs_provider.control_planes.protocol import Submission
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.flink.submissions import submission
from tests.unit.model.made_up_jobs import spec
from tests.unit.reconciling.flink.fake_flink import FakeFlink
from tests.unit.reconciling.flink.stack import Stack, jar
from tests.unit.reconciling.flink.test_matrix import FAILURES, running, version
from tests.unit.reconciling.flink.two_runs import TwoRuns


def _submit_when(flink: FakeFlink, step: str, seconds: float, other: Submission) -> None:
    """Have another run's submission accepted at a step of this run, started so much earlier."""

    def accept(now: str) -> None:
        if now == step and other.job_id not in flink.jobs_by_id:
            flink.submit_by_hand(other).submitted -= seconds

    flink.on_step = accept


@pytest.mark.parametrize("seconds", [5.0, -5.0], ids=["earlier", "later"])
def test_one_of_two_with_one_generation_goes_on(seconds: float) -> None:
    """Shows that the later one gives way, whichever of the two runs looks."""
    stack = Stack()
    other = spec(parallelism=5)
    theirs = submission(other, jar(other), 1, None)
    _submit_when(stack.flink, "submitted", seconds, theirs)
    if seconds > 0:
        with pytest.raises(PermanentError, match="another run started version 1 meanwhile"):
            stack.up()
        assert stack.flink.the_job().job_id == theirs.job_id
    else:
        stack.up()
        assert stack.flink.the_job().job_id == stack.recorded.job_id != theirs.job_id
        assert any(f"cancelling {theirs.job_id}, a later copy" in line for line in stack.said)


def test_a_version_that_another_run_brought_back_is_not_brought_back_alongside_it() -> None:
    """Shows it for each step of an update that fails, within which another one begins and ends.

    All that remains is what lies between its last look and the submission itself.
    """
    steps, told = 1, set()
    while True:
        stack = running("savepoint")
        stack.flink.programs["New"] = FAILURES["tasks"]
        wanted = version("New", "savepoint")

        async def update(stack: Stack = stack, wanted: JobSpec = wanted) -> JobRecord:
            return await stack.bring_about(wanted)

        both = TwoRuns([stack.flink], stack.recorded, update, steps)
        both.work()
        first = both.runs[0]
        if not first.interrupted_at:
            break
        [job] = both.active
        assert job.program is stack.flink.programs["Old"]
        assert both.most[1] == 1 or first.interrupted_at in ("submit", "uploaded")
        now = str(first.ended)
        if "another run started" in now or "and this run has started none" in now:
            assert f"Job {job.job_id} runs" in now
            assert "known to run" not in now
            told.add(first.interrupted_at)
        steps += 1
    assert steps > 30
    assert told
