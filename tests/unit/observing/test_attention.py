"""What needs attention, by recorded sequences of observations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flink_jobs_provider.control_planes.flink.inspection import Checkpoint
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.observing.attention import (
    Attention,
    Concern,
    Observation,
    cluster_attention,
    listed_attention,
    needs_attention,
)
from flink_jobs_provider.observing.attention_sentences import span
from flink_jobs_provider.observing.health import JobHealth, Memory, NotListed
from tests.unit.observing.sequences import (
    BATCH,
    EVERY_MINUTE,
    JOB_ID,
    MINUTE,
    START,
    behind,
    checkpoint,
    cluster,
    failure,
    health,
    job,
    vertex,
)


def only(*observations: Observation, expected: bool = False) -> Attention:
    (found,) = needs_attention(observations, expected=expected)
    return found


def concerns(*observations: Observation) -> list[Concern]:
    return [each.concern for each in needs_attention(observations)]


def at(minute: float) -> int:
    return START + int(minute * MINUTE)


@pytest.mark.parametrize(
    "observations",
    [
        [],
        [health(3)],
        [health(minute) for minute in range(1, 9)],
        [health(3, settings=BATCH, checkpoints=())],
        [health(3, settings=None, checkpoints=())],
        [health(0.5, checkpoints=())],
        [health(3, job=job("CANCELED", ended=at(2)))],
        [health(3, job=job("FINISHED", ended=at(2)), exceptions=(failure(1),))],
        [health(5, exceptions=(failure(2),), restarts=1)],
        [health(0.5, job=job("RUNNING", running_tasks=1))],
    ],
    ids=[
        *("not observed", "running", "running for long", "batch", "settings hidden"),
        *("first checkpoint is due", "cancelled", "came to its end", "restarted once", "deploying"),
    ],
)
def test_a_job_that_needs_none(observations: list[JobHealth]) -> None:
    assert needs_attention(observations) == ()


def test_a_failed_job_with_its_cause_and_where_to_start_again() -> None:
    kept = replace(EVERY_MINUTE, retained=True)
    ended = job("FAILED", ended=at(4), running_tasks=0)
    found = only(health(9, job=ended, settings=kept, exceptions=(failure(4), failure(2))))
    assert found.concern is Concern.FAILED
    assert found.reason == "it FAILED 5 min ago: IOException: disk"
    assert "Start it again from its last checkpoint, file:/c/chk-9" in found.remedy
    assert found.since == at(4)


@pytest.mark.parametrize(
    ("checkpoints", "remedy"),
    [
        ([checkpoint(2, 2)], "from its last savepoint or retained checkpoint"),
        ([checkpoint(3, 3), checkpoint(2, 2, kind="savepoint", path="file:/s/2")], "file:/s/2"),
        ([checkpoint(2, 2, kind="savepoint", path="file:/s/2", discarded=True)], "or retained"),
    ],
    ids=["not retained", "savepoint", "discarded"],
)
def test_only_state_that_outlives_a_job_is_advised(
    checkpoints: list[Checkpoint], remedy: str
) -> None:
    """Shows that a checkpoint that ends with its job is not named as one to start from."""
    ended = job("FAILED", ended=at(4))
    found = only(health(9, job=ended, checkpoints=tuple(checkpoints)))
    assert remedy in found.remedy
    assert "chk-" not in found.remedy


def test_a_job_that_its_cluster_no_longer_lists_is_lost() -> None:
    found = only(health(1), health(2), NotListed(JOB_ID, at(5)))
    assert found.concern is Concern.LOST
    assert found.reason == "the cluster no longer lists it; 3 min ago it was RUNNING"
    assert found.since == at(2)


def test_one_that_had_ended_before_is_not_lost_but_forgotten() -> None:
    assert needs_attention([health(1, job=job("FAILED")), NotListed(JOB_ID, at(90))]) == ()


def test_one_that_was_never_listed_is_lost_where_it_is_expected() -> None:
    absent = NotListed(JOB_ID, at(5))
    assert needs_attention([absent]) == ()
    assert only(absent, expected=True).concern is Concern.LOST


@pytest.mark.parametrize("state", ["RESTARTING", "FAILING", "RECONCILING"])
def test_a_job_that_is_restarting(state: str) -> None:
    found = only(
        health(5, job=job(state, running_tasks=0), state_since=at(3), exceptions=(failure(3),))
    )
    assert found.concern is Concern.RESTARTING
    assert found.reason == f"it has been {state} for 2 min: IOException: disk"


def test_a_suspended_job() -> None:
    assert only(health(5, job=job("SUSPENDED"))).concern is Concern.SUSPENDED


def test_a_job_that_fails_again_and_again_by_its_exceptions() -> None:
    """Shows it in one observation, as of a job that runs at this moment."""
    found = only(health(20, exceptions=(failure(19), failure(15), failure(2))))
    assert found.concern is Concern.RESTARTED
    assert "restarted 2 times in the last 10 min: IOException: disk" in found.reason
    assert found.since == at(15)


def test_a_job_that_fails_again_and_again_by_its_count() -> None:
    """Shows it where the exceptions are hidden, by a counter that grows from what it was."""
    steady = [health(minute, restarts=40) for minute in (1, 2, 3)]
    assert concerns(*steady) == []
    assert concerns(*steady, health(4, restarts=41)) == []
    assert concerns(*steady, health(4, restarts=43)) == [Concern.RESTARTED]


def test_restarts_of_an_hour_ago_are_past() -> None:
    assert concerns(health(1, restarts=0), health(61, restarts=9), health(62, restarts=9)) == []


def test_tasks_that_wait_for_slots() -> None:
    waiting = job("RUNNING", running_tasks=1, modified=at(1))
    found = only(health(4, job=waiting))
    assert found.concern is Concern.TASKS_NOT_RUNNING
    assert found.reason == "1 of 2 tasks run, and nothing has changed for 3 min"


def test_checkpoints_that_fail() -> None:
    history = (
        checkpoint(5, 4.5, "FAILED", failure="CheckpointException: expired"),
        checkpoint(4, 3.5, "FAILED"),
        checkpoint(3, 2.5),
        checkpoint(2, 1.5, "FAILED"),
    )
    found = only(health(5, checkpoints=history))
    assert found.concern is Concern.CHECKPOINTS_FAILING
    assert found.reason == (
        "its last 2 checkpoints failed, and the last one completed 2 min ago: "
        "CheckpointException: expired"
    )
    assert found.since == at(3.5)


def test_failures_before_the_last_completed_one_are_past() -> None:
    assert concerns(health(5, checkpoints=(checkpoint(5, 4.5), checkpoint(4, 4, "FAILED")))) == []


def test_no_checkpoint_for_longer_than_may_be() -> None:
    """Shows the limit: the longer of interval and timeout, times tolerable failures + 2."""
    settings = replace(EVERY_MINUTE, tolerable_failures=1)
    assert settings.longest_gap == 30 * MINUTE
    done = (checkpoint(1, 0),)
    assert concerns(health(30, settings=settings, checkpoints=done)) == []
    found = only(health(31, settings=settings, checkpoints=done))
    assert found.concern is Concern.NO_CHECKPOINT
    assert "no checkpoint has completed for 30 min" in found.reason
    assert found.since == at(0) + 1000


def test_the_time_without_a_checkpoint_begins_anew_when_a_job_is_restarted() -> None:
    assert concerns(health(40, state_since=at(35), checkpoints=(checkpoint(1, 0),))) == []


def test_a_savepoint_counts_as_a_checkpoint() -> None:
    history = (checkpoint(2, 20, kind="savepoint"), checkpoint(1, 0))
    assert concerns(health(25, checkpoints=history)) == []


@pytest.mark.parametrize(
    ("lags", "expected"),
    [
        ([2, 3, 4, 5], [Concern.LAG_GROWING]),
        ([2, 3, 4], []),
        ([2, 3, 3, 5], []),
        ([5, 4, 3, 2], []),
        ([0.1, 0.2, 0.3, 0.4], []),
    ],
    ids=["grows", "not for long enough", "pauses", "shrinks", "small"],
)
def test_lag_that_grows(lags: list[float], expected: list[Concern]) -> None:
    assert concerns(*(behind(minute, lag) for minute, lag in enumerate(lags, 1))) == expected


def test_lag_that_grows_names_the_vertex_to_look_at() -> None:
    found = only(*(behind(minute, minute) for minute in (2, 3, 4, 5)))
    assert found.reason == "it is 5 min behind in event time, 2 min 3 min ago"
    assert found.remedy.startswith("Source: orders works 97% of the time")


def test_lag_is_judged_by_metrics_of_different_times() -> None:
    """Shows that a job observed every second is not judged by the same values again and again."""
    often = [behind(2 + second / 60, 2 + second / 60) for second in range(20)]
    assert concerns(*often) == []
    assert concerns(*(behind(2 + second / 60, 2 + second / 60) for second in range(40))) == [
        Concern.LAG_GROWING
    ]


def test_a_job_that_catches_up_after_a_restart_is_not_judged_by_what_was_before() -> None:
    seen = [behind(1, 1), behind(2, 2), behind(3, 3, restarts=1), behind(4, 4, restarts=1)]
    assert concerns(*seen) == []


@pytest.mark.parametrize(("most", "expected"), [(90_000, [Concern.LAG_GROWING]), (400, [])])
def test_pending_records_that_grow(most: int, expected: list[Concern]) -> None:
    """Shows that they count from a minute's work on."""
    seen = [
        health(minute, vertices=(vertex(pending_records=most * minute // 4),))
        for minute in (1, 2, 3, 4)
    ]
    assert concerns(*seen) == expected


def test_the_most_urgent_comes_first() -> None:
    history = (checkpoint(5, 4.5, "FAILED"), checkpoint(4, 3.5, "FAILED"), checkpoint(1, 0))
    seen = health(40, checkpoints=history, exceptions=(failure(39), failure(38)))
    assert concerns(seen) == [
        Concern.RESTARTED,
        Concern.NO_CHECKPOINT,
        Concern.CHECKPOINTS_FAILING,
    ]


def listed(before: list[ObservedJob], now: list[ObservedJob]) -> dict[str, list[Concern]]:
    found = listed_attention(cluster(5, *before), cluster(7, *now))
    return {job_id: [each.concern for each in reasons] for job_id, reasons in found.items()}


def test_what_the_job_list_alone_shows() -> None:
    """Shows it without a request by job, and without an observation before."""
    jobs = [
        replace(job("FAILED", ended=at(1)), job_id="a" * 32),
        replace(job("RESTARTING"), job_id="b" * 32),
        replace(job(running_tasks=1), job_id="c" * 32),
        replace(job("CANCELED"), job_id="d" * 32),
        replace(job(), job_id="e" * 32),
    ]
    found = listed_attention(None, cluster(7, *jobs))
    assert {job_id[0]: [each.concern for each in found[job_id]] for job_id in found} == {
        "a": [Concern.FAILED],
        "b": [Concern.RESTARTING],
        "c": [Concern.TASKS_NOT_RUNNING],
    }


def test_a_restart_between_two_lists() -> None:
    assert listed([job()], [job(modified=at(6))]) == {JOB_ID: [Concern.RESTARTED]}
    assert listed([job()], [job()]) == {}


def test_tasks_that_come_to_their_own_end_are_no_restart() -> None:
    """Shows it for a bounded source, whose end changes the list as a restart does."""
    finished = job(running_tasks=1, finished_tasks=1, modified=at(6))
    assert listed([job()], [finished]) == {}
    assert listed([finished], [job(modified=at(6.5))]) == {JOB_ID: [Concern.RESTARTED]}


def test_a_job_that_vanished_from_the_list() -> None:
    assert listed([job()], []) == {JOB_ID: [Concern.LOST]}
    assert listed([job("FINISHED")], []) == {}


def test_a_failed_submission_that_a_newer_one_replaced() -> None:
    """Shows that of a job's submissions only the newest counts."""
    first = replace(job("FAILED", ended=at(1)), job_id=f"{'1' * 18}000001{'0' * 8}")
    second = replace(job(), job_id=f"{'1' * 18}000002{'0' * 8}")
    assert listed([], [first, second]) == {}
    assert listed([], [first]) == {first.job_id: [Concern.FAILED]}


def test_a_cluster_without_task_managers() -> None:
    assert [each.concern for each in cluster_attention(cluster(1, job(), task_managers=0))] == [
        Concern.NO_TASK_MANAGERS
    ]
    assert cluster_attention(cluster(1, task_managers=0)) == ()


def test_metaspace_that_is_nearly_full() -> None:
    full, half = Memory(240 << 20, 256 << 20), Memory(128 << 20, 256 << 20)
    (found,) = cluster_attention(cluster(1, job(), metaspace=half, job_manager_metaspace=full))
    assert found.concern is Concern.METASPACE
    assert found.reason == "the JobManager uses 240 of 256 MiB of its metaspace"
    assert cluster_attention(cluster(1, job(), metaspace=Memory(1 << 30, None))) == ()


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(-5, "0 s"), (40_000, "40 s"), (119_000, "119 s"), (150_000, "2 min"), (7_200_000, "2 h")],
)
def test_spans(milliseconds: int, words: str) -> None:
    assert span(milliseconds) == words
