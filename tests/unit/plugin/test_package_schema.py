"""The schema of the package: current, and of use to Pulumi's tools."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec, UpgradeMode
from flink_jobs_provider.plugin import package_schema
from flink_jobs_provider.plugin.job_resource import DYNAMIC_TYPE
from flink_jobs_provider.provider.resource import PLUGIN_TYPE
from tools import build_plugin_schema

SCHEMA: dict[str, Any] = json.loads(package_schema.text())
JOB: dict[str, Any] = SCHEMA["resources"][PLUGIN_TYPE]


def test_the_schema_is_made_from_the_models() -> None:
    assert package_schema.text() == build_plugin_schema.text()


def test_the_served_schema_has_the_version() -> None:
    """Shows the rest unchanged; without a version `pulumi package add` refuses it."""
    served = json.loads(package_schema.text_with_version())
    assert served.pop("version") == package_schema.version()
    assert served == SCHEMA


def test_a_job_has_all_inputs_and_outputs() -> None:
    assert {*JOB["inputProperties"]} == {*JobSpec.model_fields} - {"jar_digest"}
    assert {*JOB["properties"]} == {*JobSpec.model_fields, *JobRecord.output_names()}
    assert JOB["requiredInputs"] == ["job_name", "jar"]
    assert all("description" in each for each in JOB["properties"].values())


def test_a_job_takes_over_that_of_the_dynamic_provider() -> None:
    assert JOB["aliases"] == [{"type": DYNAMIC_TYPE}]


def _references(node: Any) -> set[str]:
    if isinstance(node, list):
        return {found for each in node for found in _references(each)}
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"]} if "$ref" in node else set()
    return own | {found for each in node.values() for found in _references(each)}


def test_all_types_that_are_referred_to_are_there() -> None:
    there = {f"#/types/{name}" for name in SCHEMA["types"]}
    assert _references(SCHEMA) == {*there, "pulumi.json#/Any"}


def test_configuration_variables_have_no_types_of_the_package() -> None:
    """Shows none; the generator for Java fails at a type that a function refers to as well."""
    assert _references(SCHEMA["config"]) == {"pulumi.json#/Any"}
    assert "#/types/flink-jobs:index:DliProject" in _references(SCHEMA["provider"])


def test_sdks_are_whole_packages() -> None:
    """Shows it asked of the generators; else Go's has no module, and Node's no version."""
    assert SCHEMA["meta"] == {"supportPack": True}


def test_words_have_meanings() -> None:
    words = SCHEMA["types"]["flink-jobs:index:UpgradeMode"]["enum"]
    assert [each["value"] for each in words] == list(UpgradeMode)
    assert all(each["description"] for each in words)


@pytest.mark.parametrize(
    ("python", "semantic"),
    [
        ("0.2.0", "0.2.0"),
        ("0.2.0.dev1", "0.2.0-dev.1"),
        ("1.0.0rc2", "1.0.0-rc.2"),
        ("1.0.0.post1", "1.0.0"),
    ],
)
def test_versions(python: str, semantic: str) -> None:
    assert package_schema.semantic(python) == semantic
