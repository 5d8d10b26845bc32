"""Requests and programs for other places: sent to the gateway, and read by our own classes."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import shlex
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pulumi
import pytest

import flink_jobs_provider
from flink_jobs_provider.model.validation import problems_of
from flink_jobs_provider.wire import SPEC_NOTE
from tests.portal_pages import Page
from tests.unit.gateway.portal.browsing import JARS, Browser, Opened, opened_portal

NEW, JOB = "/portal/new", "/portal/jobs/1"
DLI = {"project_id": "local", "queues": ["default"]}
HDINSIGHT_API, DLI_API = "HDInsight on AKS API", "Data Lake Insight API"
FLINK = "Flink itself, without the gateway"
ORDERS = {
    "job_name": "orders",
    "jar": f"{JARS}/orders.jar",
    "entry_class": "Main",
    "args": "--topic it's",
    "parallelism": "3",
    "savepoint_directory": "file:///savepoints",
    "options": 'a.b: c d\nx.y: "z"',
}


def _look(
    directory: Path, test: Callable[[Opened, Browser], Awaitable[None]], **cluster: Any
) -> None:
    async def run() -> None:
        async with opened_portal(directory, cluster={"dli": DLI, **cluster}) as portal:
            await test(portal, await portal.signed_in())

    asyncio.run(run())


def _samples(page: Page, within: str = "") -> dict[str, str]:
    """Return the texts of a page by their headings; of the programs alone, if asked for."""
    html = page.html.partition(f'id="{within}"')[2] if within else page.html
    part = Page(f"<div>{html.partition('</details>')[0]}</div>") if within else page
    elements = [each for each in part.elements if each.tag in ("h3", "pre")]
    return {
        heading.text: text.raw
        for heading, text in itertools.pairwise(elements)
        if (heading.tag, text.tag) == ("h3", "pre")
    }


async def _run(portal: Opened, browser: Browser, command: str, token: str) -> httpx.Response:
    """Do what a shell and curl would do with a command."""
    numbers: dict[str, str] = {}
    for part in re.split(r"\n(?=curl)", command):
        captured = re.fullmatch(r"ID=\$\((.*) \|\n  sed -E '(.*)'\)", part, re.DOTALL)
        answer = await _curl(browser, captured[1] if captured else part, token, numbers)
        if captured:
            pattern = captured[2].split("/")[1].replace(".*", "", 1)
            found = re.search(pattern.removesuffix(".*"), answer.text)
            assert found, answer.text
            numbers["ID"] = found[1]
    await portal.settled()
    return answer


async def _curl(
    browser: Browser, command: str, token: str, variables: dict[str, str]
) -> httpx.Response:
    for name, value in {"TOKEN": token, **variables}.items():
        command = command.replace(f"${name}", value)
    words = [word for word in shlex.split(command) if word != "\n"]
    assert words.pop(0) == "curl"
    headers: dict[str, str] = {}
    method, body = "GET", None
    while len(words) > 1 or (words and words[0].startswith("-")):
        option = words.pop(0)
        if not option.startswith("-"):
            url = option
            continue
        value = words.pop(0)
        if option == "-X":
            method = value
        elif option == "-H":
            header, _, text = value.partition(": ")
            headers[header] = text
        else:
            assert option == "-d"
            body = value
    url = words.pop(0) if words else url
    answer = await browser.client.request(method, url, headers=headers, content=body)
    assert answer.status_code in (200, 202), answer.text
    return answer


async def _reviewed(browser: Browser, address: str, **values: str) -> Page:
    form = (await browser.get(address)).form(address)
    form.fields["review"] = "1"
    return await browser.refused(form, 200, **values)


@pytest.mark.parametrize("api", [HDINSIGHT_API, DLI_API])
def test_a_new_job_by_the_command_is_the_one_of_the_form(api: str, tmp_path: Path) -> None:
    async def test(portal: Opened, browser: Browser) -> None:
        page = await _reviewed(browser, NEW, **ORDERS)
        await _run(portal, browser, _samples(page)[api], portal.token("pipeline"))
        row = await portal.gateway.row()
        assert (row.status, row.last.caller) == ("RUNNING", "pipeline")
        by_command = row.record.spec
        await portal.gateway.done("CANCEL")
        await portal.gateway.do("DELETE")
        await browser.sent((await browser.get(NEW)).form(NEW), **ORDERS)
        await portal.settled()
        by_form = (await portal.gateway.row()).record.spec
        given = ("jar", "entry_class", "args", "parallelism", "savepoint_directory")
        for name in (*given, "flink_configuration"):
            assert getattr(by_command, name) == getattr(by_form, name), name

    _look(tmp_path, test)


@pytest.mark.parametrize(
    ("action", "api", "asked"),
    [
        ("stop", HDINSIGHT_API, "STOP"),
        ("stop", DLI_API, "STOP"),
        ("savepoint", HDINSIGHT_API, "SAVEPOINT"),
        ("savepoint", DLI_API, "SAVEPOINT"),
        ("cancel", HDINSIGHT_API, "CANCEL"),
        ("cancel", DLI_API, "CANCEL"),
        ("update", HDINSIGHT_API, "UPDATE"),
        ("stateless-update", HDINSIGHT_API, "STATELESS_UPDATE"),
    ],
)
def test_the_command_of_an_action_asks_for_it(
    action: str, api: str, asked: str, tmp_path: Path
) -> None:
    async def test(portal: Opened, browser: Browser) -> None:
        await portal.gateway.done("NEW", jar=f"file://{portal.gateway.jar}")
        page = await browser.get(f"{JOB}/{action}")
        await _run(portal, browser, _samples(page)[api], portal.token("pipeline"))
        last = (await portal.gateway.row()).last
        assert (last.action, last.caller, last.result) == (asked, "pipeline", "SUCCESS")

    _look(tmp_path, test)


@pytest.mark.parametrize(
    ("before", "action", "api", "asked"),
    [
        ("STOP", "start", HDINSIGHT_API, "START"),
        ("STOP", "delete", HDINSIGHT_API, "DELETE"),
        ("draft", "start-draft", DLI_API, "NEW"),
    ],
)
def test_the_command_for_a_job_that_does_not_run(
    before: str, action: str, api: str, asked: str, tmp_path: Path
) -> None:
    async def test(portal: Opened, browser: Browser) -> None:
        if before == "draft":
            await portal.gateway.draft()
        else:
            await portal.gateway.done("NEW", jar=f"file://{portal.gateway.jar}")
            await portal.gateway.done(before)
        page = await browser.get(f"{JOB}/{action}")
        samples = _samples(page)
        assert api in samples
        assert before != "draft" or HDINSIGHT_API not in samples
        await _run(portal, browser, samples[api], portal.token("pipeline"))
        entry = portal.audit.entries[-1]
        assert (entry["who"], entry["what"]) == ("pipeline", asked)

    _look(tmp_path, test)


@pytest.mark.parametrize(
    ("before", "action"),
    [
        ("", "delete"),
        ("STOP", "delete"),
        ("STOP", "start"),
        ("CANCEL", "re-launch"),
    ],
)
def test_there_is_no_command_of_an_api_that_does_something_else(
    before: str, action: str, tmp_path: Path
) -> None:
    """Shows it of Data Lake Insight, which cancels what it deletes, and starts the jar of now."""

    async def test(portal: Opened, browser: Browser) -> None:
        await portal.gateway.done("NEW", jar=f"file://{portal.gateway.jar}")
        if before:
            await portal.gateway.done(before)
        assert set(_samples(await browser.get(f"{JOB}/{action}"))) == {HDINSIGHT_API}

    _look(tmp_path, test)


def test_the_command_of_a_new_job_never_leaves_its_savepoint_out(tmp_path: Path) -> None:
    async def test(portal: Opened, browser: Browser) -> None:
        path = "file:///elsewhere/savepoint-1"
        samples = _samples(await _reviewed(browser, NEW, **ORDERS, savepoint=path))
        assert set(samples) == {HDINSIGHT_API}
        assert f'"savePointName": "{path}"' in samples[HDINSIGHT_API]

    _look(tmp_path, test)


def test_the_command_is_what_was_typed_with_secrets_masked(tmp_path: Path) -> None:
    """Shows it after a look at the plan; and that several calls of the other API are not one."""

    async def test(portal: Opened, browser: Browser) -> None:
        await portal.gateway.done("NEW", jar=f"file://{portal.gateway.jar}")
        given = {"args": "--password hunter2 --x y", "options": "a.token: hunter3\nb.c: d"}
        page = await _reviewed(browser, f"{JOB}/update", **given)
        samples = _samples(page)
        assert set(samples) == {HDINSIGHT_API}
        assert '"b.c": "d"' in samples[HDINSIGHT_API]
        assert "hunter" not in samples[HDINSIGHT_API]

    _look(tmp_path, test)


def _sent_by_a_shell(command: str, **variables: str) -> tuple[str, str]:
    """Return what a shell has curl send, and what it complains of."""
    curl = 'curl() { printf "%s" "${@: -1}"; }'
    environment = {"PATH": os.defpath, "TOKEN": "t", **variables}
    done = subprocess.run(
        ["/bin/bash", "-c", f"{curl}\n{command}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout, done.stderr


@pytest.mark.process
@pytest.mark.parametrize("api", [HDINSIGHT_API, DLI_API])
def test_a_command_does_nothing_before_its_secrets_are_set(api: str, tmp_path: Path) -> None:
    """Shows that no mask is ever sent as a value: a job would run with it."""

    async def test(portal: Opened, browser: Browser) -> None:
        given = {**ORDERS, "args": "--password hunter2 --x it's", "options": "a.token: hunter3"}
        command = _samples(await _reviewed(browser, NEW, **given))[api]
        command = command.removeprefix("ID=$(").partition(" |\n  sed")[0]
        assert "***" not in command
        sent, complaint = _sent_by_a_shell(command)
        assert (sent, "SECRET_1: export what is hidden here" in complaint) == ("", True)
        sent, complaint = _sent_by_a_shell(command, SECRET_1="one")
        assert (sent, "SECRET_2: export what is hidden here" in complaint) == ("", True)
        sent, complaint = _sent_by_a_shell(command, SECRET_1="one", SECRET_2="two")
        assert complaint == ""
        body = json.loads(sent)
        if api == HDINSIGHT_API:
            args = body["properties"]["args"]
            option = body["properties"]["flinkConfiguration"]["a.token"]
        else:
            args, option = body["entrypoint_args"], json.loads(body["runtime_config"])["a.token"]
        assert (args, option) == ("--password one --x it's", "two")

    _look(tmp_path, test)


@pytest.mark.parametrize("api", [HDINSIGHT_API, DLI_API])
def test_the_command_that_reads_a_job(api: str, tmp_path: Path) -> None:
    async def test(portal: Opened, browser: Browser) -> None:
        await portal.gateway.done("NEW", jar=f"file://{portal.gateway.jar}")
        page = await browser.get(JOB)
        answer = await _run(
            portal, browser, _samples(page, "same-request")[api], portal.token("pipeline")
        )
        assert '"orders"' in answer.text

    _look(tmp_path, test)


def test_a_program_for_each_target_declares_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows that each is valid by the model, and says what runs; a stack's own note is left out."""

    async def test(portal: Opened, browser: Browser) -> None:
        options = f"{ORDERS['options']}\n{SPEC_NOTE}: 0123-4567"
        await browser.sent((await browser.get(NEW)).form(NEW), **{**ORDERS, "options": options})
        await portal.settled()
        programs = _samples(await browser.get(JOB), "program")
        assert set(programs) == {HDINSIGHT_API, DLI_API, FLINK}
        for api, program in programs.items():
            declared = _declared(program, monkeypatch, restore_from="/savepoint-1")
            assert declared.pop("restore_from", "") == ("/savepoint-1" if api == FLINK else "")
            target = declared.pop("target")
            expected = "http://flink:8081" if api == FLINK else "http://gateway:8090"
            assert target.get("endpoint", target.get("url")) == expected
            assert declared == {
                "job_name": "orders",
                "jar": ORDERS["jar"],
                "entry_class": "Main",
                "args": ["--topic", "it's"],
                "parallelism": 3,
                "savepoint_directory": "file:///savepoints",
                "flink_configuration": {"a.b": "c d", "x.y": '"z"'},
            }
            whole = {**declared, "target": target, "owner": "organization/project/dev"}
            assert list(problems_of(whole)) == [], api

    _look(tmp_path, test)


def test_a_program_needs_the_secrets_of_its_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(portal: Opened, browser: Browser) -> None:
        args = "--password hunter2 --in=jdbc:a?password=hunter2&x=1"
        given = {"args": args, "options": "a.token: hunter3"}
        await browser.sent((await browser.get(NEW)).form(NEW), **{**ORDERS, **given})
        await portal.settled()
        for program in _samples(await browser.get(JOB), "program").values():
            assert "***" not in program
            assert "hunter" not in program
            with pytest.raises(LookupError, match="secret_1"):
                _declared(program, monkeypatch)
            secrets = {f"secret_{number}": f"s{number}" for number in (1, 2, 3)}
            declared = _declared(program, monkeypatch, **secrets, restore_from="/savepoint-1")
            assert declared["args"] == ["--password", "s1", "--in=jdbc:a?password=s2&x=1"]
            assert declared["flink_configuration"] == {"a.token": "s3"}

    _look(tmp_path, test)


def test_a_program_for_flink_itself_starts_from_the_savepoint_of_the_last_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows that the job's state is neither old nor dropped: while it runs, none is named."""

    async def test(portal: Opened, browser: Browser) -> None:
        await portal.gateway.draft()
        draft = _samples(await browser.get(JOB), "program")[FLINK]
        assert "restore_from" not in draft
        await portal.gateway.done("NEW", "other")
        taken = str((await portal.gateway.done("SAVEPOINT", "other")).record.last_savepoint)
        programs = _samples(await browser.get("/portal/jobs/2"), "program")
        assert [api for api, text in programs.items() if "restore_from" in text] == [FLINK]
        assert taken not in programs[FLINK]
        assert "# Stop the job, and copy this again" in programs[FLINK]
        with pytest.raises(LookupError, match="restore_from"):
            _declared(programs[FLINK], monkeypatch)
        portal.gateway.flink.pass_time(10)
        stopped = str((await portal.gateway.done("STOP", "other")).record.last_savepoint)
        programs = _samples(await browser.get("/portal/jobs/2"), "program")
        assert _declared(programs[FLINK], monkeypatch)["restore_from"] == stopped
        assert "pulumi config" not in programs[FLINK]

    _look(tmp_path, test)


def test_a_program_says_what_its_target_lacks(tmp_path: Path) -> None:
    flink = {
        "kind": "flink",
        "url": "http://flink:8081",
        "basic_auth": {"username": "ada", "password": "env:FLINK_PASSWORD"},
        "headers": {"X-Team": "orders"},
    }

    async def test(portal: Opened, browser: Browser) -> None:
        await portal.gateway.draft()
        programs = _samples(await browser.get(JOB), "program")
        note = (
            "# The gateway reaches this cluster with basic_auth, headers, too: add what it needs."
        )
        assert {api: note in text for api, text in programs.items()} == {
            HDINSIGHT_API: False,
            DLI_API: False,
            FLINK: True,
        }

    _look(tmp_path, test, flink=flink)


class _Config:
    """The configuration of a stack."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def require(self, name: str) -> str:
        """Return a value; it must be set."""
        if name not in self._values:
            raise LookupError(name)
        return self._values[name]

    require_secret = require


def _declared(
    program: str, monkeypatch: pytest.MonkeyPatch, **configuration: str
) -> dict[str, Any]:
    """Return the inputs of the one job that a program declares, its target as plain values."""
    declared: list[dict[str, Any]] = []

    def flink_job(name: str, **inputs: Any) -> None:
        assert name == inputs["job_name"]
        target = inputs.pop("target")
        plain = {key: value for key, value in vars(target).items() if value is not None}
        declared.append({**inputs, "target": plain})

    monkeypatch.setattr(flink_jobs_provider, "FlinkJob", flink_job, raising=False)
    monkeypatch.setattr(pulumi, "Config", lambda: _Config(configuration))
    monkeypatch.setattr(pulumi.Output, "concat", lambda *parts: "".join(parts))
    exec(compile(program, "program", "exec"), {})
    (inputs,) = declared
    return inputs
