"""Steps that fail: what runs then, what is said, and where the state is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from flink_jobs_provider.model.errors import (
    ActionFailed,
    JobError,
    PermanentError,
    StateUnavailable,
)
from flink_jobs_provider.model.savepoint import in_store, same_path
from flink_jobs_provider.reconciling.dli.step_runner import StepRunner
from tests.contract.dli.fake_dli import FakeJob
from tests.contract.dli.scripted import error
from tests.contract.dli.stack import BESIDE, JAR, NAMED, Stack, restored, running, spec
from tests.unit.model.made_up_jobs import DIGEST_1, DIGEST_2


@pytest.mark.parametrize("word", ["job_submit_fail", "job_running_exception"])
def test_a_first_version_that_does_not_come_up_gives_way_to_the_next(word: str) -> None:
    stack = Stack(broken={"Old": word})
    with pytest.raises(ActionFailed) as caught:
        stack.up(spec())
    assert "did not start: The program failed: no such thing." in str(caught.value)
    assert "Nothing of it runs" in str(caught.value)
    if word == "job_submit_fail":
        stack.up(spec("New"))
        assert stack.dli.steps == ["create", "run", "change", "run"]
        assert restored(stack) == [None]


@pytest.mark.parametrize("gateway", [True, False])
def test_an_update_that_does_not_come_up_is_taken_back(gateway: bool) -> None:
    stack = running(gateway=gateway, broken={"New": "job_submit_fail"})
    before = stack.recorded
    with pytest.raises(ActionFailed) as caught:
        stack.up(spec("New", parallelism=4))
    taken = in_store(stack.dli.savepoints[-1].rstrip("/"))
    assert "did not start: The program failed: no such thing." in caught.value.happened
    job = stack.dli.job()
    assert caught.value.now == (f"The previous version runs again as job {job.jid}, from {taken}.")
    assert (job.config["main_class"], job.config["parallel_number"]) == ("Old", 2)
    assert same_path(restored(stack)[-1], taken)
    assert stack.record is before
    assert stack.dli.steps[2:5] == ["stop, saved", "change", "run, resumed"]
    stack.refresh()
    assert not stack.plan(spec()).needed, "it is the previous version"
    stack.dli.broken.clear()
    stack.up(spec("New", parallelism=4))
    assert stack.dli.launches[-1].main_class == "New"


def test_neither_version_comes_up() -> None:
    stack = running(broken={"New": "job_submit_fail"})
    stack.dli.broken["Old"] = "job_submit_fail"
    with pytest.raises(ActionFailed) as caught:
        stack.up(spec("New"))
    path = in_store(stack.dli.savepoints[-1].rstrip("/"))
    assert "The previous version did not start again either" in caught.value.now
    assert f"the last savepoint of it that is known is {path}" in caught.value.now
    stack.dli.broken.clear()
    record = stack.up(spec("New"))
    assert same_path(restored(stack)[-1], path)
    assert same_path(record.restored_from, path)


@pytest.mark.parametrize(
    ("kept", "named"),
    [
        (("parallel_number", "runtime_config"), "flink_configuration, parallelism"),
        (("entrypoint", "entrypoint_args"), "args, jar"),
    ],
)
def test_a_service_that_keeps_its_old_values(kept: tuple[str, ...], named: str) -> None:
    stack = Stack(keeps_old=kept)
    stack.up(spec(flink_configuration={"gone": "1"}))
    wanted = spec(
        parallelism=4,
        flink_configuration={"k": "v"},
        args=["--new"],
        jar=JAR.replace("orders", "new"),
        jar_digest=DIGEST_2,
    )
    with pytest.raises(ActionFailed) as caught:
        stack.up(wanted)
    assert f"the job service has not taken over {named}." in str(caught.value)
    assert "The previous version runs again" in str(caught.value)


def test_a_stop_that_fails_leaves_the_job_running() -> None:
    stack = running(savepoints_fail="the snapshot failed\non purpose")
    with pytest.raises(ActionFailed) as caught:
        stack.up(spec("New"))
    assert "the stop with savepoint failed: the snapshot failed on purpose." in str(caught.value)
    assert f"Job {stack.recorded.job_id} is RUNNING; no other version was started." in str(
        caught.value
    )
    assert [launch.main_class for launch in stack.dli.launches] == ["Old"]
    stack.dli.savepoints_fail = ""
    stack.up(spec("New"))
    assert same_path(restored(stack)[-1], stack.dli.savepoints[-1])


REFUSALS = {
    "no import": ("import-savepoint", None, "no call to start a job from"),
    "import": ("import-savepoint", error("DLI.0001", message="not found"), "the import of"),
    "run": ("run", error("DLI.1028", message="quota of CUs exceeded"), "the start was refused"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_step_that_is_refused_after_the_stop_is_taken_back(case: str) -> None:
    """Shows that a job which ran before does not stay down for it."""
    path, refusal, said = REFUSALS[case]
    stack = running(lacks=() if refusal else ("import-savepoint",))
    left = [1]

    def unlike(request: httpx.Request) -> httpx.Response | None:
        if refusal and request.url.path.endswith(f"/{path}") and left:
            left.pop()
            return refusal
        return None

    stack.dli.unlike = unlike
    wanted = spec("New", **({} if case == "run" else {"restore_from": NAMED}))
    with pytest.raises(JobError) as caught:
        stack.up(wanted)
    assert said in caught.value.happened
    assert "The previous version runs again as job" in caught.value.now
    assert [launch.main_class for launch in stack.dli.launches] == ["Old", "Old"]
    assert same_path(restored(stack)[-1], stack.dli.savepoints[-1])
    stack.refresh()
    assert not stack.plan(spec()).needed


def test_the_same_version_from_a_savepoint_that_cannot_be_imported_is_taken_back() -> None:
    stack = running(lacks=("import-savepoint",))
    with pytest.raises(JobError, match="The previous version runs again"):
        stack.up(spec(restore_from=NAMED))
    assert same_path(restored(stack)[-1], stack.dli.savepoints[-1])


def test_a_first_version_that_ran_and_failed_says_what_next() -> None:
    """Shows that the first message names what the second run will ask for."""
    stack = Stack(broken={"Old": "job_running_exception"})
    with pytest.raises(ActionFailed, match='upgrade_mode to "stateless" to start from nothing'):
        stack.up(spec())
    with pytest.raises(StateUnavailable, match='upgrade_mode to "stateless"'):
        stack.up(spec())
    stack.dli.broken.clear()
    stack.up(spec(upgrade_mode="stateless"))
    assert stack.dli.job().status == "job_running"


@pytest.mark.parametrize("gateway", [True, False])
@pytest.mark.parametrize("what", ["other content", "gone"])
def test_without_the_former_jar_nothing_is_stopped(
    gateway: bool, what: str, storage: dict[str, str]
) -> None:
    """Shows that the way back is looked for before the stop; a gateway keeps a copy of its own."""
    stack = running(gateway=gateway)
    job_id, steps = stack.dli.job().jid, len(stack.dli.steps)
    wanted = spec("New", jar_digest=DIGEST_2)
    if what == "gone":
        wanted = spec("New", jar=f"{JAR}.2", jar_digest=DIGEST_2)
        del storage[JAR]
    if gateway:
        stack.up(wanted)
        return
    with pytest.raises(PermanentError) as caught:
        stack.up(wanted)
    reason = "has other content now than the recorded jar (SHA-256 111111111111…)."
    if what == "gone":
        reason = "does not exist."
    assert caught.value.happened == (
        "orders: the previous version could not be started again if the new one fails: "
        f"{JAR} {reason}"
    )
    assert caught.value.now == f"Job {job_id} goes on as it was."
    assert (stack.dli.job().jid, len(stack.dli.steps)) == (job_id, steps)
    stack.up(spec(desired_state="stopped"))
    stack.up(wanted)
    assert restored(stack)[-1], "the way on that the remedy names keeps the state"


def test_a_dependency_of_the_former_version_that_is_gone(storage: dict[str, str]) -> None:
    needed = "obs://jobs/jars/driver.jar"
    storage[needed] = DIGEST_1
    stack = Stack()
    stack.up(spec(dli={"dependency_jars": ["group/some.jar", needed]}))
    stack.up(spec("New", dli={"dependency_jars": ["group/some.jar", needed]}))
    del storage[needed]
    steps = len(stack.dli.steps)
    with pytest.raises(PermanentError, match=f"if the new one fails: {needed} does not exist"):
        stack.up(spec("Newer"))
    assert len(stack.dli.steps) == steps


# Reads that fail, or jobs that go, in the middle


def failing(stack: Stack, is_it: Callable[[httpx.Request], bool], status: int = 503) -> None:
    """Have some requests fail from now on."""
    stack.dli.unlike = lambda request: error("APIGW.1", status) if is_it(request) else None


def is_graph(request: httpx.Request) -> bool:
    """Whether a request reads Flink's id of a job."""
    return request.url.path.endswith("/execute-graph")


def test_a_start_that_was_seen_does_not_fail_because_its_id_cannot_be_read() -> None:
    """Shows that it is not reported as down, and that what is recorded is found again."""
    stack = running()
    failing(stack, lambda request: is_graph(request) and "run, resumed" in stack.dli.steps)
    record = stack.up(spec("New"))
    assert record.job_id == record.run_id
    assert record.status == "RUNNING"
    stack.dli.unlike = lambda _request: None
    stack.refresh()
    assert stack.recorded.job_id == stack.dli.job().jid
    assert not stack.plan(spec("New")).needed


def test_a_way_back_that_was_seen_does_not_fail_because_its_id_cannot_be_read() -> None:
    stack = running(broken={"New": "job_submit_fail"})
    failing(stack, lambda r: is_graph(r) and stack.dli.steps.count("run, resumed") == 2)
    with pytest.raises(ActionFailed, match="did not start: The program failed") as caught:
        stack.up(spec("New"))
    assert f"The previous version runs again as job {stack.recorded.run_id}" in caught.value.now


def test_an_ended_job_whose_graph_is_refused_is_read_all_the_same() -> None:
    """Shows it for the code of trouble: what the service answers there is documented nowhere."""
    stack = running()
    stack.up(spec(desired_state="stopped"))
    trouble = error("DLI.0999")
    stack.dli.unlike = lambda request: (
        trouble if is_graph(request) and stack.dli.job().status != "job_running" else None
    )
    stack.refresh()
    stack.up(spec())
    assert same_path(restored(stack)[-1], stack.dli.savepoints[-1])


@pytest.mark.parametrize("status", [401, 503])
def test_what_failed_is_reported_where_the_way_back_cannot_be_read(status: int) -> None:
    stack = running(broken={"New": "job_submit_fail"})
    seen: list[bool] = []

    def is_it(request: httpx.Request) -> bool:
        failed = request.method == "GET" and stack.dli.job().status == "job_submit_fail"
        seen.extend([True] * failed)
        return failed and len(seen) > 1

    failing(stack, is_it, status)
    with pytest.raises(ActionFailed, match="did not start: The program failed") as caught:
        stack.up(spec("New"))
    taken = in_store(stack.dli.savepoints[-1].rstrip("/"))
    assert "The previous version did not start again either" in caught.value.now
    assert f"the last savepoint of it that is known is {taken}" in caught.value.now


def test_a_way_back_whose_end_was_not_seen_is_not_reported_as_failed() -> None:
    stack = running(broken={"New": "job_submit_fail"})

    def is_it(request: httpx.Request) -> bool:
        return request.method == "GET" and stack.dli.steps.count("run, resumed") == 2

    failing(stack, is_it, 401)
    with pytest.raises(ActionFailed, match="did not start: The program failed") as caught:
        stack.up(spec("New"))
    assert caught.value.now.startswith(
        "The start was sent, and may go on, in the job service: https://dli."
    )
    assert "The previous version did not start" not in caught.value.now


@pytest.mark.parametrize("at", ["/jobs/stop", "/jobs/run", "PUT"])
def test_a_job_that_is_deleted_meanwhile_is_named(at: str) -> None:
    stack = running()

    def unlike(request: httpx.Request) -> None:
        if request.url.path.endswith(at) or request.method == at:
            stack.dli.jobs.clear()

    stack.dli.unlike = unlike
    with pytest.raises(ActionFailed) as caught:
        stack.up(spec("New"))
    assert caught.value.happened.startswith("orders: the ")
    assert "was refused: " in caught.value.happened
    assert "DLI.16001 The job does not exist" in caught.value.happened
    assert caught.value.remedy.startswith("Run again: it goes on from the job's last savepoint")
    if at == "/jobs/stop":
        assert caught.value.now.startswith("The job service no longer has the job")
    else:
        assert "the last savepoint of it that is known is obs://" in caught.value.now


def test_a_savepoint_of_just_before_is_not_that_of_the_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Shows it where the job shows that one late, and the stop has left none."""
    stack = running()
    stack.up(spec(savepoint_directory=BESIDE))
    detail, stop = stack.dli._detail, stack.dli._stop

    def without(job: FakeJob) -> dict[str, Any]:
        shown = detail(job)
        return shown if job.status.startswith("job_cancel") else shown | {"savepoint_path": None}

    def unsaved(job: FakeJob, saves: bool) -> None:
        shown = job.savepoint
        stop(job, saves)
        job.savepoint = shown

    async def listed(_self: StepRunner, directory: str) -> dict[str, float]:
        paths = {in_store(path.rstrip("/")): at for path, at in stack.dli.written.items()}
        return {path: at for path, at in paths.items() if path.startswith(directory)}

    stack.dli._detail, stack.dli._stop = without, unsaved  # type: ignore[method-assign]
    monkeypatch.setattr(StepRunner, "listed", listed)
    with pytest.raises(ActionFailed, match="the stop with savepoint failed") as caught:
        stack.up(spec("New", savepoint_directory=BESIDE))
    assert f"A savepoint of just before is in {BESIDE}/orders/" in caught.value.now
    assert [launch.main_class for launch in stack.dli.launches] == ["Old"]


@pytest.mark.parametrize("on_delete", ["cancel", "savepoint"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_job_that_goes_while_it_is_deleted_is_deleted(when: str, on_delete: str) -> None:
    """Shows it for a job that has gone before its stop was sent, or afterwards."""
    stack = running()
    stack.up(spec(on_delete=on_delete))

    def unlike(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/jobs/stop"):
            return None
        answer = stack.dli._answer(request) if when == "after" else None
        stack.dli.jobs.clear()
        return answer

    stack.dli.unlike = unlike
    assert stack.destroy() is None
