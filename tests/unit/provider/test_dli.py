"""Jobs on Data Lake Insight: typed inputs, check, preview, and who carries changes out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider import (
    DliProject,
    DliResourceConfig,
    DliResourceSpec,
    DliSettings,
    FlinkJobArgs,
    Tls,
)
from flink_jobs_provider.control_planes.connection import Clusters
from flink_jobs_provider.control_planes.dli.plane import DliPlane
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import DliTarget, dli
from flink_jobs_provider.provider.dynamic import FlinkJobProvider
from flink_jobs_provider.provider.run_output import FlinkJobError
from flink_jobs_provider.reconciling import reconciler_of
from flink_jobs_provider.reconciling.dli.reconciler import StepReconciler
from tests.unit.reconciling.flink.fake_flink import FakeFlink

TARGET = {
    "kind": "dli",
    "endpoint": "http://127.0.0.1:9",
    "project_id": "p",
    "queue": "streams",
    "token": "env:GATEWAY_TOKEN",
}


@pytest.fixture
def on_dli(inputs: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """Return the least inputs of a job on such a target."""
    return {**inputs, "target": {**TARGET, "jar_upload_directory": f"file://{tmp_path}/jars"}}


def test_typed_inputs() -> None:
    project = DliProject(
        "p",
        region="eu-west-101",
        queue="q",
        access_key="env:AK",
        secret_key="env:SK",
        security_token="env:ST",
        jar_upload_directory="obs://b/jars",
        tls=Tls(ca_file="ca.pem"),
    )
    props = project.props()
    assert props == {
        "kind": "dli",
        "project_id": "p",
        "region": "eu-west-101",
        "queue": "q",
        "access_key": "env:AK",
        "secret_key": "env:SK",
        "security_token": "env:ST",
        "jar_upload_directory": "obs://b/jars",
        "tls": {"ca_file": "ca.pem"},
    }
    DliTarget.model_validate(props)


def test_typed_inputs_are_all_there_are() -> None:
    assert {*DliProject("p").__dict__} == set(DliTarget.model_fields)
    config = DliResourceConfig()
    assert {*config.__dict__} == set(dli.DliResourceConfig.model_fields)
    resources = DliResourceSpec(1, "4G")
    assert {*resources.__dict__} == set(dli.DliResourceSpec.model_fields)
    every = dict.fromkeys(dli.DliSettings.model_fields, "x")
    settings = DliSettings(**every)  # type: ignore[arg-type]
    assert settings.props() == every
    misspelt = DliSettings(cu_numbers=3)  # type: ignore[call-arg]
    assert misspelt.props() == {"cu_numbers": 3}  # refused in the preview, with all else


def test_settings_within_a_job() -> None:
    resources = DliResourceConfig(max_slot=2, jobmanager_resource_spec=DliResourceSpec(1, "4G"))
    job = FlinkJobArgs(dli=DliSettings(resource_config=resources, cu_number=None))
    assert job.props()["dli"] == {
        "resource_config": {
            "max_slot": 2,
            "jobmanager_resource_spec": {"cpu": 1, "memory": "4G"},
        }
    }


def test_a_preview_needs_no_service(
    provider: FlinkJobProvider,
    on_dli: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Shows whole numbers, the digest and the plan's line; nothing listens at the endpoint."""
    result = provider.check({}, {**on_dli, "dli": {"cu_number": 4.0}})
    assert result.failures == []
    assert result.inputs["dli"] == {"cu_number": 4}
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
        "dli": {"cu_number": 4.0, "resource_config": {"max_slot": 1.0}, "obs_buckets": "b"},
        "parallelism": 0,
    }
    failures = provider.check({}, wrong).failures
    assert [failure.property for failure in failures] == [
        "target.token",
        "parallelism",
        "dli.obs_buckets",
        "target.jar_upload_directory",
        "args[0]",
        "dli.cu_number",
    ]
    assert "hunter2" not in str([failure.reason for failure in failures])


def test_tags_that_change_are_refused_in_the_preview(
    provider: FlinkJobProvider, on_dli: dict[str, Any]
) -> None:
    state = provider.check({}, {**on_dli, "dli": {"tags": {"a": "1"}}}).inputs
    wanted = provider.check({}, {**on_dli, "dli": {"tags": {"a": "2"}}}).inputs
    with pytest.raises(FlinkJobError, match=r"dli\.tags cannot be changed"):
        provider.diff("orders", {**state, "status": "RUNNING", "job_id": "a" * 32}, wanted)


def test_a_move_from_a_session_cluster_is_another_job(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    on_dli: dict[str, Any],
    flink: FakeFlink,
) -> None:
    state = provider.create(provider.check({}, inputs).inputs).outs
    assert state is not None
    wanted = provider.check(state, {**on_dli, "dli": {"tags": {"a": "1"}}}).inputs
    with pytest.raises(FlinkJobError) as caught:
        provider.diff("orders", state, wanted)
    assert "a change of target starts another job" in str(caught.value)


@pytest.fixture
def clusters() -> Clusters:
    return Clusters(lambda _reference: "token")


def test_who_carries_changes_out(on_dli: dict[str, Any], clusters: Clusters) -> None:
    async def kind() -> type:
        job = {name: value for name, value in on_dli.items() if name != "__provider"}
        target = JobSpec.model_validate(job).target
        found: type = type(reconciler_of(clusters, target, print))
        await clusters.close()
        return found

    assert asyncio.run(kind()) is StepReconciler


def test_a_project_is_opened_once(clusters: Clusters) -> None:
    async def opened() -> tuple[DliPlane, DliPlane, DliPlane]:
        one = DliTarget.model_validate(TARGET)
        other = DliTarget.model_validate({**TARGET, "project_id": "q"})
        found = (clusters.of(one), clusters.of(one), clusters.of(other))
        await clusters.close()
        return found

    first, again, other = asyncio.run(opened())
    assert first is again
    assert other is not first
    assert first._http.is_closed
