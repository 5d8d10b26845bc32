"""The form of an update by which a copy of the new version is rehearsed first."""

from __future__ import annotations

from tests.unit.gateway.portal.browsing import Look, Opened
from tests.unit.reconciling.flink.fake_job import Program

UPDATE = "/portal/jobs/1/update"


async def _running(portal: Opened, **programs: Program) -> None:
    gateway = portal.gateway
    gateway.flink.programs |= programs
    await gateway.done("NEW", jar=f"file://{gateway.jar}", args=["--topic", "orders"])
    gateway.flink.pass_time(61)


def test_a_version_is_rehearsed_before_the_update(look: Look) -> None:
    """Shows the plan, the copy's args, and that the next update rehearses nothing by itself."""

    async def test(portal: Opened) -> None:
        await _running(portal)
        gateway, browser = portal.gateway, await portal.signed_in()
        typed = {"entry_class": "New", "rehearsal_args": "--topic elsewhere"}
        form = (await browser.get(UPDATE)).form(UPDATE)
        form.fields["review"] = "1"
        page = await browser.refused(form, 200, **typed)
        plan = page.find("div", class_="card plan")[0].text
        assert "REHEARSE, then UPDATE, stop with savepoint and restart" in plan
        assert len(gateway.flink.submissions) == 1
        await browser.sent(page.form(UPDATE))
        await portal.settled()
        _, copy, version = gateway.flink.submissions
        assert (copy.spec.args, version.spec.args) == (
            ["--topic", "elsewhere"],
            ["--topic", "orders"],
        )
        row = await gateway.row()
        assert (row.status, row.last.result, row.record.job_id) == (
            "RUNNING",
            "SUCCESS",
            version.job_id,
        )
        assert row.record.spec.rehearsal is None
        assert "rehearsal_args" in page.form(UPDATE).fields
        await gateway.done("UPDATE", parallelism=3)
        assert len(gateway.flink.submissions) == 4

    look(test)


def test_a_version_that_fails_its_rehearsal_leaves_the_job_alone(look: Look) -> None:
    async def test(portal: Opened) -> None:
        await _running(portal, Bad=Program(restarts_after=2.0))
        gateway, browser = portal.gateway, await portal.signed_in()
        job = gateway.flink.the_job()
        form = (await browser.get(UPDATE)).form(UPDATE)
        await browser.sent(form, entry_class="Bad", rehearsal_args="--topic elsewhere")
        await portal.settled()
        row = await gateway.row()
        assert row.last.result == "FAILED"
        assert "the rehearsal of the new version" in str(row.last.output)
        assert (row.status, row.record.job_id) == ("RUNNING", job.job_id)
        assert gateway.flink.the_job() is job

    look(test)


def test_a_copy_that_would_write_where_the_job_does_is_refused(look: Look) -> None:
    async def test(portal: Opened) -> None:
        await _running(portal)
        gateway, browser = portal.gateway, await portal.signed_in()
        form = (await browser.get(UPDATE)).form(UPDATE)
        page = await browser.refused(form, 400, rehearsal_args="--topic  orders")
        assert "where the job does" in page.problems["rehearsal_args"]
        assert page.form(UPDATE).fields["rehearsal_args"].split() == ["--topic", "orders"]
        assert len(gateway.flink.submissions) == 1

    look(test)
