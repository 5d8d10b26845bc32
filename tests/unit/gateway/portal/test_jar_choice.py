"""Choosing a jar in a form: what lies below the mounts, what its manifest and its jobs propose."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.portal_pages import Form, Page
from tests.unit.gateway.jobs.gateway import make_jar
from tests.unit.gateway.portal.browsing import JARS, Browser, Look, Opened, opened_portal

NEW = "/portal/new"
UPDATE = "/portal/jobs/1/update"


async def _pressed(browser: Browser, form: Form, button: str, value: str, **values: str) -> Page:
    """Press a button of a form that leads back to it."""
    form.fields[button] = value
    return await browser.refused(form, 200, **values)


def _choices(page: Page, button: str) -> dict[str, str]:
    """Return what the buttons of a name lead to, by their text."""
    return {each.text: each.attributes["value"] for each in page.find("button", name=button)}


def test_a_jar_is_found_below_the_mounts_and_what_was_typed_stays(look: Look) -> None:
    """Shows mounts, directories, jars; nothing else of a directory; and the way back up."""

    async def test(portal: Opened) -> None:
        storage = portal.gateway.directory / "storage"
        make_jar(storage / "team/prices.jar")
        (storage / "team/notes.txt").write_text("no jar")
        (storage / ".hidden.jar").write_text("")
        browser = await portal.signed_in()
        typed = {"job_name": "prices", "args": "--a b"}
        page = await _pressed(browser, (await browser.get(NEW)).form(NEW), "browse", "", **typed)
        assert _choices(page, "browse") == {"Choose a jar": "here", JARS + "/": JARS}
        page = await _pressed(browser, page.form(NEW), "browse", JARS)
        assert _choices(page, "take") == {"orders.jar": f"{JARS}/orders.jar"}
        assert _choices(page, "browse")["team/"] == f"{JARS}/team"
        page = await _pressed(browser, page.form(NEW), "browse", f"{JARS}/team")
        assert _choices(page, "take") == {"prices.jar": f"{JARS}/team/prices.jar"}
        assert _choices(page, "browse")["Up"] == JARS
        page = await _pressed(browser, page.form(NEW), "take", f"{JARS}/team/prices.jar")
        kept = page.form(NEW).fields
        assert kept["jar"] == f"{JARS}/team/prices.jar"
        assert kept["entry_class"] == "Main", "the manifest's"
        assert {name: kept[name] for name in typed} == typed
        await browser.sent(page.form(NEW))
        await portal.settled()
        assert (await portal.gateway.row("prices")).status == "RUNNING"

    look(test)


@pytest.mark.parametrize(
    "place",
    [
        *("/etc", "file:///etc", f"{JARS}/../outside", f"{JARS}/%2e%2e/outside", "s3://other/x"),
        *("abfs://jobs@account2", f"{JARS}/linked", f"{JARS}/linked/deeper", f"{JARS}\\x"),
    ],
)
@pytest.mark.parametrize("button", ["browse", "take"])
def test_nothing_outside_the_mounts_is_listed_or_opened(
    button: str, place: str, look: Look
) -> None:
    """Shows it of other storages, of dots, and of links that lead out; nothing of them is shown."""

    async def test(portal: Opened) -> None:
        directory = portal.gateway.directory
        make_jar(directory / "outside/deeper/secret.jar")
        (directory / "storage/linked").symlink_to(directory / "outside")
        browser = await portal.signed_in()
        page = await browser.get(NEW)
        wanted = f"{place}/secret.jar" if button == "take" else place
        page = await _pressed(browser, page.form(NEW), button, wanted)
        (problem,) = page.find("p", role="alert", class_="problem")
        assert "mounted for this cluster" in problem.text or "must" in problem.text
        assert _choices(page, "take") == {}
        assert page.form(NEW).fields["entry_class"] == ""
        assert str(directory) not in page.html

    look(test)


def test_links_that_lead_out_are_not_shown_and_those_within_are(look: Look) -> None:
    async def test(portal: Opened) -> None:
        directory = portal.gateway.directory
        make_jar(directory / "outside/secret.jar")
        storage = directory / "storage"
        (storage / "linked").symlink_to(directory / "outside")
        (storage / "secret.jar").symlink_to(directory / "outside/secret.jar")
        (storage / "current.jar").symlink_to("orders.jar")
        (storage / "gone.jar").symlink_to("nowhere.jar")
        browser = await portal.signed_in()
        page = await _pressed(browser, (await browser.get(NEW)).form(NEW), "browse", JARS)
        assert set(_choices(page, "take")) == {"current.jar", "orders.jar"}
        assert set(_choices(page, "browse")) == {"Choose a jar", "Up"}

    look(test)


def test_args_are_proposed_from_a_job_of_the_same_jar_unless_they_are_secret(look: Look) -> None:
    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        await gateway.done("NEW", "first", jar=f"file://{gateway.jar}", args=["--topic", "a"])
        await gateway.done("NEW", "second", jar=f"file://{gateway.jar}", args=["--token", "x"])
        jar = f"{JARS}/orders.jar"
        page = await _pressed(browser, (await browser.get(NEW)).form(NEW), "take", jar)
        assert page.form(NEW).fields["args"] == "--topic a"
        assert "The args are those of job first" in page.text
        page = await _pressed(browser, page.form(NEW), "take", jar, args="--b", entry_class="X")
        assert page.form(NEW).fields["args"] == "--b"
        assert page.form(NEW).fields["entry_class"] == "X"
        assert "Its manifest names another entry class: Main." in page.text

    look(test)


def test_an_update_begins_at_the_directory_of_its_jar(look: Look) -> None:
    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        await gateway.done("NEW", jar=f"file://{gateway.jar}")
        make_jar(gateway.directory / "storage/newer.jar", "newer")
        form = (await browser.get(UPDATE)).form(UPDATE)
        page = await _pressed(browser, form, "browse", "here", parallelism="3")
        page = await _pressed(
            browser, page.form(UPDATE), "take", _choices(page, "take")["newer.jar"]
        )
        assert page.form(UPDATE).fields["parallelism"] == "3"
        await browser.sent(page.form(UPDATE))
        await portal.settled()
        row = await gateway.row()
        assert row.record.spec.jar == f"file://{gateway.directory}/storage/newer.jar"
        assert row.record.spec.parallelism == 3

    look(test)


def test_a_directory_that_cannot_be_listed_says_why(tmp_path: Path) -> None:
    """Shows a web server, which lists nothing, and that its address here is not shown."""
    cluster = {"mounts": {"abfs://web@account": "http://10.9.8.7/jars"}}

    async def run() -> None:
        async with opened_portal(tmp_path, cluster=cluster) as portal:
            browser = await portal.signed_in()
            form = (await browser.get(NEW)).form(NEW)
            page = await _pressed(browser, form, "browse", "abfs://web@account/team")
            (problem,) = page.find("p", role="alert", class_="problem")
            assert problem.text == (
                "abfs://web@account/team cannot be read: a web server has no directories that can "
                "be listed."
            )
            assert "10.9.8.7" not in page.html

    asyncio.run(run())


def test_free_slots_are_shown(look: Look) -> None:
    """Shows them on the forms that start something, and that many viewers ask a cluster once."""

    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        gateway.flink.slots = 8
        await gateway.done("NEW", jar=f"file://{gateway.jar}", parallelism=3)
        asked = 0
        answer = gateway.flink.task_slots

        async def task_slots() -> tuple[int, int]:
            nonlocal asked
            asked += 1
            return await answer()

        gateway.flink.task_slots = task_slots  # type: ignore[method-assign]
        for _ in range(3):
            page = await browser.get(NEW)
        assert "5 of 8 task slots are free on this cluster." in page.text
        assert "5 of 8 task slots" in (await browser.get(UPDATE)).text
        assert "task slots" not in (await browser.get("/portal/jobs/1/stop")).text
        assert asked == 1

    look(test)


def test_what_a_new_job_would_do_is_shown_before_it_is_sent(look: Look) -> None:
    """Shows the plan of a new job, that nothing is on record then, and a name that is taken."""

    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        form = (await browser.get(NEW)).form(NEW)
        given = {"job_name": "prices", "jar": f"{JARS}/orders.jar", "entry_class": "Main"}
        page = await _pressed(browser, form, "review", "1", **given)
        (plan,) = page.find("div", class_="card plan")
        assert "NEW, first start, no state" in plan.text
        assert await portal.gateway.rows() == []
        await browser.sent(page.form(NEW))
        await portal.settled()
        form = page.form(NEW)
        form.fields["review"] = "1"
        page = await browser.refused(form, 409)
        assert "exists already" in page.text

    look(test)


@pytest.mark.parametrize(
    ("action", "shown"),
    [
        ("update", "UPDATE, stop with savepoint and restart"),
        ("stateless-update", "STATELESS_UPDATE, cancel and start afresh"),
        ("last-state-update", "cancel and restart from the latest retained checkpoint"),
        ("stop", "STOP, stop with savepoint"),
        ("savepoint", "SAVEPOINT, take a savepoint, the job goes on"),
    ],
)
def test_each_action_says_how_it_would_be_done(action: str, shown: str, look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        await portal.gateway.done("NEW")
        address = f"/portal/jobs/1/{action}"
        form = (await browser.get(address)).form(address)
        if "confirm" in form.fields:
            form.fields["confirm"] = "orders"
        page = await _pressed(browser, form, "review", "1")
        (plan,) = page.find("div", class_="card plan")
        assert shown in plan.text
        assert ("The state that the job has now is dropped." in plan.text) == (
            action == "stateless-update"
        )
        assert (await portal.gateway.row()).last.action == "NEW"

    look(test)
