"""The actions that faults befall: how a job is before, what is declared, and what is so after."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from flink_jobs_provider.model.record import JobRecord
from tests.faults.matrix.matrix_job import MatrixJob
from tests.faults.matrix.provider_runs import ProviderRun


class State(Enum):
    """How a job is."""

    ABSENT = "absent"
    RUNNING = "running"
    STOPPED = "stopped"
    FOREIGN = "somebody else's"


@dataclass(frozen=True)
class MatrixAction:
    """One action on a job.

    Attributes:
        name: Of the vocabulary.
        before: How the job is before.
        after: How it is when the action is done.
        declare: Edits what is declared.
        undeclare: Edits it back, once it was seen to be done.
        adaptive: Whether its cluster has the adaptive scheduler.
        replaceable: Whether another version may be what is declared next.
        moves: Whether it carries the job to another cluster.
        amend: Edits what is declared before the next run.
        fails: Whether its own run fails, and goes back; what is amended then succeeds.
        savepoints: How many the job has before.
    """

    name: str
    before: State
    after: State
    declare: Callable[[MatrixJob], None] = lambda _job: None
    undeclare: Callable[[MatrixJob], None] = lambda _job: None
    adaptive: bool = False
    replaceable: bool = True
    moves: bool = False
    amend: Callable[[MatrixJob], None] = lambda _job: None
    fails: bool = False
    savepoints: int = 0

    @property
    def once(self) -> bool:
        """Whether it befalls each job once."""
        return bool({self.before, self.after} & {State.ABSENT, State.FOREIGN})

    @property
    def deletes(self) -> bool:
        """Whether it is done by deleting the resource."""
        return self.after is State.ABSENT


def _mode(mode: str, *, fresh: bool = False) -> Callable[[MatrixJob], None]:
    def declare(job: MatrixJob) -> None:
        job.next_version(fresh_output=fresh)
        job.inputs["upgrade_mode"] = mode

    return declare


def _undo_mode(job: MatrixJob) -> None:
    job.inputs["upgrade_mode"] = "savepoint"


def _savepoint(job: MatrixJob) -> None:
    job.inputs["savepoint_trigger"] = str(int(job.inputs.get("savepoint_trigger", "0")) + 1)


def _blue_green(job: MatrixJob) -> None:
    job.overlaps = True
    job.next_version()
    job.inputs |= {"upgrade_mode": "blue-green", "allow_non_restored_state": True}


def _rehearsed(job: MatrixJob) -> None:
    job.next_version()
    job.rehearse()


def _not_rehearsed(job: MatrixJob) -> None:
    del job.inputs["rehearsal"]


def _gated(health: dict[str, Any], running: str) -> Callable[[MatrixJob], None]:
    def declare(job: MatrixJob) -> None:
        job.inputs["health"] = health
        job.running = running

    return declare


#: A gate that the counting job passes, and one that it does not: it completes five in a second.
_pass_gate = _gated({"window": "1s"}, "30s")
_fail_gate = _gated({"window": "1s", "min_checkpoints": 100_000}, "6s")


def _move_gated(job: MatrixJob) -> None:
    job.move()
    _pass_gate(job)


def _move_failing(job: MatrixJob) -> None:
    job.move()
    _fail_gate(job)


def _not_gated(job: MatrixJob) -> None:
    job.inputs.pop("health", None)
    job.running = "30s"


def _retain_one(job: MatrixJob) -> None:
    job.next_version()
    job.inputs["savepoint_retention"] = {"count": 1}


def _rescale(job: MatrixJob) -> None:
    job.inputs["parallelism"] = 3 - job.inputs["parallelism"]


def _adopt(job: MatrixJob) -> None:
    job.inputs["adopt"] = job.foreign


def _desired(state: str) -> Callable[[MatrixJob], None]:
    return lambda job: job.inputs.update(desired_state=state)


def _on_delete(what: str) -> Callable[[MatrixJob], None]:
    return lambda job: job.inputs.update(on_delete=what)


NEW = MatrixAction("NEW", State.ABSENT, State.RUNNING)
UPDATE = MatrixAction("UPDATE", State.RUNNING, State.RUNNING, MatrixJob.next_version)
STATELESS_UPDATE = MatrixAction(
    "STATELESS_UPDATE",
    State.RUNNING,
    State.RUNNING,
    _mode("stateless", fresh=True),
    _undo_mode,
)
LAST_STATE_UPDATE = MatrixAction(
    "LAST_STATE_UPDATE", State.RUNNING, State.RUNNING, _mode("last-state"), _undo_mode
)
STOP = MatrixAction("STOP", State.RUNNING, State.STOPPED, _desired("stopped"))
START = MatrixAction("START", State.STOPPED, State.RUNNING, _desired("running"))
SAVEPOINT = MatrixAction("SAVEPOINT", State.RUNNING, State.RUNNING, _savepoint)
DELETE = MatrixAction("CANCEL + DELETE", State.RUNNING, State.ABSENT, _on_delete("cancel"))
STOP_DELETE = MatrixAction("STOP + DELETE", State.RUNNING, State.ABSENT, _on_delete("savepoint"))
REHEARSED_UPDATE = MatrixAction(
    "REHEARSE + UPDATE", State.RUNNING, State.RUNNING, _rehearsed, _not_rehearsed
)
BLUE_GREEN = MatrixAction("blue-green", State.RUNNING, State.RUNNING, _blue_green, _undo_mode)
RESCALE = MatrixAction("rescale", State.RUNNING, State.RUNNING, _rescale, adaptive=True)
ADOPT = MatrixAction("ADOPT", State.FOREIGN, State.RUNNING, _adopt, replaceable=False)
MOVE = MatrixAction(
    *("MOVE", State.RUNNING, State.RUNNING, MatrixJob.move), replaceable=False, moves=True
)
GATED_MOVE = MatrixAction(
    *("MOVE, health gate", State.RUNNING, State.RUNNING, _move_gated, _not_gated),
    replaceable=False,
    moves=True,
)
FAILED_MOVE = MatrixAction(
    *("MOVE, gate not passed", State.RUNNING, State.RUNNING, _move_failing, _not_gated),
    replaceable=False,
    moves=True,
    amend=_pass_gate,
    fails=True,
)
DISPOSAL = MatrixAction(
    *("UPDATE, disposal", State.RUNNING, State.RUNNING, _retain_one), savepoints=2
)
ACTIONS: Sequence[MatrixAction] = (
    *(NEW, UPDATE, STATELESS_UPDATE, LAST_STATE_UPDATE, REHEARSED_UPDATE, BLUE_GREEN, RESCALE),
    *(DISPOSAL, STOP, START, SAVEPOINT, ADOPT, MOVE, GATED_MOVE, FAILED_MOVE, DELETE, STOP_DELETE),
)


async def prepare(job: MatrixJob, action: MatrixAction) -> None:
    """Bring a job to how it is before an action, undisturbed."""
    state = action.before
    if state is State.ABSENT:
        return
    if state is State.FOREIGN:
        await asyncio.to_thread(job.start_by_hand)
        return
    job.inputs["desired_state"] = "running"
    if job.record is None or job.record.status != "RUNNING":
        job.record = await job.run().up(job.record, job.wanted)
        await job.assert_runs()
    while action.savepoints > len(job.record.savepoints):
        job.next_version()
        job.record = await job.run().up(job.record, job.wanted)
        await job.assert_runs()
    if state is State.STOPPED:
        job.inputs["desired_state"] = "stopped"
        job.record = await job.run().up(job.record, job.wanted)
        await job.assert_stopped()


async def perform(action: MatrixAction, job: MatrixJob, run: ProviderRun) -> JobRecord | None:
    """Carry an action out in a run, and return what an engine then records."""
    if action.deletes:
        assert job.record is not None
        # An engine has recorded what `on_delete` says by an `up` before.
        removed = await run.destroy(job.record.model_copy(update={"spec": job.wanted}))
        if removed.savepoint:
            job.named.add(removed.savepoint)
        return None
    return await run.up(job.record, job.wanted)


CHECKS: dict[State, Callable[[MatrixJob], Awaitable[None]]] = {
    State.RUNNING: MatrixJob.assert_runs,
    State.STOPPED: MatrixJob.assert_stopped,
    State.ABSENT: MatrixJob.assert_gone,
}
