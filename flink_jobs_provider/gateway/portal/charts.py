"""How a job was over the last day, as small charts; a table has the same in figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from flink_jobs_provider.gateway.job_history import (
    NOT_LISTED,
    UNREACHABLE,
    JobPoint,
    Load,
    Span,
)
from flink_jobs_provider.gateway.portal.text import Text

#: Minutes that charts show, and how many of them each point stands for.
SHOWN, POINT = 24 * 60, 30
#: The size of a chart, in units of its own; browsers scale it.
WIDTH, HEIGHT = 480, 60
_TONES = {
    "RUNNING": "good",
    "FINISHED": "good",
    "FAILED": "bad",
    NOT_LISTED: "bad",
    UNREACHABLE: "bad",
    **dict.fromkeys(("RESTARTING", "FAILING", "RECONCILING", "SUSPENDED"), "warn"),
}
#: How high a bar is, so that it is told apart by more than its colour: a share of the chart.
_HEIGHTS = {"bad": 1.0, "warn": 0.7}
_CALM_HEIGHT = 0.4


@dataclass(frozen=True)
class _Measure:
    """One value of the history.

    Attributes:
        name: That of its phrase.
        value: Reads it; None where it is unknown.
        text: Words it.
        most: The greatest that it can be, where that is fixed.
    """

    name: str
    value: Callable[[Load], float | None]
    text: Callable[[Text, float], str]
    most: float = 0.0


MEASURES = (
    _Measure("throughput", lambda load: load.throughput, Text.rate),
    _Measure("busy", lambda load: load.busy, Text.percent, 1.0),
    _Measure("backpressured", lambda load: load.backpressured, Text.percent, 1.0),
    _Measure("lag", lambda load: load.event_time_lag_ms, Text.span),
    _Measure("pending", lambda load: load.pending_records, Text.number),
    _Measure("checkpoint_duration", lambda load: load.checkpoint_duration_ms, Text.span),
    _Measure("checkpoint_bytes", lambda load: load.checkpoint_bytes, Text.size),
)


@dataclass(frozen=True)
class Bar:
    """A bar of a chart, in its units.

    Attributes:
        x: Where it begins.
        height: How high it is.
        tone: How it is coloured.
    """

    x: float
    height: float
    tone: str


@dataclass(frozen=True)
class Chart:
    """A value over the time that is shown.

    Attributes:
        name: That of its phrase.
        latest: The newest value that is known.
        greatest: The greatest one.
        lines: The points of its lines, which have gaps where nothing is known.
    """

    name: str
    latest: str
    greatest: str
    lines: Sequence[str]


@dataclass(frozen=True)
class TrendRow:
    """The figures of one point.

    Attributes:
        at: When it begins.
        state: The worst state in it.
        restarts: How often the job was seen to be deployed anew.
        values: Values of the charts, in their order; empty where they are unknown.
    """

    at: datetime
    state: str
    restarts: int
    values: Sequence[str]


@dataclass(frozen=True)
class TrendView:
    """How a job was over the last day.

    Attributes:
        bars: Its worst states.
        width: How wide each bar is.
        restarts: How often it was seen to be deployed anew, in all.
        charts: Values of which any is known.
        rows: All of it in figures, the newest first.
    """

    bars: Sequence[Bar]
    width: float
    restarts: int
    charts: Sequence[Chart]
    rows: Sequence[TrendRow]


def last_day(minute: int) -> Span:
    """Return what is shown, up to a minute and with it, counted since the epoch.

    It begins where a point does, so that points do not change from one minute to the next.
    """
    end = (minute // POINT + 1) * POINT
    return Span(end - SHOWN, end, POINT)


def trend_view(points: Sequence[JobPoint], span: Span, text: Text) -> TrendView:
    """Return how a job was.

    Args:
        points: The points on record, oldest first.
        span: What they were asked for by.
        text: The language of the figures.
    """
    known = [
        (measure, chart)
        for measure in MEASURES
        if (chart := _chart(measure, points, span, text)) is not None
    ]
    width = WIDTH * POINT / SHOWN
    return TrendView(
        bars=[_bar(point, span) for point in points],
        width=width,
        restarts=sum(point.restarts for point in points),
        charts=[chart for _, chart in known],
        rows=[
            TrendRow(
                point.at,
                point.state,
                point.restarts,
                [_figure(measure, point, text) for measure, _ in known],
            )
            for point in reversed(points)
        ],
    )


def _value(measure: _Measure, point: JobPoint) -> float | None:
    return measure.value(point.load) if point.load else None


def _figure(measure: _Measure, point: JobPoint, text: Text) -> str:
    value = _value(measure, point)
    return "" if value is None else measure.text(text, value)


def _chart(measure: _Measure, points: Sequence[JobPoint], span: Span, text: Text) -> Chart | None:
    values = [(_x(point, span), _value(measure, point)) for point in points]
    known = [value for _, value in values if value is not None]
    if not known:
        return None
    most = measure.most or max(known) or 1.0
    width = WIDTH * POINT / SHOWN
    lines: list[list[str]] = []
    ended: float | None = None
    for x, value in values:
        if value is None:
            continue
        if ended is None or x - ended > width / 2:
            lines.append([])
        ended = x + width
        y = HEIGHT - 1 - (HEIGHT - 2) * min(1.0, value / most)
        lines[-1] += [f"{x:.1f},{y:.1f}", f"{ended:.1f},{y:.1f}"]
    return Chart(
        measure.name,
        measure.text(text, known[-1]),
        measure.text(text, max(known)),
        [" ".join(line) for line in lines],
    )


def _bar(point: JobPoint, span: Span) -> Bar:
    tone = _TONES.get(point.state, "calm")
    return Bar(_x(point, span), HEIGHT * _HEIGHTS.get(tone, _CALM_HEIGHT), tone)


def _x(point: JobPoint, span: Span) -> float:
    return WIDTH * (point.at.timestamp() / 60 - span.begin) / SHOWN
