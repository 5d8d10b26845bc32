"""The provider's own configuration, as an engine asks about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.engine.protocols import provider_pb2
from flink_jobs_provider.engine.values import UNKNOWN, Secret, to_struct
from tests.plugin_engine import PluginEngine, plugin_run

_HERE, _THERE = (json.dumps({"url": f"http://{name}:8081"}) for name in ("here", "there"))


def _difference(engine: PluginEngine, before: dict[str, Any], now: dict[str, Any]) -> Any:
    request = provider_pb2.DiffRequest(old_inputs=to_struct(before), news=to_struct(now))
    return engine.call("DiffConfig", request)


@pytest.mark.parametrize(
    ("before", "now", "changed"),
    [
        ({"target": _HERE}, {"target": _HERE}, []),
        ({"token": "a"}, {"token": Secret("a")}, []),
        ({}, {"target": _HERE}, ["target"]),
        ({"target": _HERE, "token": Secret("a")}, {"token": Secret("b")}, ["target", "token"]),
        ({"target": _HERE}, {"target": _THERE}, ["target"]),
        ({"target": _HERE}, {"target": UNKNOWN}, ["target"]),
        ({"version": "0.1.0"}, {"version": "0.2.0"}, ["version"]),
    ],
)
def test_a_change_is_an_update(
    before: dict[str, Any], now: dict[str, Any], changed: list[str], tmp_path: Path
) -> None:
    """Shows what the CLI configures a provider anew for, and that no job is replaced for it."""
    with plugin_run(tmp_path) as engine:
        found = _difference(engine, before, now)
    some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
    assert found.changes == (some if changed else none)
    assert (list(found.diffs), list(found.replaces)) == (changed, [])


def test_a_job_without_a_target_is_told_where_to_give_it(tmp_path: Path) -> None:
    with plugin_run(tmp_path) as engine:
        reasons = {each.property: each.reason for each in engine.check("orders", {}).failures}
        assert "set flink-jobs:target in the stack's configuration" in reasons["target"]
        reasons = {
            each.property: each.reason for each in engine.check("orders", {"target": {}}).failures
        }
        assert reasons["target.url"] == "is required"
    with plugin_run(tmp_path, target=_HERE) as engine:
        assert "target" not in {each.property for each in engine.check("orders", {}).failures}
