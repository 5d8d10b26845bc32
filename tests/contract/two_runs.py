"""Two runs of one job at once: one is carried out whole within another, at each of its requests.

It stands for the run of a killed engine whose process lives on, or for a second person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from threading import Thread
from typing import Protocol, TypeVar

from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.savepoint import same_path
from tests.contract.kills import Service


class Launch(Protocol):
    """A start of a version.

    Attributes:
        restored_from: What it started from; None for nothing.
        newest: The newest savepoint that there was; None for none.
    """

    restored_from: str | None
    newest: str | None


class Stack(Protocol):
    """One job of a stack."""

    def alongside(self: S) -> S:
        """Return another run that knows the same, on the same service."""


S = TypeVar("S", bound=Stack)


def two_runs(
    start: S,
    service_of: Callable[[S], Service],
    one: Callable[[S], object],
    other: Callable[[S], object],
) -> Iterator[S]:
    """Yield a stack for each moment of a run at which the other one was carried out.

    Either may fail with an error of the job.
    """
    moment = 0
    while True:
        stack = deepcopy(start)
        left = [moment]

        def within(_moment: str, stack: S = stack, left: list[int] = left) -> None:
            if left and (left[0] == 0):
                left.clear()
                thread = Thread(target=_carry_out, args=(other, stack.alongside()))
                thread.start()
                thread.join()
            elif left:
                left[0] -= 1

        service_of(stack).at_moments.append(within)
        _carry_out(one, stack)
        service_of(stack).at_moments.clear()
        if left:
            return
        yield stack
        moment += 1


def _carry_out(action: Callable[[S], object], stack: S) -> None:
    try:
        action(stack)
    except JobError:
        return


def check_no_older_state(launches: Sequence[Launch]) -> None:
    """Check that each start but the first one was from the newest savepoint there was."""
    for launch in launches[1:]:
        assert launch.newest is not None
        assert same_path(launch.restored_from, launch.newest)
