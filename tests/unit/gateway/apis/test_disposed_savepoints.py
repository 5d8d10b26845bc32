"""A savepoint that was disposed of is refused by every face, which names its own field."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from flink_jobs_provider.model.savepoint import canonical_path
from tests.contract.gateway.memory_service import PROJECT
from tests.unit.gateway.portal.browsing import Opened, opened_portal
from tests.unit.reconciling.flink.fake_flink import RETAINED

STORAGE = "s3://disposed"
CLUSTER = {
    "savepoint_retention": {"count": 1},
    "savepoint_directory": f"{STORAGE}/savepoints",
    "mounts": {"obs://bucket": STORAGE},
    "dli": {"project_id": PROJECT, "queues": ["default"]},
}


def _run(directory: Path, test: Callable[[Opened, str], Awaitable[None]]) -> None:
    """Run a test with job 1, which runs, a savepoint of it that is gone, and job 2, stopped."""

    async def run() -> None:
        async with opened_portal(directory, cluster=CLUSTER) as portal:
            gateway = portal.gateway
            await gateway.done("NEW", "orders", flink_configuration=RETAINED)
            paths = []
            for _ in range(3):
                record = (await gateway.done("SAVEPOINT", "orders")).record
                paths.append(canonical_path(record.last_savepoint or ""))
                gateway.flink.pass_time(70)
            await gateway.done("NEW", "stopped", flink_configuration=RETAINED)
            await gateway.done("STOP", "stopped")
            assert paths[0] not in gateway.flink.progress_in
            before = await gateway.rows()
            steps = len(gateway.flink.steps)
            await test(portal, paths[0])
            assert await gateway.rows() == before
            assert set(gateway.flink.steps[steps:]) <= {"jobs", "free slots"}

    asyncio.run(run())


async def _post(portal: Opened, path: str, header: str, body: dict[str, Any]) -> httpx.Response:
    browser = await portal.browser()
    token = portal.token("caller")
    value = token if header == "X-Auth-Token" else f"Bearer {token}"
    return await browser.client.post(path, json=body, headers={header: value})


def test_import_of_a_savepoint_by_data_lake_insight(tmp_path: Path) -> None:
    """Shows it as callers name it, in their storage."""

    async def test(portal: Opened, path: str) -> None:
        named = path.replace(STORAGE, "obs://bucket")
        assert named != path
        number = (await portal.gateway.row("stopped")).number
        call = f"/v1.0/{PROJECT}/streaming/jobs/{number}/import-savepoint"
        answer = await _post(portal, call, "X-Auth-Token", {"savepoint_path": named})
        assert answer.status_code == 400, answer.text
        told = answer.json()["error_msg"]
        assert told.startswith(f"savepoint_path: Savepoint {path.rpartition('/')[2]} was disposed")

    _run(tmp_path, test)


@pytest.mark.parametrize("call", ["rollback", "plan"])
def test_way_back_by_the_monitoring_api(tmp_path: Path, call: str) -> None:
    """Shows that its preview refuses, too."""

    async def test(portal: Opened, path: str) -> None:
        row = await portal.gateway.row("orders")
        (first,) = await portal.gateway.jobs.versions(row.cluster, row.number, limit=5)
        body = {"version": first.action.id, "savepoint": path}
        address = f"/api/v1/jobs/{row.number}/{call}"
        answer = await _post(portal, address, "Authorization", body)
        assert answer.status_code == 400, answer.text
        error = answer.json()["error"]
        assert (error["code"], error["target"]) == ("InvalidParameter", "savepoint")
        assert f"{path.rpartition('/')[2]} was disposed of" in error["message"]

    _run(tmp_path, test)


@pytest.mark.parametrize("review", [True, False])
def test_start_by_a_form_of_the_portal(tmp_path: Path, review: bool) -> None:
    """Shows it beside the field; also where it is asked what the start would do."""

    async def test(portal: Opened, path: str) -> None:
        browser = await portal.signed_in()
        number = (await portal.gateway.row("stopped")).number
        start = f"/portal/jobs/{number}/start"
        form = (await browser.get(start)).form(start)
        if review:
            form.fields["review"] = "1"
        page = await browser.refused(form, 400, savepoint_path=path)
        assert "was disposed of" in page.problems["savepoint_path"]
        assert page.form(start).fields["savepoint_path"] == path

    _run(tmp_path, test)


@pytest.mark.parametrize("review", [True, False])
def test_way_back_by_a_form_that_was_opened_before(tmp_path: Path, review: bool) -> None:
    """Shows a version's form, on which the savepoint could still be chosen."""

    async def run() -> None:
        async with opened_portal(tmp_path, cluster=CLUSTER) as portal:
            gateway, browser = portal.gateway, await portal.signed_in()
            row = await gateway.done("NEW", "orders", flink_configuration=RETAINED)
            gateway.flink.pass_time(70)
            saved = await gateway.done("SAVEPOINT", "orders")
            path = saved.record.last_savepoint or ""
            gateway.flink.pass_time(70)
            address = f"/portal/jobs/{row.number}/versions/{row.last.id}"
            form = (await browser.get(address)).form(address)
            assert path in form.choices["savepoint"]
            for _ in range(2):
                last = (await gateway.done("SAVEPOINT", "orders")).last
                gateway.flink.pass_time(70)
            if review:
                form.fields["review"] = "1"
            page = await browser.refused(form, 400, savepoint=path, seen=last.id)
            assert page.problems["savepoint"]
            assert path not in page.form(address).choices["savepoint"]
            assert (await gateway.row("orders")).last.id == last.id

    asyncio.run(run())
