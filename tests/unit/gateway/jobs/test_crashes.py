"""Killed at every step of every action, then started again: it ends once, and all agree."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.model.action import ActionResult
from tests.end_to_end.flink.targets import ALL
from tests.unit.gateway.jobs.gateway import Gateway, until
from tests.unit.reconciling.flink.fake_flink import RETAINED, Killed
from tests.unit.reconciling.flink.fake_job import Program

#: Until the gateway is started again, in seconds: at once, and when Flink has forgotten triggers.
PAUSES = [0, 400]
#: The actions that leave a trigger on Flink; CI has each of the others after both pauses.
TRIGGERING = {"STOP", "UPDATE", "SAVEPOINT", "UPDATE that fails"}

Setup = Callable[[Gateway, str], Awaitable[None]]


async def nothing(_gateway: Gateway, _job: str) -> None:
    """Leave the cluster empty."""


async def running(gateway: Gateway, job: str) -> None:
    """Have a job run for a while."""
    await gateway.done("NEW", job, flink_configuration=RETAINED)
    gateway.flink.pass_time(70)


async def stopped(gateway: Gateway, job: str) -> None:
    """Have a job stop."""
    await running(gateway, job)
    await gateway.done("STOP", job)


async def failed(gateway: Gateway, job: str) -> None:
    """Have a job fail."""
    await running(gateway, job)
    gateway.flink.end(gateway.flink.the_job(), "FAILED", "RuntimeException: gone")
    await gateway.look()


async def drafted(gateway: Gateway, job: str) -> None:
    """Have a job on record that was never started, with a change and a savepoint to start from."""
    await stopped(gateway, f"source-{job}")
    point = (await gateway.row(f"source-{job}")).record.last_savepoint
    await gateway.draft(job, flink_configuration=RETAINED)
    await gateway.change(job, entry_class="New", restore_from=point)


async def changed(gateway: Gateway, job: str) -> None:
    """Have a job stop, and another version on record for its next start."""
    await stopped(gateway, job)
    await gateway.change(job, entry_class="New")


async def bad_update(gateway: Gateway, job: str) -> None:
    """Have a job run whose next version fails."""
    await running(gateway, job)
    gateway.flink.programs["New"] = Program(task_error="RuntimeException: no")


#: What is there before, the action with its inputs, and the status it leaves; none for no job.
CASES: dict[str, tuple[Setup, str, dict[str, Any], str | None]] = {
    "NEW": (nothing, "NEW", {}, "RUNNING"),
    "STOP": (running, "STOP", {}, "STOPPED"),
    "START": (stopped, "START", {}, "RUNNING"),
    "UPDATE": (running, "UPDATE", {"entry_class": "New"}, "RUNNING"),
    "STATELESS_UPDATE": (running, "STATELESS_UPDATE", {"entry_class": "New"}, "RUNNING"),
    "LAST_STATE_UPDATE": (running, "LAST_STATE_UPDATE", {"entry_class": "New"}, "RUNNING"),
    "RE_LAUNCH": (failed, "RE_LAUNCH", {}, "RUNNING"),
    "SAVEPOINT": (running, "SAVEPOINT", {}, "RUNNING"),
    "LIST_SAVEPOINT": (running, "LIST_SAVEPOINT", {}, "RUNNING"),
    "CANCEL": (running, "CANCEL", {}, "CANCELED"),
    "DELETE": (stopped, "DELETE", {}, None),
    "NEW of a draft": (drafted, "NEW", {}, "RUNNING"),
    "START of what was changed": (changed, "START", {}, "RUNNING"),
    "DELETE of what runs": (running, "DELETE", {"cancels_first": True}, None),
    "UPDATE that fails": (bad_update, "UPDATE", {"entry_class": "New"}, "RUNNING"),
}


def die_at(gateway: Gateway, point: int | str) -> None:
    """Have the gateway die at a step of the cluster, or around a write to its records."""
    gateway.flink.steps.clear()
    if isinstance(point, int):
        gateway.flink.kill_at = point
        return
    when, name = point.split(" ")
    write = getattr(gateway.store, name)

    def dying(*args: Any, **kwargs: Any) -> None:
        if when == "after":
            write(*args, **kwargs)
        raise Killed(point)

    setattr(gateway.store, name, dying)


async def died(gateway: Gateway, action_id: str) -> bool:
    """Wait until the gateway has died, or the action has ended; whether it died."""
    await until(lambda: not gateway.jobs.in_progress)
    return all(row.id != action_id for row in gateway.finished)


async def begin_again(gateway: Gateway, pause: float) -> None:
    """Start the gateway after it has died."""
    await gateway.kill()
    gateway.flink.kill_at = None
    gateway.flink.pass_time(pause)
    await gateway.start()


async def check(gateway: Gateway, case: str, job: str, action_id: str, kept: int) -> None:
    """Check that the action ended once, and that records and cluster agree."""
    _, action, _, status = CASES[case]
    ended = await gateway.ended(action_id)
    expected = ActionResult.FAILED if case.endswith("fails") else ActionResult.SUCCESS
    assert ended.result is expected, ended.output
    assert [row.id for row in gateway.finished].count(action_id) <= 1
    active = gateway.flink.active()
    if status is None:
        assert active == []
        assert gateway.flink.jars == set()
        assert [row for row in await gateway.rows() if row.job_name == job] == []
        return
    row = await gateway.row(job)
    assert row.status == status
    assert row.last.id == action_id
    actions = gateway.store.actions_of(row.number)
    assert all(one.finished_at for one in actions)
    assert [one.id for one in actions].count(action_id) == 1
    assert len(active) == (1 if status == "RUNNING" else 0)
    if active:
        assert active[0].job_id == row.record.job_id
        assert active[0].job_id in {one.job_id for one in gateway.flink.submissions}
        if action != "STATELESS_UPDATE":
            assert gateway.flink.progress(active[0]) >= kept
    await gateway.look()
    assert (await gateway.row(job)).record == row.record
    if active:
        assert (dict(row.next_inputs), row.next_restore) == ({}, None), "used up by the start"
        (begun,) = {
            one.spec.entry_class
            for one in gateway.flink.submissions
            if one.job_id == active[0].job_id
        }
        assert row.record.spec.entry_class == begun


def state_kept(gateway: Gateway) -> int:
    """Return the progress that must not be lost."""
    active = [gateway.flink.progress(job) for job in gateway.flink.active()]
    kept = [gateway.flink.progress_in[path] for path in gateway.flink.progress_in]
    return max([*kept, 0]) if not active else 600


RECORDS = ["before begin", "after begin", "before finish", "after finish"]


@pytest.mark.parametrize(
    ("case", "pause"),
    [
        pytest.param(case, pause, id=f"{case}-{pause}")
        for case in CASES
        for pause in PAUSES
        if ALL or not pause or case in TRIGGERING
    ],
)
def test_killed_at_each_step(tmp_path: Path, case: str, pause: float) -> None:
    setup, action, given, _ = CASES[case]

    async def each_step() -> int:
        gateway = Gateway(tmp_path, cluster={"relaunch_lost": False})
        await gateway.start()
        steps = 0
        for number, point in enumerate([*RECORDS, *range(200)]):
            job = f"job-{number}"
            for others in (gateway.flink.jobs_by_id, gateway.flink.jars, gateway.flink.programs):
                others.clear()
            gateway.flink.progress_in.clear()
            await gateway.look()
            await setup(gateway, job)
            kept = state_kept(gateway)
            gateway.finished.clear()
            die_at(gateway, point)
            if str(point).endswith("begin"):  # it is as if others were carried out first
                gateway.jobs._admission._begins = lambda: False
            draft = case == "NEW of a draft"
            changes = {"run_id": (await gateway.row(job)).run_id} if draft else given
            accepted = await gateway.submit(action, job, **changes)
            if not await died(gateway, accepted.id):
                break
            steps += isinstance(point, int)
            await begin_again(gateway, pause)
            await check(gateway, case, job, accepted.id, kept)
        await gateway.kill()
        return steps

    # What LIST_SAVEPOINT asks of the cluster is asked once, and is no step.
    assert asyncio.run(each_step()) > (-1 if action == "LIST_SAVEPOINT" else 3)
