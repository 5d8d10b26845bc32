"""Lines that anybody can cause: so many, and how many more there were."""

from __future__ import annotations

from structlog.testing import capture_logs

from flink_jobs_provider.gateway.ops.log import LogLimit


def test_a_flood_is_left_out_and_counted() -> None:
    now = [0.0]
    limit = LogLimit("requests", lambda: now[0])
    with capture_logs() as logs:
        written = sum(limit.take() for _ in range(10_000))
        assert written == 100
        assert logs == []
        now[0] += 1
        assert sum(limit.take() for _ in range(10_000)) == 5
        (line,) = logs
        assert (line["what"], line["lines"]) == ("requests", 9_900)
        now[0] += 3600
        assert sum(limit.take() for _ in range(10_000)) == 100
