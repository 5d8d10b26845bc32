"""Versions that come up and are not healthy: the gate names the check, and nothing is lost.

The counts of each key continue after the rollback without a gap or a repeat, though each of these
versions has read numbers, and most have committed lines.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.end_to_end.flink.counted_versions import Counted
from tests.waiting import wait_until

#: A failure of a task, by whichever of the two checks sees it first.
FAILED_ONCE = (
    r"health\.(max_restarts: (its tasks failed 1 time in \d+ s, |.*is FAILED)"
    r"|max_exceptions: Flink lists 1 exception, )"
)
#: Versions: their arguments, their gates besides the window, and what is said of them.
UNHEALTHY: dict[str, tuple[tuple[str, ...], dict[str, Any], tuple[str, ...]]] = {
    "FailingTask": (
        ("--fail-after-millis", "4000", "--restarts", "1000"),
        {},
        (FAILED_ONCE, "the task failed on purpose"),
    ),
    "FailingSink": (
        ("--fail-after-millis", "9000"),
        {},
        (FAILED_ONCE, "the sink failed on purpose"),
    ),
    "SilentCount": (
        (),
        {"require_output": True},
        (r"health\.require_output: its sinks have received 0 records, none in 1\d s; \d+\.\d/s ",),
    ),
    "SlowSnapshot": (
        ("--snapshot-millis", "1500"),
        {"max_checkpoint_slowdown": 5},
        (r"health\.max_checkpoint_slowdown: checkpoints take 1\d\d\d ms, \d+ ms before, and ",),
    ),
}


@pytest.mark.parametrize("entry", UNHEALTHY)
def test_a_version_that_is_not_healthy_gives_way_with_each_number_counted_once(
    counted: Counted, entry: str
) -> None:
    args, gate, texts = UNHEALTHY[entry]
    first = counted.start()
    counted.declare(entry, *args, health={"window": "14s", **gate})
    counted.project.preview().assert_says("; health gate 14s")
    failed = counted.project.failing_up()
    failed.assert_says("orders: version 2 did not pass its health gate: ")
    for text in texts:
        assert re.search(text, failed.text), failed.text
    again = counted.active()
    failed.assert_says(f"The previous version runs again as job {again}, from ")
    assert again != first
    counted.await_more("first")
    counted.stop()


def test_exceptions_count_by_themselves_where_restarts_are_allowed(counted: Counted) -> None:
    counted.start()
    failing = ("--fail-after-millis", "4000", "--restarts", "1000")
    gate = {"window": "14s", "max_restarts": 100, "max_exceptions": 0}
    counted.declare("FailingTask", *failing, health=gate)
    failed = counted.project.failing_up()
    text = r"health\.max_exceptions: Flink lists \d exceptions?, and at most 0 are allowed"
    assert re.search(text, failed.text), failed.text
    failed.assert_says("the task failed on purpose", "The previous version runs again as job ")
    counted.await_more("first")
    counted.stop()


def test_a_version_that_falls_behind_in_event_time_gives_way(counted: Counted) -> None:
    """Shows the lag that Flink reports of the numbers' times, of the version before and of now."""
    counted.declare("BehindInEventTime", "--behind-millis", "1000")
    counted.project.up()
    first = counted.active()

    def shows_lag() -> bool:
        vertex = counted.cluster.get(f"/jobs/{first}")["vertices"][0]["id"]
        metrics = counted.cluster.get(f"/jobs/{first}/vertices/{vertex}/subtasks/metrics")
        return any(each["id"].endswith("currentEmitEventTimeLag") for each in metrics)

    wait_until(shows_lag, 60, "its lag is shown")
    gate = {"window": "14s", "max_lag_growth": "10s"}
    counted.declare("BehindInEventTime", "--behind-millis", "60000", health=gate)
    failed = counted.project.failing_up()
    text = r"health\.max_lag_growth: it is 6\d\.\d s behind in event time, \d+\.\d s before"
    assert re.search(text, failed.text), failed.text
    failed.assert_says(f"The previous version runs again as job {counted.active()}, from ")
    counted.await_more("BehindInEventTime")
    counted.stop()


def test_a_run_after_a_killed_one_does_not_go_on_from_what_was_swallowed(counted: Counted) -> None:
    """Shows it of a run that is killed when it has ended a version that had written nothing."""
    first = counted.start()
    counted.declare("SilentCount", health={"window": "14s", "require_output": True})
    run = counted.project.start("up", "--yes", "--skip-preview")

    def second() -> str:
        rows = counted.cluster.jobs().items()
        running = [id_ for id_, row in rows if row["state"] == "RUNNING"]
        return "".join(id_ for id_ in running if id_[:18] == first[:18] and id_ != first)

    silent = wait_until(second, 90, "the version without output runs")

    def ended() -> bool:
        return bool(counted.cluster.jobs()[silent]["state"] == "CANCELED")

    wait_until(ended, 120, "it does not pass", interval=0.01)
    counted.project.close()
    run.communicate()
    counted.project.cancel()
    counted.declare("CountingJobV2")
    counted.project.up()
    restored = counted.project.outputs("orders")["restored_from"]
    assert f"/{silent}/" not in restored
    counted.await_more("v2-CountingJobV2")
    counted.stop()


def test_a_version_that_cannot_read_the_state_gives_way_with_each_number_counted_once(
    counted: Counted,
) -> None:
    """Shows it of a serializer, which no check of the state sees before the stop."""
    counted.start()
    counted.declare("IncompatibleState", "--restarts", "1000", health={"window": "14s"})
    counted.project.preview().assert_says("; state fits (", "; health gate 14s")
    failed = counted.project.failing_up()
    assert re.search(r"orders: version 2 did not (start|pass its health gate): ", failed.text)
    failed.assert_says(f"The previous version runs again as job {counted.active()}, from ")
    counted.await_more("first")
    counted.stop()


def test_a_version_that_is_kept_is_watched_again_and_not_restarted(counted: Counted) -> None:
    """Shows `on_failure: keep`, and that another run accepts it where no gate is asked for."""
    counted.start()
    gate = {"window": "8s", "max_checkpoint_slowdown": 5, "on_failure": "keep"}
    counted.declare("SlowSnapshot", "--snapshot-millis", "1500", health=gate)
    failed = counted.project.failing_up()
    kept = counted.active()
    failed.assert_says(f"Job {kept} was left running and is recorded")
    recorded = counted.project.resources()["orders"]["outputs"]
    assert (recorded["job_id"], recorded["action_result"]) == (kept, "FAILED")
    assert recorded["gate_failed"]["check"] == "max_checkpoint_slowdown"
    counted.project.preview().assert_says("orders: no restart, watched through its health gate ")
    counted.project.failing_up().assert_says("health.max_checkpoint_slowdown: checkpoints take ")
    assert counted.active() == kept
    del counted.project.jobs["orders"]["health"]
    counted.project.up()
    assert counted.active() == kept
    assert "gate_failed" not in counted.project.outputs("orders")
    counted.await_more("SlowSnapshot")


def test_a_version_that_is_healthy_passes_with_its_numbers(counted: Counted) -> None:
    counted.start()
    gate = {"window": "16s", "require_output": True, "max_checkpoint_slowdown": 20}
    counted.declare("CountingJobV2", health={**gate, "min_checkpoints": 3})
    up = counted.project.up()
    shown = re.search(
        r"orders: health gate passed: 1\d s, 0 restarts, \d+ checkpoints of \d+ ms "
        r"\(\d+ before\), \d+ records received by its sinks",
        up.text,
    )
    assert shown, up.text
    counted.await_more("v2-CountingJobV2")
    counted.stop()
