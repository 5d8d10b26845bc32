"""Which spellings of a value are the same to Flink."""

from __future__ import annotations

import pytest

from flink_jobs_provider.gateway.apis.dli.runtime_config import same_duration, same_place, same_word


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("60s", "1 min", True),
        ("60s", "60000", True),
        ("60 seconds", "1m", True),
        ("1 day", "24hours", True),
        ("1ms", "1000 µs", True),
        ("1 milli", "1000000 ns", True),
        ("60s", "60", False),
        ("60s", "61s", False),
        ("1 s", "1 parsec", False),
        ("soon", "soon", True),
        ("PT1M", "60s", False),
    ],
)
def test_durations(one: str, other: str, same: bool) -> None:
    assert same_duration(one, other) is same_duration(other, one) is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("EXACTLY_ONCE", "exactly-once", True),
        ("fixed-delay", "fixeddelay", True),
        ("none", "off", True),
        ("none", "Disable", True),
        ("none", "fixed-delay", False),
        ("3", "03", True),
        ("3", "30", False),
        ("0", "00", True),
    ],
)
def test_words(one: str, other: str, same: bool) -> None:
    assert same_word(one, other) is same


def test_places() -> None:
    assert same_place("s3://a/b/", "s3://a/b")
    assert same_place("file:///a", "/a/")
    assert not same_place("s3://a/b", "s3://a/c")
