"""The options of Flink 1.17 to 2.3, the values they take, and what a job may set of them.

`flink_options.json` is made from Flink's packages by `tools/flink_options/build.py`. It is read
when an option is first asked for: most commands never do. A value that any of these versions takes
is taken: tests compare with the verdicts of Flink's own parsers.

The rules are for what a program or a job file gives. Records and gateways have none of them: what
was deployed with such an option is read, refreshed and deleted as ever, and a gateway answers as
the services do, which take any option.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from typing import Any

from flink_jobs_provider.model.duration import flink_milliseconds
from flink_jobs_provider.model.inputs import nearest, scalar_text
from flink_jobs_provider.model.target.dli_limits import is_cloud

#: The option that has the checkpoints of a job outlive a cancel, by its name of 1.11 to 2.3.
RETENTION = "execution.checkpointing.externalized-checkpoint-retention"
RETAINED = "RETAIN_ON_CANCELLATION"
DISCARDED = "DELETE_ON_CANCELLATION"

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


_INPUT = "flink_configuration"
#: How many unknown keys are compared with the known ones, and how long they may be: it costs some
#: ten milliseconds a key.
_MOST_COMPARED = 20
_LONGEST_COMPARED = 120
_LONGEST_SHOWN = 60
_OF_THE_CLUSTER = (
    "is an option of the cluster and has no effect on a job submitted to a session cluster: take "
    "it out here, and set it in the cluster's own configuration"
)
_IN_DOUBT = (
    "is an option of the cluster's processes, which may have no effect on a job submitted to a "
    "session cluster: its place is the cluster's own configuration"
)
_STAYS = "It is passed on, since the job has it already"


@dataclass(frozen=True)
class Findings:
    """The findings on a job's options.

    Attributes:
        problems: What is refused: (property path, what would be valid).
        warnings: What is passed on nevertheless, each a line.
    """

    problems: list[tuple[str, str]]
    warnings: list[str]


def findings_of(inputs: Mapping[str, Any], former: object = None) -> Findings:
    """Return the findings on the options of a job.

    Args:
        inputs: The job's inputs by name, as far as they are known; of any type, valid or not.
        former: The options that are recorded of the job. What is refused of others is a warning
            where the job has been deployed with it: removing it costs a restart, which the user
            may choose the time of.
    """
    configuration = inputs.get(_INPUT)
    problems: list[tuple[str, str]] = []
    warnings: list[str] = []
    if not isinstance(configuration, dict):
        return Findings(problems, warnings)
    had = former if isinstance(former, dict) else {}
    unknown: list[str] = []
    for key, value in configuration.items():
        if not isinstance(key, str):
            continue
        text = scalar_text(value)
        option = flink_option(key)
        if option is None and key == key.strip() != "":
            unknown.append(key)
        for path, why in _refusals(key, text, option, inputs.get("target")):
            if key in had and had[key] == text:
                warnings.append(f"{path} {why}. {_STAYS}.")
            else:
                problems.append((path, why))
        if option and (remark := _remark(option, inputs.get("target"))):
            warnings.append(f"{_path(key)} {remark}.")
    return Findings(problems, [*warnings, *_near_misses(unknown)])


def _refusals(
    key: str, value: object, option: FlinkOption | None, target: object
) -> Iterator[tuple[str, str]]:
    if not key.strip():
        yield _INPUT, "must not have an empty key: name the option of Flink that the value is for"
    elif key != key.strip():
        yield _INPUT, f"must name options without blanks around them (got {key!r})"
    if option is None:
        return
    if option.scope is Scope.CLUSTER and _kind(target) == "flink":
        yield _path(key), _OF_THE_CLUSTER
    elif isinstance(value, str) and not parses(option.types, value):
        yield _path(key), f"must be {expected(option.types)} (got {_shown(value)})"


def _remark(option: FlinkOption, target: object) -> str | None:
    """Return the remark on an option of the cluster that is not refused."""
    if option.scope is Scope.JOB or not _is_session(target):
        return None
    if option.scope is Scope.CLUSTER:
        return None if _kind(target) == "flink" else _OF_THE_CLUSTER
    return _IN_DOUBT


def _near_misses(unknown: list[str]) -> Iterator[str]:
    for key in unknown[:_MOST_COMPARED]:
        if len(key) <= _LONGEST_COMPARED and (near := nearest_option(key)):
            yield (
                f"{_path(key)} is not an option of Flink {versions()}, and is passed on as it is; "
                f"did you mean {near.key}{_history(near)}?"
            )


def _history(option: FlinkOption) -> str:
    if option.present != option.key:
        return f" (now called {option.present})"
    everywhere = versions() == f"{option.since} to {option.until}"
    return "" if everywhere else f" (of Flink {option.since} to {option.until})"


def _kind(target: object) -> str | None:
    """Return the kind of a target; None where it is not known."""
    if not isinstance(target, dict):
        return None
    kind = target.get("kind", "flink")
    return kind if isinstance(kind, str) else None


def _is_session(target: object) -> bool:
    """Whether jobs share a cluster: each run in a cloud's Data Lake Insight has one of its own."""
    kind = _kind(target)
    return kind in ("flink", "hdinsight") or (
        kind == "dli" and isinstance(target, dict) and not is_cloud(target)
    )


def _path(key: str) -> str:
    return f"{_INPUT}.{key}"


def _shown(value: str) -> str:
    """Return a value as it is, so that it is masked where it is a secret; its length, if long."""
    if len(value) <= _LONGEST_SHOWN and repr(value)[1:-1] == value:
        return f"'{value}'"
    return f"a text of {len(value)} characters"
