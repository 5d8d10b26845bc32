"""SensorAlertsJob on real Flink: averages and pending alerts survive a restore."""

from __future__ import annotations

import re
from pathlib import Path

from tests.counting_output import committed_lines
from tests.flink_cluster import FlinkCluster
from tests.job_jars import ALERTS_JAR
from tests.waiting import wait_until

LINE = re.compile(r"sensor (\d+) above 30 for 50 ms, average (\S+) over (\d+) readings")


def alerts(directory: Path) -> dict[int, list[int]]:
    """Return, for each sensor, over how many readings each of its alerts was averaged."""
    found: dict[int, list[int]] = {}
    for line in committed_lines(directory):
        match = LINE.fullmatch(line)
        assert match, line
        assert 15 <= float(match[2]) <= 35
        found.setdefault(int(match[1]), []).append(int(match[3]))
    return found


def test_alerts_go_on_over_a_restore(flink: FlinkCluster, tmp_path: Path) -> None:
    """Every sensor raises alerts; after a restore the number of readings goes on from before."""
    first, second = tmp_path / "first", tmp_path / "second"
    common = ["--sensors", "4", "--rate", "800", "--hold-millis", "50"]
    job_id = flink.run(ALERTS_JAR, [*common, "--output", str(first)], parallelism=2)
    wait_until(lambda: len(alerts(first)) == 4, 30, "every sensor raised an alert")
    savepoint = flink.stop_with_savepoint(job_id)
    before = {sensor: max(readings) for sensor, readings in alerts(first).items()}

    flink.run(
        ALERTS_JAR, [*common, "--output", str(second)], parallelism=3, savepointPath=savepoint
    )
    wait_until(lambda: len(alerts(second)) == 4, 30, "every sensor raised an alert again")
    for sensor, readings in alerts(second).items():
        assert min(readings) > before[sensor]


def test_without_an_output_alerts_are_printed(flink: FlinkCluster) -> None:
    """Alerts show in the standard output of the TaskManager."""
    out = flink.layout.logs / "taskmanager-1.out"
    before = out.stat().st_size
    flink.run(ALERTS_JAR, ["--sensors", "3", "--rate", "600", "--hold-millis", "50"])
    wait_until(
        lambda: LINE.search(out.read_text(encoding="utf-8")[before:]), 30, "an alert is printed"
    )
