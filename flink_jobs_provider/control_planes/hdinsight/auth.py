"""Reaching an HDInsight cluster: its HTTP client, and tokens of Entra ID."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx

from flink_jobs_provider.control_planes.connection import secret, trust
from flink_jobs_provider.control_planes.protocol import Resolve
from flink_jobs_provider.model.errors import ClusterRefused, ClusterUnreachable
from flink_jobs_provider.model.target import AzureCredential, HDInsightTarget

#: A token is had anew this long before it runs out, in seconds.
_EARLY = 300.0


class FixedToken(httpx.Auth):
    """A token that is given."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Put the token on a request."""
        request.headers["Authorization"] = self._header
        yield request


class EntraTokens(httpx.Auth):
    """Tokens of Entra ID, shared by all requests, and had anew when they are refused.

    Args:
        credential: One of azure-identity's.
        scope: What the tokens are for.
        clock: Seconds since the epoch.
    """

    def __init__(self, credential: Any, scope: str, clock: Callable[[], float] = time.time) -> None:
        self._credential = credential
        self._scope = scope
        self._clock = clock
        self._token = ""
        self._until = 0.0
        self._lock = asyncio.Lock()

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Put a token on a request; send it again with a new one where the first is refused.

        A request that is refused for its token was not carried out, so that is safe.
        """
        token = await self._get()
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == 401:
            renewed = await self._get(instead_of=token)
            if renewed != token:
                request.headers["Authorization"] = f"Bearer {renewed}"
                yield request

    async def _get(self, instead_of: str | None = None) -> str:
        async with self._lock:
            fresh = self._clock() < self._until - _EARLY
            if not self._token or not fresh or self._token == instead_of:
                await self._renew()
            return self._token

    async def _renew(self) -> None:
        from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

        try:
            access = await asyncio.to_thread(self._credential.get_token, self._scope)
        except ServiceRequestError:
            raise ClusterUnreachable(
                "Entra ID does not answer, so there is no token for the cluster",
                remedy="Is the network up?",
            ) from None
        except ClientAuthenticationError as error:
            said = str(error.message or error).strip().splitlines()
            raise ClusterRefused(
                f"target.credential gives no token: {said[0][:300] if said else 'refused'}",
                remedy="Check target.credential, and that it may use the cluster",
            ) from None
        self._token, self._until = access.token, float(access.expires_on)


def entra_tokens(wanted: AzureCredential, resolve: Resolve) -> EntraTokens:
    """Return the tokens of a credential.

    Raises:
        ClusterRefused: azure-identity is not installed, or cannot make such a credential here.
    """
    try:
        import azure.identity as identity
    except ImportError:
        raise ClusterRefused(
            "target.credential needs a further package",
            remedy='pip install "flink-jobs-provider[azure]", or give target.token',
        ) from None
    try:
        return EntraTokens(_credential(identity, wanted, resolve), wanted.scope)
    except ValueError as error:
        raise ClusterRefused(
            f"target.credential cannot be used: {' '.join(str(error).split())[:300]}"
        ) from None


def _credential(identity: Any, wanted: AzureCredential, resolve: Resolve) -> Any:
    given = {
        name: value
        for name, value in (("tenant_id", wanted.tenant_id), ("client_id", wanted.client_id))
        if value
    }
    if wanted.kind == "service-principal":
        reference = wanted.client_secret or ""
        password = secret(resolve, reference, "target.credential.client_secret")
        return identity.ClientSecretCredential(**given, client_secret=password)
    kinds = {
        "default": identity.DefaultAzureCredential,
        "workload-identity": identity.WorkloadIdentityCredential,
        "managed-identity": identity.ManagedIdentityCredential,
        "cli": identity.AzureCliCredential,
    }
    return kinds[wanted.kind](**given)


_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_LIMITS = httpx.Limits(max_connections=16, max_keepalive_connections=8)


def open_client(
    target: HDInsightTarget, resolve: Resolve, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """Return an HTTP client for the API of a cluster.

    Args:
        target: The cluster.
        resolve: Resolves references to secrets.
        transport: Stands in for the network in tests.

    Raises:
        ClusterRefused: A reference leads nowhere, a certificate file cannot be used, or
            azure-identity is missing.
    """
    auth: httpx.Auth
    if target.token:
        auth = FixedToken(secret(resolve, target.token, "target.token"))
    else:
        credential = target.credential or AzureCredential(kind="default")
        auth = entra_tokens(credential, resolve)
    return httpx.AsyncClient(
        base_url=target.endpoint,
        auth=auth,
        verify=trust(target.tls, resolve),
        timeout=_TIMEOUT,
        limits=_LIMITS,
        transport=transport,
    )
