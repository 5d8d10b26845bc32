"""Starting again, without a person, what a cluster lost: one that came back without its jobs."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from flink_jobs_provider.gateway.job_service import ActionRequest, ActionRow
from flink_jobs_provider.gateway.jobs.intervals import Intervals
from flink_jobs_provider.gateway.jobs.threads import Threads
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.store import Store, StoredJob
from flink_jobs_provider.model.action import Action, ActionResult

_log = logging.getLogger(__name__)

#: Who asks for these actions.
CALLER = "gateway"
#: How often a job is started again in vain, before that is left to a person.
_TRIES = 12

Submit = Callable[[ActionRequest], Awaitable[ActionRow]]


class LostJobRecovery:
    """Asks for a RE_LAUNCH of each job that one cluster has lost for a while.

    A job that was stopped, cancelled, or came to its end is none of these.
    """

    def __init__(
        self, cluster: str, store: Store, threads: Threads, intervals: Intervals, submit: Submit
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._threads = threads
        self._intervals = intervals
        self._submit = submit
        self._lost_since: dict[int, float] = {}

    async def after_observation(self) -> None:
        """Start what is due, the cluster having just been seen."""
        lost = await self._threads.call(self._store.jobs_with_status, self._cluster, ["LOST"])
        now = time.monotonic()
        self._lost_since = {job.number: self._lost_since.get(job.number, now) for job in lost}
        for job in lost:
            if job.last.finished_at is None:
                continue
            if now - self._lost_since[job.number] < self._intervals.relaunch_after:
                continue
            if await self._due(job):
                await self._ask(job)

    async def _due(self, job: StoredJob) -> bool:
        """Whether it is time to try; after one that failed, twice as long as before it."""
        if not _in_vain(job.last):
            return True
        actions = await self._threads.call(self._store.actions_of, job.number, _TRIES)
        failures = next(
            (i for i, action in enumerate(actions) if not _in_vain(action)), len(actions)
        )
        if failures >= _TRIES:
            return False
        pause: float = self._intervals.relaunch_pause * 2 ** (failures - 1)
        ended = job.last.finished_at or datetime.now(UTC)
        waited = (datetime.now(UTC) - ended).total_seconds()
        return waited >= min(pause, self._intervals.longest_relaunch_pause)

    async def _ask(self, job: StoredJob) -> None:
        request = ActionRequest(
            cluster=job.cluster,
            job_name=job.job_name,
            action=Action.RE_LAUNCH,
            changes={},
            as_given={},
            caller=CALLER,
            run_id=job.run_id,
        )
        try:
            action = await self._submit(request)
        except Refusal as refusal:  # somebody else was first, or too much is in progress
            _log.info("job %s, which was lost, is not started: %s", job.job_name, refusal.message)
            return
        _log.warning("job %s was lost and is started again: %s", job.job_name, action.id)


def _in_vain(action: ActionRow) -> bool:
    return (
        action.action is Action.RE_LAUNCH
        and action.caller == CALLER
        and action.result is ActionResult.FAILED
    )
