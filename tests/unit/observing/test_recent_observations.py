"""What is remembered of a job that is looked at all the time."""

from __future__ import annotations

from itertools import pairwise

from flink_jobs_provider.observing.health import NotListed
from flink_jobs_provider.observing.recent_observations import RecentObservations
from tests.unit.observing.sequences import JOB_ID, START, health

SECOND = 1 / 60


def test_it_reaches_back_as_far_however_often_a_job_is_looked_at() -> None:
    """Shows a page that observes every 2 s: the longest trend, of few observations."""
    recent = RecentObservations()
    for second in range(0, 1800, 2):
        recent.append(health(second * SECOND))
    seen = [(each.at - START) // 1000 for each in recent.all()]
    assert seen[-8:] == list(range(1784, 1800, 2))
    assert seen[0] <= 1798 - 902
    assert len(seen) <= 128
    assert all(now - before >= 9 for before, now in pairwise(seen[:-8]))


def test_what_is_observed_once_a_minute_is_kept() -> None:
    recent = RecentObservations()
    for minute in range(100):
        recent.append(health(minute))
    assert len(recent.all()) == 100


def test_the_last_one_before_a_job_vanished_is_kept() -> None:
    recent = RecentObservations()
    for second in (0, 2, 4):
        recent.append(health(second * SECOND))
    for second in range(6, 60, 2):
        recent.append(NotListed(JOB_ID, START + second * 1000))
    assert health(4 * SECOND) in recent.all()
    assert health(2 * SECOND) not in recent.all()


def test_a_clock_that_is_set_back() -> None:
    recent = RecentObservations()
    for minute in (*range(60, 70), *range(20)):
        recent.append(health(minute))
    assert len(recent.all()) == 30
