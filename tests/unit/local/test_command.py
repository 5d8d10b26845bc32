"""What `flink-jobs local` prints."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flink_jobs_provider.cli.local import app
from flink_jobs_provider.local import ClusterStatus, LocalCluster, ProcessStatus, Request, Up

RUNNING = ClusterStatus(
    state="running",
    directory="/data/[x]",
    url="http://127.0.0.1:8081",
    flink_version="2.3.0",
    java="Java 17 (on the PATH)",
    slots=8,
    free_slots=5,
    running_jobs=1,
    processes=[
        ProcessStatus(role="jobmanager", pid=123, registered=True),
        ProcessStatus(role="taskmanager-1", pid=45678, registered=True),
    ],
)
HALF = RUNNING.model_copy(
    update={
        "state": "incomplete",
        "slots": 0,
        "free_slots": 0,
        "running_jobs": 0,
        "processes": [
            ProcessStatus(role="jobmanager", pid=123, registered=True),
            ProcessStatus(role="taskmanager-1", pid=45678, registered=False),
            ProcessStatus(role="taskmanager-2", pid=None, registered=False),
        ],
    }
)


def show(monkeypatch: pytest.MonkeyPatch, status: ClusterStatus) -> tuple[int, list[str]]:
    monkeypatch.setattr(LocalCluster, "status", lambda _: status)
    result = CliRunner().invoke(app, ["status"])
    return result.exit_code, [line.rstrip() for line in result.stdout.splitlines()]


def test_status_of_a_running_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line of facts, one line for each process, and exit code 0."""
    assert show(monkeypatch, RUNNING) == (
        0,
        [
            "Flink 2.3.0  running  http://127.0.0.1:8081  Java 17 (on the PATH)"
            "  5 of 8 slots free  1 job running",
            "process          pid  state",
            "jobmanager       123  running",
            "taskmanager-1  45678  running",
        ],
    )


def test_status_of_half_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is shown, how to mend it is said, and the exit code is 3."""
    code, lines = show(monkeypatch, HALF)
    assert code == 3
    assert lines[1:] == [
        "process          pid  state",
        "jobmanager       123  running",
        "taskmanager-1  45678  not ready",
        "taskmanager-2      -  dead",
        "`flink-jobs local up` starts what is missing.",
    ]


def test_status_of_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says where it looked, brackets and all, and how to make one."""
    code, lines = show(monkeypatch, ClusterStatus(state="absent", directory="/data/[x]"))
    assert code == 3
    assert lines == ["There is no cluster in /data/[x]; `flink-jobs local up` makes one."]


def test_up_passes_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every option reaches the cluster; an equals sign in a setting's value is kept."""
    asked: list[Request] = []

    def record(_: LocalCluster, request: Request) -> Up:
        asked.append(request)
        return Up("started", RUNNING)

    monkeypatch.setattr(LocalCluster, "up", record)
    words = ["up", "--version", "1.20.5", "--port", "0", "--slots", "3", "--task-managers", "2"]
    words += ["-c", "a.b=c=d", "-c", "e="]
    result = CliRunner().invoke(app, words)
    assert result.stdout == (
        "Flink 2.3.0 started at http://127.0.0.1:8081  8 slots, 5 free, Java 17 (on the PATH)\n"
    )
    assert asked == [
        Request(
            version="1.20.5",
            port=0,
            slots=3,
            task_managers=2,
            configuration={"a.b": "c=d", "e": ""},
        )
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-c", "novalue"], "--config is 'novalue'."),
        (["--version", "[2]"], "'[2]' is not a Flink version."),
        (["--slots", "0"], "--slots is 0."),
    ],
)
def test_a_mistake_of_the_user(tmp_path: Path, words: list[str], message: str) -> None:
    """It is one sentence on stderr, then what to do; exit code 1 and no traceback."""
    result = CliRunner().invoke(app, ["up", "--directory", str(tmp_path / "x"), *words])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines()[0] == message
    assert "Traceback" not in result.stderr


def test_down_says_what_went_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs that were running are counted, and what becomes of the data is said."""
    monkeypatch.setattr(LocalCluster, "status", lambda _: RUNNING)
    monkeypatch.setattr(LocalCluster, "down", lambda _, purge: ["jobmanager", "taskmanager-1"])
    stopped = CliRunner().invoke(app, ["down"]).stdout
    assert stopped == (
        "Stopped jobmanager, taskmanager-1, and with it 1 running job;"
        " the data in .flink is kept.\n"
    )
    assert "is removed" in CliRunner().invoke(app, ["down", "--purge"]).stdout
