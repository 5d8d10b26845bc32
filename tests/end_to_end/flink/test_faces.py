"""A stack moves from the dynamic provider to the plugin and back, and its jobs never notice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.flink.counting_stack import CountingStack
from tests.end_to_end.flink.targets import open_target
from tests.flink_cluster import FlinkCluster
from tests.stack_project import StackProject
from tests.waiting import wait_until

PLUGIN = "pulumi-resource-flink-jobs"


@pytest.fixture
def moved(
    flink_2: FlinkCluster, make_stack: Callable[..., StackProject], tmp_path: Path
) -> CountingStack:
    """Return a stack that changes the face of its provider, on Flink itself."""
    to = open_target("flink", flink_2, tmp_path / "target")
    return CountingStack(make_stack(flink_2.url, "", to.inputs), to, tmp_path / "counts")


def _turn_to(stack: CountingStack, face: str) -> None:
    stack.project.face = face
    stack.project.write_program()


def test_a_stack_moves_to_the_plugin_and_back(moved: CountingStack) -> None:
    """Unchanged each time, also to a refresh; the next change is one UPDATE with its state."""
    secret = {"pipeline.global-job-parameters": {"secret": "password:hush-hush"}}
    moved.declare("orders", flink_configuration=secret)
    moved.project.up()
    job_id = moved.assert_runs("orders", restored_from=None)
    owner = moved.recorded("orders")["owner"]

    _turn_to(moved, "plugin")
    moved.project.preview("--expect-no-changes")
    moved.project.up()
    assert moved.project.resources()["orders"]["type"] == "flink-jobs:index:Job"
    moved.project.preview("--refresh", "--expect-no-changes")
    assert moved.active("orders") == [job_id]
    assert moved.recorded("orders")["owner"] == owner
    moved.change("orders", parallelism=2)
    moved.project.up()
    job_id = moved.assert_updated("orders", job_id)
    _turn_to(moved, "dynamic")
    moved.project.preview("--expect-no-changes")
    moved.project.up()
    moved.project.preview("--refresh", "--expect-no-changes")
    assert moved.active("orders") == [job_id]

    _turn_to(moved, "plugin")  # along with a change
    moved.change("orders", parallelism=1)
    moved.project.up()
    job_id = moved.assert_updated("orders", job_id)
    assert "hush-hush" not in moved.project.checkpoint.read_text(encoding="utf-8")
    moved.project.destroy()
    assert moved.active("orders") == []


def test_an_explicit_provider_names_the_cluster(moved: CountingStack) -> None:
    """Shows a job without a target of its own, from its start to its end, which a refresh finds."""
    moved.declare("orders")
    _turn_to(moved, "plugin")
    program = moved.project.root / "program/__main__.py"
    source = program.read_text(encoding="utf-8")
    east = (
        "from flink_jobs_provider.plugin import Provider\n"
        f'EAST = Provider("east", target={{"kind": "flink", "url": "{moved.cluster.url}"}})\n'
        "OPTIONS = pulumi.ResourceOptions(provider=EAST)\n\n\ndef read("
    )
    source = source.replace("def read(", east, 1).replace(
        "job = FlinkJob(name, **read(inputs))",
        'inputs.pop("target")\n    job = FlinkJob(name, opts=OPTIONS, **read(inputs))',
    )
    program.write_text(source, encoding="utf-8")
    moved.project.up()
    moved.assert_runs("orders", restored_from=None)
    assert "::east::" in moved.project.resources()["orders"]["provider"]
    moved.project.preview("--refresh", "--expect-no-changes")
    moved.project.destroy()
    assert moved.active("orders") == []


def test_the_plugin_ends_after_its_engine(moved: CountingStack) -> None:
    """Shows that a kill -9 of the engine leaves no process; the next run goes on with the job."""
    moved.declare("orders")
    _turn_to(moved, "plugin")
    process = moved.project.start("up", "--yes", "--skip-preview")

    def plugins() -> list[psutil.Process]:
        return [
            each
            for each in moved.project.processes()
            if each.status() != psutil.STATUS_ZOMBIE and PLUGIN in " ".join(each.cmdline())
        ]

    wait_until(plugins, 60, "the plugin has started")
    psutil.Process(moved.project.engine_process(process)).kill()
    process.communicate(timeout=60)
    wait_until(lambda: not plugins(), 60, "the plugin has ended")
    if moved.project.engine == "pulumi":
        moved.project.cancel()
    moved.project.up()
    moved.assert_runs("orders", restored_from=None)
