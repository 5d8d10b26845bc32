"""Tests in memory: those that start no process and reach nothing beyond this machine.

`make test-unit` runs these alone. A test of `unit/` or `contract/` that does start a process is
marked `process`, or takes a fixture that starts one; any other one is kept from it, and fails.
"""

from __future__ import annotations

import platform
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from fsspec.implementations.memory import MemoryFileSystem

_FOLDERS = tuple(str(Path(__file__).parent / name) for name in ("unit", "contract"))
#: Fixtures that start a process.
_STARTS = {"postgres_server"}
_HERE = ("127.", "::1", "localhost")


def mark_processes(items: Sequence[pytest.Item]) -> None:
    """Mark the tests that take a fixture which starts a process."""
    platform.processor()  # starts `uname`, once; Azure's clients ask for it
    for item in items:
        if _STARTS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("process")


def parse_urls_once() -> None:
    """Cache what httpx parses: tests send tens of thousands of requests to a few hundred URLs.

    It is a pure function, twice called for each request, and took a fifth of an in-memory one.
    """
    cached = lru_cache(maxsize=4096)(httpx._urlparse.urlparse)
    httpx._urlparse.urlparse = httpx._urls.urlparse = cached  # type: ignore[attr-defined]


@contextmanager
def kept_in_memory(item: pytest.Item) -> Iterator[None]:
    """Let a test of the folders in memory start no process and reach no other host."""
    in_memory = str(item.path).startswith(_FOLDERS) and not item.get_closest_marker("process")
    if not in_memory:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, "__init__", _refuse_process)
        patch.setattr(socket.socket, "connect", _connect)
        yield
    _forget_files_in_memory()


def _forget_files_in_memory() -> None:
    """Empty fsspec's files in memory: each search goes through those of all tests before."""
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def _refuse_process(_process: object, command: object, *_more: object, **_named: object) -> None:
    raise AssertionError(f"a test in memory starts {command}: mark it `process`")


def _connect(this: socket.socket, address: Any) -> None:
    if this.family in (socket.AF_INET, socket.AF_INET6) and not address[0].startswith(_HERE):
        raise AssertionError(f"a test in memory connects to {address}")
    super(socket.socket, this).connect(address)
