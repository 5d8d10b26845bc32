"""What the list of jobs shows of them that clusters alone know, and what that costs a cluster."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from flink_jobs_provider.gateway.portal.observed import Freshness, Observed
from tests.portal_pages import Page
from tests.unit.gateway.jobs.gateway import CLUSTER
from tests.unit.gateway.portal.browsing import Browser, Look, Opened
from tests.unit.gateway.portal.seen_flink import NOW, checkpoint
from tests.unit.gateway.portal.test_jobs_page import _names
from tests.unit.gateway.portal.test_live import Stream

LIST = "/portal/"


async def _jobs(portal: Opened, *names: str) -> dict[str, str]:
    """Have jobs that run; return their jobIds."""
    found = {}
    for name in names:
        row = await portal.gateway.done("NEW", name, parallelism=1)
        found[name] = str(row.record.job_id)
    portal.seen.all_restarts(**dict.fromkeys(found.values(), 0))
    return found


def _cell(page: Page, label: str, at: int = 0) -> str:
    return page.find("td", data_label=label)[at].text


def test_restarts_and_the_last_checkpoint(look: Look) -> None:
    async def test(portal: Opened) -> None:
        ids = await _jobs(portal, "calm", "worn")
        portal.seen.all_restarts(**{ids["calm"]: 0, ids["worn"]: 1234})
        portal.seen.checkpoints(ids["calm"], checkpoint(3))
        page = await (await portal.signed_in()).get(LIST)
        assert _names(page) == ["calm", "worn"]
        assert [_cell(page, "Restarts", at) for at in (0, 1)] == ["0", "1,234"]
        assert _cell(page, "Last checkpoint") == "2027-01-15 07:59:01 UTC"
        assert _cell(page, "Last checkpoint", 1) == "–"  # noqa: RUF001 - a dash
        assert not page.find("tr", class_="attention")

    look(test)


def test_what_a_cluster_shows_to_need_attention_comes_first(look: Look) -> None:
    """Shows it of a job whose checkpoints fail, and of one that its cluster has lost."""

    async def test(portal: Opened) -> None:
        ids = await _jobs(portal, "a", "b", "lost")
        portal.seen.checkpoints(ids["b"], checkpoint(4, "FAILED"), checkpoint(3))
        browser = await portal.signed_in()
        page = await browser.get(LIST)
        (row,) = page.find("tr", class_="attention")
        assert "Checkpoints failing" in row.text
        assert "1 failed since" in row.text
        assert _names(page) == ["a", "b", "lost"], "it was found by listing it"
        del portal.gateway.flink.jobs_by_id[ids["lost"]]
        page = await browser.get(LIST)
        assert _names(page)[0] == "lost"
        assert "Lost" in page.find("tr", class_="attention")[0].text
        assert _names(await browser.get(f"{LIST}?attention=1")) == ["lost"]
        assert "1 needs attention" in page.text
        assert _names(await browser.get(f"{LIST}?sort=name")) == ["a", "b", "lost"]

    look(test)


def test_a_cluster_that_cannot_be_reached_is_named(look: Look) -> None:
    async def test(portal: Opened) -> None:
        await _jobs(portal, "orders")
        browser = await portal.signed_in()
        assert "cannot be reached" not in (await browser.get(LIST)).text
        portal.seen.away = True
        page = await browser.get(LIST)
        assert page.find("p", class_="banner", role="status")[-1].text.startswith(
            "Flink on c cannot be reached since 20"
        )
        assert _names(page) == ["orders"]
        assert _cell(page, "Restarts") == "–"  # noqa: RUF001 - a dash

    look(test)


def test_a_cluster_counts_as_away_only_while_that_is_what_was_seen_last(look: Look) -> None:
    """Shows a list whose cluster was away, is back, and has not answered the page so far."""

    async def test(portal: Opened) -> None:
        await _jobs(portal, "orders")
        browser = await portal.signed_in()
        portal.seen.away = True
        assert "cannot be reached" in (await browser.get(LIST)).text
        portal.seen.away = False

        async def waits(_: str) -> None:
            """Have no answer so far."""

        portal.portal._jobs.observed.attention = waits  # type: ignore[method-assign,assignment]
        assert "cannot be reached" not in (await browser.get(LIST)).text

    look(test)


def test_changes_arrive(look: Look) -> None:
    async def test(portal: Opened) -> None:
        ids = await _jobs(portal, "orders")
        browser = await portal.signed_in()
        async with Stream(portal.app, browser, "/portal/events/jobs").opened() as stream:
            portal.seen.all_restarts(**{ids["orders"]: 41})
            while ">41<" not in (await stream.event())["data"]:
                pass

    look(test)


def test_many_who_look_cost_a_cluster_as_one_and_nobody_costs_nothing(look: Look) -> None:
    async def test(portal: Opened) -> None:
        ids = await _jobs(portal, "a", "b")
        observed = portal.portal._jobs.observed
        assert observed is portal.portal._job._observed
        observed._freshness = replace(observed._freshness, listed=3600, cluster=3600, usable=3600)
        browsers: list[Browser] = [await portal.signed_in(f"p{number}") for number in range(3)]
        assert portal.seen.sent == [], "nothing is asked when nobody looks"
        for browser in browsers:
            for address in (LIST, f"{LIST}?sort=name", f"{LIST}?q=a"):
                await browser.get(address)
        assert portal.seen.count("GET jobs/overview") == 1
        assert portal.seen.count("GET overview") == 0, "what needs attention is in the list"
        assert {job: portal.seen.count(f"GET jobs/{job}/checkpoints") for job in ids.values()} == (
            dict.fromkeys(ids.values(), 1)
        )
        assert sum("&jobs=" in each.path for each in portal.seen.sent) == 1

    look(test)


def test_a_page_does_not_wait_long_for_a_cluster(look: Look) -> None:
    """Shows that what is late is shown later, and that a second look is not begun meanwhile."""

    async def test(portal: Opened) -> None:
        monitors = portal.portal._jobs.observed._monitors
        begun, answers = asyncio.Event(), asyncio.Event()
        looks = 0

        class Slow:
            async def observe(self, cluster, look, patience=None):  # type: ignore[no-untyped-def]
                nonlocal looks
                looks += 1
                begun.set()
                await answers.wait()
                return await monitors.observe(cluster, look, patience)

        observed = Observed(Slow(), Freshness(wait=0.01))  # type: ignore[arg-type]
        assert await observed.attention(CLUSTER) is None
        await begun.wait()
        assert await observed.attention(CLUSTER) is None
        assert looks == 1
        answers.set()
        observed._freshness = Freshness(wait=30)
        assert await observed.attention(CLUSTER) == {}

    look(test)


def test_what_is_old_is_not_shown(look: Look) -> None:
    """Shows that an observation that cannot be made anew is not shown for long."""

    async def test(portal: Opened) -> None:
        now = 0.0
        monitors = portal.portal._jobs.observed._monitors
        hangs = False

        class Hanging:
            async def observe(self, cluster, look, patience=None):  # type: ignore[no-untyped-def]
                if hangs:
                    await asyncio.Event().wait()
                return await monitors.observe(cluster, look, patience)

        observed = Observed(Hanging(), Freshness(wait=30), lambda: now)  # type: ignore[arg-type]
        assert await observed.attention(CLUSTER) == {}
        observed._freshness = Freshness(wait=0.01, usable=10)
        hangs = True
        now = 9.0
        assert await observed.attention(CLUSTER) == {}
        now = 11.0
        assert await observed.attention(CLUSTER) is None

    look(test)


def test_a_failed_observation_of_ours_is_no_answer_of_the_cluster(look: Look) -> None:
    """Shows that a body that cannot be read is reported, and the page is there."""

    async def test(portal: Opened) -> None:
        await _jobs(portal, "orders")
        portal.seen.strangers = [{"jid": "x", "nothing": NOW}]
        page = await (await portal.signed_in()).get(LIST)
        assert _names(page) == ["orders"]

    look(test)
