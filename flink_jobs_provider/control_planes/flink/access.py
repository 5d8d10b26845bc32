"""How a cluster is reached: address, TLS, and credentials, which are resolved here."""

from __future__ import annotations

import httpx

from flink_jobs_provider.control_planes.connection import secret, trust
from flink_jobs_provider.control_planes.protocol import Resolve
from flink_jobs_provider.model.target import FlinkTarget

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_LIMITS = httpx.Limits(max_connections=32, max_keepalive_connections=16)


def open_client(
    target: FlinkTarget, resolve: Resolve, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """Return an HTTP client for a cluster's REST API.

    Args:
        target: The cluster.
        resolve: Resolves references to secrets.
        transport: Stands in for the network in tests.

    Raises:
        ClusterRefused: A reference leads nowhere, or a certificate file cannot be used.
    """
    headers = dict(target.headers)
    auth: httpx.Auth | None = None
    for name, reference in target.secret_headers.items():
        headers[name] = secret(resolve, reference, f"target.secret_headers.{name}")
    if target.bearer_token:
        token = secret(resolve, target.bearer_token, "target.bearer_token")
        headers["Authorization"] = f"Bearer {token}"
    elif target.basic_auth:
        password = secret(resolve, target.basic_auth.password, "target.basic_auth.password")
        auth = httpx.BasicAuth(target.basic_auth.username, password)
    return httpx.AsyncClient(
        base_url=target.url + "/",
        headers=headers,
        auth=auth,
        verify=trust(target.tls, resolve),
        timeout=_TIMEOUT,
        limits=_LIMITS,
        transport=transport,
    )
