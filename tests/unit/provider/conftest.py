"""A provider whose cluster is the Flink in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from flink_jobs_provider.control_planes.clusters import Clusters
from flink_jobs_provider.provider import service
from flink_jobs_provider.provider.creations import Creations
from flink_jobs_provider.provider.dynamic import FlinkJobProvider
from flink_jobs_provider.provider.this_run import ThisRun
from tests.job_jars import COUNTING_JAR
from tests.unit.model.made_up_jobs import OWNER, URL
from tests.unit.reconciling.fake_clock import FakeClock
from tests.unit.reconciling.fake_flink import FakeFlink


@pytest.fixture
def flink(monkeypatch: pytest.MonkeyPatch) -> FakeFlink:
    """Put a Flink in memory in the place of all clusters."""
    found = FakeFlink(FakeClock())

    class Single:
        """Gives this one for every target."""

        def of(self, _target: object) -> FakeFlink:
            """Return it."""
            return found

    monkeypatch.setattr(service, "_clusters", cast(Clusters, Single()))
    return found


@pytest.fixture(autouse=True)
def new_run(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Give what begins another run of the engine, in a process that has not printed anything."""

    def begin() -> None:
        monkeypatch.setattr(service, "_printed", set())
        monkeypatch.setattr(service, "_warned_of_checkpoints", False)
        monkeypatch.setattr(service, "_run", ThisRun())
        monkeypatch.setattr(service, "_unreadable_ids", set())
        monkeypatch.setattr(service, "_prerequisites", None)
        creations = Creations(
            lambda job: service._look(job), lambda job, spec: service._plan(job, spec)
        )
        monkeypatch.setattr(service, "_creations", creations)

    begin()
    return begin


@pytest.fixture
def provider() -> FlinkJobProvider:
    """Give a provider as the engine unpickles it."""
    return FlinkJobProvider()


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Any]:
    """Give the least inputs of a job, as they reach the provider, without a settle time."""
    jar = tmp_path / "orders.jar"
    jar.write_bytes(COUNTING_JAR.read_bytes())
    return {
        "__provider": "gASV",
        "target": {"kind": "flink", "url": URL},
        "job_name": "orders",
        "owner": OWNER,
        "jar": str(jar),
        "settle_time": "0s",
    }
