"""Durations as users write them ("90s", "10m", "1h30m"), and as Flink's options have them."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

_PATTERN = r"^(\d+d)?(\d+h)?(\d+m)?(\d+s)?$"
#: Each start of a run waits that long: what takes longer is a task of monitoring.
LONGEST_SETTLE_TIME = "1h"
#: A step that takes longer hangs.
LONGEST_TIMEOUT = "7d"
#: A hundred years, for what is kept for ever: a longer one leads to dates that do not exist.
LONGEST_LIFETIME = "36500d"
#: Characters of any duration that means something.
_LONGEST_TEXT = 40
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}

#: Flink's units of time in milliseconds (measured on the TimeUtils of 1.17 to 2.3): symbols, and
#: words that have a plural, too.
_SYMBOLS = {
    "d": Decimal(86_400_000),
    "h": Decimal(3_600_000),
    **dict.fromkeys(("m", "min"), Decimal(60_000)),
    "s": Decimal(1000),
    **dict.fromkeys(("", "ms"), Decimal(1)),
    "µs": Decimal("1e-3"),
    "ns": Decimal("1e-6"),
}
_NAMES = {
    "day": _SYMBOLS["d"],
    "hour": _SYMBOLS["h"],
    "minute": _SYMBOLS["m"],
    **dict.fromkeys(("sec", "second"), _SYMBOLS["s"]),
    **dict.fromkeys(("milli", "millisecond"), _SYMBOLS["ms"]),
    **dict.fromkeys(("micro", "microsecond"), _SYMBOLS["µs"]),
    **dict.fromkeys(("nano", "nanosecond"), _SYMBOLS["ns"]),
}
_FLINK_UNITS = {**_SYMBOLS, **_NAMES, **{f"{name}s": length for name, length in _NAMES.items()}}


def seconds(duration: str) -> float:
    """Return the length of a duration in seconds.

    Raises:
        ValueError: The text is no duration, or is zero.
    """
    length = _length(duration)
    if not length:
        raise ValueError(
            f'must be a duration above zero such as "90s", "10m" or "1h30m" (got {duration!r})'
        )
    return length


def _length(duration: str) -> float | None:
    """Return the length of a duration in seconds, or None for what is no duration."""
    if not duration or len(duration) > _LONGEST_TEXT or not re.fullmatch(_PATTERN, duration):
        return None
    return float(sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([dhms])", duration)))


def settle_seconds(duration: str) -> float:
    """Return the length of a settle time in seconds; "0s" is one.

    Raises:
        ValueError: The text is no duration, or is longer than `LONGEST_SETTLE_TIME`.
    """
    length = _length(duration)
    if length is None:
        raise ValueError(
            f'must be a duration such as "10s" or "2m", or "0s" not to wait (got {duration!r})'
        )
    return seconds_at_most(duration, LONGEST_SETTLE_TIME) if length else length


def seconds_at_most(duration: str, longest: str) -> float:
    """Return the length of a duration in seconds.

    Raises:
        ValueError: The text is no duration, is zero, or is longer than another one.
    """
    length = seconds(duration)
    if length > seconds(longest):
        raise ValueError(f'must be at most "{longest}" (got {duration!r})')
    return length


def _window(duration: str) -> str:
    seconds_at_most(duration, LONGEST_SETTLE_TIME)
    return duration


def _settle_time(duration: str) -> str:
    settle_seconds(duration)
    return duration


def _validated(duration: str) -> str:
    seconds(duration)
    return duration


def _with_unit(check: Callable[[str], str], example: str) -> BeforeValidator:
    """Return the validator that refuses a number in a duration's place.

    It proposes that number of seconds, or the example where `check` refuses that.
    """

    def refuse(value: object) -> object:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return value
        proposed = f"{int(value)}s" if value == int(value) else example
        try:
            check(proposed)
        except ValueError:
            proposed = example
        raise ValueError(f'must carry its unit, such as "{proposed}" (got {value:g})')

    return BeforeValidator(refuse)


Duration = Annotated[
    str,
    # The pattern is for the schema alone: as a constraint it would be what the user is shown.
    Field(json_schema_extra={"pattern": _PATTERN}, examples=["90s", "10m", "1h30m"]),
    AfterValidator(_validated),
    _with_unit(_validated, "90s"),
]

SettleTime = Annotated[
    str,
    Field(json_schema_extra={"pattern": _PATTERN, "minLength": 2}, examples=["10s", "2m", "0s"]),
    AfterValidator(_settle_time),
    _with_unit(_settle_time, "10s"),
]

#: How long a version is watched.
Window = Annotated[Duration, AfterValidator(_window)]


def flink_milliseconds(text: str) -> Decimal | None:
    """Return the length of a duration of Flink's options, or None for what is no duration."""
    # Stripped first: two runs of blanks side by side would be tried in each division of one run.
    match = re.fullmatch(r"([0-9]{1,40})\s*([a-zµ]*)", text.strip().lower())
    if match is None:
        return None
    return int(match[1]) * _FLINK_UNITS[match[2]] if match[2] in _FLINK_UNITS else None
