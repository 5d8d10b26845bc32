"""What is read of jobs, from recorded answers of Flink 1.20 and 2.3."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from flink_jobs_provider.control_planes.flink.bodies import parse_checkpoints, parse_overview
from flink_jobs_provider.model.errors import ActionFailed, DeadlineExceeded
from flink_jobs_provider.model.identity import trigger_id
from flink_jobs_provider.model.observation import Checkpointing
from tests.contract.flink.scripted import JOB_ID, VERSIONS, ScriptedFlink, ok, recorded

JOB = f"GET jobs/{JOB_ID}"


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_overview(version: str) -> None:
    row = parse_overview(recorded("overview", version).json()).by_id[JOB_ID]
    assert (row.name, row.state, row.ended) == ("counting", "RUNNING", 0)
    assert row.tasks == row.running_tasks > 0
    assert row.started > 1_700_000_000_000
    assert row.healthy


def test_facts(version: str) -> None:
    flink = ScriptedFlink(version)
    flink.answer("GET config", recorded("config", version))
    flink.answer("GET jobmanager/config", recorded("jobmanager-config", version))
    facts = asyncio.run(flink.plane().facts())
    assert facts.version_text == version
    assert facts.savepoint_directory == "file:///flink/savepoints"
    assert facts.checkpoint_directory == "file:///flink/checkpoints"
    assert facts.fixed_slots
    assert (facts.job_cache, facts.statistics_cache) == (3, 3)


@pytest.mark.parametrize(
    ("shown", "caches"),
    [
        ([], (7, 7)),
        ([{"key": "rest.cache.checkpoint-statistics.timeout", "value": "500 ms"}], (7, 0.5)),
        ([{"key": "rest.cache.checkpoint-statistics.timeout", "value": "soon"}], (7, 3)),
    ],
)
def test_what_is_shown_may_be_as_old_as_the_cluster_is_set_to(
    shown: list[dict[str, str]], caches: tuple[float, float]
) -> None:
    flink = ScriptedFlink()
    config = {**recorded("config", "2.3.0").json(), "refresh-interval": 7000}
    flink.answer("GET config", httpx.Response(200, json=config))
    flink.answer("GET jobmanager/config", httpx.Response(200, json=shown))
    facts = asyncio.run(flink.plane().facts())
    assert (facts.job_cache, facts.statistics_cache) == caches


def _facts_with(*rows: dict[str, str]) -> tuple[str, bool]:
    flink = ScriptedFlink()
    flink.answer("GET jobmanager/config", httpx.Response(200, json=list(rows)))
    facts = asyncio.run(flink.plane().facts())
    return facts.savepoint_directory, facts.fixed_slots


def test_directories_by_their_new_names() -> None:
    """Shows Flink 2's key, which wins over the old one."""
    new = {"key": "execution.checkpointing.savepoint-dir", "value": "s3://new"}
    old = {"key": "state.savepoints.dir", "value": "s3://old"}
    assert _facts_with(old, new)[0] == "s3://new"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("execution.target", "kubernetes-session"),
        ("kubernetes.cluster-id", "x"),
        ("yarn.application.id", "x"),
    ],
)
def test_slots_are_not_counted_where_more_can_be_started(key: str, value: str) -> None:
    assert not _facts_with({"key": key, "value": value})[1]


def test_a_proxy_that_hides_the_configuration() -> None:
    flink = ScriptedFlink()
    flink.answer("GET jobmanager/config", recorded("unknown-job"))
    assert asyncio.run(flink.plane().facts()).savepoint_directory == ""


def test_statistics_of_a_stopped_job(version: str) -> None:
    statistics = parse_checkpoints(recorded("statistics-stopped", version).json())
    assert statistics.stopped_with_savepoint
    assert statistics.savepoint.startswith("file:/flink/savepoints/savepoint-")
    assert statistics.completed >= 3
    assert statistics.restored_from == ""
    assert statistics.checkpoint == ""  # not retained: gone with the job


def test_statistics_of_what_is_unknown_or_has_none(version: str) -> None:
    flink = ScriptedFlink(version)
    flink.answer(f"{JOB}/checkpoints", recorded("unknown-job-statistics", version))
    assert asyncio.run(flink.plane().checkpoints(JOB_ID)) is None
    flink.answer(f"{JOB}/checkpoints", recorded("statistics-batch", version))
    found = asyncio.run(flink.plane().checkpoints(JOB_ID))
    assert found is not None
    assert not found.enabled


def test_a_retained_checkpoint() -> None:
    body = {
        "counts": {"completed": 2},
        "latest": {
            "completed": {
                "external_path": "file:/c/chk-2",
                "discarded": False,
                "trigger_timestamp": 5,
                "is_savepoint": False,
            },
            "savepoint": {
                "external_path": "file:/s/1",
                "checkpoint_type": "SYNC_SAVEPOINT",
                "trigger_timestamp": 4,
            },
            "restored": {"external_path": "file:/s/0", "is_savepoint": False},
        },
    }
    found = parse_checkpoints(body)
    assert (found.checkpoint, found.checkpoint_time) == ("file:/c/chk-2", 5)
    assert found.restored_from == "file:/s/0"
    assert not found.stopped_with_savepoint  # a checkpoint came after it: the stop failed
    body["latest"]["completed"]["external_path"] = "<checkpoint-not-externally-addressable>"  # type: ignore[index]
    assert parse_checkpoints(body).checkpoint == ""


def test_statistics_of_a_job_that_just_began() -> None:
    empty = {"counts": {"completed": 0}, "latest": dict.fromkeys(("completed", "savepoint"))}
    assert parse_checkpoints(empty).completed == 0


def test_retention(version: str) -> None:
    """Shows that what is set counts only with periodic checkpoints; a batch job has none."""
    flink = ScriptedFlink(version)
    path = f"{JOB}/checkpoints/config"
    config = recorded("checkpoints-config", version).json()
    kept = {"externalization": {"enabled": True, "delete_on_cancellation": False}}
    for answer, expected in [
        (ok(**config), Checkpointing(periodic=True, retained=False)),
        (ok(**(config | kept)), Checkpointing(periodic=True, retained=True)),
        (ok(**(config | kept | {"interval": 2**63 - 1})), Checkpointing(retained=True)),
        (recorded("checkpoints-config-batch", version), Checkpointing()),
    ]:
        flink.answer(path, answer)
        assert asyncio.run(flink.plane().checkpointing(JOB_ID)) == expected


def test_failure(version: str) -> None:
    flink = ScriptedFlink(version)
    flink.answer(f"{JOB}/exceptions?maxExceptions=1", recorded("exceptions", version))
    cause = asyncio.run(flink.plane().failure(JOB_ID))
    assert "on purpose" in cause
    assert "\n" not in cause
    unknown = recorded("unknown-job-exceptions", version)
    flink.answer(f"{JOB}/exceptions?maxExceptions=1", unknown)
    assert asyncio.run(flink.plane().failure(JOB_ID)) == ""


def test_parallelism(version: str) -> None:
    flink = ScriptedFlink(version)
    flink.answer(JOB, recorded("detail", version))
    widest = max(vertex["parallelism"] for vertex in recorded("detail", version).json()["vertices"])
    assert asyncio.run(flink.plane().parallelism(JOB_ID)) == widest
    flink.answer(JOB, recorded("unknown-job", version))
    assert asyncio.run(flink.plane().parallelism(JOB_ID)) is None


def test_dashboard() -> None:
    plane = ScriptedFlink().plane(url="https://gateway/flink/one/")
    assert plane.dashboard(JOB_ID) == (f"https://gateway/flink/one/#/job/running/{JOB_ID}/overview")


def asked(version: str, *results: httpx.Response) -> ScriptedFlink:
    """Return a Flink on which a checkpoint that is asked for comes to these results."""
    flink = ScriptedFlink(version)
    flink.answer(f"{JOB}/checkpoints/config", recorded("checkpoints-config", version))
    flink.answer(f"POST jobs/{JOB_ID}/checkpoints", recorded("checkpoint-accepted", version))
    trigger = trigger_id(JOB_ID, "checkpoint", int(flink.clock.now() * 1000))
    flink.answer(f"{JOB}/checkpoints/{trigger}", *results)
    return flink


def test_a_checkpoint_completes(version: str) -> None:
    busy = ok(status={"id": "IN_PROGRESS"}, operation=None)
    flink = asked(version, busy, recorded("checkpoint-completed", version))
    assert asyncio.run(flink.plane().checkpoint(JOB_ID, 60))


def test_a_checkpoint_fails(version: str) -> None:
    failure = recorded("stop-ended-job-failed", version).json()["operation"]["failure-cause"]
    # Spelt otherwise than that of a savepoint (CheckpointInfo of Flink 1.20 and 2.3).
    operation = {"checkpointId": None, "failureCause": failure}
    flink = asked(version, ok(status={"id": "COMPLETED"}, operation=operation))
    with pytest.raises(ActionFailed, match="Could not find Flink job"):
        asyncio.run(flink.plane().checkpoint(JOB_ID, 60))


def test_a_checkpoint_takes_too_long(version: str) -> None:
    flink = asked(version, ok(status={"id": "IN_PROGRESS"}))
    with pytest.raises(DeadlineExceeded):
        asyncio.run(flink.plane().checkpoint(JOB_ID, 2))


def test_a_job_without_periodic_ones_is_left_alone(version: str) -> None:
    flink = ScriptedFlink(version)
    for interval in (0, 2**63 - 1):
        flink.answer(f"{JOB}/checkpoints/config", ok(interval=interval))
        assert not asyncio.run(flink.plane().checkpoint(JOB_ID, 60))
    flink.answer(f"{JOB}/checkpoints/config", recorded("checkpoints-config-batch", version))
    assert not asyncio.run(flink.plane().checkpoint(JOB_ID, 60))
    assert flink.changes() == []


@pytest.mark.parametrize(
    ("answer", "mains"),
    [
        (
            ok(threadInfos=[{"threadName": "main"}, {"threadName": "flink-jar-runner-thread-3"}]),
            {"flink-jar-runner-thread-3"},
        ),
        (ok(threadInfos=[{"threadName": "jobmanager-io-thread-1"}]), set()),
        (httpx.Response(404, json={"errors": ["Not found."]}), None),
        (httpx.Response(403, text="Forbidden"), None),
        (ok(threadInfos=["flink-jar-runner-thread-1"]), None),
    ],
)
def test_which_mains_run(answer: httpx.Response, mains: set[str] | None) -> None:
    """Shows the thread of a submission, and that what is hidden is not taken for none."""
    flink = ScriptedFlink()
    flink.answer("GET jobmanager/thread-dump", answer)
    assert asyncio.run(flink.plane().running_mains()) == mains
