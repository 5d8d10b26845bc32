"""Runs of the plugin that are cut short, on a real Flink: cancelled, killed, or both at once."""

from __future__ import annotations

import signal
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.engine.values import from_struct
from tests.counting_output import assert_counts_continuous
from tests.flink_cluster import FlinkCluster
from tests.integration.plugin.conftest import active
from tests.plugin_engine import PluginEngine, PluginError, plugin_run
from tests.waiting import wait_until


def _says(engine: PluginEngine, text: str, call: Future[Any]) -> None:
    """Wait until the log has a text; the call is in progress until then."""
    wait_until(
        lambda: any(text in line for line in engine.lines()) or call.done(), 60, f"log has {text!r}"
    )
    assert not call.done(), call.exception() or engine.lines()


def test_a_cancelled_update_goes_on_to_its_end(
    flink_2: FlinkCluster, inputs: dict[str, Any], tmp_path: Path
) -> None:
    """Shows that a job which was stopped for its new version is started, and nothing else begins.

    Counts have neither a gap nor a repeat.
    """
    state: dict[str, Any] = {}
    with plugin_run(tmp_path, state) as engine:
        engine.up("orders", inputs)
        output = tmp_path / "output"
        wait_until(lambda: assert_counts_continuous(output).total > 0, 60, "it counts")
    with plugin_run(tmp_path, state) as engine:
        news = engine.checked("payments", inputs | {"job_name": "payments"})
        assert news
        update = engine.begin(engine.up, "orders", inputs | {"parallelism": 2})
        _says(engine, "orders: starting version", update)
        engine.call("Cancel")
        with pytest.raises(PluginError, match="the run was cancelled"):
            engine.up("payments", inputs | {"job_name": "payments"})
        updated = update.result(300)
        assert updated["parallelism"] == 2
        assert active(flink_2) == [updated["job_id"]]
        before = assert_counts_continuous(output).total
        wait_until(lambda: assert_counts_continuous(output).total > before, 60, "it counts on")
    assert "payments" not in state


def test_a_cancelled_first_start_is_recorded_as_it_comes_up(
    flink_2: FlinkCluster, inputs: dict[str, Any], tmp_path: Path
) -> None:
    """Shows that nobody waits for its settle time, that the job goes on, and is then the same."""
    state: dict[str, Any] = {}
    slow = inputs | {"settle_time": "10m"}
    with plugin_run(tmp_path, state) as engine:
        create = engine.begin(engine.up, "orders", slow)
        _says(engine, "orders: starting version", create)
        wait_until(lambda: active(flink_2), 60, "the job is there")
        engine.call("Cancel")
        with pytest.raises(PluginError, match="orders: the run was cancelled") as cancelled:
            create.result(60)
    [job_id] = active(flink_2)
    assert cancelled.value.failed is not None
    told = f"Job {job_id} was submitted, and is recorded as it comes up. Run again to go on."
    assert str(cancelled.value).endswith(told)
    assert from_struct(state["orders"][2])["job_id"] == job_id
    with plugin_run(tmp_path, state) as engine:
        finished = engine.up("orders", inputs)
    assert (finished["job_id"], finished["status"]) == (job_id, "RUNNING")
    assert active(flink_2) == [job_id]
    assert assert_counts_continuous(tmp_path / "output").total > 0
    with plugin_run(tmp_path, state) as engine:
        engine.delete("orders")
    assert active(flink_2) == []


def test_a_cancelled_run_ends_at_once(tmp_path: Path) -> None:
    """Shows that a plugin without calls in progress does not make its engine wait."""
    with plugin_run(tmp_path) as engine:
        engine.call("Cancel")
        engine.process.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert engine.process.wait(30) == 0
        assert time.monotonic() - began < 5


def test_what_is_in_progress_at_a_signal_is_answered(
    flink_2: FlinkCluster, inputs: dict[str, Any], tmp_path: Path
) -> None:
    """Shows that an engine which ends its plugin during a create still records the job."""
    state: dict[str, Any] = {}
    with plugin_run(tmp_path, state) as engine:
        create = engine.begin(engine.up, "orders", inputs)
        _says(engine, "orders: starting version", create)
        engine.process.send_signal(signal.SIGINT)
        created = create.result(300)
        assert engine.process.wait(60) == 0
    assert active(flink_2) == [created["job_id"]]
    assert "orders" in state


@pytest.mark.parametrize("during", ["create", "update"])
def test_a_killed_engine_takes_its_plugin_along(
    flink_2: FlinkCluster, inputs: dict[str, Any], tmp_path: Path, during: str
) -> None:
    """Shows that it ends, begins nothing more, and that the next run goes on with the same job."""
    state: dict[str, Any] = {}
    wanted = inputs
    if during == "update":
        with plugin_run(tmp_path, state) as engine:
            engine.up("orders", inputs)
        wanted = inputs | {"parallelism": 2}
    killed = PluginEngine(tmp_path, dict(state))
    killed.configure()
    call = killed.begin(killed.up, "orders", wanted)
    _says(killed, "orders: starting version", call)
    killed.vanish()
    killed.process.wait(120)
    assert isinstance(call.exception(60), PluginError)
    killed.close()
    with plugin_run(tmp_path, state) as engine:
        finished = engine.up("orders", wanted)
    assert active(flink_2) == [finished["job_id"]]
    output = tmp_path / "output"
    before = assert_counts_continuous(output).total if output.exists() else 0
    wait_until(lambda: assert_counts_continuous(output).total > before, 60, "it counts on")


def test_a_killed_plugin_leaves_what_the_next_run_adopts(
    flink_2: FlinkCluster, inputs: dict[str, Any], tmp_path: Path
) -> None:
    """Shows that a create which nobody recorded is found by its jobId."""
    killed = PluginEngine(tmp_path, {})
    killed.configure()
    call = killed.begin(killed.up, "orders", inputs)
    _says(killed, "orders: starting version", call)
    wait_until(lambda: active(flink_2), 60, "the job is there")
    killed.process.kill()
    killed.process.wait(60)
    [job_id] = active(flink_2)
    call.exception(60)
    killed.close()
    with plugin_run(tmp_path) as engine:
        assert engine.up("orders", inputs)["job_id"] == job_id
    assert active(flink_2) == [job_id]
