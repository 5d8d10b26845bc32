"""How the API is reached: endpoint, TLS and credentials, which are resolved here."""

from __future__ import annotations

import httpx

from flink_jobs_provider.control_planes.connection import secret, trust
from flink_jobs_provider.control_planes.hdinsight.credentials import FixedToken, entra_tokens
from flink_jobs_provider.control_planes.protocol import Resolve
from flink_jobs_provider.model.target import AzureCredential, HDInsightTarget

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
