"""Projects in temporary directories, run with the embedded engine and with the Pulumi CLI."""

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.engine.demo_project import CLI, NO_CLI, Project


@pytest.fixture
def make_project(
    tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], Project]]:
    """Return a maker of projects by engine, and end what their runs left behind."""
    made: list[Project] = []

    def make(engine: str) -> Project:
        python: Path = request.getfixturevalue("pulumi_python") if CLI else Path(sys.prefix)
        root = tmp_path / f"project-{len(made)}"
        (root / "program").mkdir(parents=True)
        (root / "files").mkdir()
        (root / "state").mkdir()
        (root / "stacks").mkdir()
        (root / "Pulumi.yaml").write_text(
            "name: demo\nmain: program/\nstackConfigDir: stacks\n"
            f"runtime:\n  name: python\n  options:\n    virtualenv: {python}\n"
        )
        project = Project(root, engine, python)
        made.append(project)
        return project

    yield make
    for project in made:
        for process in project.processes():
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue


@pytest.fixture(params=["embedded", pytest.param("pulumi", marks=pytest.mark.pulumi_cli)])
def project(request: pytest.FixtureRequest, make_project: Callable[[str], Project]) -> Project:
    """Make a project with a stack `dev`, once for each engine."""
    if request.param == "pulumi" and not CLI:
        pytest.skip(NO_CLI)
    made = make_project(request.param)
    made.make_stack()
    return made


@pytest.fixture
def embedded(make_project: Callable[[str], Project]) -> Project:
    """Make a project with a stack `dev` for the embedded engine alone."""
    made = make_project("embedded")
    made.make_stack()
    return made


@pytest.fixture
def both(make_project: Callable[[str], Project]) -> Project:
    """Make a project whose commands name their engine; the Pulumi CLI must be there."""
    if not CLI:
        pytest.skip(NO_CLI)
    return make_project("embedded")
