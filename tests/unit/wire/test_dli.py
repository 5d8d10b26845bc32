"""The table of Data Lake Insight's fields holds for client, gateway and double alike."""

from __future__ import annotations

from typing import Any

import pytest

from flink_jobs_provider.gateway.apis.dli import schema
from flink_jobs_provider.model.target.dli import DliSettings
from flink_jobs_provider.wire.dli import (
    AT_CREATION,
    DESCRIBING,
    JOB_FIELDS,
    RESOURCES_V1,
    WHILE_RUNNING,
    Kind,
    checkpoint_mode,
    slots_by_default,
)


def test_the_settings_of_the_provider_are_fields_of_the_service() -> None:
    """Shows it, so that each has a kind, and what taking it away leads to."""
    assert set(DliSettings.model_fields) <= set(JOB_FIELDS)
    assert set(RESOURCES_V1) <= set(JOB_FIELDS)


def test_the_gateway_takes_all_fields_and_no_others() -> None:
    """Shows it; `job_type` is of a change alone, and says nothing of the job."""
    taken = {*schema.CREATE["properties"], *schema.UPDATE["properties"]}
    assert taken - {"job_type"} == set(JOB_FIELDS)


@pytest.mark.parametrize("name", JOB_FIELDS)
def test_the_gateway_checks_what_the_table_says(name: str) -> None:
    """Shows that types and lengths are those of the table."""
    checked = schema.CREATE["properties"][name]
    field = JOB_FIELDS[name]
    types: dict[Kind, Any] = {Kind.FLAG: "boolean", Kind.NUMBER: "integer", Kind.PLACES: "array"}
    if field.kind in types:
        assert checked["type"] == [types[field.kind], "null"]
    if field.longest is not None and "pattern" not in checked:
        assert checked["maxLength"] == field.longest


def test_a_field_changes_in_one_way() -> None:
    """Shows that the groups exclude one another."""
    groups = (WHILE_RUNNING, DESCRIBING, AT_CREATION)
    assert sum(map(len, groups)) == len(frozenset().union(*groups))


@pytest.mark.parametrize(
    ("config", "slots"),
    [
        ({}, 1),
        ({"parallel_number": 3}, 3),
        ({"parallel_number": 3, "cu_number": 4}, 1),
        ({"parallel_number": 4, "cu_number": 4}, 2),
        ({"parallel_number": 6, "tm_cus": 2, "cu_number": 5}, 3),
        ({"parallel_number": 2, "cu_number": 1, "manager_cu_number": 1}, 2),
    ],
)
def test_slots_are_computed_as_the_reference_says(config: dict[str, Any], slots: int) -> None:
    """Shows it: parallelism times CUs of a TaskManager, by the CUs that are no manager's."""
    assert slots_by_default(config) == slots


@pytest.mark.parametrize("given", [1, "1", 1.0, "exactly_once", "EXACTLY_ONCE"])
def test_a_checkpoint_mode_has_many_spellings(given: Any) -> None:
    """Shows that numbers and words mean the same."""
    assert checkpoint_mode(given) == "exactly_once"
