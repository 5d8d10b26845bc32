"""HTTP to any system: what an answer means, and none; retries; one call shared by many callers.

A request that may be repeated is retried while the system behind it cannot be reached. Pauses
double, and vary, so that many who lost one system do not come back at once; a system that asks
for a longer pause gets it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Generic, ParamSpec, TypeVar

import httpx

from flink_jobs_provider.control_planes.connection import guarded, is_tls, trust
from flink_jobs_provider.control_planes.protocol import Guard, MonotonicClock, Resolve, Sleep
from flink_jobs_provider.control_planes.service_planes import Unanswered
from flink_jobs_provider.model.errors import ClusterRefused, ClusterUnreachable, JobError
from flink_jobs_provider.model.redaction import mask_foreign
from flink_jobs_provider.model.target import Tls

P = ParamSpec("P")
T = TypeVar("T")

_LONGEST = 500
#: How far clocks may be apart before that is reported: Huawei's signatures allow 15 minutes.
_SKEW = 300.0
#: Seconds within which a job service must answer.
SERVICE_ANSWERS_WITHIN = 60.0
#: Statuses after which it is unknown whether what was sent was taken.
AMBIGUOUS = (408, 500, 502, 503, 504)


def open_http(
    base_url: str,
    tls: Tls | None,
    resolve: Resolve,
    *,
    transport: httpx.AsyncBaseTransport | None,
    timeout: float = SERVICE_ANSWERS_WITHIN,
    connections: int = 16,
    **options: Any,
) -> httpx.AsyncClient:
    """Return an HTTP client of one system, with half of its connections kept alive.

    A `transport` stands in for the network in tests. The `timeout` of an answer is in seconds.

    Raises:
        ClusterRefused: A certificate file cannot be used, or a reference leads nowhere.
    """
    return httpx.AsyncClient(
        base_url=base_url,
        verify=trust(tls, resolve),
        timeout=httpx.Timeout(timeout, connect=10.0),
        limits=httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections // 2
        ),
        transport=transport,
        **options,
    )


class ServiceClient:
    """Requests to a job service: reads are repeated, what changes something is sent once."""

    service = ""
    #: The inputs that name its address.
    named_by = "target.endpoint"

    def __init__(self, http: httpx.AsyncClient, guard: Guard, sleep: Sleep) -> None:
        self._http = http
        self._guard = guard
        self._sleep = sleep

    @property
    def endpoint(self) -> str:
        """The address, for messages."""
        return str(self._http.base_url).rstrip("/")

    async def _send(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Response:
        return await self._http.request(method, url, **options)

    async def _read(self, url: httpx.URL | str, **options: Any) -> httpx.Response:
        try:
            return await self._send("GET", url, **options)
        except httpx.TransportError as error:
            raise self._unreachable(error) from None

    async def _change(self, method: str, url: httpx.URL | str, body: Any) -> httpx.Response:
        """Send what changes something, once.

        Raises:
            EngineGone: The run this belongs to has ended; nothing was sent.
            ClusterUnreachable: There was no connection, so that nothing was sent.
            Unanswered: It is unknown whether it was taken.
        """
        self._guard()
        extensions = guarded(self._guard)
        try:
            response = await self._send(method, url, json=body, extensions=extensions)
        except httpx.TransportError as error:
            failure = self._unreachable(error)
            if isinstance(failure, ClusterRefused) or isinstance(error, httpx.ConnectError):
                raise failure from None
            raise Unanswered(failure.happened) from None
        if is_page(response):
            raise Unanswered(self._page(response))
        return response

    def _page(self, response: httpx.Response) -> str:
        return f"{self.endpoint} answers {response.status_code}, and not as {self.service} does"

    def not_the_service(self, happened: str) -> ClusterUnreachable:
        """Return the error for a success that is not the service's own."""
        return ClusterUnreachable(
            happened,
            remedy="If a proxy answers while the service is away, it will pass. Check "
            f"{self.named_by}",
        )

    def _unreachable(self, error: Exception) -> JobError:
        if isinstance(error, httpx.TimeoutException):
            return ClusterUnreachable(
                f"{self.endpoint} did not answer in time", remedy="Is it up and reachable?"
            )
        if is_tls(error):
            return ClusterRefused(
                f"no TLS connection to {self.endpoint}: {error}",
                remedy="Check target.tls, and whether target.endpoint should be http or https",
            )
        return ClusterUnreachable(
            f"no connection to {self.endpoint}: {plain(str(error)) or type(error).__name__}",
            remedy=f"Is it up, and {self.named_by} right?",
        )


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


def plain(text: str) -> str:
    """Return a text of the service as one line, with credentials masked."""
    text = mask_foreign(" ".join(text.split()))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds after which to ask again; None where that is unknown."""
    value = response.headers.get("retry-after", "").strip()
    if value.replace(".", "", 1).isdigit():
        return float(value)
    when = date_in(value)
    # By the service's clock, where it shows that: this machine's may differ.
    now = date_in(response.headers.get("date", "")) or datetime.now(UTC)
    return None if when is None else max(0.0, (when - now).total_seconds())


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


#: What to do about credentials that are refused, where the clocks differ.
SET_CLOCK = "Set the clock: signatures and tokens are checked against it"


def skew(response: httpx.Response, now: datetime) -> str:
    """Return by how much this machine's clock differs from the service's, if that is too much."""
    there = date_in(response.headers.get("date", ""))
    if there is None:
        return ""
    ahead = (now - there).total_seconds()
    if abs(ahead) <= _SKEW:
        return ""
    which = "ahead of" if ahead > 0 else "behind"
    return f"this machine's clock is {abs(ahead) / 60:.0f} minutes {which} the service's"


TRIES = 4
_FIRST_PAUSE, _LONGEST_PAUSE, _VARIATION = 0.2, 2.0, 0.2
#: The longest pause that a system may ask for, in seconds.
_LONGEST_ASKED = 30.0


@dataclass(frozen=True)
class _Retrying:
    sleep: Sleep
    times: int

    async def __call__(
        self, send: Callable[P, Awaitable[T]], *args: P.args, **named: P.kwargs
    ) -> T:
        attempt = 1
        while True:
            try:
                return await send(*args, **named)
            except ClusterUnreachable as error:
                if attempt >= self.times:
                    raise
                pause = _pause(attempt, error)
            await self.sleep(pause)
            attempt += 1


def retrying(sleep: Sleep, times: int = TRIES) -> _Retrying:
    """Return the attempts at one request, 1 for what must not be repeated; the last one raises.

    Most requests need one attempt, and pay for no more: what a general library sets up for each
    call took a tenth of the CPU of a poll.
    """
    return _Retrying(sleep, times)


def _pause(attempt: int, error: ClusterUnreachable) -> float:
    if error.retry_after is not None:
        return min(error.retry_after, _LONGEST_ASKED)
    varied = random.uniform(0, _VARIATION)  # noqa: S311 - no secret
    return min(_FIRST_PAUSE * 2.0 ** (attempt - 1) + varied, _LONGEST_PAUSE)


@dataclass(frozen=True)
class Polling:
    """Repeated reads of a system, until they show what is waited for."""

    clock: MonotonicClock
    sleep: Sleep

    async def until(
        self,
        observe: Callable[[], Awaitable[T]],
        deadline: float,
        pause: float,
        longest: float | None = None,
    ) -> T:
        """Return the first observation that is truthy, or the last one before the deadline.

        The first pause has `pause` seconds; where `longest` is given, pauses grow up to that.
        """
        while not (seen := await observe()) and self.clock() < deadline:
            await self.sleep(pause)
            pause = min(pause * 1.5, longest or pause)
        return seen


@dataclass(frozen=True)
class _Answer(Generic[T]):
    value: T
    number: int
    begun: float


def _retrieve(flight: asyncio.Task[None]) -> None:
    """Retrieve an error that may have no caller: asyncio would report it with a traceback."""
    if not flight.cancelled():
        flight.exception()


#: How long a system is left alone at most that answers slowly, in seconds.
_LONGEST_REST = 1.0


class SharedCall(Generic[T]):
    """Fetches an answer for everybody who waits for it, and never two at once.

    Args:
        rest: Where it is given, a system that several wait for is left alone after each answer for
            as long as that took, so that they do not keep it busy: at most half of its time goes
            into answers. One who waits alone is not delayed.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[T]],
        clock: MonotonicClock = time.monotonic,
        rest: Sleep | None = None,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._rest = rest
        self._rests_until = 0.0
        self._several = False
        self._flight: asyncio.Task[None] | None = None
        self._latest: _Answer[T] | None = None
        self._begun = 0

    @property
    def latest(self) -> T | None:
        """The newest answer that was fetched, or None."""
        return self._latest.value if self._latest else None

    async def get(self, max_age: float = 0.0) -> T:
        """Return an answer whose fetching began at most `max_age` seconds before this call."""
        # Counted, not timed: a coarse clock could take what began just before for what began after.
        begun_before = self._begun
        oldest = self._clock() - max_age if max_age > 0 else float("inf")
        while self._latest is None or (
            self._latest.number <= begun_before and self._latest.begun < oldest
        ):
            flight = self._flight
            # One that has ended is nobody's: to await it would not let the event loop go on.
            if flight is None or flight.done():
                flight = self._flight = asyncio.create_task(self._refresh())
                flight.add_done_callback(_retrieve)
            else:
                self._several = True
            await asyncio.shield(flight)
        return self._latest.value

    async def _refresh(self) -> None:
        if self._rest and (left := self._rests_until - self._clock()) > 0:
            await self._rest(left)
        self._begun += 1  # here, not where the task is made: until now all may share it
        number, begun = self._begun, self._clock()
        self._latest = _Answer(await self._fetch(), number, begun)
        if self._several:
            ended = self._clock()
            self._rests_until = ended + min(ended - begun, _LONGEST_REST)
        self._several = False
