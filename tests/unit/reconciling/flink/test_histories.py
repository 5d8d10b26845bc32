# ruff: noqa: D102 - the names of the rules say what they do
"""Any history of changes, kills and accidents: one job, and never behind a completed savepoint.

State is dropped in stateless mode alone, which says so in words; and once nothing fails any more,
what is declared runs.
"""

from __future__ import annotations

from contextlib import suppress

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flink_jobs_provider.control_planes.protocol import Submission
from flink_jobs_provider.model.errors import ClusterUnreachable, JobError, StateUnavailable
from flink_jobs_provider.model.spec import JobSpec
from tests.unit.reconciling.flink.fake_flink import Killed
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_matrix import version
from tests.unit.reconciling.flink.test_restoring import second_copy

GOOD = Program()
BAD = [
    Program(plan_error="main throws"),
    Program(submit_error="refused"),
    Program(state_error="does not fit"),
    Program(task_error="fails"),
    Program(restarts=True),
    Program(comes_up=False),
    Program(stop_fault="goes on"),
    Program(stop_fault="takes the job down"),
    Program(stop_fault="takes the job down slowly"),
    Program(restarts_after=0.5),
    Program(checkpoint_faults=1),
]
#: Steps that the cluster carries out and whose answer is lost.
LOSABLE = (
    *("uploaded", "planned", "submitted", "cancelled", "checkpointed", "statistics", "jobs"),
    *("stop triggered", "stop done", "savepoint triggered", "savepoint done", "free slots"),
)


class History(RuleBasedStateMachine):
    """One job on one cluster; the storage of its savepoints can be read from here."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = Stack()
        self.entry_class, self.mode, self.desired = "A", "savepoint", "running"
        self.trigger = 0
        self.checked = 0
        self.by_hand: set[str] = set()

    @property
    def wanted(self) -> JobSpec:
        """What the program declares now."""
        return version(
            self.entry_class,
            self.mode,
            desired_state=self.desired,
            savepoint_trigger=str(self.trigger),
            timeouts={"running": "5s", "submit": "5s", "savepoint": "30s", "cancel": "5s"},
        )

    # The user

    @rule(entry_class=st.sampled_from("ABC"))
    def change_version(self, entry_class: str) -> None:
        self.entry_class = entry_class

    @rule(mode=st.sampled_from(["savepoint", "last-state", "stateless"]))
    def change_mode(self, mode: str) -> None:
        self.mode = mode

    @rule()
    def stop_or_start(self) -> None:
        self.desired = "stopped" if self.desired == "running" else "running"

    @rule()
    def ask_for_a_savepoint(self) -> None:
        self.trigger += 1

    @rule(refresh=st.booleans())
    def up(self, refresh: bool) -> None:
        """Run it; what fails must leave the invariants true."""
        try:
            self.run(refresh)
        except JobError:
            return
        if refresh:
            self.is_as_wanted()

    @rule(step=st.integers(0, 30))
    def up_killed(self, step: int) -> None:
        """Kill a run at any of its steps."""
        self.stack.flink.kill_at = len(self.stack.flink.steps) + step
        try:
            self.stack.up(self.wanted)
        except (Killed, JobError):
            pass
        finally:
            self.stack.flink.kill_at = None

    @precondition(lambda self: self.stack.record is not None)
    @rule()
    def refresh(self) -> None:
        with suppress(ClusterUnreachable):
            self.stack.refresh()

    # The world

    @rule(entry_class=st.sampled_from("ABC"), program=st.sampled_from([GOOD, *BAD]))
    def program_behaves(self, entry_class: str, program: Program) -> None:
        """Change what later submissions of a version do."""
        self.stack.flink.programs[entry_class] = program

    @rule(seconds=st.sampled_from([1, 70, 400, 4000]))
    def time_passes(self, seconds: int) -> None:
        if seconds > 1000 and self.stack.record is None:
            return  # a job that no record names is forgotten with its history
        self.stack.flink.pass_time(seconds)

    @precondition(lambda self: self.stack.record is not None)
    @rule(state=st.sampled_from(["CANCELED", "FAILED"]))
    def ends_out_of_band(self, state: str) -> None:
        for job in self.stack.flink.active():
            self.stack.flink.end(job, state)

    @precondition(lambda self: self.stack.record is not None)
    @rule()
    def job_manager_restarts(self) -> None:
        self.stack.flink.restart_job_manager()

    @precondition(lambda self: self.stack.record is not None and self.stack.flink.active())
    @rule()
    def somebody_starts_a_second_copy(self) -> None:
        """Start it from the last savepoint: it is the newest then, so its state counts."""
        flink = self.stack.flink
        if not self.stack.recorded.last_savepoint:
            return
        generation = max(job.row().generation for job in flink.active())
        if generation != self.stack.recorded.generation:
            return
        copy = second_copy(self.stack, self.stack.recorded.last_savepoint)
        self.by_hand.add(copy.job_id)
        flink.saved = copy.base

    @rule(steps=st.sets(st.sampled_from(LOSABLE), min_size=1, max_size=3))
    def answers_are_lost(self, steps: set[str]) -> None:
        self.stack.flink.loses |= steps

    @precondition(lambda self: self.stack.record is not None)
    @rule()
    def destroy(self) -> None:
        """Destroy it: what is created under its name then is another job, without its state."""
        with suppress(JobError):
            self.stack.destroy()
            assert self.stack.flink.active() == []
            self.stack.flink.saved = 0

    @rule(calls=st.integers(1, 4))
    def cluster_is_away(self, calls: int) -> None:
        self.stack.flink.unreachable = calls

    def run(self, refresh: bool) -> None:
        """Do what `up`, or `up --refresh`, does."""
        if refresh and self.stack.record:
            self.stack.refresh()
        self.stack.up(self.wanted)

    # What must be true

    @invariant()
    def never_behind_a_savepoint(self) -> None:
        """Check each start of ours against what had been saved before it."""
        for submission, saved in self.stack.flink.starts[self.checked :]:
            if submission.restore_from is None and self.mode == "stateless":
                continue
            if submission.job_id not in self.by_hand:
                assert self._progress_of(submission) >= saved, (
                    f"{submission.job_id} started from {submission.restore_from}"
                )
        self.checked = len(self.stack.flink.starts)

    @invariant()
    def at_most_one_active_job_of_ours(self) -> None:
        """Two run at once only where somebody else started one."""
        active = [job.job_id for job in self.stack.flink.active()]
        assert len([job_id for job_id in active if job_id not in self.by_hand]) <= 1

    def is_as_wanted(self) -> None:
        """Check the one job after a run that succeeded, and that nothing is left to do."""
        flink = self.stack.flink
        if self.desired == "stopped":
            assert flink.active() == []
        else:
            job = flink.the_job()
            assert job.job_id == self.stack.recorded.job_id
            assert job.running_tasks == job.parallelism
            started = [s for s, _ in flink.starts if s.job_id == job.job_id]
            assert started[-1].spec.entry_class == self.entry_class
        assert not self.stack.plan(self.wanted).needed

    def teardown(self) -> None:
        """Mend all causes: a run or two later all is well, or no state was ever saved."""
        flink = self.stack.flink
        flink.programs.clear()
        flink.unreachable = 0
        flink.loses.clear()
        for job in flink.active():
            job.program = GOOD
        for _ in range(3):
            try:
                self.run(refresh=True)
            except StateUnavailable:
                assert flink.saved == 0
                return
            except JobError:
                continue
            self.is_as_wanted()
            self.never_behind_a_savepoint()
            return
        raise AssertionError("it did not come to rest")

    def _progress_of(self, submission: Submission) -> int:
        path = submission.restore_from
        return self.stack.flink.progress_in.get(path, -1) if path else 0


TestHistory = History.TestCase
TestHistory.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
