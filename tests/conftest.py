"""The real Flink clusters that tests run on, started when the first test asks for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.flink_cluster import FLINK_1, FLINK_2, FlinkCluster, end_orphans


@pytest.fixture(scope="session")
def flink_2_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    """Run one Flink 2.3 for all tests; take `flink_2`, which clears up after each test."""
    end_orphans()
    with closing(FlinkCluster(tmp_path_factory.mktemp("flink-2"), FLINK_2)) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def flink_1_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    """Run one Flink 1.20 for all tests; take `flink_1`, which clears up after each test."""
    end_orphans()
    with closing(FlinkCluster(tmp_path_factory.mktemp("flink-1"), FLINK_1)) as cluster:
        yield cluster


@pytest.fixture
def flink_2(flink_2_session: FlinkCluster) -> Iterator[FlinkCluster]:
    """Give a Flink 2.3 without jobs or jars."""
    yield flink_2_session
    flink_2_session.clear()


@pytest.fixture
def flink_1(flink_1_session: FlinkCluster) -> Iterator[FlinkCluster]:
    """Give a Flink 1.20 without jobs or jars."""
    yield flink_1_session
    flink_1_session.clear()


@pytest.fixture(params=["flink_2", "flink_1"], ids=[f"flink-{FLINK_2}", f"flink-{FLINK_1}"])
def flink(request: pytest.FixtureRequest) -> FlinkCluster:
    """Give each of the two in turn."""
    cluster: FlinkCluster = request.getfixturevalue(request.param)
    return cluster


@pytest.fixture
def start_flink(tmp_path: Path) -> Iterator[Callable[..., FlinkCluster]]:
    """Give a function that starts clusters for one test: (version, **options of FlinkCluster)."""
    with ExitStack() as stack:

        def start(version: str = FLINK_2, **options: Any) -> FlinkCluster:
            directory = tmp_path / f"flink-{len(list(tmp_path.glob('flink-*')))}"
            cluster = FlinkCluster(directory, version, **{"slots": 8, **options})
            return stack.enter_context(closing(cluster))

        yield start


@pytest.fixture
def private_flink(start_flink: Callable[..., FlinkCluster]) -> FlinkCluster:
    """Give a Flink 2.3 of its own to a test that damages it."""
    return start_flink()
