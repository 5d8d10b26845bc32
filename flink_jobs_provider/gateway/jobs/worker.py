"""The actions that this gateway executes: each claimed, retried until it ends, ended once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.gateway.job_service import ActionRow
from flink_jobs_provider.gateway.jobs.background import end, reporting, where
from flink_jobs_provider.gateway.jobs.executor import Executor, Outcome
from flink_jobs_provider.gateway.jobs.gateway_process import (
    GatewayProcess,
    Lease,
    current_lease,
    uptime,
)
from flink_jobs_provider.gateway.jobs.savepoint_retirement import SavepointRetirement
from flink_jobs_provider.gateway.jobs.transitions import NOT_YET
from flink_jobs_provider.gateway.refusals import ErrorOutput
from flink_jobs_provider.gateway.served_clusters import places_masked
from flink_jobs_provider.gateway.store import (
    HeldAction,
    JobState,
    RecordsUnavailable,
    StoredAction,
    StoredJob,
)
from flink_jobs_provider.model.action import STARTS, Action, ActionResult
from flink_jobs_provider.model.errors import JarError, JobError, TemporaryError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.flink.preflight import NotEnoughSlots
from flink_jobs_provider.reconciling.flink.reconciler import Reconciler
from flink_jobs_provider.wire.hdinsight import LAUNCH_FAILED

_log = logging.getLogger(__name__)
R = TypeVar("R")


class Workers:
    """Executes actions, up to a limit at once; the others are queued.

    Args:
        process: What the parts of this process share.
        trouble: Returns why a cluster, by key, did not answer lately; None where it did.
    """

    def __init__(self, process: GatewayProcess, trouble: Callable[[str], JobError | None]) -> None:
        self._process = process
        self._store = process.store
        self._trouble = trouble
        clusters = process.configuration.clusters
        self._targets = {cluster.key: cluster.flink for cluster in clusters}
        self._mask = places_masked(clusters)
        self._slots = asyncio.Semaphore(process.configuration.limits.concurrent_actions)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._leases: dict[str, Lease] = {}
        #: What failed tries have left of jobs that never ran, by action.
        self._left: dict[str, JobRecord] = {}
        self._listeners: list[Callable[[ActionRow], None]] = []

    @property
    def unfinished(self) -> int:
        """How many actions are executed here, or wait to be."""
        return len(self._tasks)

    @property
    def ids(self) -> list[str]:
        """The ids of those actions."""
        return list(self._tasks)

    @property
    def free(self) -> bool:
        """Whether an action that is taken now begins at once."""
        return not self._slots.locked()

    def on_finished(self, listener: Callable[[ActionRow], None]) -> None:
        """Call a function with each action that ends here."""
        self._listeners.append(listener)

    def start(self, action: StoredAction, lease: Lease) -> None:
        """Begin an action that this gateway has claimed."""
        self._leases[action.row.id] = lease
        task = asyncio.create_task(self._work(action, lease), name=f"action {action.row.id}")
        self._tasks[action.row.id] = task
        task.add_done_callback(lambda done: self._done(action.row.id, done))

    async def renew(self) -> None:
        """Renew all claims; one that could not be in time is given up for good."""
        mine = {id_: lease for id_, lease in self._leases.items() if lease.held}
        if not mine:
            return
        asked_at = uptime()
        kept = await self._process.claims.call(
            self._store.renew, self._process.name, self._process.intervals.lease, list(mine)
        )
        for id_, lease in mine.items():
            if id_ in kept:
                lease.renewed(asked_at)
            else:
                lease.lose()

    async def wait(self, timeout: float) -> None:
        """Wait until all actions have ended, or the seconds are over."""
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=timeout)

    async def cancel_all(self) -> None:
        """Cancel all actions where they are; another gateway goes on from there."""
        await end(self._tasks.values())

    # One action

    def _done(self, action_id: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(action_id, None)
        self._leases.pop(action_id, None)
        self._left.pop(action_id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("operation %s broke off: %s", action_id, where(error))

    async def _work(self, action: StoredAction, lease: Lease) -> None:
        current_lease.set(lease)
        deadline = self._process.clock.now() + action.seconds_left
        pause = self._process.intervals.first_retry
        async with self._slots:
            job = action.begun_on or await self._write(
                partial(self._store.begin, action.row.id, self._process.name), lease
            )
        if job is None:
            return
        begun = self._process.clock.now()  # not while it was queued: it waits for slots from here

        mask = partial(self._mask, job.cluster)
        progress, waits_for = "", ""

        def say(line: str) -> None:
            nonlocal progress
            _log.info("operation %s: %s", action.row.id, line)
            progress = mask(line)

        def state() -> str:
            """Return what the action waits for, or else how far it is.

            What it waits for, since a try failed, stays on record.
            """
            if error := self._trouble(job.cluster):
                return ErrorOutput.of(error, mask)
            return "" if waits_for else progress

        async def report(line: str) -> None:
            if isinstance(line, ErrorOutput):
                line = line.followed_by(_until(deadline - self._process.clock.now()))
            await self._note(action, line, lease)

        while True:
            async with self._slots, reporting(state, report, self._process.intervals.observe):
                outcome, waits_for = await self._try(action, job, lease, (begun, deadline), say)
            if not lease.held:
                _log.warning("the lease of operation %s has expired", action.row.id)
                return
            if outcome is not None:
                break
            await self._note(action, waits_for, lease)
            await self._process.clock.sleep(pause)
            pause = min(pause * 2, self._process.intervals.longest_retry)
        await self._end(action, job, outcome, lease)

    async def _try(
        self,
        action: StoredAction,
        job: StoredJob,
        lease: Lease,
        span: tuple[float, float],
        say: Say,
    ) -> tuple[Outcome | None, str]:
        """Try once; return how it ended, or what it waits for.

        `span` is when it was begun, and its deadline, by the process's clock.
        """
        executor: Executor | None = None
        try:
            executor = await self._executor(action, job, lease, say)
            return await executor.execute(), ""
        except JobError as error:
            if executor is not None and isinstance(error.partial, JobRecord):
                executor.left = self._left[action.row.id] = error.partial
            failed = ErrorOutput.of(error, partial(self._mask, job.cluster))
            left = self._ends(error, *span) - self._process.clock.now()
            if left > 0:
                return None, failed.followed_by(_until(left))
            message: str = failed
        except Exception as error:  # noqa: BLE001 - an action ends, whatever is wrong with us
            _log.error("operation %s met an error: %s", action.row.id, where(error))
            message = (
                f"An error in the gateway itself: {type(error).__name__}. Its log has details "
                f"under operation {action.row.id}."
            )
        if executor is None:
            return Outcome(ActionResult.FAILED, message, _unseen(job)), ""
        try:
            return await executor.failed(message), ""
        except Exception as error:  # noqa: BLE001 - an action ends, whatever is wrong with us
            _log.error("operation %s: what runs cannot be seen: %s", action.row.id, where(error))
            return Outcome(ActionResult.FAILED, message, _unseen(job)), ""

    def _ends(self, error: JobError, begun: float, deadline: float) -> float:
        """Return until when an action is retried that met an error."""
        if isinstance(error, NotEnoughSlots):
            return min(deadline, begun + self._process.intervals.slots)
        return deadline if isinstance(error, TemporaryError) else begun

    async def _executor(
        self, action: StoredAction, job: StoredJob, lease: Lease, say: Say
    ) -> Executor:
        target, process = self._targets[job.cluster], self._process
        plane = process.planes.of(target)
        known, disposed = None, None
        if action.row.action is Action.LIST_SAVEPOINT:
            known = await self._write(partial(self._store.savepoints, job.number), lease)
            disposed = await self._write(
                partial(self._store.disposed_savepoints, job.number), lease
            )
        return Executor(
            plane,
            Reconciler(
                plane,
                local_paths=target.loopback,
                say=say,
                clock=process.clock,
                find_jar=process.opener.find,
            ),
            target,
            job,
            action,
            await self._jar(action),
            known or [],
            len(disposed or ()),
            SavepointRetirement(
                self._store,
                partial(self._write, lease=lease),
                HeldAction(action.row.id, job.number, process.name),
                plane,
                target.loopback,
                process.clock,
                say,
            ),
            process.configuration.settle_time,
            self._left.get(action.row.id),
        )

    async def _jar(self, action: StoredAction) -> Jar | str | None:
        """Return the very bytes that the action began with, wherever they still are."""
        digest = action.jar_digest
        if digest is None or action.wanted is None or action.row.action not in STARTS:
            return digest
        try:
            return await self._process.opener.find(action.wanted["jar"], digest)
        except JarError:
            return digest  # the cluster may have it

    async def _note(self, action: StoredAction, line: str, lease: Lease) -> None:
        """Record how far an action is, or what it waits for; that it cannot be, ends no action."""
        note = partial(self._store.note_wait, action.row.id, self._process.name, line)
        try:
            await self._write(note, lease)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the line
            _log.error("operation %s: its progress: %s", action.row.id, where(error))

    async def _end(
        self, action: StoredAction, job: StoredJob, outcome: Outcome, lease: Lease
    ) -> None:
        try:
            row = await self._finish(action, outcome, lease)
        except Exception as error:  # noqa: BLE001 - else it would be begun again and again
            _log.error("operation %s: its result: %s", action.row.id, where(error))
            message = (
                f"How it ended cannot be recorded: {type(error).__name__}. The gateway's log has "
                f"details under operation {action.row.id}. What runs shows in the job's status."
            )
            bare = Outcome(ActionResult.FAILED, message, _unseen(job))
            row = await self._finish(action, bare, lease)
        if row is not None:
            self.notify(row)

    async def _finish(
        self, action: StoredAction, outcome: Outcome, lease: Lease
    ) -> ActionRow | None:
        finish = partial(
            self._store.finish,
            action,
            self._process.name,
            outcome.result,
            outcome.output,
            outcome.state,
            deleted=outcome.deleted,
        )
        return await self._write(finish, lease)

    def notify(self, row: ActionRow) -> None:
        """Notify the listeners of an action that has ended."""
        for listener in self._listeners:
            try:
                listener(row)
            except Exception as error:  # noqa: BLE001 - others are to hear of it all the same
                _log.error("a listener failed on operation %s: %s", row.id, where(error))

    async def _write(self, call: Callable[[], R | None], lease: Lease) -> R | None:
        """Write to the records, however long they cannot be reached, while the action is ours.

        Raises:
            RecordsError: They can be reached, and do not take it.
        """
        pause = 0.1
        while True:
            try:
                return await self._process.call(call)
            except RecordsUnavailable as error:
                _log.warning("the records cannot be written: %s", error)
                if not lease.held:
                    return None
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)


def _unseen(job: StoredJob) -> JobState | None:
    """Return what is recorded of a job that was not seen after an action: that it has ended."""
    return JobState(job.record, LAUNCH_FAILED) if job.status == NOT_YET else None


def _until(left: float) -> str:
    """Return until when something is retried, as a sentence."""
    until = datetime.now(UTC) + timedelta(seconds=left)
    return f"Retried until {until:%Y-%m-%dT%H:%M:%SZ}."
