"""The options of Flink 1.17 to 2.3, as its own classes declare them, and the values they take.

`flink_options.json` is made from Flink's packages by `tools/flink_options/build.py`. It is read
when an option is first asked for: most commands never do.

A value that any of these versions takes is taken: tests compare with the verdicts of Flink's own
parsers.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from typing import Any

from flink_jobs_provider.model.duration import flink_milliseconds
from flink_jobs_provider.model.spelling import nearest

#: The option that has the checkpoints of a job outlive a cancel, by its name of 1.11 to 2.3.
RETENTION = "execution.checkpointing.externalized-checkpoint-retention"
RETAINED = "RETAIN_ON_CANCELLATION"

#: Keys are long and share their beginnings: what is less alike is another option.
_NEAR = 0.9

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


class Scope(StrEnum):
    """What an option acts on."""

    JOB = "job"
    CLUSTER = "cluster"  # its processes alone: certain to have no effect on a job of a session
    CLUSTER_IN_DOUBT = "cluster in doubt"  # of the cluster, though that was not shown of this one


@dataclass(frozen=True)
class FlinkOption:
    """An option of Flink.

    Attributes:
        key: The key, a deprecated one included.
        types: What its values are: `boolean`, `integer`, `long`, `float`, `double`, `duration`,
            `memory`, `text`, `map`, `list`, or `enum A|B`; several where versions differ.
        since: The first version that knows it.
        until: The last version that knows it.
        present: The key that the newest of these versions calls it by.
        scope: What it acts on.
    """

    key: str
    types: tuple[str, ...]
    since: str
    until: str
    present: str
    scope: Scope


def flink_option(key: str) -> FlinkOption | None:
    """Return the option of a key, or None for what no version of Flink declares."""
    data = _data()
    found = data["options"].get(key)
    if found is None:
        return None
    first, *_, last = data["versions"]
    return FlinkOption(
        key,
        tuple(found.get("types", ("text",))),
        found.get("since", first),
        found.get("until", last),
        found.get("now", key),
        Scope(found.get("scope", Scope.JOB)),
    )


def nearest_option(key: str) -> FlinkOption | None:
    """Return the option that a misspelt key is nearest to, or None where none is near.

    What lies below an option that is a map, such as `pipeline.global-job-parameters`, is near none.
    """
    options = _data()["options"]
    parts = key.split(".")
    above = [options.get(".".join(parts[:count]), {}) for count in range(1, len(parts))]
    if any("map" in option.get("types", ()) for option in above):
        return None
    near = nearest(key, options, cutoff=_NEAR)
    return flink_option(near) if near else None


def versions() -> str:
    """Return the versions of Flink whose options are known, as a range."""
    first, *_, last = _data()["versions"]
    return f"{first} to {last}"


@functools.cache
def _data() -> dict[str, Any]:
    content = files(__package__).joinpath("flink_options.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(content)
    return data


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
