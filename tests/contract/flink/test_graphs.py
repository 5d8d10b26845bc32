"""Job graphs of plan calls, and the state of their vertices; bodies as measured on Flink 2.3.0."""

from __future__ import annotations

import asyncio

from flink_jobs_provider.control_planes.flink.bodies import last_cause
from flink_jobs_provider.model.job_graph import JobGraph, Vertex
from tests.contract.flink.scripted import JOB_ID, ScriptedFlink, ok, recorded

PLAN = {
    "nodes": [
        {
            "id": "b717",
            "parallelism": 3,
            "description": "count<br/>+- lines: Writer<br/>   +- lines: Committer<br/>",
            "inputs": [{"id": "ca88", "num": 0, "ship_strategy": "HASH"}],
        },
        {"id": "ca88", "parallelism": 1, "description": "Source: numbers<br/>"},
        {
            "id": "f00d",
            "parallelism": 1,
            "description": "[3]:Calc(select=[a + b])<br/>:- Map<br/>:  +- Sink<br/>+- Filter<br/>",
            "inputs": [{"id": "ca88", "num": 0, "ship_strategy": "FORWARD"}],
        },
    ]
}
GRAPH = JobGraph(
    3,
    (
        Vertex(
            "b717",
            ("count", "lines: Writer", "lines: Committer"),
            keyed=True,
            parallelism=3,
            inputs=("ca88",),
        ),
        Vertex("ca88", ("Source: numbers",), source=True),
        Vertex("f00d", ("[3]:Calc(select=[a + b])", "Map", "Sink", "Filter"), inputs=("ca88",)),
    ),
)


def test_a_running_job_shows_its_graph() -> None:
    flink = ScriptedFlink()
    flink.answer(f"GET jobs/{JOB_ID}/plan", ok(plan=PLAN))
    assert asyncio.run(flink.plane().running_graph(JOB_ID)) == GRAPH


def test_names_of_operators_may_look_like_branches_and_have_line_breaks() -> None:
    description = "two<br/>lines<br/>:- -- a -&gt; b<br/>:  +- +- c<br/>+- d"
    flink = ScriptedFlink()
    flink.answer(
        f"GET jobs/{JOB_ID}/plan",
        ok(plan={"nodes": [{"id": "b717", "description": description}]}),
    )
    found = asyncio.run(flink.plane().running_graph(JOB_ID))
    assert found is not None
    assert found.vertices[0].operators == ("two<br/>lines", "-- a -> b", "+- c", "d")


def test_an_unknown_job_has_none() -> None:
    flink = ScriptedFlink()
    flink.answer(f"GET jobs/{JOB_ID}/plan", recorded("unknown-trigger"))
    plane = flink.plane()

    async def work() -> None:
        assert await plane.running_graph(JOB_ID) is None
        assert await plane.state_sizes(JOB_ID) is None

    asyncio.run(work())


def test_state_is_that_of_the_newest_checkpoint_or_savepoint() -> None:
    flink = ScriptedFlink()
    statistics = f"GET jobs/{JOB_ID}/checkpoints"
    latest = {"completed": {"id": 12}, "savepoint": {"id": 13}, "failed": {"id": 14}}
    flink.answer(statistics, ok(latest=latest), ok(latest={"completed": None}))
    tasks = {
        "b717": {"state_size": 4860, "persisted_data": 0},
        "ca88": {"state_size": 0},
        "f00d": {"state_size": 3200, "persisted_data": 3100},  # records in flight
    }
    flink.answer(f"{statistics}/details/13", ok(id=13, tasks=tasks))
    plane = flink.plane()

    async def work() -> None:
        assert await plane.state_sizes(JOB_ID) == {"b717": 4860, "ca88": 0, "f00d": None}
        assert await plane.state_sizes(JOB_ID) is None

    asyncio.run(work())


def test_causes_name_our_input_and_not_flinks_command_line() -> None:
    said = (
        "Caused by: java.lang.IllegalStateException: Failed to rollback to checkpoint/savepoint "
        "file:/s/1. Cannot map checkpoint/savepoint state for operator b717 to the new program, "
        "because the operator is not available in the new program. If you want to allow to skip "
        "this, you can set the --allowNonRestoredState option on the CLI.\n\tat org.apache"
    )
    cause = last_cause(said)
    assert cause.endswith("you can set allow_non_restored_state.")
    assert "allowNonRestoredState" not in cause
