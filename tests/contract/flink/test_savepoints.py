"""Savepoints: a repeated request finds what an earlier one began, by its derived trigger ids."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from flink_jobs_provider.control_planes.http import TRIES
from flink_jobs_provider.control_planes.protocol import Purpose, SavepointRequest
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ClusterUnreachable,
    DeadlineExceeded,
    TemporaryError,
)
from flink_jobs_provider.model.identity import trigger_id
from flink_jobs_provider.model.savepoint import SavepointFormat
from tests.contract.flink.scripted import JOB_ID, VERSIONS, ScriptedFlink, ok, recorded

STOP = f"POST jobs/{JOB_ID}/stop"
PATH = "file:/flink/savepoints/savepoint-000000-"
IN_PROGRESS = ok(status={"id": "IN_PROGRESS"}, operation=None)


def request(purpose: Purpose = Purpose.STOP, occasion: str = "") -> SavepointRequest:
    return SavepointRequest(JOB_ID, "/s", purpose, SavepointFormat.CANONICAL, occasion)


def poll(attempt: int, purpose: Purpose = Purpose.STOP, occasion: str = "") -> str:
    """Return the request that asks for an attempt."""
    trigger = trigger_id(JOB_ID, f"{purpose}/{occasion}", attempt)
    return f"GET jobs/{JOB_ID}/savepoints/{trigger}"


def unknown() -> httpx.Response:
    return recorded("unknown-trigger")


def take(flink: ScriptedFlink, wanted: SavepointRequest | None = None, timeout: float = 60) -> str:
    return asyncio.run(flink.plane().take_savepoint(wanted or request(), timeout))


@pytest.mark.parametrize("version", VERSIONS)
def test_first_attempt(version: str) -> None:
    flink = ScriptedFlink(version)
    flink.answer(STOP, recorded("stop-accepted", version))
    flink.answer(poll(0), unknown(), IN_PROGRESS, recorded("stop-completed", version))
    assert take(flink).startswith(PATH)
    (sent,) = [sent for sent in flink.sent if sent.method == "POST"]
    assert sent.body["triggerId"] == trigger_id(JOB_ID, "stop/", 0)
    assert sent.body["targetDirectory"] == "/s"


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        (["unknown-trigger"], False),
        (["stop-completed"], True),
        ([IN_PROGRESS, IN_PROGRESS, "stop-completed"], True),
        (["stop-ended-job-failed"], False),
        ([IN_PROGRESS, IN_PROGRESS, "stop-ended-job-failed"], False),
    ],
)
def test_one_that_was_begun_is_waited_for_and_none_is_requested(
    answers: list[str | httpx.Response], found: bool
) -> None:
    flink = ScriptedFlink()
    replies = [recorded(each) if isinstance(each, str) else each for each in answers]
    flink.answer(poll(0), *replies)
    path = asyncio.run(flink.plane().await_savepoint(request(), 60))
    assert (path or "").startswith(PATH if found else "")
    assert bool(path) == found
    assert all(sent.method == "GET" for sent in flink.sent)


def test_a_completed_one_is_returned_without_a_new_request() -> None:
    flink = ScriptedFlink()
    flink.answer(poll(0), recorded("stop-completed"))
    assert take(flink).startswith(PATH)
    assert flink.changes() == []


def test_one_in_progress_is_waited_for() -> None:
    flink = ScriptedFlink()
    flink.answer(poll(0), IN_PROGRESS, IN_PROGRESS, recorded("stop-completed"))
    assert take(flink).startswith(PATH)
    assert flink.changes() == []


@pytest.mark.parametrize("failures", [1, 2, 3, 4, 5, 9])
def test_after_failures_the_next_attempt_has_a_trigger_id_of_its_own(failures: int) -> None:
    """Shows that a failure that Flink remembers is not taken for the answer to a new request."""
    flink = ScriptedFlink()
    for attempt in range(failures):
        flink.answer(poll(attempt), recorded("stop-ended-job-failed"))
    flink.answer(STOP, recorded("stop-accepted"))
    flink.answer(poll(failures), unknown(), recorded("stop-completed"))
    assert take(flink).startswith(PATH)
    (sent,) = [sent for sent in flink.sent if sent.method == "POST"]
    assert sent.body["triggerId"] == trigger_id(JOB_ID, "stop/", failures)


def test_a_success_after_failures_is_found() -> None:
    flink = ScriptedFlink()
    flink.answer(poll(0), recorded("stop-ended-job-failed"))
    flink.answer(poll(1), recorded("stop-completed"))
    assert take(flink).startswith(PATH)
    assert flink.changes() == []


def test_failures_that_flink_has_forgotten_leave_a_gap_that_is_looked_past() -> None:
    """Shows that a later attempt is found although the first was forgotten after five minutes."""
    flink = ScriptedFlink()
    flink.answer(poll(1), recorded("stop-ended-job-failed"))
    flink.answer(poll(2), IN_PROGRESS, recorded("stop-completed"))
    assert take(flink).startswith(PATH)
    assert flink.changes() == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_failure_is_told_by_its_last_cause(version: str) -> None:
    flink = ScriptedFlink(version)
    flink.answer(STOP, recorded("stop-ended-job", version))
    flink.answer(poll(0), unknown(), recorded("stop-ended-job-failed", version))
    with pytest.raises(ActionFailed) as caught:
        take(flink)
    assert caught.value.happened.startswith("FlinkJobNotFoundException: Could not find Flink job")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("purpose", list(Purpose))
def test_each_purpose_and_occasion_has_trigger_ids_of_its_own(purpose: Purpose) -> None:
    """Shows that a savepoint taken for one reason is not the answer to another request."""
    flink = ScriptedFlink()
    others = [p for p in Purpose if p is not purpose]
    for other in others:
        flink.answer(poll(0, other), recorded("stop-completed"))
    flink.answer(poll(0, purpose, "yesterday"), recorded("stop-completed"))
    verb = "stop" if request(purpose).stops else "savepoints"
    flink.answer(f"POST jobs/{JOB_ID}/{verb}", recorded("savepoint-accepted"))
    flink.answer(poll(0, purpose, "today"), unknown(), recorded("savepoint-completed"))
    assert take(flink, request(purpose, "today")).startswith(PATH)
    assert flink.changes() == [f"POST jobs/{JOB_ID}/{verb}"]


def test_a_lost_answer_is_repeated_under_the_same_trigger_id() -> None:
    flink = ScriptedFlink()
    flink.answer(STOP, httpx.ReadError("reset"), recorded("stop-accepted"))
    flink.answer(poll(0), unknown(), recorded("stop-completed"))
    assert take(flink).startswith(PATH)
    one, two = (sent.body for sent in flink.sent if sent.method == "POST")
    assert one == two


def test_an_answer_lost_again_and_again_is_an_unreachable_cluster() -> None:
    flink = ScriptedFlink()
    flink.answer(STOP, httpx.ReadError("reset"))
    with pytest.raises(ClusterUnreachable):
        take(flink)
    assert flink.changes() == [STOP] * TRIES


def test_the_time_allowed_ends_the_waiting_and_not_the_savepoint() -> None:
    flink = ScriptedFlink()
    flink.answer("GET jobs/overview", job_list("RUNNING"))
    flink.answer(poll(0), IN_PROGRESS)
    with pytest.raises(DeadlineExceeded, match="still being taken"):
        take(flink, timeout=10)
    assert flink.changes() == []
    assert 1009 < flink.clock.time < 1013


def test_an_operation_that_the_cluster_forgot_is_no_failure_of_the_savepoint() -> None:
    flink = ScriptedFlink()
    flink.answer(poll(0), IN_PROGRESS, unknown())
    with pytest.raises(TemporaryError, match="no longer knows the savepoint"):
        take(flink)


def test_a_cluster_that_is_away_for_a_moment_is_waited_for() -> None:
    flink = ScriptedFlink()
    away = [httpx.Response(503)] * 12
    flink.answer(poll(0), IN_PROGRESS, *away, recorded("stop-completed"))
    assert take(flink).startswith(PATH)


def test_no_directory_anywhere_is_refused_by_flink() -> None:
    flink = ScriptedFlink()
    text = "java.lang.IllegalArgumentException: No target directory"
    flink.answer(STOP, httpx.Response(400, json={"errors": [text]}))
    with pytest.raises(ActionFailed, match=r"the savepoint was refused: .*No target directory"):
        take(flink)


def test_finding_takes_nothing() -> None:
    flink = ScriptedFlink()
    assert asyncio.run(flink.plane().find_savepoint(request())) is None
    flink.answer(poll(0), IN_PROGRESS)
    assert asyncio.run(flink.plane().find_savepoint(request())) is None
    flink.answer(poll(0), recorded("stop-completed"))
    found = asyncio.run(flink.plane().find_savepoint(request()))
    assert found is not None
    assert found.startswith(PATH)
    assert flink.changes() == []


def job_list(state: str) -> httpx.Response:
    """Return a list of jobs with the one in that state."""
    tasks = dict.fromkeys(("total", "running"), 1)
    job = {"jid": JOB_ID, "name": "orders", "state": state, "start-time": 1, "tasks": tasks}
    return ok(jobs=[job])


OUTLIVED = {"failed": job_list("FAILED"), "gone": ok(jobs=[])}


@pytest.mark.parametrize("jobs", OUTLIVED.values(), ids=OUTLIVED)
def test_a_savepoint_that_outlives_its_job_is_not_waited_for(jobs: httpx.Response) -> None:
    """Shows that a job's end ends the wait, where Flink never says how the savepoint went."""
    flink = ScriptedFlink()
    flink.answer(STOP, recorded("stop-accepted"))
    flink.answer(poll(0), unknown(), IN_PROGRESS)
    flink.answer("GET jobs/overview", job_list("RUNNING"), job_list("RUNNING"), jobs)
    began = flink.clock.now()
    with pytest.raises(TemporaryError, match="Flink does not report how its savepoint ended"):
        take(flink, timeout=1800)
    assert 5 <= flink.clock.now() - began < 15


def test_a_savepoint_whose_answer_comes_after_the_jobs_end_is_taken() -> None:
    flink = ScriptedFlink()
    flink.answer(STOP, recorded("stop-accepted"))
    done = recorded("stop-completed")
    flink.answer(poll(0), unknown(), *[IN_PROGRESS] * 14, done)
    flink.answer("GET jobs/overview", job_list("FINISHED"))
    assert take(flink, timeout=1800).startswith(PATH)


@pytest.mark.parametrize("jobs", OUTLIVED.values(), ids=OUTLIVED)
def test_a_checkpoint_that_outlives_its_job_is_not_waited_for(jobs: httpx.Response) -> None:
    flink = ScriptedFlink()
    flink.answer(f"GET jobs/{JOB_ID}/checkpoints/config", recorded("checkpoints-config"))
    accepted: list[str] = []

    def accept(request: httpx.Request) -> httpx.Response:
        accepted.append(json.loads(request.content)["triggerId"])
        flink.answer(f"GET jobs/{JOB_ID}/checkpoints/{accepted[0]}", IN_PROGRESS)
        return ok(**{"request-id": accepted[0]})

    flink.answer(f"POST jobs/{JOB_ID}/checkpoints", accept)
    flink.answer("GET jobs/overview", jobs)
    began = flink.clock.now()
    with pytest.raises(ActionFailed, match="and no checkpoint has completed"):
        asyncio.run(flink.plane().checkpoint(JOB_ID, 600))
    assert 5 <= flink.clock.now() - began < 15


STATISTICS = f"GET jobs/{JOB_ID}/checkpoints"


def statistics(in_progress: int, **savepoint: object) -> httpx.Response:
    """Return the statistics of a job with so many checkpoints in progress, and a last savepoint."""
    counts = {"in_progress": in_progress, "completed": 7}
    return ok(counts=counts, latest={"savepoint": savepoint or None})


def test_a_savepoint_that_flink_lost_is_triggered_again() -> None:
    """Shows one that stays IN_PROGRESS, while the job runs and counts none in progress."""
    flink = ScriptedFlink()
    flink.answer("GET jobs/overview", job_list("RUNNING"))
    flink.answer(STATISTICS, statistics(1), statistics(0))
    flink.answer(STOP, recorded("stop-accepted"))
    flink.answer(poll(0), unknown(), IN_PROGRESS)
    flink.answer(poll(1), unknown(), IN_PROGRESS, recorded("stop-completed"))
    began = flink.clock.now()
    assert take(flink, timeout=1800).startswith(PATH)
    assert 20 <= flink.clock.now() - began < 40
    triggers = [sent.body["triggerId"] for sent in flink.sent if sent.method == "POST"]
    assert triggers == [trigger_id(JOB_ID, "stop/", attempt) for attempt in (0, 1)]


def test_the_next_run_goes_on_after_a_savepoint_that_flink_lost() -> None:
    flink = ScriptedFlink()
    flink.answer("GET jobs/overview", job_list("RUNNING"))
    flink.answer(STATISTICS, statistics(0))
    flink.answer(STOP, recorded("stop-accepted"))
    flink.answer(poll(0), IN_PROGRESS)
    flink.answer(poll(1), unknown(), recorded("stop-completed"))
    assert take(flink, timeout=1800).startswith(PATH)
    assert flink.changes() == [STOP]


def test_a_savepoint_that_is_lost_again_and_again_is_told() -> None:
    flink = ScriptedFlink()
    flink.answer("GET jobs/overview", job_list("RUNNING"))
    flink.answer(STATISTICS, statistics(0))
    flink.answer(STOP, recorded("stop-accepted"))
    for attempt in range(2):
        flink.answer(poll(attempt), unknown(), IN_PROGRESS)
    with pytest.raises(ActionFailed, match="Flink lost the savepoint: it does not report how"):
        take(flink, timeout=1800)
    assert flink.changes() == [STOP, STOP]


NOT_LOST = {
    "in progress": statistics(1),
    "tasks that finish": statistics(0, checkpoint_type="SYNC_SAVEPOINT"),
    "no statistics": unknown(),
    "another form": ok(counts={}),
}


@pytest.mark.parametrize("shown", NOT_LOST.values(), ids=NOT_LOST)
def test_a_savepoint_that_takes_long_is_not_taken_for_lost(shown: httpx.Response) -> None:
    """Shows that it is waited for as long as it may take, and triggered once."""
    flink = ScriptedFlink()
    flink.answer("GET jobs/overview", job_list("RUNNING"))
    flink.answer(STATISTICS, shown)
    flink.answer(STOP, recorded("stop-accepted"))
    flink.answer(poll(0), unknown(), IN_PROGRESS)
    with pytest.raises(DeadlineExceeded):
        take(flink, timeout=300)
    assert flink.changes() == [STOP]


def test_a_checkpoint_that_flink_lost_is_not_waited_for() -> None:
    """Shows a failure, which a rescale, and a version that comes up, try again after."""
    flink = ScriptedFlink()
    flink.answer(f"GET jobs/{JOB_ID}/checkpoints/config", recorded("checkpoints-config"))
    flink.answer("GET jobs/overview", job_list("RUNNING"))
    flink.answer(STATISTICS, statistics(0))

    def accept(request: httpx.Request) -> httpx.Response:
        trigger = json.loads(request.content)["triggerId"]
        flink.answer(f"{STATISTICS}/{trigger}", IN_PROGRESS)
        return ok(**{"request-id": trigger})

    flink.answer(f"POST jobs/{JOB_ID}/checkpoints", accept)
    began = flink.clock.now()
    with pytest.raises(ActionFailed, match="Flink lost the checkpoint: it does not report how"):
        asyncio.run(flink.plane().checkpoint(JOB_ID, 1800))
    assert 10 <= flink.clock.now() - began < 40
