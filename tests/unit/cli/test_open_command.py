"""`flink-jobs open`: the address of a job's page, printed and opened."""

from __future__ import annotations

import json
import webbrowser
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from flink_jobs_provider.cli import cluster_session
from flink_jobs_provider.cli.app import app
from flink_jobs_provider.cli.flink_view import FlinkView
from tests.contract.flink.scripted import ScriptedFlink, ok
from tests.unit.model.made_up_jobs import URL

JOB_ID = "1" * 32


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the addresses that a browser was started with."""
    found: list[str] = []

    def start(url: str) -> bool:
        found.append(url)
        return "no-browser" not in url

    monkeypatch.setattr(webbrowser, "open", start)
    return found


@pytest.fixture
def flink(monkeypatch: pytest.MonkeyPatch) -> ScriptedFlink:
    """Return the cluster of all commands, with one job."""
    flink = ScriptedFlink()
    row = {"jid": JOB_ID, "name": "orders", "state": "RUNNING", "start-time": 1, "duration": 1}
    flink.answer("GET jobs/overview", ok(jobs=[{**row, "tasks": {"total": 1, "running": 1}}]))

    async def on_flink(_target: Any, work: Any) -> Any:
        return await work(flink.plane(), None)

    monkeypatch.setattr(cluster_session, "_on_flink", on_flink)
    return flink


def invoked(*words: str) -> Result:
    return CliRunner().invoke(app, ["open", *words])


def test_the_address_is_printed(flink: ScriptedFlink, opened: list[str]) -> None:
    result = invoked("orders")
    assert result.stdout == f"{URL}/#/job/running/{JOB_ID}/overview\n"
    found = json.loads(invoked("orders", "--json").stdout)
    assert found == {"job_name": "orders", "job_id": JOB_ID, "url": result.stdout.strip()}
    assert opened == []


def test_the_page_is_opened(flink: ScriptedFlink, opened: list[str]) -> None:
    result = invoked("orders", "--browser")
    assert (result.exit_code, opened) == (0, [result.stdout.strip()])


def test_where_no_browser_can_be_started(
    flink: ScriptedFlink, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows that the address is printed all the same."""

    async def page(_view: FlinkView, _job: str) -> dict[str, Any]:
        return {"url": "http://no-browser"}

    monkeypatch.setattr(FlinkView, "page", page)
    result = invoked("orders", "--browser")
    assert (result.exit_code, result.stdout) == (1, "http://no-browser\n")
    assert "no browser could be started here" in result.stderr


def test_a_job_that_there_is_none_of(flink: ScriptedFlink, opened: list[str]) -> None:
    result = invoked("ordes", "--browser")
    assert result.exit_code == 1
    assert "no such job; names like it: orders" in " ".join(result.stderr.split())
    assert opened == []
