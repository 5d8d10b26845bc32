"""Whether two texts are the same value to Flink, which takes most values in several spellings."""

from __future__ import annotations

import re
from decimal import Decimal

from flink_jobs_provider.model.savepoint import canonical_path

#: Flink's units of time in milliseconds; some have a plural, too (measured on
#: the TimeUtils of 1.20 and 2.3).
_UNITS = {
    **dict.fromkeys(("d", "day"), Decimal(86_400_000)),
    **dict.fromkeys(("h", "hour"), Decimal(3_600_000)),
    **dict.fromkeys(("m", "min", "minute"), Decimal(60_000)),
    **dict.fromkeys(("s", "sec", "second"), Decimal(1000)),
    **dict.fromkeys(("", "ms", "milli", "millisecond"), Decimal(1)),
    **dict.fromkeys(("µs", "micro", "microsecond"), Decimal("1e-3")),
    **dict.fromkeys(("ns", "nano", "nanosecond"), Decimal("1e-6")),
}
_WORDS = {"off": "none", "disable": "none"}


def same_word(one: str, other: str) -> bool:
    """Whether two texts are the same word, or the same whole number."""
    return _word(one) == _word(other)


def same_duration(one: str, other: str) -> bool:
    """Whether two texts are as long a time; without a unit it is one of milliseconds."""
    return _milliseconds(one) == _milliseconds(other)


def same_place(one: str, other: str) -> bool:
    """Whether two texts name one directory."""
    return canonical_path(one) == canonical_path(other)


def _word(text: str) -> str:
    word = re.sub(r"[-_\s]", "", text).lower()
    return _WORDS.get(word, word.lstrip("0") if word.isdigit() else word)


def _milliseconds(text: str) -> Decimal | str:
    """Return how long a time is; the text itself where it is none."""
    # Stripped first: two runs of blanks side by side would be tried in each division of one run.
    match = re.fullmatch(r"([0-9]{1,40})\s*([a-zµ]*)", text.strip().lower())
    if match is None:
        return text
    unit = match[2] if match[2] in _UNITS else match[2].removesuffix("s")
    return int(match[1]) * _UNITS[unit] if unit in _UNITS else text
