"""The plugin's functions on a real Flink: they answer what the command line prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.engine.protocols import provider_pb2
from flink_jobs_provider.engine.values import UNKNOWN, Secret, from_struct, to_struct
from flink_jobs_provider.model.savepoint import canonical_path
from tests.flink_cluster import FlinkCluster
from tests.integration.cli.test_jobs import jobs
from tests.integration.plugin.conftest import active
from tests.plugin_engine import PluginEngine, PluginError, plugin_run
from tests.waiting import wait_until

#: They grow from one reading to the next.
_AGES = {"age", "last_checkpoint_age", "last_checkpoint_at", "last_checkpoint", "health", "trend"}


def call(engine: PluginEngine, name: str, **inputs: Any) -> Any:
    """Call a function of the plugin."""
    request = provider_pb2.InvokeRequest(tok=f"flink-jobs:index:{name}", args=to_struct(inputs))
    return engine.call("Invoke", request)


def answer(engine: PluginEngine, name: str, **inputs: Any) -> dict[str, Any]:
    """Return what a function answers to valid inputs."""
    response = call(engine, name, **inputs)
    assert not response.failures, response.failures
    return from_struct(getattr(response, "return"))


def steady(facts: dict[str, Any]) -> dict[str, Any]:
    """Return facts without those that change by themselves."""
    return {name: each for name, each in facts.items() if name not in _AGES}


@pytest.fixture
def engine(flink_2: FlinkCluster, inputs: dict[str, Any], tmp_path: Path) -> Iterator[PluginEngine]:
    """Run the plugin, with a job that has a checkpoint."""
    target = json.dumps(inputs["target"])
    with plugin_run(tmp_path, target=target, organization="acme") as found:
        job_id = found.up("orders", inputs)["job_id"]
        path = f"/jobs/{job_id}/checkpoints"
        wait_until(lambda: flink_2.get(path)["counts"]["completed"], 60, "a checkpoint")
        restarts = f"/jobs/{job_id}/metrics?get=numRestarts"
        wait_until(lambda: flink_2.get(restarts), 60, "the number of restarts")
        yield found


def test_jobs_as_the_command_line_lists_them(engine: PluginEngine, flink_2: FlinkCluster) -> None:
    [job_id] = active(flink_2)
    [found] = answer(engine, "getJobs")["jobs"]
    [printed] = json.loads(jobs(flink_2, "list", "--json").stdout)
    assert steady(found) == steady(printed)
    assert (found["job_name"], found["job_id"]) == ("orders", job_id)
    described = json.loads(jobs(flink_2, "describe", "orders", "--json").stdout)
    one = answer(engine, "getJob", job="orders")
    assert steady(one) == steady(described)
    assert one["health"].keys() == described["health"].keys()
    assert one["last_checkpoint"]["status"] == "COMPLETED"
    assert answer(engine, "getJob", job=job_id[:8])["job_id"] == job_id


def test_ended_jobs_and_savepoints(
    engine: PluginEngine, flink_2: FlinkCluster, inputs: dict[str, Any], tmp_path: Path
) -> None:
    directory = str(tmp_path / "savepoints")
    taken = jobs(flink_2, "stop", "orders", "--directory", directory, "--json").stdout
    assert answer(engine, "getJobs") == {"jobs": []}
    listed = answer(engine, "getJobs", ended=True, target=inputs["target"])["jobs"]
    job_id = json.loads(taken)["job_id"]
    [ended] = [each for each in listed if each["job_id"] == job_id]
    assert ended["status"] == json.loads(taken)["status"]
    found = answer(engine, "getSavepoints", job="orders", directory=directory)
    [savepoint] = found["savepoints"]
    assert canonical_path(savepoint["path"]) == canonical_path(json.loads(taken)["savepoint"])
    printed = jobs(flink_2, "savepoints", "orders", "--directory", directory, "--json").stdout
    assert json.loads(printed) == found["savepoints"]
    assert found["unseen"] == []
    nowhere = answer(engine, "getSavepoints", job="orders", directory="nostore://a/b")
    assert nowhere["savepoints"] == []
    [unseen] = nowhere["unseen"]
    assert unseen["path"].startswith("nostore://a/b")
    assert "nostore" in unseen["reason"]
    # Of the job's own submissions the cluster knows where they went.
    by_itself = answer(engine, "getSavepoints", job="orders")["savepoints"]
    paths = [canonical_path(each["path"]) for each in by_itself]
    assert canonical_path(savepoint["path"]) in paths


def test_a_new_version_is_checked_and_nothing_changed(
    engine: PluginEngine, flink_2: FlinkCluster, inputs: dict[str, Any]
) -> None:
    """Shows the verdict, and that neither job nor jars are touched; a secret is in no answer."""
    before, jars = flink_2.jobs().keys(), flink_2.get("/jars")["files"]
    version = {name: inputs[name] for name in ("jar", "entry_class", "args")}
    args = [*version["args"][:-1], Secret(version["args"][-1])]
    fits = answer(engine, "checkJob", job="orders", **version | {"args": args})
    assert (fits["job_name"], fits["verdict"], fits["refused"]) == ("orders", "fits", None)
    assert fits["state"]
    other = {"entry_class": "flinkjobs.tests.DeclaredOperators", "parallelism": 1}
    words = ["--operators", "keyed:count:c", "--sources", "numbers:n"]
    drops = answer(engine, "checkJob", job="orders", jar=version["jar"], args=words, **other)
    assert drops["verdict"] == "drops"
    assert "has no place for" in drops["refused"]
    assert flink_2.jobs().keys() == before
    assert flink_2.get("/jars")["files"] == jars


def test_what_cannot_be_answered(
    engine: PluginEngine, flink_2: FlinkCluster, inputs: dict[str, Any]
) -> None:
    """Shows one line each: bad input at its path, a job that is absent, unknowns unanswered."""
    [failure] = call(engine, "getJob").failures
    assert (failure.property, failure.reason) == ("job", "is required")
    [failure] = call(engine, "checkJob", job="orders", jar="nowhere.jar").failures
    assert failure.property == "jar"
    assert failure.reason.startswith("cannot open nowhere.jar: No such file or directory.")
    with pytest.raises(PluginError) as absent:
        call(engine, "getJob", job="order")
    assert str(absent.value) == (
        "order: the cluster lists no such job; names like it: orders. `flink-jobs jobs list --all` "
        "shows what there is."
    )
    with pytest.raises(PluginError, match="orders-2: the cluster lists no such job"):
        call(engine, "checkJob", job="orders-2", jar=inputs["jar"])
    assert not call(engine, "getJob", job=UNKNOWN).HasField("return")
    with pytest.raises(PluginError, match="the plugin flink-jobs has no function flink-jobs:index"):
        call(engine, "getNothing")
    gone = {"kind": "flink", "url": "http://127.0.0.1:9"}
    with pytest.raises(PluginError, match=r"127\.0\.0\.1:9"):
        call(engine, "getJobs", target=gone)
    assert len(active(flink_2)) == 1
