"""Whether savepoints on record are still there, as far as it shows from the gateway."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import anyio
from anyio import CapacityLimiter, to_thread

from flink_jobs_provider.artifacts.savepoint_files import (
    Condition,
    inspect_savepoint,
    savepoint_size,
)
from flink_jobs_provider.artifacts.storage import local_path
from flink_jobs_provider.control_planes.http import SharedCall

PRESENT, GONE, DAMAGED, UNKNOWN = "present", "gone", "damaged", "unknown"
_WORDS = {Condition.WHOLE: PRESENT, Condition.GONE: GONE, Condition.TORN: DAMAGED}
#: Seconds that an answer waits for storages; and how many are asked at the same time.
_PATIENCE, _AT_ONCE = 5.0, 8
#: Seconds for which a reading is shown, so that requests to storages do not grow with callers; and
#: how many readings are cached.
_AGE, _MOST_CACHED = 30.0, 2000


@dataclass(frozen=True)
class Presence:
    """What shows of a savepoint.

    Attributes:
        state: present, gone, damaged, or unknown.
        size: Bytes of its files; None where they are not seen.
    """

    state: str = UNKNOWN
    size: int | None = None


class SavepointPresence:
    """Reads savepoints, a few at a time: a storage that hangs holds up no other answer.

    Each path is read once for all who ask within a while. A read that hangs keeps its thread until
    it ends, so there are never more threads than may read at the same time.

    Args:
        patience: Seconds that an answer waits for storages, and a read for its turn.
        max_age: Seconds for which a reading is shown.
    """

    def __init__(self, patience: float = _PATIENCE, max_age: float = _AGE) -> None:
        self._patience = patience
        self._max_age = max_age
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._threads: CapacityLimiter | None = None
        self._reads: OrderedDict[tuple[str, bool], SharedCall[Presence]] = OrderedDict()

    async def of(self, paths: Sequence[str], *, same_machine: bool) -> list[Presence]:
        """Return what shows of savepoints, in their order; unknown what does not show in time.

        Args:
            paths: Where they lie.
            same_machine: Whether their cluster runs on this machine. Else a local file that is
                missing here may well be there.
        """
        found = [Presence()] * len(paths)

        async def look(place: int, path: str) -> None:
            with contextlib.suppress(TimeoutError):
                found[place] = await self._shared(path, same_machine=same_machine).get(
                    self._max_age
                )

        with anyio.move_on_after(self._patience):
            async with anyio.create_task_group() as looking:
                for place, path in enumerate(paths):
                    looking.start_soon(look, place, path)
        return found

    def _shared(self, path: str, *, same_machine: bool) -> SharedCall[Presence]:
        key = (path, same_machine)
        if key not in self._reads:
            self._reads[key] = SharedCall(partial(self._read, path, same_machine=same_machine))
        self._reads.move_to_end(key)
        if len(self._reads) > _MOST_CACHED:
            self._reads.popitem(last=False)
        return self._reads[key]

    async def _read(self, path: str, *, same_machine: bool) -> Presence:
        """Read a savepoint, however long it takes; raise TimeoutError if its turn does not come."""
        if self._threads is None:
            self._threads = CapacityLimiter(_AT_ONCE)
        async with asyncio.timeout(self._patience):
            await self._turns.acquire()
        try:
            # Nobody who waits cancels this: only the end of the gateway does.
            return await to_thread.run_sync(
                partial(_presence, path, same_machine=same_machine),
                abandon_on_cancel=True,
                limiter=self._threads,
            )
        finally:
            self._turns.release()


def _presence(path: str, *, same_machine: bool) -> Presence:
    state = _WORDS.get(inspect_savepoint(path).condition, UNKNOWN)
    if state == GONE and local_path(path) is not None and not same_machine:
        state = UNKNOWN
    return Presence(state, savepoint_size(path) if state == PRESENT else None)
