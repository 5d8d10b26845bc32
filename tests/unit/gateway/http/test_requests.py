"""Reading JSON, and fixing what the service's documentation prints."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_jobs_provider.gateway.http.requests import parse
from flink_jobs_provider.gateway.refusals import Refusal


def _refused(text: str) -> str:
    with pytest.raises(Refusal) as refusal:
        parse(text)
    assert refusal.value.code == "InvalidRequestContent"
    return refusal.value.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{“a”: ”b”}", {"a": "b"}),
        ("{“a”: “b”}", {"a": "b"}),
        ("{”a“: 1}", {"a": 1}),
        ('{"a": 1\n "b": 2}', {"a": 1, "b": 2}),
        ('{"a": "x"\r\n "b": {}\n "c": []\n "d": true  \n\n "e" : null}', None),
        ("{“a”: ”--x 1”\n “b”: 2}", {"a": "--x 1", "b": 2}),
        (r"{“a”: “\u0041\n\\”}", {"a": "A\n\\"}),
        ("[“a”]", ["a"]),
    ],
)
def test_what_is_fixed(text: str, value: Any) -> None:
    """Shows typographic quotes around names and values, and a comma that is missing at a line."""
    if value is None:
        value = {"a": "x", "b": {}, "c": [], "d": True, "e": None}
    assert parse(text) == value


@pytest.mark.parametrize(
    "text",
    [
        '{"args": "--title “Hello, world”"}',
        '{"args": "a\\n \\"b\\": “"}',
        '{"“a”": "”"}',
        json.dumps({"args": 'x"\n "b": 1'}),
    ],
)
def test_strict_json_is_left_alone(text: str) -> None:
    """Shows that typographic quotes and lines within strings are what they are."""
    assert parse(text) == json.loads(text)


def test_a_typographic_quote_stays_in_a_plain_string_beside_a_fixed_one() -> None:
    """Shows that fixing one place leaves strings elsewhere as they are."""
    assert parse('{“a”: 1, "b": "“c”\\" ”"}') == {"a": 1, "b": '“c”" ”'}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        '{“a”: “b"c”}',
        '{“a": 1}',
        '{"a": 1 "b": 2}',
        '{"a"\n "b": 2}',
        '{"a": 1\n "b" 2}',
        '["a"\n "b"]',
        "{“a”: “b\n”}",
        '{"a": 1,}',
        "{'a': 1}",
        '{"a": 1}}',
        '{"a": 01}',
    ],
)
def test_anything_else_is_refused_with_its_place(text: str) -> None:
    """Shows that what is wrong in another way is not guessed at."""
    assert "at line" in _refused(text)
    assert "column" in _refused(text)


def test_the_place_is_that_of_what_was_sent() -> None:
    """Shows line and column of the first fault that is left after fixing."""
    text = '{\n  “a”: ”b”\n  "c": 1\n  "d": oops\n}'
    assert "at line 4, column 8" in _refused(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1, "a": 2}', "twice"),
        ('{"p": {“a”: 1, "a": 2}}', "twice"),
        ("NaN", "NaN"),
        ("[-Infinity]", "Infinity"),
        ("[1e999]", "too great"),
        (f"[{'9' * 5000}]", "too long"),
        ("[" * 60000, "deep"),
        ('["\\ud800"]', "characters"),
        ('["\\u0000"]', "characters"),
        ('{"\\u0007": 1}', "characters"),
    ],
)
def test_what_json_allows_and_no_property_can_hold(text: str, says: str) -> None:
    """Shows that doubtful values are refused here, where their place is known."""
    assert says in _refused(text)


def test_a_long_text_that_is_no_json_is_refused_at_once() -> None:
    """Shows that fixing takes time in proportion to the text, whatever stands in it."""
    for text in ('"\\' * 32000, "“" * 65000, '{"a' * 20000, '"\n' * 30000, "“\\" * 32000):
        assert _refused(text)


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab“”"\\,:{}\n é', max_size=8),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('ab“”" ', max_size=4), inner),
    max_leaves=12,
)


@given(_values)
def test_all_json_is_read_as_it_is(value: Any) -> None:
    """Shows that whatever is strict JSON comes out as a strict reader has it."""
    assert parse(json.dumps(value, indent=1, ensure_ascii=False)) == value


@given(st.text('{}[]:,"“”\\\n ab1'))
def test_no_text_is_too_odd(text: str) -> None:
    """Shows that whatever is sent is read or refused."""
    with suppress(Refusal):
        parse(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{\n"a": dir/b/"\n}', {"a": "dir/b/"}),
        ('{"a": obs://b/c",\n"d": 1}', {"a": "obs://b/c", "d": 1}),
    ],
)
def test_a_path_whose_first_quote_is_missing(text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    "text",
    [
        '{"a": b"\n}',  # no path
        '{"a": dir/b" }',  # something follows in the line
        '{"a": dir/b"c"\n}',
        '{"a": dir/b\n}',
        '{"a":dir/b"\n}',
        '["dir", b/c"\n]',
    ],
)
def test_what_only_looks_like_such_a_path_is_refused(text: str) -> None:
    assert _refused(text)


def test_nothing_is_fixed_inside_well_formed_json() -> None:
    assert parse('{"a": "x: dir/b", "c": "\\": d/e\\""}') == {"a": "x: dir/b", "c": '": d/e"'}
