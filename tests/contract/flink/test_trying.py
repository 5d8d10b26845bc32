"""Trying a program for a preview: its jar is on the cluster meanwhile, and no longer."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from flink_jobs_provider.control_planes.flink.jars import LENT
from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.model.errors import ActionFailed, EntryClassUnusable
from tests.contract.flink.scripted import (
    IDENTITY,
    VERSIONS,
    ScriptedFlink,
    jar_file,
    ok,
    recorded,
    submission,
)

UPLOADED = ok(filename="/up/lent.jar", status="success")
PLANNED = ok(plan={"nodes": [{"parallelism": 3}]})
NAME = f"{LENT}-{'0' * 18}-{'2' * 32}.jar"


def empty() -> ScriptedFlink:
    """Return a Flink without jars that plans what is uploaded."""
    flink = ScriptedFlink()
    flink.answer("GET jars", ok(files=[]))
    flink.answer("POST jars/upload", UPLOADED)
    flink.answer("POST jars/lent.jar/plan", PLANNED)
    flink.answer("DELETE jars/lent.jar", ok())
    return flink


def test_a_jar_is_there_for_the_plan_alone(tmp_path: Path) -> None:
    flink = empty()
    planned = asyncio.run(flink.plane().try_out(submission(jar=jar_file(tmp_path))))
    assert planned.parallelism == 3
    assert flink.changes() == [
        "POST jars/upload",
        "POST jars/lent.jar/plan",
        "DELETE jars/lent.jar",
    ]
    upload = next(sent for sent in flink.sent if sent.path == "jars/upload")
    assert NAME.encode() in upload.body


def test_jobs_that_share_a_jar_upload_it_once(tmp_path: Path) -> None:
    flink = empty()
    plane, jar = flink.plane(), jar_file(tmp_path)

    async def work() -> None:
        tries = (submission(jar=jar, job_name=f"job-{number}") for number in range(50))
        await asyncio.gather(*map(plane.try_out, tries))

    asyncio.run(work())
    assert flink.count("POST jars/lent.jar/plan") == 50
    assert flink.count("POST jars/upload") == 1
    assert flink.count("GET jars") == 1
    assert flink.changes()[-1] == "DELETE jars/lent.jar"
    assert flink.count("DELETE jars/lent.jar") == 1


def test_a_jar_of_the_same_content_is_used_and_left(tmp_path: Path) -> None:
    """Shows that nothing is uploaded or removed where any job of ours has left the jar."""
    flink = ScriptedFlink()
    name = f"payments-{'9' * 18}-{'2' * 32}.jar"
    flink.answer("GET jars", ok(files=[{"id": "theirs.jar", "name": name}]))
    flink.answer("POST jars/theirs.jar/plan", PLANNED)
    asyncio.run(flink.plane().try_out(submission(jar=jar_file(tmp_path))))
    assert flink.changes() == ["POST jars/theirs.jar/plan"]


def test_a_running_version_is_planned_with_its_jar_on_the_cluster() -> None:
    """Shows that a jar known by its digest alone is neither uploaded nor removed."""
    flink = ScriptedFlink()
    name = f"orders-{IDENTITY}-{'2' * 32}.jar"
    flink.answer("GET jars", ok(files=[{"id": "running.jar", "name": name}]))
    flink.answer("POST jars/running.jar/plan", PLANNED)
    planned = asyncio.run(flink.plane().try_out(submission(jar="2" * 64)))
    assert planned.parallelism == 3
    assert flink.changes() == ["POST jars/running.jar/plan"]


def test_a_running_version_whose_jar_is_gone_cannot_be_planned() -> None:
    flink = empty()
    with pytest.raises(ActionFailed, match="is no longer on the cluster"):
        asyncio.run(flink.plane().try_out(submission(jar="2" * 64)))
    assert flink.changes() == []


@pytest.mark.parametrize("version", VERSIONS)
def test_one_that_goes_meanwhile_is_uploaded(tmp_path: Path, version: str) -> None:
    flink = ScriptedFlink(version)
    name = f"payments-{'9' * 18}-{'2' * 32}.jar"
    flink.answer("GET jars", ok(files=[{"id": "0.jar", "name": name}]))
    flink.answer("POST jars/0.jar/plan", recorded("unknown-jar", version))
    flink.answer("POST jars/upload", UPLOADED)
    flink.answer("POST jars/lent.jar/plan", PLANNED)
    asyncio.run(flink.plane().try_out(submission(jar=jar_file(tmp_path))))
    assert flink.changes()[-1] == "DELETE jars/lent.jar"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_jar_is_removed_when_the_program_fails(tmp_path: Path, version: str) -> None:
    flink = empty()
    flink.answer("POST jars/lent.jar/plan", recorded("bad-entry-class", version))
    with pytest.raises(EntryClassUnusable, match=r"ClassNotFoundException: no\.such\.Main"):
        asyncio.run(flink.plane().try_out(submission(jar=jar_file(tmp_path))))
    assert flink.changes()[-1] == "DELETE jars/lent.jar"


def test_what_main_throws_is_no_fault_of_the_entry_class(tmp_path: Path) -> None:
    flink = empty()
    flink.answer("POST jars/lent.jar/plan", recorded("main-throws"))
    with pytest.raises(ActionFailed) as failed:
        asyncio.run(flink.plane().try_out(submission(jar=jar_file(tmp_path))))
    assert not isinstance(failed.value, EntryClassUnusable)


def test_a_jar_is_removed_when_nobody_waits_any_more(tmp_path: Path) -> None:
    flink = empty()
    plane = flink.plane()
    submissions = submission(jar=jar_file(tmp_path))

    async def work() -> None:
        planning = asyncio.Event()

        async def slowly(*_args: object, **_options: object) -> None:
            planning.set()
            await asyncio.Event().wait()

        plane._submissions._planned = slowly  # type: ignore[method-assign, assignment]
        async with plane._jars.lend(jar_file(tmp_path), 60) as jar:
            await jar.id()
            task = asyncio.create_task(plane.try_out(submissions))
            await planning.wait()
            task.cancel()
            await asyncio.wait([task])
            assert flink.count("DELETE jars/lent.jar") == 0
        assert flink.count("DELETE jars/lent.jar") == 1

    asyncio.run(work())


def test_what_a_killed_preview_left_is_removed_when_it_is_old(tmp_path: Path) -> None:
    flink = empty()
    old, young = (time.time() - 3700) * 1000, time.time() * 1000
    files = [
        {"id": "old.jar", "name": NAME, "uploaded": old},
        {"id": "young.jar", "name": NAME, "uploaded": young},
        {"id": "jobs.jar", "name": f"orders-{IDENTITY}-{'3' * 32}.jar", "uploaded": old},
    ]
    flink.answer("GET jars", ok(files=files))
    flink.answer("DELETE jars/old.jar", ok())
    asyncio.run(flink.plane().try_out(submission(jar=jar_file(tmp_path))))
    deleted = [change for change in flink.changes() if change.startswith("DELETE")]
    assert deleted == ["DELETE jars/old.jar", "DELETE jars/lent.jar"]


def test_no_submission_takes_a_jar_that_is_lent(tmp_path: Path) -> None:
    """Shows that a job does not lose its jar when another process ends its preview."""
    flink = empty()
    flink.answer("GET jars", ok(files=[{"id": "theirs.jar", "name": NAME}]))
    plane: FlinkRest = flink.plane()
    assert asyncio.run(plane.job_names()) == {}
    plane = flink.plane()
    asyncio.run(plane.plan(submission(jar=jar_file(tmp_path))))
    assert flink.count("POST jars/upload") == 1
    assert flink.count("DELETE jars/lent.jar") == 0
