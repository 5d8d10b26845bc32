"""Stacks of counting jobs on a real cluster, for each target, each engine and each face."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.end_to_end.flink.counted_versions import Counted
from tests.end_to_end.flink.counting_stack import CountingStack
from tests.end_to_end.flink.targets import (
    ALL,
    ALSO_BY_PLUGIN,
    BY_PLUGIN,
    CANNOT_EXIST,
    CHOSEN,
    NOT_BY_PLUGIN,
    Target,
    open_target,
)
from tests.flink_cluster import FlinkCluster
from tests.stack_project import ENGINES, StackProject


class StackOn(Protocol):
    """Makes stacks by cluster; those on one cluster have one target."""

    def __call__(self, cluster: FlinkCluster, stack: str = "") -> CountingStack:
        """Return a stack, of another name each time unless that is given."""


@dataclass(frozen=True)
class Combination:
    """What a case runs with.

    Attributes:
        engine: `embedded` or `pulumi`.
        face: What runs the jobs, `dynamic` or `plugin`.
        target: The kind of target; "" where the case has one of its own.
    """

    engine: str
    face: str = "dynamic"
    target: str = ""

    @property
    def id(self) -> str:
        """Name it in the test's id; the dynamic provider is the usual face."""
        plugin = "plugin" if self.face == "plugin" else ""
        return "-".join(word for word in (self.target, plugin, self.engine) if word)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each case on all targets, by both engines and both faces, but where it cannot exist.

    Of the targets that a gateway serves there is a choice, unless all are asked for; so there is of
    the cases by the plugin in the embedded engine. A module that names its faces itself has a
    fixture `face` of its own.
    """
    if "combination" not in metafunc.fixturenames:
        return
    name = metafunc.function.__name__
    kinds = [""]
    if "target" in metafunc.fixturenames:
        kinds = [kind for kind in CANNOT_EXIST if ALL or kind == "flink" or name in CHOSEN[kind]]
    found = [Combination(engine, target=kind) for engine in ENGINES for kind in kinds]
    if not hasattr(metafunc.module, "face"):
        if name in BY_PLUGIN or (ALL and name in ALSO_BY_PLUGIN):
            found.append(Combination("embedded", "plugin", kinds[0]))
        found += [Combination("pulumi", "plugin", kind) for kind in kinds]
    parameters = [pytest.param(each, id=each.id, marks=_marks(each, name)) for each in found]
    metafunc.parametrize("combination", parameters, indirect=True)


def _marks(combination: Combination, name: str) -> list[pytest.MarkDecorator]:
    why = CANNOT_EXIST.get(combination.target, {}).get(name)
    if combination.face == "plugin":
        why = why or NOT_BY_PLUGIN.get(name)
    return [*ENGINES[combination.engine], *([pytest.mark.skip(reason=why)] if why else [])]


@pytest.fixture
def combination(request: pytest.FixtureRequest) -> Combination:
    """Return what a case runs with, each in turn."""
    combination: Combination = request.param
    return combination


@pytest.fixture
def engine(combination: Combination) -> str:
    """Name each engine in turn."""
    return combination.engine


@pytest.fixture
def target(combination: Combination) -> str:
    """Name each kind of target in turn."""
    return combination.target


@pytest.fixture
def face(combination: Combination) -> str:
    """Name what runs the jobs."""
    return combination.face


@pytest.fixture
def make_stack(make_stack: Callable[..., StackProject], face: str) -> Callable[..., StackProject]:
    """Return a maker of projects whose jobs have the face of the case."""

    def make(*args: Any, **options: Any) -> StackProject:
        project = make_stack(*args, **options)
        project.face = face
        project.write_program()
        return project

    return make


@pytest.fixture
def stack_on(
    make_stack: Callable[..., StackProject], target: str, tmp_path: Path
) -> Iterator[StackOn]:
    """Return a maker of stacks by cluster."""
    opened: dict[str, Target] = {}
    with ExitStack() as closing_all:

        def make(cluster: FlinkCluster, stack: str = "") -> CountingStack:
            if cluster.url not in opened:
                directory = tmp_path / f"target-{len(opened)}"
                opened[cluster.url] = closing_all.enter_context(
                    closing(open_target(target, cluster, directory))
                )
            to = opened[cluster.url]
            project = make_stack(cluster.url, stack, to.inputs)
            project.environment.update(to.environment)
            return CountingStack(project, to, tmp_path / f"counts{stack}")

        yield make


@pytest.fixture
def stack(flink_2: FlinkCluster, stack_on: StackOn) -> CountingStack:
    """Return a stack on Flink 2.3."""
    return stack_on(flink_2)


@pytest.fixture
def counted(
    flink: FlinkCluster, make_stack: Callable[..., StackProject], tmp_path: Path
) -> Counted:
    """Return a counting job on a cluster of each of two versions."""
    return Counted(make_stack(flink.url), flink, tmp_path / "counts")
