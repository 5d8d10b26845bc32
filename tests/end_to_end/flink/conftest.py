"""Stacks of counting jobs on a real cluster, once for each target and each engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

import pytest

from tests.end_to_end.flink.counted_versions import Counted
from tests.end_to_end.flink.counting_stack import CountingStack
from tests.end_to_end.flink.targets import (
    ALL,
    ALSO_BY_PLUGIN,
    BY_PLUGIN,
    CANNOT_EXIST,
    CHOSEN,
    Target,
    open_target,
)
from tests.flink_cluster import FlinkCluster
from tests.stack_project import StackProject


class StackOn(Protocol):
    """Makes stacks by cluster; those on one cluster have one target."""

    def __call__(self, cluster: FlinkCluster, stack: str = "") -> CountingStack:
        """Return a stack, of another name each time unless that is given."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each case on all targets, but where it cannot exist on one of them.

    Those that a gateway serves get a choice of cases, unless all are asked for; so does the plugin,
    with Flink itself as the target.
    """
    if "target" not in metafunc.fixturenames:
        return
    name = metafunc.function.__name__
    kinds = [
        pytest.param(kind, marks=[pytest.mark.skip(reason=why)] if why else [])
        for kind, cases in CANNOT_EXIST.items()
        if ALL or kind == "flink" or name in CHOSEN[kind]
        for why in [cases.get(name)]
    ]
    if name in BY_PLUGIN or (ALL and name in ALSO_BY_PLUGIN):
        kinds.append(pytest.param("flink-plugin"))
    metafunc.parametrize("target_and_face", kinds, indirect=True)


@pytest.fixture
def target_and_face(request: pytest.FixtureRequest) -> str:
    """Name each kind of target in turn, and the provider's face where that is not the usual."""
    kind: str = request.param
    return kind


@pytest.fixture
def target(target_and_face: str) -> str:
    """Name each kind of target in turn."""
    return target_and_face.removesuffix("-plugin")


@pytest.fixture
def face(target_and_face: str) -> str:
    """Name what runs the jobs: `dynamic` or `plugin`."""
    return "plugin" if target_and_face.endswith("-plugin") else "dynamic"


@pytest.fixture
def stack_on(
    make_stack: Callable[..., StackProject], target: str, face: str, tmp_path: Path
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
            project.face = face
            project.write_program()
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
