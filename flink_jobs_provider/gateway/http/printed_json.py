"""JSON as people paste it from the services' documentation.

Samples of HDInsight on AKS have typographic quotes around some names and values, and one lacks the
comma between two members; one of Data Lake Insight lacks the quote before a path:

    “args”: ”--input in”
    "flinkConfiguration": {

    "savepoint_path": bucket-name/dir/savepoint/"

Strict JSON comes first. Only where that fails are these three things mended, and then it must be
strict JSON. Nothing is mended inside strings, nor in a body that is longer than any sample.

Every request is parsed in the event loop, so the time must grow no faster than the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from flink_jobs_provider.gateway.refusals import Refusal

_TOKEN = re.compile(
    r"""
    (?P<blank>\s+)
  | (?P<string>"(?:[^"\\\r\n]|\\[^\r\n])*")
  | (?P<quoted>[“”](?:[^"“”\\\r\n]|\\[^\r\n])*[“”])
  | (?P<unopened>(?<=:[ ])[A-Za-z][^\s"“”{}\[\],]*"(?=[ \t]*,?[ \t]*[\r\n]))
  | (?P<open>["“”][^\r\n]*)       # a string without an end: the line is not looked at again
  | (?P<mark>[{}\[\]:,])
  | (?P<scalar>[^\s"“”{}\[\]:,]+)
    """,
    re.VERBOSE,
)
#: Characters of the longest body that is mended; the longest printed sample has under 2,000.
_LONGEST_MENDED = 16_384
#: Not text: halves of characters, and control characters that no property can hold.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class _Token(NamedTuple):
    kind: str
    text: str

    @property
    def ends_a_value(self) -> bool:
        return self.kind in ("string", "scalar") or self.text in ("}", "]")


def parse(text: str) -> Any:
    """Return what a request's body says.

    Raises:
        Refusal: It is no JSON, with the line and the column where it stops being; or it has a
            name twice in one object, a number that JSON has not, or characters that are no text.
    """
    try:
        return strict(text)
    except json.JSONDecodeError as error:
        mended = _mended(text) if len(text) <= _LONGEST_MENDED else text
        if mended == text:
            raise _no_json(error) from None
    try:
        return strict(mended)
    except json.JSONDecodeError as error:
        raise _no_json(error) from None


def strict(text: str) -> Any:
    """Return what a text of strict JSON holds.

    Raises:
        JSONDecodeError: It is no JSON.
        Refusal: See `parse`.
    """
    try:
        value = json.loads(
            text, object_pairs_hook=_members, parse_constant=_no_number, parse_float=_finite
        )
        _only_text(value)
    except RecursionError:
        raise _invalid("It is nested too deeply.") from None
    except json.JSONDecodeError:
        raise
    except ValueError:  # Python converts no whole number of more than 4300 digits
        raise _invalid("It holds a number that is too long.") from None
    return value


def _mended(text: str) -> str:
    """Return the text with plain quotes, and with commas where a line ends between members.

    Every character stays in its line and, but for what comes after a comma or quote that was
    missing there, in its column, so that errors point to what was sent.
    """
    done: list[str] = []
    tokens = list(_tokens(text))
    for number, token in enumerate(tokens):
        if token.kind == "blank" and "\n" in token.text and _between_members(tokens, number):
            done.append(",")
        done.append(token.text)
    return "".join(done)


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        kind, token = str(match.lastgroup), match[0]
        if kind == "unopened" and "/" in token:
            kind, token = "string", f'"{token}'
        elif kind == "quoted":
            kind, token = "string", f'"{token[1:-1]}"'
        yield _Token(kind, token)


def _between_members(tokens: list[_Token], blank: int) -> bool:
    """Whether a value ends before this blank, and a name and a colon follow it."""
    following = [token for token in tokens[blank + 1 : blank + 4] if token.kind != "blank"]
    return (
        blank > 0
        and tokens[blank - 1].ends_a_value
        and len(following) > 1
        and following[0].kind == "string"
        and following[1].text == ":"
    )


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise _invalid(f"It has {_duplicate(pairs)[:80]!a} twice in one object.")
    return members


def _duplicate(pairs: list[tuple[str, Any]]) -> str:
    """Return the first name that repeats an earlier one."""
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            return name
        seen.add(name)
    raise AssertionError("no name is a duplicate")


def _no_number(text: str) -> Any:
    raise _invalid(f"It holds {text}, which is no JSON.")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise _invalid("It holds a number that is too great.")
    return number


def _only_text(value: Any) -> None:
    if isinstance(value, str):
        if _NO_TEXT.search(value):
            raise _invalid("It holds control characters, or halves of characters.")
    elif isinstance(value, dict):
        for name, item in value.items():
            _only_text(name)
            _only_text(item)
    elif isinstance(value, list):
        for item in value:
            _only_text(item)


def _no_json(error: json.JSONDecodeError) -> Refusal:
    return _invalid(f"{error.msg} at line {error.lineno}, column {error.colno}.")


def _invalid(reason: str) -> Refusal:
    return Refusal(
        "InvalidRequestContent",
        f"The request content was invalid and could not be read as JSON. {reason}",
    )
