"""The list of jobs: what needs a look comes first, and its search is in its address."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from starlette.datastructures import QueryParams

from flink_jobs_provider.gateway.portal.job_search import AskedSearch
from tests.portal_pages import Page
from tests.unit.gateway.portal.browsing import Look, Opened

#: Name, status, and the result of the last action.
JOBS = {
    "calm": ("RUNNING", "SUCCESS"),
    "gone": ("LOST", "SUCCESS"),
    "again": ("RESTARTING", "SUCCESS"),
    "broken": ("FAILED", "SUCCESS"),
    "back": ("RUNNING", "FAILED"),
    "never": ("JOB_LAUNCH_FAILED", "FAILED"),
    "over": ("STOPPED", "SUCCESS"),
}


async def _fill(portal: Opened) -> None:
    """Put the jobs on record."""
    gateway = portal.gateway
    for name, (status, result) in JOBS.items():
        await gateway.draft(name)
        with gateway.store._database.writing() as records:
            records.execute(
                text(
                    "UPDATE jobs SET status = :status, started_at = number WHERE job_name = :name"
                ),
                {"status": status, "name": name},
            )
            records.execute(
                text(
                    "UPDATE actions SET result = :result WHERE job_number ="
                    " (SELECT number FROM jobs WHERE job_name = :name)"
                ),
                {"result": result, "name": name},
            )


def _names(page: Page) -> list[str]:
    return [
        each.text for each in page.find("a") if each.attributes.get("id", "").startswith("job-")
    ]


SEARCHES = {
    "": ["broken", "gone", "never", "again", "back", "calm", "over"],
    "?attention=1": ["broken", "gone", "never", "again", "back"],
    "?sort=name": ["again", "back", "broken", "calm", "gone", "never", "over"],
    "?sort=-name": ["over", "never", "gone", "calm", "broken", "back", "again"],
    "?sort=since": ["calm", "gone", "again", "broken", "back", "never", "over"],
    "?q=B": ["broken", "back"],
    "?q=%00B%1F": ["broken", "back"],
    "?q=_": [],
    "?q=%25": [],
    "?status=RUNNING": ["back", "calm"],
    "?status=RUNNING&status=LOST&sort=name": ["back", "calm", "gone"],
    "?q=a&status=RUNNING&attention=1": ["back"],
    "?page=2": [],
}


def test_search_and_order(look: Look) -> None:
    async def test(portal: Opened) -> None:
        await _fill(portal)
        browser = await portal.signed_in()
        for query, names in SEARCHES.items():
            page = await browser.get(f"/portal/{query}")
            assert _names(page) == names, query
            assert "7 jobs" in page.text
            assert "5 need attention" in page.text

    look(test)


def test_a_job_is_found_by_its_ids(look: Look) -> None:
    async def test(portal: Opened) -> None:
        row = await portal.gateway.done("NEW")
        browser = await portal.signed_in()
        for found in (row.run_id, str(row.record.job_id)):
            assert _names(await browser.get(f"/portal/?q={found}")) == ["orders"]
        assert _names(await browser.get(f"/portal/?q={row.run_id[:-1]}")) == []

    look(test)


def test_page_by_page(look: Look) -> None:
    async def test(portal: Opened) -> None:
        for number in range(120):
            await portal.gateway.draft(f"job-{number:03}")
        browser = await portal.signed_in()
        page = await browser.get("/portal/?sort=name")
        seen = _names(page)
        while page.find("a", rel="next"):
            page = await browser.get(page.find("a", rel="next")[0].attributes["href"])
            seen += _names(page)
        assert seen == [f"job-{number:03}" for number in range(120)]
        assert "Page 3 of 3" in page.text
        page = await browser.get(page.find("a", rel="prev")[0].attributes["href"])
        assert _names(page)[0] == "job-050"

    look(test)


def test_the_search_form_and_the_columns_keep_what_was_searched_for(look: Look) -> None:
    async def test(portal: Opened) -> None:
        await _fill(portal)
        browser = await portal.signed_in()
        page = await browser.get("/portal/?q=a&status=RUNNING&sort=name")
        fields = page.form("/portal/").fields
        assert (fields["q"], fields["status"], fields["sort"]) == ("a", "RUNNING", "name")
        assert page.link("Status") == "/portal/?q=a&status=RUNNING&sort=status"
        assert page.link("Name") == "/portal/?q=a&status=RUNNING&sort=-name"
        assert page.find("th", scope="col", aria_sort="ascending")[0].text == "Name"
        assert page.link("Show all") == "/portal/"

    look(test)


@pytest.mark.parametrize(
    "query", ["", "q=a%26b&status=RUNNING&status=LOST&attention=1&sort=-name&page=3", "cluster=k"]
)
def test_a_search_is_what_its_address_says(query: str) -> None:
    assert AskedSearch.of(QueryParams(query), ["k", "l"]).query() == query


def test_no_jobs(look: Look) -> None:
    async def test(portal: Opened) -> None:
        page = await (await portal.signed_in()).get("/portal/")
        assert "There are no jobs yet." in page.text
        page = await (await portal.signed_in("bob")).get("/portal/?q=x")
        assert "No job matches this search." in page.text

    look(test)
