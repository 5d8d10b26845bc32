"""Reaching Data Lake Insight: its HTTP client, by token or by signed requests."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx

from flink_jobs_provider.control_planes.connection import secret, trust
from flink_jobs_provider.control_planes.protocol import Resolve
from flink_jobs_provider.model.errors import ClusterRefused
from flink_jobs_provider.model.target import DliTarget


class FixedToken(httpx.Auth):
    """A token of IAM, or of a gateway."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the token on a request."""
        request.headers["X-Auth-Token"] = self._token
        yield request


class SignedRequests(httpx.Auth):
    """Signatures by an access key, made by Huawei's own SDK.

    Args:
        access_key: The key's name.
        secret_key: The key.
        security_token: What a temporary key needs besides.

    Raises:
        ClusterRefused: The SDK's core is not installed.
    """

    requires_request_body = True

    def __init__(self, access_key: str, secret_key: str, security_token: str | None) -> None:
        try:
            from huaweicloudsdkcore.sdk_request import SdkRequest
            from huaweicloudsdkcore.signer.signer import Signer
        except ImportError:
            raise ClusterRefused(
                "target.access_key needs a further package, which signs requests",
                remedy='pip install "flink-jobs-provider[dli]", or give target.token',
            ) from None
        self._request: Any = SdkRequest
        self._signer: Any = Signer(SimpleNamespace(ak=access_key, sk=secret_key))
        self._security_token = security_token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign a request: what is signed are its method, path, query, body and these headers."""
        headers = {
            "Host": request.headers["Host"],
            "Content-Type": request.headers.get("Content-Type", "application/json"),
            "X-Sdk-Date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
        }
        if self._security_token:
            headers["X-Security-Token"] = self._security_token
        signed = self._signer.sign(
            self._request(
                method=request.method,
                schema=request.url.scheme,
                host=headers["Host"],
                resource_path=request.url.path,
                query_params=list(request.url.params.multi_items()),
                header_params=headers,
                body=request.content,
            )
        )
        request.headers.update(signed.header_params)
        yield request


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
