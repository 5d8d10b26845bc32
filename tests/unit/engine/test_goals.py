"""What is read of a program's registrations."""

from typing import Any

import pytest
from pulumi.runtime.proto import resource_pb2

from flink_jobs_provider.engine.errors import ResourceError, UnsupportedError
from flink_jobs_provider.engine.goals import goal_of
from flink_jobs_provider.engine.resource_state import Timeouts


def request(type_: str = "files:index:File", **fields: Any) -> resource_pb2.RegisterResourceRequest:
    """Make a registration of a resource of a plugin."""
    return resource_pb2.RegisterResourceRequest(type=type_, name="a", custom=True, **fields)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("250ms", 0.25), ("2m0.5s", 120.5)],
)
def test_timeouts_are_durations_of_go(text: str, seconds: float) -> None:
    """Shows them in seconds; those that are not given are 0."""
    timeouts = resource_pb2.RegisterResourceRequest.CustomTimeouts(update=text)
    assert goal_of(request(customTimeouts=timeouts), "").custom_timeouts == Timeouts(update=seconds)


@pytest.mark.parametrize("text", ["soon", "90", "1h 30m", "-5m", "5 m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Shows the option and the resource."""
    timeouts = resource_pb2.RegisterResourceRequest.CustomTimeouts(delete=text)
    with pytest.raises(ResourceError, match=r"custom_timeouts\.delete of 'a' is"):
        goal_of(request(customTimeouts=timeouts), "")


@pytest.mark.parametrize(
    ("type_", "fields", "words"),
    [
        ("pulumi:providers:pulumi-python", {}, "explicit provider instances of the package"),
        ("pulumi:index:Stash", {}, "resources of the package `pulumi`"),
        ("pulumi-python:dynamic/d:D", {"provider": "urn::1"}, "the option `provider`"),
        ("pulumi-python:dynamic/d:D", {"importId": "x"}, "the option `import_` of dynamic"),
        ("files:index:File", {"envVarMappings": {"A": "B"}}, "the option `env_var_mappings`"),
    ],
)
def test_what_is_left_to_the_cli(type_: str, fields: dict[str, object], words: str) -> None:
    """Shows that it is refused by name."""
    with pytest.raises(UnsupportedError, match=words):
        goal_of(request(type_, **fields), "")


def test_the_version_is_that_of_the_package_reference() -> None:
    """Shows that one goes before the option `version`."""
    assert goal_of(request(version="1.0.0"), "").version == "1.0.0"
    assert goal_of(request(version="1.0.0"), "", "2.0.0").version == "2.0.0"
