"""The configuration of the policy pack: one entry a policy, each refused by name if it is invalid.

The Pulumi CLI knows the types of the parameters, and takes names that no policy has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from flink_jobs_provider.model.errors import SetupError
from flink_jobs_provider.model.inputs import suggestion
from flink_jobs_provider.model.validation import problems_in
from flink_jobs_provider.policy.parameters import Parameters
from flink_jobs_provider.policy.rules import POLICIES, Policy

#: How a policy may be enforced. `remediate` is not among them: none changes a job.
LEVELS = ("advisory", "mandatory", "disabled")
#: Stands for all policies, in the CLI's own words; it has a level alone.
ALL = "all"


class InvalidPolicyConfiguration(SetupError):
    """Entries of a configuration that no policy has, or that are invalid."""


@dataclass(frozen=True)
class Enforced:
    """A policy as it is enforced."""

    policy: Policy
    level: str
    parameters: Parameters


def defaults() -> dict[str, Enforced]:
    """Return all policies, as they are enforced where nothing is configured."""
    return {each.name: Enforced(each, each.level, each.parameters()) for each in POLICIES}


def configured(entries: Mapping[str, tuple[str, Mapping[str, Any]]]) -> dict[str, Enforced]:
    """Return all policies as a configuration has them enforced.

    Args:
        entries: The level and the parameters of policies, by their names.

    Raises:
        InvalidPolicyConfiguration: It names all that is invalid.
    """
    enforced, problems = defaults(), list[str]()
    for name, (level, given) in entries.items():
        if name == ALL:
            continue
        if name not in enforced:
            problems.append(f"{name} is no policy: {suggestion(name, enforced)}")
            continue
        policy = enforced[name].policy
        if level not in LEVELS:
            problems.append(f"{name}: enforcementLevel must be {' or '.join(LEVELS)} (got {level})")
        known = {key: value for key, value in given.items() if value is not None}
        try:
            enforced[name] = Enforced(policy, level, policy.parameters.model_validate(known))
        except ValidationError as error:
            problems += [
                f"{name}: {path} {_reason(path, why, policy)}" for path, why in problems_in(error)
            ]
    if problems:
        raise InvalidPolicyConfiguration(
            f"invalid configuration of the policy pack: {'; '.join(problems)}"
        )
    return enforced


def _reason(path: str, why: str, policy: Policy) -> str:
    """Return what would be valid of a parameter, in the words for a job's inputs."""
    known = policy.parameters.model_fields
    if re.split(r"[.\[]", path)[0] not in known:
        return f"is no parameter: {suggestion(path, known)}"
    return why.replace("a map of texts", "a map of whole numbers")  # no parameter is another map


def parameter_schemas(policy: Policy) -> dict[str, Any]:
    """Return the JSON Schema of each parameter of a policy."""
    schema = policy.parameters.model_json_schema()
    return {name: _without_titles(each) for name, each in schema["properties"].items()}


def _without_titles(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without what pydantic adds; one that may be null is that of its values."""
    plain = {key: value for key, value in schema.items() if key != "title"}
    options = [each for each in plain.pop("anyOf", []) if each != {"type": "null"}]
    if plain.get("default", "") is None:
        del plain["default"]
    return (options[0] if options else {}) | plain


def configuration_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file that `--policy-pack-config` names."""
    levels = {"enum": list(LEVELS)}
    policies = {
        each.name: {
            "description": each.description,
            "anyOf": [
                levels,
                {
                    "type": "object",
                    "properties": {
                        "enforcementLevel": {**levels, "default": each.level},
                        **parameter_schemas(each),
                    },
                    "additionalProperties": False,
                },
            ],
        }
        for each in POLICIES
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of the policy pack flink-jobs",
        "type": "object",
        "properties": {ALL: levels, **policies},
        "additionalProperties": False,
    }
