"""Resolving references to secrets: `env:NAME` and `config:KEY`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any


def resolver(
    configuration: Callable[[str], Any], found: Callable[[str], None] = lambda _value: None
) -> Callable[[str], str]:
    """Return what turns a reference into the secret.

    Args:
        configuration: Looks up a key of the stack's configuration; none where it is not set.
        found: Called with each secret that was resolved.
    """

    def resolve(reference: str) -> str:
        kind, _, name = reference.partition(":")
        value = os.environ.get(name) if kind == "env" else configuration(name)
        if not value:
            raise KeyError(name)
        found(str(value))
        return str(value)

    return resolve
