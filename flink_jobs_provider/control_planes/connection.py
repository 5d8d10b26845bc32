"""Reaching any system: secrets by reference, whose certificates are trusted, failures of TLS."""

from __future__ import annotations

import ssl
from typing import Any

from flink_jobs_provider.control_planes.protocol import Guard, Resolve
from flink_jobs_provider.model.errors import ClusterRefused
from flink_jobs_provider.model.target import Tls


def secret(resolve: Resolve, reference: str, path: str) -> str:
    """Return the secret that a property refers to.

    Args:
        resolve: Resolves references.
        reference: `env:NAME` or `config:KEY`.
        path: The property, for the message.

    Raises:
        ClusterRefused: It leads nowhere.
    """
    try:
        return resolve(reference)
    except KeyError:
        kind, _, name = reference.partition(":")
        where = "environment variable" if kind == "env" else "key of the stack's configuration"
        raise ClusterRefused(
            f"{{field}} refers to {reference}, and there is no such {where}",
            remedy=f"Set {name}",
            field=path,
        ) from None


def trust(tls: Tls | None, resolve: Resolve) -> ssl.SSLContext:
    """Return whose certificates are trusted, and which one is shown.

    Raises:
        ClusterRefused: A file cannot be used, or a reference leads nowhere.
    """
    if tls is None:
        return ssl.create_default_context()
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except OSError as error:
        raise _unusable("target.tls.ca_file", tls.ca_file, error) from None
    if tls.certificate_file:
        password = None
        if tls.key_password:
            password = secret(resolve, tls.key_password, "target.tls.key_password")
        try:
            context.load_cert_chain(tls.certificate_file, tls.key_file, password)
        except OSError as error:
            raise _unusable("target.tls.certificate_file", tls.certificate_file, error) from None
    return context


def is_tls(error: BaseException | None) -> bool:
    """Whether TLS is at the bottom of an error: another try would end the same way."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _unusable(field: str, file: str | None, error: OSError) -> ClusterRefused:
    return ClusterRefused(
        f"{{field}} {file} cannot be used: {error.strerror or error}",
        remedy="It must be a PEM file that this machine can read",
        field=field,
    )


def looking_first(guard: Guard) -> dict[str, Any]:
    """Return the extensions of a request that have a guard called right before it is written.

    It may have waited for a connection, or for TLS, since it was made. Nothing of it was sent where
    the guard raises.
    """

    async def before(event: str, _details: object) -> None:
        if event.endswith(".send_request_headers.started"):
            guard()

    return {"trace": before}
