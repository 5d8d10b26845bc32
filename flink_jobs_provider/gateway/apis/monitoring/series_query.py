"""The query of a series: from when, until when, and how fine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from flink_jobs_provider.gateway.apis.monitoring.list_query import unfitting
from flink_jobs_provider.gateway.http.property_problems import Problem, RefusedProperties
from flink_jobs_provider.gateway.job_history import MINUTE, Span
from flink_jobs_provider.model.duration import seconds

PARAMETERS = ("from", "to", "resolution")
DEFAULT_RESOLUTION = "5m"
#: Points of one answer, and minutes that are shown if nothing is said.
MOST_POINTS, DEFAULT_MINUTES = 1500, 24 * 60
_FINEST, _COARSEST = 1, 24 * 60
#: Minutes since the epoch that answers can write: in the year 10000 a date has no such text.
_FIRST, _LAST = 1, int(datetime(9999, 12, 31, 23, 59, tzinfo=UTC).timestamp()) // MINUTE


def series_query(given: Mapping[str, Sequence[str]], now: float) -> Span:
    """Read a query; every problem of it at once.

    Args:
        given: The values of each parameter.
        now: The present time, in seconds since the epoch.

    Raises:
        RefusedProperties: A parameter is unknown, given twice, or invalid.
    """
    problems = unfitting(given, PARAMETERS)
    first = {name: values[0] for name, values in given.items() if values}
    end = _minute(first, "to", int(now // MINUTE) + 1, problems)
    begin = _minute(first, "from", max(_FIRST, end - DEFAULT_MINUTES), problems)
    minutes = _resolution(first.get("resolution", DEFAULT_RESOLUTION), problems)
    if not problems and begin >= end:
        at = "from" if "from" in first else "to"
        problems.append(Problem(at, "from must be earlier than to."))
    if not problems and end - begin > MOST_POINTS * minutes:
        least = -(-(end - begin) // MOST_POINTS)
        text = f"resolution must be {least}m or more: an answer has {MOST_POINTS} points at most."
        problems.append(Problem("resolution", text))
    if problems:
        raise RefusedProperties(problems)
    return Span(begin, end, minutes)


def _minute(given: Mapping[str, str], name: str, default: int, problems: list[Problem]) -> int:
    """Return the minute of a moment."""
    if name not in given:
        return default
    try:
        moment = datetime.fromisoformat(given[name])
        if moment.tzinfo is None:
            raise ValueError
        minute = int(moment.timestamp() // MINUTE)
        if not _FIRST <= minute <= _LAST:
            raise ValueError
    except (ValueError, OverflowError):
        text = (
            f"{name} must be a time with its zone, such as 2026-11-28T06:30:00Z, after "
            f"{_written(_FIRST - 1)} and until {_written(_LAST)}"
        )
        problems.append(Problem(name, f"{text} (got {given[name][:80]!r})."))
        return default
    return minute


def _written(minute: int) -> str:
    return f"{datetime.fromtimestamp(minute * MINUTE, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _resolution(text: str, problems: list[Problem]) -> int:
    try:
        minutes, rest = divmod(seconds(text), MINUTE)
        if rest or not _FINEST <= minutes <= _COARSEST:
            raise ValueError
    except ValueError:
        problem = f"resolution must be whole minutes, 1m to 24h, such as {DEFAULT_RESOLUTION}"
        problems.append(Problem("resolution", f"{problem} (got {text[:80]!r})."))
        return 1
    return int(minutes)
