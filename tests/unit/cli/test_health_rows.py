"""The health of a job as `describe` shows it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from flink_jobs_provider.cli.health_rows import (
    attention_lines,
    health_lines,
    lag,
    rate,
)
from flink_jobs_provider.inspecting.health_reading import health_facts
from flink_jobs_provider.observing.attention import Observation
from flink_jobs_provider.observing.health import CheckpointCounts, NotListed
from tests.unit.observing.sequences import (
    JOB_ID,
    START,
    behind,
    checkpoint,
    failure,
    health,
    job,
    vertex,
)


def test_a_healthy_job() -> None:
    history = (checkpoint(3, 3, duration=1500), checkpoint(2, 2))
    lines = health_lines(health_facts([health(3.5, checkpoints=history)]))
    assert lines == {
        "state": "RUNNING for 3 min",
        "busy": "50% in Source: orders",
        "backpressured": None,
        "records/s": "100",
        "lag": None,
        "pending records": None,
        "checkpoints": "3 completed, 0 failed, one every 60 s",
        "checkpoint trend": "duration 1 s, size 5.0 kB, over the last 2 in 60 s",
    }
    assert attention_lines(health_facts([health(3.5, checkpoints=history)])) == []


def test_no_trend_is_claimed_of_one_observation() -> None:
    assert health_facts([health(3)])["trend"] is None
    assert "trend" not in health_lines(health_facts([health(3)]))


def test_what_changed_between_two_observations() -> None:
    before = health(1, vertices=(vertex(busy=0.5),))
    after = replace(behind(2, 1), restarts=1, counts=CheckpointCounts(completed=3, failed=1))
    line = health_lines(health_facts([before, after]))["trend"]
    assert line == (
        "in 60 s: 1 restarts, 2 checkpoints completed, 1 failed, records/s 100, busy 50% → 97%, "
        "lag - → 60 s"
    )
    facts = health_facts([before, after])
    assert facts["trend"]["busy"] == {"before": 0.5, "after": 0.97}
    assert json.loads(json.dumps(facts)) == facts


def test_what_needs_attention_comes_with_what_to_do() -> None:
    seen = health(5, job=job("FAILED", ended=START), exceptions=(failure(0),))
    first, second = attention_lines(health_facts([seen]))
    assert first == "needs attention: it FAILED 5 min ago: IOException: disk"
    assert second.startswith("  Fix the cause. Start it again from ")
    (found,) = health_facts([seen])["needs_attention"]
    assert (found["concern"], found["since"]) == ("failed", "2027-01-15T08:00:00Z")


def test_a_job_that_has_ended_has_no_load() -> None:
    assert set(health_lines(health_facts([health(5, job=job("FINISHED"))]))) == {"checkpoints"}


def test_a_job_that_vanished_while_it_was_observed() -> None:
    seen: list[Observation] = [health(1), NotListed(JOB_ID, START + 120_000)]
    assert health_facts(seen)["health"] is None
    assert "no longer lists it" in attention_lines(health_facts(seen))[0]


@pytest.mark.parametrize(("milliseconds", "words"), [(None, None), (40, "40 ms"), (5000, "5 s")])
def test_lags(milliseconds: float | None, words: str | None) -> None:
    assert lag(milliseconds) == words


@pytest.mark.parametrize(("records", "words"), [(None, None), (0.25, "0.2"), (12345.0, "12,345")])
def test_rates(records: float | None, words: str | None) -> None:
    assert rate(records) == words
