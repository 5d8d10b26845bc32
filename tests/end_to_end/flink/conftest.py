"""Stacks of counting jobs on a real cluster, once for each engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.flink.counting_stack import CountingStack
from tests.flink_cluster import FlinkCluster
from tests.stack_project import StackProject

StackOn = Callable[[FlinkCluster], CountingStack]


@pytest.fixture
def stack_on(make_stack: Callable[..., StackProject], tmp_path: Path) -> StackOn:
    """Give a maker of stacks by cluster."""
    return lambda cluster: CountingStack(make_stack(cluster.url), cluster, tmp_path / "counts")


@pytest.fixture
def stack(stack_on: StackOn, flink_2: FlinkCluster) -> CountingStack:
    """Give a stack on Flink 2.3."""
    return stack_on(flink_2)
