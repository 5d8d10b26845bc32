"""Whether two texts are the same value to Flink, which takes most values in several spellings."""

from __future__ import annotations

import re

from flink_jobs_provider.model.duration import flink_milliseconds
from flink_jobs_provider.model.savepoint import canonical_path

_WORDS = {"off": "none", "disable": "none"}


def same_word(one: str, other: str) -> bool:
    """Whether two texts are the same word, or the same whole number."""
    return _word(one) == _word(other)


def same_duration(one: str, other: str) -> bool:
    """Whether two texts are as long a time; without a unit it is one of milliseconds."""
    lengths = [flink_milliseconds(text) for text in (one, other)]
    return one == other if None in lengths else lengths[0] == lengths[1]


def same_place(one: str, other: str) -> bool:
    """Whether two texts name one directory."""
    return canonical_path(one) == canonical_path(other)


def _word(text: str) -> str:
    word = re.sub(r"[-_\s]", "", text).lower()
    return _WORDS.get(word, word.lstrip("0") if word.isdigit() else word)
