"""Starting jobs by forms: drafts, from a path, and never twice."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.portal_pages import Page
from tests.unit.gateway.portal.browsing import JARS, Look, Opened

NEW, JOB = "/portal/new", "/portal/jobs/1"
DRAFT, START = f"{JOB}/start-draft", f"{JOB}/start"
ORDERS = {"job_name": "orders", "jar": f"{JARS}/orders.jar", "entry_class": "Main"}


def test_a_draft_is_started_as_it_is_on_record(look: Look) -> None:
    """Shows the plan, what counts at the start, who asked for it, and that it starts once."""

    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        await gateway.draft(parallelism=3)
        page = await browser.get(JOB)
        assert page.link("Start") == DRAFT
        assert page.find("a", id="act-delete") != []
        form = (await browser.get(DRAFT)).form(DRAFT)
        form.fields["review"] = "1"
        page = await browser.refused(form, 200)
        assert "NEW, first start, no state" in page.find("div", class_="card plan")[0].text
        assert gateway.flink.submissions == []
        form = page.form(DRAFT)
        await browser.sent(form)
        await portal.settled()
        row = await gateway.row()
        assert (row.status, row.record.spec.parallelism) == ("RUNNING", 3)
        assert row.last.caller == "ada"
        assert portal.audit.entries[-1]["what"] == "NEW"
        await browser.get(DRAFT, 404)
        answer = await browser.send(form)
        assert answer.status_code == 404
        assert len(gateway.flink.submissions) == 1

    look(test)


def test_a_draft_starts_from_the_savepoint_that_was_named_for_it(look: Look) -> None:
    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        await gateway.done("NEW", "other")
        path = str((await gateway.done("SAVEPOINT", "other")).record.last_savepoint)
        await gateway.draft()
        row = await gateway.change(restore_from=path)
        address = f"/portal/jobs/{row.number}/start-draft"
        form = (await browser.get(address)).form(address)
        form.fields["review"] = "1"
        assert f"start from {path}" in (await browser.refused(form, 200)).text
        del form.fields["review"]
        await browser.sent(form)
        await portal.settled()
        assert (await gateway.row()).record.restored_from == path

    look(test)


def test_a_start_from_a_path_that_is_not_in_the_list(look: Look) -> None:
    """Shows what is refused, each at its field; and that the path that is given is started from."""

    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        await gateway.done("NEW")
        own = str((await gateway.done("STOP")).record.last_savepoint)
        form = (await browser.get(START)).form(START)
        path = "file:///elsewhere/savepoint-1"
        for given, said in [
            ({"savepoint_path": "savepoint-1"}, "This is no path"),
            ({"savepoint_path": path, "savepoint": own}, "not both"),
            ({"savepoint_path": "http://elsewhere/x"}, "must be an absolute path, or a URI"),
            ({"savepoint_path": "/a/../b"}, "must not hold . or .."),
        ]:
            page = await browser.refused(form, 400, **given)
            assert said in page.problems["savepoint_path"], page.problems
            assert page.form(START).fields["savepoint_path"] == given["savepoint_path"]
        form.fields["review"] = "1"
        page = await browser.refused(form, 200, savepoint_path=path)
        assert f"START, start from {path}" in page.find("div", class_="card plan")[0].text
        del form.fields["review"]
        await browser.sent(form, savepoint_path=path)
        await portal.settled()
        last = (await gateway.row()).last
        assert (last.action, last.caller) == ("START", "ada")
        assert "FileNotFoundException: /elsewhere/savepoint-1" in last.output
        assert own in last.output, "where its state is"

    look(test)


@pytest.mark.parametrize("times", [2, 5])
def test_a_job_is_started_once_however_many_ask(times: int, look: Look) -> None:
    """Shows it of forms that were opened before, and sent at once."""

    async def test(portal: Opened) -> None:
        gateway = portal.gateway
        await gateway.done("NEW")
        await gateway.done("STOP")
        before = len(gateway.flink.submissions)
        people = [await portal.signed_in(f"person-{number}") for number in range(times)]
        forms = [(await one.get(START)).form(START) for one in people]
        answers = await asyncio.gather(
            *(one.send(form) for one, form in zip(people, forms, strict=True))
        )
        await portal.settled()
        accepted = [answer for answer in answers if answer.status_code == 303]
        assert len(accepted) == 1
        for answer in answers:
            if answer.status_code != 303:
                assert answer.status_code in (400, 409)
                problems = Page(answer.text).find("div", class_="problems")[0].text
                assert re.search(r"by person-\d(,| at)", problems), problems
        assert len(gateway.flink.submissions) == before + 1
        assert len(gateway.flink.active()) == 1

    look(test)


def test_a_start_shows_what_counts_from_then_on_and_keeps_it(look: Look) -> None:
    """Shows it of args, options, parallelism and the savepoint that were changed on record."""

    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        await gateway.done("NEW", args=["--old"], flink_configuration={"a.b": "old"})
        chosen = str((await gateway.done("SAVEPOINT")).record.last_savepoint)
        gateway.flink.pass_time(10)
        last = str((await gateway.done("STOP")).record.last_savepoint)
        assert last != chosen
        following = {"a.b": "new", "a.token": "hunter2"}
        await gateway.change(
            restore_from=chosen, args=["--new"], parallelism=3, flink_configuration=following
        )
        page = await browser.get(START)
        assert page.form(START).fields["args"] == "--new"
        assert page.fact("Named for the next start") == chosen
        assert page.fact("Last savepoint") == last
        assert page.form(START).choices["savepoint"][1:] == [last, chosen]
        assert "Named for the next start" not in (await browser.get(f"{JOB}/update")).text

        fresh = f"{JOB}/stateless-update"
        page = await browser.get(fresh)
        assert "Named for the next start" not in page.text
        form = page.form(fresh)
        shown = {name: form.fields[name] for name in ("args", "parallelism", "options")}
        options = "a.b: new\na.token: ***"
        assert shown == {"args": "--new", "parallelism": "3", "options": options}
        await browser.sent(form, options=f"{options}\nx: y", confirm="orders")
        await portal.settled()
        spec = (await gateway.row()).record.spec
        assert spec.flink_configuration == {**following, "x": "y"}
        assert (list(spec.args), spec.parallelism) == (["--new"], 3)

    look(test)


def test_a_start_without_a_choice_begins_from_what_the_form_named(look: Look) -> None:
    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        await gateway.done("NEW")
        chosen = str((await gateway.done("SAVEPOINT")).record.last_savepoint)
        gateway.flink.pass_time(10)
        await gateway.done("STOP")
        await gateway.change(restore_from=chosen, args=["--new"])
        page = await browser.get(START)
        await browser.sent(page.form(START))
        await portal.settled()
        row = await gateway.row()
        assert row.record.restored_from == page.fact("Named for the next start") == chosen
        assert list(row.record.spec.args) == ["--new"]

    look(test)


def test_the_plan_counts_waiting_changes_where_something_starts_alone(look: Look) -> None:
    """Shows that savepoint and stop leave them for the next start, as the actions themselves do."""

    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        await gateway.done("NEW", args=["--old"])
        await gateway.change(while_it_runs=True, args=["--new"])
        plans = {}
        for action in ("savepoint", "stop", "update"):
            form = (await browser.get(f"{JOB}/{action}")).form(f"{JOB}/{action}")
            form.fields["review"] = "1"
            page = await browser.refused(form, 200)
            plans[action] = page.find("div", class_="card plan")[0].text
        changes = {action: "args changed" in text for action, text in plans.items()}
        assert changes == {"savepoint": False, "stop": False, "update": True}
        jar = {
            action: "The jar is taken as it lies there" in text for action, text in plans.items()
        }
        assert jar == {"savepoint": False, "stop": False, "update": True}
        await browser.sent((await browser.get(f"{JOB}/stop")).form(f"{JOB}/stop"))
        await portal.settled()
        assert list((await gateway.row()).record.spec.args) == ["--old"]

    look(test)


@pytest.mark.parametrize("draft", [False, True])
def test_a_first_start_from_a_savepoint_drops_unclaimed_state_by_name_alone(
    draft: bool, look: Look
) -> None:
    """Shows it of a new job and of a draft; without a savepoint there is nothing to drop."""

    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        await gateway.done("NEW", "other")
        path = str((await gateway.done("SAVEPOINT", "other")).record.last_savepoint)
        unclaimed = "execution.state-recovery.ignore-unclaimed-state: true"
        address, given = NEW, {**ORDERS, "options": unclaimed, "savepoint": path}
        if draft:
            await gateway.draft("fresh", allow_non_restored_state=True)
            await gateway.draft(allow_non_restored_state=True)
            await gateway.change(restore_from=path)
            address, given = f"/portal/jobs/{(await gateway.row()).number}/start-draft", {}
        else:
            given["savepoint"] = path = "file:///elsewhere/savepoint-1"
        before = len(gateway.flink.submissions)
        page = await browser.get(address)
        refused = await browser.refused(page.form(address), 400, **given)
        assert "no operator of the new version claims" in refused.problems["confirm"]
        assert len(gateway.flink.submissions) == before
        await browser.refused(refused.form(address), 400, confirm="other")
        await browser.sent(refused.form(address), confirm="orders")
        await portal.settled()
        last = (await gateway.row()).last
        assert draft or f"FileNotFoundException: {path.removeprefix('file://')}" in last.output
        assert not draft or (await gateway.row()).record.restored_from == path

        fresh = f"/portal/jobs/{(await gateway.row('fresh')).number}/start-draft" if draft else NEW
        given = {} if draft else {**ORDERS, "options": unclaimed, "job_name": "fresh"}
        await browser.sent((await browser.get(fresh)).form(fresh), **given)

    look(test)


def test_the_plan_says_whose_bytes_run(look: Look) -> None:
    """Shows that a start runs the earlier ones, and those that lie there where none ever ran."""

    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        await browser.sent((await browser.get(NEW)).form(NEW), **ORDERS | {"jar": f"{JARS}/no.jar"})
        await portal.settled()
        await gateway.done("NEW", "other")
        await gateway.done("STOP", "other")
        said = {}
        for address in (f"{JOB}/re-launch", "/portal/jobs/2/start"):
            form = (await browser.get(address)).form(address)
            form.fields["review"] = "1"
            page = await browser.refused(form, 200)
            said[address] = "The jar is taken as it lies there" in page.text
        assert said == {f"{JOB}/re-launch": True, "/portal/jobs/2/start": False}

    look(test)
