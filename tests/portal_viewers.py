"""People who look at the portal's list of jobs: each signed in, with a stream of their own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from tests.gateway_process import GatewayProcess
from tests.portal_pages import Page

#: For how long a viewer waits for what is to come.
_LONGEST_S = 120


def signed_in(gateway: GatewayProcess, token: str) -> httpx.Client:
    """Return a browser of somebody who has signed in."""
    browser = gateway.client("")
    form = Page(browser.get("/portal/sign-in").text).form("/portal/sign-in")
    origin = {"Origin": gateway.url}
    answer = browser.post(form.action, data=form.filled(token=token), headers=origin)
    assert answer.status_code == 303, answer.text
    return browser


class Viewer:
    """A stream of the list, read as it comes.

    Attributes:
        last: The latest list.
        lists: How many have come.
    """

    def __init__(self, cookies: httpx.Cookies, url: str, query: str = "sort=name") -> None:
        self._client = httpx.AsyncClient(
            base_url=url, cookies=cookies, timeout=None, trust_env=False, verify=False
        )
        self._address = f"/portal/events/jobs?{query}"
        self.last = ""
        self.lists = 0
        self._changed = asyncio.Event()

    async def follow(self) -> None:
        """Read until cancelled."""
        async with self._client, self._client.stream("GET", self._address) as answer:
            assert answer.status_code == 200, answer.status_code
            assert answer.headers["content-type"].startswith("text/event-stream")
            data: list[str] = []
            async for line in answer.aiter_lines():
                if line.startswith("data:"):
                    data.append(line)
                elif not line and data:
                    self.last, data = "\n".join(data), []
                    self.lists += 1
                    self._changed.set()
        raise AssertionError(f"the gateway ended a viewer's stream after {self.lists} lists")

    async def sees(self, pattern: str) -> None:
        """Wait until a pattern is found in the list."""
        async with asyncio.timeout(_LONGEST_S):
            while not re.search(pattern, self.last, re.DOTALL):
                self._changed.clear()
                await self._changed.wait()


def row_with(job: str, text: str) -> str:
    """Return the pattern of a list in which the row of a job has a text."""
    return rf">{job}</a>(?:(?!</tr>).)*{text}"


def row_without(job: str, text: str) -> str:
    """Return the pattern of a list in which the row of a job does not have a text."""
    return rf">{job}</a>(?:(?!</tr>|{text}).)*</tr>"


@asynccontextmanager
async def watching(viewers: Sequence[Viewer]) -> AsyncIterator[None]:
    """Let people look for a while, from when each of them sees a list."""
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        following = [tasks.create_task(each.follow()) for each in viewers]
        stack.callback(lambda: [task.cancel() for task in following])
        await asyncio.gather(*(each.sees("<tr") for each in viewers))
        yield
        for task in following:
            task.cancel()
