"""The form by which a job that runs and is not ours is put on record as it runs."""

from __future__ import annotations

import httpx

from flink_jobs_provider.gateway.principal import Role
from tests.portal_pages import Form
from tests.unit.gateway.jobs.gateway import CLUSTER
from tests.unit.gateway.jobs.test_adoption import foreign_job
from tests.unit.gateway.portal.browsing import JARS, Browser, Look, Opened
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.test_adopting import FOREIGN, SUM

CLUSTERS, NEW = "/portal/clusters", "/portal/new"
ORDERS = {"job_name": "orders", "jar": f"{JARS}/orders.jar", "entry_class": "Old"}


async def _form(browser: Browser) -> Form:
    query = httpx.QueryParams(cluster=CLUSTER, adopt=FOREIGN)
    return (await browser.get(f"{NEW}?{query}")).form(NEW)


def test_a_job_that_is_not_ours_is_adopted(look: Look) -> None:
    """Shows the link, what is filled in, what it would do, the job on record, and who did it."""

    async def test(portal: Opened) -> None:
        job = foreign_job(portal.gateway.flink)
        browser = await portal.signed_in()
        page = await browser.get((await browser.get(CLUSTERS)).link("Adopt"))
        assert "nothing is restarted" in page.text
        form = page.form(NEW)
        assert (form.fields["adopt"], form.fields["cluster"]) == (FOREIGN, CLUSTER)
        assert form.fields["job_name"] == "whatever-main-says"
        assert "savepoint" not in form.fields
        form.fields["review"] = "1"
        page = await browser.refused(form, 200, **ORDERS)
        plan = page.find("div", class_="card plan")[0].text
        assert "ADOPT, it goes on as it is" in plan
        assert f"Job {FOREIGN}" in plan
        assert "the declared program builds its job graph" in plan
        assert '"adopt": "' + FOREIGN in page.html.replace("&#34;", '"')
        before = len(portal.gateway.flink.submissions)
        await browser.sent(page.form(NEW))
        await portal.settled()
        row = await portal.gateway.row()
        assert (row.status, row.record.job_id, row.last.caller) == ("RUNNING", FOREIGN, "ada")
        assert portal.gateway.flink.the_job() is job
        assert len(portal.gateway.flink.submissions) == before
        entry = portal.audit.entries[-1]
        assert (entry["who"], entry["what"], entry["result"]) == ("ada", "adopt", "ACCEPTED")

    look(test)


def test_a_program_that_is_not_known_may_be_restarted_only_where_that_was_ticked(
    look: Look,
) -> None:
    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        foreign_job(gateway.flink)
        gateway.flink.programs["Old"] = Program(vertices=(SUM,))
        form = await _form(browser)
        form.fields["review"] = "1"
        page = await browser.refused(form, 200, **ORDERS)
        assert "builds another job graph" in page.find("div", class_="card plan")[0].text
        form = page.form(NEW)
        form.fields["allow_no_way_back"] = "1"
        await browser.sent(form)
        await portal.settled()
        assert (await gateway.row()).record.spec.allow_no_way_back
        assert (await gateway.done("UPDATE", parallelism=3)).status == "RUNNING"

    look(test)


def test_a_job_that_ended_meanwhile_is_not_adopted(look: Look) -> None:
    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        job = foreign_job(gateway.flink)
        form = await _form(browser)
        gateway.flink.end(job, "FINISHED")
        form.fields["review"] = "1"
        page = await browser.refused(form, 200, **ORDERS)
        assert f"no job {FOREIGN} runs on" in page.find("p", class_="banner drops")[0].text
        await browser.sent(page.form(NEW))
        await portal.settled()
        assert (await gateway.row()).status == "JOB_LAUNCH_FAILED"
        assert len(gateway.flink.submissions) == 1

    look(test)


def test_who_may_only_read_cannot_adopt(look: Look) -> None:
    async def test(portal: Opened) -> None:
        foreign_job(portal.gateway.flink)
        browser = await portal.signed_in("rob", Role.READ)
        page = await browser.get(CLUSTERS)
        assert page.find("th", data_label="Name")
        assert [each for each in page.find("a") if each.text == "Adopt"] == []
        query = httpx.QueryParams(cluster=CLUSTER, adopt=FOREIGN)
        await browser.get(f"{NEW}?{query}", 403)
        assert await portal.gateway.rows() == []

    look(test)


def test_what_is_no_job_id_is_not_put_into_the_form(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        query = httpx.QueryParams(cluster=CLUSTER, adopt='"><script>')
        page = await browser.get(f"{NEW}?{query}")
        assert "<script>" not in page.html.replace('<script type="module"', "")
        assert "adopt" not in page.form(NEW).fields

    look(test)
