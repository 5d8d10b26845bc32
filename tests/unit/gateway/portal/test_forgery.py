"""Forms that no page of the portal's own has sent, and what browsers are told of its pages."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from flink_jobs_provider.gateway.portal.assets import Assets
from flink_jobs_provider.gateway.portal.templating import TEMPLATES
from tests.unit.gateway.portal.browsing import (
    HOST,
    SIGN_IN,
    Browser,
    Look,
    Opened,
    opened_portal,
)

STOP = "/portal/jobs/1/stop"


async def _running(portal: Opened) -> tuple[Browser, dict[str, str]]:
    """Return a browser of somebody who is about to stop a job, and what the form sends."""
    browser = await portal.signed_in()
    await portal.gateway.done("NEW")
    return browser, (await browser.get(STOP)).form(STOP).filled()


OTHERS: tuple[dict[str, str], ...] = (
    {},
    {"Origin": "null"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://gateway"},
    {"Origin": "https://gateway:8090"},
    {"Origin": "http://gateway:8090.evil.example"},
)


def test_a_form_of_another_site_is_refused(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser, sent = await _running(portal)
        for headers in OTHERS:
            answer = await browser.client.post(STOP, data=sent, headers=headers)
            assert answer.status_code == 403, headers
            assert "Nothing was changed" in answer.text
        assert (await portal.gateway.row()).last.action == "NEW"

    look(test)


def test_a_form_without_its_key_is_refused(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser, sent = await _running(portal)
        del sent["form_key"], sent["form_owner"]
        for address in (STOP, "/portal/new", "/portal/sign-out", SIGN_IN):
            for more in ({}, {"form_key": ""}, {"form_key": "0" * 64}, {"form_key": "ü"}):
                answer = await browser.client.post(
                    address, data={**sent, **more}, headers={"Origin": HOST}
                )
                assert answer.status_code == 403, (address, more)
        assert (await portal.gateway.row()).last.action == "NEW"
        assert (await browser.client.get("/portal/")).status_code == 200

    look(test)


def test_a_form_of_ones_own_without_its_key_is_shown_again(look: Look) -> None:
    """Shows that nothing of it is done, and that its fields are there."""

    async def test(portal: Opened) -> None:
        browser, sent = await _running(portal)
        sent |= {"form_key": "0" * 64}
        answer = await browser.client.post(STOP, data=sent, headers={"Origin": HOST})
        assert answer.status_code == 303
        assert answer.headers["location"].startswith(f"{STOP}?kept=")
        assert (await browser.get(answer.headers["location"])).form(STOP)
        assert (await portal.gateway.row()).last.action == "NEW"

    look(test)


def test_the_key_of_another_session_is_refused(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser, sent = await _running(portal)
        other = await portal.signed_in("bob")
        answer = await other.client.post(STOP, data=sent, headers={"Origin": HOST})
        assert answer.status_code == 403
        answer = await browser.client.post(STOP, data=sent, headers={"Origin": HOST})
        assert answer.status_code == 303

    look(test)


def test_only_forms_are_read(look: Look) -> None:
    """Shows it of bodies that other sites' pages can send as well, and of one that is too long."""

    async def test(portal: Opened) -> None:
        browser, sent = await _running(portal)
        for kind in ("application/json", "text/plain", "multipart/form-data; boundary=a", ""):
            headers = {"Origin": HOST, "Content-Type": kind}
            answer = await browser.client.post(STOP, content=str(sent), headers=headers)
            assert answer.status_code == 415, kind
        answer = await browser.client.post(
            STOP, data={**sent, "x": "y" * 70_000}, headers={"Origin": HOST}
        )
        assert answer.status_code == 413
        answer = await browser.client.get("/portal/sign-out")
        assert answer.status_code == 405

    look(test)


def test_bearer_tokens_open_no_page(look: Look) -> None:
    """Shows that the portal has sessions alone: what a script sends is for the APIs."""

    async def test(portal: Opened) -> None:
        browser = await portal.browser(authorization=f"Bearer {portal.token()}")
        assert (await browser.client.get("/portal/")).status_code == 303

    look(test)


ANSWERS = {
    "/portal/": 200,
    "/portal/new": 200,
    "/portal/jobs/1": 200,
    "/portal/jobs/1/update": 200,
    "/portal/jobs/1/row.json": 200,
    "/portal/parts/jobs": 200,
    "/portal/static/portal.css": 200,
    "/portal/jobs/9": 404,
    "/portal/nothing": 404,
}


def test_security_headers(look: Look) -> None:
    """Shows that no page may be framed, guessed at, kept, or run what is not its own."""

    async def test(portal: Opened) -> None:
        browser, _ = await _running(portal)
        for address, status in ANSWERS.items():
            answer = await browser.client.get(address)
            assert answer.status_code == status
            headers = answer.headers
            policy = dict(
                part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";")
            )
            nothing = ("default-src", "frame-ancestors", "base-uri")
            own = ("script-src", "style-src", "form-action")
            assert {policy[name] for name in nothing} == {"'none'"}
            assert {policy[name] for name in own} == {"'self'"}
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-frame-options"] == "DENY"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "same-origin"
            assert headers["cross-origin-opener-policy"] == "same-origin"
            kept = "no-cache" if "/static/" in address else "no-store"
            assert headers["cache-control"] == kept

    look(test)


def test_over_tls_browsers_speak_nothing_else(look: Look) -> None:
    async def test(portal: Opened) -> None:
        portal.host = "https://gateway:8090"
        browser = await portal.browser()
        answer = await browser.client.get(SIGN_IN)
        assert answer.headers["strict-transport-security"] == "max-age=31536000"

    look(test)


def test_templates_hold_no_code_and_no_style() -> None:
    """Shows what the policy would forbid; a browser would leave it out without a word."""
    for path in sorted(TEMPLATES.glob("*.html")):
        html = path.read_text(encoding="utf-8")
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", html), path.name
        for script in re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL):
            assert script == "", path.name


def test_nothing_is_loaded_from_elsewhere(look: Look) -> None:
    async def test(portal: Opened) -> None:
        page = await (await portal.signed_in()).get("/portal/")
        for element in page.elements:
            for name in ("src", "href", "action"):
                assert element.attributes.get(name, "/").startswith(("/", "#")), element
        for source in Assets()._assets.values():
            assert b"http" not in source.content.replace(b"http://www.w3.org/2000/svg", b"")

    look(test)


def test_assets_are_not_sent_twice(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.browser()
        for name in Assets().names():
            answer = await browser.client.get(f"/portal/static/{name}")
            assert answer.status_code == 200
            headers = {"If-None-Match": answer.headers["etag"]}
            answer = await browser.client.get(f"/portal/static/{name}", headers=headers)
            assert (answer.status_code, answer.content) == (304, b"")
        for name in ("..%2Fportal.py", "none.js", "..%2F..%2Ftemplates%2Fbase.html"):
            assert (await browser.client.get(f"/portal/static/{name}")).status_code == 404

    look(test)


def test_a_sign_in_that_comes_too_often(tmp_path: Path) -> None:
    """Shows the limit of an address, and that signed-in callers have their own."""
    limits = {"requests_per_second": 0.001, "burst": 10}

    async def run() -> None:
        async with opened_portal(tmp_path, limits=limits) as portal:
            signed_in, browser = await portal.signed_in(), await portal.browser()
            statuses = [(await browser.client.get(SIGN_IN)).status_code for _ in range(10)]
            assert statuses[0] == 200
            assert statuses[-1] == 429
            assert (await signed_in.client.get("/portal/")).status_code == 200

    asyncio.run(run())
