"""Wait for a condition, not for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Timeouts are for a quiet machine. A busy one takes longer, which is no failure; and a condition
#: that comes true is not waited for any longer.
PATIENCE = 6.0


def wait_until(condition: Callable[[], T], timeout: float, what: str, interval: float = 0.05) -> T:
    """Call `condition` until it returns something true, and return that.

    After `timeout` seconds, times `PATIENCE`, the test fails with `what` was awaited and what was
    last seen. An AssertionError from `condition` counts as not yet.
    """
    timeout *= PATIENCE
    deadline = time.monotonic() + timeout
    while True:
        try:
            seen: object = (found := condition())
            if found:
                return found
        except AssertionError as error:
            seen = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what}; last seen: {seen}")
        time.sleep(interval)
