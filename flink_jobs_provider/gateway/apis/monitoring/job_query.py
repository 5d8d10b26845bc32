"""The queries of one job: over which time its trend is shown, and which metrics."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from flink_jobs_provider.gateway.http.property_problems import Problem, RefusedProperties

#: Seconds that a trend goes back at most, and names of metrics in one request.
LONGEST_TREND, MOST_METRICS = 900, 100
_LONGEST_NAME = 500

Given = Mapping[str, Sequence[str]]


def trend_query(given: Given) -> int | None:
    """Return the seconds that a trend is to go back; None where none is asked for.

    Raises:
        RefusedProperties: A parameter is unknown, given twice, or invalid.
    """
    problems = _unknown(given, ("trend",)) + _repeated(given, ("trend",))
    text = (given.get("trend") or [""])[0]
    seconds = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
    if "trend" in given and not 1 <= seconds <= LONGEST_TREND:
        problems.append(
            Problem("trend", f"trend must be a number of seconds from 1 to {LONGEST_TREND}.")
        )
    if problems:
        raise RefusedProperties(problems)
    return seconds or None


def metrics_query(given: Given) -> tuple[list[str], bool]:
    """Return the names of the metrics that are asked for, and whether it is for all names alone.

    Raises:
        RefusedProperties: A parameter is unknown, given twice, or invalid.
    """
    problems = _unknown(given, ("get", "names")) + _repeated(given, ("names",))
    wanted = list(given.get("get", ()))
    flag = (given.get("names") or ["false"])[0]
    if flag not in ("true", "false"):
        problems.append(Problem("names", f"names must be true or false (got {flag[:80]!r})."))
    if len(wanted) > MOST_METRICS or not all(0 < len(each) <= _LONGEST_NAME for each in wanted):
        text = (
            f"get must be a name of 1 to {_LONGEST_NAME} characters, {MOST_METRICS} times at most."
        )
        problems.append(Problem("get", text))
    if wanted and flag == "true":
        problems.append(Problem("names", "names must not be true where get is given."))
    if problems:
        raise RefusedProperties(problems)
    return wanted, flag == "true"


def _unknown(given: Given, known: Sequence[str]) -> list[Problem]:
    return [
        Problem(name[:100], f"{name[:100]} is not a parameter here.")
        for name in given
        if name not in known
    ]


def _repeated(given: Given, names: Sequence[str]) -> list[Problem]:
    repeated = [name for name in names if len(given.get(name, ())) > 1]
    return [Problem(name, f"{name} must be given once.") for name in repeated]
