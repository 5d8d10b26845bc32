"""The health of a job as `flink-jobs jobs describe` prints it, and as JSON.

What is printed is made of the documents that a gateway has, too: it looks the same of both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flink_jobs_provider.cli.printing import size
from flink_jobs_provider.model.observation import ENDED_STATES
from flink_jobs_provider.observing.attention_sentences import span

#: A document with the health of a job, of checkpoints, or of what changed.
Facts = Mapping[str, Any]
#: Seconds between two observations: a cluster gathers metrics every 10.
_PERIOD = 10.0


def health_lines(facts: Facts) -> dict[str, str | None]:
    """Return the health of a job for people, by what it is.

    Args:
        facts: As of `health_facts`.
    """
    found: dict[str, str | None] = {}
    if health := facts["health"]:
        found |= {} if health["state"] in ENDED_STATES else _load_lines(health)
        found["checkpoints"] = _checkpoints_line(health)
        if over := health["checkpoint_trend"]:
            found["checkpoint trend"] = _checkpoint_trend_line(over)
    if changed := facts["trend"]:
        found["trend"] = trend_line(changed)
    return found


def attention_lines(facts: Facts) -> list[str]:
    """Return what needs attention, two lines each.

    Args:
        facts: As of `health_facts`.
    """
    return [
        line
        for each in facts["needs_attention"] or ()
        for line in (f"needs attention: {each['reason']}", f"  {each['remedy']}")
    ]


def percent(share: float | None) -> str | None:
    """Return a share of time for people."""
    return None if share is None else f"{share:.0%}"


def rate(records: float | None) -> str | None:
    """Return records per second for people."""
    if records is None:
        return None
    return f"{records:,.0f}" if records >= 10 else f"{records:.1f}"


def lag(milliseconds: float | None) -> str | None:
    """Return how far something is behind, for people."""
    if milliseconds is None:
        return None
    return span(int(milliseconds)) if milliseconds >= 1000 else f"{milliseconds:.0f} ms"


def trend_line(over: Facts) -> str:
    """Return what changed between two observations, as a line."""
    restarts = over["restarts"]
    changed = [
        f"{restarts} restarts" if restarts is not None else "",
        f"{over['completed']} checkpoints completed",
        f"{over['failed']} failed",
        _arrow("records/s", over["throughput"], rate),
        _arrow("busy", over["busy"], percent),
        _arrow("backpressured", over["backpressured"], percent),
        _arrow("lag", over["event_time_lag"], lag),
        _arrow("pending", over["pending_records"], rate),
    ]
    return f"in {span(over['over'])}: {', '.join(each for each in changed if each)}"


def _load_lines(health: Facts) -> dict[str, str | None]:
    busiest = health["busiest_vertex"]
    pending = health["pending_records"]
    return {
        "state": _state_line(health),
        "busy": f"{percent(health['busy'])} in {busiest}" if busiest else None,
        "backpressured": percent(health["backpressured"]),
        "records/s": rate(health["throughput"]),
        "lag": lag(health["event_time_lag_ms"]),
        "pending records": None if pending is None else f"{pending:,}",
    }


def _state_line(health: Facts) -> str:
    if not health["state_since"]:
        return str(health["state"])
    now, since = (datetime.fromisoformat(health[name]) for name in ("observed_at", "state_since"))
    return f"{health['state']} for {span(int((now - since).total_seconds() * 1000))}"


def _checkpoints_line(health: Facts) -> str:
    counts, settings = health["checkpoint_counts"], health["checkpoint_settings"]
    told = [f"{counts['completed']} completed", f"{counts['failed']} failed"]
    if counts["in_progress"]:
        told.append(f"{counts['in_progress']} in progress")
    if settings and settings["periodic"]:
        told.append(f"one every {lag(settings['interval'])}")
    elif settings:
        told.append("none by itself")
    return ", ".join(told)


def _checkpoint_trend_line(over: Facts) -> str:
    changed = [
        _arrow("duration", over["duration"], lag),
        _arrow("size", over["size"], lambda count: None if count is None else size(int(count))),
    ]
    return f"{', '.join(changed)}, over the last {over['count']} in {span(over['over'])}"


def _arrow(name: str, measure: Facts, worded: Callable[[Any], str | None]) -> str:
    before, after = worded(measure["before"]), worded(measure["after"])
    if before is None and after is None:
        return ""
    return f"{name} {after}" if before == after else f"{name} {before or '-'} → {after or '-'}"
