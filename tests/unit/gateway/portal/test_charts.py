"""The last day of a job: charts with gaps, and the same in figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from flink_jobs_provider.gateway.job_history import (
    NOT_LISTED,
    UNREACHABLE,
    JobPoint,
    Load,
    Span,
)
from flink_jobs_provider.gateway.portal.charts import HEIGHT, WIDTH, last_day, trend_view
from flink_jobs_provider.gateway.portal.text import text_of
from tests.unit.gateway.portal.browsing import Look, Opened

MINUTE = 30_000_000
ENGLISH = text_of("en")


def _point(number: int, state: str = "RUNNING", restarts: int = 0, **load: float) -> JobPoint:
    """Return the n-th point of the last day."""
    at = datetime.fromtimestamp(60 * (last_day(MINUTE).begin + 30 * number), UTC)
    loaded = Load(**load) if load else None  # type: ignore[arg-type]
    return JobPoint(at, 30, state, "a" * 32, 2, 2, restarts, loaded)


def test_the_day_ends_with_the_present_point_and_begins_with_one() -> None:
    for minute in range(MINUTE, MINUTE + 60):
        span = last_day(minute)
        assert span.begin % 30 == 0
        assert span.end - span.begin == 1440
        assert span.begin <= minute < span.end
        assert span.end - minute <= 30


def test_a_line_has_gaps_where_nothing_is_known() -> None:
    """Shows also a point that is alone, and one that somebody looked at without that value."""
    points = [
        _point(0, throughput=50.0),
        _point(1, throughput=100.0),
        _point(2),
        _point(4, throughput=25.0),
        _point(5, busy=0.5),
    ]
    throughput, busy = trend_view(points, last_day(MINUTE), ENGLISH).charts
    assert (throughput.latest, throughput.greatest) == ("25/s", "100/s")
    first, second = [[point.split(",") for point in line.split()] for line in throughput.lines]
    assert [float(x) for x, _ in first] == [0, 10, 10, 20]
    assert [float(x) for x, _ in second] == [40, 50]
    heights = [float(y) for _, y in first]
    assert heights == [30.0, 30.0, 1.0, 1.0], "the greatest value is at the top"
    assert [float(point.split(",")[1]) for point in busy.lines[0].split()] == [30, 30], "of 100%"


def test_zero_is_drawn_at_the_bottom() -> None:
    (lag,) = trend_view([_point(0, event_time_lag_ms=0)], last_day(MINUTE), ENGLISH).charts
    assert lag.lines == ["0.0,59.0 10.0,59.0"]
    assert lag.latest == "0 ms"


def test_states_are_told_apart_by_height_too() -> None:
    states = ("RUNNING", "RESTARTING", "FAILED", UNREACHABLE, NOT_LISTED, "CANCELED")
    points = [_point(number, state, restarts=number) for number, state in enumerate(states)]
    trend = trend_view(points, last_day(MINUTE), ENGLISH)
    assert [bar.tone for bar in trend.bars] == ["good", "warn", "bad", "bad", "bad", "calm"]
    heights = [bar.height for bar in trend.bars]
    assert heights[0] < heights[1] < heights[2] == HEIGHT
    assert trend.bars[-1].x + trend.width <= WIDTH
    assert trend.restarts == 15
    assert [row.state for row in trend.rows] == list(reversed(states))


def test_charts_on_a_page_and_the_same_in_figures(look: Look) -> None:
    async def test(portal: Opened) -> None:
        await portal.gateway.done("NEW")
        asked: list[Span] = []

        async def series(cluster: str, number: int, span: Span) -> Sequence[JobPoint]:
            asked.append(span)
            at = datetime.fromtimestamp(60 * span.begin, UTC)
            load = Load(throughput=12.0, checkpoint_bytes=2048)
            return [
                JobPoint(at, 30, "RUNNING", "a", 2, 2, 0, load),
                JobPoint(at, 30, "<b>", "a", 2, 2, 3),
            ]

        portal.gateway.jobs.series = series  # type: ignore[method-assign]
        browser = await portal.signed_in()
        page = await browser.get("/portal/jobs/1")
        labels = [each.attributes["aria-label"] for each in page.find("svg", role="img")]
        assert labels == [
            "Worst state",
            "Records emitted by sources: latest 12/s, greatest 12/s",
            "Size of checkpoints: latest 2.0 KiB, greatest 2.0 KiB",
        ]
        assert not any("style" in each.attributes for each in page.elements)
        (figures,) = page.find("details", id="trend-figures")
        assert "2.0 KiB" in figures.text
        assert "&lt;b&gt;" in page.html
        assert [each.text for each in page.find("td", data_label="Restarts")] == ["3", "0"]
        await browser.get("/portal/jobs/1")
        assert len(asked) == 1, "it is read once a while, for all who look"

    look(test)


def test_nothing_on_record(look: Look) -> None:
    async def test(portal: Opened) -> None:
        await portal.gateway.done("NEW")
        page = await (await portal.signed_in()).get("/portal/jobs/1")
        assert "Nothing is on record of the last day." in page.text
        assert not page.find("svg")

    look(test)
