"""What is shown of a provider's errors."""

import pytest

from flink_jobs_provider.engine.errors import short_reason

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
