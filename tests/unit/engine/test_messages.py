"""What is shown of a provider's errors and output."""

import pytest

from flink_jobs_provider.engine.plugin import CheckFailure, short_reason
from flink_jobs_provider.engine.questions import refused
from flink_jobs_provider.engine.values import SECRET_TEXT, Secret, Value
from flink_jobs_provider.model.redaction import Redactor

TRACEBACK = """Traceback (most recent call last):
  File "/lib/pulumi/dynamic/__main__.py", line 80, in wrapper
    return fn(self, request, context)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/lib/demo.py", line 3, in create
    raise Failed("no slots")
"""


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("demo.errors.Failed: no slots\nThe job runs on.\n", "no slots\nThe job runs on."),
        ("ValueError: no slots", "ValueError: no slots"),
        ("KeyError: 'name'", "KeyError: 'name'"),
        ("demo.errors.Failed", "demo.errors.Failed"),
    ],
)
def test_a_traceback_is_cut_down_to_its_message(end: str, reason: str) -> None:
    """All of a message of several lines; a package's own exceptions go without their name."""
    assert short_reason(TRACEBACK + end) == reason


def test_the_last_of_several_tracebacks_counts() -> None:
    """It is the one that was raised; those before it are its causes."""
    chained = (
        f"{TRACEBACK}ValueError: cause\n\n"
        "The above exception was the direct cause of the following exception:\n\n"
        f"{TRACEBACK}demo.Failed: no slots"
    )
    assert short_reason(chained) == "no slots"


def test_what_is_no_traceback_is_left_as_it_is() -> None:
    """Such as what gRPC itself has to say."""
    assert short_reason("Socket closed\n") == "Socket closed"


def test_secrets_are_taken_out_of_text() -> None:
    """Longest first, line by line for those of several lines; very short ones stay."""
    redactor = Redactor(["pass", "password", "line one\nline two", "ab", ""], SECRET_TEXT)
    assert redactor.redact("password pass ab") == "[secret] [secret] ab"
    assert redactor.redact("saw line two.") == "saw [secret]."
    assert Redactor([]).redact("x") == "x"


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
