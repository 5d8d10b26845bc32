"""`pulumi import`, and the option `import_`, as an engine goes about them, on a real Flink."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.engine.protocols import provider_pb2
from flink_jobs_provider.engine.values import from_struct, to_struct
from flink_jobs_provider.model.identity import generation_of
from tests.flink_cluster import FlinkCluster
from tests.integration.plugin.conftest import active
from tests.job_jars import COUNTING_JAR
from tests.plugin_engine import URN, PluginEngine, PluginError, plugin_run

_NONE, _SOME = provider_pb2.DiffResponse.DIFF_NONE, provider_pb2.DiffResponse.DIFF_SOME
#: The stack's organization, which is part of its owner.
_ORGANIZATION = {"organization": "acme"}
State = dict[str, Any]


def read(engine: PluginEngine, name: str, id_: str) -> dict[str, Any]:
    """Import a resource as `pulumi import` does: read it, and record what it answers."""
    answer = engine.call("Read", provider_pb2.ReadRequest(urn=URN + name, id=id_))
    checked = engine.call("Check", provider_pb2.CheckRequest(urn=URN + name, news=answer.inputs))
    assert not checked.failures
    engine.state[name] = (answer.id, checked.inputs, answer.properties)
    return from_struct(answer.properties)


def as_option(engine: PluginEngine, name: str, id_: str, inputs: dict[str, Any]) -> Any:
    """Import a resource as the option `import_` does: the program's inputs must be the job's."""
    answer = engine.call("Read", provider_pb2.ReadRequest(urn=URN + name, id=id_))
    checked = engine.call(
        "Check", provider_pb2.CheckRequest(urn=URN + name, news=to_struct(inputs))
    )
    assert not checked.failures
    engine.state[name] = (answer.id, answer.inputs, answer.properties)
    difference = engine.diff(name, checked.inputs)
    engine.state[name] = (answer.id, checked.inputs, answer.properties)
    return difference


@pytest.fixture
def job_id(inputs: dict[str, Any], tmp_path: Path) -> str:
    """Return the job of a stack that has lost its state."""
    with plugin_run(tmp_path) as engine:
        return str(engine.up("orders", inputs)["job_id"])


@pytest.mark.parametrize("by", ["name", "jobId"])
def test_a_job_of_ours(
    flink_2: FlinkCluster, inputs: dict[str, Any], tmp_path: Path, job_id: str, by: str
) -> None:
    """Shows that it is read, says what it could not, and is recorded without a restart."""
    state: State = {}
    id_ = f"{flink_2.url}/{'orders' if by == 'name' else job_id}"
    with plugin_run(tmp_path, state, **_ORGANIZATION) as engine:
        seen = read(engine, "orders", id_)
        assert (seen["job_id"], seen["job_name"], seen["status"]) == (job_id, "orders", "RUNNING")
        assert seen["generation"] == generation_of(job_id)
        assert "jar" not in seen
        assert "does not show jar, entry_class, args, flink_configuration" in engine.lines()[0]
    with plugin_run(tmp_path, state, **_ORGANIZATION) as engine:
        with pytest.raises(PluginError, match="Nothing was ended"):
            engine.delete("orders")
        assert engine.refresh("orders")["job_id"] == job_id
        assert engine.diff("orders", state["orders"][1]).changes == _NONE  # as a refresh does
        engine.up("orders", inputs, preview=True)
        assert f"orders: NEW, adopt job {job_id}, which runs already" in engine.lines()
        recorded = engine.up("orders", inputs)
        assert (recorded["job_id"], recorded["jar"]) == (job_id, inputs["jar"])
    with plugin_run(tmp_path, state, **_ORGANIZATION) as engine:
        engine.refresh("orders")
        assert engine.diff("orders", engine.checked("orders", inputs)).changes == _NONE
    assert active(flink_2) == [job_id]


def test_the_option_import_of_a_job_of_ours(
    flink_2: FlinkCluster, inputs: dict[str, Any], tmp_path: Path, job_id: str
) -> None:
    """Shows that inputs which are those of the job are no difference, then or later."""
    state: State = {}
    with plugin_run(tmp_path, state, **_ORGANIZATION) as engine:
        id_ = f"{flink_2.url}/orders"
        assert as_option(engine, "orders", id_, inputs | {"parallelism": 2}).changes == _SOME
        assert as_option(engine, "orders", id_, inputs).changes == _NONE
    with plugin_run(tmp_path, state, **_ORGANIZATION) as engine:
        assert engine.diff("orders", engine.checked("orders", inputs)).changes == _NONE
        engine.refresh("orders")
        assert engine.diff("orders", engine.checked("orders", inputs)).changes == _NONE
    with plugin_run(tmp_path, state, **_ORGANIZATION) as engine:
        assert engine.up("orders", inputs | {"parallelism": 2})["action"] == "UPDATE"
        assert len(active(flink_2)) == 1


@pytest.mark.parametrize("declares_adopt", [True, False])
def test_a_job_of_nobody(
    flink_2: FlinkCluster, inputs: dict[str, Any], tmp_path: Path, declares_adopt: bool
) -> None:
    """Shows that it is adopted as it is, and is never started alongside itself."""
    job_id = flink_2.run(COUNTING_JAR, inputs["args"], parallelism=1)
    state: State = {}
    with plugin_run(tmp_path, state, **_ORGANIZATION) as engine:
        seen = read(engine, "orders", f"{flink_2.url}/{job_id}")
        assert (seen["job_id"], seen["adopt"]) == (job_id, job_id)
    wanted = inputs | {"jar": str(COUNTING_JAR)} | ({"adopt": job_id} if declares_adopt else {})
    with plugin_run(tmp_path, state, **_ORGANIZATION) as engine:
        engine.up("orders", wanted, preview=True)
        assert any(f"orders: ADOPT job {job_id}" in line for line in engine.lines())
    with plugin_run(tmp_path, state, **_ORGANIZATION) as engine:  # without a preview
        recorded = engine.up("orders", wanted)
        assert (recorded["job_id"], recorded["adopted"]) == (job_id, "same-graph")
        assert any(f"orders: ADOPT job {job_id}" in line for line in engine.lines())
    with plugin_run(tmp_path, state, **_ORGANIZATION) as engine:
        engine.refresh("orders")
        assert engine.diff("orders", engine.checked("orders", wanted)).changes == _NONE
    assert active(flink_2) == [job_id]


@pytest.mark.parametrize("end", ["CANCELED", "STOPPED"])
def test_a_job_that_has_ended(
    flink_2: FlinkCluster, inputs: dict[str, Any], tmp_path: Path, end: str
) -> None:
    """Shows that an import does not promise that the next run takes it over, which refuses.

    It names the savepoint of one that was stopped with one.
    """
    job_id = flink_2.run(COUNTING_JAR, inputs["args"], parallelism=1)
    left = job_id
    if end == "STOPPED":
        flink_2.await_tasks_running(job_id)
        left = f"it has left savepoint {flink_2.stop_with_savepoint(job_id)}"
    else:
        flink_2.rest.patch(f"/jobs/{job_id}").raise_for_status()
        flink_2.await_state(job_id, end)
    state: State = {}
    with plugin_run(tmp_path, state, **_ORGANIZATION) as engine:
        assert read(engine, "orders", f"{flink_2.url}/{job_id}")["status"] == end
        (line,) = engine.lines()
        assert line.endswith("It does not run: the next preview says what the run would do")
    wanted = inputs | {"jar": str(COUNTING_JAR), "adopt": job_id}
    with plugin_run(tmp_path, state, **_ORGANIZATION) as engine:
        for preview in (True, False):
            with pytest.raises(PluginError, match=re.escape(left)):
                engine.up("orders", wanted, preview=preview)
    assert active(flink_2) == []


def test_what_cannot_be_imported(
    flink_2: FlinkCluster, inputs: dict[str, Any], tmp_path: Path, job_id: str
) -> None:
    """Shows one line for a job that is not there, is another stack's, or has no address."""
    with plugin_run(tmp_path, organization="others") as engine:
        for id_, why in (
            (f"{flink_2.url}/absent", "it is not there: no job has this name or jobId"),
            (f"{flink_2.url}/orders", f"it is job {job_id} of another owner than others/shop/prod"),
            ("orders", "it is no id of a job"),
            ("somewhere/orders", "it does not begin with the address of a Flink cluster"),
        ):
            with pytest.raises(PluginError) as refused:
                read(engine, "orders", id_)
            assert str(refused.value).startswith(f"{id_}: {why}. Nothing was imported.")
    assert active(flink_2) == [job_id]


def test_a_default_target(
    flink_2: FlinkCluster, inputs: dict[str, Any], tmp_path: Path, job_id: str
) -> None:
    """Shows that the provider's target is that of jobs, and of imports, that name none."""
    configuration = _ORGANIZATION | {"target": json.dumps({"url": flink_2.url})}
    state: State = {}
    with plugin_run(tmp_path, state, **configuration) as engine:
        assert read(engine, "orders", "orders")["job_id"] == job_id
        without = {name: inputs[name] for name in inputs if name not in ("target", "owner")}
        recorded = engine.up("orders", without)
        assert recorded["target"]["url"] == flink_2.url
        assert (recorded["owner"], recorded["job_id"]) == ("acme/shop/prod", job_id)
