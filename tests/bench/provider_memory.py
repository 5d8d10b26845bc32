"""The most memory that a provider process takes during a command."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import psutil

from tests.bench.stacks import BenchStack
from tests.plugin_engine import PLUGIN
from tests.processes import command_of

_PAUSE_S = 0.1


def peak_mebibytes(stack: BenchStack, *words: str) -> float:
    """Run a command that must succeed; return the peak of its provider's resident memory.

    Linux keeps the peak of each process (VmHWM), so that none is missed between two looks.
    """
    process = stack.start(*words)
    peak = 0
    try:
        while process.poll() is None:
            peak = max(peak, _peak_of_providers(process.pid))
            try:
                process.communicate(timeout=_PAUSE_S)
            except subprocess.TimeoutExpired:
                continue
    finally:
        process.kill()
    if process.returncode != 0 or not peak:
        raise RuntimeError(f"{' '.join(words)}: {process.returncode}, provider seen: {bool(peak)}")
    return peak / 1024


def _peak_of_providers(engine: int) -> int:
    """Return the peak in KiB; 0 where none runs."""
    try:
        children = psutil.Process(engine).children(recursive=True)
        return max((_peak(child.pid) for child in children if _is_provider(child)), default=0)
    except psutil.NoSuchProcess:
        return 0


def _is_provider(process: psutil.Process) -> bool:
    words = command_of(process)
    return "pulumi.dynamic" in words or any(word.endswith(PLUGIN.name) for word in words)


def _peak(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) if found else 0
