"""The programs of the page on driving stacks from Python, as they are there, on a real Flink."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flink_jobs_provider.automation import Message, Progress, Stack
from tests.end_to_end.flink.counting_stack import CountingStack
from tests.end_to_end.flink.targets import open_target
from tests.flink_cluster import FlinkCluster
from tests.stack_project import NO_PULUMI_CLI, PULUMI_CLI, StackProject
from tests.unit.docs.pages import ROOT, blocks

_EMBEDDED, _AUTOMATION_API = [
    each.text for each in blocks("python") if each.page == ROOT / "docs" / "automation.md"
]


@pytest.fixture
def make_counting(
    flink_2: FlinkCluster, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], CountingStack]]:
    """Return a maker, by engine, of the stack `prod` of a project in the directory `shop`."""
    made: list[StackProject] = []

    def make(engine: str) -> CountingStack:
        python = request.getfixturevalue("pulumi_python") if engine == "pulumi" else None
        target = open_target("flink", flink_2, tmp_path / "target")
        project = StackProject(
            tmp_path / "shop", engine, flink_2.url, python, stack="prod", target=target.inputs
        )
        made.append(project)
        return CountingStack(project, target, tmp_path / "counts")

    yield make
    for project in made:
        with closing(project):
            project.destroy(code=None)


def _run(stack: CountingStack, program: str, python: Path) -> str:
    """Run a page's program next to the project, and return what it printed."""
    project = stack.project
    project._write_jobs()
    environment = project._whole_environment()
    environment["PATH"] = f"{python.parent}{os.pathsep}{environment['PATH']}"
    finished = subprocess.run(
        [python, "-c", program],
        cwd=project.root.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_the_program_without_the_cli(make_counting: Callable[[str], CountingStack]) -> None:
    """Shows the page's program: a job is planned, runs, and is as it was declared."""
    stack = make_counting("embedded")
    stack.declare("orders")
    out = _run(stack, _EMBEDDED, Path(sys.executable))
    stack.assert_runs("orders", restored_from=None)
    assert "{'create': 2}" in out  # the stack itself is a resource, too
    assert "orders: NEW" in out
    assert "program and cluster differ" not in out


def test_a_job_lives_from_python(
    make_counting: Callable[[str], CountingStack], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows a job that is created, updated with its state, and deleted, with results and events."""
    stack = make_counting("embedded")
    stack.declare("orders", savepoint_directory=stack.directory.as_uri())
    stack.project._write_jobs()
    for name, value in stack.project._whole_environment().items():
        monkeypatch.setenv(name, value)
    driven = Stack(stack.project.root, "prod")
    done = driven.up()
    assert ("orders", "create") in [(each.resource, each.op) for each in done.steps]
    assert done.outputs["orders"].value["status"] == "RUNNING"
    (job_id,) = stack.active("orders")

    stack.change("orders", parallelism=2)
    stack.project._write_jobs()
    events: list[object] = []
    done = driven.up(on_event=events.append)
    assert done.summary["update"] == 1
    assert stack.assert_updated("orders", job_id)
    said = [each.text for each in events if isinstance(each, Message | Progress)]
    assert any("parallelism 1 → 2" in each for each in said)
    assert driven.destroy().summary["delete"] == 2
    assert stack.active("orders") == []


@pytest.mark.pulumi_cli
@pytest.mark.skipif(not PULUMI_CLI, reason=NO_PULUMI_CLI)
def test_the_program_of_the_automation_api(
    make_counting: Callable[[str], CountingStack], pulumi_python: Path
) -> None:
    """Shows the page's program for Pulumi's own Automation API, with the CLI."""
    stack = make_counting("pulumi")
    stack.declare("orders")
    out = _run(stack, _AUTOMATION_API, pulumi_python / "bin" / "python")
    stack.assert_runs("orders", restored_from=None)
    assert "'create'" in out
