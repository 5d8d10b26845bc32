"""HTTP to any system: what an answer says, what it means that none came, and when to try once more.

A request that may be repeated is retried while the system behind it cannot be reached. Pauses
double, and vary, so that many who lost one system do not come back at once; a system that says when
to come back is believed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)

from flink_jobs_provider.control_planes.connection import is_tls
from flink_jobs_provider.model.errors import ClusterRefused, ClusterUnreachable, JobError
from flink_jobs_provider.model.redaction import mask_foreign

_LONGEST = 500


def json_of(response: httpx.Response) -> Any:
    """Return the body of an answer; None where it is no JSON."""
    try:
        return response.json()
    except ValueError:
        return None


def is_page(response: httpx.Response) -> bool:
    """Whether a success has a body that is no JSON: whoever wrote it is not the service.

    It may be a proxy that answers while the service is away, so it is as temporary as a 502.
    """
    if not response.is_success or not response.content.strip():
        return False
    try:
        response.json()
    except ValueError:
        return True
    return False


def not_the_service(happened: str, check: str = "target.endpoint") -> ClusterUnreachable:
    """Return the error for a success that is not the service's own.

    Args:
        happened: Who answered, and how.
        check: The inputs that name the address.
    """
    return ClusterUnreachable(
        happened,
        remedy=f"If a proxy answers while the service is away, it will pass. Check {check}",
    )


def plain(text: str) -> str:
    """Return a text of the service as one line, with credentials masked."""
    text = mask_foreign(" ".join(text.split()))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def unreachable(error: Exception, endpoint: str, named_by: str) -> JobError:
    """Return what it means that a request got no answer.

    Args:
        error: What was raised instead.
        endpoint: The service's address.
        named_by: The inputs that name it.
    """
    if isinstance(error, httpx.TimeoutException):
        return ClusterUnreachable(
            f"{endpoint} did not answer in time", remedy="Is it up and reachable?"
        )
    if is_tls(error):
        return ClusterRefused(
            f"no TLS connection to {endpoint}: {error}",
            remedy="Check target.tls, and whether target.endpoint should be http or https",
        )
    return ClusterUnreachable(
        f"no connection to {endpoint}: {plain(str(error)) or type(error).__name__}",
        remedy=f"Is it up, and {named_by} right?",
    )


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds after which to ask again; None where that is unknown."""
    value = response.headers.get("retry-after", "").strip()
    if value.replace(".", "", 1).isdigit():
        return float(value)
    when = date_in(value)
    return None if when is None else max(0.0, (when - datetime.now(UTC)).total_seconds())


def asking(error: JobError, response: httpx.Response) -> JobError:
    """Return an error with the time after which its answer asks to be asked again."""
    if isinstance(error, ClusterUnreachable):
        error.retry_after = retry_after(response)
    return error


def date_in(value: str) -> datetime | None:
    """Return the time that a header names; None where it names none."""
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


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
