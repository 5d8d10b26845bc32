"""How the policies are configured, and how what is invalid is refused."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from flink_jobs_provider.policy.policy_configuration import (
    InvalidPolicyConfiguration,
    configuration_schema,
    configured,
    defaults,
    parameter_schemas,
)
from flink_jobs_provider.policy.rules import POLICIES

_VALID: list[dict[str, Any]] = [
    {},
    {"all": "advisory"},
    {"state-carried-over": "disabled"},
    {"savepoint-directory": {"enforcementLevel": "advisory", "directories": ["file:///mnt/s"]}},
    {"job-parallelism": {"maximum": 64, "exceptions": {"orders": 128}}},
]
_INVALID: list[tuple[dict[str, Any], str]] = [
    ({"state-carried": {}}, "state-carried is no policy: did you mean state-carried-over?"),
    (
        {"job-parallelism": {"maxmum": 64}},
        "job-parallelism: maxmum is no parameter: did you mean maximum?",
    ),
    (
        {"job-parallelism": {"maximum": 0}},
        "job-parallelism: maximum must be greater than or equal to 1 (got 0)",
    ),
    (
        {"job-parallelism": {"maximum": 1.5}},
        "job-parallelism: maximum must be a whole number (got 1.5)",
    ),
    (
        {"job-parallelism": {"exceptions": ["orders"]}},
        "job-parallelism: exceptions must be a map of whole numbers (got ['orders'])",
    ),
    (
        {"job-parallelism": {"exceptions": {"orders": 0}}},
        "job-parallelism: exceptions.orders must be greater than or equal to 1 (got 0)",
    ),
    ({"jar-pinned": {"digests": ["abc"]}}, "jar-pinned: digests[0] must be a SHA-256"),
    (
        {"checkpoints-retained": {"set_by_clusters": "yes?"}},
        "checkpoints-retained: set_by_clusters must be true or false (got 'yes?')",
    ),
    (
        {"savepoint-on-delete": {"allowed": ["drop"]}},
        "savepoint-on-delete: allowed[0] must be 'savepoint', 'release' or 'cancel' (got 'drop')",
    ),
    (
        {"savepoint-directory": {"schemes": ["s3://"]}},
        "savepoint-directory: schemes[0] must be a scheme",
    ),
    (
        {"savepoint-directory": {"directories": ["mnt"]}},
        "savepoint-directory: directories[0] must be a URI or an absolute path (got 'mnt')",
    ),
    ({"savepoint-on-delete": {"allowed": []}}, "savepoint-on-delete: allowed must not be empty"),
    ({"state-carried-over": {"stacks": []}}, "state-carried-over: stacks must not be empty"),
    (
        {"state-carried-over": {"stacks": ["acme/shop/prod"]}},
        "state-carried-over: stacks[0] must be a glob of stacks' names, without organization",
    ),
    (
        {"checkpoints-retained": {"enforcementLevel": "remediate"}},
        "checkpoints-retained: enforcementLevel must be advisory or mandatory or disabled",
    ),
]


def _entries(document: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the entries of a file, as the Pulumi CLI hands them on."""
    entries = {}
    for name, given in document.items():
        parameters = dict(given) if isinstance(given, dict) else {}
        level = given if isinstance(given, str) else parameters.pop("enforcementLevel", "mandatory")
        entries[name] = (level, parameters)
    return entries


@pytest.mark.parametrize("document", _VALID, ids=str)
def test_valid_configurations(document: dict[str, Any]) -> None:
    """Shows that the schema takes what the pack takes."""
    Draft202012Validator(configuration_schema()).validate(document)
    assert configured(_entries(document)).keys() == defaults().keys()


def test_levels_and_parameters_are_taken() -> None:
    """Shows that what is configured is in force, and the rest as by default."""
    enforced = configured({"job-parallelism": ("advisory", {"maximum": 8.0, "exceptions": None})})
    job = enforced["job-parallelism"]
    assert (job.level, job.parameters.model_dump()) == (
        "advisory",
        {"stacks": ["*"], "maximum": 8, "exceptions": {}},
    )
    assert enforced["jar-pinned"] == defaults()["jar-pinned"]


@pytest.mark.parametrize(("document", "said"), _INVALID, ids=[said for _, said in _INVALID])
def test_invalid_configurations_are_refused_by_name(document: dict[str, Any], said: str) -> None:
    """Shows that each mistake is named, with what would be valid."""
    with pytest.raises(InvalidPolicyConfiguration) as refused:
        configured(_entries(document))
    assert str(refused.value).startswith("invalid configuration of the policy pack: ")
    assert said in str(refused.value)


_OF_FORM = [document for document, said in _INVALID if "digests[0]" not in said]


@pytest.mark.parametrize("document", _OF_FORM, ids=str)
def test_an_editor_sees_what_is_invalid(document: dict[str, Any]) -> None:
    """Shows that the schema refuses mistakes, too, but for those in the form of a text."""
    texts = ("schemes", "directories", "acme/")
    invalid = not Draft202012Validator(configuration_schema()).is_valid(document)
    assert invalid or any(each in str(document) for each in texts)


def test_all_mistakes_are_named_at_once() -> None:
    """Shows that nobody corrects one mistake a run."""
    with pytest.raises(InvalidPolicyConfiguration) as refused:
        configured(_entries({"jar": {}, "jar-pinned": {"digits": 1, "x": 1}}))
    assert str(refused.value).count(";") == 2


@pytest.mark.parametrize("policy", POLICIES, ids=lambda each: each.name)
def test_schemas_of_parameters_are_plain(policy: Any) -> None:
    """Shows that the Pulumi CLI can read them: no references, each with a meaning."""
    for schema in parameter_schemas(policy).values():
        assert "$ref" not in str(schema)
        assert schema["description"]
        assert "anyOf" not in schema
