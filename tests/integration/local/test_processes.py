"""The processes of a cluster are found again, and no other one is taken for them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from flink_jobs_provider.local.processes import ClusterProcess, end, end_strays, processes_in
from flink_jobs_provider.local.settings import Layout
from tests.processes import command_of
from tests.waiting import wait_until

PROGRAM = ["sh", "-c", "echo started; sleep 600", "ignored"]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[ClusterProcess]:
    """Return a process that waits, started with its marks."""
    layout = Layout(tmp_path)
    layout.create()
    process = ClusterProcess(layout, "jobmanager")
    process.start([*PROGRAM, *process.marks], os.environ)
    yield process
    end([process])
    end_strays(layout)


def test_a_process_is_found_at_every_moment_of_its_start(process: ClusterProcess) -> None:
    """Also while the shell becomes the program, when its command line reads as empty."""
    for _ in range(20):
        end([process])
        process.start([*PROGRAM, *process.marks], os.environ)
        assert all(process.find() is not None for _ in range(20))


def test_it_runs_in_a_session_of_its_own(process: ClusterProcess) -> None:
    """Signals to the session that started it do not reach it."""
    found = process.find()
    assert found is not None
    assert os.getsid(found.pid) != os.getsid(0)
    assert found.ppid() != os.getpid()


def test_end_ends_it_and_says_so(process: ClusterProcess) -> None:
    """The second time there is nothing to end."""
    assert end([process]) == ["jobmanager"]
    assert process.find() is None
    assert end([process]) == []
    assert processes_in(process.layout) == []


def test_a_stubborn_process_is_ended_by_force(tmp_path: Path) -> None:
    """What does not heed SIGTERM is killed after the time of grace."""
    layout = Layout(tmp_path)
    layout.create()
    process = ClusterProcess(layout, "jobmanager")
    stubborn = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    process.start(["sh", "-c", stubborn, "ignored", *process.marks], os.environ)
    wait_until(lambda: process.output.read_text(encoding="utf-8"), 10, "it is ready")
    assert end([process], grace=0.2) == ["jobmanager"]
    assert process.find() is None


def test_another_role_or_directory_is_not_it(process: ClusterProcess, tmp_path: Path) -> None:
    """The marks must fit, not only the pid."""
    other_role = ClusterProcess(process.layout, "taskmanager-1")
    other_role.pid_file.write_text(process.pid_file.read_text(encoding="utf-8"), encoding="utf-8")
    assert other_role.find() is None
    other_place = Layout(tmp_path / "other")
    other_place.create()
    moved = ClusterProcess(other_place, "jobmanager")
    moved.pid_file.write_text(process.pid_file.read_text(encoding="utf-8"), encoding="utf-8")
    assert moved.find() is None
    assert end([other_role, moved]) == []
    assert process.find() is not None


@pytest.mark.parametrize("content", ["", "x", "999999999"])
def test_a_useless_pid_file_is_no_process(process: ClusterProcess, content: str) -> None:
    """An empty or damaged pid file, or one of a process that is gone, finds nothing."""
    kept = process.pid_file.read_text(encoding="utf-8")
    process.pid_file.write_text(content, encoding="utf-8")
    assert process.find() is None
    process.pid_file.write_text(kept, encoding="utf-8")


def test_strays_are_those_without_a_pid_file(process: ClusterProcess) -> None:
    """A process with its pid file is left alone; without, it is ended."""
    found = process.find()
    assert found is not None
    assert end_strays(process.layout) == []
    process.pid_file.unlink()
    assert end_strays(process.layout) == [f"a stray process ({found.pid})"]
    assert not found.is_running() or found.status() == psutil.STATUS_ZOMBIE


def test_what_a_process_has_forked_off_is_no_stray(tmp_path: Path) -> None:
    """Shows a child that has its parent's command line, until the parent has ended."""
    layout = Layout(tmp_path)
    layout.create()
    process = ClusterProcess(layout, "jobmanager")
    command = ["sh", "-c", "(sleep 600; :); :", "ignored", *process.marks]
    process.start(command, os.environ)
    parent = process.find()
    assert parent is not None

    def forked() -> list[psutil.Process]:
        is_started = command_of(parent) == command  # before, a shell moves its pid file
        return [each for each in parent.children() if is_started and command_of(each) == command]

    [child] = wait_until(forked, 10, "it has forked")
    assert end_strays(layout) == []
    parent.kill()
    psutil.wait_procs([parent], timeout=10)
    assert end_strays(layout) == [f"a stray process ({child.pid})"]


def test_what_it_printed_before_is_kept(process: ClusterProcess) -> None:
    """Output of the start before is moved aside, so that an error shows only this start's."""
    wait_until(process.last_lines, 10, "it printed")
    end([process])
    process.start(["sh", "-c", "echo 'no such option' >&2"], os.environ)
    old = process.output.with_name("jobmanager.out.old")
    assert old.read_text(encoding="utf-8") == "started\n"
    shown = wait_until(process.last_lines, 10, "the second one printed")
    assert shown.splitlines()[1:] == ["no such option"]


def test_of_a_log_only_what_matters_is_shown(process: ClusterProcess) -> None:
    """Causes without frames, and no lines that only inform, where there are others."""
    process.log.write_text(
        "10:00 INFO  starting\n"
        "10:01 ERROR it failed\n"
        "java.lang.Exception: outer\n"
        "\tat a.B.c(B.java:1) ~[x.jar:1]\n"
        "\t... 2 more\n"
        "Caused by: java.lang.Exception: inner\n"
        "\tat a.B.d(B.java:2)\n"
        "10:02 INFO  stopped\n",
        encoding="utf-8",
    )
    assert process.last_lines().splitlines()[1:] == [
        "10:01 ERROR it failed",
        "java.lang.Exception: outer",
        "Caused by: java.lang.Exception: inner",
    ]


def test_of_a_thread_dump_nothing_is_shown(process: ClusterProcess) -> None:
    """Shows it as Flink 2.3.0 writes one when it cannot have its port, and shuts down slowly."""
    dump = "".join(
        f'"flink-{number}" prio=5 Id={number} WAITING\n'
        "\tat java.base@17.0.15/java.lang.Thread.sleep(Native Method)\n\n"
        "\tNumber of locked synchronizers = 1\n"
        "\t- java.util.concurrent.locks.ReentrantLock$NonfairSync@3deff43c\n\n"
        for number in range(60)
    )
    begins = "2026-11-30 13:44:32,814 ERROR org.apache.flink.util.FatalExitExceptionHandler [] - "
    process.log.write_text(
        "2026-11-30 13:44:32,758 ERROR ClusterEntrypoint [] - Could not start\n"
        "Caused by: java.net.BindException: Could not start actor system on any port\n"
        f"{begins}Thread dump: \n{dump}"
        "2026-11-30 13:44:32,870 ERROR Handler [] - a thread produced an exception\n"
        f"{begins}Thread dump: \n{dump}",
        encoding="utf-8",
    )
    assert process.last_lines().splitlines()[1:] == [
        "2026-11-30 13:44:32,758 ERROR ClusterEntrypoint [] - Could not start",
        "Caused by: java.net.BindException: Could not start actor system on any port",
        "2026-11-30 13:44:32,870 ERROR Handler [] - a thread produced an exception",
    ]
