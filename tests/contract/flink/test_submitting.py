"""Submitting: accepted once, whatever becomes of the answer; refusals in one line."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from flink_jobs_provider.model.errors import (
    ActionFailed,
    ClusterUnreachable,
    EngineGone,
    JarError,
    MainStillRuns,
)
from tests.contract.flink.scripted import (
    IDENTITY,
    JOB_ID,
    VERSIONS,
    ScriptedFlink,
    jar_file,
    ok,
    recorded,
    submission,
)

RUN = "POST jars/uuid_orders.jar/run"
PLAN = "POST jars/uuid_orders.jar/plan"
LOST = httpx.ReadTimeout("no answer")
RPC_TIMED_OUT = httpx.Response(
    500,
    json={
        "errors": [
            "Internal server error.",
            "<Exception on server side:\njava.util.concurrent.CompletionException: "
            "java.util.concurrent.TimeoutException: Invocation of [RemoteRpcInvocation("
            "DispatcherGateway.submitJob(JobGraph, Time))] at recipient [pekko.tcp://flink@h:1/"
            "user/rpc/dispatcher_0] timed out. This is usually caused by: 1) ...\n"
            "\tat x.Y.z(Y.java:1)\n\nEnd of exception on server side>",
        ]
    },
)


def submit(flink: ScriptedFlink, timeout: float = 60) -> None:
    asyncio.run(flink.plane().submit(submission(), timeout))


def listed(name: str = "counting") -> httpx.Response:
    row = {"jid": JOB_ID, "name": name, "state": "RUNNING", "tasks": {"total": 1, "running": 1}}
    return ok(jobs=[row])


@pytest.mark.parametrize("version", VERSIONS)
def test_accepted(version: str) -> None:
    flink = ScriptedFlink(version)
    flink.answer(RUN, recorded("accepted", version))
    submit(flink)
    assert flink.changes() == [RUN]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", ["duplicate-running", "duplicate-ended"])
def test_a_duplicate_of_another_name_is_a_second_job(version: str, case: str) -> None:
    """Shows that the first job of `main` is not taken for the version, where no answer was lost."""
    flink = ScriptedFlink(version)
    flink.answer(RUN, recorded(case, version))
    flink.answer("GET jobs/overview", listed("the first of two"))
    with pytest.raises(ActionFailed, match="main starts a second job"):
        submit(flink)
    assert flink.changes() == [RUN]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_duplicate_of_the_same_name_was_submitted_by_another_run(version: str) -> None:
    """Shows that one of two runs which submit the same at once goes on with the other's job.

    Before, it took that for a second job of `main`, and cancelled what the other had started.
    """
    flink = ScriptedFlink(version)
    flink.answer(RUN, recorded("duplicate-running", version))
    flink.answer("GET jobs/overview", listed())
    submit(flink)
    assert flink.changes() == [RUN]


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        (ok(jobs=[]), "main does not start its job under"),
        (LOST, f"did not answer whether that is {JOB_ID}"),
    ],
)
def test_a_duplicate_of_a_job_that_is_not_listed_is_of_another_id(
    jobs: httpx.Response | Exception, said: str
) -> None:
    flink = ScriptedFlink()
    flink.answer(RUN, recorded("duplicate-ended"))
    flink.answer("GET jobs/overview", jobs)
    with pytest.raises(ActionFailed, match=said):
        submit(flink)
    assert flink.changes() == [RUN]


@pytest.mark.parametrize(
    "lost", [LOST, httpx.ReadError("reset"), httpx.Response(502), RPC_TIMED_OUT]
)
def test_a_lost_answer_whose_job_is_listed_is_not_sent_again(
    lost: httpx.Response | Exception,
) -> None:
    flink = ScriptedFlink()
    flink.answer(RUN, lost)
    flink.answer("GET jobs/overview", listed())
    submit(flink)
    assert flink.changes() == [RUN]


def test_an_error_of_a_cluster_that_has_accepted_the_job_is_no_refusal() -> None:
    """Shows that the job which runs is not taken for one that did not start."""
    flink = ScriptedFlink()
    flink.answer(RUN, httpx.Response(500, json={"errors": ["Internal server error."]}))
    flink.answer("GET jobs/overview", listed())
    submit(flink)
    assert flink.changes() == [RUN]


def test_an_error_of_a_cluster_that_has_not_is_one() -> None:
    flink = ScriptedFlink()
    flink.answer(RUN, httpx.Response(500, json={"errors": ["Internal server error."]}))
    flink.answer("GET jobs/overview", ok(jobs=[]))
    with pytest.raises(ActionFailed, match="Internal server error"):
        submit(flink)


@pytest.mark.parametrize("status", [408, 429])
def test_a_limit_of_what_is_in_between_is_no_refusal_of_flink(status: int) -> None:
    """Shows that a submission is sent again, whatever shape the answer has."""
    flink = ScriptedFlink()
    flink.answer(RUN, httpx.Response(status, json={"errors": ["busy"]}), recorded("accepted"))
    submit(flink)
    assert flink.changes() == [RUN, RUN]


@pytest.mark.parametrize("again", ["accepted", "duplicate-running"])
def test_a_lost_answer_whose_job_is_not_listed_is_sent_again(again: str) -> None:
    """Shows that the jobId makes the repeat safe: accepted now, or refused as a duplicate."""
    flink = ScriptedFlink()
    flink.answer(RUN, LOST, recorded(again))
    submit(flink)
    assert flink.changes() == [RUN, RUN]


def test_a_cluster_that_stays_away_is_given_up_at_the_deadline() -> None:
    flink = ScriptedFlink()
    flink.answer(RUN, LOST)
    flink.answer("GET jobs/overview", LOST)
    with pytest.raises(ClusterUnreachable):
        submit(flink, timeout=5)
    assert 1005 <= flink.clock.time < 1015, "it was asked three times more at the end"


def test_a_main_that_outlasts_the_time_is_told_from_a_cluster_that_is_away() -> None:
    """Shows that the jobId is named under which the job may still start."""
    flink = ScriptedFlink()
    flink.answer(RUN, LOST)
    with pytest.raises(
        MainStillRuns, match=r"not come to its job in 5 s, .* \(timeouts.submit\)"
    ) as late:
        submit(flink, timeout=5)
    assert late.value.job_id == JOB_ID


def test_a_submission_that_an_earlier_run_may_have_sent_is_repeated() -> None:
    """Shows that a refusal of its jobId is then a repeat, and no second job of `main`."""
    flink = ScriptedFlink()
    flink.answer(RUN, recorded("duplicate-running"))
    asyncio.run(flink.plane().submit(submission(sent_before=True), 5))
    assert flink.changes() == [RUN]


@pytest.mark.parametrize("shown", ["job", "threads", "nothing"])
def test_a_submission_that_was_left_running_is_waited_for_and_then_repeated(shown: str) -> None:
    """Shows that it is repeated when its job is not listed, at once where no `main` runs."""
    flink = ScriptedFlink()
    plane = flink.plane()
    flink.answer(RUN, LOST)
    with pytest.raises(MainStillRuns):
        asyncio.run(plane.submit(submission(), 5))
    before = flink.changes()
    flink.answer(RUN, recorded("duplicate-running"))
    if shown == "job":
        flink.answer("GET jobs/overview", *[ok(jobs=[])] * 3, listed())
    if shown == "threads":
        flink.answer("GET jobmanager/thread-dump", ok(threadInfos=[]))
    began = flink.clock.time
    asyncio.run(plane.submit(submission(), 5))
    assert flink.changes() == (before if shown == "job" else [*before, RUN])
    assert (flink.clock.time - began >= 5) is (shown == "nothing")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("case", "cause"),
    [
        (
            "bad-entry-class",
            "ClassNotFoundException: no.such.Main",
        ),
        ("main-throws", "IllegalStateException: main threw on purpose"),
        ("savepoint-missing", "FileNotFoundException: Cannot find checkpoint or savepoint"),
    ],
)
def test_refusals_are_told_by_their_last_cause(version: str, case: str, cause: str) -> None:
    flink = ScriptedFlink(version)
    flink.answer(RUN, recorded(case, version))
    with pytest.raises(ActionFailed) as caught:
        submit(flink)
    assert caught.value.happened.startswith(cause)
    assert "\n" not in str(caught.value)
    assert "\tat " not in str(caught.value)
    assert flink.changes() == [RUN]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_jar_that_was_removed_meanwhile_is_uploaded_again(tmp_path: Path, version: str) -> None:
    flink = ScriptedFlink(version)
    flink.answer("GET jars", ok(files=[]))
    flink.answer("POST jars/upload", ok(filename="/tmp/up/one_orders.jar", status="success"))
    flink.answer(
        "POST jars/one_orders.jar/run",
        recorded("unknown-jar", version),
        recorded("accepted", version),
    )
    asyncio.run(flink.plane().submit(submission(jar=jar_file(tmp_path)), 60))
    uploads = [sent for sent in flink.sent if sent.path == "jars/upload"]
    assert len(uploads) == 2
    assert f'filename="orders-{IDENTITY}-{"2" * 32}.jar"'.encode() in uploads[0].body
    assert b"content of the jar" in uploads[1].body


@pytest.mark.parametrize(("status", "error"), [(400, ActionFailed), (500, ClusterUnreachable)])
def test_an_upload_that_fails(tmp_path: Path, status: int, error: type[Exception]) -> None:
    """Shows that a refusal is the last word, and that a server's error may pass."""
    flink = ScriptedFlink()
    flink.answer("GET jars", ok(files=[]))
    flink.answer("POST jars/upload", httpx.Response(status, json={"errors": ["a.b.NoException"]}))
    words = f"the jar could not be uploaded: Flink answered {status}: NoException"
    with pytest.raises(error, match=words):
        asyncio.run(flink.plane().submit(submission(jar=jar_file(tmp_path)), 60))
    assert flink.changes() == ["POST jars/upload"]


def test_a_file_that_main_does_not_find_is_no_lost_upload() -> None:
    """Shows that a program's own words about a jar do not start endless repeats."""
    flink = ScriptedFlink()
    text = "Caused by: java.io.FileNotFoundException: lib/rules.jar does not exist"
    flink.answer(RUN, httpx.Response(400, json={"errors": [text]}))
    with pytest.raises(ActionFailed, match=r"lib/rules\.jar does not exist"):
        submit(flink)
    assert flink.changes() == [RUN]


def test_a_jar_that_is_there_is_not_uploaded_again(tmp_path: Path) -> None:
    flink = ScriptedFlink()
    flink.answer(RUN, ok(jobid=JOB_ID))
    asyncio.run(flink.plane().submit(submission(jar=jar_file(tmp_path, "1" * 64)), 60))
    assert flink.changes() == [RUN]


@pytest.mark.parametrize(
    "name",
    [
        "orders.jar",
        f"orders-{'f' * 18}-{'1' * 32}.jar",
        f"orders-{IDENTITY}-{'3' * 32}.jar",
        f"orders-{IDENTITY}-{'1' * 31}.jar",
    ],
)
def test_other_jars_are_not_taken_for_ours(name: str) -> None:
    flink = ScriptedFlink()
    flink.answer("GET jars", ok(files=[{"id": "x", "name": name}]))
    with pytest.raises(ActionFailed, match="no longer on the cluster"):
        submit(flink)
    assert flink.changes() == []


def test_a_jar_that_is_gone_here_is_told(tmp_path: Path) -> None:
    flink = ScriptedFlink()
    jar = jar_file(tmp_path)
    jar.path.unlink()
    with pytest.raises(JarError, match=r"cannot read orders\.jar"):
        asyncio.run(flink.plane().submit(submission(jar=jar), 60))


def test_a_cluster_that_chooses_jobids_itself_is_found_out() -> None:
    flink = ScriptedFlink()
    flink.answer(RUN, ok(jobid="f" * 32))
    with pytest.raises(ActionFailed, match="instead of"):
        submit(flink)


def test_nothing_is_begun_once_the_engine_has_gone() -> None:
    """Shows that the guard stands before every change, and before no reading."""

    def gone() -> None:
        raise EngineGone("gone")

    flink = ScriptedFlink()
    plane = flink.plane(gone)

    async def work() -> None:
        await plane.jobs()
        for change in (
            plane.submit(submission(), 60),
            plane.plan(submission()),
            plane.cancel(JOB_ID),
        ):
            with pytest.raises(EngineGone):
                await change

    asyncio.run(work())
    assert flink.changes() == []


@pytest.mark.parametrize("version", VERSIONS)
def test_plan_finds_the_widest_vertex(version: str) -> None:
    flink = ScriptedFlink(version)
    answer = recorded("plan", version)
    widest = max(node["parallelism"] for node in answer.json()["plan"]["nodes"])
    flink.answer(PLAN, answer)
    assert asyncio.run(flink.plane().plan(submission())).parallelism == widest


@pytest.mark.parametrize("case", ["bad-entry-class", "main-throws"])
def test_plan_tells_why_a_program_cannot_start(case: str) -> None:
    flink = ScriptedFlink()
    flink.answer(PLAN, recorded(case))
    with pytest.raises(ActionFailed):
        asyncio.run(flink.plane().plan(submission()))


def test_jars_of_others_are_left_when_ours_are_removed() -> None:
    flink = ScriptedFlink()
    key = submission()  # any identity: the jars carry the digits
    ours, kept = f"a-{IDENTITY}-{'1' * 32}.jar", f"a-{IDENTITY}-{'2' * 32}.jar"
    files = [
        {"id": "1", "name": ours},
        {"id": "2", "name": kept},
        {"id": "3", "name": f"a-{'f' * 18}-{'1' * 32}.jar"},
        {"id": "4", "name": "mine.jar"},
    ]
    flink.answer("GET jars", ok(files=files))
    flink.answer("DELETE jars/1", recorded("delete-unknown-jar"))
    plane = flink.plane()
    asyncio.run(plane._jars.remove(key.job_id[:18], frozenset({"2" * 64})))
    assert flink.changes() == ["DELETE jars/1"]


@pytest.mark.parametrize(
    ("state", "end"), [("CANCELED", "it is CANCELED"), ("RUNNING", "it has not ended in 30 s")]
)
def test_whether_a_job_under_another_jobid_has_ended_is_told(state: str, end: str) -> None:
    other = f"{6:032x}"
    row = {"jid": other, "name": "x", "state": state, "tasks": {"total": 1, "running": 1}}
    flink = ScriptedFlink()
    flink.answer(RUN, ok(jobid=other))
    flink.answer(f"PATCH jobs/{other}?mode=cancel", ok())
    flink.answer("GET jobs/overview", ok(jobs=[row]))
    with pytest.raises(ActionFailed, match=f"main started job {other} instead .* and {end}"):
        submit(flink)
