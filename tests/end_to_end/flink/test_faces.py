"""A stack moves from the dynamic provider to the plugin and back, and its jobs never notice."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.flink.counting_stack import CountingStack
from tests.end_to_end.flink.targets import open_target
from tests.flink_cluster import FlinkCluster
from tests.stack_project import StackProject
from tests.waiting import wait_until


@pytest.fixture
def face() -> str:
    """Name the face that each case begins with."""
    return "dynamic"


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


def test_a_changed_configuration_is_that_of_the_next_run(moved: CountingStack) -> None:
    """Shows the plugin's target and a secret, set when the stack has its provider already."""
    moved.declare("orders")
    _turn_to(moved, "plugin")
    moved.project.up()
    job_id = moved.assert_runs("orders", restored_from=None)
    _edit_program(moved, ("job = ", 'inputs.pop("target")\n    job = '))
    moved.project.preview(code=None).assert_says(
        "is required: give it in the program, or set flink-jobs:target in the stack's configuration"
    )
    target = {"url": moved.cluster.url}
    moved.project.run("config", "set", "flink-jobs:target", json.dumps(target))
    moved.project.preview("--expect-no-changes")
    moved.project.preview("--refresh", "--expect-no-changes")
    target |= {"bearer_token": "config:token"}
    moved.project.run("config", "set", "flink-jobs:target", json.dumps(target))
    moved.project.preview(code=None).assert_says("Set flink-jobs:token")
    moved.project.run("config", "set", "--secret", "flink-jobs:token", "hush-hush")
    moved.project.up()
    moved.project.preview("--refresh", "--expect-no-changes")
    assert moved.active("orders") == [job_id]


def test_a_program_asks_for_what_runs(moved: CountingStack) -> None:
    """Shows functions on outputs, which wait for the job, and at once, also in a preview."""
    moved.declare("orders")
    _turn_to(moved, "plugin")
    program = moved.project.root / "program/__main__.py"
    source = program.read_text(encoding="utf-8").replace(
        "from flink_jobs_provider.plugin import",
        "from flink_jobs_provider.plugin import get_job_output, get_jobs\n"
        "from flink_jobs_provider.plugin import",
    )
    cluster = f'target={{"url": "{moved.cluster.url}"}}'
    source += (
        f"found = get_job_output(job.job_name, {cluster})\n"
        'pulumi.export("found", found.job_id)\npulumi.export("tasks", found.tasks)\n'
        f'pulumi.export("running", len(get_jobs({cluster}).jobs))\n'
    )
    program.write_text(source, encoding="utf-8")
    before = len([row for row in moved.cluster.jobs().values() if row["state"] == "RUNNING"])
    moved.project.preview()
    moved.project.up()
    job_id = moved.assert_runs("orders", restored_from=None)
    outputs = moved.project.outputs()
    assert (outputs["found"], outputs["running"]) == (job_id, before)
    assert outputs["tasks"].endswith(" running")
    moved.project.up()
    assert moved.project.outputs()["running"] == before + 1


_DECLARED = "FlinkJob(name, **read(inputs))"


def _edit_program(stack: CountingStack, *changes: tuple[str, str]) -> None:
    """Write the program of the present face with some of its text changed."""
    stack.project.write_program()
    program = stack.project.root / "program/__main__.py"
    source = program.read_text(encoding="utf-8")
    for before, after in changes:
        assert before in source
        source = source.replace(before, after)
    program.write_text(source, encoding="utf-8")


def test_children_of_components_move_too(moved: CountingStack) -> None:
    """Shows a job in a component within a component: unchanged there and back."""
    nested = (
        "def read(",
        "class Team(pulumi.ComponentResource):\n"
        "    def __init__(self, name, parent=None):\n"
        "        options = pulumi.ResourceOptions(parent=parent)\n"
        '        super().__init__("shop:index:Team", name, None, options)\n\n\n'
        'OPTIONS = pulumi.ResourceOptions(parent=Team("inner", Team("outer")))\n\n\ndef read(',
    )
    child = (_DECLARED, "FlinkJob(name, opts=OPTIONS, **read(inputs))")
    moved.declare("orders")
    _edit_program(moved, nested, child)
    moved.project.up()
    job_id = moved.assert_runs("orders", restored_from=None)
    for face in ("plugin", "dynamic"):
        moved.project.face = face
        _edit_program(moved, nested, child)
        moved.project.preview("--expect-no-changes")
        moved.project.up()
        moved.project.preview("--refresh", "--expect-no-changes")
        resource = moved.project.resources()["orders"]
        assert resource["parent"].endswith("::inner")
        assert resource["type"].endswith({"plugin": ":Job", "dynamic": ":FlinkJob"}[face])
    assert moved.active("orders") == [job_id]


def test_a_stack_of_both_has_each_job_once(moved: CountingStack) -> None:
    """Shows one job of either face, and that a job which both declare is refused."""
    both = (
        "from flink_jobs_provider import FlinkJob",
        "from flink_jobs_provider import FlinkJob\nfrom flink_jobs_provider.plugin import Job",
    )
    by_name = (_DECLARED, '(Job if name == "payments" else FlinkJob)(name, **read(inputs))')
    moved.declare("orders")
    moved.declare("payments")
    _edit_program(moved, both, by_name)
    moved.project.up()
    running = {name: moved.assert_runs(name, restored_from=None) for name in ("orders", "payments")}
    types = {name: each["type"] for name, each in moved.project.resources().items()}
    assert types["payments"] == "flink-jobs:index:Job"
    assert types["orders"].endswith(":FlinkJob")
    moved.project.preview("--refresh", "--expect-no-changes")
    before = moved.cluster.jobs().keys()
    moved.change("payments", job_name="orders", upgrade_mode="stateless")
    moved.project.failing_up()
    moved.change("payments", job_name="payments", upgrade_mode="savepoint")
    moved.project.up()
    for name, job_id in running.items():
        assert moved.active(name) == [job_id]
    assert moved.cluster.jobs().keys() == before


def test_the_option_import_takes_a_lost_job_back(moved: CountingStack) -> None:
    """Shows a job whose stack has lost its state: it is recorded, and not restarted."""
    moved.declare("orders")
    _turn_to(moved, "plugin")
    moved.project.up()
    job_id = moved.assert_runs("orders", restored_from=None)
    checkpoint = moved.project.checkpoint
    state = json.loads(checkpoint.read_text(encoding="utf-8"))
    state["checkpoint"]["latest"]["resources"] = []
    checkpoint.write_text(json.dumps(state), encoding="utf-8")
    program = moved.project.root / "program/__main__.py"
    source = program.read_text(encoding="utf-8")
    imported = f'opts=pulumi.ResourceOptions(import_="{moved.cluster.url}/orders")'
    program.write_text(
        source.replace("FlinkJob(name, **", f"FlinkJob(name, {imported}, **"), encoding="utf-8"
    )
    moved.project.preview().assert_says("import")
    moved.project.up()
    assert moved.active("orders") == [job_id]
    assert moved.recorded("orders")["job_id"] == job_id
    if moved.project.engine == "pulumi":  # it leaves what was not read to the next run
        moved.project.up()
        assert moved.active("orders") == [job_id]
    moved.project.preview("--expect-no-changes")
    moved.change("orders", parallelism=2)
    moved.project.up()
    job_id = moved.assert_updated("orders", job_id)
    moved.project.destroy()
    assert moved.active("orders") == []


@pytest.mark.parametrize("then", ["plugin", "dynamic"])
def test_what_a_killed_run_left_pending_is_gone_on_with_by_the_other(
    moved: CountingStack, then: str
) -> None:
    """Shows a create that was killed under one face, and adopted under the other."""
    first = "dynamic" if then == "plugin" else "plugin"
    moved.declare("orders")
    _turn_to(moved, first)
    process = moved.project.start("up", "--yes", "--skip-preview")
    wait_until(lambda: _submitted(moved, process), 120, "the job was submitted")
    psutil.Process(moved.project.engine_process(process)).kill()
    process.communicate(timeout=60)
    wait_until(lambda: not moved.project.processes(), 120, "nothing of that run is left")
    if moved.project.engine == "pulumi":
        moved.project.cancel()
    assert moved.project.resources() == {}
    [job_id] = moved.submissions("orders")
    _turn_to(moved, then)
    moved.project.up()
    assert moved.assert_runs("orders", restored_from=None) == job_id
    assert list(moved.submissions("orders")) == [job_id]
    moved.project.preview("--refresh", "--expect-no-changes")


def _submitted(stack: CountingStack, process: subprocess.Popen[str]) -> bool:
    assert process.poll() is None, process.communicate()
    return bool(stack.submissions("orders"))


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

    wait_until(moved.project.plugins, 60, "the plugin has started")
    psutil.Process(moved.project.engine_process(process)).kill()
    process.communicate(timeout=60)
    wait_until(lambda: not moved.project.plugins(), 60, "the plugin has ended")
    if moved.project.engine == "pulumi":
        moved.project.cancel()
    moved.project.up()
    moved.assert_runs("orders", restored_from=None)


def test_a_resource_that_changes_its_face_without_an_alias_does_not_end_its_job(
    moved: CountingStack,
) -> None:
    """Shows one of another name: the new one takes the job over, and the old one is kept.

    Its create and the old one's delete are calls to two processes.
    """
    moved.declare("orders")
    moved.project.up()
    job_id = moved.assert_runs("orders", restored_from=None)

    _turn_to(moved, "plugin")
    moved.project.jobs["renamed"] = moved.project.jobs.pop("orders")
    failed = moved.project.failing_up()
    failed.assert_says(
        "orders: another resource of this stack, 'renamed', declares this job by another provider "
        "in the same run, and has no alias of this one. Nothing of it was ended, and the old "
        "resource is kept. Take the old resource out of the stack's state (pulumi state delete, or "
        "flink-jobs state delete)"
    )
    assert moved.active("renamed") == [job_id]
    recorded = moved.project.resources()
    assert recorded["renamed"]["outputs"]["job_id"] == job_id
    moved.project.failing_up().assert_says("Nothing of it was ended")
    assert moved.active("renamed") == [job_id]
