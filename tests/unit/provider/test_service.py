"""The provider's service by itself: what any engine's adapter calls, without Pulumi."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from flink_jobs_provider.provider.input_checks import CheckRequest
from flink_jobs_provider.provider.run_output import FlinkJobError
from flink_jobs_provider.provider.service import ProviderService
from tests.job_jars import COUNTING_JAR
from tests.unit.provider.conftest import UseClusters
from tests.unit.reconciling.flink.fake_flink import FakeFlink

_WITHOUT_PULUMI = """
import sys
from flink_jobs_provider.provider.input_checks import CheckRequest
from flink_jobs_provider.provider.service import ProviderService

inputs = {"target": {"kind": "flink", "url": "http://localhost:1"}, "job_name": "orders",
          "owner": "acme/shop/prod", "jar": sys.argv[1]}
service = ProviderService(lambda _value: False)
checked = service.check(CheckRequest(inputs, recorded={}, resource="::orders"))
assert not checked.failures, checked.failures
assert checked.inputs["parallelism"] == 2
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("pulumi", "grpc")))
"""


@pytest.mark.process
def test_it_needs_nothing_of_pulumi() -> None:
    run = subprocess.run(
        [sys.executable, "-c", _WITHOUT_PULUMI, str(COUNTING_JAR)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "[]"


def test_the_life_of_a_job(
    flink: FakeFlink, use_clusters: UseClusters, inputs: dict[str, Any]
) -> None:
    """Shows each call with what an adapter gives and gets: plain maps, without a mark of Pulumi."""
    del inputs["__provider"]
    service = _on(flink, use_clusters)
    wanted = service.check(CheckRequest(inputs, {}, "::orders")).inputs
    id_, state = service.create(wanted)
    assert (id_, state["status"], len(flink.active())) == ("orders", "RUNNING", 1)

    service = _on(flink, use_clusters)
    changed = service.check(CheckRequest({**inputs, "parallelism": 4}, wanted, "::orders")).inputs
    assert service.diff(id_, state, changed).needed
    state = service.update(id_, state, changed)
    assert state["action"] == "UPDATE"

    service = _on(flink, use_clusters)
    seen = service.read(id_, state)
    assert seen is not None
    assert (seen.outputs["job_id"], seen.inputs["parallelism"]) == (state["job_id"], 4)
    service.delete(id_, seen.outputs)
    assert flink.active() == []


def test_two_services_share_nothing(
    flink: FakeFlink,
    use_clusters: UseClusters,
    inputs: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Shows what a run prints once, which jobs it declares, and the secrets that it hides."""
    del inputs["__provider"]
    one, other = (_on(flink, use_clusters) for _ in range(2))
    for service in (one, other):
        assert not service.check(CheckRequest(inputs, {}, "::a")).failures
    assert capsys.readouterr().out.count("orders: NEW") == 2
    assert one.check(CheckRequest(inputs, {}, "::b")).failures
    one.output.hide("orders")
    with pytest.raises(FlinkJobError, match=r"^\*\*\*: its recorded state cannot be read"):
        one.delete("orders", {})
    with pytest.raises(FlinkJobError, match=r"^orders: its recorded state cannot be read"):
        other.delete("orders", {})


def _on(flink: FakeFlink, use_clusters: UseClusters) -> ProviderService:
    """Return the service of another run, whose clusters are all one."""

    class Single:
        """Gives this one for every target."""

        def of(self, _target: object) -> FakeFlink:
            """Return it."""
            return flink

    return use_clusters(Single())
