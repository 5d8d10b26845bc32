"""Pulumi's resource options that have no effect on a `FlinkJob`, and are refused by name.

A dynamic provider is told neither. `FlinkJob` passes what was set as an input (`OPTIONS_KEY`),
which `check` reads and leaves out of what it returns.
"""

from __future__ import annotations

from typing import Any

#: The input that names the options which were set.
OPTIONS_KEY = "__options"

_REASONS = {
    "custom_timeouts": "has no effect on a FlinkJob, since Pulumi does not tell a dynamic provider "
    "of it: set the input timeouts instead (submit, running, savepoint, cancel)",
    "replace_on_changes": "has no effect on a FlinkJob, since Pulumi needs more of a provider for "
    "it than a dynamic one can tell: leave it out. A change upgrades the job with its state; one "
    "of target or job_name replaces it",
}


def without_effect(options: Any) -> list[str]:
    """Return the names of the options that are set, and would have no effect."""
    return [name for name in _REASONS if getattr(options, name, None)]


def problems_of_options(inputs: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is wrong with a resource's options: the name of each, and why."""
    return [(name, _REASONS[name]) for name in inputs.get(OPTIONS_KEY) or () if name in _REASONS]
