"""Signing in by a link: once, for a short time, from the gateway's own machine alone."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import pytest

from flink_jobs_provider.gateway.auth.tokens import revoke_token
from flink_jobs_provider.gateway.portal.pages.sign_in_link import LinkCodes
from tests.unit.gateway.portal.browsing import Browser, Look, Opened

HERE = "http://127.0.0.1:8090"
LINK, ONCE = "/portal/sign-in/link", "/portal/sign-in/once"


async def _browser(
    portal: Opened, client: str = "127.0.0.1", host: str = HERE, **headers: str
) -> Browser:
    transport = httpx.ASGITransport(app=portal.app, client=(client, 4000))
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    opened = httpx.AsyncClient(transport=transport, base_url=host, headers=names, trust_env=False)
    return Browser(await portal.stack.enter_async_context(opened), host)


async def _link(browser: Browser, token: str) -> httpx.Response:
    return await browser.client.post(LINK, headers={"Authorization": f"Bearer {token}"})


async def _made(portal: Opened, token: str) -> str:
    answer = await _link(await _browser(portal), token)
    assert answer.status_code == 200, answer.text
    assert answer.json()["expires_in"] == 300
    link = str(answer.json()["link"])
    assert link.startswith(f"{HERE}{ONCE}?code=")
    assert token not in link
    return link.removeprefix(HERE)


def test_a_link_signs_in_once(look: Look) -> None:
    """Shows that opening it uses nothing up, that its button signs in, and what is recorded."""

    async def test(portal: Opened) -> None:
        token = portal.token("ada")
        link = await _made(portal, token)
        await (await _browser(portal)).get(link)  # a program that looks at links
        browser = await _browser(portal)
        page = await browser.get(link)
        form = page.form(ONCE)
        page = await browser.sent(form)
        assert page.find("span", class_="name")[0].text == "ada"
        recorded = [
            (entry["who"], entry["what"], entry["result"]) for entry in portal.audit.entries
        ]
        assert recorded == [("ada", "sign-in link", "ACCEPTED"), ("ada", "sign-in", "ACCEPTED")]

        other = await _browser(portal)
        page = await other.refused((await other.get(link)).form(ONCE), 401)
        assert "was used already, or is older than 5 minutes" in page.text
        assert portal.audit.entries[-1]["result"] == "AuthenticationFailed"
        revoke_token(portal.tokens_file, "ada")
        assert "Gateway token" in (await browser.get("/portal/")).text

    look(test)


def test_a_link_of_a_token_that_was_revoked_signs_nobody_in(look: Look) -> None:
    async def test(portal: Opened) -> None:
        link = await _made(portal, portal.token("ada"))
        revoke_token(portal.tokens_file, "ada")
        browser = await _browser(portal)
        await browser.refused((await browser.get(link)).form(ONCE), 401)
        assert "Gateway token" in (await browser.get("/portal/")).text

    look(test)


@pytest.mark.parametrize(
    ("client", "host", "headers"),
    [
        ("10.0.0.7", HERE, {}),
        ("127.0.0.1", "http://gateway.example.com", {}),
        ("127.0.0.1", HERE, {"X_Forwarded_For": "10.0.0.7"}),
        ("127.0.0.1", HERE, {"Forwarded": "for=10.0.0.7"}),
        ("::ffff:10.0.0.7", HERE, {}),
        ("unknown", HERE, {}),
    ],
)
def test_neither_is_a_link_made_nor_does_one_work_from_elsewhere(
    client: str, host: str, headers: dict[str, str], look: Look
) -> None:
    """Shows other machines, proxies, and names that could lead anywhere."""

    async def test(portal: Opened) -> None:
        token = portal.token("ada")
        link = await _made(portal, token)
        near, far = await _browser(portal), await _browser(portal, client, host, **headers)
        answer = await _link(far, token)
        assert answer.status_code == 403
        assert "only on the machine of the gateway" in answer.json()["error"]
        await far.get(link, 403)
        form = (await near.get(link)).form(ONCE)
        far.client.cookies.update(near.client.cookies)
        await far.refused(form, 403)
        await near.sent(form)

    look(test)


@pytest.mark.parametrize("client", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_every_address_of_this_machine_is_its_own(client: str, look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await _browser(portal, client)
        assert (await _link(browser, portal.token("ada"))).status_code == 200

    look(test)


def test_who_makes_no_link(look: Look) -> None:
    """Shows a wrong token, none, and a form of another page."""

    async def test(portal: Opened) -> None:
        browser, right = await _browser(portal), portal.token("ada")
        assert (await _link(browser, "fjg_wrong")).status_code == 401
        assert (await browser.client.post(LINK)).status_code == 401
        assert portal.audit.entries[-1]["what"] == "sign-in link"
        form = (await browser.get(await _made(portal, right))).form(ONCE)
        answer = await browser.client.post(
            ONCE, data=form.filled(form_key="0" * 64), headers={"Origin": HERE}
        )
        assert answer.status_code == 403
        answer = await browser.client.post(
            ONCE, data=form.filled(), headers={"Origin": "http://elsewhere"}
        )
        assert answer.status_code == 403
        await browser.sent(form)

    look(test)


def test_for_how_long_and_how_many() -> None:
    now = 0.0
    codes = LinkCodes(lambda: now)
    late, soon = codes.make({"a": 1}), codes.make({"a": 2})
    now = 299.0
    assert codes.take(soon) == {"a": 2}
    assert codes.take(soon) is None
    now = 300.0
    assert codes.take(late) is None
    made = [codes.make({"a": number}) for number in range(21)]
    assert codes.take(made[0]) is None
    assert codes.take(made[1]) == {"a": 1}
    assert urlsplit(f"/x?code={made[2]}").query == f"code={made[2]}", "it needs no escaping"
