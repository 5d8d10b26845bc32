"""Acting on jobs by forms: each action, its mistakes, and what is not offered."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest

from flink_jobs_provider.gateway.job_service import ActionRow
from flink_jobs_provider.gateway.principal import Role
from flink_jobs_provider.gateway.refusals import Refusal
from tests.portal_pages import Page
from tests.unit.gateway.jobs.gateway import CLUSTER, make_jar
from tests.unit.gateway.portal.browsing import JARS, Browser, Look, Opened
from tests.unit.reconciling.flink.fake_flink import RETAINED
from tests.unit.reconciling.flink.test_program_check import OLD, RENAMED

NEW = "/portal/new"
JOB = "/portal/jobs/1"
ORDERS = {"job_name": "orders", "jar": f"{JARS}/orders.jar", "entry_class": "Main"}


async def _act(portal: Opened, browser: Browser, action: str, **values: str) -> Page:
    """Send the form of an action, wait for its end, and return the job's page."""
    form = (await browser.get(f"{JOB}/{action}")).form(f"{JOB}/{action}")
    assert not form.disabled
    await browser.sent(form, **values)
    await portal.settled()
    row = await portal.gateway.row()
    assert row.last.result == "SUCCESS", row.last.output
    return await browser.get(JOB)


async def _new(portal: Opened, browser: Browser, **values: str) -> Page:
    form = (await browser.get(NEW)).form(NEW)
    page = await browser.sent(form, **{**ORDERS, **values})
    await portal.settled()
    return page


def _offered(page: Page) -> set[str]:
    ids = [each.attributes.get("id", "") for each in page.find("a")]
    return {name.removeprefix("act-") for name in ids if name.startswith("act-")}


def test_every_step_of_the_services_own_portal(look: Look) -> None:
    """Shows new, savepoint, stop, start from a savepoint, both updates, cancel and delete."""

    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        form = (await browser.get(NEW)).form(NEW)
        assert form.fields["parallelism"] == "2", "the service's default"
        page = await _new(portal, browser, args="--topic  orders", options="a.b: c\nd: e:f")
        assert "New job" in page.text
        row = await gateway.row()
        assert (row.status, row.last.caller) == ("RUNNING", "ada")
        assert row.record.spec.args == ["--topic", "orders"]
        assert row.record.spec.flink_configuration == {"a.b": "c", "d": "e:f"}
        assert row.record.spec.parallelism == 2
        page = await browser.get(JOB)
        running = {"stop", "savepoint", "update", "stateless-update", "last-state-update"}
        assert _offered(page) == running | {"list-savepoint", "cancel", "release"}

        gateway.flink.pass_time(10)
        await _act(portal, browser, "savepoint")
        first = str((await gateway.row()).record.last_savepoint)
        gateway.flink.pass_time(10)
        page = await _act(portal, browser, "stop")
        assert "STOPPED" in page.text
        assert {"start", "delete"} <= _offered(page)

        page = await browser.get(f"{JOB}/start")
        last = str((await gateway.row()).record.last_savepoint)
        assert page.fact("Last savepoint") == last
        assert page.form(f"{JOB}/start").choices["savepoint"] == ["", last, first]
        page = await browser.get(JOB)
        links = [
            each.attributes["href"] for each in page.find("a") if each.text == "Start from here"
        ]
        form = (await browser.get(links[1])).form(f"{JOB}/start")
        assert form.fields["savepoint"] == first
        await browser.sent(form)
        await portal.settled()
        assert gateway.flink.the_job().restored_from == first

        make_jar(gateway.jar, "other bytes")
        before = (await gateway.row()).record.spec.jar_digest
        await _act(portal, browser, "update", parallelism="4")
        row = await gateway.row()
        assert row.record.spec.parallelism == 4
        assert row.record.spec.flink_configuration == {"a.b": "c", "d": "e:f"}
        assert row.record.spec.jar_digest != before
        assert "/savepoint-" in gateway.flink.the_job().restored_from

        await _act(portal, browser, "stateless-update", args="--fresh", confirm="orders")
        assert gateway.flink.the_job().restored_from == ""
        assert (await gateway.row()).record.spec.args == ["--fresh"]
        assert (await gateway.row()).record.spec.parallelism == 4

        page = await _act(portal, browser, "cancel", confirm="orders")
        assert "CANCELED" in page.text
        form = (await browser.get(f"{JOB}/delete")).form(f"{JOB}/delete")
        await browser.send(form, confirm="orders")
        await gateway.ended((await gateway.jobs.history(CLUSTER, 1, limit=1))[0].id)
        await browser.get(JOB, 404)
        accepted = [e["what"] for e in portal.audit.entries if e["has_action"]]
        assert accepted == [
            *("NEW", "SAVEPOINT", "STOP", "START"),
            *("UPDATE", "STATELESS_UPDATE", "CANCEL", "DELETE"),
        ]

    look(test)


def test_last_state_update_and_relaunch(look: Look) -> None:
    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        option = next(iter(RETAINED.items()))
        await _new(portal, browser, options=f"{option[0]}: {option[1]}")
        gateway.flink.pass_time(70)
        await _act(portal, browser, "last-state-update")
        assert "/chk-" in gateway.flink.the_job().restored_from
        gateway.flink.pass_time(70)
        await _act(portal, browser, "cancel", confirm="orders")
        await _act(portal, browser, "re-launch", args="--again")
        assert gateway.flink.the_job().restored_from
        assert (await gateway.row()).record.spec.args == ["--again"]
        await _act(portal, browser, "list-savepoint")

    look(test)


def test_a_finished_job_starts_from_a_savepoint_alone(look: Look) -> None:
    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        await _new(portal, browser)
        await _act(portal, browser, "savepoint")
        gateway.flink.end(gateway.flink.the_job(), "FINISHED")
        await gateway.look()
        page = await browser.get(JOB)
        assert "re-launch" not in _offered(page)
        await browser.sent((await browser.get(page.link("Start from here"))).forms[-1])
        await portal.settled()
        assert (await gateway.row()).status == "RUNNING"

    look(test)


def test_all_mistakes_are_shown_at_once_at_their_fields(look: Look) -> None:
    """Shows that what was typed stays, and that nothing was asked for."""

    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        form = (await browser.get(NEW)).form(NEW)
        wrong = {
            "job_name": "Orders!",
            "jar": "s3://elsewhere/orders.jar",
            "entry_class": "",
            "args": "--a b",
            "parallelism": "many",
            "savepoint_directory": "relative/place",
            "options": "no colon\na: 1\na: 2\nparallelism: 3",
        }
        page = await browser.refused(form, 400, **wrong)
        kept = page.form(NEW).fields
        assert {name: kept[name] for name in wrong} == wrong
        assert set(page.problems) == set(wrong) - {"args"}
        assert page.problems["entry_class"] == "This is required."
        assert page.problems["job_name"].startswith("Job name must be 1 to 63 lower-case")
        assert page.problems["parallelism"].startswith("Parallelism must be a whole number")
        assert "Line 1 has no colon" in page.problems["options"]
        assert "a is given twice" in page.problems["options"]
        assert "parallelism has a field of its own" in page.problems["options"]
        assert page.find("input", id="job_name", aria_invalid="true")
        assert await portal.gateway.rows() == []

    look(test)


@pytest.mark.parametrize(
    ("values", "status", "field", "said"),
    [
        ({"jar": f"{JARS}/missing.jar"}, 303, "", ""),
        ({"options": "state.savepoints.dir: file:///x"}, 400, "options", "state.savepoints.dir"),
        ({"job_name": "taken"}, 409, "", "exists already"),
        ({"savepoint": "savepoint-1"}, 400, "savepoint", "Savepoint must be the path"),
    ],
)
def test_what_only_the_service_knows_is_shown_in_the_form(
    values: dict[str, str], status: int, field: str, said: str, look: Look
) -> None:
    async def test(portal: Opened) -> None:
        await portal.gateway.draft("taken")
        browser = await portal.signed_in()
        form = (await browser.get(NEW)).form(NEW)
        answer = await browser.send(form, **{**ORDERS, **values})
        assert answer.status_code == status, answer.text
        if status != 303:
            page = Page(answer.text)
            (problems,) = page.find("div", class_="problems")
            sent_on = "This was not accepted" in problems.text
            assert sent_on == (status == 409)
            assert sent_on != ("Nothing was sent" in problems.text)
            place = page.problems[field] if field else problems.text
            assert said in place
            assert page.form(NEW).fields["entry_class"] == "Main"
            assert portal.audit.entries[-1]["status"] in (status, 303)

    look(test)


@pytest.mark.parametrize("action", ["NEW", "SAVEPOINT"])
def test_what_became_of_a_form_is_unknown_where_records_do_not_answer(
    action: str, look: Look
) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        if action != "NEW":
            await _new(portal, browser)
        address = NEW if action == "NEW" else f"{JOB}/savepoint"
        form = (await browser.get(address)).form(address)

        async def away(_: object) -> ActionRow:
            raise Refusal("RecordsUnavailable", "The gateway's database does not answer.")

        portal.gateway.jobs.submit = away  # type: ignore[method-assign,assignment]
        page = await browser.refused(form, 503, **(ORDERS if action == "NEW" else {}))
        (problems,) = page.find("div", class_="problems")
        assert problems.text.startswith("It is not known whether this was accepted")
        assert "Nothing was sent" not in problems.text

    look(test)


def test_a_launch_that_fails_is_on_record_with_its_reason(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        page = await _new(portal, browser, jar=f"{JARS}/missing.jar")
        assert "JOB_LAUNCH_FAILED" in page.text
        assert f"{JARS}/missing.jar" in page.text
        assert "delete" in _offered(page)

    look(test)


@pytest.mark.parametrize("action", ["stateless-update", "cancel", "delete"])
@pytest.mark.parametrize("typed", ["", "order", "Orders"])
def test_what_drops_something_is_confirmed_by_name(action: str, typed: str, look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        await _new(portal, browser)
        if action == "delete":
            await portal.gateway.done("STOP")
        before = (await portal.gateway.row()).last.id
        form = (await browser.get(f"{JOB}/{action}")).form(f"{JOB}/{action}")
        page = await browser.refused(form, 400, confirm=typed)
        assert page.problems["confirm"] == "Type orders to confirm."
        assert (await portal.gateway.row()).last.id == before

    look(test)


@pytest.mark.parametrize(
    ("page", "first"), [("update", ""), ("last-state-update", ""), ("start", "STOP")]
)
def test_state_that_nothing_claims_is_dropped_by_name_alone(
    page: str, first: str, look: Look
) -> None:
    """Shows it of the option that an update sets, and of one that the job has already."""

    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        option = "execution.state-recovery.ignore-unclaimed-state: true"
        await _new(portal, browser, options=option if first else "")
        if first:
            await portal.gateway.done(first)
        before = (await portal.gateway.row()).last.id
        form = (await browser.get(f"{JOB}/{page}")).form(f"{JOB}/{page}")
        given = {} if first else {"options": option}
        refused = await browser.refused(form, 400, **given)
        assert "no operator of the new version claims" in refused.problems["confirm"]
        assert (await portal.gateway.row()).last.id == before
        form = refused.form(f"{JOB}/{page}")
        form.fields["review"] = "1"
        await browser.refused(form, 200, confirm="orders")
        del form.fields["review"]
        await browser.sent(form, confirm="orders")
        last = (await portal.gateway.row()).last
        assert (last.caller, last.id != before) == ("ada", True)

    look(test)


def test_two_people_at_once(look: Look) -> None:
    """Shows that the second is told who was first, keeps what they typed, and may go on."""

    async def test(portal: Opened) -> None:
        ada, bob = await portal.signed_in("ada"), await portal.signed_in("bob")
        await _new(portal, ada)
        form = (await bob.get(f"{JOB}/update")).form(f"{JOB}/update")
        await _act(portal, ada, "update", parallelism="4")
        page = await bob.refused(form, 400, args="--of-bob")
        assert "The job has changed since you opened this page: Update by ada at 2" in page.text
        (plan,) = page.find("div", class_="card plan")
        assert "args changed" in plan.text
        assert "parallelism" not in plan.text
        form = page.form(f"{JOB}/update")
        assert (form.fields["args"], form.fields["parallelism"]) == ("--of-bob", "4")
        assert (await portal.gateway.row()).record.spec.args == []
        await bob.sent(form)
        await portal.settled()
        spec = (await portal.gateway.row()).record.spec
        assert (list(spec.args), spec.parallelism) == (["--of-bob"], 4)

    look(test)


def test_what_is_accepted_while_a_form_is_on_its_way_counts(look: Look) -> None:
    """Shows that whoever came second at the same moment is told as whoever came later."""

    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        await _new(portal, browser)
        form = (await browser.get(f"{JOB}/update")).form(f"{JOB}/update")
        submission = portal.portal._actions.submission
        submit = submission.submit

        async def later(*given: Any) -> ActionRow:
            await portal.gateway.done("UPDATE", args=["--of-another"])
            return await submit(*given)

        submission.submit = later  # type: ignore[method-assign,assignment]
        page = await browser.refused(form, 409, parallelism="4")
        submission.submit = submit  # type: ignore[method-assign]
        assert "This was not accepted" in page.text
        assert "since you opened this page: Update by tester at 2" in page.text
        form = page.form(f"{JOB}/update")
        assert (form.fields["args"], form.fields["parallelism"]) == ("--of-another", "4")
        assert (await portal.gateway.row()).record.spec.parallelism != 4
        await browser.sent(form)

    look(test)


def test_what_both_have_changed_is_said_at_the_field(look: Look) -> None:
    """Shows it of fields with masked values and of options, and what is sent in the end."""

    async def test(portal: Opened) -> None:
        ada, bob = await portal.signed_in("ada"), await portal.signed_in("bob")
        await _new(portal, ada, args="--password hunter2", options="a.b: c")
        form = (await bob.get(f"{JOB}/update?secrets=shown")).form(f"{JOB}/update")
        await _act(portal, ada, "update", args="--password hunter3", options="a.b: d")
        page = await bob.refused(form, 400, options="a.b: e", parallelism="3")
        assert "it is now a.b: d" in page.problems["options"]
        assert set(page.problems) == {"options"}
        (plan,) = page.find("div", class_="card plan")
        assert "args" not in plan.text
        assert "hunter" not in page.html
        await bob.sent(page.form(f"{JOB}/update"))
        await portal.settled()
        spec = (await portal.gateway.row()).record.spec
        assert list(spec.args) == ["--password", "hunter3"]
        assert (dict(spec.flink_configuration), spec.parallelism) == ({"a.b": "e"}, 3)

    look(test)


def test_an_action_in_progress_is_shown_with_who_and_since_when(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        await _new(portal, browser)
        form = (await browser.get(f"{JOB}/stop")).form(f"{JOB}/stop")
        with portal.gateway.store._database.writing() as records:
            records.exec_driver_sql(
                "UPDATE actions SET finished_at = NULL, result = 'IN_PROGRESS',"
                " output = 'waiting for slots', caller = 'pipeline'"
            )
        page = await browser.get(JOB)
        assert _offered(page) == set()
        assert "New job is in progress, begun by pipeline" in page.text
        assert "waiting for slots" in page.text
        page = await browser.get(f"{JOB}/stop")
        assert page.form(f"{JOB}/stop").disabled
        page = await browser.refused(form, 409)
        assert "New job is in progress, begun by pipeline at 2" in page.text
        assert "Nothing of this form was begun" in page.text
        (problems,) = page.find("div", class_="problems")
        assert "waiting for slots" in problems.text, "how far it is"

    look(test)


def test_what_a_status_does_not_allow_is_there_with_the_reason(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        await _new(portal, browser)
        page = await browser.get(JOB)
        (start,) = [
            each for each in page.find("span", aria_disabled="true") if each.text == "Start"
        ]
        assert start.attributes["title"] == (
            "Not possible while the job is RUNNING. Possible: Stop, Savepoint, Update, "
            "Stateless update, Last-state update, Look for savepoints, Cancel, Release."
        )
        page = await browser.get(f"{JOB}/start")
        assert page.form(f"{JOB}/start").disabled
        page = await browser.refused(page.form(f"{JOB}/start"), 409)
        assert "START is not possible while job orders is RUNNING" in page.text

    look(test)


def test_a_reader_is_offered_nothing(look: Look) -> None:
    async def test(portal: Opened) -> None:
        await portal.gateway.done("NEW")
        browser = await portal.signed_in("reader", Role.READ)
        page = await browser.get(JOB)
        assert _offered(page) == set()
        assert "Your role on this cluster is read" in page.text
        assert page.find("a", href=NEW) == []
        page = await browser.get(f"{JOB}/stop")
        await browser.refused(page.form(f"{JOB}/stop"), 403)
        answer = await browser.client.get(NEW)
        assert "acting needs operate" in answer.text
        assert '<form class="card"' not in answer.text

    look(test)


def test_masked_values_stay_unless_they_are_replaced(look: Look) -> None:
    """Shows it of args and options: what a form does not show, it does not change."""

    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        args, options = "--password hunter2 --topic a", "s3.secret.key: hunter3\na.b: c"
        await _new(portal, browser, args=args, options=options)
        form = (await browser.get(f"{JOB}/update")).form(f"{JOB}/update")
        assert "hunter" not in str(form.fields)
        await _act(portal, browser, "update", parallelism="3", options="s3.secret.key: ***\nx: y")
        spec = (await portal.gateway.row()).record.spec
        assert " ".join(spec.args) == args
        assert spec.flink_configuration == {"s3.secret.key": "hunter3", "x": "y"}

        form = (await browser.get(f"{JOB}/update")).form(f"{JOB}/update")
        changed = {"args": form.fields["args"].replace("--topic a", "--topic b")}
        page = await browser.refused(form, 400, **changed, options="s3.other.key: ***")
        assert "Show the secrets first" in page.problems["args"]
        assert "s3.other.key: show the secrets first" in page.problems["options"]

        form = (await browser.get(f"{JOB}/update?secrets=shown")).form(f"{JOB}/update")
        assert form.fields["args"] == args
        await browser.sent(form, args=args.replace("--topic a", "--topic b"))
        await portal.settled()
        spec = (await portal.gateway.row()).record.spec
        assert " ".join(spec.args) == "--password hunter2 --topic b"

    look(test)


def test_what_an_update_changes_is_shown_before_it_is_sent(look: Look) -> None:
    """Shows that nothing is done, that secrets stay masked, and that the form is kept."""

    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        await _new(portal, browser, args="--password hunter2")
        address = f"{JOB}/update"
        form = (await browser.get(address)).form(address)
        form.fields["review"] = "1"
        page = await browser.refused(form, 200, parallelism="5", options="a.token: hunter3")
        (plan,) = page.find("div", class_="card plan")
        assert "parallelism 2 → 5" in plan.text
        assert "hunter" not in page.html.replace("a.token: hunter3", "")
        assert (await portal.gateway.row()).last.action == "NEW"
        form = page.form(address)
        assert form.fields["parallelism"] == "5"
        await browser.sent(form)
        await portal.settled()
        assert (await portal.gateway.row()).record.spec.parallelism == 5
        form = (await browser.get(address)).form(address)
        form.fields["review"] = "1"
        page = await browser.refused(form, 200)
        assert "No input of the job changes." in page.text
        page = await browser.refused(form, 400, parallelism="none")
        assert page.problems["parallelism"].startswith("Parallelism must be")

    look(test)


@pytest.mark.parametrize(
    ("entry_class", "shown", "refused"),
    [
        ("Same", "State fits (2 chains, 4.0 kB).", ""),
        (
            "Renamed",
            "STATE IS DROPPED: 4.0 kB of count -> sink (count).",
            "has no place for 4.0 kB",
        ),
    ],
)
def test_an_update_is_shown_with_whether_state_fits(
    look: Look, entry_class: str, shown: str, refused: str
) -> None:
    """Shows the verdict before anything is sent, and why the update would be refused."""

    async def test(portal: Opened) -> None:
        flink = portal.gateway.flink
        flink.cluster = replace(flink.cluster, intercepts_exit=True)
        flink.programs |= {"Old": OLD, "Same": OLD, "Renamed": RENAMED}
        browser = await portal.signed_in()
        await _new(portal, browser, entry_class="Old")
        flink.pass_time(60)  # it has completed a checkpoint
        address = f"{JOB}/update"
        form = (await browser.get(address)).form(address)
        form.fields["review"] = "1"
        page = await browser.refused(form, 200, entry_class=entry_class)
        (plan,) = page.find("div", class_="card plan")
        assert shown in plan.text
        assert refused in plan.text
        assert ("goes on as it was" in plan.text) == bool(refused)
        assert (await portal.gateway.row()).last.action == "NEW"

    look(test)


def test_a_savepoint_that_is_none_of_the_jobs(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        await _new(portal, browser)
        await _act(portal, browser, "stop")
        form = (await browser.get(f"{JOB}/start")).form(f"{JOB}/start")
        page = await browser.refused(form, 400, savepoint="file:///etc/passwd")
        assert page.problems["savepoint"] == "The job has no such savepoint on record."

    look(test)


def test_a_job_of_the_same_name_that_came_later_is_another(look: Look) -> None:
    """Shows that a form which was opened before acts on nothing but the job that it showed."""

    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        await _new(portal, browser)
        form = (await browser.get(f"{JOB}/cancel")).form(f"{JOB}/cancel")
        await portal.gateway.done("CANCEL")
        await portal.gateway.do("DELETE")
        await portal.gateway.done("NEW")
        answer = await browser.send(form, confirm="orders")
        assert answer.status_code == 404
        assert (await portal.gateway.row()).status == "RUNNING"

    look(test)


def test_the_same_request_for_a_terminal_is_taken_by_the_api(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        await _new(portal, browser)
        page = await browser.get(f"{JOB}/savepoint")
        (command,) = page.find("pre")
        words = [word for word in shlex.split(command.raw) if word != "\n"]
        url = words[words.index("POST") + 1]
        token = portal.token("pipeline")
        assert "Authorization: Bearer $TOKEN" in words
        answer = await browser.client.post(
            url,
            content=words[words.index("-d") + 1],
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        assert answer.status_code == 202, answer.text
        await portal.settled()
        assert (await portal.gateway.row()).last.action == "SAVEPOINT"

    look(test)


def test_a_job_is_released_by_its_name_and_goes_on(look: Look) -> None:
    """Shows the form, and the command that does the same."""

    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        await _new(portal, browser)
        job = gateway.flink.the_job()
        page = await browser.get(f"{JOB}/release")
        assert "leaves it running" in page.text
        assert "/api/v1/jobs/1/release" in page.text
        form = page.form(f"{JOB}/release")
        refused = await browser.refused(form, 400)
        assert refused.problems["confirm"] == "Type orders to confirm."
        assert len(await gateway.rows()) == 1
        accepted = await browser.send(refused.form(f"{JOB}/release"), confirm="orders")
        assert accepted.status_code == 303
        await portal.settled()
        assert await gateway.rows() == []
        assert gateway.flink.the_job() is job

    look(test)


def test_a_job_that_does_not_run_is_not_released(look: Look) -> None:
    """Shows that the button is off: there is nothing to leave to others."""

    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        await _new(portal, browser)
        assert "release" in _offered(await browser.get(JOB))
        await _act(portal, browser, "stop")
        assert "release" not in _offered(await browser.get(JOB))

    look(test)
