"""What a running job may be scaled to, as the adaptive scheduler tells it.

The answers are as Flink 1.20.5 and 2.3.0 gave them with `jobmanager.scheduler: adaptive`.
"""

from __future__ import annotations

import asyncio

import httpx
import pytest

from flink_jobs_provider.model.errors import ActionFailed
from tests.contract.flink.scripted import ADAPTIVE, JOB_ID, ScriptedFlink, ok

REQUIREMENTS = f"GET jobs/{JOB_ID}/resource-requirements"
BOUNDS = {
    "ca88eee0095684d687a1b6495617f957": {"parallelism": {"lowerBound": 1, "upperBound": 2}},
    "b71731f1c0df9c3076c4a455334d0ad6": {"parallelism": {"lowerBound": 1, "upperBound": 4}},
}
ENDED = httpx.Response(
    500,
    json={
        "errors": [
            "Internal server error.",
            "<Exception on server side:\norg.apache.flink.runtime.messages."
            f"FlinkJobNotFoundException: Could not find Flink job ({JOB_ID})",
        ]
    },
)


def bounds(flink: ScriptedFlink) -> dict[str, int] | None:
    return asyncio.run(flink.plane().parallelism_bounds(JOB_ID))


@pytest.mark.parametrize("version", ["1.18.1", "1.20.5", "2.3.0"])
def test_the_adaptive_scheduler_tells_them(version: str) -> None:
    flink = ScriptedFlink(version)
    flink.answer("GET jobmanager/config", ADAPTIVE)
    flink.answer(REQUIREMENTS, ok(**BOUNDS))
    assert sorted((bounds(flink) or {}).values()) == [2, 4]


def test_no_other_is_asked() -> None:
    """Shows that no job of a usual cluster costs a request, nor any of a Flink without the call."""
    usual = ScriptedFlink()
    usual.answer(
        "GET jobmanager/config", httpx.Response(200, json=[{"key": "rest.port", "value": "8081"}])
    )
    old = ScriptedFlink("1.17.2")
    old.answer("GET jobmanager/config", ADAPTIVE)
    for flink in (usual, old):
        assert bounds(flink) is None
        assert flink.count(REQUIREMENTS) == 0


@pytest.mark.parametrize(
    ("row", "asked"),
    [({"schedulerType": "Adaptive"}, 1), ({"schedulerType": "Default"}, 0), ({}, 0)],
)
def test_where_the_configuration_is_hidden(row: dict[str, str], asked: int) -> None:
    """Shows that the job list of Flink 2 tells the scheduler; before, nobody does."""
    flink = ScriptedFlink()
    flink.answer("GET jobmanager/config", httpx.Response(404, json={"errors": ["no"]}))
    flink.answer(
        "GET jobs/overview", ok(jobs=[{"jid": JOB_ID, "name": "x", "state": "RUNNING", **row}])
    )
    flink.answer(REQUIREMENTS, ok(**BOUNDS))
    assert (bounds(flink) is not None) == bool(asked)
    assert flink.count(REQUIREMENTS) == asked


def test_a_job_that_has_ended_has_none() -> None:
    """Shows that this answer, a 500, is none of a cluster that is ill: it is not retried."""
    flink = ScriptedFlink()
    flink.answer("GET jobmanager/config", ADAPTIVE)
    flink.answer(REQUIREMENTS, ENDED)
    assert bounds(flink) is None
    assert flink.count(REQUIREMENTS) == 1


def test_rescaling_sends_every_vertex() -> None:
    """Shows the request; one that Flink refuses is told with its last cause."""
    flink = ScriptedFlink()
    request = f"PUT jobs/{JOB_ID}/resource-requirements"
    flink.answer(request, ok(), httpx.Response(400, json={"errors": ["a.b.Error: above 128"]}))
    plane = flink.plane()

    async def work() -> None:
        await plane.rescale(JOB_ID, {"a": 2, "b": 4})
        with pytest.raises(ActionFailed, match="Error: above 128"):
            await plane.rescale(JOB_ID, {"a": 200, "b": 4})

    asyncio.run(work())
    sent = next(each for each in flink.sent if each.method == "PUT")
    assert sent.body == {
        "a": {"parallelism": {"lowerBound": 1, "upperBound": 2}},
        "b": {"parallelism": {"lowerBound": 1, "upperBound": 4}},
    }
