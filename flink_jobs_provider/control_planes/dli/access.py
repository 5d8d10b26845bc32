"""How the service is reached: address, TLS and credentials, which are resolved here."""

from __future__ import annotations

import httpx

from flink_jobs_provider.control_planes.connection import secret, trust
from flink_jobs_provider.control_planes.dli.signing import FixedToken, SignedRequests
from flink_jobs_provider.control_planes.protocol import Resolve
from flink_jobs_provider.model.errors import ClusterRefused
from flink_jobs_provider.model.target import DliTarget

_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_LIMITS = httpx.Limits(max_connections=16, max_keepalive_connections=8)


def open_client(
    target: DliTarget, resolve: Resolve, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """Return an HTTP client for the API of a project.

    Args:
        target: The project.
        resolve: Resolves references to secrets.
        transport: Stands in for the network in tests.

    Raises:
        ClusterRefused: A reference leads nowhere, there are no credentials, a certificate file
            cannot be used, or what signs requests is missing.
    """
    return httpx.AsyncClient(
        base_url=target.url,
        auth=_credentials(target, resolve),
        headers={"X-Language": "en-us"},
        verify=trust(target.tls, resolve),
        timeout=_TIMEOUT,
        limits=_LIMITS,
        transport=transport,
    )


def _credentials(target: DliTarget, resolve: Resolve) -> httpx.Auth:
    if target.token:
        return FixedToken(secret(resolve, target.token, "target.token"))
    if not target.access_key or not target.secret_key:
        raise ClusterRefused(
            "target has no credentials", remedy="Set token, or access_key and secret_key"
        )
    temporary = target.security_token
    return SignedRequests(
        secret(resolve, target.access_key, "target.access_key"),
        secret(resolve, target.secret_key, "target.secret_key"),
        secret(resolve, temporary, "target.security_token") if temporary else None,
    )
