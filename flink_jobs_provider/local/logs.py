"""The logs of a cluster's processes."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, TypeAlias

from flink_jobs_provider.local.errors import LocalClusterError
from flink_jobs_provider.local.layout import Layout

_PAUSE_S = 0.2


@dataclass(frozen=True)
class ProcessLog:
    """A file that a process writes to, and the end of it.

    Attributes:
        role: jobmanager, taskmanager-1, … or gateway.
        file: Its log (`.log`), or what it prints (`.out`).
        lines: The last ones.
    """

    role: str
    file: Path
    lines: tuple[str, ...]


Lines: TypeAlias = Generator[tuple[ProcessLog, str], None, None]


def read_logs(directory: Path, role: str | None, count: int) -> list[ProcessLog]:
    """Return the ends of a cluster's logs; files without content are left out.

    Args:
        directory: The cluster's.
        role: One process, or None for all.
        count: How many lines of each file.

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
