"""A provider whose cluster is the Flink in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from pulumi.output import Unknown

from flink_jobs_provider.control_planes.connection import Clusters
from flink_jobs_provider.provider import dynamic
from flink_jobs_provider.provider.dynamic import FlinkJobProvider
from flink_jobs_provider.provider.process import BackgroundLoop
from flink_jobs_provider.provider.service import ProviderService
from tests.job_jars import COUNTING_JAR
from tests.unit.model.made_up_jobs import OWNER, URL
from tests.unit.reconciling.fake_clock import FakeClock
from tests.unit.reconciling.flink.fake_flink import FakeFlink

#: Where all services work: what a Flink in memory waits for is of one loop.
LOOP = BackgroundLoop()

UseClusters = Callable[[object | None], ProviderService]


class _Runs:
    """The runs of an engine: each has a service of its own, and the same clusters."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._clusters: Clusters | None = None

    def begin(self) -> ProviderService:
        """Begin another run, in a process that has not printed anything."""

        def is_unknown(value: object) -> bool:
            return isinstance(value, Unknown)

        service = ProviderService(is_unknown, self._clusters, LOOP)
        self._monkeypatch.setattr(dynamic, "_service", service)
        return service

    def use(self, clusters: object | None) -> ProviderService:
        """Begin another run, with other clusters from now on."""
        self._clusters = cast(Clusters | None, clusters)
        return self.begin()


@pytest.fixture(autouse=True)
def runs(monkeypatch: pytest.MonkeyPatch) -> _Runs:
    """Return an engine whose first run has begun."""
    found = _Runs(monkeypatch)
    found.begin()
    return found


@pytest.fixture
def flink(runs: _Runs) -> FakeFlink:
    """Put a Flink in memory in the place of all clusters."""
    found = FakeFlink(FakeClock())

    class Single:
        """Gives this one for every target."""

        def of(self, _target: object) -> FakeFlink:
            """Return it."""
            return found

    runs.use(Single())
    return found


@pytest.fixture
def new_run(runs: _Runs) -> Callable[[], object]:
    """Return what begins another run of the engine."""
    return runs.begin


@pytest.fixture
def use_clusters(runs: _Runs) -> UseClusters:
    """Return what puts other clusters, or none, in the place of all; another run begins with it."""
    return runs.use


@pytest.fixture
def provider() -> FlinkJobProvider:
    """Return a provider as the engine unpickles it."""
    return FlinkJobProvider()


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Any]:
    """Return the least inputs of a job, as they reach the provider, without a settle time."""
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
