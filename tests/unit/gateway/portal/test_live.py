"""What is kept up to date: by a stream of events, and by asking again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from flink_jobs_provider.gateway.job_board import JobBoardPage, JobSearch
from flink_jobs_provider.gateway.refusals import Refusal
from tests.unit.gateway.portal.browsing import Browser, Look, Opened


class Stream:
    """A stream of events as a browser reads it."""

    def __init__(self, app: Any, browser: Browser, address: str) -> None:
        self._app = app
        self._received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._left = asyncio.Event()
        self._text = ""
        path, _, query = address.partition("?")
        cookies = "; ".join(f"{each.name}={each.value}" for each in browser.client.cookies.jar)
        self._scope: dict[str, Any] = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"host", b"gateway:8090"), (b"cookie", cookies.encode())],
            "client": ("10.0.0.7", 4001),
            "server": ("gateway", 8090),
        }

    async def _receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        await self._received.put(message)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Stream]:
        """Open it for a while."""
        serving = asyncio.create_task(self._app(self._scope, self._receive, self._send))
        start = await self._received.get()
        assert start["status"] == 200
        headers = dict(start["headers"])
        assert headers[b"content-type"].startswith(b"text/event-stream")
        assert b"default-src 'none'" in headers[b"content-security-policy"]
        try:
            yield self
        finally:
            self._left.set()
            async with asyncio.timeout(30):
                await serving

    async def event(self) -> dict[str, str]:
        """Return the next event; what comes meanwhile to show that the stream lives is none."""
        async with asyncio.timeout(30):
            while True:
                event = await self._block()
                if event.get("event"):
                    return event

    async def _block(self) -> dict[str, str]:
        while "\r\n\r\n" not in self._text:
            message = await self._received.get()
            self._text += message.get("body", b"").decode()
        block, _, self._text = self._text.partition("\r\n\r\n")
        event: dict[str, str] = {}
        for line in block.split("\r\n"):
            name, _, value = line.partition(": ")
            event[name] = f"{event[name]}\n{value}" if name in event else value
        return event

    async def ended(self) -> None:
        """Wait until the gateway has ended it."""
        async with asyncio.timeout(30):
            while (await self._received.get()).get("more_body", True):
                pass


def _seen(html: str) -> str:
    return html.partition('data-seen="')[2].partition('"')[0]


def test_changes_of_a_job_arrive(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        await portal.gateway.done("NEW")
        page = await browser.get("/portal/jobs/1")
        events = page.find("div", data_live="")[0].attributes["data-events"]
        async with Stream(portal.app, browser, f"{events}?seen={_seen(page.html)}").opened() as s:
            await portal.gateway.done("STOP")
            event = await s.event()
            while "STOPPED" not in event["data"]:
                event = await s.event()
            assert event["event"] == "part"
            answer = await browser.client.get("/portal/parts/jobs/1")
            assert answer.headers["x-part"] == event["id"]
            assert answer.text.split() == event["data"].split()

    look(test)


def test_a_list_is_sent_when_it_is_not_what_was_seen(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        async with Stream(portal.app, browser, "/portal/events/jobs?q=ord").opened() as stream:
            assert "No job matches" in (await stream.event())["data"]
            await portal.gateway.done("NEW")
            event = await stream.event()
            while "RUNNING" not in event["data"]:
                event = await stream.event()

    look(test)


def test_whoever_is_signed_out_sees_no_more(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in("ada")
        await portal.gateway.done("NEW")
        async with Stream(portal.app, browser, "/portal/events/jobs/1").opened() as stream:
            await stream.event()
            await portal.signed_in("bob")
            portal.edit_tokens(lambda tokens: tokens.pop("ada"))
            assert (await stream.event())["event"] == "signed-out"
            await stream.ended()

    look(test)


def test_whoever_loses_a_cluster_and_whoever_looks_at_a_job_that_goes(look: Look) -> None:
    async def test(portal: Opened) -> None:
        ada, bob = await portal.signed_in("ada"), await portal.signed_in("bob")
        await portal.gateway.draft()
        first = Stream(portal.app, ada, "/portal/events/jobs/1")
        second = Stream(portal.app, bob, "/portal/events/jobs/1")
        async with first.opened(), second.opened():
            await first.event()
            await second.event()
            portal.edit_tokens(lambda tokens: tokens["ada"].update(roles={"/else": "operate"}))
            assert (await first.event())["event"] == "gone"
            await portal.gateway.do("DELETE")
            event = await second.event()
            while event["event"] == "part":
                event = await second.event()
            assert event["event"] == "gone"

    look(test)


def test_records_that_do_not_answer_are_told_and_waited_for(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        board = portal.gateway.jobs.board
        async with Stream(portal.app, browser, "/portal/events/jobs").opened() as stream:
            await stream.event()
            portal.gateway.jobs.board = _away  # type: ignore[method-assign,assignment]
            assert (await stream.event())["event"] == "unavailable"
            portal.gateway.jobs.board = board  # type: ignore[method-assign]
            await portal.gateway.draft()
            event = await stream.event()
            while event["event"] == "unavailable":
                event = await stream.event()
            assert "orders" in event["data"]

    look(test)


def test_a_part_that_did_not_change_is_sent_when_records_answer_again(look: Look) -> None:
    """Shows it, as the page says until then that they do not."""

    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        board = portal.gateway.jobs.board
        async with Stream(portal.app, browser, "/portal/events/jobs").opened() as stream:
            first = await stream.event()
            portal.gateway.jobs.board = _away  # type: ignore[method-assign,assignment]
            assert (await stream.event())["event"] == "unavailable"
            portal.gateway.jobs.board = board  # type: ignore[method-assign]
            event = await stream.event()
            while event["event"] == "unavailable":
                event = await stream.event()
            assert event == first

    look(test)


async def _away(_: JobSearch) -> JobBoardPage:
    raise Refusal("RecordsUnavailable", "The gateway's database does not answer.")


def test_a_stop_of_the_gateway_ends_streams(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        async with Stream(portal.app, browser, "/portal/events/jobs").opened() as stream:
            await stream.event()
            portal.portal._live._stopping.set()
            await stream.ended()

    look(test)


def test_many_who_look_at_the_same_cost_as_one(look: Look) -> None:
    """Shows that a list is read as often for twenty streams as for one."""

    async def test(portal: Opened) -> None:
        asked: list[JobSearch] = []
        board: Callable[[JobSearch], Awaitable[JobBoardPage]] = portal.gateway.jobs.board

        async def counting(search: JobSearch) -> JobBoardPage:
            asked.append(search)
            return await board(search)

        portal.gateway.jobs.board = counting  # type: ignore[method-assign]
        portal.portal._live._shared._max_age = 3600
        browser = await portal.signed_in()
        streams = [Stream(portal.app, browser, "/portal/events/jobs") for _ in range(20)]
        opened = [stream.opened() for stream in streams]
        for each in opened:
            await each.__aenter__()
        for stream in streams:
            await stream.event()
        for each in opened:
            await each.__aexit__(None, None, None)
        assert len(asked) == 1

    look(test)


def test_nobody_is_sent_what_another_may_see(look: Look) -> None:
    """Shows that what is made once for many is made for those who see the same."""

    async def test(portal: Opened) -> None:
        portal.portal._live._shared._max_age = 3600
        await portal.gateway.done("NEW")
        operator = await portal.signed_in("ada")
        for address in ("/portal/parts/jobs", "/portal/parts/jobs/1"):
            assert "orders" in (await operator.client.get(address)).text
        stranger = await portal.browser()
        await stranger.sign_in(portal.token("eve", cluster="/another"))
        assert "orders" not in (await stranger.client.get("/portal/parts/jobs")).text
        assert (await stranger.client.get("/portal/parts/jobs/1")).status_code == 404
        reader = await portal.browser(Accept_Language="fr")
        await reader.sign_in(portal.token("rob"))
        assert "Points de sauvegarde" in (await reader.client.get("/portal/parts/jobs/1")).text

    look(test)
