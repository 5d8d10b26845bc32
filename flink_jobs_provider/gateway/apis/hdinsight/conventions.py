"""Who calls the HDInsight on AKS API, and what each of its answers carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope

from flink_jobs_provider.gateway.apis.hdinsight.errors import FAULT, refused
from flink_jobs_provider.gateway.http.conventions import ALWAYS, usable_id
from flink_jobs_provider.gateway.principal import Principal
from flink_jobs_provider.gateway.service import Refusal


class Authenticator(Protocol):
    """Tells who calls."""

    async def authenticate(self, authorization: str | None) -> Principal:
        """Return the caller, or raise a Refusal."""


class ArmManners:
    """Bearer tokens, Azure's request ids, and error envelopes as Azure Resource Manager has them.

    Args:
        authenticator: Tells who calls.
    """

    fault = FAULT

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def principal(self, scope: Scope, receive: Receive) -> tuple[Principal, Receive]:
        """Return who a request is of."""
        authorization = Headers(scope=scope).get("authorization")
        return await self._authenticator.authenticate(authorization), receive

    def headers(self, given: Headers, request_id: str) -> dict[str, str]:
        """Return the ids of a request, the caller's own among them."""
        correlation_id = given.get("x-ms-correlation-request-id", "")
        ids = {
            "x-ms-request-id": request_id,
            "x-ms-correlation-request-id": (
                correlation_id if usable_id(correlation_id) else request_id
            ),
        }
        client_id = given.get("x-ms-client-request-id", "")
        wanted = given.get("x-ms-return-client-request-id", "").lower() == "true"
        if wanted and usable_id(client_id):
            ids["x-ms-client-request-id"] = client_id
        return ids | ALWAYS

    def refused(self, refusal: Refusal, headers: Mapping[str, str]) -> Response:
        """Return the answer to a request that is refused."""
        return refused(refusal, headers)
