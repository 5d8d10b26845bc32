"""Signing in with an issuer: OpenID Connect, authorization code flow with PKCE."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
import yaml

from flink_jobs_provider.gateway.configuration import InvalidConfiguration, read_configuration
from flink_jobs_provider.gateway.portal.issuer_sign_in import IssuerAccess
from flink_jobs_provider.gateway.portal.portal_configuration import IssuerSignIn
from tests.unit.gateway.auth.signing import jwk, rsa_key, signed
from tests.unit.gateway.portal.browsing import SIGN_IN, Browser, Opened, opened_portal

ISSUER = "https://issuer.test/v2.0"
CLIENT = "flink-jobs"
SIGN_IN_SETTINGS = {"issuer": ISSUER, "client_id": CLIENT, "name": "Acme"}
ISSUERS = [
    {
        "issuer": ISSUER,
        "audience": [CLIENT],
        "name_claim": "preferred_username",
        "grants": {"Jobs.Operate": {"*": "operate"}, "Jobs.Read": {"*": "read"}},
    }
]


@dataclass
class Issuer:
    """An issuer in memory.

    Attributes:
        roles: What it says of those who sign in.
        asked: The forms that were sent to its token endpoint, and their Authorization.
        changes: Claims that its tokens have instead of right ones.
        down: Whether it answers nothing.
    """

    roles: list[str] = field(default_factory=lambda: ["Jobs.Operate"])
    asked: list[tuple[dict[str, str], str]] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)
    down: bool = False
    nonce: str = ""
    challenge: str = ""

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer discovery, keys and the exchange of codes."""
        if self.down:
            raise httpx.ConnectError("no route")
        if request.url.path.endswith("openid-configuration"):
            places = ("authorization_endpoint", "token_endpoint", "jwks_uri")
            document = {name: f"{ISSUER}/{name}" for name in places}
            return httpx.Response(200, json={"issuer": ISSUER, **document})
        if request.url.path.endswith("jwks_uri"):
            return httpx.Response(200, json={"keys": [jwk(rsa_key("one"), kid="one")]})
        form = dict(parse_qsl(request.content.decode()))
        self.asked.append((form, request.headers.get("authorization", "")))
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if form.get("code") != "the-code" or challenge != self.challenge:
            return httpx.Response(400, json={"error": "invalid_grant"})
        right = {
            "aud": CLIENT,
            "nonce": self.nonce,
            "roles": self.roles,
            "preferred_username": "ada@acme",
        }
        token = signed(ISSUER, **{**right, **self.changes})
        return httpx.Response(200, json={"id_token": token, "access_token": "x"})

    def asked_to(self, url: str) -> dict[str, str]:
        """Take somebody whom the gateway has led here; return what was asked."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self.nonce, self.challenge = asked["nonce"], asked["code_challenge"]
        return asked


@asynccontextmanager
async def _opened(
    directory: Path, issuer: Issuer, secret: str = "", **config: Any
) -> AsyncIterator[Opened]:
    access = IssuerAccess(
        IssuerSignIn.model_validate(SIGN_IN_SETTINGS),
        secret,
        transport=httpx.MockTransport(issuer.answer),
    )
    given = {"issuers": ISSUERS}
    async with opened_portal(directory, issuer=access, access=given, **config) as portal:
        yield portal


async def _left(browser: Browser, issuer: Issuer, wanted: str = "/portal/") -> dict[str, str]:
    page = await browser.get(f"{SIGN_IN}?next={wanted}")
    answer = await browser.client.get(page.link("Sign in with Acme"))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{ISSUER}/authorization_endpoint?")
    (cookie,) = [each for each in answer.headers.get_list("set-cookie") if "issuer" in each]
    assert "samesite=lax" in cookie.lower()
    assert "httponly" in cookie.lower()
    return issuer.asked_to(answer.headers["location"])


async def _came_back(browser: Browser, state: str, **more: str) -> httpx.Response:
    given = {"code": "the-code", "state": state, **more}
    return await browser.client.get("/portal/issuer/return", params=given)


@pytest.mark.parametrize("secret", ["", "of-the-client"])
def test_code_flow_with_pkce(tmp_path: Path, secret: str) -> None:
    """Shows that somebody gets to the page that they wanted, with the roles that were granted."""

    async def run() -> None:
        issuer = Issuer()
        async with _opened(tmp_path, issuer, secret) as portal:
            browser = await portal.browser()
            asked = await _left(browser, issuer, "/portal/new")
            assert asked["redirect_uri"] == "http://gateway:8090/portal/issuer/return"
            assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
            assert (asked["code_challenge_method"], asked["scope"]) == ("S256", "openid profile")
            answer = await _came_back(browser, asked["state"])
            assert answer.status_code == 200, answer.text
            assert 'content="0; url=/portal/new"' in answer.text
            page = await browser.get("/portal/new")
            assert "ada@acme" in page.text
            assert page.form("/portal/new")
            ((form, authorization),) = issuer.asked
            assert form["grant_type"] == "authorization_code"
            assert form["redirect_uri"] == asked["redirect_uri"]
            assert authorization.startswith("Basic ") == bool(secret)
            (entry,) = [each for each in portal.audit.entries if each["what"] == "sign-in"]
            assert (entry["who"], entry["result"]) == (f"ada@acme of {ISSUER}", "ACCEPTED")
            assert (await _came_back(browser, asked["state"])).status_code == 401, "only once"

    asyncio.run(run())


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "of-another-sign-in"},
        {"nonce": None},
        {"aud": "another-client"},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"preferred_username": ""},
    ],
)
def test_tokens_of_other_sign_ins_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    async def run() -> None:
        issuer = Issuer(changes=changes)
        async with _opened(tmp_path, issuer) as portal:
            browser = await portal.browser()
            asked = await _left(browser, issuer)
            answer = await _came_back(browser, asked["state"])
            assert answer.status_code == 401
            assert (await browser.client.get("/portal/")).status_code == 303
            assert portal.audit.entries[-1]["status"] == 401

    asyncio.run(run())


def test_a_return_that_this_browser_did_not_begin_is_refused(tmp_path: Path) -> None:
    """Shows it of no cookie, another browser's state, a changed page, and another site's."""

    async def run() -> None:
        issuer = Issuer()
        async with _opened(tmp_path, issuer) as portal:
            ada, eve = await portal.browser(), await portal.browser()
            of_eve = await _left(eve, issuer)
            assert (await _came_back(await portal.browser(), of_eve["state"])).status_code == 401
            asked = await _left(ada, issuer)
            page = base64.urlsafe_b64encode(b"https://evil.example/").decode()
            forged = [of_eve["state"], "", "ü", f"{asked['state'].partition('.')[0]}.{page}"]
            for state in forged:
                answer = await _came_back(ada, state)
                assert answer.status_code == 401, state
                assert "evil.example" not in answer.text
            assert issuer.asked == []

    asyncio.run(run())


def test_what_the_issuer_says_is_shown_as_text(tmp_path: Path) -> None:
    async def run() -> None:
        issuer = Issuer()
        async with _opened(tmp_path, issuer) as portal:
            browser = await portal.browser()
            asked = await _left(browser, issuer)
            more = {"error": "access_denied", "error_description": "<script>alert(1)</script>"}
            answer = await _came_back(browser, asked["state"], **more)
            assert answer.status_code == 401
            assert "Acme did not sign you in: access_denied." in answer.text
            assert "<script>alert" not in answer.text

    asyncio.run(run())


def test_an_issuer_that_does_not_answer(tmp_path: Path) -> None:
    async def run() -> None:
        issuer = Issuer(down=True)
        async with _opened(tmp_path, issuer) as portal:
            browser = await portal.browser()
            answer = await browser.client.get("/portal/issuer")
            assert answer.status_code == 503
            assert "Acme cannot be asked" in answer.text
            issuer.down = False
            asked = await _left(browser, issuer)
            issuer.challenge = "of another verifier"
            assert (await _came_back(browser, asked["state"])).status_code == 503

    asyncio.run(run())


def test_the_session_counts_longer_than_its_token(tmp_path: Path) -> None:
    """Shows that an issuer's short tokens sign nobody out, and that grants count as configured."""

    async def run() -> None:
        issuer = Issuer(roles=["Jobs.Read"])
        async with _opened(tmp_path, issuer) as portal:
            browser = await portal.browser()
            asked = await _left(browser, issuer)
            await _came_back(browser, asked["state"])
            assert "acting needs operate" in (await browser.get("/portal/new")).text
            now = time.time()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(time, "time", lambda: now + 3000)
                await browser.get("/portal/")
                patch.setattr(time, "time", lambda: now + 4000)
                assert (await browser.client.get("/portal/")).status_code == 303

    asyncio.run(run())


def test_without_an_issuer_there_is_no_such_way(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened_portal(tmp_path) as portal:
            browser = await portal.browser()
            assert "Acme" not in (await browser.get(SIGN_IN)).text
            assert (await browser.client.get("/portal/issuer")).status_code == 404

    asyncio.run(run())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"issuer": "https://another.test"}, "must have the portal.sign_in.issuer among"),
        ({"client_id": "another"}, "must have the portal.sign_in.client_id among the audience"),
        ({"scopes": ["profile"]}, "must hold openid"),
        ({"client_secret": "in-the-open"}, "must be a reference to an environment variable"),
    ],
)
def test_settings_that_cannot_work(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = tmp_path / "gateway.yaml"
    content = {
        "clusters": [{"dli": {"project_id": "p", "queues": ["q"]}, "flink": {"url": "http://f"}}],
        "access": {"issuers": ISSUERS},
        "portal": {"sign_in": SIGN_IN_SETTINGS},
    }
    path.write_text(yaml.safe_dump(content))
    assert read_configuration(path).portal
    content["portal"] = {"sign_in": {**SIGN_IN_SETTINGS, **change}}
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InvalidConfiguration, match=said):
        read_configuration(path)
