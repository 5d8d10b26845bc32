"""Recorded states that cannot be read: damaged ones, and those of a newer version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.engine.protocols import provider_pb2
from flink_jobs_provider.engine.values import to_struct
from tests.plugin_engine import PluginError, plugin_run

_UNREADABLE = "orders: its recorded state cannot be read"
_TARGET: Any = {"kind": "flink", "url": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    "outputs",
    [
        {"status": "RUNNING"},
        {"status": "RUNNING", "target": {"kind": "newer"}},
        {"status": "NEWER", "target": _TARGET},
        {"target": _TARGET},
        {"status": "RUNNING", "target": _TARGET, "jar": "orders.jar", "owner": 3},
    ],
)
def test_a_record_that_cannot_be_read(outputs: dict[str, Any], tmp_path: Path) -> None:
    """Shows that a refresh leaves it as it is, and that nothing else is done with it."""
    jar = tmp_path / "orders.jar"
    jar.write_bytes(b"PK")
    news = to_struct(
        {"target": _TARGET, "job_name": "orders", "owner": "acme/shop/dev", "jar": str(jar)}
    )
    with plugin_run(tmp_path) as engine:
        engine.state["orders"] = ("orders", to_struct({}), to_struct(outputs))
        assert engine.refresh("orders") == outputs
        [line] = engine.lines()
        assert line.startswith(f"{_UNREADABLE} (")
        assert line.endswith("It was not refreshed.")
        # An engine asks for a difference in a refresh, too: there is none to what was not read.
        assert engine.diff("orders", news).changes == provider_pb2.DiffResponse.DIFF_NONE
        with pytest.raises(PluginError, match=_UNREADABLE):
            engine.diff("orders", news)
        with pytest.raises(PluginError, match=_UNREADABLE):
            engine.delete("orders")
        assert "orders" in engine.state


def test_a_record_of_which_nothing_is_left(tmp_path: Path) -> None:
    """Shows a request that looks like an import: engines leave out what is the SDK's own."""
    with plugin_run(tmp_path) as engine:
        engine.state["orders"] = ("orders", to_struct({}), to_struct({"__provider": "p"}))
        with pytest.raises(PluginError, match=r"orders: it is no id of a job\. Nothing was import"):
            engine.refresh("orders")
