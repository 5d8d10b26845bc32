"""The plugin's process over gRPC, on a real Flink: what an engine sees of a job's life."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.engine.protocols import provider_pb2
from flink_jobs_provider.engine.values import UNKNOWN, Secret, from_struct
from tests.counting_output import assert_counts_continuous
from tests.flink_cluster import FlinkCluster
from tests.integration.plugin.conftest import active
from tests.plugin_engine import URN, PluginError, plugin_run
from tests.waiting import wait_until


def test_the_life_of_a_job(flink_2: FlinkCluster, inputs: dict[str, Any], tmp_path: Path) -> None:
    """Shows preview, create, no change, update with its plan, refresh, and delete."""
    # The cluster remembers the ended jobs of the tests before: those are another owner's.
    inputs = inputs | {"owner": "acme/shop/life"}
    with plugin_run(tmp_path) as preview:
        foreseen = preview.up("orders", inputs, preview=True)
        assert foreseen["job_name"] == "orders"
        assert foreseen["job_id"] is UNKNOWN
        assert preview.lines() == ["orders: NEW, first start, no state"]
        assert {each.urn for each in preview.log} == {URN + "orders"}
    assert active(flink_2) == []

    state: dict[str, Any] = {}
    with plugin_run(tmp_path, state) as engine:
        created = engine.up("orders", inputs)
        assert engine.lines()[0] == "orders: NEW, first start, no state"
        assert active(flink_2) == [created["job_id"]]
        assert state["orders"][0] == "orders"
        news = engine.checked("orders", inputs)
        assert engine.diff("orders", news).changes == provider_pb2.DiffResponse.DIFF_NONE

    changed = inputs | {"parallelism": 2}
    with plugin_run(tmp_path, state) as preview:
        difference = preview.diff("orders", preview.checked("orders", changed))
        assert difference.changes == provider_pb2.DiffResponse.DIFF_SOME
        assert dict(difference.detailedDiff) == {
            "parallelism": provider_pb2.PropertyDiff(
                kind=provider_pb2.PropertyDiff.UPDATE, inputDiff=True
            )
        }
        assert not difference.replaces
        foreseen = preview.up("orders", changed, preview=True)
        assert (foreseen["parallelism"], foreseen["job_id"]) == (2, UNKNOWN)
        [line] = [each for each in preview.lines() if each.startswith("orders: UPDATE")]
        assert "parallelism 1 → 2" in line
    assert active(flink_2) == [created["job_id"]]

    with plugin_run(tmp_path, state) as engine:
        updated = engine.up("orders", changed)
        assert active(flink_2) == [updated["job_id"]]
        assert updated["restored_from"] == updated["savepoints"][0]["path"]
        assert engine.refresh("orders")["status"] == "RUNNING"
        news = engine.checked("orders", changed)
        assert engine.diff("orders", news).changes == provider_pb2.DiffResponse.DIFF_NONE
        before = assert_counts_continuous(tmp_path / "output").total
        wait_until(
            lambda: assert_counts_continuous(tmp_path / "output").total > before, 60, "it counts on"
        )
    with plugin_run(tmp_path, state) as engine:
        engine.delete("orders")
        assert active(flink_2) == []


def test_outputs_that_a_recorded_change_leaves_are_known_in_a_preview(
    inputs: dict[str, Any], tmp_path: Path
) -> None:
    """Shows that what depends on the jobId is not shown as changed by what restarts nothing."""
    with plugin_run(tmp_path) as engine:
        created = engine.up("orders", inputs)
        foreseen = engine.up("orders", inputs | {"on_delete": "savepoint"}, preview=True)
        assert foreseen["job_id"] == created["job_id"]
        assert foreseen["on_delete"] == "savepoint"


def test_a_replacement(inputs: dict[str, Any], tmp_path: Path) -> None:
    """Shows that another name is another job, and that the old one is deleted first."""
    state: dict[str, Any] = {}
    with plugin_run(tmp_path, state) as engine:
        engine.up("orders", inputs)
    with plugin_run(tmp_path, state) as engine:
        changed = inputs | {"job_name": "payments", "upgrade_mode": "stateless"}
        difference = engine.diff("orders", engine.checked("orders", changed))
    assert list(difference.replaces) == ["job_name"]
    assert difference.deleteBeforeReplace
    kind = difference.detailedDiff["job_name"].kind
    assert kind == provider_pb2.PropertyDiff.UPDATE_REPLACE


def test_secrets_come_out_secret(
    flink_2: FlinkCluster, inputs: dict[str, Any], tmp_path: Path
) -> None:
    """Shows that a secret argument reaches the job, stays marked, and is in no line."""
    args = [*inputs["args"][:-1], Secret(inputs["args"][-1])]
    secret = inputs | {"args": args, "restart_trigger": Secret("hunter2-trigger")}
    with plugin_run(tmp_path) as engine:
        outputs = engine.up("orders", secret)
        assert isinstance(outputs["restart_trigger"], Secret)
        assert isinstance(outputs["args"], Secret)
        assert isinstance(outputs["version_inputs"], Secret)
        assert not isinstance(outputs["job_name"], Secret)
        refreshed = engine.refresh("orders")
        assert isinstance(refreshed["restart_trigger"], Secret)
        assert isinstance(from_struct(engine.state["orders"][1])["args"], Secret)
        [refused] = engine.check("orders", secret | {"jar": "/hunter2-trigger"}).failures
        assert (refused.property, refused.reason) == (
            "jar",
            "cannot open /***: No such file or directory. Looked for /***.",
        )
    shown = [*engine.lines(), *engine.lines(ephemeral=True), *engine.errors]
    assert not [line for line in shown if "hunter2" in line]


def test_unknowns_stay_unknown(inputs: dict[str, Any], tmp_path: Path) -> None:
    """Shows a preview in which an input depends on another resource."""
    unknown = inputs | {"args": UNKNOWN}
    with plugin_run(tmp_path) as engine:
        foreseen = engine.up("orders", unknown, preview=True)
        assert (foreseen["args"], foreseen["status"]) == (UNKNOWN, UNKNOWN)
        engine.up("orders", inputs)
        difference = engine.diff("orders", engine.checked("orders", unknown))
        assert difference.changes == provider_pb2.DiffResponse.DIFF_SOME
        foreseen = engine.up("orders", unknown, preview=True)
        assert (foreseen["args"], foreseen["job_id"]) == (UNKNOWN, UNKNOWN)


def test_two_creates_at_once(flink_2: FlinkCluster, inputs: dict[str, Any], tmp_path: Path) -> None:
    """Shows that several jobs start side by side, each with its own lines."""
    names = ["orders", "payments", "refunds"]
    with plugin_run(tmp_path) as engine:
        creates = [
            engine.begin(
                engine.up,
                name,
                inputs | {"job_name": name, "args": ["--output", str(tmp_path / name)]},
            )
            for name in names
        ]
        ids = {create.result(300)["job_id"] for create in creates}
        assert {*active(flink_2)} == ids
        assert len(ids) == len(names)
        for each in engine.log:
            assert each.message.partition(":")[0] == each.urn.removeprefix(URN)


def test_a_job_that_is_not_started_in_time_is_recorded(
    flink_2: FlinkCluster, inputs: dict[str, Any], tmp_path: Path
) -> None:
    """Shows the engine's own timeout, and what a create leaves that it ends.

    The job's `main` outlasts it. Id, outputs and inputs are answered with the reason, which is one
    line; the next run goes on with that job.
    """
    slow = inputs | {
        "entry_class": "flinkjobs.tests.UnusualMain",
        "args": [*inputs["args"], "--sleep-millis", "8000"],
    }
    state: dict[str, Any] = {}
    with plugin_run(tmp_path, state) as engine, pytest.raises(PluginError) as failed:
        engine.up("orders", slow, timeout=2)
    assert [line for line in engine.lines(ephemeral=True) if re.fullmatch(r".*, \d+ s", line)]
    [reason] = failed.value.failed.reasons
    assert reason == str(failed.value)
    assert "\n" not in reason
    assert failed.value.failed.id == "orders"
    assert from_struct(failed.value.failed.inputs)["args"] == slow["args"]
    recorded: dict[str, Any] = from_struct(failed.value.failed.properties)
    assert recorded["timeouts"]["submit"] == "5m"
    with plugin_run(tmp_path, state) as engine:
        finished = engine.up("orders", slow)
        assert (finished["status"], finished["job_id"]) == ("RUNNING", recorded["unconfirmed"])
    assert active(flink_2) == [recorded["unconfirmed"]]
