"""Jobs on a target of HDInsight: typed inputs, check, preview, and who carries changes out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from flink_jobs_provider import AzureCredential, HDInsightCluster, Tls
from flink_jobs_provider.control_planes.connection import Clusters
from flink_jobs_provider.control_planes.hdinsight.plane import HDInsightPlane
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import HDInsightTarget
from flink_jobs_provider.provider.dynamic import FlinkJobProvider
from flink_jobs_provider.provider.run_output import FlinkJobError
from flink_jobs_provider.reconciling import reconciler_of
from flink_jobs_provider.reconciling.flink.reconciler import Reconciler
from flink_jobs_provider.reconciling.hdinsight.reconciler import ActionReconciler
from tests.unit.reconciling.flink.fake_flink import FakeFlink

TARGET = {
    "kind": "hdinsight",
    "subscription": "s",
    "resource_group": "g",
    "cluster_pool": "p",
    "cluster": "c",
    "endpoint": "http://127.0.0.1:9",
    "token": "env:GATEWAY_TOKEN",
}


@pytest.fixture
def on_hdinsight(inputs: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """Return the least inputs of a job on such a target."""
    return {**inputs, "target": {**TARGET, "jar_upload_directory": f"file://{tmp_path}/jars"}}


def test_typed_inputs() -> None:
    cluster = HDInsightCluster(
        "s",
        "g",
        "p",
        "c",
        api_version="2023-11-01-preview",
        endpoint="https://gateway",
        credential=AzureCredential("cli", tenant_id="t"),
        jar_upload_directory="abfs://c@a/jars",
        tls=Tls(ca_file="ca.pem"),
    )
    props = cluster.props()
    assert props == {
        "kind": "hdinsight",
        "subscription": "s",
        "resource_group": "g",
        "cluster_pool": "p",
        "cluster": "c",
        "api_version": "2023-11-01-preview",
        "endpoint": "https://gateway",
        "credential": {"kind": "cli", "tenant_id": "t"},
        "jar_upload_directory": "abfs://c@a/jars",
        "tls": {"ca_file": "ca.pem"},
    }
    HDInsightTarget.model_validate(props)


def test_typed_inputs_are_all_there_are() -> None:
    names = {*HDInsightCluster("s", "g", "p", "c", token="env:T").__dict__}
    assert names == set(HDInsightTarget.model_fields)


def test_a_preview_needs_no_service(
    provider: FlinkJobProvider,
    on_hdinsight: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Shows defaults, the digest and the plan's line; nothing listens at the endpoint."""
    result = provider.check({}, on_hdinsight)
    assert result.failures == []
    assert result.inputs["target"]["api_version"] == "2024-05-01-preview"
    assert len(result.inputs["jar_digest"]) == 64
    assert capsys.readouterr().out == (
        "orders: NEW, first start, no state, unless it runs already: its cluster was not asked\n"
    )


def test_all_that_is_wrong_is_told_at_once(
    provider: FlinkJobProvider, inputs: dict[str, Any]
) -> None:
    wrong = {
        **inputs,
        "target": {**TARGET, "token": "hunter2"},
        "args": ["a b"],
        "savepoint_format": "native",
        "parallelism": 0,
    }
    failures = provider.check({}, wrong).failures
    assert [failure.property for failure in failures] == [
        "target.token",
        "parallelism",
        "target.jar_upload_directory",
        "args[0]",
        "savepoint_format",
    ]
    assert "hunter2" not in str([failure.reason for failure in failures])


@pytest.mark.parametrize(
    ("jar", "told"),
    [("nope://account/dir/orders.jar", True), ("/no/such/orders.jar", False)],
)
def test_why_a_jar_must_be_readable_from_here(
    provider: FlinkJobProvider, on_hdinsight: dict[str, Any], jar: str, told: bool
) -> None:
    (failure,) = provider.check({}, {**on_hdinsight, "jar": jar}).failures
    assert failure.property == "jar"
    assert failure.reason.startswith(f"cannot open {jar}: ")
    assert ("This machine reads it, too, since a change of its content" in failure.reason) is told


def test_a_move_from_a_session_cluster_is_another_job(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    on_hdinsight: dict[str, Any],
    flink: FakeFlink,
) -> None:
    state = provider.create(provider.check({}, inputs).inputs).outs
    assert state is not None
    wanted = provider.check(state, on_hdinsight).inputs
    with pytest.raises(FlinkJobError) as caught:
        provider.diff("orders", state, wanted)
    assert "a change of target starts another job" in str(caught.value)


@pytest.fixture
def clusters() -> Clusters:
    return Clusters(lambda _reference: "token")


def test_who_carries_changes_out(
    on_hdinsight: dict[str, Any], inputs: dict[str, Any], clusters: Clusters
) -> None:
    async def kinds() -> list[type]:
        specs = [JobSpec.model_validate(_job(each)) for each in (on_hdinsight, inputs)]
        found: list[type] = [type(reconciler_of(clusters, each.target, print)) for each in specs]
        await clusters.close()
        return found

    assert asyncio.run(kinds()) == [ActionReconciler, Reconciler]


def test_a_cluster_is_opened_once(clusters: Clusters) -> None:
    async def opened() -> tuple[HDInsightPlane, HDInsightPlane, HDInsightPlane]:
        one = HDInsightTarget.model_validate(TARGET)
        other = HDInsightTarget.model_validate({**TARGET, "cluster": "d"})
        found = (clusters.of(one), clusters.of(one), clusters.of(other))
        await clusters.close()
        return found

    first, again, other = asyncio.run(opened())
    assert first is again
    assert other is not first
    assert isinstance(first._http, httpx.AsyncClient)
    assert first._http.is_closed


def _job(inputs: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in inputs.items() if name != "__provider"}
