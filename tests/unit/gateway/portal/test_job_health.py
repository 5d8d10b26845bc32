"""The health of a job on its page: what is observed now, why it needs a look, and what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from flink_jobs_provider.gateway.principal import Role
from flink_jobs_provider.model.errors import ClusterUnreachable
from tests.portal_pages import Page
from tests.unit.gateway.jobs.gateway import CLUSTER
from tests.unit.gateway.portal.browsing import Browser, Look, Opened
from tests.unit.gateway.portal.seen_flink import NOW, checkpoint
from tests.unit.gateway.portal.test_live import Stream

PAGE = "/portal/jobs/1"
SECRET = "hunter2hunter2"
TIME = "2027-01-15T08:00:00Z"


async def _job(portal: Opened) -> str:
    """Have a job that runs, and return its jobId."""
    row = await portal.gateway.done("NEW")
    job_id = str(row.record.job_id)
    portal.seen.job(job_id)
    return job_id


def _failure(cause: str, seconds_ago: int = 0) -> dict[str, object]:
    return {
        "timestamp": NOW - 1000 * seconds_ago,
        "stacktrace": f"a.RuntimeException: x\n\tat a.B\nCaused by: {cause}\n\tat a.C",
        "taskName": "count (1/2)",
        "endpoint": "host:1",
    }


def test_what_is_measured_is_shown_with_units(look: Look) -> None:
    async def test(portal: Opened) -> None:
        job_id = await _job(portal)
        seen = portal.seen
        seen.vertex(
            job_id,
            "Source: orders",
            busyTimeMsPerSecond=973.0,
            backPressuredTimeMsPerSecond=12.0,
            numRecordsInPerSecond=0.0,
            numRecordsOutPerSecond=12345.0,
            currentInputWatermark=NOW - 90_000.0,
        )
        seen.restarts(job_id, 0)
        failed = checkpoint(8, "FAILED", failure_message="java.io.IOException: disk is full")
        seen.checkpoints(job_id, checkpoint(9), failed)
        page = await (await portal.signed_in()).get(PAGE)
        assert page.fact("State in Flink").startswith("RUNNING, since")
        assert page.fact("Tasks that run") == "2 of 2"
        assert page.fact("Parallelism in Flink") == "2"
        labels = [each.text for each in page.find("dt")]
        assert len(labels) == len(set(labels)), "each label tells of one thing"
        assert page.fact("Restarts") == "0"
        assert page.fact("Records emitted by sources") == "12,345/s"
        assert page.fact("Busiest vertex") == "97% in Source: orders"
        assert page.fact("Backpressured") == "1%"
        assert page.fact("Behind in event time") == "90 s"
        assert page.fact("Last completed") == "checkpoint, 2027-01-15 07:59:01 UTC"
        assert (page.fact("Its duration"), page.fact("Its size")) == ("1.5 s", "3.0 MiB")
        taken = page.fact("Taken since the submission")
        assert taken == "1 completed, 1 failed, 0 in progress"
        assert page.fact("One every") == "60 s"
        assert page.fact("Last failed").endswith("IOException: disk is full")
        (vertex,) = page.find("th", data_label="Vertex")
        assert vertex.text == "Source: orders"
        assert not page.find("section", class_="card needs")
        assert "None since the submission" in page.text

    look(test)


def test_what_is_not_reported_is_not_shown_as_nothing(look: Look) -> None:
    async def test(portal: Opened) -> None:
        await _job(portal)
        page = await (await portal.signed_in()).get(PAGE)
        assert page.fact("Restarts") == "not reported"
        assert page.fact("Records emitted by sources") == "not reported"
        assert page.fact("Last completed") == "none so far"
        assert not any(each.text == "Behind in event time" for each in page.find("dt"))

    look(test)


def test_reasons_for_attention_with_what_to_do(look: Look) -> None:
    """Shows them in French, too."""

    async def test(portal: Opened) -> None:
        job_id = await _job(portal)
        failed = [checkpoint(number, "FAILED") for number in (9, 8)]
        portal.seen.checkpoints(job_id, *failed, checkpoint(7, trigger_timestamp=NOW - 120_000))
        page = await (await portal.signed_in()).get(PAGE)
        (needs,) = page.find("section", class_="card needs")
        assert "Checkpoints failing" in needs.text
        assert "its last 2 checkpoints failed" in needs.text
        assert "What to do: After 0 tolerated failures in a row" in needs.text
        french = await (await portal.signed_in("bob", Accept_Language="fr")).get(PAGE)
        (needs,) = french.find("section", class_="card needs")
        assert "Points de contrôle en échec" in needs.text
        assert "ses 2 derniers points de contrôle ont échoué, et le dernier achevé" in needs.text
        assert "Que faire : Échecs de suite qui sont tolérés : 0 ; après" in needs.text
        listed = await (await portal.signed_in("eve", Accept_Language="fr")).get("/portal/")
        reason = listed.find("span", class_="pill warn")[0].attributes["title"]
        assert reason.startswith("ses 2 derniers points de contrôle ont échoué")

    look(test)


def test_exceptions_with_times_and_root_causes(look: Look) -> None:
    async def test(portal: Opened) -> None:
        job_id = await _job(portal)
        failures = [_failure("java.io.IOException: <b>disk"), _failure("a.B: before", 3600)]
        portal.seen.exceptions(job_id, *failures)
        page = await (await portal.signed_in()).get(PAGE)
        (first, second) = page.find("p", class_="output bad")
        assert (first.text, second.text) == ("IOException: bdisk", "B: before")
        assert page.find("time", datetime=TIME, data_age="")
        assert "in count (1/2) on host:1" in page.text
        traces = page.find("details", id="exception-2")
        assert "Caused by: java.io.IOException: <b>disk" in traces[0].raw
        assert page.find("details", id="exception-1"), "the older one keeps its id"

    look(test)


@pytest.mark.parametrize("role", list(Role))
def test_secrets_are_masked_until_an_operator_has_them_shown(role: Role, look: Look) -> None:
    async def test(portal: Opened) -> None:
        job_id = await _job(portal)
        secret = f"cannot reach postgres://ada:{SECRET}@db password={SECRET}"
        portal.seen.exceptions(job_id, _failure(f"a.B: {secret}"), _failure(f"a.B: {secret}"))
        failed = checkpoint(8, "FAILED", failure_message=f"a.B: {secret}")
        portal.seen.checkpoints(job_id, failed)
        browser = await portal.signed_in("ada", role)
        page = await browser.get(PAGE)
        assert "its last checkpoint failed" in page.text
        assert "it failed and was restarted" in page.text
        assert SECRET not in page.html
        if role is Role.OPERATE:
            assert SECRET in (await browser.get(f"{PAGE}?secrets=shown")).html

    look(test)


def test_a_cluster_that_cannot_be_reached(look: Look) -> None:
    """Shows since when, and why, and that nothing is shown that was observed before."""

    async def test(portal: Opened) -> None:
        job_id = await _job(portal)
        portal.seen.restarts(job_id, 7)
        await portal.gateway.look()
        browser = await portal.signed_in()
        assert (await browser.get(PAGE)).fact("Restarts") == "7"
        observer = portal.gateway.jobs._observers[CLUSTER]
        observer.answered_at = datetime(2027, 1, 15, 8, tzinfo=UTC)
        portal.seen.away = True
        page = await browser.get(PAGE)
        (banner,) = page.find("p", class_="banner", role="status")[-1:]
        assert banner.text.startswith("Flink on c cannot be reached since 2027-01-15 08:00:00 UTC")
        assert "no connection to" in banner.text
        assert "The job is shown as it was last seen." in banner.text
        assert not any(each.text == "Restarts" for each in page.find("dt"))
        assert not page.find("h2", id="exceptions")
        portal.seen.away = False
        assert (await browser.get(PAGE)).fact("Restarts") == "7"

    look(test)


def test_a_cluster_that_never_answered(look: Look) -> None:
    """Shows it of a job that was never started, whose page asks the cluster nothing."""

    async def test(portal: Opened) -> None:
        await portal.gateway.draft()
        await portal.gateway.look()
        observer = portal.gateway.jobs._observers[CLUSTER]
        observer.answered, observer.answered_at = False, None
        observer.trouble = ClusterUnreachable("nobody is there")
        page = await (await portal.signed_in()).get(PAGE)
        (banner,) = page.find("p", class_="banner", role="status")[-1:]
        assert banner.text.startswith("Flink on c cannot be reached, and has not answered since")
        assert "nobody is there." in banner.text
        assert "The job was never started." in page.text
        assert portal.seen.sent == []

    look(test)


def test_a_job_whose_health_cannot_be_read(look: Look) -> None:
    """Shows that this is another case than a cluster that cannot be reached."""

    async def test(portal: Opened) -> None:
        from httpx import Response

        job_id = await _job(portal)
        portal.seen.answer(f"GET jobs/{job_id}", Response(400, json={"errors": ["no"]}))
        page = await (await portal.signed_in()).get(PAGE)
        assert "The cluster answers, but the job's health cannot be read:" in page.text
        assert "cannot be reached" not in page.text

    look(test)


def test_a_job_that_its_cluster_no_longer_lists(look: Look) -> None:
    async def test(portal: Opened) -> None:
        await _job(portal)
        portal.gateway.flink.jobs_by_id.clear()
        page = await (await portal.signed_in()).get(PAGE)
        (needs,) = page.find("section", class_="card needs")
        assert needs.text.startswith("Needs attention Lost")
        assert "The cluster no longer lists this job." in page.text

    look(test)


@pytest.mark.parametrize("away", [False, True])
def test_a_job_that_is_lost_on_record(away: bool, look: Look) -> None:
    """Shows what to do long after its JobManager was restarted, and while its cluster is away."""

    async def test(portal: Opened) -> None:
        await _job(portal)
        portal.gateway.flink.restart_job_manager()
        await portal.gateway.look()
        assert (await portal.gateway.row()).status == "LOST"
        portal.seen.away = away
        page = await (await portal.signed_in()).get(PAGE)
        (needs,) = page.find("section", class_="card needs")
        assert needs.text.startswith("Needs attention Lost it was active")
        assert "What to do: Start it again from its last savepoint" in needs.text

    look(test)


def test_changes_of_health_arrive(look: Look) -> None:
    async def test(portal: Opened) -> None:
        job_id = await _job(portal)
        browser = await portal.signed_in()
        async with Stream(portal.app, browser, "/portal/events/jobs/1").opened() as stream:
            await _until(stream, "RUNNING")
            portal.seen.exceptions(job_id, _failure("a.B: one"), _failure("a.B: two"))
            await _until(stream, "Restarted")
            portal.seen.away = True
            await _until(stream, "cannot be reached since")

    look(test)


async def _until(stream: Stream, text: str) -> None:
    while text not in (await stream.event())["data"]:
        pass


def test_all_who_look_cost_a_cluster_as_one(look: Look) -> None:
    """Shows it of people of other languages and roles; and that nothing is asked for nobody."""

    async def test(portal: Opened) -> None:
        job_id = await _job(portal)
        fresh = replace(portal.portal._job._observed._freshness, job=3600, usable=3600)
        portal.portal._job._observed._freshness = fresh
        browsers: list[Browser] = [
            await portal.signed_in("ada"),
            await portal.signed_in("rob", Role.READ),
            await portal.signed_in("eve", Accept_Language="fr"),
        ]
        assert portal.seen.count(f"GET jobs/{job_id}") == 0
        pages: list[Page] = [await browser.get(PAGE) for browser in browsers]
        assert all("RUNNING" in page.text for page in pages)
        assert portal.seen.count(f"GET jobs/{job_id}") == 1
        assert portal.seen.count("GET jobs/overview") == 1

    look(test)
