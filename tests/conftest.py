"""The real Flink clusters and the engines that tests run on.

A cluster is started when the first test asks for it.
"""

from __future__ import annotations

import gc
import os
import random
import secrets
import sys
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.azurite import why_no_azurite
from tests.choice import OPTION, keep_a_choice
from tests.chromium import why_no_chromium
from tests.end_to_end.flink.targets import ALL_VARIABLE
from tests.faults.points import FULL_VARIABLE
from tests.flink_cluster import FLINK_1, FLINK_2, FlinkCluster, end_orphans
from tests.in_memory import kept_in_memory, mark_processes, parse_urls_once
from tests.promtool import why_no_promtool
from tests.sharing import BySharing, refuse_unknown
from tests.stack_project import ENGINES, StackProject, make_cli_python

# How long an example takes is a matter of the machine: a busy one is no failure.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

#: Flink 1.20 has its defaults, by which what is shown of a job is up to 3 s old.
QUICK = {"web.refresh-interval": "100"}

_stack_numbers = count(1)

#: What a test process is told the run's seed by.
_SEED = "flink_jobs_seed"

#: What a test run leaves out, by the variable that brings it in.
_CHOICES = {
    ALL_VARIABLE: "of the end-to-end cases, targets that a gateway serves and the native plugin "
    "had a choice; of the moments at which the embedded engine is killed, and of the pauses before "
    "a killed gateway is started again, there was one, too",
    FULL_VARIABLE: "of the moments at which runs and gateways are killed, there was a choice",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run be shortened."""
    parser.addoption(
        OPTION, type=float, help="run this part of the tests, one case of each, chosen by the seed"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed of all random choices, unless one is given; the summary prints it."""
    if config.option.hypothesis_seed is None:
        of_run = getattr(config, "workerinput", {}).get(_SEED)
        config.option.hypothesis_seed = of_run or str(secrets.randbelow(1 << 32))
    parse_urls_once()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Send the seed to each process that runs tests: the one that prints it is another."""
    node.workerinput[_SEED] = node.config.option.hypothesis_seed


@pytest.fixture
def random_choices(request: pytest.FixtureRequest) -> random.Random:
    """Return a source of random choices that the printed seed repeats."""
    return random.Random(f"{request.config.option.hypothesis_seed} {request.node.name}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the seed, and what was left out: nothing is skipped silently."""
    seed = terminalreporter.config.option.hypothesis_seed
    terminalreporter.write_line(f"random choices were made with --hypothesis-seed={seed}")
    for variable, what in _CHOICES.items():
        if os.environ.get(variable) != "1":
            terminalreporter.write_line(f"{what}; {variable}=1 takes all of them.")
    if part := terminalreporter.config.getoption(OPTION):
        terminalreporter.write_line(
            f"{part:.0%} of the tests on clusters were taken, and one case of each, by that seed; "
            f"{ALL_VARIABLE}=1 make test takes all."
        )
    if reason := why_no_azurite():
        terminalreporter.write_line(f"jars in ABFS were not tested: {reason}.")
    if reason := why_no_chromium():
        terminalreporter.write_line(f"the browser tests did not run: {reason}.")
    if reason := why_no_promtool():
        terminalreporter.write_line(f"the alerting rules were not evaluated: {reason}.")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage among the thousands of tests, neither while they are collected nor later.

    What the tests themselves leave behind is found as ever.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by what they start; see that all can be grouped by what they share."""
    mark_processes(items)
    refuse_unknown(items)
    if config.getoption(OPTION):
        keep_a_choice(config, items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> BySharing | None:
    """Distribute tests by what they share, where groups are asked for."""
    return BySharing(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, bool | None, bool | None]:
    """Keep tests in memory; collect what a failed test left open, so that it fails no other."""
    failures = item.session.testsfailed
    with kept_in_memory(item):
        done = yield
    if item.session.testsfailed > failures:
        sys.last_type = sys.last_value = sys.last_traceback = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.collect()
    return done


@pytest.fixture(scope="session")
def flink_2_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    """Run one Flink 2.3 for all tests; take `flink_2`, which clears up after each test."""
    end_orphans()
    directory = tmp_path_factory.mktemp("flink-2")
    with closing(FlinkCluster(directory, FLINK_2, configuration=QUICK)) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def flink_1_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    """Run one Flink 1.20 for all tests; take `flink_1`, which clears up after each test."""
    end_orphans()
    with closing(FlinkCluster(tmp_path_factory.mktemp("flink-1"), FLINK_1)) as cluster:
        yield cluster


@pytest.fixture
def flink_2(flink_2_session: FlinkCluster) -> Iterator[FlinkCluster]:
    """Return a Flink 2.3 without jobs or jars."""
    yield flink_2_session
    flink_2_session.clear()


@pytest.fixture
def flink_1(flink_1_session: FlinkCluster) -> Iterator[FlinkCluster]:
    """Return a Flink 1.20 without jobs or jars."""
    yield flink_1_session
    flink_1_session.clear()


_CLUSTERS = {f"flink-{FLINK_2}": "flink_2", f"flink-{FLINK_1}": "flink_1"}


@pytest.fixture(params=list(_CLUSTERS.values()), ids=list(_CLUSTERS))
def flink(request: pytest.FixtureRequest) -> FlinkCluster:
    """Return each of the two in turn."""
    cluster: FlinkCluster = request.getfixturevalue(request.param)
    return cluster


@pytest.fixture
def start_flink(tmp_path: Path) -> Iterator[Callable[..., FlinkCluster]]:
    """Return a function that starts clusters for one test: (version, **options of FlinkCluster)."""
    with ExitStack() as stack:

        def start(version: str = FLINK_2, **options: Any) -> FlinkCluster:
            directory = tmp_path / f"flink-{len(list(tmp_path.glob('flink-*')))}"
            options["configuration"] = {**QUICK, **options.get("configuration", {})}
            cluster = FlinkCluster(directory, version, **{"slots": 8, **options})
            return stack.enter_context(closing(cluster))

        yield start


@pytest.fixture
def private_flink(start_flink: Callable[..., FlinkCluster]) -> FlinkCluster:
    """Return a Flink 2.3 of its own to a test that damages it."""
    return start_flink()


@pytest.fixture(params=[pytest.param(name, marks=marks) for name, marks in ENGINES.items()])
def engine(request: pytest.FixtureRequest) -> str:
    """Name each engine in turn; the Pulumi CLI must be on the PATH for its own."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def pulumi_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a Python environment that the Pulumi CLI takes."""
    return make_cli_python(tmp_path_factory.mktemp("pulumi-python"))


@pytest.fixture
def make_stack(
    tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> Iterator[Callable[..., StackProject]]:
    """Return a maker of projects by cluster URL: (cluster_url, stack, target), for each engine.

    Each has a stack of another name, unless that is given: a cluster remembers the ended jobs of
    the tests before, and they must be another owner's.
    """
    with ExitStack() as closing_all:

        def make(
            cluster_url: str, stack: str = "", target: Mapping[str, Any] | None = None
        ) -> StackProject:
            stack = stack or f"dev-{next(_stack_numbers)}"
            python = request.getfixturevalue("pulumi_python") if engine == "pulumi" else None
            root = tmp_path / f"project-{stack}"
            project = StackProject(root, engine, cluster_url, python, stack=stack, target=target)
            return closing_all.enter_context(closing(project))

        yield make
