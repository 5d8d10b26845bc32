"""The table of what each target can do is what the check says."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from flink_jobs_provider.model.spec import JobSpec
from tests.unit.docs.pages import ROOT


@pytest.fixture(scope="module")
def built() -> dict[str, Any]:
    """Return what the page is built from."""
    return runpy.run_path(str(ROOT / "docs" / "build_targets.py"))


def test_the_page_is_what_the_code_gives(built: dict[str, Any]) -> None:
    """Shows that no check was changed without writing the page anew."""
    committed = (ROOT / "docs" / "targets.md").read_text(encoding="utf-8")
    assert committed == built["page"](), "run python docs/build_targets.py"


def test_every_input_is_tried(built: dict[str, Any]) -> None:
    """Shows that no input can be forgotten in the table."""
    tried = set().union(*(probe.inputs for probe in built["probes"](JobSpec)))
    assert tried | built["EVERYWHERE"] == set(JobSpec.model_fields)


def test_every_kind_of_target_has_its_column(built: dict[str, Any]) -> None:
    """Shows that no target can be forgotten."""
    schema = JobSpec.model_json_schema()
    kinds = {
        schema["$defs"][target["$ref"].rsplit("/", 1)[-1]]["properties"]["kind"]["const"]
        for target in schema["properties"]["target"]["oneOf"]
    }
    assert {target["kind"] for target in built["TARGETS"].values()} == kinds
