"""A preview of new jobs: their programs are tried on the cluster, and nothing of it stays there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.end_to_end.flink.counting_stack import COUNTING_CLASS
from tests.flink_cluster import SLOTS, FlinkCluster
from tests.job_jars import TEST_JOBS_JAR, entry_class
from tests.stack_project import StackProject


def test_new_jobs_are_tried(
    flink_2: FlinkCluster, make_stack: Callable[..., StackProject], tmp_path: Path
) -> None:
    """A wrong entry class and too many slots fail the preview, each on its property.

    What a run may mend before it starts the job is a warning. Nothing is left on the cluster.
    """
    project = make_stack(flink_2.url)
    before, jars = flink_2.jobs(), flink_2.get("/jars")["files"]

    def declare(name: str, entry: str, **inputs: Any) -> None:
        args = ["--output", str(tmp_path / name)]
        usual = {"jar": str(TEST_JOBS_JAR), "args": args, "parallelism": 2}
        project.declare(name, entry_class=entry, **{**usual, **inputs})

    declare("good", COUNTING_CLASS)
    declare("throwing", entry_class("ThrowingMain"))
    declare("exiting", entry_class("ExitingMain"))
    shown = project.preview()
    shown.assert_says(
        "good: NEW, first start, no state",
        "warning: throwing: as things are, its start would fail: ",
        "main threw on purpose",
        "warning: exiting: as things are, its start would fail: ",
    )
    assert "warning: good" not in shown.text
    assert flink_2.get("/jars")["files"] == jars

    declare("missing", "flinkjobs.NoSuchJob")
    declare("mainless", "flinkjobs.numbers.Arguments")
    declare("large", COUNTING_CLASS, parallelism=SLOTS + 6)
    declare("restored", COUNTING_CLASS, restore_from=str(tmp_path / "nowhere"))
    refused = project.preview(code=None)
    reasons = [
        "cannot be run: ClassNotFoundException: flinkjobs.NoSuchJob",
        "does not have a main(String[]) method",
        f"{SLOTS + 6} task slots are needed, and {flink_2.url} has {SLOTS}",
        f"{tmp_path / 'nowhere'} is not there (it has no _metadata file)",
    ]
    assert refused.code != 0
    if project.engine == "embedded":
        refused.assert_says(*reasons)
    else:  # the CLI ends with the first
        assert any(reason in refused.text for reason in reasons), refused.text
    assert flink_2.get("/jars")["files"] == jars
    assert flink_2.jobs().keys() == before.keys()
