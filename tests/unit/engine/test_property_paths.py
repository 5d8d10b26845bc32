"""Paths of `ignore_changes` and `replace_on_changes`."""

import pytest

from flink_jobs_provider.engine.property_paths import contains, parse, reset
from flink_jobs_provider.engine.values import Secret, Value


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("a", ("a",)),
        ("a.b-c.d", ("a", "b-c", "d")),
        ("a[0].b", ("a", 0, "b")),
        ('a["b.c"]', ("a", "b.c")),
        ('["quo\\"ted"]', ('quo"ted',)),
        ("a.*", ("a", "*")),
        ("a[*].b", ("a", "*", "b")),
        ("[1]", (1,)),
    ],
)
def test_parse(path: str, steps: tuple[str | int, ...]) -> None:
    """Names, indexes, quoted names and wildcards."""
    assert parse(path) == steps


@pytest.mark.parametrize("path", ["a[", "a[x]", 'a["b]', ".a", "a]"])
def test_what_is_no_path_is_refused(path: str) -> None:
    """An unfinished path is an error, not a guess."""
    with pytest.raises(ValueError, match="not a property path"):
        parse(path)


def test_contains() -> None:
    """A path holds what lies within it, wildcards included."""
    assert contains(parse("a"), parse("a.b"))
    assert contains(parse("*"), parse("anything"))
    assert contains(parse("a[*].c"), parse("a[3].c.d"))
    assert not contains(parse("a.b"), parse("a"))
    assert not contains(parse("a.b"), parse("a.c"))


@pytest.mark.parametrize(
    ("path", "old", "new", "result", "possible"),
    [
        ("a", {"a": 1}, {"a": 2}, {"a": 1}, True),
        ("a", {"a": 1}, {}, {"a": 1}, True),
        ("a", {}, {"a": 2}, {}, True),
        ("a.b", {"a": {"b": 1}}, {"a": {"b": 2, "c": 3}}, {"a": {"b": 1, "c": 3}}, True),
        ("a.b", {"a": {}}, {"a": {"b": 2}}, {"a": {}}, True),
        ("a.b", {"a": {"b": 1}}, {}, {}, False),
        ("a.b", {}, {"a": {"b": 2}}, {"a": {"b": 2}}, False),
        ("a.b", {"a": 1}, {"a": 2}, {"a": 2}, True),
        ("a[0]", {"a": [1, 2]}, {"a": [3, 4]}, {"a": [1, 4]}, True),
        ("a[1]", {"a": [1, 2]}, {"a": [3]}, {"a": [3]}, False),
        ("a[5]", {"a": [1]}, {"a": [2]}, {"a": [2]}, True),
        ("a[0].b", {"a": [{"b": 1}]}, {"a": [{"b": 2}]}, {"a": [{"b": 1}]}, True),
        ("a.*", {"a": {"x": 1}}, {"a": {"x": 2, "y": 3}}, {"a": {"x": 1}}, True),
        ("a[*].b", {"a": [{"b": 1}]}, {"a": [{"b": 2}]}, {"a": [{"b": 1}]}, True),
        ("a[*]", {"a": [1]}, {"a": [2, 3]}, {"a": [1, 3]}, False),
        ("*", {"a": 1, "b": 2}, {"a": 5, "c": 6}, {"a": 1, "b": 2}, True),
    ],
)
def test_reset(path: str, old: Value, new: Value, result: Value, possible: bool) -> None:
    """What the path names is as it was, as far as the real engine brings it back too."""
    before = repr(new)
    assert reset(parse(path), old, new) == (result, possible)
    assert repr(new) == before


def test_what_was_secret_stays_secret() -> None:
    """A value brought back out of a secret is marked, and not twice."""
    old: Value = {"a": Secret({"b": 1})}
    assert reset(parse("a.b"), old, {"a": {"b": 2}}) == ({"a": {"b": Secret(1)}}, True)
    assert reset(parse("a.b"), old, {"a": Secret({"b": 2})})[1]
