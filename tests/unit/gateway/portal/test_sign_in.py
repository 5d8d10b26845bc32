"""Who is signed in: sessions, their cookie, and what ends or narrows them."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from urllib.parse import quote

import pytest

from flink_jobs_provider.gateway.job_board import JobBoardPage, JobSearch
from flink_jobs_provider.gateway.portal.addresses import SIGNED_IN, Addresses
from flink_jobs_provider.gateway.principal import Role
from flink_jobs_provider.gateway.refusals import Refusal
from tests.portal_pages import Page
from tests.unit.gateway.portal.browsing import SIGN_IN, Look, Opened, opened_portal


def test_a_token_is_exchanged_for_a_session(look: Look) -> None:
    """Shows that the token is in no cookie, no address and no page, nor in the records."""

    async def test(portal: Opened) -> None:
        token = portal.token("ada")
        browser = await portal.browser()
        answer = await browser.sign_in(token)
        assert (answer.status_code, answer.headers["location"]) == (303, "/portal/")
        assert token not in str(answer.headers)
        page = await browser.get("/portal/")
        assert "ada" in page.text
        assert token not in page.html
        assert all(token not in str(cookie.value) for cookie in browser.client.cookies.jar)
        records = b"".join(path.read_bytes() for path in portal.gateway.directory.glob("*.db*"))
        assert token.encode() not in records
        assert browser.cookie("session").encode() not in records

    look(test)


def test_a_token_that_is_not_accepted(look: Look) -> None:
    """Shows that it is refused without being shown again, and that this is recorded."""

    async def test(portal: Opened) -> None:
        portal.token()
        browser = await portal.browser()
        answer = await browser.sign_in("fjg_wrong")
        assert answer.status_code == 401
        assert "The access token is not accepted" in answer.text
        assert "fjg_wrong" not in answer.text
        assert not any("session" in cookie.name for cookie in browser.client.cookies.jar)
        (entry,) = portal.audit.entries
        assert (entry["what"], entry["result"]) == ("sign-in", "InvalidAuthenticationToken")

    look(test)


def test_pages_lead_to_the_sign_in_and_back(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.browser()
        answer = await browser.client.get("/portal/?q=orders&sort=-name")
        assert answer.status_code == 303
        page = await browser.get(answer.headers["location"])
        answer = await browser.send(page.form(SIGN_IN), token=portal.token())
        assert answer.headers["location"] == "/portal/?q=orders&sort=-name"
        answer = await browser.client.get(SIGN_IN)
        assert (answer.status_code, answer.headers["location"]) == (303, "/portal/")

    look(test)


def test_whether_somebody_is_signed_in(look: Look) -> None:
    """Shows that it is answered also where no cluster and no list of jobs can be read."""

    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        board, portal.seen.away = portal.gateway.jobs.board, True

        async def broken(_: JobSearch) -> JobBoardPage:
            raise Refusal("RecordsUnavailable", "The gateway's database does not answer.")

        portal.gateway.jobs.board = broken  # type: ignore[method-assign,assignment]
        answer = await browser.client.get(SIGNED_IN)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["cache-control"] == "no-store"
        portal.gateway.jobs.board = board  # type: ignore[method-assign]
        assert portal.seen.sent == []
        stranger = await portal.browser()
        assert (await stranger.client.get(SIGNED_IN)).headers["location"].startswith(SIGN_IN)
        scripted = {"Sec-Fetch-Mode": "cors"}
        assert (await stranger.client.get(SIGNED_IN, headers=scripted)).status_code == 401

    look(test)


def test_a_link_from_elsewhere_reaches_somebody_who_is_signed_in(look: Look) -> None:
    """Shows that the page loads itself once more: a Strict cookie does not come from elsewhere."""

    async def test(portal: Opened) -> None:
        browser = await portal.browser()
        answer = await browser.client.get("/portal/", headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 401
        assert '<meta http-equiv="refresh" content="0">' in answer.text

    look(test)


ELSEWHERE = (
    "https://evil.example",
    "//evil.example/portal/",
    "/\\evil.example/portal/",
    "/portal/..//evil.example",
    "/portal/../healthz",
    "/portal//evil.example",
    "/portal/\nSet-Cookie: a=b",
    "/portal/\\evil.example",
    "javascript:alert(1)",
    "/healthz",
    "portal/",
    "",
)


def test_a_sign_in_leads_nowhere_else(look: Look) -> None:
    """Shows it of what the address asks for, and of a form that somebody has changed."""

    async def test(portal: Opened) -> None:
        token, browser = portal.token(), await portal.browser()
        for wanted in ELSEWHERE:
            assert Addresses(None).own(wanted) == "/portal/"
            browser.client.cookies.clear()
            form = (await browser.get(f"{SIGN_IN}?next={quote(wanted)}")).form(SIGN_IN)
            assert form.fields["next"] == "/portal/"
            answer = await browser.send(form, token=token, next=wanted)
            assert answer.headers["location"] == "/portal/", wanted

    look(test)


def test_own_addresses_are_led_to() -> None:
    assert Addresses(None).own("/portal/jobs/7?secrets=shown") == "/portal/jobs/7?secrets=shown"
    behind = Addresses("https://example.com/flink/")
    assert behind.own("/flink/portal/new") == "/flink/portal/new"
    assert behind.own("/portal/new") == "/flink/portal/"


def test_a_session_cannot_be_brought_along(look: Look) -> None:
    """Shows that a sign-in makes a new id, whatever the browser had, and ends the old one."""

    async def test(portal: Opened) -> None:
        browser = await portal.browser()
        page = await browser.get(SIGN_IN)
        name = "portal-session-8090"
        browser.bring(name, "chosen-by-somebody-else")
        await browser.send(page.form(SIGN_IN), token=portal.token())
        first = [each.value for each in browser.client.cookies.jar if each.name == name][-1]
        assert first != "chosen-by-somebody-else"

        other = await portal.browser()
        other.bring(name, str(first))
        assert "ada" in (await other.get("/portal/")).text
        page = Page((await other.client.get("/portal/")).text)
        await other.sent(page.form("/portal/sign-out"))
        answer = await browser.client.get("/portal/")
        assert answer.status_code == 303, "the session was ended for all who had it"

    look(test)


def test_signing_in_again_ends_the_session_before(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        before = browser.cookie("session")
        await browser.get("/portal/")
        other = await portal.browser()
        page = await other.get(SIGN_IN)
        other.bring("portal-session-8090", before)
        await other.send(page.form(SIGN_IN), token=portal.token("bob"))
        assert (await browser.client.get("/portal/")).status_code == 303

    look(test)


def test_sign_out(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        secret = browser.cookie("session")
        page = await browser.get("/portal/")
        answer = await browser.send(page.form("/portal/sign-out"))
        assert answer.headers["location"] == SIGN_IN
        browser.bring("portal-session-8090", secret)
        assert (await browser.client.get("/portal/")).status_code == 303
        assert [entry["what"] for entry in portal.audit.entries] == ["sign-in", "sign-out"]

    look(test)


def test_a_revoked_token_ends_its_sessions_at_once(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in("ada")
        await portal.signed_in("bob")
        portal.edit_tokens(lambda tokens: tokens.pop("ada"))
        assert (await browser.client.get("/portal/")).status_code == 303
        browser = await portal.signed_in("ada")
        await browser.get("/portal/")

    look(test)


def test_a_role_that_is_taken_away_is_gone_at_once(look: Look) -> None:
    """Shows it of a form that was opened while the role was there."""

    async def test(portal: Opened) -> None:
        browser = await portal.signed_in("ada")
        await portal.gateway.done("NEW")
        form = (await browser.get("/portal/jobs/1/stop")).form("/portal/jobs/1/stop")

        def downgrade(tokens: dict[str, dict[str, object]]) -> None:
            tokens["ada"]["roles"] = {"*": "read"}

        portal.edit_tokens(downgrade)
        page = await browser.refused(form, 403)
        assert "needs operate" in page.text
        assert (await portal.gateway.row()).status == "RUNNING"
        page = await browser.get("/portal/jobs/1")
        assert page.find("a", id="act-stop") == []
        assert portal.audit.entries[-1]["status"] == 403

        portal.edit_tokens(lambda tokens: tokens["ada"].update(roles={"/elsewhere": "operate"}))
        await browser.get("/portal/jobs/1", 404)

    look(test)


def test_sessions_expire(tmp_path: Path) -> None:
    """Shows that an expired session is none, and is removed at the next sign-in."""

    async def run() -> None:
        async with opened_portal(tmp_path) as portal:
            browser = await portal.signed_in("ada")
            with sqlite3.connect(tmp_path / "gateway.db") as records:
                records.execute("UPDATE sessions SET expires_at = 1")
            assert (await browser.client.get("/portal/")).status_code == 303
            await portal.signed_in("bob")
            with sqlite3.connect(tmp_path / "gateway.db") as records:
                assert records.execute("SELECT count(*) FROM sessions").fetchone() == (1,)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("host", "public_url", "name"),
    [
        ("http://gateway:8090", None, "portal-session-8090"),
        ("https://gateway:8090", None, "__Host-portal-session"),
        ("http://gateway:8090", "https://example.com/flink", "__Host-portal-session"),
    ],
)
def test_the_cookie(tmp_path: Path, host: str, public_url: str | None, name: str) -> None:
    """Shows what browsers are told of it, also where a proxy ends TLS."""

    async def run() -> None:
        async with opened_portal(tmp_path, host=host, public_url=public_url) as portal:
            browser = await portal.browser()
            answer = await browser.client.get(SIGN_IN)
            browser.client.cookies.clear()
            form = Page(answer.text).forms[0]
            cookie = answer.headers["set-cookie"].partition(";")[0]
            origin = "https://example.com" if public_url else host
            answer = await browser.client.post(
                SIGN_IN,
                data=form.filled(token=portal.token()),
                headers={"Origin": origin, "Cookie": cookie},
            )
            assert answer.status_code == 303, answer.text
            prefix = "/flink" if public_url else ""
            assert answer.headers["location"] == f"{prefix}/portal/"
            (given,) = [each for each in answer.headers.get_list("set-cookie") if "session" in each]
            parts = [part.strip().lower() for part in given.split(";")]
            assert parts[0].startswith(f"{name}=".lower())
            assert {"httponly", "samesite=strict", "path=/", "max-age=3600"} <= set(parts)
            assert ("secure" in parts) == name.startswith("__Host-")
            assert not any(part.startswith("domain") for part in parts)

    asyncio.run(run())


def test_those_who_may_read_nothing_see_nothing(look: Look) -> None:
    async def test(portal: Opened) -> None:
        await portal.gateway.done("NEW")
        browser = await portal.browser()
        await browser.sign_in(portal.token("eve", Role.OPERATE, "/another/cluster"))
        page = await browser.get("/portal/")
        assert "There are no jobs yet" in page.text
        for address in ("/portal/jobs/1", "/portal/jobs/1/stop", "/portal/jobs/1/row.json"):
            page = await browser.get(address, 404)
            assert "orders" not in page.text

    look(test)
