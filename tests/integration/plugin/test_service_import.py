"""Imports of jobs of a job service, which a gateway serves over a real Flink."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.engine.protocols import provider_pb2
from tests.end_to_end.flink.targets import ServedTarget, open_target
from tests.flink_cluster import FlinkCluster
from tests.integration.plugin.conftest import active
from tests.integration.plugin.test_import import as_option, read
from tests.plugin_engine import PluginError, plugin_run

State = dict[str, Any]
_NONE = provider_pb2.DiffResponse.DIFF_NONE


@pytest.fixture(params=["hdinsight", "dli"])
def served(
    request: pytest.FixtureRequest,
    flink_2: FlinkCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[ServedTarget]:
    """Return the target of a job service."""
    target = open_target(request.param, flink_2, tmp_path / "served")
    assert isinstance(target, ServedTarget)
    for name, value in target.environment.items():
        monkeypatch.setenv(name, value)
    yield target
    target.close()


def test_a_job_of_a_service(
    flink_2: FlinkCluster, served: ServedTarget, inputs: dict[str, Any], tmp_path: Path
) -> None:
    """Shows that it is read by its name, recorded without a restart, and then unchanged.

    What is not there, and what is another stack's, is told in a line.
    """
    inputs = inputs | {"target": served.inputs}
    with plugin_run(tmp_path) as engine:
        engine.up("orders", inputs)
    [job_id] = active(flink_2)
    configuration = {"organization": "acme", "target": json.dumps(served.inputs)}
    state: State = {}
    with plugin_run(tmp_path, state, **configuration) as engine:
        seen = read(engine, "orders", "orders")
        assert (seen["job_name"], seen["status"]) == ("orders", "RUNNING")
        assert seen["target"].items() >= served.inputs.items()
        assert not seen.keys() & {"jar", "entry_class", "args", "flink_configuration", "adopt"}
        assert "it does not read jar, entry_class, args, flink_configuration" in engine.lines()[0]
        with pytest.raises(PluginError) as absent:
            read(engine, "absent", "absent")
        assert str(absent.value).startswith("absent: it is not there: ")
        assert "lists no job of this name. Nothing was imported." in str(absent.value)
        with pytest.raises(PluginError, match="it does not begin with the address of a Flink"):
            read(engine, "absent", "somewhere/orders")
    with plugin_run(tmp_path, state, **configuration) as engine:
        with pytest.raises(PluginError, match="Nothing was ended"):
            engine.delete("orders")
        assert engine.refresh("orders")["status"] == "RUNNING"
        recorded = engine.up("orders", inputs)
        assert (recorded["status"], recorded["jar"]) == ("RUNNING", inputs["jar"])
    with plugin_run(tmp_path, state, **configuration) as engine:
        engine.refresh("orders")
        assert engine.diff("orders", engine.checked("orders", inputs)).changes == _NONE
    assert active(flink_2) == [job_id]
    with plugin_run(tmp_path, organization="others", target=configuration["target"]) as engine:
        with pytest.raises(PluginError) as refused:
            read(engine, "orders", "orders")
        assert "of another owner than others/shop/prod. Nothing was imported." in str(refused.value)
    state.clear()
    with plugin_run(tmp_path, state, **configuration) as engine:
        assert unchanged_as_option(engine, inputs)
        assert not unchanged_as_option(engine, inputs | {"parallelism": 2})
    assert active(flink_2) == [job_id]
    with plugin_run(tmp_path, state, **configuration) as engine:
        as_option(engine, "orders", "orders", inputs)
    with plugin_run(tmp_path, state, **configuration) as engine:
        engine.delete("orders")
    assert active(flink_2) == []


def unchanged_as_option(engine: Any, inputs: dict[str, Any]) -> bool:
    """Whether the option `import_` finds the job as the program declares it."""
    changes: int = as_option(engine, "orders", "orders", inputs).changes
    return changes == _NONE
