"""Each action, on a Flink in memory: what runs afterwards, and what the records say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flink_jobs_provider.gateway.http.api_answers import status_of
from flink_jobs_provider.gateway.job_board import MOST_SAVEPOINTS
from flink_jobs_provider.gateway.job_service import JobsOfCluster
from flink_jobs_provider.gateway.jobs.executor import listed
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.model.action import ActionResult
from flink_jobs_provider.model.savepoint import Savepoint
from tests.unit.gateway.jobs.conftest import Life
from tests.unit.gateway.jobs.gateway import CLUSTER, Gateway, make_jar, told
from tests.unit.reconciling.flink.fake_flink import RETAINED
from tests.unit.reconciling.flink.fake_job import Program


def test_new_stop_start_update(live: Life) -> None:
    """Shows a job's life: its state is carried from each version to the next."""

    async def life(gateway: Gateway) -> None:
        row = await gateway.done("NEW", parallelism=3)
        assert (row.status, row.number, row.record.spec.parallelism) == ("RUNNING", 1, 3)
        assert row.record.job_id == gateway.flink.the_job().job_id
        gateway.flink.pass_time(10)

        row = await gateway.done("STOP")
        assert row.status == "STOPPED"
        assert gateway.flink.active() == []
        assert row.record.last_savepoint in gateway.flink.progress_in
        assert row.last.output == f"Savepoint completed. Path: {row.record.last_savepoint}"

        row = await gateway.done("START")
        assert row.status == "RUNNING"
        assert gateway.flink.the_job().base >= 100
        gateway.flink.pass_time(10)

        row = await gateway.done("UPDATE", entry_class="New", parallelism=4)
        job = gateway.flink.the_job()
        assert job.base >= 200
        assert gateway.flink.submissions[-1].spec.entry_class == "New"
        assert (row.status, row.record.job_id) == ("RUNNING", job.job_id)
        assert row.record.spec.parallelism == 4
        assert row.as_given == {"asked": "UPDATE"}
        assert len(await gateway.jobs.savepoints(row.cluster, row.number)) == 2
        assert [row.action for row in await told(4, gateway)] == ["NEW", "STOP", "START", "UPDATE"]

    live(life)


@pytest.mark.parametrize("end", ["STOP", "CANCEL", "FINISHED", "FAILED"])
def test_when_a_job_ended_is_kept_until_it_runs_again(live: Life, end: str) -> None:
    """Shows that it is the cluster's own time, and outlives what the cluster knows of the job."""

    async def life(gateway: Gateway) -> None:
        assert (await gateway.done("NEW", flink_configuration=RETAINED)).ended_at is None
        gateway.flink.pass_time(100)
        job = gateway.flink.the_job()
        if end in ("STOP", "CANCEL"):
            await gateway.done(end)
        else:
            gateway.flink.end(job, end)
            gateway.flink.pass_time(50)
            await gateway.look()
        row = await gateway.row()
        assert row.ended_at is not None
        assert row.ended_at.timestamp() == pytest.approx(job.ended, abs=0.001)
        gateway.flink.pass_time(4000)
        await gateway.look()
        await gateway.do("LIST_SAVEPOINT")
        assert (await gateway.row()).ended_at == row.ended_at
        await gateway.done("STATELESS_UPDATE")
        assert (await gateway.row()).ended_at is None
        gateway.flink.restart_job_manager()
        await gateway.look()
        row = await gateway.row()
        assert (row.status, row.ended_at) == ("LOST", None)

    live(life)


def test_update_without_any_change_restarts(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        before = (await gateway.done("NEW")).record.job_id
        after = (await gateway.done("UPDATE")).record.job_id
        assert before != after
        assert gateway.flink.the_job().restored_from

    live(life)


def test_update_takes_what_lies_at_the_jars_place_now_and_start_does_not(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        old = (await gateway.done("NEW")).record.spec.jar_digest
        make_jar(gateway.jar, "other")
        await gateway.done("STOP")
        assert (await gateway.done("START")).record.spec.jar_digest == old
        assert gateway.flink.submissions[-1].jar_digest == old
        new = (await gateway.done("UPDATE")).record.spec.jar_digest
        assert new != old
        assert gateway.flink.submissions[-1].jar_digest == new

    live(life)


def test_start_goes_on_when_storage_is_gone(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.done("NEW")
        await gateway.done("STOP")
        gateway.jar.unlink()
        gateway.flink.jars.clear()
        assert (await gateway.done("START")).status == "RUNNING"

    live(life)


def test_the_same_savepoint_is_started_from_twice(live: Life) -> None:
    """Shows that a savepoint named for one action says nothing of the next."""

    async def life(gateway: Gateway) -> None:
        await gateway.done("NEW")
        first = (await gateway.done("STOP")).record.last_savepoint
        for _ in range(2):
            await gateway.done("START", restore_from=first)
            assert gateway.flink.the_job().restored_from == first
            gateway.flink.pass_time(10)
            await gateway.done("STOP")
        await gateway.done("START")
        assert gateway.flink.the_job().restored_from != first
        await gateway.done("UPDATE", restore_from=first)
        assert gateway.flink.the_job().restored_from == first

    live(life)


def test_stateless_and_last_state_updates(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.done("NEW", flink_configuration=RETAINED)
        gateway.flink.pass_time(70)
        await gateway.done("LAST_STATE_UPDATE")
        assert "/chk-" in gateway.flink.the_job().restored_from
        await gateway.done("STATELESS_UPDATE")
        assert gateway.flink.the_job().restored_from == ""
        await gateway.done("UPDATE")
        assert "/savepoint-" in gateway.flink.the_job().restored_from

    live(life)


def test_savepoints_are_taken_and_listed(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        job_id = (await gateway.done("NEW")).record.job_id
        paths = []
        for _ in range(2):
            row = await gateway.done("SAVEPOINT")
            paths.append(row.record.last_savepoint)
            assert row.last.output == f"Savepoint completed. Path: {paths[-1]}"
            gateway.flink.pass_time(10)
        assert gateway.flink.the_job().job_id == job_id
        assert paths[0] != paths[1]
        row = await gateway.done("LIST_SAVEPOINT")
        listed = [line.split(" ") for line in row.last.output.splitlines()]
        assert {path for _, path in listed} == set(paths)
        assert [taken for taken, _ in listed] == sorted([t for t, _ in listed], reverse=True)
        assert row.record.last_savepoint == paths[1]
        assert row.status == "RUNNING"

    live(life)


def test_savepoints_that_only_storage_knows_are_listed_and_kept(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        row = await gateway.done("NEW")
        job = gateway.flink.the_job()
        found = f"{gateway.flink.cluster.savepoint_directory}/orders/{job.job_id}/savepoint-x"
        gateway.flink._write(found, job)
        assert found in (await gateway.do("LIST_SAVEPOINT")).output
        known = await gateway.jobs.savepoints(CLUSTER, row.number)
        assert [(savepoint.path, savepoint.reason) for savepoint in known] == [(found, "FOUND")]

    live(life)


def test_cancel_and_relaunch(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.done("NEW", flink_configuration=RETAINED)
        gateway.flink.pass_time(70)
        row = await gateway.done("CANCEL")
        assert (row.status, row.last.output) == ("CANCELED", "Job canceled")
        assert gateway.flink.active() == []
        assert gateway.flink.jars
        row = await gateway.done("CANCEL")
        assert row.last.output == "Nothing was left to cancel: the job is CANCELED"
        row = await gateway.done("RE_LAUNCH")
        assert row.status == "RUNNING"
        assert gateway.flink.the_job().base >= 600

    live(life)


def test_relaunch_never_starts_from_nothing_what_has_run(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.done("NEW")
        await gateway.done("CANCEL")
        row = await gateway.do("RE_LAUNCH")
        assert row.result is ActionResult.FAILED
        assert "no savepoint or retained checkpoint of it is known" in row.output
        assert "STATELESS_UPDATE starts it from nothing" in row.output
        assert (await gateway.row()).status == "CANCELED"
        assert (await gateway.done("STATELESS_UPDATE")).status == "RUNNING"

    live(life)


def test_delete_forgets_the_job_and_its_jars(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.done("NEW")
        with pytest.raises(Refusal, match="STOP it with a savepoint, or CANCEL it") as refused:
            await gateway.submit("DELETE")
        assert status_of(refused.value) == 409
        await gateway.done("STOP")
        row = await gateway.do("DELETE")
        assert (row.result, row.output) == ("SUCCESS", "Job deleted")
        assert await gateway.rows() == []
        assert gateway.flink.jars == set()

    live(life)


@pytest.mark.parametrize("end", ["STOP", "CANCEL"])
def test_a_new_job_has_nothing_of_a_deleted_one_of_its_name(live: Life, end: str) -> None:
    async def life(gateway: Gateway) -> None:
        first = await gateway.done("NEW")
        gateway.flink.pass_time(10)
        await gateway.done("SAVEPOINT")
        await gateway.done(end)
        await gateway.do("DELETE")
        second = await gateway.done("NEW")
        assert gateway.flink.the_job().restored_from == ""
        assert second.record.generation == first.record.generation + 1
        assert second.run_id != first.run_id
        assert second.number == 2

    live(life)


def test_a_name_is_taken_until_its_job_is_deleted(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.done("NEW")
        with pytest.raises(Refusal) as refused:
            await gateway.submit("NEW")
        assert (status_of(refused.value), refused.value.code) == (409, "JobAlreadyExists")

    live(life)


@pytest.mark.parametrize("again", ["NEW", "RE_LAUNCH"])
def test_a_launch_that_failed_is_tried_again(live: Life, again: str) -> None:
    async def life(gateway: Gateway) -> None:
        gateway.flink.programs["Old"] = Program(plan_error="ClassNotFoundException: Old")
        row = await gateway.do("NEW")
        assert (row.result, row.began_at is not None) == (ActionResult.FAILED, True)
        assert "ClassNotFoundException: Old" in row.output
        failed = await gateway.row()
        assert failed.status == "JOB_LAUNCH_FAILED"
        assert failed.record.job_id is None
        good = await gateway.done(again, entry_class="New")
        assert good.status == "RUNNING"
        assert (good.run_id == failed.run_id) is (again == "RE_LAUNCH")
        assert len(await gateway.rows()) == 1

    live(life)


def test_a_launch_from_a_savepoint_that_failed_starts_from_it_the_next_time(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.done("NEW", job="first")
        path = (await gateway.done("SAVEPOINT", job="first")).record.last_savepoint
        gateway.flink.programs["Old"] = Program(state_error="StateMigrationException: no")
        failed = await gateway.do("NEW", restore_from=path)
        assert "StateMigrationException: no" in failed.output
        await gateway.done("RE_LAUNCH", entry_class="New")
        newest = gateway.flink.submissions[-1]
        assert (newest.spec.entry_class, newest.restore_from) == ("New", path)
        # A NEW in its place has nothing of it.
        gateway.flink.programs["New"] = Program(task_error="RuntimeException: no")
        await gateway.do("NEW", job="third", entry_class="New", restore_from=path)
        await gateway.done("NEW", job="third", entry_class="Good")
        assert gateway.flink.submissions[-1].restore_from is None

    live(life)


FAILURES = {
    "refused": Program(submit_error="JobInitializationException: no"),
    "state": Program(state_error="StateMigrationException: no"),
    "tasks": Program(task_error="RuntimeException: no"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_an_update_that_fails_leaves_the_old_version_running(live: Life, failure: str) -> None:
    async def life(gateway: Gateway) -> None:
        gateway.flink.programs["New"] = FAILURES[failure]
        await gateway.done("NEW")
        gateway.flink.pass_time(10)
        row = await gateway.do("UPDATE", entry_class="New")
        assert row.result is ActionResult.FAILED
        assert "no" in row.output
        assert "The previous version runs again" in row.output
        now = await gateway.row()
        assert (now.status, now.record.spec.entry_class) == ("RUNNING", "Old")
        assert now.as_given == {"asked": "NEW"}
        assert now.record.job_id == gateway.flink.the_job().job_id
        assert not now.record.other_version
        assert gateway.flink.the_job().base >= 100
        assert await gateway.jobs.savepoints(CLUSTER, now.number)
        await gateway.done("SAVEPOINT")
        await gateway.done("UPDATE", entry_class="Good")

    live(life)


def test_a_version_that_is_up_after_a_failed_update_is_the_one_on_record(live: Life) -> None:
    """Shows an update whose new version runs, but completes no checkpoint in the time allowed."""

    async def life(gateway: Gateway) -> None:
        gateway.flink.programs["New"] = Program(checkpoint_faults=10_000)
        await gateway.done("NEW")
        row = await gateway.do("UPDATE", entry_class="New")
        assert row.result is ActionResult.FAILED
        assert "has completed no checkpoint" in row.output
        now = await gateway.row()
        assert (now.status, now.record.spec.entry_class) == ("RUNNING", "New")
        assert now.record.job_id == gateway.flink.the_job().job_id
        assert not now.record.other_version

    live(life)


@pytest.mark.parametrize("action", ["STOP", "SAVEPOINT"])
def test_a_job_that_had_ended_is_not_called_stopped_nor_started(live: Life, action: str) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.done("NEW")
        gateway.flink.end(gateway.flink.the_job(), "FAILED", "RuntimeException: gone")
        row = await gateway.do(action)
        assert row.result is ActionResult.FAILED
        assert "it is FAILED" in row.output
        now = await gateway.row()
        assert now.status == "FAILED"
        assert "RuntimeException: gone" in now.record.job_output
        assert gateway.flink.active() == []

    live(life)


def test_no_jar_no_entry_class_no_such_file(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        cases: dict[str, dict[str, Any]] = {
            "jar": {"jar": "/nowhere/orders.jar"},
            "parallelism": {"parallelism": 0},
        }
        for target, changes in cases.items():
            with pytest.raises(Refusal) as refused:
                await gateway.submit("NEW", **changes)
            assert (status_of(refused.value), refused.value.target) == (400, target)
        assert await gateway.rows() == []
        with pytest.raises(Refusal) as refused:
            await gateway.jobs.jobs(JobsOfCluster("/another"))
        assert status_of(refused.value) == 404

    live(life)


@pytest.mark.parametrize("kind", ["missing", "no zip", "another name"])
def test_a_new_job_whose_jar_cannot_be_read_is_on_record_as_failed(live: Life, kind: str) -> None:
    """Shows what the service did, for callers that say so; and that NEW and RE_LAUNCH go on."""
    named = "abfs://jobs@account/jars/orders" + ("" if kind == "another name" else ".jar")

    async def life(gateway: Gateway) -> None:
        good = gateway.jar.read_bytes()
        if kind == "missing":
            gateway.jar.unlink()
        elif kind == "no zip":
            gateway.jar.write_bytes(b"no jar")
        asked = gateway.request("NEW")
        for place in (str(gateway.jar), f"file://{gateway.jar}"):
            changes = {**asked.changes, "jar": place}
            request = replace(asked, changes=changes, fails_without_jar=named)
            action = await gateway.jobs.submit(request)
            assert action.finished_at is not None
            assert action.result is ActionResult.FAILED
            assert action.output.startswith("Job execution failed. \nFailed to download jar: ")
            assert named in action.output
            assert f"//{named}" not in action.output
            assert str(gateway.jar) not in action.output
            (row,) = await gateway.rows()
            assert (row.status, row.record.job_id, row.last.id) == (
                "JOB_LAUNCH_FAILED",
                None,
                action.id,
            )
        assert [one.id for one in gateway.finished][-1] == action.id
        assert gateway.flink.submissions == []
        gateway.jar.write_bytes(good)
        assert (await gateway.done("RE_LAUNCH")).status == "RUNNING"
        gateway.jar.unlink()
        with pytest.raises(Refusal):
            await gateway.jobs.submit(replace(gateway.request("UPDATE"), fails_without_jar=named))
        assert (await gateway.row()).status == "RUNNING"

    live(life)


def test_what_was_decided_on_an_earlier_action_is_refused(live: Life) -> None:
    """Shows a caller who names the last action that they know: nothing is begun behind their back.

    The refusal says who has acted since; with the present action named, it is accepted.
    """

    async def life(gateway: Gateway) -> None:
        seen = (await gateway.done("NEW")).last.id
        row = await gateway.done("UPDATE", parallelism=3)
        asked = replace(gateway.request("UPDATE", parallelism=4), seen=seen)
        with pytest.raises(Refusal) as caught:
            await gateway.jobs.submit(asked)
        assert caught.value.code == "Conflict"
        assert "changed since it was read: UPDATE by tester at 2" in caught.value.message
        assert "Nothing was begun" in caught.value.message
        assert (await gateway.row()).last.id == row.last.id
        assert gateway.flink.the_job().job_id == row.record.job_id
        accepted = await gateway.jobs.submit(replace(asked, seen=row.last.id))
        await gateway.ended(accepted.id)
        assert (await gateway.row()).record.spec.parallelism == 4

    live(life)


def test_what_a_list_of_many_savepoints_reports_has_an_end() -> None:
    """Shows that no row of a list of jobs grows with them."""
    many = [Savepoint(path=f"s3://b/savepoint-{number}") for number in range(MOST_SAVEPOINTS + 2)]
    lines = listed(many, "A note").splitlines()
    assert lines[0] == "- s3://b/savepoint-0"
    assert lines[-2:] == ["Older ones, not listed: 2", "A note"]
    assert len(lines) == MOST_SAVEPOINTS + 2
    assert len(listed(many[:MOST_SAVEPOINTS]).splitlines()) == MOST_SAVEPOINTS
