"""What is refused of a resource itself: options without effect on a `FlinkJob`, and its name.

A dynamic provider is told neither. `FlinkJob` passes what was set as an input (`OPTIONS_KEY`),
which `check` reads and leaves out of what it returns.
"""

from __future__ import annotations

from typing import Any

#: The input that names the options which were set, and the name where it is not valid.
OPTIONS_KEY = "__options"

_REASONS = {
    "custom_timeouts": "has no effect on a FlinkJob, since Pulumi does not tell a dynamic provider "
    "of it: set the input timeouts instead (submit, running, savepoint, cancel)",
    "replace_on_changes": "has no effect on a FlinkJob, since Pulumi needs more of a provider for "
    "it than a dynamic one can tell: leave it out. A change upgrades the job with its state; one "
    "of target or job_name replaces it",
}
_NAME = "resource_name"
_BLANKS = "must be given without blanks around it"


def invalid_name(name: str) -> list[str]:
    """Return what names a resource's name among the problems, where it is not valid."""
    return [_NAME] if name != name.strip() else []


def without_effect(options: Any) -> list[str]:
    """Return the names of the options that are set, and would have no effect."""
    return [name for name in _REASONS if getattr(options, name, None)]


def problems_of_options(inputs: dict[str, Any], recorded: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is wrong with a resource itself: the name of each, and why.

    Args:
        inputs: Its inputs.
        recorded: Those that are recorded of it. One that is there keeps its name: another one
            would make it another resource.
    """
    reasons = _REASONS if recorded else {**_REASONS, _NAME: _BLANKS}
    return [(name, reasons[name]) for name in inputs.get(OPTIONS_KEY) or () if name in reasons]
