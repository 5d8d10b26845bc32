"""An earlier version of a job is started again: its inputs, the bytes of its jar, what is shown."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.gateway.job_history import JobVersion
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.model.action import Action, ActionResult
from tests.unit.gateway.jobs.gateway import CLUSTER, Gateway, make_jar


async def versions(gateway: Gateway) -> list[JobVersion]:
    """Return the versions on record, newest first."""
    row = await gateway.row()
    return list(await gateway.jobs.versions(CLUSTER, row.number, limit=10))


async def back(gateway: Gateway, action: Action, version: str, **changes: Any) -> Any:
    """Go back to a version, and wait until that has ended."""
    request = replace(gateway.request(action.value), changes=changes, version=version, as_given={})
    done = await gateway.ended((await gateway.jobs.submit(request)).id)
    assert done.result is ActionResult.SUCCESS, done.output
    return done


def test_a_version_comes_back_with_its_jar_and_inputs(tmp_path: Path) -> None:
    """Shows it of a job that runs, and of one that was stopped; state is carried over."""

    async def life() -> None:
        gateway = Gateway(tmp_path)
        async with gateway.running():
            first = (await gateway.done("NEW", args=["--key", "1"])).last
            digest = gateway.flink.submissions[-1].jar_digest
            newer = make_jar(tmp_path / "storage/newer.jar", "newer")
            await gateway.done("UPDATE", jar=str(newer), entry_class=None, args=[], parallelism=3)
            gateway.jar.unlink()  # the gateway has a copy
            await back(gateway, Action.UPDATE, first.id)
            sent = gateway.flink.submissions[-1]
            assert (sent.jar_digest, sent.spec.entry_class) == (digest, "Old")
            assert (list(sent.spec.args), sent.spec.parallelism) == (["--key", "1"], 2)
            row = await gateway.row()
            assert sent.restore_from == row.record.last_savepoint is not None
            assert row.record.spec.jar == str(gateway.jar)
            assert row.as_given == {"asked": "NEW"}
            newest, second, _ = await versions(gateway)
            assert newest.jar_digest == digest != second.jar_digest
            await gateway.done("STOP")
            await back(gateway, Action.START, second.action.id)
            assert gateway.flink.submissions[-1].jar_digest == second.jar_digest
            assert gateway.flink.submissions[-1].spec.entry_class is None

    asyncio.run(life())


def test_the_savepoint_that_is_named_counts(tmp_path: Path) -> None:
    async def life() -> None:
        gateway = Gateway(tmp_path)
        async with gateway.running():
            first = (await gateway.done("NEW")).last
            await gateway.done("UPDATE", parallelism=3)
            left = (await gateway.row()).record.last_savepoint
            await gateway.done("UPDATE", parallelism=4)
            await back(gateway, Action.UPDATE, first.id, restore_from=left)
            assert gateway.flink.submissions[-1].restore_from == left

    asyncio.run(life())


@pytest.mark.parametrize("what", ["no version", "another job's", "no jar"])
def test_what_is_refused_before_anything_is_begun(tmp_path: Path, what: str) -> None:
    async def life() -> None:
        gateway = Gateway(tmp_path)
        async with gateway.running():
            first = (await gateway.done("NEW")).last
            other = (await gateway.done("NEW", "news")).last
            newer = make_jar(tmp_path / "storage/newer.jar", "newer")
            await gateway.done("UPDATE", jar=str(newer))
            await gateway.done("UPDATE", "news", jar=str(newer))
            if what == "no jar":
                make_jar(gateway.jar, "rebuilt in place")
                for kept in (tmp_path / "data/jars").iterdir():
                    kept.unlink()
            version = {"no version": "x", "another job's": other.id, "no jar": first.id}[what]
            with pytest.raises(Refusal) as caught:
                await back(gateway, Action.UPDATE, version)
            assert (caught.value.code, caught.value.target) == ("InvalidParameter", "version")
            expected = "has other content now" if what == "no jar" else "has no version"
            assert expected in caught.value.message
            assert (await gateway.row()).last.finished_at is not None

    asyncio.run(life())
