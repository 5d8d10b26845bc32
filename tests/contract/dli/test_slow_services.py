"""Steps that show late, or whose answer was lost: they are waited for, and not taken twice."""

from __future__ import annotations

import httpx
import pytest

from flink_jobs_provider.model.errors import DeadlineExceeded, JobError
from flink_jobs_provider.model.savepoint import in_store, same_path
from tests.contract.dli.scripted import error
from tests.contract.dli.stack import Stack, restored, running, spec, stopped

#: How a message names a savepoint that nobody has looked at.
KNOWN = "the last savepoint of it that is known is"


@pytest.mark.parametrize("lags", [40.0, 200.0])
def test_an_accepted_step_that_shows_late_is_no_failure(lags: float) -> None:
    """Shows that nothing is begun beside it, and that the previous version is not run again."""
    stack = running()
    stack.dli.lags = lags
    record = stack.up(spec("New"))
    assert [launch.main_class for launch in stack.dli.launches] == ["Old", "New"]
    assert same_path(record.restored_from, stack.dli.savepoints[-1])
    assert stack.dli.steps[2:] == ["stop, saved", "change", "run, resumed"]


@pytest.mark.parametrize("step", ["stop", "start"])
def test_one_that_never_shows_is_waited_for_until_its_time_is_over(step: str) -> None:
    stack = running() if step == "stop" else stopped()
    stack.dli.lags = 1e6
    before = len(stack.dli.steps)
    began = stack.time.now()
    with pytest.raises(DeadlineExceeded) as caught:
        stack.up(spec("New"))
    assert f"the {step} has not ended in {35 * 60 if step == 'stop' else 15 * 60} s" in str(
        caught.value
    )
    assert "nothing else was begun" in caught.value.now
    assert stack.time.now() - began >= 15 * 60
    assert stack.dli.steps[before:] == (
        ["stop, saved"] if step == "stop" else ["change", "run, resumed"]
    )


@pytest.mark.parametrize("path", ["/jobs/stop", "/jobs/run"])
@pytest.mark.parametrize("answer", ["none", "empty batch"])
def test_a_step_that_was_taken_without_an_answer_is_read_from_the_job(
    path: str, answer: str
) -> None:
    stack = running()

    def unlike(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith(path):
            return None
        stack.dli._answer(request)
        if answer == "none":
            raise httpx.ReadTimeout("slow")
        return httpx.Response(200, json=[])

    stack.dli.unlike = unlike
    stack.up(spec("New"))
    assert stack.dli.steps[2:] == ["stop, saved", "change", "run, resumed"]
    assert [launch.main_class for launch in stack.dli.launches] == ["Old", "New"]
    assert any("was not answered; checking whether it was accepted" in line for line in stack.said)


@pytest.mark.parametrize(("path", "what"), [("/jobs/stop", "stop"), ("/jobs/run", "start")])
def test_a_step_that_was_not_answered_and_does_not_show(path: str, what: str) -> None:
    stack = running()

    def unlike(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith(path):
            raise httpx.ReadTimeout("slow")
        return None

    stack.dli.unlike = unlike
    began = stack.time.now()
    with pytest.raises(DeadlineExceeded) as caught:
        stack.up(spec("New"))
    assert f"the {what} was not answered (" in caught.value.happened
    assert caught.value.now.startswith("Whether it was taken is not known; nothing else was begun")
    assert stack.time.now() - began < 120
    stack.dli.unlike = lambda _request: None
    stack.up(spec("New"))
    assert [launch.main_class for launch in stack.dli.launches] == ["Old", "New"]
    assert same_path(restored(stack)[-1], stack.dli.savepoints[-1])


def test_a_change_that_was_taken_without_an_answer() -> None:
    """Shows that the service's refusal of the same change again is not taken for a failure."""
    stack = Stack()
    stack.up(spec(dli={"obs_bucket": "one"}))
    unanswered = [True]

    def unlike(request: httpx.Request) -> httpx.Response | None:
        if request.method == "PUT" and unanswered:
            unanswered.pop()
            stack.dli._answer(request)
            raise httpx.ReadTimeout("slow")
        return None

    stack.dli.unlike = unlike
    stack.up(spec(dli={"obs_bucket": "two"}))
    assert stack.dli.job().config["obs_bucket"] == "two"
    assert stack.dli.steps == ["create", "run", "change"]


def test_going_back_waits_for_a_service_that_is_busy() -> None:
    stack = running(broken={"New": "job_submit_fail"})
    changes = []

    def unlike(request: httpx.Request) -> httpx.Response | None:
        changes.extend([request] if request.method == "PUT" else [])
        return error("APIGW.0308", 429) if len(changes) == 2 and request.method == "PUT" else None

    stack.dli.unlike = unlike
    with pytest.raises(JobError) as caught:
        stack.up(spec("New"))
    assert "The previous version runs again as job" in caught.value.now
    assert stack.dli.job().config["main_class"] == "Old"


def test_credentials_that_end_in_the_middle_say_how_the_job_stands() -> None:
    stack = running()

    def unlike(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("/jobs/run"):
            return error("APIGW.0301", 401, message="token expired")
        return None

    stack.dli.unlike = unlike
    with pytest.raises(JobError) as caught:
        stack.up(spec("New"))
    taken = in_store(stack.dli.savepoints[-1].rstrip("/"))
    assert caught.value.now == (
        f"The previous version was stopped, and no other one is known to run; {KNOWN} {taken}."
    )
    stack.dli.unlike = lambda _request: None
    stack.up(spec("New"))
    assert same_path(restored(stack)[-1], taken)


def test_a_service_that_takes_nothing_for_long_says_how_the_job_stands() -> None:
    stack = running()

    def unlike(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("/jobs/run"):
            return error("APIGW.0308", 429, **{"Retry-After": "3600"})
        return None

    stack.dli.unlike = unlike
    with pytest.raises(JobError) as caught:
        stack.up(spec("New"))
    taken = in_store(stack.dli.savepoints[-1].rstrip("/"))
    assert f"no other one is known to run; {KNOWN} {taken}. Run again later." in str(caught.value)
    stack.dli.unlike = lambda _request: None
    stack.up(spec("New"))
    assert same_path(restored(stack)[-1], taken)


@pytest.mark.parametrize("at", ["job_canceling", "job_submitting"])
def test_credentials_that_end_while_a_step_goes_on_say_what_may_still_come(at: str) -> None:
    stack = running()
    stack.dli.unlike = lambda request: (
        error("APIGW.0301", 401, message="token expired")
        if request.method == "GET" and stack.dli.job().status == at
        else None
    )
    with pytest.raises(JobError, match="refused the credentials") as caught:
        stack.up(spec("New"))
    step = "stop" if at == "job_canceling" else "start"
    going_on = f"The {step} was sent, and may go on, in the job service."
    assert caught.value.now.endswith(going_on)
    down = "The previous version was stopped, and no other one is known to run; "
    assert caught.value.now.startswith(down if step == "start" else going_on)


@pytest.mark.parametrize("at", ["/jobs/run", "PUT", "/jobs/stop"])
def test_a_service_that_stays_busy_says_how_the_job_stands(at: str) -> None:
    stack = running()
    stack.dli.unlike = lambda request: (
        error("APIGW.0308", 429) if request.url.path.endswith(at) or request.method == at else None
    )
    with pytest.raises(JobError, match="gave up after 14 steps") as caught:
        stack.up(spec("New"))
    if at == "/jobs/stop":
        assert caught.value.now == "The last step has ended, and nothing more was begun."
        return
    taken = in_store(stack.dli.savepoints[-1].rstrip("/"))
    assert f"no other one is known to run; {KNOWN} {taken}." in caught.value.now


@pytest.mark.parametrize("asked", [{}, {"Retry-After": "0"}])
def test_a_service_that_is_busy_for_minutes_after_the_stop_is_waited_for(
    asked: dict[str, str],
) -> None:
    """Shows that a job which was stopped does not stay down for it: the pauses grow."""
    stack = running()
    refused: list[float] = []

    def unlike(request: httpx.Request) -> httpx.Response | None:
        if request.method != "PUT" or (refused and stack.time.now() > refused[0] + 240):
            return None
        refused.append(stack.time.now())
        return error("APIGW.0308", 429, **asked)

    stack.dli.unlike = unlike
    stack.up(spec("New"))
    assert same_path(restored(stack)[-1], stack.dli.savepoints[-1])


def test_a_savepoint_whose_answer_was_lost_may_have_been_begun() -> None:
    stack = running()

    def unlike(request: httpx.Request) -> None:
        if request.url.path.endswith("/savepoint"):
            raise httpx.ReadTimeout("slow", request=request)

    stack.dli.unlike = unlike
    with pytest.raises(JobError) as caught:
        stack.up(spec(savepoint_trigger="1", savepoint_directory="obs://bucket/beside"))
    assert caught.value.now == "Whether the savepoint was accepted is unknown."


def test_a_step_that_does_not_end_names_the_timeouts() -> None:
    stack = running()
    stack.dli.takes = 1e6
    with pytest.raises(DeadlineExceeded, match="the stop has not ended in 2100 s") as caught:
        stack.up(spec("New"))
    remedy = "Run again to wait for it, or raise timeouts.savepoint or timeouts.cancel."
    assert caught.value.remedy == remedy
