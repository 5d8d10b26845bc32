"""The provider's configuration: defaults of jobs, and what references refer to."""

from __future__ import annotations

from typing import Any

import pytest

from flink_jobs_provider.plugin.provider_configuration import (
    ConfigurationValues,
    ProviderConfiguration,
    owner_of_urn,
    problems_of_configuration,
)

URN = "urn:pulumi:prod::shop::my:component:Team$flink-jobs:index:Job::orders"


def values(given: dict[str, Any]) -> ConfigurationValues:
    return ConfigurationValues(given, ProviderConfiguration.model_validate(given))


def test_objects_may_be_written_as_json() -> None:
    """Shows what an engine makes of structured configuration: text."""
    found = ProviderConfiguration.model_validate(
        {"target": '{"url": "http://flink:8081"}', "max_concurrent_submissions": "3"}
    )
    assert found.target
    assert (found.target.kind, found.max_concurrent_submissions) == ("flink", 3)


def test_problems_name_the_setting() -> None:
    assert problems_of_configuration({"max_concurrent_submissions": "0", "further": "x"}) == [
        ("max_concurrent_submissions", "must be greater than or equal to 1 (got 0)")
    ]


def test_problems_show_nothing_that_may_be_secret() -> None:
    """Shows what would be valid of a target and of secrets, by the paths that a program has."""
    given = {"target": {"kind": "flink", "ul": "hush"}, "secrets": {"token": 5}}
    found = dict(problems_of_configuration(given))
    assert found["target.url"] == "is required"
    assert found["target.ul"].startswith("is not a property of this kind of target; did you mean")
    assert found["secrets.token"] == "must be a text (got a number instead)"
    assert dict(problems_of_configuration({"target": "hush", "secrets": "hush"})) == {
        "target": "must be an object (got a text instead)",
        "secrets": "must be a map of texts (got a text instead)",
    }


@pytest.mark.parametrize("key", ["token", "flink-jobs:token"])
def test_a_reference_to_the_own_namespace(key: str) -> None:
    assert values({"token": "s3cr3t"}).get(key) == "s3cr3t"


@pytest.mark.parametrize("key", ["token", "shop:token"])
def test_a_reference_to_secrets(key: str) -> None:
    assert values({"secrets": '{"token": "s3cr3t"}'}).get(key) == "s3cr3t"


@pytest.mark.parametrize(
    ("key", "remedy"),
    [
        ("token", "flink-jobs:token"),
        (
            "shop:token",
            "flink-jobs:token (a plugin is passed no other namespace of the configuration), and "
            "refer to it by config:token",
        ),
    ],
)
def test_a_reference_that_leads_nowhere(key: str, remedy: str) -> None:
    with pytest.raises(KeyError) as missing:
        values({}).get(key)
    assert missing.value.args == (remedy,)


@pytest.mark.parametrize(
    ("organization", "environment", "owner"),
    [
        ("acme", {}, "acme/shop/prod"),
        (None, {"PULUMI_BACKEND_URL": "file:///states"}, "organization/shop/prod"),
        (None, {"PULUMI_BACKEND_URL": "https://api.pulumi.com"}, None),
        (None, {}, None),
    ],
)
def test_the_default_owner(
    organization: str | None, environment: dict[str, str], owner: str | None
) -> None:
    """Shows that it is that of a Python program, or none: never a guess."""
    assert owner_of_urn(URN, organization, environment) == owner
