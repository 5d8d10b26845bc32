"""A database or a disk that cannot be used: every call is refused as such, none fails otherwise."""

from __future__ import annotations

import asyncio
import resource
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from flink_jobs_provider.gateway.http.api_answers import status_of
from flink_jobs_provider.gateway.job_service import (
    ActionRequest,
    DraftRequest,
    InputChange,
    JobFilter,
    JobsOfCluster,
    PageOfJobs,
)
from flink_jobs_provider.gateway.jobs import Intervals, Jobs
from flink_jobs_provider.gateway.jobs.gateway_process import LEAST_FREE
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.store import RecordsError, RecordsUnavailable
from flink_jobs_provider.model.action import Action, ActionResult
from flink_jobs_provider.model.errors import ActionFailed
from tests.unit.gateway.jobs.gateway import CLUSTER, Gateway, until

#: Each list looks at the cluster first, which answers: what was seen is to be recorded.
_LOOKS = Intervals(observe=3600, fresh=0, renew=3600)
_CALLS: dict[str, Callable[[Jobs], Awaitable[Any]]] = {
    "submit": lambda jobs: jobs.submit(ActionRequest(CLUSTER, "orders", Action.STOP, {}, {}, "me")),
    "draft": lambda jobs: jobs.draft(
        DraftRequest(CLUSTER, "other", {"jar": "file:///a.jar", "args": []}, {}, "me")
    ),
    "change": lambda jobs: jobs.change(InputChange(CLUSTER, 1, 1, {"args": []}, {}, "me")),
    "cluster_of": lambda jobs: jobs.cluster_of(1),
    "found": lambda jobs: jobs.found(
        JobFilter(clusters=[CLUSTER]), PageOfJobs(limit=1, newest_first=True)
    ),
    "execution": lambda jobs: jobs.execution(CLUSTER, 1),
    "jobs": lambda jobs: jobs.jobs(JobsOfCluster(CLUSTER)),
    "job": lambda jobs: jobs.job(CLUSTER, 1),
    "operation": lambda jobs: jobs.operation("1"),
    "savepoints": lambda jobs: jobs.savepoints(CLUSTER, 1),
}


class _Standby(Exception):
    """What PostgreSQL says where it only reads."""

    sqlstate = "25006"


class _Error(NamedTuple):
    """What PostgreSQL says of a statement that is wrong."""

    sqlstate: str = "42601"


_AWAY: dict[str, Exception] = {
    "down": OperationalError("SELECT 1", {}, Exception("connection refused")),
    "standby": InternalError("INSERT", {}, _Standby("cannot execute INSERT")),
    "no connection is free": NoConnectionFree("QueuePool limit"),
}


def _fails_with(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def connect(_self: Engine) -> None:
        raise error

    monkeypatch.setattr(Engine, "connect", connect)


def path_of(directory: Path) -> Path:
    """Return where the gateway's SQLite file is."""
    (path,) = directory.rglob("*.db")
    return path


@pytest.mark.parametrize("why", _AWAY)
@pytest.mark.parametrize("call", _CALLS)
def test_a_database_that_is_away_is_told_on_every_path(
    tmp_path: Path, call: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows 503, also where a list looks at the cluster first and records what it sees."""

    async def life() -> None:
        async with Gateway(tmp_path, intervals=_LOOKS).running() as gateway:
            await gateway.done("NEW")
            with monkeypatch.context() as patched:
                _fails_with(patched, _AWAY[why])
                with pytest.raises(Refusal) as refused:
                    await _CALLS[call](gateway.jobs)
                assert "The database does not answer." in await gateway.jobs.ready()
            assert (status_of(refused.value), refused.value.code) == (503, "RecordsUnavailable")
            assert await gateway.jobs.ready() == []

    asyncio.run(life())


def test_a_database_that_was_moved_is_named_and_resumed(tmp_path: Path) -> None:
    """Shows that nothing is accepted meanwhile, and that the records go on with the file back."""

    async def life() -> None:
        async with Gateway(tmp_path, intervals=_LOOKS).running() as gateway:
            await gateway.done("NEW")
            path = path_of(tmp_path)
            path.rename(tmp_path / "aside")
            for call in _CALLS.values():
                with pytest.raises(Refusal) as refused:
                    await call(gateway.jobs)
                assert refused.value.code == "RecordsUnavailable"
            assert await gateway.jobs.ready() == [
                f"The database cannot be used: {path} was moved, removed or replaced while the "
                "gateway runs: move the same file back, and the gateway continues."
            ]
            (tmp_path / "aside").rename(path)
            assert await gateway.jobs.ready() == []
            assert [row.job_name for row in await gateway.jobs.jobs(JobsOfCluster(CLUSTER))]

    asyncio.run(life())


def test_tables_that_cannot_be_read_are_not_ready(tmp_path: Path) -> None:
    """Shows it for a database that answers, and whose jobs cannot be read."""

    async def life() -> list[str]:
        async with Gateway(tmp_path).running() as gateway:
            with closing(sqlite3.connect(path_of(tmp_path))) as other:
                other.execute("ALTER TABLE jobs RENAME TO away")
            try:
                return await gateway.jobs.ready()
            finally:
                with closing(sqlite3.connect(path_of(tmp_path))) as other:
                    other.execute("ALTER TABLE away RENAME TO jobs")

    assert asyncio.run(life()) == ["The database does not answer."]


def test_what_is_logged_of_records_that_are_away_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Shows the cause, instead of where in the gateway it was met."""
    always = Intervals(observe=0.01, fresh=3600, renew=3600, sample=3600)

    async def life() -> None:
        async with Gateway(tmp_path, intervals=always).running() as gateway:
            await gateway.done("NEW")
            path = path_of(tmp_path)
            path.rename(tmp_path / "aside")
            await until(lambda: "what was seen cannot be recorded: DatabaseMoved" in caplog.text)
            (tmp_path / "aside").rename(path)

    asyncio.run(life())
    assert f"{path_of(tmp_path)} was moved, removed or replaced" in caplog.text
    assert "Traceback" not in caplog.text
    assert "observing a cluster failed" not in caplog.text


def test_a_statement_that_is_wrong_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows that a defect of the gateway is not told as a database that is away."""

    async def life() -> None:
        async with Gateway(tmp_path).running() as gateway:
            with monkeypatch.context() as patched:
                _fails_with(patched, DBAPIError("SELECT", {}, _Error()))  # type: ignore[arg-type]
                with pytest.raises(RecordsError) as failed:
                    await gateway.jobs.operation("1")
                assert not isinstance(failed.value, RecordsUnavailable)
                assert str(failed.value) == "DBAPIError", "no word of the statement"

    asyncio.run(life())


def test_a_disk_that_cannot_be_written_to_is_not_ready(tmp_path: Path) -> None:
    """Shows it for writes that the operating system refuses, as it does on a full disk."""

    async def life() -> list[str]:
        async with Gateway(tmp_path).running() as gateway:
            assert await gateway.jobs.ready() == []
            allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, allowed[1]))
            try:
                return await gateway.jobs.ready()
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, allowed)

    problems = asyncio.run(life())
    assert problems[:2] == [
        f"{tmp_path / 'data'} cannot be written to: File too large.",
        f"{tmp_path} cannot be written to: File too large.",
    ]


def test_a_disk_that_is_almost_full_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def life() -> list[str]:
        async with Gateway(tmp_path).running() as gateway:
            usage = shutil.disk_usage(tmp_path)._replace(free=LEAST_FREE - 1)
            monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
            return await gateway.jobs.ready()

    problems = asyncio.run(life())
    assert problems[0].startswith(f"The disk of {tmp_path / 'data'} is full: 63 MB are free")


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.process)])
@pytest.mark.parametrize("character", ["\0", "\ud800"], ids=["NUL", "half a character"])
def test_an_action_ends_whatever_its_cluster_reports(
    tmp_path: Path, kind: str, character: str, request: pytest.FixtureRequest
) -> None:
    """Shows characters that a database cannot hold: in what an action says, and in a record."""
    url = ""
    if kind == "postgresql":
        url = request.getfixturevalue("postgres_server").new_database()

    async def life() -> None:
        async with Gateway(tmp_path, url).running() as gateway:
            await gateway.done("NEW")

            def breaks(step: str) -> None:
                if step == "stop":
                    raise ActionFailed(f"it cannot parse a{character}z")

            gateway.flink.on_step = breaks
            row = await gateway.do("STOP")
            assert row.result is ActionResult.FAILED
            assert "it cannot parse a\ufffdz" in row.output
            gateway.flink.on_step = lambda _step: None
            gateway.flink.end(gateway.flink.the_job(), "FAILED", f"Bad: b{character}y")
            await gateway.look()
            job = await gateway.row()
            assert job.status == "FAILED"
            assert "Bad: b\ufffdy" in job.record.job_output

    asyncio.run(life())


def test_an_action_ends_though_its_result_cannot_be_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Shows that it is not begun again and again; what it did shows with the next look."""

    async def life() -> None:
        async with Gateway(tmp_path).running() as gateway:
            finish = gateway.store.finish

            def refuses(*args: Any, **kwargs: Any) -> Any:
                if args[4] is not None and args[4].status == "RUNNING":
                    raise RecordsError("DataError")
                return finish(*args, **kwargs)

            gateway.store.finish = refuses  # type: ignore[method-assign]
            row = await gateway.do("NEW")
            assert row.result is ActionResult.FAILED
            assert row.output == (
                "How it ended cannot be recorded: RecordsError. The gateway's log has details "
                f"under operation {row.id}. What runs shows in the job's status."
            )
            await gateway.look()
            assert (await gateway.row()).status == "RUNNING"
            assert len(gateway.flink.submissions) == 1

    asyncio.run(life())
    assert "its result: RecordsError" in caplog.text
