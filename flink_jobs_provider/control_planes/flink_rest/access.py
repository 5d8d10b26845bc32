"""How a cluster is reached: address, TLS, and credentials, which are resolved here."""

from __future__ import annotations

import ssl

import httpx

from flink_jobs_provider.control_planes.protocol import Resolve
from flink_jobs_provider.model.errors import ClusterRefused
from flink_jobs_provider.model.target import FlinkTarget, Tls

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
        headers[name] = _secret(resolve, reference, f"target.secret_headers.{name}")
    if target.bearer_token:
        token = _secret(resolve, target.bearer_token, "target.bearer_token")
        headers["Authorization"] = f"Bearer {token}"
    elif target.basic_auth:
        password = _secret(resolve, target.basic_auth.password, "target.basic_auth.password")
        auth = httpx.BasicAuth(target.basic_auth.username, password)
    return httpx.AsyncClient(
        base_url=target.url + "/",
        headers=headers,
        auth=auth,
        verify=_trust(target.tls, resolve),
        timeout=_TIMEOUT,
        limits=_LIMITS,
        transport=transport,
    )


def _secret(resolve: Resolve, reference: str, path: str) -> str:
    try:
        return resolve(reference)
    except KeyError:
        kind, _, name = reference.partition(":")
        where = "environment variable" if kind == "env" else "key of the stack's configuration"
        raise ClusterRefused(
            f"{path} refers to {reference}, and there is no such {where}",
            remedy=f"Set {name}",
        ) from None


def _trust(tls: Tls | None, resolve: Resolve) -> ssl.SSLContext:
    if tls is None:
        return ssl.create_default_context()
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except OSError as error:
        raise _unusable(f"target.tls.ca_file {tls.ca_file}", error) from None
    if tls.certificate_file:
        password = None
        if tls.key_password:
            password = _secret(resolve, tls.key_password, "target.tls.key_password")
        try:
            context.load_cert_chain(tls.certificate_file, tls.key_file, password)
        except OSError as error:
            what = f"target.tls.certificate_file {tls.certificate_file}"
            raise _unusable(what, error) from None
    return context


def _unusable(what: str, error: OSError) -> ClusterRefused:
    return ClusterRefused(
        f"{what} cannot be used: {error.strerror or error}",
        remedy="It must be a PEM file that this machine can read",
    )
