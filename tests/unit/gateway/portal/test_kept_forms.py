"""What was typed is there again after a sign-in, for the one who typed it, and for nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from flink_jobs_provider.gateway.auth.tokens import revoke_token
from flink_jobs_provider.gateway.portal.kept_forms import OWNER_FIELD, KeptForms
from flink_jobs_provider.gateway.principal import Role
from tests.portal_pages import Page
from tests.unit.gateway.portal.browsing import HOST, JARS, SIGN_IN, Browser, Look, Opened
from tests.unit.gateway.portal.test_jar_uploads import look_with_uploads, upload

NEW = "/portal/new"
TYPED = {
    "job_name": "orders",
    "jar": f"{JARS}/orders.jar",
    "entry_class": "Main",
    "args": "--password hunter2",
    "options": "a.b: c\nd: e",
}


async def _signed_in_again(browser: Browser, answer: httpx.Response, token: str) -> Page:
    """Sign in where an answer leads, and return the page that follows."""
    assert answer.status_code == 303, answer.text
    sign_in = answer.headers["location"]
    assert sign_in.startswith(f"{SIGN_IN}?next=")
    assert "hunter2" not in sign_in
    page = await browser.get(sign_in)
    assert "What you typed is kept" in page.text
    assert "hunter2" not in page.html
    return await browser.sent(page.form(SIGN_IN), token=token)


def test_what_was_typed_is_there_after_a_sign_in(look: Look) -> None:
    """Shows a session that ended, the same person, the form, and that it can be sent then."""

    async def test(portal: Opened) -> None:
        browser = await portal.signed_in("ada")
        form = (await browser.get(NEW)).form(NEW)
        await _end_sessions(portal)
        answer = await browser.send(form, **TYPED)
        revoke_token(portal.tokens_file, "ada")
        page = await _signed_in_again(browser, answer, portal.token("ada"))
        assert "What you typed before your session ended is here again" in page.text
        kept = page.form(NEW).fields
        assert {name: kept[name] for name in TYPED} == TYPED
        assert await portal.gateway.rows() == []
        await browser.refused(page.form(NEW), 400, entry_class="")
        restored = f"{NEW}?kept={page.form(NEW).fields['kept']}"
        assert "is here again" in (await browser.get(restored)).text, "nothing was sent so far"
        await browser.sent(page.form(NEW))
        await portal.settled()
        assert (await portal.gateway.row()).record.spec.args == ["--password", "hunter2"]
        page = await browser.get(restored)
        assert "is no longer there. It was not sent when the session ended." in page.text
        assert "hunter2" not in page.html

    look(test)


def test_a_form_of_an_earlier_session_is_shown_again(look: Look) -> None:
    """Shows somebody who has signed in again elsewhere, and then sends a form that was open."""

    async def test(portal: Opened) -> None:
        browser = await portal.signed_in("ada")
        form = (await browser.get(NEW)).form(NEW)
        revoke_token(portal.tokens_file, "ada")
        await browser.sign_in(portal.token("ada"))
        page = await browser.sent(form, **TYPED)
        assert "What you typed before your session ended is here again" in page.text
        assert {name: page.form(NEW).fields[name] for name in TYPED} == TYPED
        assert await portal.gateway.rows() == []
        browser.client.cookies.clear()
        await browser.sign_in(portal.token("bob"))
        await browser.refused(form, 403, **TYPED)

    look(test)


@pytest.mark.parametrize("signed_in_again", [False, True])
def test_what_was_typed_beside_a_file_is_kept_and_the_file_is_not(
    tmp_path: Path, signed_in_again: bool
) -> None:
    """Shows an upload after the session ended, as browsers without scripts send it."""

    async def test(portal: Opened) -> None:
        browser = await portal.signed_in("ada")
        form = (await browser.get(NEW)).form(NEW)
        await _end_sessions(portal)
        revoke_token(portal.tokens_file, "ada")
        token = portal.token("ada")
        if signed_in_again:
            await browser.sign_in(token)
        given = {**TYPED, "upload_to": f"{JARS}/uploads", "upload": "1"}
        form.fields |= dict.fromkeys(("upload_to", "upload"), "")
        answer = await upload(browser, form, "mine.jar", b"x" * 100_000, **given)
        if signed_in_again:
            page = await browser.get(answer.headers["location"])
        else:
            page = await _signed_in_again(browser, answer, token)
        assert "no jar was uploaded. Choose its file again." in page.text
        assert {name: page.form(NEW).fields[name] for name in TYPED} == TYPED
        assert list((tmp_path / "storage/uploads").iterdir()) == []

    look_with_uploads(tmp_path, test)


def test_no_file_of_somebody_unknown_is_read(tmp_path: Path) -> None:
    """Shows that its sender is refused before all of it has arrived."""

    async def test(portal: Opened) -> None:
        stranger = await portal.browser()
        read = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal read
            yield b"--a\r\nContent-Disposition: form-data; name=form_owner\r\n\r\nYWRh.0\r\n"
            yield b"--a\r\nContent-Disposition: form-data; name=jar_file; filename=x\r\n\r\n"
            for _ in range(10):
                read += 1
                yield b"x" * 1000
            yield b"\r\n--a--\r\n"

        answer = await stranger.client.post(
            NEW,
            content=endless(),
            headers={"Origin": HOST, "Content-Type": "multipart/form-data; boundary=a"},
        )
        assert answer.status_code == 401
        assert read <= 1

    look_with_uploads(tmp_path, test)


def test_nobody_else_sees_it(look: Look) -> None:
    """Shows another person at the same browser, and another form."""

    async def test(portal: Opened) -> None:
        await portal.gateway.done("NEW")
        browser = await portal.signed_in("ada")
        form = (await browser.get(NEW)).form(NEW)
        await _end_sessions(portal)
        answer = await browser.send(form, **TYPED)
        page = await _signed_in_again(browser, answer, portal.token("bob"))
        assert "is no longer there" in page.text
        assert "hunter2" not in page.html
        key = str(answer.headers["location"]).rpartition("kept%3D")[2]
        assert len(key) > 20
        page = await browser.get(f"/portal/jobs/1/update?kept={key}")
        assert "hunter2" not in page.html

    look(test)


def test_the_form_of_an_action_is_kept_too_and_tells_of_what_happened_meanwhile(
    look: Look,
) -> None:
    async def test(portal: Opened) -> None:
        await portal.gateway.done("NEW")
        update = "/portal/jobs/1/update"
        browser = await portal.signed_in("ada")
        form = (await browser.get(update)).form(update)
        await _end_sessions(portal)
        await portal.gateway.done("UPDATE", args=["--of-another"])
        answer = await browser.send(form, parallelism="4")
        revoke_token(portal.tokens_file, "ada")
        page = await _signed_in_again(browser, answer, portal.token("ada"))
        form = page.form(update)
        assert form.fields["parallelism"] == "4"
        page = await browser.refused(form, 400)
        assert "Update by tester at 2" in page.text
        assert page.form(update).fields["args"] == "--of-another"
        await browser.sent(page.form(update))
        await portal.settled()
        spec = (await portal.gateway.row()).record.spec
        assert (list(spec.args), spec.parallelism) == (["--of-another"], 4)

    look(test)


def test_what_is_not_of_a_page_that_somebody_had_is_not_kept(look: Look) -> None:
    """Shows a stranger's form, one of another site, and a stamp that somebody made up."""

    async def test(portal: Opened) -> None:
        stranger = await portal.browser()
        for owner in ("", "YWRh.", "YWRh." + "0" * 64, "é.x", "."):
            answer = await stranger.client.post(
                NEW, data={**TYPED, OWNER_FIELD: owner}, headers={"Origin": stranger.origin}
            )
            assert answer.status_code == 401
            assert "hunter2" not in answer.text
        browser = await portal.signed_in("reader", Role.READ)
        stamp = KeptForms().stamp("reader")
        await _end_sessions(portal)
        for origin, owner in ((browser.origin, stamp), ("http://elsewhere", stamp)):
            answer = await browser.client.post(
                NEW, data={**TYPED, OWNER_FIELD: owner}, headers={"Origin": origin}
            )
            assert answer.status_code == 401

    look(test)


def test_for_how_long_and_how_many() -> None:
    """Shows that a form is forgotten after a quarter of an hour, and the oldest of too many."""
    now = 0.0
    kept = KeptForms(lambda: now)
    owner = {OWNER_FIELD: kept.stamp("ada"), "a": "b"}
    key = kept.keep(NEW, owner)
    assert kept.find(key, NEW, "ada") == {"a": "b"}
    assert kept.find(key, "/portal/jobs/1/update", "ada") is None
    assert kept.find(key, NEW, "bob") is None
    now = 899.0
    assert kept.find(key, NEW, "ada")
    now = 900.0
    assert kept.find(key, NEW, "ada") is None
    keys = [kept.keep(NEW, owner) for _ in range(201)]
    assert kept.find(keys[0], NEW, "ada") is None
    assert kept.find(keys[1], NEW, "ada")


async def _end_sessions(portal: Opened) -> None:
    with portal.gateway.store._database.writing() as records:
        records.exec_driver_sql("DELETE FROM sessions")
