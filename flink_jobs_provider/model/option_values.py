"""Which values Flink can parse, by the type of an option.

What any version from 1.17 to 2.3 takes is taken: tests compare with the verdicts of their own
parsers (`tools/flink_options/build.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from flink_jobs_provider.model.duration import flink_milliseconds

_BYTES = {
    **dict.fromkeys(("", "b", "bytes"), 1),
    **dict.fromkeys(("k", "kb", "kibibytes"), 1 << 10),
    **dict.fromkeys(("m", "mb", "mebibytes"), 1 << 20),
    **dict.fromkeys(("g", "gb", "gibibytes"), 1 << 30),
    **dict.fromkeys(("t", "tb", "tebibytes"), 1 << 40),
}
_DECIMAL = r"[+-]?(NaN|Infinity|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[fFdD]?)"
_HEXADECIMAL = r"[+-]?0[xX][0-9a-fA-F]*\.?[0-9a-fA-F]*[pP][+-]?[0-9]+[fFdD]?"
#: ISO 8601, which 2.1 and newer take, too.
_ISO = r"P(?=.*[0-9])([+-]?[0-9]+D)?(T([+-]?[0-9]+H)?([+-]?[0-9]+M)?([+-]?[0-9]+([.,][0-9]*)?S)?)?"
_LONGEST_NUMBER = 60


def parses(types: tuple[str, ...], value: str) -> bool:
    """Whether Flink can parse a value of an option of any of these types."""
    return any(_parses(kind, value) for kind in types)


def expected(types: tuple[str, ...]) -> str:
    """Return in words what values of these types are."""
    return " or ".join(dict.fromkeys(_words(kind) for kind in types))


def _parses(kind: str, value: str) -> bool:
    if kind.startswith("enum "):
        return value.upper() in _constants(kind, str.upper)
    parser = _PARSERS.get(kind)
    return parser is None or parser(value)


def _words(kind: str) -> str:
    if kind.startswith("enum "):
        return f"one of {', '.join(_constants(kind))}"
    return _WORDS[kind]


def _constants(kind: str, spelt: Callable[[str], str] = str) -> list[str]:
    return [spelt(constant) for constant in kind.removeprefix("enum ").split("|")]


def _is_boolean(value: str) -> bool:
    return value.upper() in ("TRUE", "FALSE")


def _is_whole(value: str, bits: int) -> bool:
    if len(value) > _LONGEST_NUMBER or not re.fullmatch(r"[+-]?\d+", value):
        return False
    return -(1 << bits - 1) <= int(value) < 1 << bits - 1


def _is_number(value: str) -> bool:
    return bool(re.fullmatch(f"{_DECIMAL}|{_HEXADECIMAL}", value.strip()))


def _is_duration(value: str) -> bool:
    return flink_milliseconds(value) is not None or bool(
        re.fullmatch(_ISO, value.strip(), re.IGNORECASE)
    )


def _is_memory(value: str) -> bool:
    match = re.fullmatch(r"([0-9]+)\s*([a-z]*)", value.strip().lower())
    if match is None or match[2] not in _BYTES or len(match[1]) > _LONGEST_NUMBER:
        return False
    return int(match[1]) * _BYTES[match[2]] < 1 << 63


_PARSERS: dict[str, Callable[[str], bool]] = {
    "boolean": _is_boolean,
    "integer": lambda value: _is_whole(value, 32),
    "long": lambda value: _is_whole(value, 64),
    "float": _is_number,
    "double": _is_number,
    "duration": _is_duration,
    "memory": _is_memory,
}
_WORDS = {
    "boolean": "true or false",
    "integer": "a whole number (of 32 bits)",
    "long": "a whole number (of 64 bits)",
    "float": 'a number such as "0.5"',
    "double": 'a number such as "0.5"',
    "duration": 'a duration such as "10 s" or "5 min"',
    "memory": 'a memory size such as "64 mb" or "1 gb"',
}
