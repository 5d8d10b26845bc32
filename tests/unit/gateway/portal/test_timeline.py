"""What a job can be started from: origin, size, age, and whether it is still there."""

from __future__ import annotations

from dataclasses import replace

from flink_jobs_provider.gateway.apis.monitoring.savepoint_presence import (
    PRESENT,
    UNKNOWN,
    Presence,
)
from flink_jobs_provider.gateway.portal.job_view import SavepointView
from flink_jobs_provider.gateway.portal.timeline import retained_checkpoints, timeline
from flink_jobs_provider.gateway.store import JobState, stored_record
from flink_jobs_provider.model.errors import ClusterUnreachable
from flink_jobs_provider.observing.health import NotListed
from tests.portal_pages import Page
from tests.unit.gateway.portal.browsing import Look, Opened
from tests.unit.gateway.portal.seen_flink import checkpoint
from tests.unit.observing.sequences import EVERY_MINUTE, START, health
from tests.unit.observing.sequences import checkpoint as observed_checkpoint

PAGE = "/portal/jobs/1"
RETAINED = replace(EVERY_MINUTE, retained=True)


def _saved(name: str, taken_at: str) -> SavepointView:
    return SavepointView(name, f"file:///s/{name}", taken_at, "STOP")


def test_savepoints_and_checkpoints_in_one_line_of_time() -> None:
    """Shows that what was not looked up is unknown, and a checkpoint on record is listed once."""
    savepoints = [_saved("b", "2027-01-15T08:10:00Z"), _saved("a", "2027-01-15T08:00:30Z")]
    once = observed_checkpoint(1, 1, path="file:/s/a")
    checkpoints = [observed_checkpoint(9, 5), once]
    points = timeline(savepoints, [Presence(PRESENT, 7)], checkpoints)
    shown = [(each.kind, each.name, each.size, each.presence, each.usable) for each in points]
    assert shown == [
        ("savepoint", "b", 7, PRESENT, True),
        ("checkpoint", "chk-9", 5000, PRESENT, True),
        ("savepoint", "a", None, UNKNOWN, True),
    ]
    assert points[1].taken_at == "2027-01-15T08:05:00Z"


def test_only_checkpoints_that_are_there_after_the_job_can_be_started_from() -> None:
    done = (observed_checkpoint(3, 3),)
    savepoint = observed_checkpoint(4, 4, kind="savepoint")
    failed = observed_checkpoint(5, 5, "FAILED")
    replaced = observed_checkpoint(2, 2, discarded=True)
    seen = health(6, settings=RETAINED, checkpoints=(failed, savepoint, *done, replaced))
    assert retained_checkpoints((seen,)) == done
    assert retained_checkpoints((replace(seen, settings=EVERY_MINUTE),)) == ()
    assert retained_checkpoints((seen, NotListed("1" * 32, START))) == ()
    assert retained_checkpoints(ClusterUnreachable("x")) == ()
    assert retained_checkpoints(None) == ()


def _presences(page: Page) -> list[str]:
    return [each.text for each in page.find("td", data_label="Still there")]


def test_what_is_gone_is_not_offered(look: Look) -> None:
    async def test(portal: Opened) -> None:
        gateway = portal.gateway
        await gateway.done("NEW")
        first = str((await gateway.done("SAVEPOINT")).record.last_savepoint)
        gateway.flink.pass_time(2)
        await gateway.done("STOP")
        browser = await portal.signed_in()
        page = await browser.get(PAGE)
        assert _presences(page) == ["Present", "Present"]
        assert len([each for each in page.find("a") if each.text == "Start from here"]) == 2
        assert page.find("td", data_label="Size")[0].text.endswith("B")
        gateway.flink.remove(first)
        portal.portal._job._timelines._max_age = 0
        portal.portal._job._presence._max_age = 0
        page = await browser.get(PAGE)
        assert sorted(_presences(page)) == ["Gone", "Present"]
        (link,) = [each for each in page.find("a") if each.text == "Start from here"]
        start = await browser.get(link.attributes["href"])
        assert start.form(f"{PAGE}/start").fields["savepoint"] != first

    look(test)


def test_a_retained_checkpoint_is_started_from_by_its_path(look: Look) -> None:
    async def test(portal: Opened) -> None:
        gateway = portal.gateway
        row = await gateway.done("NEW")
        gateway.flink.end(gateway.flink.the_job(), "FAILED", "a.B: x")
        await gateway.look()
        job_id = str(row.record.job_id)
        portal.seen.job(job_id)
        path = "file:/c/<b>/chk-7"
        retained = {"enabled": True, "delete_on_cancellation": False}
        portal.seen.checkpoints(job_id, checkpoint(7, external_path=path), externalization=retained)
        browser = await portal.signed_in()
        page = await browser.get(PAGE)
        assert page.find("td", data_label="Reason")[0].text == "Retained checkpoint"
        assert page.find("td", data_label="Size")[0].text == "3.0 MiB"
        form = await browser.get(page.link("Start from here"))
        assert form.form(f"{PAGE}/re-launch").fields["savepoint_path"] == path

    look(test)


def test_what_was_disposed_of_is_told_and_not_offered(look: Look) -> None:
    """Shows that the job's page says how many, and lists the others."""

    async def test(portal: Opened) -> None:
        gateway, browser = portal.gateway, await portal.signed_in()
        await gateway.done("NEW")
        paths = [(await gateway.done("SAVEPOINT")).record.last_savepoint or "" for _ in range(2)]
        before = await browser.get("/portal/jobs/1")
        assert all(path in before.text for path in paths)
        assert "Disposed of" not in before.text
        with gateway.store._database.writing() as records:
            sql = "UPDATE savepoints SET disposed_at = 1 WHERE path = ?"
            records.exec_driver_sql(sql, (paths[0],))
        row = await gateway.row()
        kept = [each for each in row.record.savepoints if each.path != paths[0]]
        state = JobState(
            stored_record(row.record.model_copy(update={"savepoints": kept})), row.status
        )
        assert gateway.store.observe(row.number, row.revision, state)
        after = await browser.get("/portal/jobs/1")
        assert "Disposed of, as one of too many or too old: 1" in after.text
        assert [each.text for each in after.find("th", data_label="Savepoint")] == [paths[1]]

    look(test)
