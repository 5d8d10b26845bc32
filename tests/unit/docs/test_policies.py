"""The page on policies says what the policies do."""

from __future__ import annotations

import json
import re

import pytest
from jsonschema import Draft202012Validator

from flink_jobs_provider.policy.policy_configuration import configuration_schema, parameter_schemas
from flink_jobs_provider.policy.rules import POLICIES, Policy
from tests.unit.docs.pages import ROOT, blocks

_PAGE = ROOT / "docs" / "policies.md"


def _rows() -> dict[str, list[str]]:
    """Return the cells of each policy's row, without its name."""
    table = re.findall(r"^\| `([\w-]+)` \| (.*) \|$", _PAGE.read_text("utf-8"), re.MULTILINE)
    return {name: cells.split(" | ") for name, cells in table}


def test_each_policy_has_a_row() -> None:
    """Shows that the table has all policies, in the pack's order."""
    assert list(_rows()) == [each.name for each in POLICIES]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda each: each.name)
def test_levels_and_parameters_are_those_of_the_pack(policy: Policy) -> None:
    """Shows that a row names the level, each parameter, and the stacks that are judged."""
    level, _, told = _rows()[policy.name]
    assert level == policy.level
    parameters = parameter_schemas(policy)
    assert re.findall(r"`(\w+)`(?=[:;,]|$)", told) == list(parameters)
    (stacks,) = parameters["stacks"]["default"]
    assert told.startswith(f"`stacks`: `{stacks}`")


def test_the_configuration_shown_is_a_valid_one() -> None:
    """Shows that the page's own example is taken."""
    (document,) = [each for each in blocks("json") if each.page == _PAGE]
    Draft202012Validator(configuration_schema()).validate(json.loads(document.text))
