"""Property values: comparing, marking, and the way over the wire."""

import pytest
from google.protobuf import struct_pb2

from flink_jobs_provider.engine.values import (
    PLAIN,
    RESOURCE_SIGNATURE,
    SIGNATURE_KEY,
    UNKNOWN,
    UNKNOWN_STRING,
    Marks,
    PropertyMap,
    Secret,
    Value,
    contains_secrets,
    contains_unknowns,
    equal,
    from_struct,
    marked_like,
    masked,
    parse_path,
    path_contains,
    plain,
    reset_path,
    strictly_equal,
    to_struct,
    value_at,
)

EVERYTHING: PropertyMap = {
    "text": "ü",
    "empty": "",
    "number": 1.5,
    "whole": 3,
    "large": 123456789012345,
    "yes": True,
    "none": None,
    "list": [1, "x", None, [], {}],
    "map": {"deep": {"secret": Secret({"in": [Secret("twice")]})}},
    "unknown": UNKNOWN,
}


def test_what_goes_over_the_wire_comes_back() -> None:
    """Every kind of value survives, secrets and unknowns too."""
    back = from_struct(to_struct(EVERYTHING))
    assert back == EVERYTHING
    assert strictly_equal(back, EVERYTHING)


def test_whole_numbers_come_back_as_integers() -> None:
    """The wire knows floats alone; the state writes 3, not 3.0."""
    struct = struct_pb2.Struct()
    struct.update({"whole": 3.0, "half": 0.5, "huge": 1e22})
    found = from_struct(struct)
    assert (type(found["whole"]), found["whole"]) == (int, 3)
    assert found["half"] == 0.5
    assert isinstance(found["huge"], float)


def test_a_provider_gets_plain_values_and_ids() -> None:
    """The dynamic provider takes neither secrets nor references."""
    reference: Value = {SIGNATURE_KEY: RESOURCE_SIGNATURE, "urn": "urn:a", "id": "id-a"}
    component: Value = {SIGNATURE_KEY: RESOURCE_SIGNATURE, "urn": "urn:g"}
    sent = to_struct(
        {"s": Secret({"k": Secret(1)}), "a": reference, "g": component, "u": UNKNOWN},
        PLAIN,
    )
    assert from_struct(sent) == {"s": {"k": 1}, "a": "id-a", "g": "urn:g", "u": UNKNOWN}
    assert sent.fields["u"].string_value == UNKNOWN_STRING


def test_a_provider_that_takes_secrets_gets_them_marked() -> None:
    """It may still take no references."""
    reference: Value = {SIGNATURE_KEY: RESOURCE_SIGNATURE, "urn": "urn:a", "id": "id-a"}
    sent = to_struct({"s": Secret(1), "a": reference}, Marks(secrets=True, references=False))
    assert from_struct(sent) == {"s": Secret(1), "a": "id-a"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b", (1, True)),
        ("list[1]", ("y", True)),
        ("list[2]", (None, False)),
        ("secret.k", (Secret(2), True)),
        ("a.b.c", (None, False)),
    ],
)
def test_the_value_at_a_path(path: str, found: tuple[Value, bool]) -> None:
    """What lies within a secret is one."""
    values: Value = {"a": {"b": 1}, "list": ["x", "y"], "secret": Secret({"k": 2})}
    assert value_at(parse_path(path), values) == found


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1, True, False),
        (0, False, False),
        (3, 3.0, True),
        (Secret("x"), "x", True),
        ({"a": [Secret(1)]}, {"a": [1]}, True),
        ({"a": None}, {}, False),
        ([1, 2], [2, 1], False),
        (None, "", False),
    ],
)
def test_equal(left: Value, right: Value, same: bool) -> None:
    """Secrets count by what they hold, and a truth value is no number."""
    assert equal(left, right) is same
    assert equal(right, left) is same


def test_strictly_equal_tells_secret_from_plain() -> None:
    """What the state must be written for: the same value, now secret."""
    assert not strictly_equal({"a": [Secret(1)]}, {"a": [1]})
    assert strictly_equal({"a": [Secret(1)]}, {"a": [Secret(1)]})


def test_outputs_are_marked_like_inputs() -> None:
    """An output under a secret input's key is secret; within objects key by key."""
    outputs = marked_like(
        {"token": "t", "map": {"a": 1, "b": 2}, "list": [1], "other": 1},
        {"token": Secret("t"), "map": {"a": Secret(1), "b": 2}, "list": [Secret(1)], "gone": 1},
    )
    assert outputs == {
        "token": Secret("t"),
        "map": {"a": Secret(1), "b": 2},
        "list": Secret([1]),
        "other": 1,
    }


def test_plain_and_masked() -> None:
    """Plain takes every secret out; masked hides it, and says unknown in words."""
    value: Value = {"a": Secret([Secret("x")]), "b": UNKNOWN}
    assert plain(value) == {"a": ["x"], "b": UNKNOWN}
    assert masked(value) == {"a": "[secret]", "b": "[unknown]"}
    assert contains_secrets(value)
    assert contains_unknowns(Secret([UNKNOWN]))


def test_a_secret_does_not_show_in_its_representation() -> None:
    """Neither the value nor the ciphertext turn up in a traceback or a log."""
    assert repr(Secret("hunter2", "v1:abc")) == "Secret([secret])"


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
    assert parse_path(path) == steps


@pytest.mark.parametrize("path", ["a[", "a[x]", 'a["b]', ".a", "a]"])
def test_what_is_no_path_is_refused(path: str) -> None:
    """An unfinished path is an error, not a guess."""
    with pytest.raises(ValueError, match="not a property path"):
        parse_path(path)


def test_contains() -> None:
    """A path holds what lies within it, wildcards included."""
    assert path_contains(parse_path("a"), parse_path("a.b"))
    assert path_contains(parse_path("*"), parse_path("anything"))
    assert path_contains(parse_path("a[*].c"), parse_path("a[3].c.d"))
    assert not path_contains(parse_path("a.b"), parse_path("a"))
    assert not path_contains(parse_path("a.b"), parse_path("a.c"))


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
    assert reset_path(parse_path(path), old, new) == (result, possible)
    assert repr(new) == before


def test_what_was_secret_stays_secret() -> None:
    """A value brought back out of a secret is marked, and not twice."""
    old: Value = {"a": Secret({"b": 1})}
    assert reset_path(parse_path("a.b"), old, {"a": {"b": 2}}) == ({"a": {"b": Secret(1)}}, True)
    assert reset_path(parse_path("a.b"), old, {"a": Secret({"b": 2})})[1]
