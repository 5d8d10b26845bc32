"""A stack goes from the dynamic resource to the plugin's, and back, on a real Flink."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flink_jobs_provider.engine.protocols import provider_pb2
from flink_jobs_provider.engine.values import from_struct
from flink_jobs_provider.provider.dynamic_state import PICKLED_PROVIDER, PROVIDER_KEY
from tests.flink_cluster import FlinkCluster
from tests.integration.plugin.conftest import active
from tests.plugin_engine import DYNAMIC, PluginEngine, plugin_run

_NONE = provider_pb2.DiffResponse.DIFF_NONE


def unchanged(engine: PluginEngine, inputs: dict[str, Any]) -> bool:
    """Whether the program is no change to what is recorded."""
    changes: int = engine.diff("orders", engine.checked("orders", inputs)).changes
    return changes == _NONE


def refreshed(engine: PluginEngine) -> bool:
    """Whether a refresh finds what is recorded: read, and diffed against the recorded inputs."""
    _, inputs, _ = engine.state["orders"]
    engine.refresh("orders")
    changes: int = engine.diff("orders", inputs).changes
    return changes == _NONE


def test_from_one_to_the_other_and_back(
    flink_2: FlinkCluster, inputs: dict[str, Any], tmp_path: Path
) -> None:
    """Shows "unchanged" both ways, a refresh, an update and the end by either provider."""
    state: dict[str, Any] = {}
    dynamic = inputs | {PROVIDER_KEY: PICKLED_PROVIDER}
    with plugin_run(tmp_path, state, DYNAMIC) as engine:
        job_id = engine.up("orders", dynamic)["job_id"]
    with plugin_run(tmp_path, state) as engine:
        assert refreshed(engine)
    with plugin_run(tmp_path, state) as engine:
        assert unchanged(engine, inputs)
        assert engine.up("orders", inputs)["job_id"] == job_id
    with plugin_run(tmp_path, state) as engine:
        updated = engine.up("orders", inputs | {"on_delete": "savepoint"})
        assert (updated["job_id"], updated["on_delete"]) == (job_id, "savepoint")
    with plugin_run(tmp_path, state, DYNAMIC) as engine:
        assert refreshed(engine)
    dynamic["on_delete"] = "savepoint"
    with plugin_run(tmp_path, state, DYNAMIC) as engine:
        assert unchanged(engine, dynamic)
        assert engine.up("orders", dynamic | {"settle_time": "1s"})["job_id"] == job_id
    assert active(flink_2) == [job_id]
    with plugin_run(tmp_path, state, DYNAMIC) as engine:
        engine.delete("orders")
    assert active(flink_2) == []


def test_what_the_plugin_created_is_taken_back(
    flink_2: FlinkCluster, inputs: dict[str, Any], tmp_path: Path
) -> None:
    """Shows that the state of a job that was never the dynamic provider's suits it as well."""
    state: dict[str, Any] = {}
    with plugin_run(tmp_path, state) as engine:
        engine.up("orders", inputs)
    _, recorded, outputs = state["orders"]
    assert from_struct(recorded)[PROVIDER_KEY] == PICKLED_PROVIDER
    assert from_struct(outputs)[PROVIDER_KEY] == PICKLED_PROVIDER
    with plugin_run(tmp_path, state, DYNAMIC) as engine:
        assert refreshed(engine)
    with plugin_run(tmp_path, state, DYNAMIC) as engine:
        engine.delete("orders")
    assert active(flink_2) == []
