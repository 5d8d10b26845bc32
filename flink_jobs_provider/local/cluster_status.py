"""A cluster as it is observed: its processes and their logs, and the answers of its REST API.

The standard library's client is used: these are two plain requests on the loopback interface,
which no proxy or certificate setting of the environment may touch.
"""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Literal, TextIO, TypeAlias

from pydantic import BaseModel, ConfigDict

from flink_jobs_provider.local.processes import GATEWAY, ClusterProcess
from flink_jobs_provider.local.settings import Layout, LocalClusterError, Settings
from flink_jobs_provider.model.errors import Signal

State = Literal["absent", "stopped", "incomplete", "running"]


class ProcessStatus(BaseModel):
    """One process; `pid` is None when it does not run."""

    model_config = ConfigDict(frozen=True)

    role: str
    pid: int | None
    registered: bool
    """It answers (JobManager), or is known to the JobManager (TaskManager)."""


class ClusterStatus(BaseModel):
    """A cluster as it is now; what cannot be known is None."""

    model_config = ConfigDict(frozen=True)

    state: State
    """`incomplete`: something of it runs, but not all that should; `up` repairs it."""
    directory: str
    url: str | None = None
    flink_version: str | None = None
    java: str | None = None
    slots: int | None = None
    free_slots: int | None = None
    running_jobs: int | None = None
    processes: list[ProcessStatus] = []
    gateway: ProcessStatus | None = None
    """None where no gateway was started."""


def observe(layout: Layout, settings: Settings | None) -> ClusterStatus:
    """Return the state of the cluster in a directory; never raises for what is there."""
    if settings is None:
        return ClusterStatus(state="absent", directory=str(layout.root))
    overview, registered = _ask(settings.port)
    processes = []
    for role in settings.roles:
        process = ClusterProcess(layout, role)
        found = process.find()
        answers = overview is not None
        if role != "jobmanager":
            answers = found is not None and process.resource_id() in registered
        processes.append(
            ProcessStatus(
                role=role,
                pid=found.pid if found else None,
                registered=found is not None and answers,
            )
        )
    # Without our JobManager, whoever answers at that address is someone else.
    ours = overview if overview is not None and processes[0].pid is not None else {}
    return ClusterStatus(
        state=_state(processes, ours.get("slots-total"), settings),
        directory=str(layout.root),
        url=settings.url,
        flink_version=ours.get("flink-version", settings.version),
        java=settings.java,
        slots=ours.get("slots-total"),
        free_slots=ours.get("slots-available"),
        running_jobs=ours.get("jobs-running"),
        processes=processes,
        gateway=_gateway(layout),
    )


def _gateway(layout: Layout) -> ProcessStatus | None:
    process = ClusterProcess(layout, GATEWAY)
    found = process.find()
    if found is None and not process.pid_file.exists():
        return None
    return ProcessStatus(
        role=GATEWAY, pid=found.pid if found else None, registered=found is not None
    )


def _state(processes: list[ProcessStatus], slots: int | None, settings: Settings) -> State:
    if all(process.registered for process in processes) and (slots or 0) >= settings.slots:
        return "running"
    if any(process.pid is not None for process in processes):
        return "incomplete"
    return "stopped"


def _ask(port: int) -> tuple[dict[str, Any] | None, set[str]]:
    """Return the overview, and the ids of the registered TaskManagers; None without an answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        overview = _get(connection, "/overview")
        rows = _get(connection, "/taskmanagers")["taskmanagers"]
        return overview, {row["id"] for row in rows}
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return None, set()
    finally:
        connection.close()


def _get(connection: HTTPConnection, path: str) -> dict[str, Any]:
    connection.request("GET", path)
    answer: dict[str, Any] = json.load(connection.getresponse())
    return answer


_PORT_TAKEN = ("BindException", "Address already in use", "Could not start rest endpoint")


class ProcessEnded(Signal):
    """A process of the cluster ended before the cluster was ready."""

    def __init__(self, process: ClusterProcess) -> None:
        super().__init__(process.role)
        self.role = process.role
        self.log = process.last_lines()
        self.port_was_taken = any(words in process.last_lines(60) for words in _PORT_TAKEN)

    def explained(self, now: str, advice: str) -> LocalClusterError:
        """Return the error for it, with what follows from it."""
        return LocalClusterError(
            f"The {self.role} ended while the cluster was starting.",
            now=now,
            advice=f"{advice} The end of its log is below.",
            details=self.log,
        )


def wait_until_ready(layout: Layout, settings: Settings, timeout: float) -> ClusterStatus:
    """Return once the REST API answers and every slot is registered.

    Raises ProcessEnded as soon as a process is gone, and LocalClusterError after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        status = observe(layout, settings)
        if status.state == "running":
            return status
        for process in status.processes:
            if process.pid is None:
                raise ProcessEnded(ClusterProcess(layout, process.role))
        if time.monotonic() > deadline:
            late = next((p.role for p in status.processes if not p.registered), "jobmanager")
            raise LocalClusterError(
                f"The {late} was not ready after {timeout:g} seconds.",
                now="The processes were left running.",
                advice="`up` again waits on, `down` ends them. The end of its log is below.",
                details=ClusterProcess(layout, late).last_lines(),
            )
        time.sleep(0.05)


_PAUSE_S = 0.2


@dataclass(frozen=True)
class ProcessLog:
    """The last lines of what a process writes: of its log (`.log`), or of its output (`.out`)."""

    role: str
    file: Path
    lines: tuple[str, ...]


Lines: TypeAlias = Generator[tuple[ProcessLog, str], None, None]


def read_logs(directory: Path, role: str | None, count: int) -> list[ProcessLog]:
    """Return the last lines of the logs of a cluster, or of one process; empty files are left out.

    Raises:
        LocalClusterError: There is no cluster, or no log of that process.
    """
    layout = Layout(directory.expanduser().resolve())
    files = sorted([*layout.logs.glob("*.log"), *layout.logs.glob("*.out")])
    roles = sorted({file.stem for file in files})
    if not files:
        raise LocalClusterError(
            f"There are no logs in {layout.logs}.",
            now="Nothing was started.",
            advice="`flink-jobs local up` starts a cluster; --directory names another one.",
        )
    if role is not None and role not in roles:
        raise LocalClusterError(
            f"There is no log of a process {role}.",
            now="Nothing was changed.",
            advice=f"There are logs of {', '.join(roles)}.",
        )
    wanted = [file for file in files if role in (None, file.stem) and file.stat().st_size]
    return [ProcessLog(file.stem, file, _end(file, count)) for file in wanted]


def follow(logs: list[ProcessLog]) -> Lines:
    """Return each whole line that is written from now on; they never end."""
    opened = [(log, log.file.open(encoding="utf-8", errors="replace")) for log in logs]
    for _, file in opened:
        file.seek(0, os.SEEK_END)
    return _lines(opened)


def _lines(opened: Sequence[tuple[ProcessLog, TextIO]]) -> Lines:
    begun = dict.fromkeys((log.file for log, _ in opened), "")
    with ExitStack() as closing:
        for _, file in opened:
            closing.enter_context(file)
        while True:
            quiet = True
            for log, file in opened:
                while text := file.readline():
                    begun[log.file] += text
                    if text.endswith("\n"):
                        quiet = False
                        yield log, begun[log.file].rstrip("\n")
                        begun[log.file] = ""
            if quiet:
                time.sleep(_PAUSE_S)


def _end(file: Path, count: int) -> tuple[str, ...]:
    with file.open(encoding="utf-8", errors="replace") as lines:
        return tuple(line.rstrip("\n") for line in deque(lines, maxlen=count))
