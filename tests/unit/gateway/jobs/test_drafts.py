"""Jobs that are on record before they run, and what counts from a job's next start on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.gateway.job_service import (
    ActionRequest,
    ActionRow,
    InputChange,
    JobFilter,
    JobRow,
    PageOfJobs,
)
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.model.action import Action, ActionResult
from tests.unit.gateway.jobs.conftest import Life
from tests.unit.gateway.jobs.gateway import CLUSTER, Gateway, make_jar, until
from tests.unit.gateway.store.entries import accept
from tests.unit.reconciling.flink.fake_flink import RETAINED, Killed
from tests.unit.reconciling.flink.fake_job import FakeJob, Program


async def refused(work: Awaitable[object], code: str) -> str:
    """Return what is said of something that is refused with a code."""
    with pytest.raises(Refusal) as caught:
        await work
    assert caught.value.code == code, caught.value.message
    return caught.value.message


async def start(gateway: Gateway, **changes: Any) -> JobRow:
    """Start the draft."""
    return await gateway.done("NEW", run_id=(await gateway.row()).run_id, **changes)


async def up(gateway: Gateway) -> FakeJob:
    """Wait until a job runs on the cluster; return it."""
    await until(lambda: any(job.state == "RUNNING" for job in gateway.flink.active()))
    return gateway.flink.the_job()


async def stopped(gateway: Gateway) -> str:
    """Have a job stop; return its savepoint."""
    await gateway.done("NEW", flink_configuration=RETAINED)
    gateway.flink.pass_time(70)
    path = (await gateway.done("STOP")).record.last_savepoint
    assert path is not None
    return path


def test_a_draft_is_started_later_under_its_number(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        draft = await gateway.draft(parallelism=3)
        assert (draft.number, draft.status, draft.created_by) == (1, "DRAFT", "tester")
        assert (draft.last.action, draft.last.result) == ("NEW", "SUCCESS")
        assert gateway.flink.submissions == []
        await gateway.look()
        assert (await gateway.row()).status == "DRAFT"
        assert await gateway.jobs.execution(CLUSTER, 1) is None

        row = await start(gateway)
        assert (row.number, row.run_id, row.status) == (1, draft.run_id, "RUNNING")
        assert gateway.flink.submissions[-1].spec.parallelism == 3
        assert row.as_given == {"by": "draft", "asked": "NEW"}
        assert row.started_at is not None
        execution = await gateway.jobs.execution(CLUSTER, 1)
        assert execution is not None
        assert execution.job_id == row.record.job_id

    live(life)


def test_a_draft_keeps_its_name_to_itself(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.draft()
        assert "another name" in await refused(gateway.draft(), "JobAlreadyExists")
        said = await refused(gateway.submit("NEW"), "JobAlreadyExists")
        assert "never started" in said
        for action in ("START", "STOP", "UPDATE", "CANCEL", "RE_LAUNCH", "STATELESS_UPDATE"):
            await refused(gateway.submit(action), "JobStatusConflict")
        await gateway.do("DELETE")
        assert await gateway.rows() == []
        await gateway.draft()

    live(life)


def test_a_draft_with_wrong_inputs_is_refused(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        said = await refused(gateway.draft(parallelism=0), "InvalidParameter")
        assert "parallelism" in said
        assert await gateway.rows() == []

    live(life)


@asynccontextmanager
async def while_the_jar_is_opened(
    gateway: Gateway, request: ActionRequest
) -> AsyncIterator[asyncio.Task[ActionRow]]:
    """Ask for an action, and give the request as it waits for its jar, which is read then."""
    opens, may_read = threading.Event(), threading.Event()
    open_ = gateway.jobs._jars.open

    def slowly(uri: str) -> Jar:
        opens.set()
        assert may_read.wait(30)
        return open_(uri)

    gateway.jobs._jars.open = slowly  # type: ignore[method-assign]
    asked = asyncio.create_task(gateway.jobs.submit(request))
    try:
        await until(opens.is_set)
        yield asked
    finally:
        may_read.set()


@pytest.mark.parametrize(
    ("meanwhile", "code"),
    [
        ("deleted", "JobNotFound"),
        ("another of that name", "JobNotFound"),
        ("fails to start", "JobStatusConflict"),
        ("started", "JobStatusConflict"),
    ],
)
def test_a_draft_that_is_no_more_when_its_jar_is_read_is_not_started(
    live: Life, meanwhile: str, code: str
) -> None:
    """Shows that no other job is put on record in its place, with none of its inputs."""

    async def life(gateway: Gateway) -> None:
        row = await gateway.draft(args=["--topic", "orders"])
        slow = replace(gateway.request("NEW", run_id=row.run_id), starts_draft=True)
        slow_jars = gateway.jobs._jars.open
        async with while_the_jar_is_opened(gateway, slow) as asked:
            if meanwhile in ("deleted", "another of that name"):
                await gateway.do("DELETE", run_id=row.run_id)
            if meanwhile == "another of that name":
                await gateway.draft()
            if meanwhile in ("fails to start", "started"):
                gateway.jobs._jars.open = slow_jars  # type: ignore[method-assign]
                if meanwhile == "fails to start":
                    gateway.flink.programs["Old"] = Program(plan_error="RuntimeException: no")
                await gateway.do("NEW", run_id=row.run_id)
            before = (await gateway.rows(), len(gateway.flink.submissions))
        said = await refused(asked, code)
        assert ("runs already" in said) is (meanwhile == "started")
        assert (await gateway.rows(), len(gateway.flink.submissions)) == before

    live(life)


@pytest.mark.parametrize("action", ["NEW", "START", "RE_LAUNCH", "STATELESS_UPDATE"])
def test_a_change_that_comes_while_the_jar_is_read_counts_whole(live: Life, action: str) -> None:
    """Shows that a start has all of it, or nothing: no new arguments with the old jar."""

    async def life(gateway: Gateway) -> None:
        other = make_jar(gateway.directory / "storage/other.jar", "other")
        if action == "NEW":
            await gateway.draft()
        else:
            await stopped(gateway)
        if action == "RE_LAUNCH":
            await gateway.done("START")
            await gateway.done("CANCEL")
        run_id = (await gateway.row()).run_id
        asked = replace(gateway.request(action, run_id=run_id), new_bytes=True)
        async with while_the_jar_is_opened(gateway, asked) as started:
            await gateway.change(jar=str(other), args=["--new"])
        assert (await gateway.ended((await started).id)).result is ActionResult.SUCCESS
        row = await gateway.row()
        assert (row.record.spec.jar, row.record.spec.args) == (str(other), ["--new"])
        submission = gateway.flink.submissions[-1]
        assert submission.jar_digest == gateway.jobs._jars.open(str(other)).digest
        assert submission.spec.args == ["--new"]
        assert dict(row.next_inputs) == {}

    live(life)


@pytest.mark.parametrize("new_bytes", [True, False])
def test_a_start_takes_the_jar_as_it_lies_there_when_told_to(live: Life, new_bytes: bool) -> None:
    async def life(gateway: Gateway) -> None:
        await stopped(gateway)
        before = gateway.flink.submissions[-1].jar_digest
        make_jar(gateway.jar, "replaced")
        started = await gateway.jobs.submit(replace(gateway.request("START"), new_bytes=new_bytes))
        assert (await gateway.ended(started.id)).result is ActionResult.SUCCESS
        assert (gateway.flink.submissions[-1].jar_digest != before) is new_bytes

    live(life)


def test_a_draft_whose_launch_fails_is_launched_again(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        point = await stopped(gateway)
        await gateway.do("DELETE")
        await gateway.draft(entry_class="Bad")
        await gateway.change(restore_from=point)
        gateway.flink.programs["Bad"] = Program(plan_error="RuntimeException: no")
        row = await gateway.row()
        ended = await gateway.do("NEW", run_id=row.run_id)
        assert ended.result is ActionResult.FAILED
        row = await gateway.row()
        assert (row.status, row.next_restore) == ("JOB_LAUNCH_FAILED", point)
        gateway.flink.programs.clear()
        assert (await gateway.done("RE_LAUNCH")).status == "RUNNING"
        assert gateway.flink.the_job().restored_from == point

    live(life)


def test_a_change_counts_from_the_next_start_on(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await stopped(gateway)
        row = await gateway.change(entry_class="New", parallelism=4)
        assert (row.status, row.last.action, row.last.result) == ("STOPPED", "UPDATE", "SUCCESS")
        assert row.record.spec.entry_class == "Old"
        assert (row.next_spec.entry_class, row.next_spec.parallelism) == ("New", 4)
        assert row.as_given["by"] == "change"
        assert row.changed_at is not None
        await gateway.change(parallelism=5)
        row = await gateway.done("START")
        assert gateway.flink.submissions[-1].spec.entry_class == "New"
        assert gateway.flink.submissions[-1].spec.parallelism == 5
        assert gateway.flink.the_job().restored_from
        assert (row.record.spec.entry_class, dict(row.next_inputs)) == ("New", {})

    live(life)


def test_a_job_that_runs_takes_only_changes_that_may_wait(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        job_id = (await gateway.done("NEW", flink_configuration=RETAINED)).record.job_id
        said = await refused(gateway.change(entry_class="New"), "JobStatusConflict")
        assert "STOP it first" in said
        await gateway.change(while_it_runs=True, flink_configuration={**RETAINED, "a": "b"})
        row = await gateway.row()
        assert (row.record.job_id, row.status) == (job_id, "RUNNING")
        await gateway.done("SAVEPOINT")
        await gateway.done("STOP")
        assert dict((await gateway.row()).next_inputs) != {}
        await gateway.done("START")
        assert gateway.flink.submissions[-1].spec.flink_configuration["a"] == "b"

    live(life)


def test_none_takes_an_input_away(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await stopped(gateway)
        row = await gateway.change(entry_class=None)
        assert row.next_spec.entry_class is None
        await gateway.done("START")
        assert gateway.flink.submissions[-1].spec.entry_class is None

    live(life)


def test_a_change_of_the_jar_is_opened_at_the_start(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await stopped(gateway)
        old = (await gateway.row()).record.spec.jar_digest
        other = make_jar(gateway.directory / "storage/other.jar", "other")
        await gateway.change(jar=str(other))
        row = await gateway.done("START")
        assert row.record.spec.jar_digest != old
        assert gateway.flink.submissions[-1].jar_digest == row.record.spec.jar_digest
        await gateway.done("STOP")
        await gateway.change(jar=str(gateway.directory / "storage/missing.jar"))
        assert "missing.jar" in await refused(gateway.submit("START"), "InvalidParameter")

    live(life)


@pytest.mark.parametrize("end", ["STOP", "CANCEL", "fails"])
def test_an_imported_savepoint_is_what_the_next_start_goes_on_from(live: Life, end: str) -> None:
    async def life(gateway: Gateway) -> None:
        first = await stopped(gateway)
        await gateway.done("START")
        gateway.flink.pass_time(70)
        if end == "fails":
            gateway.flink.end(gateway.flink.the_job(), "FAILED", "gone")
            await gateway.look()
        else:
            await gateway.done(end)
        row = await gateway.change(restore_from=first)
        assert row.next_restore == first
        row = await gateway.done("START" if end == "STOP" else "RE_LAUNCH")
        assert gateway.flink.the_job().restored_from == first
        assert row.next_restore is None

    live(life)


def test_an_imported_savepoint_counts_after_a_start_from_it_that_failed(live: Life) -> None:
    """Shows that what a version which failed has done since does not stand in for it."""

    async def life(gateway: Gateway) -> None:
        first = await stopped(gateway)
        gateway.flink.programs["New"] = Program(checkpoint_faults=10_000)
        await gateway.change(entry_class="New")
        action = await gateway.submit("START")
        failing = await up(gateway)
        assert failing.restored_from == first
        failing.completed, failing.retains = 6, True
        gateway.flink._checkpoint(failing)
        gateway.flink.end(failing, "FAILED", "RuntimeException: no")
        await gateway.ended(action.id)
        row = await gateway.row()
        assert (row.status, row.record.generation) == ("STOPPED", 2)
        await gateway.change(entry_class="Old", restore_from=first)
        await gateway.done("START")
        assert gateway.flink.the_job().restored_from == first

    live(life)


def test_an_imported_savepoint_can_be_taken_back(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        first = await stopped(gateway)
        await gateway.done("START")
        gateway.flink.pass_time(70)
        second = (await gateway.done("STOP")).record.last_savepoint
        await gateway.change(restore_from=first)
        assert (await gateway.change(restore_from="")).next_restore is None
        await gateway.done("START")
        assert gateway.flink.the_job().restored_from == second

    live(life)


def test_a_fresh_start_drops_the_imported_savepoint(live: Life) -> None:
    """Shows that it does not come back later, when the job has newer state."""

    async def life(gateway: Gateway) -> None:
        first = await stopped(gateway)
        await gateway.change(restore_from=first)
        row = await gateway.done("STATELESS_UPDATE")
        assert gateway.flink.the_job().restored_from == ""
        assert row.next_restore is None

    live(life)


def test_a_draft_can_be_started_without_its_imported_savepoint(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        first = await stopped(gateway)
        await gateway.do("DELETE")
        await gateway.draft()
        await gateway.change(restore_from=first)
        await start(gateway, restore_from=None)
        assert gateway.flink.the_job().restored_from == ""

    live(life)


def test_a_job_with_state_of_its_own_takes_no_savepoint(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        first = await stopped(gateway)
        await gateway.done("START")
        said = await refused(
            gateway.change(restore_from=first, while_it_runs=True), "JobStatusConflict"
        )
        assert "would be lost" in said

    live(life)


def test_a_job_that_came_back_has_no_imported_savepoint(live: Life) -> None:
    """Shows it for a cluster that recovers a job which seemed lost when it was imported."""

    async def life(gateway: Gateway) -> None:
        first = await stopped(gateway)
        await gateway.done("START")
        job = gateway.flink.the_job()
        del gateway.flink.jobs_by_id[job.job_id]
        await gateway.look()
        assert (await gateway.row()).status == "LOST"
        await gateway.change(restore_from=first)
        gateway.flink.jobs_by_id[job.job_id] = job
        await gateway.look()
        row = await gateway.row()
        assert (row.status, row.next_restore) == ("RUNNING", None)

    live(life)


def test_a_job_that_came_to_its_end_goes_on_from_an_imported_savepoint_alone(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        first = await stopped(gateway)
        await gateway.done("START")
        gateway.flink.end(gateway.flink.the_job(), "FINISHED")
        await gateway.look()
        assert (await gateway.row()).status == "FINISHED"
        await refused(gateway.submit("RE_LAUNCH"), "JobStatusConflict")
        await gateway.change(restore_from=first)
        await gateway.done("RE_LAUNCH")
        assert gateway.flink.the_job().restored_from == first

    live(life)


def test_what_runs_is_deleted_only_when_that_is_said(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.done("NEW")
        await refused(gateway.submit("DELETE"), "JobStatusConflict")
        ended = await gateway.do("DELETE", cancels_first=True)
        assert (ended.result, ended.output) == ("SUCCESS", "Job canceled and deleted")
        assert gateway.flink.active() == []
        assert gateway.flink.jars == set()
        assert await gateway.rows() == []

    live(life)


def test_a_fresh_start_can_spare_what_runs(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        job_id = (await gateway.done("NEW")).record.job_id
        action = Action.STATELESS_UPDATE
        request = ActionRequest(CLUSTER, "orders", action, {}, {}, "tester", spares_running=True)
        await refused(gateway.jobs.submit(request), "JobStatusConflict")
        assert gateway.flink.the_job().job_id == job_id

    live(life)


def test_one_savepoint_goes_to_a_place_of_its_own(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.done("NEW", savepoint_directory="memory://usual")
        row = await gateway.done("SAVEPOINT", savepoint_directory="memory://own")
        assert row.record.last_savepoint is not None
        assert row.record.last_savepoint.startswith("memory://own/orders/")
        assert row.record.spec.savepoint_directory == "memory://usual"
        stopped_in = (await gateway.done("STOP")).record.last_savepoint
        assert stopped_in is not None
        assert stopped_in.startswith("memory://usual/")
        await refused(gateway.submit("STOP", savepoint_directory="memory://x"), "InvalidParameter")

    live(life)


def test_changes_and_actions_are_one_after_the_other(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await stopped(gateway)
        row = await gateway.row()
        stale = InputChange(CLUSTER, row.number, row.revision, {"parallelism": 2}, {}, "tester")
        await gateway.change(parallelism=3)
        await refused(gateway.jobs.change(stale), "Conflict")
        job = gateway.store.live_job(CLUSTER, "orders")
        assert job is not None
        # As another gateway has it in hand, which takes its time.
        accepted = accept(gateway.store, job, Action.START, gateway="another")
        said = await refused(gateway.change(parallelism=4), "ActionInProgress")
        assert accepted.row.id in said
        kinds = [action.action for action in gateway.store.actions_of(row.number)]
        assert kinds == ["START", "UPDATE", "STOP", "NEW"]
        unknown = InputChange(CLUSTER, 77, 1, {}, {}, "tester")
        await refused(gateway.jobs.change(unknown), "JobNotFound")

    live(life)


def test_of_many_changes_at_once_each_counts_or_is_refused(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.draft()
        row = await gateway.row()
        changes = [
            InputChange(CLUSTER, row.number, row.revision, {"parallelism": 2 + n}, {}, "tester")
            for n in range(8)
        ]
        answers = await asyncio.gather(
            *(gateway.jobs.change(change) for change in changes), return_exceptions=True
        )
        assert sum(isinstance(answer, JobRow) for answer in answers) == 1
        assert {a.code for a in answers if isinstance(a, Refusal)} == {"Conflict"}

    live(life)


def test_jobs_are_found_by_number_and_in_pages(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.draft("one")
        await gateway.done("NEW", "two")
        assert await gateway.jobs.cluster_of(2) == CLUSTER
        assert await gateway.jobs.cluster_of(3) is None
        page = PageOfJobs(limit=10, newest_first=False)
        (first, second), total = await gateway.jobs.found(JobFilter([CLUSTER]), page)
        assert total == 2
        assert (first.number, first.job_name, first.status) == (1, "one", "DRAFT")
        assert (second.status, second.created_by) == ("RUNNING", "tester")
        await refused(gateway.jobs.found(JobFilter(["/elsewhere"]), page), "ClusterNotFound")

    live(life)


def test_the_execution_of_a_cluster_that_is_away(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.done("NEW")
        gateway.flink.unreachable = 1000
        await refused(gateway.jobs.execution(CLUSTER, 1), "ClusterUnavailable")
        await refused(gateway.jobs.execution(CLUSTER, 2), "JobNotFound")

    live(life)


def test_a_start_that_failed_with_the_job_up_is_a_start(live: Life) -> None:
    """Shows that nobody can take a job for one that never ran, and has no state."""

    async def life(gateway: Gateway) -> None:
        await gateway.draft()
        gateway.flink.programs["Old"] = Program(checkpoint_faults=10**6)
        row = await gateway.row()
        ended = await gateway.do("NEW", run_id=row.run_id)
        assert ended.result is ActionResult.FAILED
        row = await gateway.row()
        assert (row.status, row.started_at is not None) == ("RUNNING", True)
        began = row.started_at
        gateway.flink.end(gateway.flink.the_job(), "FAILED", "gone")
        await gateway.look()
        assert (await gateway.row()).started_at == began

    live(life)


@pytest.mark.parametrize("written", [False, True])
def test_killed_while_a_draft_or_a_change_is_written(tmp_path: Path, written: bool) -> None:
    """Shows that it is on record whole or not at all, and that asking again does no harm."""

    async def life() -> None:
        gateway = Gateway(tmp_path)
        await gateway.start()
        die_at_write(gateway, "put_new", written)
        with pytest.raises(Killed):
            await gateway.draft(parallelism=3)
        await gateway.kill()
        await gateway.start()
        assert len(await gateway.rows()) == (1 if written else 0)
        if written:
            await refused(gateway.draft(parallelism=3), "JobAlreadyExists")
        else:
            await gateway.draft(parallelism=3)
        row = await gateway.row()
        assert (row.status, row.record.spec.parallelism) == ("DRAFT", 3)

        die_at_write(gateway, "change", written)
        with pytest.raises(Killed):
            await gateway.change(parallelism=4, restore_from="memory://somewhere")
        await gateway.kill()
        await gateway.start()
        row = await gateway.row()
        assert row.next_spec.parallelism == (4 if written else 3)
        assert row.next_restore == ("memory://somewhere" if written else None)
        kinds = [action.action for action in gateway.store.actions_of(row.number)]
        assert kinds == (["UPDATE", "NEW"] if written else ["NEW"])
        await gateway.stop()

    asyncio.run(life())


def die_at_write(gateway: Gateway, name: str, written: bool) -> None:
    """Have the gateway die at a write to its records: before it, or when it is done."""
    write = getattr(gateway.store, name)

    def dying(*args: Any, **kwargs: Any) -> None:
        if written:
            write(*args, **kwargs)
        raise Killed(name)

    setattr(gateway.store, name, dying)
