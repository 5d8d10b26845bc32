"""The command lines of the JVMs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from flink_jobs_provider.local.configuration import JOB_MANAGER_MEMORY, TASK_MANAGER_MEMORY
from flink_jobs_provider.local.errors import LocalClusterError
from flink_jobs_provider.local.java import Java
from flink_jobs_provider.local.launch import Launcher
from flink_jobs_provider.local.layout import Layout
from flink_jobs_provider.local.processes import ClusterProcess


def _launcher(**given: str) -> Launcher:
    configuration = {**JOB_MANAGER_MEMORY, **TASK_MANAGER_MEMORY}
    configuration |= {f"env.java.opts.{name}": text for name, text in given.items()}
    return Launcher(Path("/flink"), Java(Path("/java"), 17, "here"), configuration)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> dict[str, Sequence[str]]:
    """Return the command lines of the processes that are started, by role."""
    commands: dict[str, Sequence[str]] = {}

    def start(process: ClusterProcess, command: Sequence[str], _env: Mapping[str, str]) -> None:
        commands[process.role] = command

    monkeypatch.setattr(ClusterProcess, "start", start)
    return commands


def test_options_of_the_configuration_reach_the_jvms(started: dict[str, Sequence[str]]) -> None:
    """Shows that they come after the project's own, so that they win, each in its process."""
    launcher = _launcher(all="-Da=1 '-Db=2 3'", jobmanager="-Dc=4", taskmanager="-Xmx1g")
    layout = Layout(Path("/data"))
    launcher.start_job_manager(ClusterProcess(layout, "jobmanager"))
    launcher.start_task_manager(ClusterProcess(layout, "taskmanager-1"), 2)
    for role, own in (("jobmanager", "-Dc=4"), ("taskmanager-1", "-Xmx1g")):
        command = list(started[role])
        options = command[: command.index("-cp")]
        assert options[-3:] == ["-Da=1", "-Db=2 3", own]


@pytest.mark.parametrize("name", ["all", "jobmanager", "taskmanager"])
def test_an_unclosed_quote_is_refused(name: str) -> None:
    with pytest.raises(LocalClusterError) as refused:
        _launcher(**{name: "-Da='1"}).refuse_unreadable_options()
    assert refused.value.what == f"'env.java.opts.{name}' is '-Da='1': No closing quotation."
