"""The configuration of the provider: its own namespace of the stack's, or an explicit provider.

A plugin is passed no other key of the stack's configuration. So a reference `config:KEY` of a
target is resolved here: in `secrets`, or in a further key of the namespace.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from flink_jobs_provider.model.target import Target
from flink_jobs_provider.model.validation import problems_in
from flink_jobs_provider.provider.dynamic_state import owner_of_stack

#: The package, and the namespace of its configuration.
PACKAGE = "flink-jobs"
#: The organization of each stack in a backend that is no Pulumi service.
_OF_FILES = "organization"
_SERVICES = ("http://", "https://")


def _from_json(value: object) -> object:
    """Return an object or a number that is written as JSON, as SDKs and the engine pass it."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


class ProviderConfiguration(BaseModel):
    """The known settings of the provider; further ones are values for `config:` references."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    target: Annotated[Target | None, BeforeValidator(_from_json)] = Field(
        None, description="The cluster of jobs that name no target."
    )
    organization: str | None = Field(
        None,
        min_length=1,
        description="The stack's organization, which is part of the default owner of a job: a "
        "provider is not told it. Stacks in files and buckets are of `organization`.",
    )
    secrets: Annotated[dict[str, str], BeforeValidator(_from_json)] = Field(
        default_factory=dict,
        description="What references `config:KEY` of targets refer to, by KEY.",
    )
    max_concurrent_submissions: Annotated[int, BeforeValidator(_from_json)] = Field(
        8, ge=1, description="How many jobs are submitted to one Flink cluster at once."
    )


def problems_of_configuration(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the problems of a configuration: the key, and what would be valid."""
    try:
        ProviderConfiguration.model_validate(given)
    except ValidationError as error:
        return problems_in(error)
    return []


class ConfigurationValues:
    """The values that references `config:KEY` refer to."""

    def __init__(self, given: Mapping[str, Any], known: ProviderConfiguration) -> None:
        self._given = given
        self._secrets = known.secrets

    def get(self, key: str) -> Any:
        """Return the value of a key; None where there is none.

        Raises:
            KeyError: The key that is to be set instead, where that is another one.
        """
        own = key.removeprefix(f"{PACKAGE}:")
        for found in (self._secrets.get(key), self._secrets.get(own), self._given.get(own)):
            if found not in (None, ""):
                return found
        name = key.rpartition(":")[2]
        if found := self._secrets.get(name):
            return found
        raise KeyError(
            f"{PACKAGE}:{name} (a plugin is passed no other namespace of the configuration), and "
            f"refer to it by config:{name}"
            if ":" in key and own == key
            else f"{PACKAGE}:{own}"
        )


def owner_of_urn(
    urn: str, organization: str | None, environment: Mapping[str, str] = os.environ
) -> str | None:
    """Return the default owner of a resource's job, or None where its organization is not known.

    The URN has stack and project. The organization is that of the Pulumi service; in any other
    backend there is one alone.
    """
    _, _, rest = urn.partition("urn:pulumi:")
    stack, _, rest = rest.partition("::")
    project, _, _ = rest.partition("::")
    if organization is None:
        backend = environment.get("PULUMI_BACKEND_URL", "")
        if not backend or backend.startswith(_SERVICES):
            return None
        organization = _OF_FILES
    return owner_of_stack(organization, project, stack)
