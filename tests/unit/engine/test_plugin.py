"""What is shown of inputs that a provider refuses."""

import pytest

from flink_jobs_provider.engine.provider_answers import CheckFailure, refused
from flink_jobs_provider.engine.values import SECRET_TEXT, Secret, Value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("http://me:hunter2@h/a.jar?sig=hunter2", " value 'http://***@h/a.jar?***'"),
        ("password=hunter2", " value 'password=***'"),
        (Secret("hunter2"), f" value '{SECRET_TEXT}'"),
        (["--api-key", "hunter2"], ""),
        ({"token": "hunter2"}, ""),
        ("a jar", " value 'a jar'"),
    ],
)
def test_a_refused_value_shows_no_credentials(value: Value, shown: str) -> None:
    words = refused(CheckFailure("jar", "must be one"), {"jar": value})
    assert words == f"property jar{shown} has a problem: must be one"
