"""The one policy by which requests that may be repeated are repeated.

A request is tried again while the system behind it cannot be reached. Pauses double, and vary, so
that many who lost one system do not come back at once; a system that says when to come back is
believed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)

from flink_jobs_provider.model.errors import ClusterUnreachable

TRIES = 4
_FIRST_PAUSE, _LONGEST_PAUSE, _VARIATION = 0.2, 2.0, 0.2
#: The longest time that a system is waited for because it says so, in seconds.
_LONGEST_ASKED = 30.0

_pause = wait_exponential_jitter(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE, jitter=_VARIATION)


def retrying(sleep: Callable[[float], Awaitable[None]], times: int = TRIES) -> AsyncRetrying:
    """Return the attempts at one request; the last one raises what it met.

    Args:
        sleep: Waits that many seconds.
        times: How many attempts there are; 1 for what must not be repeated.
    """
    return AsyncRetrying(
        retry=retry_if_exception_type(ClusterUnreachable),
        stop=stop_after_attempt(times),
        wait=_wait,
        reraise=True,
        sleep=sleep,
    )


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ClusterUnreachable) else None
    return _pause(state) if asked is None else min(asked, _LONGEST_ASKED)
