"""Requests to Azure Resource Manager: reads are repeated, orders are sent once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from flink_jobs_provider.control_planes.action_plane import Busy, OrderRefused, Unanswered
from flink_jobs_provider.control_planes.connection import looking_first
from flink_jobs_provider.control_planes.http import (
    asking,
    is_page,
    json_of,
    not_the_service,
    plain,
    retry_after,
    retrying,
    unreachable,
)
from flink_jobs_provider.control_planes.protocol import Guard
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ActionInProgress,
    ClusterRefused,
    ClusterUnreachable,
    JobError,
)


def error_in(body: Any) -> tuple[str, str]:
    """Return code and message of an error envelope; empty texts where it is none."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return "", ""
    message = str(error.get("message") or "")
    details = error.get("details")
    for detail in details if isinstance(details, list) else []:
        text = str(detail.get("message") or "") if isinstance(detail, dict) else ""
        if text and text not in message:
            message += f" {text}"
    return str(error.get("code") or ""), plain(message)


_SERVICE = "Azure Resource Manager"
#: Errors after which it is unknown whether an order was taken.
_AMBIGUOUS = (408, 500, 502, 503, 504)


class ArmClient:
    """One cluster's API.

    Args:
        http: Its client; the base address is the endpoint.
        api_version: Sent with every request.
        guard: Called before each order.
        sleep: Waits that many seconds.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        api_version: str,
        guard: Guard,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self._version = api_version
        self._guard = guard
        self._sleep = sleep

    @property
    def endpoint(self) -> str:
        """The address, for messages."""
        return str(self._http.base_url).rstrip("/")

    async def read(self, address: str) -> httpx.Response:
        """Read; what passes by itself is retried, when the service says so or a little later.

        Args:
            address: A path below the endpoint, or an address that the service gave.

        Raises:
            ClusterUnreachable: No answer, or none of its own.
            ClusterRefused: It did not let us in, or there is nothing there.
        """
        async for attempt in retrying(self._sleep):
            with attempt:
                return await self._read_once(address)
        raise AssertionError("unreachable")

    async def _read_once(self, address: str) -> httpx.Response:
        try:
            response = await self._send("GET", address)
        except (httpx.TimeoutException, httpx.TransportError) as error:
            raise self._unreachable(error) from None
        if response.is_success and not is_page(response):
            return response
        if 300 <= response.status_code < 500 and response.status_code != 429:
            raise self._refusal(response)
        raise asking(self._not_ready(response), response)

    async def order(self, path: str, body: Any) -> httpx.Response:
        """Send what changes something, once.

        Raises:
            EngineGone: The run this belongs to has ended; nothing was sent.
            Unanswered: It is unknown whether it was taken.
            Busy: It was not taken, for now.
            ActionInProgress: It was not taken, since another action is in progress.
            OrderRefused: It was not taken.
            ClusterRefused: It did not let us in.
        """
        self._guard()
        try:
            response = await self._send("POST", path, body, looking_first(self._guard))
        except (httpx.TimeoutException, httpx.TransportError) as error:
            failure = self._unreachable(error)
            if isinstance(failure, ClusterRefused) or isinstance(error, httpx.ConnectError):
                raise failure from None  # no connection: nothing was sent
            raise Unanswered(failure.happened) from None
        status = response.status_code
        if is_page(response):
            raise Unanswered(self._page(response))
        if response.is_success:
            return response
        code, message = error_in(json_of(response))
        said = f"{status} {message or code}".strip()
        if status in _AMBIGUOUS:
            raise Unanswered(f"{self.endpoint} answered {said}")
        if status == 429:
            raise Busy(f"{self.endpoint} takes no more now: {said}", retry_after(response))
        if status == 409 and code != "JobAlreadyExists" and "InProgress" in code:
            raise ActionInProgress(message or code)
        if status in (400, 404, 409, 412, 413, 415, 422):
            raise OrderRefused(f"{self.endpoint} answered {said}")
        raise self._refusal(response)

    async def _send(
        self,
        method: str,
        address: str,
        body: Any = None,
        extensions: dict[str, Any] | None = None,
    ) -> httpx.Response:
        url = self._own(address)
        return await self._http.request(method, url, json=body, extensions=extensions)

    def _own(self, address: str) -> httpx.URL:
        """Return an address at the endpoint: the token goes nowhere else.

        A gateway behind a proxy may give addresses with a host that is not the one we know.
        """
        base = self._http.base_url
        try:
            given = base.join(address)
        except httpx.InvalidURL:
            raise ClusterRefused(f"{self.endpoint} gives an address that is none") from None
        if given.host != base.host and not (
            given.scheme == "https" and given.host.endswith(f".{base.host}")
        ):
            given = given.copy_with(scheme=base.scheme, host=base.host, port=base.port)
        if given.host == base.host:
            given = given.copy_with(scheme=base.scheme, port=base.port)
        if "api-version" not in given.params:
            given = given.copy_merge_params({"api-version": self._version})
        return given

    def _unreachable(self, error: Exception) -> JobError:
        return unreachable(error, self.endpoint, "target.endpoint")

    def _page(self, response: httpx.Response) -> str:
        return f"{self.endpoint} answers {response.status_code}, and not as {_SERVICE} does"

    def _not_ready(self, response: httpx.Response) -> JobError:
        if is_page(response):
            return not_the_service(self._page(response))
        code, message = error_in(json_of(response))
        said = f"{response.status_code} {message or code}".strip()
        return ClusterUnreachable(
            f"{self.endpoint} answered {said}", remedy="Try again when the service is back"
        )

    def _refusal(self, response: httpx.Response) -> ClusterRefused:
        """Return the error for an answer that a retry would not change."""
        status = response.status_code
        code, message = error_in(json_of(response))
        said = message or code
        if status in (401, 403):
            return ClusterRefused(
                f"{self.endpoint} refused the credentials ({status})"
                + (f": {said}" if said else ""),
                remedy="Check target.token or target.credential, and its role on the cluster",
            )
        if not said:
            return ClusterRefused(
                self._page(response),
                remedy="Check target.endpoint",
            )
        return ClusterRefused(
            f"{self.endpoint} answered {status} {said}",
            remedy="Check subscription, resource_group, cluster_pool, cluster and api_version of "
            "target",
        )


_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


class Operations:
    """Follows long-running operations to their end, by the headers of the reply that began them.

    That an operation has succeeded says that the service has dealt with the order, not that the job
    is as it was ordered to be: that is in the job's row (seen in recorded traffic of 2023 and
    2024).
    """

    def __init__(
        self,
        client: ArmClient,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._clock = clock
        self._sleep = sleep

    async def follow(self, reply: httpx.Response, timeout: float) -> str:
        """Return when the operation has ended, when it can be followed no further, or in time.

        Returns:
            What a gateway says of the job; empty where nothing was said.

        Raises:
            ActionFailed: The service says that it failed.
        """
        headers = reply.headers
        address = headers.get("azure-asyncoperation") or headers.get("location")
        if not address:
            return ""
        deadline, pause = self._clock() + timeout, _FIRST_PAUSE
        said = retry_after(reply)
        while self._clock() < deadline:
            await self._sleep(min(said or pause, max(0.0, deadline - self._clock())))
            pause = min(pause * 1.5, _LONGEST_PAUSE)
            try:
                answer = await self._client.read(address)
            except ClusterUnreachable:
                continue
            except ClusterRefused:
                return ""  # its document has gone; the job's row is what counts
            if _ended(answer):
                return _output(answer)
            said = retry_after(answer)
        return ""


def _output(answer: httpx.Response) -> str:
    body: Any = json_of(answer)
    properties = body.get("properties") if isinstance(body, dict) else None
    return str(properties.get("jobOutput") or "") if isinstance(properties, dict) else ""


def _ended(answer: httpx.Response) -> bool:
    """Whether an operation has ended well.

    Raises:
        ActionFailed: It has failed, or was given up.
    """
    body: Any = json_of(answer)
    status = str(body.get("status") or "") if isinstance(body, dict) else ""
    if status.lower() in ("failed", "canceled", "cancelled"):
        code, message = error_in(body)
        raise ActionFailed(message or code or f"the operation is {status}")
    if not status:
        return answer.status_code != 202
    return status.lower() == "succeeded"
