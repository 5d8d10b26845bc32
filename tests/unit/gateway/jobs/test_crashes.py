"""Killed at every step of every action, then started again: it ends once, and all agree."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from flink_jobs_provider.gateway.job_service import ActionRow
from flink_jobs_provider.model.action import ActionResult
from tests.end_to_end.flink.targets import ALL
from tests.unit.gateway.jobs.gateway import Gateway, until
from tests.unit.gateway.jobs.test_adoption import foreign_job
from tests.unit.reconciling.flink.fake_flink import RETAINED, Killed
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.test_adopting import FOREIGN

#: Until the gateway is started again, in seconds: at once, and when Flink has forgotten triggers.
PAUSES = [0, 400]
#: The actions that leave a trigger on Flink; CI has each of the others after both pauses.
TRIGGERING = {"STOP", "UPDATE", "SAVEPOINT", "UPDATE that fails"}

JOB = "orders-0"
#: Columns of the records that differ from run to run: times, and what is chosen at random.
CHANGES = re.compile(r"_at$|_until$|^deadline$|^id$|^run_id$|^last_action$|^claimed_by$")

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


async def foreign(gateway: Gateway, _job: str) -> None:
    """Start a job as somebody else would."""
    foreign_job(gateway.flink)


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
    "DELETE that releases": (running, "DELETE", {"releases": True}, None),
    "NEW that adopts": (foreign, "NEW", {"adopt": FOREIGN}, "RUNNING"),
    "UPDATE that fails": (bad_update, "UPDATE", {"entry_class": "New"}, "RUNNING"),
}


def die_at(gateway: Gateway, point: int | str) -> None:
    """Have the gateway die at a step of the cluster, or around a write to its records."""
    gateway.flink.steps.clear()
    if isinstance(point, int):
        gateway.flink.kill_at = point
        return

    def die(moment: str) -> None:
        if moment == point:
            raise Killed(point)

    at_writes(gateway, die)


def at_writes(gateway: Gateway, call: Callable[[str], None]) -> None:
    """Call something at the moments around the writes of an action to the records."""
    for name in ("begin", "finish"):
        setattr(gateway.store, name, partial(_written, getattr(gateway.store, name), name, call))


def _written(
    write: Callable[..., object], name: str, call: Callable[[str], None], *args: Any, **kwargs: Any
) -> object:
    call(f"before {name}")
    result = write(*args, **kwargs)
    call(f"after {name}")
    return result


async def begin(directory: Path, case: str) -> Gateway:
    """Start a gateway, and set a case up; the files in memory are those of its cluster alone."""
    MemoryFileSystem.store.clear()
    gateway = Gateway(directory, cluster={"relaunch_lost": False})
    await gateway.start()
    await gateway.look()
    await CASES[case][0](gateway, JOB)
    await gateway.forget_finished()
    return gateway


async def ask(gateway: Gateway, case: str, *, begins_later: bool) -> ActionRow:
    """Ask for the action; it begins with its acceptance, or as if others were carried out first."""
    _, action, given, _ = CASES[case]
    if begins_later:
        gateway.jobs._admission._begins = lambda: False
    draft = case == "NEW of a draft"
    changes = {"run_id": (await gateway.row(JOB)).run_id} if draft else given
    return await gateway.submit(action, JOB, **changes)


@dataclass(frozen=True)
class Left:
    """What a kill leaves.

    Attributes:
        point: Where the gateway was killed: at a step of the cluster, by its number, or at a write.
        gateway: The records and the cluster, without a process.
        action_id: The action that was asked for.
        kept: The progress that must not be lost.
        files: The savepoints and checkpoints.
    """

    point: int | str
    gateway: Gateway
    action_id: str
    kept: int
    files: dict[str, Any]


async def left_by_kills(directory: Path, case: str) -> list[Left]:
    """Return what is left by a kill at each step of the cluster, and around each write.

    A killed process leaves its records and files, and the cluster. So each is a copy of one run,
    taken at that moment; `test_a_kill_leaves_what_a_copy_has` shows it.
    """
    return [
        *await _left_by_kills(directory, case, begins_later=True),
        *await _left_by_kills(directory, case, begins_later=False),
    ]


async def _left_by_kills(directory: Path, case: str, *, begins_later: bool) -> list[Left]:
    gateway = await begin(directory / f"later-{begins_later}", case)
    kept = state_kept(gateway)
    found: list[tuple[int | str, Gateway, dict[str, Any]]] = []

    def note(point: int | str) -> None:
        if str(point).endswith("begin") is begins_later and not gateway.finished:
            copied = gateway.left_by_a_kill(directory / f"{point}")
            found.append((point, copied, dict(MemoryFileSystem.store)))

    gateway.flink.steps.clear()
    gateway.flink.on_step = lambda _step: note(len(gateway.flink.steps))
    at_writes(gateway, note)
    accepted = await ask(gateway, case, begins_later=begins_later)
    await gateway.ended(accepted.id)
    await until(lambda: not gateway.jobs.in_progress)
    await gateway.kill()
    return [Left(point, copy, accepted.id, kept, files) for point, copy, files in found]


async def killed(directory: Path, case: str, point: int | str) -> Gateway:
    """Return a gateway that was killed at a point."""
    gateway = await begin(directory, case)
    die_at(gateway, point)
    await ask(gateway, case, begins_later=str(point).endswith("begin"))
    await until(lambda: not gateway.jobs.in_progress)
    await gateway.kill()
    gateway.flink.kill_at = None
    return gateway


def test_a_kill_leaves_what_a_copy_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows it for a stop with a savepoint, at each step and around each write."""
    monkeypatch.setattr("tests.unit.reconciling.flink.fake_flink._numbers", repeat(0))

    async def each_point() -> int:
        copies = await left_by_kills(tmp_path / "copies", "STOP")
        for left in copies:
            dead = await killed(tmp_path / f"killed-{left.point}", "STOP", left.point)
            assert sorted(MemoryFileSystem.store) == sorted(left.files)
            assert _left(dead) == _left(left.gateway), left.point
        return len(copies)

    assert asyncio.run(each_point()) > len(RECORDS) + 3


def _left(gateway: Gateway) -> dict[str, object]:
    """Return all that a kill leaves, but the times of the records and what is chosen at random."""
    flink = gateway.flink
    found: dict[str, object] = {
        name: _alike(repr(getattr(flink, name)))
        for name in ("jobs_by_id", "jars", "submissions", "starts", "progress_in", "saved", "steps")
    }
    found["files"] = sorted(path.name for path in (gateway.directory / "data").rglob("*"))
    with closing(sqlite3.connect(gateway.directory / "gateway.db")) as records:
        for table in ("jobs", "actions", "savepoints"):
            rows = records.execute(f"SELECT * FROM {table} ORDER BY 1")
            names = [column[0] for column in rows.description]
            found[table] = [
                {
                    name: value is not None if CHANGES.search(name) else _alike(str(value))
                    for name, value in zip(names, row, strict=True)
                }
                for row in rows
            ]
    return found


def _alike(text: str) -> str:
    """Return a text without what differs from run to run: directories of files, and times."""
    text = re.sub(r"""/[^'"]*/(storage|data)/""", r"\1/", text)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:]+Z", "NOW", text)


async def check(gateway: Gateway, case: str, job: str, action_id: str, kept: int) -> None:
    """Check that the action ended once, and that records and cluster agree."""
    _, action, _, status = CASES[case]
    ended = await gateway.ended(action_id)
    expected = ActionResult.FAILED if case.endswith("fails") else ActionResult.SUCCESS
    assert ended.result is expected, ended.output
    assert [row.id for row in gateway.finished].count(action_id) <= 1
    active = gateway.flink.active()
    if status is None:
        released = case.endswith("releases")
        assert len(active) == released, "it goes on, and nothing else does"
        assert bool(gateway.flink.jars) == released
        assert len(gateway.flink.marked) == released
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
    async def each_step() -> list[int | str]:
        copies = await left_by_kills(tmp_path, case)
        for left in copies:
            MemoryFileSystem.store.clear()
            MemoryFileSystem.store.update(left.files)
            left.gateway.flink.pass_time(pause)
            await left.gateway.start()
            await check(left.gateway, case, JOB, left.action_id, left.kept)
            await left.gateway.kill()
        return [left.point for left in copies]

    points = asyncio.run(each_step())
    steps = [point for point in points if point not in RECORDS]
    assert sorted(set(points) - set(steps)) == sorted(RECORDS)
    # What LIST_SAVEPOINT asks of the cluster is asked once, and is no step.
    assert len(steps) > (-1 if CASES[case][1] == "LIST_SAVEPOINT" else 3)
