"""Waiting, on sequences of the overview's rows as Flink was seen to give them."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ClusterUnreachable,
    DeadlineExceeded,
    JobVanished,
)
from flink_jobs_provider.model.observation import ClusterFacts, ClusterSnapshot, ObservedJob
from flink_jobs_provider.reconciling.flink.job_watch import JobWatch
from tests.unit.model.made_up_jobs import spec
from tests.unit.reconciling.fake_clock import FakeClock

JOB = "0" * 32
AWAY = ClusterUnreachable("no connection")
Row = tuple[str, int, int] | None | Exception
#: A job of two tasks that comes up: (state, tasks, running tasks) at each look.
COMES_UP: list[Row] = [
    ("INITIALIZING", 0, 0),
    ("CREATED", 2, 0),
    ("RUNNING", 2, 0),
    ("RUNNING", 2, 1),
    ("RUNNING", 2, 2),
]
RESTART: list[Row] = [("RUNNING", 2, 0), ("FAILING", 2, 0), ("RESTARTING", 2, 0)]


class Replay:
    """A cluster that shows a sequence of rows, the last of them again and again."""

    def __init__(self, *rows: Row, cause: str = "") -> None:
        self.time = FakeClock()
        self.rows = list(rows)
        self.cause = cause
        self.looks = 0

    async def jobs(self, max_age: float = 0.0) -> ClusterSnapshot:
        """Show the next row."""
        assert max_age == 0.0
        row = self.rows[min(self.looks, len(self.rows) - 1)]
        self.looks += 1
        if isinstance(row, Exception):
            raise row
        if row is None:
            return ClusterSnapshot(())
        state, tasks, running = row
        job = ObservedJob(JOB, "x", state, tasks=tasks, running_tasks=running)
        return ClusterSnapshot((job,))

    async def facts(self) -> ClusterFacts:
        """Return that Flink has its defaults."""
        return ClusterFacts((2, 3, 0))

    async def failure(self, _job_id: str, since: int = 0) -> str:
        """Return why it failed."""
        return self.cause

    def until_running(self, timeout: float = 60) -> ObservedJob:
        """Wait for it to come up."""
        return asyncio.run(self._watch().until_running(JOB, timeout))

    def until_ended(self, timeout: float = 60) -> ObservedJob | None:
        """Wait for its end."""
        return asyncio.run(self._watch().until_ended(JOB, timeout))

    def is_up(self) -> ObservedJob:
        """Look once more at one that had settled with two tasks."""
        up = ObservedJob(JOB, "x", "RUNNING", tasks=2, running_tasks=2)
        return asyncio.run(self._watch().is_up(spec(), up))

    def _watch(self) -> JobWatch:
        return JobWatch(cast(ControlPlane, self), self.time.clock())


@pytest.mark.parametrize(
    "rows",
    [
        COMES_UP,
        COMES_UP[-1:],
        [*RESTART, *COMES_UP],
        [*RESTART, *RESTART, *COMES_UP],
        [COMES_UP[0], AWAY, AWAY, AWAY, *COMES_UP],
        [("RUNNING", 2, 1), ("FINISHED", 2, 0)],
    ],
)
def test_comes_up(rows: list[Row]) -> None:
    replay = Replay(*rows)
    assert replay.until_running().healthy
    assert replay.looks == len(rows)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([*COMES_UP[:3], ("FAILED", 2, 0)], "the job is FAILED: RuntimeException: no"),
        ([("CANCELED", 2, 0)], "the job is CANCELED: RuntimeException: no"),
        (RESTART * 3, "the job is FAILING: RuntimeException: no"),
        ([*COMES_UP[:2], None], "was accepted, and the cluster no longer lists it"),
    ],
)
def test_does_not_come_up(rows: list[Row], words: str) -> None:
    """Shows what is a failure to start: an end, vanishing, and the third restart."""
    with pytest.raises(ActionFailed, match=words):
        Replay(*rows, cause="RuntimeException: no").until_running()


def test_is_not_up_yet() -> None:
    """Shows that the time allowed ends with what was last seen."""
    replay = Replay(*COMES_UP[:4], cause="NoResourceAvailableException: slots")
    with pytest.raises(DeadlineExceeded) as caught:
        replay.until_running(30)
    assert caught.value.happened == (
        "after 30 s the job is RUNNING, with 1 of 2 tasks running "
        "(NoResourceAvailableException: slots)."
    )
    assert 1030 <= replay.time.time < 1031


def test_a_long_restart_is_one() -> None:
    """Shows that looking often at one restart does not count it often."""
    rows: list[Row] = [("RESTARTING", 2, 0)] * 50
    assert Replay(*rows, *COMES_UP).until_running()


def test_a_job_that_comes_up_at_once_is_seen_at_once() -> None:
    """Shows how soon a start is done: looks are close together at first, and never far apart."""
    replay = Replay(*COMES_UP)
    replay.until_running()
    assert replay.time.time - 1000 < 0.15
    slow = Replay(*[("RUNNING", 2, 0)] * 100, COMES_UP[-1])
    slow.until_running()
    assert 15 < slow.time.time - 1000 < 26


def test_a_cluster_that_stays_away_is_told() -> None:
    replay = Replay(COMES_UP[0], AWAY)
    with pytest.raises(ClusterUnreachable):
        replay.until_running(5)
    assert 1005 <= replay.time.time < 1006


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ([("RUNNING", 2, 2), ("CANCELLING", 2, 1), ("CANCELED", 2, 0)], "CANCELED"),
        ([("RUNNING", 2, 2), AWAY, ("FINISHED", 2, 0)], "FINISHED"),
        ([("RUNNING", 2, 2), None], None),
    ],
)
def test_ends(rows: list[Row], state: str | None) -> None:
    job = Replay(*rows).until_ended()
    assert (job.state if job else None) == state


def test_does_not_end() -> None:
    with pytest.raises(DeadlineExceeded, match=r"after 9 s job 0{32} is still CANCELLING"):
        Replay(("CANCELLING", 2, 1)).until_ended(9)


@pytest.mark.parametrize(
    "rows",
    [
        [("RUNNING", 2, 2)],
        [("FINISHED", 2, 0)],
        [("RUNNING", 2, 1), ("RUNNING", 3, 1), ("RUNNING", 3, 3)],
        [("RUNNING", 2, 1), AWAY, ("FINISHED", 3, 0)],
    ],
)
def test_a_job_between_two_stages_is_still_up(rows: list[Row]) -> None:
    """Shows that a batch job whose next stage is deployed, or one that is rescaled, is waited for.

    It was cancelled when it was looked at once more in that moment, just before it was recorded.
    """
    replay = Replay(*rows)
    assert replay.is_up().healthy
    assert replay.looks == len(rows)


@pytest.mark.parametrize(
    ("rows", "cause", "words"),
    [
        ([("RUNNING", 2, 1)], "RuntimeException: no", "the job is RUNNING: RuntimeException: no"),
        ([("RESTARTING", 2, 0)], "", "the job is RESTARTING"),
        ([("RUNNING", 2, 1), ("FAILED", 2, 0)], "", "the job is FAILED"),
    ],
)
def test_a_job_that_fails_after_it_settled_is_not_up(
    rows: list[Row], cause: str, words: str
) -> None:
    with pytest.raises(ActionFailed, match=words):
        Replay(*rows, cause=cause).is_up()


def test_a_job_that_its_cluster_loses_after_it_settled_has_not_failed() -> None:
    with pytest.raises(JobVanished, match="the cluster no longer lists it"):
        Replay(None).is_up()


def test_a_failure_that_shows_after_all_tasks_run_again_is_one() -> None:
    """Shows that a restart is not taken for a next stage where Flink shows its exception late."""

    class Late(Replay):
        async def failure(self, _job_id: str, since: int = 0) -> str:
            return "RuntimeException: no" if self.time.time >= 1003 else ""

    with pytest.raises(ActionFailed, match="the job is RUNNING: RuntimeException: no"):
        Late(("RUNNING", 2, 1), ("RUNNING", 2, 2)).is_up()
