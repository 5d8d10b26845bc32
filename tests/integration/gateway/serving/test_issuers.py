"""JSON Web Tokens of an issuer that really serves its keys over TLS."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme

from flink_jobs_provider.gateway.auth.access_configuration import Access
from flink_jobs_provider.gateway.auth.authenticator import Authenticator
from flink_jobs_provider.gateway.http.api_answers import status_of
from flink_jobs_provider.gateway.principal import Principal
from flink_jobs_provider.gateway.refusals import Refusal
from tests.integration.gateway.serving.issuer_server import (
    IssuerServer,
    issuer_server,
    trust_file,
)
from tests.unit.gateway.auth.signing import AUDIENCE, jwk, rsa_key, signed


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def issuer(authority: trustme.CA) -> Iterator[IssuerServer]:
    with issuer_server(authority) as server:
        yield server


def access(issuer: IssuerServer, ca_file: Path | None, **settings: Any) -> Access:
    entry = {
        "issuer": issuer.url,
        "audience": [AUDIENCE],
        "grants": {"Jobs.Operate": {"*": "operate"}},
        "ca_file": str(ca_file) if ca_file else None,
        **settings,
    }
    return Access.model_validate({"issuers": [entry]})


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> Path:
    return trust_file(authority, tmp_path)


async def outcome(authenticator: Authenticator, token: str) -> Principal | Refusal:
    try:
        return await authenticator.authenticate(f"Bearer {token}")
    except Refusal as refusal:
        return refusal


def outcomes(access: Access, *tokens: str) -> list[Principal | Refusal]:
    async def ask() -> list[Principal | Refusal]:
        authenticator = Authenticator(access)
        try:
            return [await outcome(authenticator, token) for token in tokens]
        finally:
            await authenticator.close()

    return anyio.run(ask)


def test_tokens_are_checked_with_the_keys_that_are_served(
    issuer: IssuerServer, trusted: Path
) -> None:
    """Shows a right, an expired, a forged, a foreign and a misdirected token on the wire."""
    right, expired, forged, foreign, misdirected = outcomes(
        access(issuer, trusted),
        signed(issuer.url),
        signed(issuer.url, exp=int(time.time()) - 120),
        signed(issuer.url, rsa_key("forger")),
        signed("https://other.example.com"),
        signed(issuer.url, aud="api://other"),
    )
    assert isinstance(right, Principal)
    assert right.name == f"pipeline of {issuer.url}"
    refused = (expired, forged, foreign, misdirected)
    codes = [one.code for one in refused if isinstance(one, Refusal)]
    assert codes == ["ExpiredAuthenticationToken"] + ["InvalidAuthenticationToken"] * 3
    assert issuer.asked == 2, "discovery and keys, once"


def test_rotated_keys_are_followed(
    issuer: IssuerServer, trusted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows that a key that is added while the gateway runs is accepted without a restart."""
    monkeypatch.setattr("flink_jobs_provider.gateway.auth.jwt._PAUSE", 0.0)

    async def ask() -> list[Principal | Refusal]:
        authenticator = Authenticator(access(issuer, trusted))
        new = signed(issuer.url, rsa_key("two"), kid="two")
        found = [await outcome(authenticator, signed(issuer.url))]
        found.append(await outcome(authenticator, new))
        issuer.keys = [jwk(rsa_key("two"), kid="two")]
        found.append(await outcome(authenticator, new))
        found.append(await outcome(authenticator, signed(issuer.url)))
        await authenticator.close()
        return found

    before, early, after, retired = anyio.run(ask)
    assert isinstance(before, Principal)
    assert isinstance(early, Refusal)
    assert isinstance(after, Principal)
    assert isinstance(retired, Refusal), "a key that the issuer took back counts no more"


def test_an_issuer_that_is_down_or_not_trusted_lets_nobody_in(
    issuer: IssuerServer, trusted: Path
) -> None:
    (untrusted,) = outcomes(access(issuer, None), signed(issuer.url))
    assert isinstance(untrusted, Refusal)
    assert (status_of(untrusted), untrusted.code) == (503, "AuthenticationUnavailable")
    assert issuer.asked == 0
    issuer.down = True
    (down,) = outcomes(access(issuer, trusted), signed(issuer.url))
    assert isinstance(down, Refusal)
    assert status_of(down) == 503
