"""The versions of a job on its page, and the form by which it goes back to one of them."""

from __future__ import annotations

from collections.abc import Sequence

from flink_jobs_provider.gateway.job_history import JobVersion
from flink_jobs_provider.gateway.principal import Role
from flink_jobs_provider.model.savepoint import canonical_path
from tests.portal_pages import Page
from tests.unit.gateway.jobs.gateway import make_jar
from tests.unit.gateway.portal.browsing import Browser, Look, Opened

JOB = "/portal/jobs/1"
NOTHING = "\N{EN DASH}"


async def _three_versions(portal: Opened) -> list[str]:
    """Start three versions of a job, each with another jar; return their ids, the oldest first."""
    gateway = portal.gateway
    made = []
    for action, note, parallelism in (("NEW", "a", 1), ("UPDATE", "b", 1), ("UPDATE", "c", 2)):
        make_jar(gateway.jar, note)
        row = await gateway.done(action, jar=f"file://{gateway.jar}", parallelism=parallelism)
        made.append(row.last.id)
    return made


async def _page_of(browser: Browser, version: str) -> Page:
    return await browser.get(f"{JOB}/versions/{version}")


def _offers(page: Page) -> list[str]:
    return [each.text for each in page.find("td", data_label="Way back")]


def test_a_job_goes_back_to_an_earlier_version(look: Look) -> None:
    """Shows the list, what it would do, the start with the jar of then, and the new version."""

    async def test(portal: Opened) -> None:
        first, second, _ = await _three_versions(portal)
        gateway, browser = portal.gateway, await portal.signed_in()
        digests = [each.jar_digest for each in reversed(await _versions(portal))]
        page = await browser.get(JOB)
        changed = [each.text for each in page.find("td", data_label="Changed")]
        assert changed == ["Jar path, Parallelism", "Jar path", NOTHING]
        jars = [each.text.split()[-1] for each in page.find("td", data_label="Jar path")]
        assert jars == [digest[:12] for digest in reversed(digests)]
        assert _offers(page) == ["the latest", "Go back to it", "Go back to it"]
        links = [each.attributes["href"] for each in page.find("a") if each.text == "Go back to it"]
        assert links == [f"{JOB}/versions/{version}" for version in (second, first)]
        page = await _page_of(browser, first)
        assert digests[0] in page.text
        form = page.form(links[1])
        form.fields["review"] = "1"
        page = await browser.refused(form, 200)
        plan = page.find("div", class_="card plan")[0].text
        assert "UPDATE" in plan
        assert "jar content changed" in plan
        assert "parallelism 2 -> 1" in plan.replace("→", "->")
        assert "The jar is taken as it lies there" not in plan
        assert len(gateway.flink.submissions) == 3
        form = page.form(links[1])
        assert form.action == links[1]
        await browser.sent(form)
        await portal.settled()
        row = await gateway.row()
        assert (row.status, row.record.spec.parallelism) == ("RUNNING", 1)
        assert row.record.spec.jar_digest == digests[0]
        assert row.record.restored_from is not None
        assert row.last.caller == "ada"
        entry = portal.audit.entries[-1]
        assert (entry["who"], entry["what"], entry["result"]) == ("ada", "rollback", "ACCEPTED")
        assert len(_offers(await browser.get(JOB))) == 4

    look(test)


async def _versions(portal: Opened) -> Sequence[JobVersion]:
    row = await portal.gateway.row()
    return await portal.gateway.jobs.versions(row.cluster, row.number, limit=10)


def test_the_way_back_from_a_savepoint(look: Look) -> None:
    """Shows a stopped job, the choice of a savepoint, and one that is not on record."""

    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        first, *_ = await _three_versions(portal)
        taken = str((await gateway.done("SAVEPOINT")).record.last_savepoint)
        await gateway.done("STOP")
        address = f"{JOB}/versions/{first}"
        page = await browser.get(address)
        assert "The job does not run" in page.text
        form = page.form(address)
        page = await browser.refused(form, 400, savepoint="file:///etc")
        assert "savepoint" in page.problems
        assert (await gateway.row()).status == "STOPPED"
        form = page.form(address)
        await browser.sent(form, savepoint=taken)
        await portal.settled()
        row = await gateway.row()
        assert row.status == "RUNNING"
        assert canonical_path(str(row.record.restored_from)) == canonical_path(taken)

    look(test)


def test_who_acts_second_is_told_and_nothing_is_begun(look: Look) -> None:
    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        first, *_ = await _three_versions(portal)
        address = f"{JOB}/versions/{first}"
        form = (await browser.get(address)).form(address)
        await gateway.done("SAVEPOINT")
        before = len(gateway.flink.submissions)
        page = await browser.refused(form, 400)
        assert "Savepoint" in page.text
        assert len(gateway.flink.submissions) == before
        # The page that says so has seen it.
        await browser.sent(page.form(address))
        await portal.settled()
        assert len(gateway.flink.submissions) == before + 1

    look(test)


def test_who_may_only_read_sees_versions_and_cannot_go_back(look: Look) -> None:
    async def test(portal: Opened) -> None:
        gateway = portal.gateway
        first, *_ = await _three_versions(portal)
        browser = await portal.signed_in("eve", Role.READ)
        page = await browser.get(JOB)
        assert _offers(page) == ["the latest", NOTHING, NOTHING]
        address = f"{JOB}/versions/{first}"
        page = await browser.get(address)
        assert "Your role on this cluster is read" in page.text
        before = len(gateway.flink.submissions)
        answer = await browser.send(page.form(address))
        assert answer.status_code == 403
        assert len(gateway.flink.submissions) == before

    look(test)


def test_a_version_that_there_is_none_of(look: Look) -> None:
    async def test(portal: Opened) -> None:
        await _three_versions(portal)
        browser = await portal.signed_in()
        await browser.get(f"{JOB}/versions/none", 404)
        await browser.get(f"{JOB}/versions/..%2F..", 404)

    look(test)


def test_secrets_of_an_earlier_version_are_masked(look: Look) -> None:
    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        jar = f"file://{gateway.jar}"
        row = await gateway.done("NEW", jar=jar, args=["--password", "hunter2"])
        await gateway.done("UPDATE", jar=jar, args=["--password", "hunter3"])
        page = await _page_of(browser, row.last.id)
        assert "--password" in page.text
        assert "hunter" not in page.html

    look(test)


def test_state_that_nothing_claims_is_not_dropped_unasked(look: Look) -> None:
    """Shows that the job's name is to be typed where the job drops such state."""

    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        first = (await gateway.done("NEW", jar=f"file://{gateway.jar}")).last.id
        await gateway.done("UPDATE", parallelism=2, allow_non_restored_state=True)
        address = f"{JOB}/versions/{first}"
        page = await browser.refused((await browser.get(address)).form(address), 400)
        assert "confirm" in page.problems
        assert (await gateway.row()).last.action == "UPDATE"
        before = len(gateway.flink.submissions)
        await browser.sent(page.form(address), confirm="orders")
        await portal.settled()
        assert len(gateway.flink.submissions) == before + 1

    look(test)
