"""Disposing of the old savepoints of a job after an action, as its cluster's configuration asks.

That the savepoints go is on record before the first request: from then on no start is accepted
from them, on any gateway of the same records. Which do go is decided in the same transaction, by
what all jobs and all actions in progress come back to then. A gateway that is killed meanwhile is
followed by one that takes the action up, and finds what is gone.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.gateway.jobs.background import where
from flink_jobs_provider.gateway.store import HeldAction, Store
from flink_jobs_provider.model.action import STARTS
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import Savepoint, canonical_path
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.flink.savepoint_disposal import SavepointDisposal
from flink_jobs_provider.reconciling.flink.state_directories import StateDirectories
from flink_jobs_provider.reconciling.waiter import Clock

_log = logging.getLogger(__name__)
R = TypeVar("R")
#: Calls the records, however long they cannot be reached; None where the action is no longer ours.
Ask = Callable[[Callable[[], Any]], Awaitable[Any]]
#: How many of a job's newest versions keep what they were started from.
_VERSIONS = 2


@dataclass(frozen=True)
class SavepointRetirement:
    """Disposes of the old savepoints of a job of this gateway.

    Attributes:
        action: The action that is followed by it.
        plane: The job's cluster.
        local_paths: Whether paths of the cluster's machines are those of this one.
        clock: Time as the reconcilers see it.
        say: Is given lines of what was done.
    """

    _store: Store
    _ask: Ask
    action: HeldAction
    plane: ControlPlane
    local_paths: bool
    clock: Clock
    say: Say

    async def after_action(self, before: JobRecord | None, after: JobRecord) -> list[str]:
        """Dispose of old savepoints after an action that succeeded; return the paths of those.

        Whatever is the matter, the action has succeeded: what is not disposed of now stays on
        record, and the next action tries again.

        Args:
            before: The job as it was recorded before the action; None for a new one.
            after: The job as it is to be recorded.
        """
        if before is None or after.spec.savepoint_retention is None:
            return []
        try:
            return await self._dispose(before, after)
        except Exception as error:  # noqa: BLE001 - the action has succeeded, whatever is wrong here
            _log.error("operation %s: disposing of savepoints: %s", self.action.id, where(error))
            self.say(f"warning: {after.spec.job_name}: no old savepoint was disposed of")
            return []

    async def _dispose(self, before: JobRecord, after: JobRecord) -> list[str]:
        number = self.action.job_number
        known = await self._read(partial(self._store.savepoints, number))
        # The version that the action has started is on record when the action has ended.
        count = _VERSIONS - (after.action in STARTS)
        origins = await self._read(partial(self._store.origins_of_versions, number, count))
        submissions = await self._read(partial(self._store.submissions_of, number))
        if known is None or origins is None or submissions is None:
            return []
        listed = _newest_first([*after.savepoints, *known])
        disposal = SavepointDisposal(
            self.plane,
            StateDirectories(self.plane, self.local_paths),
            self.clock,
            self.say,
            self._decide,
        )
        left = await disposal.after_action(
            before,
            after.model_copy(update={"savepoints": listed}),
            kept=[*_of_unknown_age(listed), *origins],
            submissions=submissions,
        )
        stays = {canonical_path(each.path) for each in left.savepoints}
        return [each.path for each in listed if canonical_path(each.path) not in stays]

    async def _decide(self, found: Sequence[Savepoint]) -> list[Savepoint]:
        """Record that savepoints go; return those that can."""
        paths = [each.path for each in found]
        going = await self._read(partial(self._store.begin_disposals, self.action, paths))
        return [each for each in found if canonical_path(each.path) in (going or ())]

    async def _read(self, call: Callable[[], R | None]) -> R | None:
        found: R | None = await self._ask(call)
        return found


def _newest_first(savepoints: Iterable[Savepoint]) -> list[Savepoint]:
    """Return savepoints, each once; of those of one second, the first stays first."""
    once = {canonical_path(each.path): each for each in reversed([*savepoints])}
    as_given = reversed(once.values())
    return sorted(as_given, key=lambda each: each.taken_at, reverse=True)


def _of_unknown_age(savepoints: Iterable[Savepoint]) -> list[str]:
    """Return those of which it is not known whether they are old."""
    return [each.path for each in savepoints if not each.taken_at]
