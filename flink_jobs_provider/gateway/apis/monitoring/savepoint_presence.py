"""Whether savepoints on record are still there, as far as it shows from the gateway."""

from __future__ import annotations

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

PRESENT, GONE, DAMAGED, UNKNOWN = "present", "gone", "damaged", "unknown"
_WORDS = {Condition.WHOLE: PRESENT, Condition.GONE: GONE, Condition.TORN: DAMAGED}
#: Seconds that an answer waits for storages; and how many are asked at the same time.
_PATIENCE, _AT_ONCE = 5.0, 8


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
    """Looks at savepoints, a few at a time: a storage that hangs holds up no other answer."""

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._patience = patience
        self._limiter: CapacityLimiter | None = None

    async def of(self, paths: Sequence[str], *, same_machine: bool) -> list[Presence]:
        """Return what shows of savepoints, in their order; unknown what does not show in time.

        Args:
            paths: Where they lie.
            same_machine: Whether their cluster runs on this machine. Else a local file that is
                missing here may well be there.
        """
        if self._limiter is None:
            self._limiter = CapacityLimiter(_AT_ONCE)
        found = [Presence()] * len(paths)

        async def look(place: int, path: str) -> None:
            found[place] = await to_thread.run_sync(
                partial(_presence, path, same_machine=same_machine),
                abandon_on_cancel=True,
                limiter=self._limiter,
            )

        with anyio.move_on_after(self._patience):
            async with anyio.create_task_group() as looking:
                for place, path in enumerate(paths):
                    looking.start_soon(look, place, path)
        return found


def _presence(path: str, *, same_machine: bool) -> Presence:
    state = _WORDS.get(inspect_savepoint(path).condition, UNKNOWN)
    if state == GONE and local_path(path) is not None and not same_machine:
        state = UNKNOWN
    return Presence(state, savepoint_size(path) if state == PRESENT else None)
