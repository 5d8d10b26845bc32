"""The clusters: whether they answer, what they have, and what runs there that is not ours."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx

from flink_jobs_provider.gateway.principal import Role
from tests.portal_pages import Page
from tests.unit.gateway.jobs.gateway import CLUSTER
from tests.unit.gateway.portal.browsing import Look, Opened
from tests.unit.gateway.portal.seen_flink import NOW, SeenFlink
from tests.unit.gateway.portal.test_live import Stream

PAGE = "/portal/clusters"
_POOL = "Status.JVM.Memory"


def _memory(seen: SeenFlink, metaspace: int, heap: int) -> None:
    """Say how many MiB of 256 are in use on the fullest TaskManager, and on the JobManager."""
    used = {f"{_POOL}.Metaspace.Used": metaspace << 20, f"{_POOL}.Heap.Used": heap << 20}
    limits = {f"{_POOL}.Metaspace.Max": 256 << 20, f"{_POOL}.Heap.Max": 256 << 20}
    values = used | limits
    names = [{"id": name} for name in values]
    every = [
        {"id": name, **dict.fromkeys(("min", "max", "sum", "avg"), value)}
        for name, value in sorted(values.items())
    ]
    plain = [{"id": name, "value": str(value)} for name, value in values.items()]
    asked = ",".join(sorted(values))
    seen.answer("GET taskmanagers/metrics", _json(names))
    seen.answer(f"GET taskmanagers/metrics?get={asked}&agg=min,max,sum,avg", _json(every))
    order = [f"{_POOL}.{pool}.{part}" for pool in ("Metaspace", "Heap") for part in ("Used", "Max")]
    seen.answer(f"GET jobmanager/metrics?get={','.join(order)}", _json(plain))


def _json(body: Any) -> httpx.Response:
    return httpx.Response(200, content=json.dumps(body))


def _stranger(name: str, digit: str = "f", state: str = "RUNNING") -> dict[str, Any]:
    return {
        "jid": digit * 32,
        "name": name,
        "state": state,
        "start-time": NOW,
        "end-time": -1 if state == "RUNNING" else NOW,
        "duration": 1000,
        "tasks": {"total": 1, "running": 1},
    }


def test_what_a_cluster_reports(look: Look) -> None:
    async def test(portal: Opened) -> None:
        await portal.gateway.done("NEW")
        _memory(portal.seen, metaspace=100, heap=64)
        browser = await portal.signed_in()
        page = await browser.get((await browser.get("/portal/")).link("Clusters"))
        assert page.find("h2", title=portal.gateway.configuration.clusters[0].name)[0].text == "c"
        assert page.find("span", class_="pill good")[0].text == "Reachable"
        assert page.fact("Flink version") == "2.3.0"
        assert page.fact("Task slots") == "5 of 8 free"
        assert page.fact("TaskManagers") == "2"
        assert page.fact("Active jobs in Flink") == "1"
        assert page.fact("Metaspace of the fullest TaskManager") == "100 MiB of 256 MiB (39%)"
        assert page.fact("Heap of the JobManager") == "64 MiB of 256 MiB (25%)"
        assert not page.find("table")
        assert not page.find("ul", class_="concerns")
        assert page.link("Jobs of c").startswith("/portal/?cluster=")

    look(test)


def test_why_a_cluster_needs_attention(look: Look) -> None:
    async def test(portal: Opened) -> None:
        _memory(portal.seen, metaspace=250, heap=1)
        page = await (await portal.signed_in()).get(PAGE)
        assert "Metaspace" in page.find("ul", class_="concerns")[0].text
        assert "a TaskManager uses 250 of 256 MiB of its metaspace" in page.text
        assert "What to do:" in page.text

    look(test)


def test_jobs_that_are_not_ours(look: Look) -> None:
    """Shows those that run and are not on record, as text, and what to do to whoever may."""

    async def test(portal: Opened) -> None:
        await portal.gateway.done("NEW")
        over = _stranger("over", "e", "CANCELED")
        portal.seen.strangers = [_stranger("<script>alert(1)</script>"), over]
        page = await (await portal.signed_in()).get(PAGE)
        (stranger,) = page.find("th", data_label="Name")
        assert stranger.text == "<script>alert(1)</script>"
        assert "<script>alert" not in page.html
        assert page.find("td", data_label="Flink's jobId")[0].text == "f" * 32
        assert "Adopting one puts it on this gateway's records" in page.text
        assert f"adopt={'f' * 32}" in page.link("Adopt")
        reader = await (await portal.signed_in("rob", Role.READ)).get(PAGE)
        assert reader.find("th", data_label="Name")
        assert "Adopting one" not in reader.text

    look(test)


def test_many_jobs_that_are_not_ours(look: Look) -> None:
    async def test(portal: Opened) -> None:
        names = [f"other-{number}" for number in range(60)]
        portal.seen.strangers = [
            {**_stranger(name), "jid": f"{at:032x}"} for at, name in enumerate(names)
        ]
        page = await (await portal.signed_in()).get(PAGE)
        assert len(page.find("th", data_label="Name")) == 50
        assert "10 more are not shown." in page.text

    look(test)


def test_a_cluster_that_cannot_be_reached(look: Look) -> None:
    """Shows since when and why, and nothing that it reported before."""

    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        await browser.get(PAGE)
        portal.gateway.jobs._observers[CLUSTER].answered_at = datetime(2027, 1, 15, 8, tzinfo=UTC)
        portal.seen.away = True
        page = await browser.get(PAGE)
        assert page.find("span", class_="pill bad")[0].text == "Not reachable"
        (why,) = page.find("p", class_="output bad")
        assert why.text.startswith("Flink on c cannot be reached since 2027-01-15 08:00:00 UTC")
        assert "no connection to" in why.text
        assert not page.find("dt")
        portal.seen.away = False
        assert (await browser.get(PAGE)).fact("TaskManagers") == "2"

    look(test)


def test_a_cluster_that_answers_something_else(look: Look) -> None:
    async def test(portal: Opened) -> None:
        portal.seen.answer("GET overview", httpx.Response(400, json={"errors": ["no"]}))
        page = await (await portal.signed_in()).get(PAGE)
        assert "It answers, but cannot be observed:" in page.text
        assert page.find("span", class_="pill good"), "it is reachable"

    look(test)


def test_who_may_read_a_cluster_sees_it_and_nobody_else(look: Look) -> None:
    async def test(portal: Opened) -> None:
        stranger = await portal.browser(Accept_Language="fr")
        await stranger.sign_in(portal.token("eve", cluster="/another"))
        page: Page = await stranger.get(PAGE)
        assert "Il n'y a aucun cluster que vous puissiez voir." in page.text
        assert portal.seen.sent == []

    look(test)


def test_changes_arrive(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        async with Stream(portal.app, browser, "/portal/events/clusters").opened() as stream:
            assert "Reachable" in (await stream.event())["data"]
            portal.seen.strangers = [_stranger("somebody-elses")]
            while "somebody-elses" not in (await stream.event())["data"]:
                pass
            answer = await browser.client.get("/portal/parts/clusters")
            assert "somebody-elses" in answer.text

    look(test)
