"""The table of HDInsight's properties holds for client, gateway and double alike."""

from __future__ import annotations

import pytest

from flink_jobs_provider.gateway.apis.hdinsight.schema import body_schema
from flink_jobs_provider.gateway.apis.hdinsight.translation import in_arm_words
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import HDInsightTarget
from flink_jobs_provider.wire.hdinsight import JOB_PROPERTIES, ApiVersion


@pytest.mark.parametrize("version", ApiVersion)
def test_the_gateway_takes_all_properties_and_no_others(version: ApiVersion) -> None:
    """Shows it for each version; the oldest has no run ids."""
    job = body_schema(None, version)["properties"]["properties"]["properties"]
    without = set() if version.has_run_ids else {"runId"}
    assert set(job) == set(JOB_PROPERTIES) - without
    for name, schema in job.items():
        assert schema.get("readOnly", False) == JOB_PROPERTIES[name].read_only, name
        assert schema.get("maxLength") == JOB_PROPERTIES[name].longest, name


def test_inputs_are_named_as_the_api_names_them() -> None:
    """Shows that a refusal of an input names the property that was sent for it."""
    for name, each in JOB_PROPERTIES.items():
        if each.model_input:
            assert each.model_input in JobSpec.model_fields
            refusal = in_arm_words(Refusal("InvalidParameter", "no", target=each.model_input))
            assert refusal.target == f"properties.{name}"


def test_targets_have_the_versions_that_the_service_has_printed() -> None:
    """Shows it; the one that only recorded traffic has is not offered."""
    versions = HDInsightTarget.model_json_schema()["properties"]["api_version"]["enum"]
    assert versions == [version for version in ApiVersion if version != "2024-05-01"]
