"""What pages show: escaped, with secrets masked, to those who may see it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from flink_jobs_provider.gateway.principal import Role
from tests.portal_pages import Page
from tests.unit.gateway.jobs.gateway import CLUSTER
from tests.unit.gateway.portal.browsing import JARS, Browser, Look, Opened

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}'
SECRET = "hunter2hunter2"

PAGES = (
    "/portal/",
    "/portal/jobs/1",
    "/portal/jobs/1/update",
    "/portal/jobs/1/stateless-update",
    "/portal/jobs/1/start",
    "/portal/jobs/1/re-launch",
    "/portal/jobs/1/stop",
    "/portal/jobs/1/delete",
    "/portal/jobs/1/row.json",
    "/portal/parts/jobs",
    "/portal/parts/jobs/1",
)


async def _job(portal: Opened, word: str, *, ids: bool = False, **given: Any) -> None:
    """Have a stopped job on record, into whose every free text a word was put; also into ids."""
    gateway = portal.gateway
    request = gateway.request(
        "NEW",
        args=["--x", word],
        flink_configuration={"a.b": word},
        jar=f"file://{gateway.jar}",
    )
    as_given = {
        "args": f"--x {word}",
        "jobJarDirectory": JARS,
        "jarName": "orders.jar",
        "flinkConfiguration": {"a.b": word, "savepoint.directory": f"file:///tmp/{word}"},
        **given,
    }
    action = await gateway.jobs.submit(
        replace(request, as_given=as_given, caller=word[:60] if ids else "tester")
    )
    await gateway.ended(action.id)
    stopped = await gateway.done("STOP")
    assert stopped.record.last_savepoint
    with gateway.store._database.writing() as records:
        records.exec_driver_sql("UPDATE actions SET output = ?", (f"failed: {word}",))
        if ids:
            records.exec_driver_sql("UPDATE savepoints SET path = ?", (f"file:///tmp/{word}",))
            records.exec_driver_sql("UPDATE jobs SET run_id = ?", (word,))


def test_what_others_wrote_is_shown_as_text(look: Look) -> None:
    """Shows it of args, options, paths, outputs, callers and ids, in texts and in attributes."""

    async def test(portal: Opened) -> None:
        await _job(portal, EVIL, ids=True)
        browser = await portal.signed_in()
        for address in PAGES:
            await _check(browser, address)

    async def _check(browser: Browser, address: str) -> None:
        answer = await browser.client.get(f"{address}?q={EVIL}&savepoint={EVIL}")
        assert answer.status_code == 200, answer.text
        if address.endswith(".json"):
            assert answer.headers["content-type"] == "application/json"
            return
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text
        page = Page(answer.text)
        assert not any(name.startswith("on") for each in page.elements for name in each.attributes)
        if address == "/portal/jobs/1":
            assert "{{7*7}}" in answer.text
        assert ">49<" not in answer.text

    look(test)


def test_what_was_typed_is_shown_as_text(look: Look) -> None:
    async def test(portal: Opened) -> None:
        browser = await portal.signed_in()
        form = (await browser.get("/portal/new")).form("/portal/new")
        texts = ("job_name", "jar", "entry_class", "args", "options", "savepoint")
        page = await browser.refused(form, 400, **dict.fromkeys(texts, EVIL))
        assert "<script>alert" not in page.html
        assert "<img" not in page.html
        assert page.form("/portal/new").fields["args"] == EVIL

    look(test)


@pytest.mark.parametrize("role", list(Role))
def test_secrets_are_masked(role: Role, look: Look) -> None:
    async def test(portal: Opened) -> None:
        word = f"password={SECRET}"
        await _job(portal, word, args=f"--password {SECRET} --x {word}")
        browser = await portal.signed_in("reader", role)
        for address in PAGES:
            answer = await browser.client.get(address)
            assert answer.status_code == 200
            assert SECRET not in answer.text, address

    look(test)


def test_an_operator_may_have_secrets_shown_and_that_is_recorded(look: Look) -> None:
    async def test(portal: Opened) -> None:
        word = f"password={SECRET}"
        await _job(portal, word, args=f"--x {word}")
        browser = await portal.signed_in("ada")
        page = await browser.get("/portal/jobs/1")
        before = len(portal.audit.entries)
        page = await browser.get(page.link("Show masked values (this is recorded)"))
        assert SECRET in page.html
        (entry,) = portal.audit.entries[before:]
        assert entry == {
            "who": "ada",
            "what": "show secrets",
            "cluster": CLUSTER,
            "job": "orders",
            "has_action": False,
            "result": "ACCEPTED",
            "status": 200,
        }
        reader = await portal.signed_in("reader", Role.READ)
        page = await reader.get("/portal/jobs/1?secrets=shown", 403)
        assert SECRET not in page.html
        page = await reader.get("/portal/jobs/1")
        assert "Show masked values" not in page.text

    look(test)


def test_a_job_is_shown_with_what_is_known_of_it(look: Look) -> None:
    async def test(portal: Opened) -> None:
        gateway = portal.gateway
        jar = f"file://{gateway.jar}"
        row = await gateway.done("NEW", jar=jar, parallelism=3, args=["--topic", "orders"])
        await gateway.done("SAVEPOINT")
        await gateway.change(while_it_runs=True, parallelism=5)
        row = await gateway.row()
        page = await (await portal.signed_in()).get("/portal/jobs/1")
        assert page.fact("Run id") == row.run_id
        assert page.fact("Flink's jobId") == row.record.job_id
        assert page.fact("Args") == "--topic orders"
        assert page.fact("Jar path") == f"{JARS}/orders.jar"
        assert page.fact("Entry class") == "Old"
        assert page.fact("parallelism") == "5", "what counts from the next start on"
        assert page.fact("Created by") == "tester"
        assert str(row.record.last_savepoint) in page.text
        history = [each.text for each in page.find("th", data_label="Action")]
        assert history == ["Succeeded Update", "Succeeded Savepoint", "Succeeded New job"]
        assert page.find("time", datetime=row.last.accepted_at.strftime("%Y-%m-%dT%H:%M:%SZ"))
        assert f'"runId": "{row.run_id}"' in page.html.replace("&#34;", '"')
        answer = await (await portal.signed_in("bob")).client.get("/portal/jobs/1/row.json")
        assert answer.json()["properties"]["jobName"] == "orders"

    look(test)


def test_why_something_failed_is_shown_in_full(look: Look) -> None:
    async def test(portal: Opened) -> None:
        gateway = portal.gateway
        row = await gateway.done("NEW")
        reason = "java.io.IOException: no space left " + "on this device " * 40
        gateway.flink.end(gateway.flink.the_job(), "FAILED", reason)
        await gateway.look()
        browser = await portal.signed_in()
        page = await browser.get("/portal/jobs/1")
        row = await gateway.row()
        assert row.status == "FAILED"
        assert " ".join(row.record.job_output.split()) in page.text
        (listed,) = (await browser.get("/portal/")).find("tr", class_="attention")
        assert "FAILED" in listed.text

    look(test)


def test_french(look: Look) -> None:
    """Shows that the browser's language counts, and the one that was chosen more."""

    async def test(portal: Opened) -> None:
        await portal.gateway.done("NEW")
        browser = await portal.signed_in(Accept_Language="fr-CA,fr;q=0.9,en;q=0.1")
        page = await browser.get("/portal/jobs/1")
        assert page.find("html", lang="fr")
        assert "Points de sauvegarde" in page.text
        page = await browser.get(page.link("English"))
        assert page.find("html", lang="en")
        assert "Savepoints" in page.text
        assert page.find("a", id="act-stop"), "it is the same page"

    look(test)


def test_numbers_and_what_stays_in_english_on_french_pages(look: Look) -> None:
    """Shows decimals, and that plans and results of actions say to readers what they are in."""

    async def test(portal: Opened) -> None:
        await portal.gateway.done("NEW")
        browser = await portal.signed_in(Accept_Language="fr")
        page = await browser.get("/portal/jobs/1")
        (took,) = page.find("td", data_label="Durée")
        assert re.fullmatch(r"\d+,\d s", took.text), took.text
        assert re.search(r"durée \d+,\d s", page.text)
        (output,) = page.find("td", data_label="Résultat")
        assert output.attributes["lang"] == "en"
        assert page.find("p", class_="output good", lang="en")
        form = (await browser.get("/portal/jobs/1/update")).form("/portal/jobs/1/update")
        form.fields["review"] = "1"
        page = await browser.refused(form, 200, parallelism="4")
        (changes,) = page.find("ul", lang="en")
        assert "parallelism" in changes.text
        (how,) = page.find("p", class_="code", lang="en")
        assert how.text.startswith("UPDATE")

    look(test)


def test_no_page_without_the_setting() -> None:
    """Shows that a gateway without it answers as before."""
    from tests.contract.gateway.calling import Gateway

    answer = Gateway().call("GET", "/portal/")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "NotFound"


async def _statuses(browser: Browser, *addresses: str) -> list[int]:
    return [(await browser.client.get(address)).status_code for address in addresses]


def test_addresses_that_name_nothing(look: Look) -> None:
    async def test(portal: Opened) -> None:
        await portal.gateway.done("NEW")
        browser = await portal.signed_in()
        found = await _statuses(
            browser,
            "/portal/jobs/2",
            f"/portal/jobs/{10**30}",
            "/portal/jobs/1/explode",
            "/portal/jobs/x",
            "/portal/parts/jobs/2",
            "/portal/?page=x&sort=nothing&status=none&cluster=none",
            "/portal/?page=99999999999999999999",
        )
        assert found == [404, 404, 404, 404, 404, 200, 200]

    look(test)
