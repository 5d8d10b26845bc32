"""Metrics of a job's vertices: their names, and what they tell of a job's progress.

The name of an operator's metric begins with the operator's own, in which each character but letters
and digits is an underscore. The names of operators are Flink's own in part: that of a source begins
with "Source: ", that of a sink ends with ": Writer", or begins with "Sink: " where it is of the old
kind (measured on 1.17.2, 1.20.5 and 2.3.0).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flink_jobs_provider.control_planes.flink.inspection import Aggregate

EMITTED_RATE = ".numRecordsOutPerSecond"
OUTPUT_WATERMARK = ".currentOutputWatermark"
EMIT_LAG = ".currentEmitEventTimeLag"
INPUT_WATERMARK = "currentInputWatermark"
#: How the name of an operator begins that is a source.
SOURCE = "Source__"
_OLD_SINK, _WRITER = "Sink__", "__Writer"
_TAKEN, _TAKEN_RATE = ".numRecordsIn", ".numRecordsInPerSecond"
#: Watermarks that are no time: none so far, and the end of a bounded source (Long.MIN, Long.MAX).
_NO_TIME = 9e18


def ending(metrics: Mapping[str, Aggregate], suffix: str) -> list[Aggregate]:
    """Return the metrics of operators with a name."""
    return [found for name, found in metrics.items() if name.endswith(suffix)]


def watermark(metrics: Mapping[str, Aggregate]) -> int | None:
    """Return the event time that the slowest subtask of a vertex has reached."""
    found: Iterable[Aggregate | None] = (
        metrics.get(INPUT_WATERMARK),
        *ending(metrics, OUTPUT_WATERMARK),
    )
    times = [each.minimum for each in found if each and is_time(each.minimum)]
    return int(min(times)) if times else None


def is_watermark(name: str) -> bool:
    """Whether the values of a metric are watermarks."""
    return name.endswith("Watermark")


def is_time(value: float) -> bool:
    """Whether a watermark is a time, in ms since 1970."""
    return abs(value) < _NO_TIME


def emit_lag(metrics: Mapping[str, Aggregate]) -> int | None:
    """Return the milliseconds of event time by which a source is behind as it emits."""
    # A lag of a source that has emitted nothing is -1, or another number that is none.
    lags = [found.maximum for found in ending(metrics, EMIT_LAG) if found.maximum >= 0]
    return int(max(lags)) if lags else None


def taken_by_sinks(metrics: Mapping[str, Aggregate]) -> float | None:
    """Return how many records sinks have received since their tasks were deployed."""
    return _of_sinks(metrics, _TAKEN)


def rate_of_sinks(metrics: Mapping[str, Aggregate]) -> float | None:
    """Return how many records sinks receive in a second, as Flink averages it over a minute."""
    return _of_sinks(metrics, _TAKEN_RATE)


def shows_progress(name: str) -> bool:
    """Whether a metric is one that the functions above read."""
    if name == INPUT_WATERMARK or name.endswith(EMIT_LAG):
        return True
    if name.startswith(SOURCE) and name.endswith(OUTPUT_WATERMARK):
        return True
    return name.endswith((_TAKEN, _TAKEN_RATE)) and _is_sink(name)


def _is_sink(name: str) -> bool:
    operator = name.rpartition(".")[0]
    return operator.startswith(_OLD_SINK) or operator.endswith(_WRITER)


def _of_sinks(metrics: Mapping[str, Aggregate], suffix: str) -> float | None:
    found = [
        each.total for name, each in metrics.items() if name.endswith(suffix) and _is_sink(name)
    ]
    return sum(found) if found else None
