"""Requests to Data Lake Insight: reads are repeated, steps are sent once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from flink_jobs_provider.control_planes.action_plane import Busy, OrderRefused, Unanswered
from flink_jobs_provider.control_planes.connection import looking_first
from flink_jobs_provider.control_planes.dli.answers import (
    TROUBLE,
    error_in,
    is_missing,
    no_such_route,
    skew,
    succeeded,
)
from flink_jobs_provider.control_planes.http import (
    asking,
    is_page,
    json_of,
    not_the_service,
    retry_after,
    retrying,
    unreachable,
)
from flink_jobs_provider.control_planes.protocol import Guard
from flink_jobs_provider.control_planes.step_plane import NotOffered
from flink_jobs_provider.model.errors import (
    ClusterRefused,
    ClusterUnreachable,
    JobError,
    PermanentError,
)

#: Statuses after which it is unknown whether a step was taken.
_AMBIGUOUS = (408, 500, 502, 503, 504)
_GATEWAY = "x-flink-jobs-gateway"


class Missing(PermanentError):
    """The service says that there is no such job."""


class DliClient:
    """The API of one project.

    Args:
        http: Its client; the base address is the service's.
        project_id: The project.
        guard: Called before each step.
        sleep: Waits that many seconds.
        now: The time by this machine's clock.

    Attributes:
        is_gateway: Whether a gateway of this project has answered.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        project_id: str,
        guard: Guard,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._http = http
        self._prefix = f"/v1.0/{project_id}/streaming"
        self._guard = guard
        self._sleep = sleep
        self._now = now
        self.is_gateway = False

    @property
    def endpoint(self) -> str:
        """The address, for messages."""
        return str(self._http.base_url).rstrip("/")

    async def read(self, path: str, **query: str | int) -> dict[str, Any]:
        """Read; what passes by itself is retried, when the service says so or a little later.

        Raises:
            Missing: There is no such job.
            ClusterUnreachable: No answer, or none of its own.
            ClusterRefused: It did not let us in, or does not answer as the service does.
        """
        async for attempt in retrying(self._sleep):
            with attempt:
                return await self._read_once(path, query)
        raise AssertionError("unreachable")

    async def _read_once(self, path: str, query: dict[str, Any]) -> dict[str, Any]:
        try:
            response = await self._send("GET", path, query=query)
        except (httpx.TimeoutException, httpx.TransportError) as error:
            raise self._unreachable(error) from None
        body = json_of(response)
        if response.is_success and succeeded(body):
            return dict(body)
        raise asking(self._unread(response, body), response)

    async def step(self, method: str, path: str, body: Any = None) -> Any:
        """Send what changes something, once; return the answer, which says that it was taken.

        Raises:
            EngineGone: The run this belongs to has ended; nothing was sent.
            Missing: There is no such job.
            Unanswered: It is unknown whether it was taken.
            Busy: It was not taken, for now.
            NotOffered: The service has no such call.
            OrderRefused: It was not taken.
            ClusterRefused: It did not let us in.
        """
        self._guard()
        try:
            response = await self._send(method, path, body, extensions=looking_first(self._guard))
        except (httpx.TimeoutException, httpx.TransportError) as error:
            failure = self._unreachable(error)
            if isinstance(failure, ClusterRefused) or isinstance(error, httpx.ConnectError):
                raise failure from None  # no connection: nothing was sent
            raise Unanswered(failure.happened) from None
        answer = json_of(response)
        if is_page(response):
            raise Unanswered(self._page(response))
        if response.is_success:
            return self._taken(answer)
        code, message = error_in(answer)
        status = response.status_code
        said = f"{status} {code} {message}".replace("  ", " ").strip()
        if status in (401, 403):
            raise self._not_let_in(response, code, message)
        if status == 429:
            raise Busy(f"{self.endpoint} takes no more now: {said}", retry_after(response))
        if is_missing(status, code):
            raise Missing(f"{self.endpoint} answered {said}")
        if status in _AMBIGUOUS or code == TROUBLE:
            raise Unanswered(f"{self.endpoint} answered {said}")
        kind = NotOffered if no_such_route(status, code) else OrderRefused
        raise kind(f"{self.endpoint} answered {said}")

    def _taken(self, answer: Any) -> Any:
        """Return an answer that says of itself, or of the one job that was named, that it is one.

        Answers to calls for several jobs are lists that name no job: so such a call names one.
        """
        if isinstance(answer, list):
            if len(answer) != 1:
                raise Unanswered(f"{self.endpoint} answered for {len(answer)} jobs, not for one")
            answer = answer[0]
        if succeeded(answer):
            return answer
        code, message = error_in(answer)
        said = f"{code} {message}".strip() or "without a word of success"
        if is_missing(200, code):
            raise Missing(f"{self.endpoint} answered {said}")
        raise OrderRefused(f"{self.endpoint} answered {said}")

    async def _send(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: dict[str, Any] | None = None,
        extensions: dict[str, Any] | None = None,
    ) -> httpx.Response:
        url = f"{self._prefix}{path}"
        response = await self._http.request(
            method, url, json=body, params=query or None, extensions=extensions
        )
        self.is_gateway = response.headers.get(_GATEWAY) == "1" or self.is_gateway
        return response

    def _unread(self, response: httpx.Response, body: Any) -> JobError:
        """Return the error for an answer to a read that is no success."""
        status = response.status_code
        code, message = error_in(body)
        said = f"{status} {code} {message}".replace("  ", " ").strip()
        if status in (401, 403):
            return self._not_let_in(response, code, message)
        if is_missing(status, code):
            return Missing(f"{self.endpoint} answered {said}")
        if status == 429 or status >= 500 or code == TROUBLE:
            return ClusterUnreachable(
                f"{self.endpoint} answered {said}", remedy="Try again when the service is back"
            )
        if response.is_success and not (isinstance(body, dict) and "is_success" in body):
            return not_the_service(self._page(response), "target.endpoint and target.region")
        if not code and not message:
            return ClusterRefused(
                self._page(response),
                remedy="Check target.endpoint and target.region",
            )
        return ClusterRefused(
            f"{self.endpoint} answered {said}",
            remedy="Check region, endpoint, project_id and queue of target",
        )

    def _page(self, response: httpx.Response) -> str:
        return f"{self.endpoint} answers {response.status_code}, and not as Data Lake Insight does"

    def _not_let_in(self, response: httpx.Response, code: str, message: str) -> ClusterRefused:
        status = response.status_code
        said = f": {code} {message}".rstrip(": ") if code or message else ""
        if apart := skew(response, self._now()):
            return ClusterRefused(
                f"{self.endpoint} refused the credentials ({status}){said}; {apart}",
                remedy="Set the clock: signatures and tokens are checked against it",
            )
        return ClusterRefused(
            f"{self.endpoint} refused the credentials ({status}){said}",
            remedy="Check target.token, which IAM gives for 24 hours, or target.access_key and "
            "target.secret_key; and the permissions in the project",
        )

    def _unreachable(self, error: Exception) -> JobError:
        return unreachable(error, self.endpoint, "target.endpoint or target.region")
