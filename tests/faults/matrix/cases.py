"""One fault: an action that is struck at one of its requests, what a next run makes of it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum

import httpx

from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import UpgradeMode
from flink_jobs_provider.reconciling.flink.failed_version import WRITTEN_AGAIN
from tests.faults.matrix.actions import CHECKS, MatrixAction, State, perform, prepare
from tests.faults.matrix.kinds import FaultKind, RequestOfRun, Rival, Strike
from tests.faults.matrix.matrix_job import MatrixJob
from tests.faults.matrix.provider_runs import Killed, ProviderRun, recorded_after
from tests.faults.matrix.violations import CountedTwice, Doubled, Violated
from tests.flink_cluster import FlinkCluster

#: How often an undisturbed run is tried, and how long it is until the next.
_RUNS, _PAUSE_S = 3, 2.0
#: The beginning of the names of the kinds by which a cluster loses its jobs.
LOSES_JOBS = "JobManager restarted without HA"
#: How a run reports that it ran the previous version again, or tried to; of a move, from before it.
_ROLLED_BACK = re.compile(
    rf"[Tt]he previous version (runs again|did not start again)|{re.escape(WRITTEN_AGAIN)}"
)
#: How a change of target is refused that takes back a move which may have been done.
_FINISH_THE_MOVE = re.compile(
    "Declare the target where it runs, and run again to finish the move"
    "|may yet start where the job is.*Undo the change of target, and run again"
)


class Outcome(Enum):
    """What became of a fault."""

    SURVIVED = "survived"
    LOST = "lost"
    DOUBLED = "doubled"
    WENT_BACK = "went back"
    """The new version had committed before it failed; the previous one counts on from before that.

    A rollback starts from the state that the stop left. The struck run's error has said so. A
    stateless job that its cluster has lost starts afresh, as it declares.
    """
    NOT_REACHED = "not reached"
    """The run made no such request this time, such as a second poll."""


class Recovery(Enum):
    """What the next run is."""

    SAME = "the same"
    REFRESHED = "the same, with a refresh before"
    ANOTHER = "another version"
    TAKEN_BACK = "taken back, and finished where that is refused"
    """Of a move: the target of before is declared again, with a refresh before."""


@dataclass(frozen=True)
class Case:
    """A fault to be tried."""

    action: MatrixAction
    kind: FaultKind
    request: RequestOfRun
    recovery: Recovery = Recovery.SAME
    begin: Callable[[MatrixJob, FlinkCluster], None] | None = None
    """What happens besides to the cluster whose request is struck."""
    repair: Callable[[MatrixJob, FlinkCluster], None] | None = None

    def __str__(self) -> str:
        return f"{self.action.name}, {self.request}: {self.kind.name}; then {self.recovery.value}"


@dataclass(frozen=True)
class Tried:
    """A fault that was tried.

    Attributes:
        ended: How the run ended that was struck: killed, with an error, or done all the same.
        why: What was violated.
        runs: How many undisturbed runs it took.
    """

    case: Case
    outcome: Outcome
    ended: str
    seconds: float
    why: str = ""
    runs: int = 1

    @property
    def is_bad(self) -> bool:
        """Whether something was lost or doubled."""
        return self.outcome in (Outcome.LOST, Outcome.DOUBLED)


async def recorded_requests(
    action: MatrixAction, job: MatrixJob, reads: int = 2
) -> list[RequestOfRun]:
    """Return the requests of an undisturbed run of an action, and what it needs to be struck."""
    await prepare(job, action)
    action.declare(job)
    job.sites.let_pass()
    run = job.run()
    if action.fails:
        await _fail(action, job, run)
    else:
        job.record = await perform(action, job, run)
    found = job.sites.requests_of(run.name, reads)
    if action.fails:
        action.amend(job)
        job.record = await perform(action, job, job.run())
    await CHECKS[action.after](job)
    action.undeclare(job)
    return found


async def _fail(action: MatrixAction, job: MatrixJob, run: ProviderRun) -> None:
    """Carry an action out that fails; record what its error says of the job."""
    try:
        job.record = await perform(action, job, run)
    except JobError as error:
        job.record = recorded_after(error, job.record)
    else:
        raise Violated(f"{action.name} has not failed")


async def tried(case: Case, job: MatrixJob) -> Tried:
    """Strike an action at a request, run again undisturbed, and judge what is so then."""
    began = time.monotonic()
    ended, runs = "?", 1

    def result(outcome: Outcome, why: str = "") -> Tried:
        return Tried(case, outcome, ended, time.monotonic() - began, why, runs)

    try:
        await prepare(job, case.action)
        case.action.declare(job)
        strike, ended = await _struck(case, job)
        if case.repair:
            await asyncio.to_thread(case.repair, job, job.sites.of(case.request).cluster)
        job.sites.let_pass()
        case.action.amend(job)
        runs = await _recover(case, job)
    except CountedTwice as error:
        stateless = job.wanted.upgrade_mode is UpgradeMode.STATELESS
        afresh = stateless and case.kind.name.startswith(LOSES_JOBS)
        went_back = afresh or _ROLLED_BACK.search(ended) is not None
        return result(Outcome.WENT_BACK if went_back else Outcome.DOUBLED, str(error))
    except Doubled as error:
        return result(Outcome.DOUBLED, str(error))
    except (Violated, JobError, httpx.HTTPError) as error:
        return result(Outcome.LOST, f"{type(error).__name__}: {error}")
    return result(Outcome.SURVIVED if strike.struck else Outcome.NOT_REACHED)


async def _struck(case: Case, job: MatrixJob) -> tuple[Strike, str]:
    """Carry the action out, and have it struck; return how its run ended."""
    run, loop = job.run(hurried=True), asyncio.get_running_loop()
    rivals: list[Future[JobRecord | None]] = []

    def then() -> None:
        if case.kind.kills:
            run.kill()
        if case.begin:
            case.begin(job, job.sites.of(case.request).cluster)
        if case.kind.rival is Rival.NEXT_RUN:
            run.orphan()
        if case.kind.rival:
            rival = perform(case.action, job, job.run(hurried=True))
            rivals.append(asyncio.run_coroutine_threadsafe(rival, loop))

    strike = Strike(case.kind, case.request, run.name, then)
    job.sites.strike(strike)
    ended, recorded = "done", job.record
    try:
        recorded = await perform(case.action, job, run)
    except Killed:
        ended = "killed"
    except JobError as error:
        ended = f"failed: {error}"
        recorded = recorded_after(error, job.record)
    for rival in rivals:  # the state is written by the run that ends last
        try:
            recorded = await asyncio.wrap_future(rival)
        except JobError as error:
            ended += f"; the other failed: {error}"
    job.record = recorded
    return strike, ended


async def _recover(case: Case, job: MatrixJob) -> int:
    """Run again, undisturbed; check all that must hold, and return how many runs it took."""
    action, after = case.action, case.action.after
    if action.deletes:
        if job.record is not None:
            job.record = await perform(action, job, job.run())
        await CHECKS[after](job)
        return 1
    if case.recovery is Recovery.ANOTHER:
        job.next_version(fresh_output=job.inputs.get("upgrade_mode") == "stateless")
        job.inputs["desired_state"] = "running"
        after = State.RUNNING
    if case.recovery is Recovery.TAKEN_BACK:
        job.move()
    refresh = case.recovery in (Recovery.REFRESHED, Recovery.TAKEN_BACK)
    runs = await _run_again(job, refresh=refresh)
    await CHECKS[after](job)
    action.undeclare(job)
    return runs


def _heed(error: JobError, job: MatrixJob) -> None:
    """Do what a refusal tells people to.

    A job that was lost before it was adopted is restored; a move that was begun is finished.
    """
    told = re.search(r"Remove adopt, and set restore_from to (\S+), to start", str(error))
    if told:
        del job.inputs["adopt"]
        job.inputs["restore_from"] = told[1]
    if _FINISH_THE_MOVE.search(str(error)):
        job.move()


async def _run_again(job: MatrixJob, *, refresh: bool) -> int:
    """Run until it succeeds: a cluster that was repaired may not be well yet."""
    for number in range(1, _RUNS):
        try:
            job.record = await job.run().up(job.record, job.wanted, refresh=refresh)
        except JobError as error:
            job.record = recorded_after(error, job.record)
            _heed(error, job)
            await asyncio.sleep(_PAUSE_S)
        else:
            return number
    job.record = await job.run().up(job.record, job.wanted, refresh=refresh)
    return _RUNS
