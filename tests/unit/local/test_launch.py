"""The configuration that Flink reads, and the memory that the JVMs get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import yaml

from flink_jobs_provider.local.launch import (
    JOB_MANAGER_MEMORY,
    TASK_MANAGER_MEMORY,
    Launcher,
    flink_configuration,
    job_manager_options,
    task_manager_options,
    write_configuration,
)
from flink_jobs_provider.local.packages import Java
from flink_jobs_provider.local.processes import ClusterProcess
from flink_jobs_provider.local.settings import FlinkVersion, Layout, LocalClusterError, Settings
from flink_jobs_provider.model.flink_options import RETENTION

LAYOUT = Layout(Path("/data/my cluster"))


def configuration(java_release: int = 17, **given: str) -> dict[str, str]:
    settings = Settings(
        version="2.3.0",
        port=9001,
        rpc_port=9002,
        slots=8,
        task_managers=1,
        configuration={key.replace("__", "."): value for key, value in given.items()},
        java="Java 17",
    )
    return flink_configuration(settings, LAYOUT, java_release)


def test_a_program_cannot_end_the_job_manager() -> None:
    """System.exit fails in the program; Java 24 has no security manager to see to that."""
    option = "cluster.intercept-user-system-exit"
    assert configuration()[option] == "THROW"
    assert configuration(17, **{option: "LOG"})[option] == "LOG"
    assert option not in configuration(java_release=24)


def test_checkpoints_outlive_a_cancel() -> None:
    """A job that is cancelled goes on from its last checkpoint, unless the user wants it else."""
    assert configuration()[RETENTION] == "RETAIN_ON_CANCELLATION"
    given = configuration(17, **{RETENTION: "DELETE_ON_CANCELLATION"})
    assert given[RETENTION] == "DELETE_ON_CANCELLATION"


def test_paths_are_written_as_flink_reads_them() -> None:
    """A blank stays a blank: Flink does not decode the paths of its configuration."""
    shown = configuration()
    assert shown["state.savepoints.dir"] == "file:///data/my cluster/savepoints"
    assert shown["execution.checkpointing.savepoint-dir"] == shown["state.savepoints.dir"]
    assert shown["web.upload.dir"] == "/data/my cluster/uploads"


def test_what_the_user_gives_wins() -> None:
    """A setting of the user replaces one of ours."""
    assert configuration(parallelism__default="3")["parallelism.default"] == "3"


@pytest.mark.parametrize("version", ["2.3.0", "1.19.3"])
def test_yaml_keeps_values_as_they_are(tmp_path: Path, version: str) -> None:
    """Values that YAML would take for something else come back as the text they were."""
    values = {"a.b": "yes", "a.c": "1: 2 # 'x'", "a.d": "1.10", "a.e": "", "a.f": 'ü\t"q"'}
    write_configuration(tmp_path, FlinkVersion.parse(version), values)
    text = (tmp_path / "config.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text) == values


def test_the_old_format_is_written_as_it_is_read(tmp_path: Path) -> None:
    """Before 1.19 a value is what stands after the colon, and the other file must not be there."""
    (tmp_path / "config.yaml").touch()
    write_configuration(tmp_path, FlinkVersion.parse("1.18.1"), {"a.b": "1: 2"})
    assert (tmp_path / "flink-conf.yaml").read_text(encoding="utf-8") == "a.b: 1: 2\n"
    assert not (tmp_path / "config.yaml").exists()


def test_jvm_memory_follows_the_configuration() -> None:
    """Heap and direct memory are the sums that Flink's own scripts would compute."""
    assert job_manager_options(JOB_MANAGER_MEMORY) == [
        "-Xmx384m",
        "-XX:MaxDirectMemorySize=128m",
        "-XX:MaxMetaspaceSize=256m",
    ]
    larger = {**TASK_MANAGER_MEMORY, "taskmanager.memory.task.heap.size": "1 gb"}
    assert task_manager_options(larger) == [
        f"-Xmx{1024 + 128}m",
        f"-XX:MaxDirectMemorySize={128 + 0 + 128}m",
        "-XX:MaxMetaspaceSize=256m",
    ]


def test_a_size_that_cannot_be_read() -> None:
    """The key and the value are named."""
    with pytest.raises(LocalClusterError, match=r"'jobmanager.memory.heap.size' is 'lots'"):
        job_manager_options({**JOB_MANAGER_MEMORY, "jobmanager.memory.heap.size": "lots"})


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
