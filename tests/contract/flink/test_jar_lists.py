"""The list of a cluster's jars, for which Flink opens every one of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.control_planes.http import TRIES
from flink_jobs_provider.control_planes.protocol import Mark
from flink_jobs_provider.model.errors import ClusterRefused, ClusterUnreachable
from tests.contract.flink.scripted import (
    IDENTITY,
    JOB_ID,
    VERSIONS,
    ScriptedFlink,
    jar_file,
    ok,
    recorded,
    submission,
)

NAMES = {IDENTITY: "orders"}


def test_who_asks_at_once_shares_one_list() -> None:
    flink = ScriptedFlink()
    plane = flink.plane()

    async def work() -> None:
        assert await asyncio.gather(*(plane.job_names() for _ in range(20))) == [NAMES] * 20

    asyncio.run(work())
    assert flink.count("GET jars") == 1


def test_nobody_gets_a_list_from_before_the_call() -> None:
    """Shows that what changed meanwhile is seen."""
    flink = ScriptedFlink()
    plane = flink.plane()

    async def work() -> None:
        assert await plane.job_names() == NAMES
        flink.answer("GET jars", ok(files=[]))
        assert await plane.job_names() == {}

    asyncio.run(work())


def listing(*names: str) -> httpx.Response:
    """Answer a list of jars by these names, with the ids 0.jar, 1.jar, and so on."""
    return ok(files=[{"id": f"{number}.jar", "name": name} for number, name in enumerate(names)])


def test_marks_are_jars_of_no_job(tmp_path: Path) -> None:
    """Shows what is uploaded as a mark, that it is found by jobId, and what removes it."""
    flink = ScriptedFlink()
    mark = f"_adopted-{IDENTITY}-{JOB_ID}.jar"
    flink.answer("GET jars", listing(mark, f"_released-{'b' * 18}-{JOB_ID}.jar", "x.jar"))
    flink.answer("POST jars/upload", ok(filename="/up/2.jar", status="success"))
    flink.answer("DELETE jars/0.jar", ok())
    flink.answer("DELETE jars/2.jar", ok())
    plane = flink.plane()

    async def work() -> None:
        assert await plane.job_names() == {}
        assert not await plane.has_jars(IDENTITY)
        found = await plane.marks(JOB_ID)
        assert [(each.kind, each.identity) for each in found] == [
            (Mark.ADOPTED, IDENTITY),
            (Mark.RELEASED, "b" * 18),
        ]
        assert await plane.marks("c" * 32) == ()
        await plane.put_mark(Mark.ADOPTED, IDENTITY, "c" * 32, 60)
        await plane.forget_jars(IDENTITY, frozenset({JOB_ID}))

    asyncio.run(work())
    [upload] = [each for each in flink.sent if each.path.endswith("upload")]
    assert f"_adopted-{IDENTITY}-{'c' * 32}.jar" in str(upload.body)
    assert {each.path for each in flink.sent if each.method == "DELETE"} == {
        "jars/0.jar",
        "jars/2.jar",
    }


def test_the_mark_of_what_was_swallowed_stays_until_a_version_runs_here_again() -> None:
    flink = ScriptedFlink()
    marks = (f"_swallowed-{IDENTITY}-{JOB_ID}.jar", f"_moving-{IDENTITY}-{JOB_ID}.jar")
    flink.answer("GET jars", listing(*marks))
    flink.answer("DELETE jars/0.jar", ok())
    plane = flink.plane()

    async def work() -> None:
        assert await plane.marked_jobs() == {}
        await plane.forget_jars(IDENTITY, frozenset())
        assert flink.count("DELETE jars/0.jar") == 0
        await plane.forget_jars(IDENTITY, frozenset({"1" * 64}))
        assert flink.count("DELETE jars/0.jar") == 1
        assert flink.count("DELETE jars/1.jar") == 0

    asyncio.run(work())


def test_marks_of_a_job_are_found_without_its_jobids() -> None:
    """Shows it of the mark of a version that no list of jobs has yet, also of this process's own.

    A removal of the job's jars leaves it.
    """
    flink = ScriptedFlink()
    other = f"_switching-{'b' * 18}-{JOB_ID}.jar"
    flink.answer("GET jars", listing(f"_switching-{IDENTITY}-{JOB_ID}.jar", other))
    flink.answer("POST jars/upload", ok(filename="/up/2.jar", status="success"))
    flink.answer("DELETE jars/2.jar", ok())
    plane = flink.plane()

    async def work() -> None:
        (found,) = await plane.marks_by(IDENTITY)
        assert (found.kind, found.job_id, found.id) == (Mark.SWITCHING, JOB_ID, "0.jar")
        await plane.put_mark(Mark.SWITCHING, IDENTITY, "c" * 32, 60)
        _, own = await plane.marks_by(IDENTITY)
        assert own.job_id == "c" * 32
        await plane.forget_jars(IDENTITY, frozenset())
        assert len(await plane.marks_by(IDENTITY)) == 2
        await plane.remove_mark(own)
        assert await plane.marks_by(IDENTITY) == (found,)

    asyncio.run(work())


def test_submissions_ask_for_the_list_once(tmp_path: Path) -> None:
    """Shows that a thousand creations do not make Flink open a thousand jars a thousand times."""
    flink = ScriptedFlink()
    flink.answer("GET jars", listing())
    flink.answer("POST jars/upload", ok(filename="/up/one.jar", status="success"))
    flink.answer("POST jars/one.jar/run", recorded("accepted"))
    flink.answer("POST jars/one.jar/plan", ok(plan={"nodes": []}))
    plane = flink.plane()
    jar = jar_file(tmp_path)

    async def work() -> None:
        for _ in range(5):
            await plane.plan(submission(jar=jar))
            await plane.submit(submission(jar=jar), 60)

    asyncio.run(work())
    assert flink.count("GET jars") == 1
    assert flink.count("POST jars/upload") == 1


def test_an_upload_that_is_too_large_for_something_in_between(tmp_path: Path) -> None:
    """Shows that it is named as such, with the jar's size, and not sent again."""
    flink = ScriptedFlink()
    flink.answer("GET jars", listing())
    page = "<html><head><title>413 Request Entity Too Large</title></head></html>"
    flink.answer("POST jars/upload", httpx.Response(413, text=page))
    with pytest.raises(ClusterRefused) as refused:
        asyncio.run(flink.plane().plan(submission(jar=jar_file(tmp_path))))
    assert "orders: the jar (0.0 MB) could not be uploaded" in refused.value.happened
    assert "answers 413: it takes no request of this size" in refused.value.happened
    assert "Raise the limit for requests" in refused.value.remedy
    assert "target.url" not in str(refused.value)
    assert flink.count("POST jars/upload") == 1


@pytest.mark.parametrize("error", [httpx.WriteError("Broken pipe"), httpx.ReadError("")])
def test_an_upload_in_which_the_connection_breaks(tmp_path: Path, error: Exception) -> None:
    """Shows that it is retried, that the step and the jar's size are named, and not main."""
    flink = ScriptedFlink()
    flink.answer("GET jars", listing())
    flink.answer("POST jars/upload", error)
    with pytest.raises(ClusterUnreachable) as broken:
        asyncio.run(flink.plane().plan(submission(jar=jar_file(tmp_path))))
    assert "broke each time while the jar (0.0 MB) was uploaded" in broken.value.happened
    assert "may close uploads of this size" in broken.value.remedy
    assert flink.count("POST jars/upload") == TRIES
    assert flink.count("POST jars/one.jar/plan") == 0


def test_a_list_is_not_trusted_for_longer_than_a_minute() -> None:
    flink = ScriptedFlink()
    flink.answer("POST jars/uuid_orders.jar/run", recorded("accepted"))
    plane = flink.plane()

    async def work() -> None:
        await plane.submit(submission(), 60)
        await flink.clock.sleep(61)
        await plane.submit(submission(), 60)

    asyncio.run(work())
    assert flink.count("GET jars") == 2


def test_a_list_that_misses_the_former_jar_is_asked_for_again() -> None:
    """Shows that a rollback does not fail because another process uploaded the previous version."""
    flink = ScriptedFlink()
    flink.answer("GET jars", listing(), listing(f"orders-{IDENTITY}-{'1' * 32}.jar"))
    flink.answer("POST jars/0.jar/run", recorded("accepted"))
    asyncio.run(flink.plane().submit(submission(), 60))
    assert flink.changes() == ["POST jars/0.jar/run"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_jar_that_is_gone_at_the_plan_is_uploaded_again(tmp_path: Path, version: str) -> None:
    flink = ScriptedFlink(version)
    flink.answer("GET jars", listing(f"orders-{IDENTITY}-{'2' * 32}.jar"))
    flink.answer("POST jars/0.jar/plan", recorded("unknown-jar", version))
    flink.answer("POST jars/upload", ok(filename="/up/one.jar", status="success"))
    flink.answer("POST jars/one.jar/plan", ok(plan={"nodes": [{"parallelism": 3}]}))
    planned = asyncio.run(flink.plane().plan(submission(jar=jar_file(tmp_path))))
    assert planned.parallelism == 3
    assert flink.changes() == [
        "POST jars/0.jar/plan",
        "POST jars/upload",
        "POST jars/one.jar/plan",
    ]


def test_a_jar_uploaded_since_the_list_is_removed_with_the_others(tmp_path: Path) -> None:
    flink = ScriptedFlink()
    flink.answer("GET jars", listing(f"orders-{IDENTITY}-{'3' * 32}.jar"))
    flink.answer("POST jars/upload", ok(filename="/up/one.jar", status="success"))
    flink.answer("POST jars/one.jar/run", recorded("accepted"))
    for jar_id in ("0.jar", "one.jar"):
        flink.answer(f"DELETE jars/{jar_id}", ok())
    plane = flink.plane()

    async def work() -> None:
        await plane.submit(submission(jar=jar_file(tmp_path)), 60)
        await plane.forget_jars(IDENTITY, frozenset())
        await plane.forget_jars(IDENTITY, frozenset())

    asyncio.run(work())
    assert flink.changes()[2:] == ["DELETE jars/0.jar", "DELETE jars/one.jar"]


async def provided(plane: FlinkRest, **changes: object) -> bool:
    """Ask for a jar to be on the cluster."""
    return await plane.provide_jar(submission(**changes), 60)


def test_a_jar_is_provided_where_it_is_missing(tmp_path: Path) -> None:
    flink = ScriptedFlink()
    flink.answer("GET jars", listing())
    flink.answer("POST jars/upload", ok(filename="/up/one.jar", status="success"))
    plane = flink.plane()

    async def work() -> None:
        assert not await provided(plane)
        assert flink.changes() == []
        assert await provided(plane, jar=jar_file(tmp_path))
        assert flink.changes() == ["POST jars/upload"]
        assert await provided(plane, jar="2" * 64)

    asyncio.run(work())
    assert flink.count("POST jars/upload") == 1


def test_a_jar_that_was_removed_since_is_not_trusted_to_be_there(tmp_path: Path) -> None:
    """Shows that what this process listed or uploaded a while ago stops no job."""
    flink = ScriptedFlink()
    former = listing(f"orders-{IDENTITY}-{'1' * 32}.jar")
    flink.answer("GET jars", former, listing())
    flink.answer("POST jars/upload", ok(filename="/up/one.jar", status="success"))
    plane = flink.plane()

    async def work() -> None:
        assert await provided(plane)
        assert await provided(plane, jar=jar_file(tmp_path))
        await flink.clock.sleep(6)
        assert not await provided(plane)
        assert not await provided(plane, jar="2" * 64)

    asyncio.run(work())
    assert flink.count("GET jars") == 2
