"""The processes of a cluster: started so that they outlive us, found again, ended.

A process is known by its pid file *and* by the marks in its own command line, which name the
cluster's directory and the role. A pid that the system has meanwhile given to another program has
other marks, so nothing that is not ours is ever ended, whatever happened to clocks and pid files.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from flink_jobs_provider.local.settings import Layout, LocalClusterError

# The inner shell writes its own pid and then becomes the program, so there is no moment at which
# the program runs and its pid is unknown. The outer one ends at once and leaves it to init.
_DETACH = """\
sh -c 'echo $$ > "$0.new" && mv "$0.new" "$0" && exec "$@"' "$@" &
"""
#: The role of the cluster's gateway, which is no process of Flink.
GATEWAY = "gateway"
#: What Flink writes of all threads when one of them fails, up to the next line of the log.
_THREAD_DUMP = re.compile(
    r"^\d{4}-\d\d-\d\d [^\n]* - Thread dump: *$.*?(?=^\d{4}-\d\d-\d\d |\Z)",
    re.MULTILINE | re.DOTALL,
)
_FRAME = re.compile(r"\s*(at \S+\(|\.\.\. \d+ more|$)")
_RESOURCE_ID = "taskmanager.resource-id="


@dataclass(frozen=True)
class ClusterProcess:
    """One JobManager or TaskManager of the cluster in a directory."""

    layout: Layout
    role: str

    @property
    def marks(self) -> list[str]:
        """Return the options that mark the process as this one; the JVM ignores them."""
        return [f"-Dflink-jobs.directory={self.layout.root}", f"-Dflink-jobs.role={self.role}"]

    @property
    def log(self) -> Path:
        """The file it logs to."""
        return self.layout.logs / f"{self.role}.log"

    @property
    def output(self) -> Path:
        """The file that holds what it prints."""
        return self.layout.logs / f"{self.role}.out"

    @property
    def pid_file(self) -> Path:
        """The file that holds its pid."""
        return self.layout.pids / f"{self.role}.pid"

    def find(self) -> psutil.Process | None:
        """Return the living process, or None."""
        found = self._found()
        return found[0] if found else None

    def resource_id(self) -> str | None:
        """Return the id under which a living TaskManager is known to its JobManager."""
        _, command = self._found() or (None, ())
        ids = (word for word in command if word.startswith(_RESOURCE_ID))
        return next((word.removeprefix(_RESOURCE_ID) for word in ids), None)

    def _found(self) -> tuple[psutil.Process, list[str]] | None:
        """Return the living process and its command line, or None."""
        pid = _pid_in(self.pid_file)
        if pid is None:
            return None
        try:
            process = psutil.Process(pid)
            command = _command_line(process)
        except psutil.Error:
            return None
        return (process, command) if all(mark in command for mark in self.marks) else None

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the program in a session of its own, its output going to `output`.

        The output of the one before it is renamed to end in `.old`.
        """
        for file in (self.log, self.output):
            if file.exists():
                file.replace(file.with_name(f"{file.name}.old"))
        self.pid_file.unlink(missing_ok=True)
        with self.output.open("ab") as output:
            subprocess.run(
                ["sh", "-c", _DETACH, "sh", str(self.pid_file), *command],
                env=dict(environment),
                cwd=self.layout.root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                check=True,
            )
        deadline = time.monotonic() + 10
        while not self.pid_file.exists():
            if time.monotonic() > deadline:
                raise LocalClusterError(
                    f"The {self.role} could not be started.",
                    now="Its process never came to be.",
                    advice="The last lines of its output are below.",
                    details=self.last_lines(),
                )
            time.sleep(0.005)

    def last_lines(self, count: int = 8) -> str:
        """Return the end of its log or of its output, whichever it wrote to last.

        Of stack traces only the causes are shown, of thread dumps nothing, and of other lines only
        those that matter, where there are any.
        """
        written = [file for file in (self.log, self.output) if file.exists()]
        for file in sorted(written, key=lambda file: file.stat().st_mtime, reverse=True):
            text = file.read_text(encoding="utf-8", errors="replace")
            text = _THREAD_DUMP.sub("", text)
            lines = [line for line in text.splitlines() if not _FRAME.match(line)]
            lines = [line for line in lines if " INFO " not in line] or lines
            if lines:
                return "\n".join([f"{file}:", *lines[-count:]])
        return ""


def processes_in(layout: Layout) -> list[ClusterProcess]:
    """List the processes that a cluster's directory has pid files of, running or not."""
    return [ClusterProcess(layout, file.stem) for file in sorted(layout.pids.glob("*.pid"))]


def flink_processes_in(layout: Layout) -> list[ClusterProcess]:
    """List those that are Flink's own: a gateway outlives a restart of the cluster."""
    return [process for process in processes_in(layout) if process.role != GATEWAY]


def end_strays(layout: Layout) -> list[str]:
    """End processes whose pid files are gone, as when the directory was removed under a cluster.

    By force, for there is nothing left that they could save. Returns what was ended, in words. A
    process that one with a pid file has forked off has that one's command line, until it runs a
    program of its own: it is none of them.
    """
    mark = f"-Dflink-jobs.directory={layout.root}"
    known = {
        process.pid
        for process in (ours.find() for ours in processes_in(layout))
        if process is not None
    }
    ended = []
    for process in psutil.process_iter(["cmdline", "ppid"]):
        of_known = not known.isdisjoint((process.pid, process.info["ppid"]))
        if mark in (process.info["cmdline"] or []) and not of_known:
            with suppress(psutil.NoSuchProcess):
                process.kill()
                ended.append(process)
    psutil.wait_procs(ended, timeout=10)
    return [f"a stray process ({process.pid})" for process in ended]


def end(processes: Sequence[ClusterProcess], grace: float = 10.0) -> list[str]:
    """End processes, politely for `grace` seconds, then by force; return the roles that ran."""
    living = [process for process in processes if _signal(process, by_force=False)]
    if not _all_gone(living, grace):
        for process in living:
            _signal(process, by_force=True)
        _all_gone(living, grace)
    for process in processes:
        if process.find() is None:
            process.pid_file.unlink(missing_ok=True)
    return [process.role for process in living]


def _command_line(process: psutil.Process) -> list[str]:
    """Return a process's command line; a zombie has none.

    While a process becomes another program (exec) its command line reads as empty for a moment, so
    an empty one is not believed at once.
    """
    for _ in range(50):
        if process.status() == psutil.STATUS_ZOMBIE:
            break
        command = process.cmdline()
        if command:
            return command
        time.sleep(0.01)
    return []


def _pid_in(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _signal(process: ClusterProcess, *, by_force: bool) -> bool:
    found = process.find()
    if found is None:
        return False
    with suppress(psutil.NoSuchProcess):
        if by_force:
            found.kill()
        else:
            found.terminate()
    return True


def _all_gone(processes: Sequence[ClusterProcess], timeout: float) -> bool:
    """Wait until all have ended; a zombie counts as ended."""
    deadline = time.monotonic() + timeout
    while any(process.find() is not None for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
