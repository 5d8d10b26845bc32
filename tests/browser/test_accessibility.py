"""What keeps people from using a page: found by axe, and by measuring.

All pages are found by following links, so that a new one is looked at without being named here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenWindow
from tests.browser.portal_user import NEW_JOB, PortalUser
from tests.flink_cluster import FlinkCluster
from tests.gateway_process import GatewayProcess, await_result, new_job, run_job
from tests.job_jars import COUNTING_JAR

_RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
#: What is no page for people, or shows one that was there.
_OTHER = re.compile(r"/(parts|events|static|language|issuer)\b|\.json$")
_FORM = re.compile(r"/jobs/\d+(?=/)")
#: What reaches to the right of a page's width, which would have to be scrolled to.
_BEYOND = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.body.querySelectorAll('*')]
    .filter(each => each.getBoundingClientRect().right > width + 1)
    .map(each => each.outerHTML.slice(0, 160));
}"""


@pytest.fixture
def served(gateway: GatewayProcess, token: str, flink_2: FlinkCluster) -> GatewayProcess:
    """Return a gateway that has a job that runs, one that was stopped, and one that failed.

    One that is not its own runs, too.
    """
    with gateway.client(token) as client:
        long = f"--output {gateway.directory}/{'a-long-name' * 12}"
        new_job(client, "running", long, "--rate", "50")
        new_job(client, "stopped", "--output", f"{gateway.directory}/stopped", "--rate", "50")
        new_job(client, "failed", "--no-such-option", "x")
        await_result(client, "stopped")
        run_job(client, "stopped", "STOP")
        assert await_result(client, "stopped")["actionResult"] == "SUCCESS"
        assert await_result(client, "failed")["actionResult"] == "FAILED"
        assert await_result(client, "running")["actionResult"] == "SUCCESS"
        run_job(client, "running", "UPDATE")
        assert await_result(client, "running")["actionResult"] == "SUCCESS"
    args = ["--output", f"{gateway.directory}/foreign", "--rate", "50"]
    flink_2.run(COUNTING_JAR, args, entryClass=NEW_JOB["Entry class"])
    return gateway


@pytest.mark.parametrize(("theme", "locale"), [("light", "en-GB"), ("dark", "fr-FR")])
def test_pages_are_for_everybody(
    open_window: OpenWindow, served: GatewayProcess, token: str, theme: str, locale: str
) -> None:
    """Shows each page in both themes and languages: no rule is broken, nothing is beyond the edge.

    Widths are those of a phone (360 px), of a window of 1280 px zoomed to 200 %, and some between.
    """
    user = open_window(locale=locale, color_scheme=theme)
    axe, seen, problems = Axe(), [], []
    for name in _pages(user, token):
        seen.append(name)
        found = axe.run(user.page, options=_RULES).response["violations"]
        problems += [f"{name}: {_shown(violation)}" for violation in found]
        for width in (1280, 1100, 800, 640, 360):
            user.page.set_viewport_size({"width": width, "height": 800})
            problems += [f"{name} at {width} px: {each}" for each in user.page.evaluate(_BEYOND)]
            if width in (1280, 800) or (width == 360 and theme == "light"):
                user.screenshot(f"{theme}-{width}-{name}")
        user.page.set_viewport_size({"width": 1280, "height": 900})
    user.saw("/portal/new: Failed to load resource: the server responded with a status of 400")
    user.saw("/portal/jobs/999: Failed to load resource: the server responded with a status of 404")
    assert "\n".join(problems) == ""
    assert {name.rpartition("-")[2] for name in seen} >= {
        *("cancel", "start", "stop", "update"),
        *("versions", "adopt"),
    }
    assert {"sign-in", "jobs", "new", "jobs-1", "jobs-2", "refused", "missing"} <= set(seen)


def _pages(user: PortalUser, token: str) -> Iterator[str]:
    """Show each page in turn; return what it is called in pictures."""
    user.open("/portal/sign-in")
    yield "sign-in"
    user.page.locator("#token").fill(token)
    user.page.locator("form.card button").click()
    expect(user.page.locator("table.list").first).to_be_visible()
    yield "jobs"
    wanted, done = _links(user.page), {"/portal/"}
    while wanted:
        address = wanted.pop(0)
        # A form is alike for all jobs.
        kind = _FORM.sub("", address)
        if kind in done:
            continue
        done.add(kind)
        user.open(address)
        wanted += _links(user.page)
        yield _name(address)
    user.open("/portal/new")
    user.page.locator("form.card button.main").click()
    expect(user.page.locator(".problems")).to_be_focused()
    yield "refused"
    user.open("/portal/?q=nothing-is-called-so")
    yield "jobs-none-found"
    user.open("/portal/jobs/999")
    yield "missing"


def _name(address: str) -> str:
    """Return what a page is called in pictures."""
    path, _, adopts = address.removeprefix("/portal/").partition("?")
    name = re.sub(r"(versions)/.*", r"\1", path).replace("/", "-")
    return f"{name}-adopt" if adopts else name


def _links(page: Page) -> list[str]:
    """Return the addresses of the portal's pages that a page links to, each kind of them once."""
    found = page.locator("a[href]").evaluate_all("all => all.map(each => each.href)")
    parts = [urlsplit(address) for address in found]
    return [
        f"{each.path}?{each.query}" if "adopt=" in each.query else each.path
        for each in parts
        if each.netloc == urlsplit(page.url).netloc
        and each.path.startswith("/portal/")
        and not _OTHER.search(each.path)
    ]


def _shown(violation: dict[str, object]) -> str:
    nodes = violation["nodes"]
    assert isinstance(nodes, list)
    where = "; ".join(
        f"{node['html'][:160]} ({node['failureSummary'][:200]})" for node in nodes[:2]
    )
    return f"{violation['id']}: {violation['help']}: {where}"
