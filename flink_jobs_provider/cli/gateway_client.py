"""A gateway's monitoring API, as the commands use it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from flink_jobs_provider.control_planes.connection import secret
from flink_jobs_provider.control_planes.hdinsight.client import error_in
from flink_jobs_provider.control_planes.http import (
    ServiceClient,
    asking,
    is_page,
    json_of,
    open_http,
    retrying,
)
from flink_jobs_provider.control_planes.protocol import Resolve, Sleep
from flink_jobs_provider.control_planes.service_planes import Unanswered
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ClusterRefused,
    ClusterUnreachable,
    JobError,
    Missing,
)
from flink_jobs_provider.model.target.address import Reference, Tls, checked_url

#: The reference to the token, where none is given.
DEFAULT_TOKEN = "env:FLINK_JOBS_GATEWAY_TOKEN"  # noqa: S105 a reference, not a token
_PAGE = 200


class GatewayAddress(BaseModel):
    """A gateway, as a target file of the kind `gateway` names it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["gateway"] = "gateway"
    url: Annotated[str, AfterValidator(lambda url: checked_url(url, "bearer_token"))] = Field(
        description="Address of the gateway."
    )
    bearer_token: Reference = Field(DEFAULT_TOKEN, description="Its token, by reference.")
    tls: Tls | None = Field(None, description="TLS options; https alone uses the system's trust.")


class GatewayClient(ServiceClient):
    """Calls of one gateway; of reads a temporary failure is retried."""

    service = "a gateway"
    named_by = "the gateway's address"

    def __init__(self, http: httpx.AsyncClient, sleep: Sleep = asyncio.sleep) -> None:
        super().__init__(http, lambda: None, sleep)

    @classmethod
    def open(
        cls,
        address: GatewayAddress,
        resolve: Resolve,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> GatewayClient:
        """Return the client of a gateway. A `transport` stands in for the network in tests.

        Raises:
            ClusterRefused: A reference leads nowhere, or a certificate file cannot be used.
        """
        token = secret(resolve, address.bearer_token, "bearer_token")
        headers = {"Authorization": f"Bearer {token}"}
        return cls(
            open_http(address.url, address.tls, resolve, transport=transport, headers=headers)
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def get(self, path: str, **query: Any) -> Any:
        """Return what a path below `/api/v1/` answers.

        Raises:
            ClusterUnreachable: No answer, or none of its own.
            ClusterRefused: It did not let us in, or serves no such API.
            Missing: The path is that of a job that is not there.
            ActionFailed: It refuses the request.
        """
        return await retrying(self._sleep)(self._read_once, path, query)

    async def act(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask for an action by a path below `/api/v1/`; return the action. It is not retried.

        Raises:
            ClusterUnreachable: No connection; or no answer of its own, so that it is not known
                whether it was begun.
            ClusterRefused: It did not let us in, or serves no such API.
            Missing: The path is that of a job that is not there.
            ActionFailed: It refuses the request.
        """
        try:
            answer: dict[str, Any] = self._answer(
                await self._change("POST", f"api/v1/{path}", body)
            )
        except Unanswered as error:
            error.complete(
                now="Whether it was begun is not known",
                remedy="`flink-jobs jobs describe` shows the job's last action",
            )
            raise
        return answer

    async def pages(self, path: str, **query: Any) -> AsyncIterator[dict[str, Any]]:
        """Yield the entries of a list, page by page."""
        cursor: dict[str, str] = {}
        while True:
            page = await self.get(path, **query, **cursor, limit=_PAGE)
            for entry in page["value"]:
                yield entry
            if page["next"] is None:
                return
            cursor = {"cursor": page["next"]}

    async def _read_once(self, path: str, query: dict[str, Any]) -> Any:
        return self._answer(await self._read(f"api/v1/{path}", params=query))

    def _answer(self, response: httpx.Response) -> Any:
        body = json_of(response)
        if response.is_success and isinstance(body, dict):
            return body
        if is_page(response):
            raise self.not_the_service(self._page(response))
        raise self._refused(response, *error_in(body))

    def _refused(self, response: httpx.Response, code: str, message: str) -> JobError:
        status = response.status_code
        said = f"{self.endpoint} answered {status} {message}".rstrip()
        if status in (401, 403):
            return ClusterRefused(
                said,
                remedy="Give a token of this gateway: FLINK_JOBS_GATEWAY_TOKEN, or bearer_token of "
                "the target file",
            )
        if status == 429 or status >= 500:
            return asking(ClusterUnreachable(said, remedy="Try again later"), response)
        if not code or code == "ResourceNotFound":
            return ClusterRefused(
                f"{self.endpoint} has no monitoring API: it answered {status}",
                remedy="Give the address of a gateway that has it (--gateway)",
            )
        kind: type[JobError] = Missing if code == "JobNotFound" else ActionFailed
        return kind(message or said)
