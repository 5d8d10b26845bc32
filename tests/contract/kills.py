"""What a killed process leaves behind: copies of a stack at each moment of one run.

A process that is killed leaves what the service holds, and what was recorded before. So a copy
that is taken at that moment is what a run killed there leaves, without that run; a test of each
service shows that the two are alike.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Protocol, TypeVar

import httpx
import pytest

S = TypeVar("S")


class Service(Protocol):
    """A service in memory.

    Attributes:
        kill: At which request, and at which moment of it, the run is killed by an error.
        requests: What it was asked.
        at_moments: Called when a request has arrived, with "before", and when it was carried out,
            with "after".
    """

    kill: tuple[int, str] | None
    requests: list[httpx.Request]
    at_moments: list[Callable[[str], None]]


def left_by_kills(
    stack: S,
    service: Service,
    action: Callable[[S], object],
    counts: Callable[[httpx.Request, str], bool] = lambda _request, _moment: True,
) -> list[S]:
    """Return what kills leave: a copy of the stack for each moment at which the action can die.

    Args:
        stack: A stack before the action; it is carried out to its end.
        service: The stack's service.
        action: What is killed.
        counts: Whether a moment of a request is one to die at.
    """
    found: list[S] = []

    def note(moment: str) -> None:
        if counts(service.requests[-1], moment):
            # Requests do not change; a copy notes no moments.
            memo: dict[int, object] = {id(one): one for one in service.requests}
            found.append(deepcopy(stack, memo | {id(service.at_moments): []}))

    service.at_moments.append(note)
    action(stack)
    service.at_moments.remove(note)
    return found


def check_copies(
    start: S,
    service_of: Callable[[S], Service],
    action: Callable[[S], object],
    left: Callable[[S], object],
) -> None:
    """Check that a run which is killed leaves what the copy at that moment has.

    Args:
        start: A stack before the action.
        service_of: Returns the service of a stack.
        action: What is killed.
        left: Returns all that a killed run leaves, to be compared.
    """
    whole = deepcopy(start)
    copies = iter(left_by_kills(whole, service_of(whole), action))
    for number in range(len(service_of(start).requests), len(service_of(whole).requests)):
        for moment in ("before", "after"):
            dead = deepcopy(start)
            service_of(dead).kill = (number, moment)
            with pytest.raises(Exception, match=f"^{number}$"):
                action(dead)
            assert left(dead) == left(next(copies))
    assert next(copies, None) is None
