"""How the steps of a long action reach whoever shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Report: TypeAlias = Callable[[str], None]
"""Takes what is being done now, as a short phrase without a full stop."""


def silent(step: str) -> None:
    """Show nothing."""
