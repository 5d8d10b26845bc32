"""JSON Web Tokens: which are accepted, and as whom."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import anyio
import httpx
import jwt
import pytest

from flink_jobs_provider.gateway.auth.access_configuration import Access, Issuer
from flink_jobs_provider.gateway.auth.authenticator import Authenticator
from flink_jobs_provider.gateway.auth.jwt import ExpiredWebToken, WebTokens
from flink_jobs_provider.gateway.http.api_answers import status_of
from flink_jobs_provider.gateway.principal import Principal, Role
from flink_jobs_provider.gateway.refusals import Refusal
from tests.unit.gateway.auth.signing import (
    AUDIENCE,
    claims,
    ec_key,
    jwk,
    public_pem,
    rsa_key,
    signed,
)

ISSUER = "https://issuer.test/v2.0"
CLUSTER = "/subscriptions/s/clusters/one"
#: Makes a token when the test runs: one that was made at collection may have expired by then.
Made = Callable[[], str]
KEY_SET = {"keys": [jwk(rsa_key("one"), kid="one"), jwk(ec_key("one"), kid="curve")]}


def answer(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json=KEY_SET)


def authenticate(authorization: str | None, **settings: Any) -> Principal:
    issuer = {
        "issuer": ISSUER,
        "audience": [AUDIENCE, "https://management.azure.com/"],
        "jwks_url": "https://issuer.test/keys",
        "grants": {
            "Jobs.Operate": {"*": "operate"},
            "Jobs.Read": {CLUSTER.upper(): "read"},
            "Jobs.Both": {CLUSTER: "operate", "*": "read"},
        },
        **settings,
    }
    access = Access.model_validate({"issuers": [issuer]})

    async def ask() -> Principal:
        authenticator = Authenticator(access, httpx.MockTransport(answer))
        try:
            return await authenticator.authenticate(authorization)
        finally:
            await authenticator.close()

    return anyio.run(ask)


def refusal(token: str, **settings: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        authenticate(f"Bearer {token}", **settings)
    assert token not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    "made",
    [
        lambda: signed(ISSUER),
        lambda: signed(ISSUER, ec_key("one"), "ES256", "curve"),
        lambda: signed(ISSUER, aud=["other", AUDIENCE]),
        lambda: signed(ISSUER, aud="https://management.azure.com/"),
        lambda: signed(ISSUER, exp=int(time.time()) - 30),
        lambda: signed(ISSUER, nbf=int(time.time()) + 30),
        lambda: signed(ISSUER, nbf=None, iat=None),
        lambda: signed(ISSUER, exp=str(int(time.time()) + 600)),
    ],
    ids=[
        "rs256",
        "es256",
        "one-audience",
        "other-audience",
        "leeway",
        "leeway-nbf",
        "no-nbf",
        "exp",
    ],
)
def test_a_right_token_is_its_subjects(made: Made) -> None:
    token = made()
    assert authenticate(f"Bearer {token}") == Principal(
        f"pipeline of {ISSUER}", {"*": Role.OPERATE}
    )
    assert authenticate(f"bearer  {token} ").may(Role.OPERATE, CLUSTER)


def _unsigned(header: dict[str, Any], payload: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(payload).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def _signed_with_the_public_key() -> str:
    """Return a token whose HMAC key is the issuer's public key, which everybody has."""
    head = _unsigned({"alg": "HS256", "kid": "one", "typ": "JWT"}, claims(ISSUER)).rpartition(".")
    mac = hmac.new(public_pem(rsa_key("one")), head[0].encode(), sha256).digest()
    return f"{head[0]}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _changed(token: str) -> str:
    """Return a token whose claims were changed after it was signed."""
    head, _, signature = token.split(".")
    body = json.dumps(claims(ISSUER, sub="root")).encode()
    return f"{head}.{base64.urlsafe_b64encode(body).rstrip(b'=').decode()}.{signature}"


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: signed(ISSUER, rsa_key("forger")), "its signature is invalid"),
        (lambda: _changed(signed(ISSUER)), "its signature is invalid"),
        (lambda: signed(ISSUER, ec_key("forger"), "ES256", "curve"), "its signature is invalid"),
        (
            lambda: _unsigned({"alg": "none"}, claims(ISSUER)),
            "its algorithm is none of RS256, ES256",
        ),
        (
            lambda: _unsigned({"alg": "None", "kid": "one"}, claims(ISSUER)),
            "its algorithm is none of",
        ),
        (lambda: _signed_with_the_public_key(), "its algorithm is none of"),
        (lambda: signed(ISSUER, algorithm="RS512"), "its algorithm is none of"),
        (lambda: signed(ISSUER, algorithm="PS256"), "its algorithm is none of"),
        (lambda: signed(ISSUER, kid="curve"), "a key that its issuer does not have"),
        (lambda: signed(ISSUER, kid="unknown"), "a key that its issuer does not have"),
        (lambda: signed(ISSUER, kid=None), "a key that its issuer does not have"),
        (lambda: signed(ISSUER, aud="api://other"), "issued for another audience"),
        (lambda: signed(ISSUER, aud=None), "it has no claim aud"),
        (lambda: signed(ISSUER, exp=None), "it has no claim exp"),
        (lambda: signed(ISSUER, nbf=int(time.time()) + 120), "not valid yet"),
        (lambda: signed("https://issuer.test"), "its issuer is none of those"),
        (lambda: signed("https://issuer.test/v2.0/"), "its issuer is none of those"),
        (lambda: signed(ISSUER, iss=None), "its issuer is none of those"),
        (lambda: signed(ISSUER, sub=None), "names nobody: its claim sub"),
        (lambda: signed(ISSUER, sub=""), "names nobody: its claim sub"),
        (lambda: signed(ISSUER, sub="x" * 300), "names nobody: its claim sub"),
        (lambda: signed(ISSUER, sub=" "), "names nobody: its claim sub"),
        (lambda: signed(ISSUER, sub="a\0b"), "names nobody: its claim sub"),
        (lambda: signed(ISSUER, sub="a\nb"), "names nobody: its claim sub"),
        (lambda: signed(ISSUER, sub="a\x1b[31mb"), "names nobody: its claim sub"),
        (lambda: signed(ISSUER, sub="a\ud800b"), "names nobody: its claim sub"),
        (lambda: signed(ISSUER, sub="a\u202eb"), "names nobody: its claim sub"),
        (lambda: signed(ISSUER, headers={"crit": ["exp"]}), "no JSON Web Token"),
        (lambda: "a.b.c", "it is no JSON Web Token"),
        (lambda: "opaque", "it is no JSON Web Token"),
        (lambda: "..", "it is no JSON Web Token"),
        (lambda: _unsigned({"alg": "RS256", "kid": ["one"]}, claims(ISSUER)), "not accepted"),
        (lambda: _unsigned({"alg": ["RS256"], "kid": "one"}, claims(ISSUER)), "not accepted"),
    ],
    ids=lambda given: given if isinstance(given, str) else "token",
)
def test_a_wrong_token_is_refused(made: Made, said: str) -> None:
    refused = refusal(made())
    assert (status_of(refused), refused.code) == (401, "InvalidAuthenticationToken")
    assert said in refused.message


def test_an_expired_token_is_told_as_such() -> None:
    refused = refusal(signed(ISSUER, exp=int(time.time()) - 120))
    assert (status_of(refused), refused.code) == (401, "ExpiredAuthenticationToken")


def test_keys_in_a_token_are_not_believed() -> None:
    """Shows that a token cannot bring, or point to, the key that it is checked with."""
    forger = rsa_key("forger")
    headers = {"jwk": jwk(forger), "jku": "https://evil.test/keys", "x5u": "https://evil.test/x"}
    assert "its signature is invalid" in refusal(signed(ISSUER, forger, headers=headers)).message


@pytest.mark.parametrize(
    ("given", "roles"),
    [
        ({"roles": ["Jobs.Read"]}, {CLUSTER: Role.READ}),
        ({"roles": None, "scp": "openid Jobs.Read"}, {CLUSTER: Role.READ}),
        ({"roles": ["Jobs.Read"], "scp": "Jobs.Operate"}, {CLUSTER: Role.READ, "*": Role.OPERATE}),
        ({"roles": ["Jobs.Both", "Jobs.Read"]}, {CLUSTER: Role.OPERATE, "*": Role.READ}),
        ({"roles": ["Jobs.Read", "Jobs.Both"]}, {CLUSTER: Role.OPERATE, "*": Role.READ}),
        ({"roles": ["unknown"]}, {}),
        ({"roles": None}, {}),
        ({"roles": {"Jobs.Operate": True}}, {}),
        ({"roles": [["Jobs.Operate"], 3]}, {}),
        ({"roles": None, "groups": ["Jobs.Operate"]}, {}),
    ],
)
def test_roles_come_from_the_claims_that_are_configured(
    given: dict[str, Any], roles: dict[str, Role]
) -> None:
    assert authenticate(f"Bearer {signed(ISSUER, **given)}").roles == roles


@pytest.mark.parametrize(
    ("claim", "value", "granted"),
    [
        ("sub", "mallory admin", False),
        ("sub", "admin mallory", False),
        ("sub", "admin\tmallory", False),
        ("preferred_username", " admin", False),
        ("roles", "admin other", False),
        ("roles", ["mallory admin"], False),
        ("scp", ["mallory admin"], False),
        ("scp", "openid\tadmin", False),
        ("SCP", "openid admin", False),
        ("sub", "admin", True),
        ("roles", "admin", True),
        ("roles", ["other", "admin"], True),
        ("scp", "openid admin", True),
        ("scope", "openid admin", True),
        ("scp", ["openid", "admin"], True),
    ],
)
def test_a_part_of_a_claim_grants_nothing(claim: str, value: Any, granted: bool) -> None:
    """Shows that only scopes are lists of words: who chooses a name chooses no role with it."""
    given: dict[str, Any] = {"roles": None, "scp": None, claim: value}
    settings: dict[str, Any] = {
        "claims": [claim],
        "name_claim": "jti",
        "grants": {"admin": {"*": "operate"}},
    }
    principal = authenticate(f"Bearer {signed(ISSUER, jti='mallory', **given)}", **settings)
    assert principal.may(Role.OPERATE, CLUSTER) is granted
    assert principal.may(Role.READ, CLUSTER) is granted


@pytest.mark.parametrize("value", [True, 3, [True], [3], [["admin"]], {"True": 1}, 3.0])
def test_only_texts_grant_roles(value: Any) -> None:
    """Shows that a number or a flag is not taken for the text that it would be written as."""
    grants = {name: {"*": "operate"} for name in ("True", "3", "3.0", "['admin']")}
    token = signed(ISSUER, roles=value)
    assert authenticate(f"Bearer {token}", grants=grants).roles == {}


def test_another_claim_may_name_roles_and_callers() -> None:
    """Shows what it takes to accept tokens without roles, such as those for Azure itself."""
    token = signed(ISSUER, roles=None, oid="1111-2222", appid="app")
    grants = {"1111-2222": {CLUSTER: "operate"}}
    principal = authenticate(f"Bearer {token}", claims=["oid"], name_claim="appid", grants=grants)
    assert principal == Principal(f"app of {ISSUER}", {CLUSTER: Role.OPERATE})


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic abc",
        "eyJhbGciOiJSUzI1NiJ9.e30.c2ln",
        "Bearer " + "x" * 20000,
    ],
)
def test_no_bearer_token_is_told_with_what_is_wanted(authorization: str | None) -> None:
    with pytest.raises(Refusal) as caught:
        authenticate(authorization)
    assert (status_of(caught.value), caught.value.code) == (401, "AuthenticationFailed")
    assert "Bearer <token>" in caught.value.message


def test_a_token_that_cannot_be_checked_is_not_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "answer", lambda _request: httpx.Response(500))
    refused = refusal(signed(ISSUER))
    assert (status_of(refused), refused.code) == (503, "AuthenticationUnavailable")
    assert refused.retry_after
    assert "issuer.test" not in refused.message


def test_tokens_of_a_file_are_not_taken_for_web_tokens() -> None:
    assert "has no tokens file" in refusal("fjg_" + "x" * 43).message


def test_the_library_that_checks_is_told_which_algorithm() -> None:
    """Shows that PyJWT refuses a key of another kind, which the code above relies on."""
    with pytest.raises(jwt.PyJWTError):
        jwt.decode(signed(ISSUER), ec_key("one").public_key(), algorithms=["ES256"])


@pytest.mark.parametrize("exp", [int, str])
def test_a_proof_is_recalled_until_its_token_expires(exp: type) -> None:
    """Shows it also for an issuer that writes times as texts, whose tokens are accepted."""
    expires = int(time.time()) + 600
    issuer = Issuer.model_validate(
        {
            "issuer": ISSUER,
            "audience": [AUDIENCE],
            "jwks_url": "https://issuer.test/keys",
            "grants": {"Jobs.Operate": {"*": "operate"}},
        }
    )

    async def ask() -> None:
        tokens = WebTokens([issuer], httpx.MockTransport(answer))
        proof = await tokens.proof(signed(ISSUER, exp=exp(expires)))
        assert tokens.recall(proof, expires).may(Role.OPERATE, CLUSTER)
        with pytest.raises(ExpiredWebToken):
            tokens.recall(proof, expires + 61)
        await tokens.close()

    anyio.run(ask)
