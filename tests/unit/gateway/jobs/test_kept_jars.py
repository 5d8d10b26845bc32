"""The jars that are kept: by content, whole, and for as long as something needs them."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from flink_jobs_provider.gateway.jobs.gateway_process import JarCache
from flink_jobs_provider.model.action import ActionResult
from flink_jobs_provider.model.errors import JarError
from tests.unit.gateway.jobs.gateway import Gateway, make_jar, until


def test_a_jar_is_kept_as_it_was(tmp_path: Path) -> None:
    jars = JarCache(tmp_path / "data")
    source = make_jar(tmp_path / "orders.jar", "first")
    content = source.read_bytes()
    jar = jars.open(str(source))
    make_jar(source, "second")
    kept = jars.get(jar.digest)
    assert kept is not None
    assert kept.path.read_bytes() == content
    assert (jar.uri, jar.main_class) == (str(source), "Main")
    assert jars.open(str(source)).digest != jar.digest


def test_a_kept_jar_that_was_damaged_is_not_used(tmp_path: Path) -> None:
    jars = JarCache(tmp_path / "data")
    jar = jars.open(str(make_jar(tmp_path / "orders.jar")))
    jar.path.write_bytes(make_jar(tmp_path / "other.jar", "other").read_bytes())
    assert jars.get(jar.digest) is None
    assert jars.open(str(tmp_path / "orders.jar")).digest == jar.digest


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(JarError, match=r"the jar could not be copied to .*data/jars"):
        JarCache(tmp_path / "data").open(str(make_jar(tmp_path / "orders.jar")))


def test_only_old_jars_that_nothing_needs_are_removed(tmp_path: Path) -> None:
    earlier, jars = JarCache(tmp_path), JarCache(tmp_path)
    needed, idle = (earlier.open(str(make_jar(tmp_path / "x.jar", name))) for name in "ab")
    opened = jars.open(str(make_jar(tmp_path / "x.jar", "c")))
    fresh = earlier.open(str(make_jar(tmp_path / "x.jar", "d")))
    day_ago = time.time() - 86400
    for jar in (needed, idle, opened):
        os.utime(jar.path, (day_ago, day_ago))
    assert jars.sweep({needed.digest}) == 1
    there = {path.stem for path in (tmp_path / "jars").iterdir()}
    assert there == {needed.digest, opened.digest, fresh.digest}


@pytest.mark.parametrize("storage", ["changed", "gone"])
def test_an_action_taken_up_again_starts_the_same_bytes(tmp_path: Path, storage: str) -> None:
    async def life() -> None:
        gateway = Gateway(tmp_path)
        await gateway.start()
        gateway.flink.kill_before = "submit"
        row = await gateway.submit("NEW")
        await until(lambda: not gateway.jobs.in_progress)
        await gateway.kill()
        gateway.flink.kill_before = ""
        if storage == "gone":
            gateway.jar.unlink()
        else:
            make_jar(gateway.jar, "other")
        digest = next((tmp_path / "data/jars").iterdir()).stem
        await gateway.start()
        assert (await gateway.ended(row.id)).result is ActionResult.SUCCESS
        assert gateway.flink.submissions[-1].jar_digest == digest
        await gateway.stop()

    asyncio.run(life())


def test_a_jar_kept_nowhere_is_taken_from_the_cluster_or_told_to_be_gone(tmp_path: Path) -> None:
    """Shows a gateway without the data of the one before: another machine, a lost disk."""

    async def life() -> None:
        gateway = Gateway(tmp_path)
        async with gateway.running():
            await gateway.done("NEW")
            await gateway.done("STOP")
            gateway.jar.unlink()
            for kept in (tmp_path / "data/jars").iterdir():
                kept.unlink()
            assert (await gateway.done("START")).status == "RUNNING"
            await gateway.done("STOP")
            gateway.flink.jars.clear()
            row = await gateway.do("START")
            assert row.result is ActionResult.FAILED
            assert "jar" in row.output
            assert (await gateway.row()).status == "STOPPED"
            make_jar(gateway.jar, "new")
            assert (await gateway.done("START", jar=str(gateway.jar))).status == "RUNNING"

    asyncio.run(life())
