"""Durations as users write them: "90s", "10m", "1h30m"."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

_PATTERN = r"^(\d+d)?(\d+h)?(\d+m)?(\d+s)?$"
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


def seconds(duration: str) -> float:
    """Return the length of a duration in seconds.

    Raises:
        ValueError: The text is no duration, or is zero.
    """
    total = 0
    if re.fullmatch(_PATTERN, duration):
        total = sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([dhms])", duration))
    if total <= 0:
        raise ValueError(
            f'must be a duration above zero such as "90s", "10m" or "1h30m" (got {duration!r})'
        )
    return float(total)


def _validated(duration: str) -> str:
    seconds(duration)
    return duration


def _text(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f'must carry its unit, such as "{value:g}s" (got {value:g})')
    return value


Duration = Annotated[
    str,
    # The pattern is for the schema alone: as a constraint it would be what the user is shown.
    Field(json_schema_extra={"pattern": _PATTERN}, examples=["90s", "10m", "1h30m"]),
    AfterValidator(_validated),
    BeforeValidator(_text),
]
