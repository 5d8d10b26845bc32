"""The provider's process: one event loop for its threads, and its end with that of its engine.

`python -m flink_jobs_provider.provider.process pulumi.dynamic <engine address>` runs the SDK's
server as an engine's child that ends with it. A provider's own watch begins with its first call;
this one covers an engine that is killed before.

A killed engine leaves its provider process alive, while the next run begins: two writers. So
nothing is begun once the engine has gone. The engine's address is the first argument of
`python -m pulumi.dynamic`; with the real CLI a shell lies between it and this process, so the
parent process alone is no evidence.

An engine that is killed, or that ends because nothing reads its output, leaves an idle provider
process behind. `EngineWatch` ends that process within a minute. Calls in progress get a grace
period first: their next request that would change something is refused. What a process has asked a
cluster for when it ends stays there, where the next run finds it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import re
import runpy
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from flink_jobs_provider.model.errors import EngineGone

#: Between two checks, in seconds.
_PAUSE_S = 2.0
#: Grace period of calls in progress, in seconds.
GRACE_S = 30.0


class EngineLiveness:
    """The parent and the engine's address at the start, which are checked each time."""

    def __init__(self, arguments: list[str] | None = None) -> None:
        self._parent = os.getppid()
        self._address = _engine_address(sys.argv[1:] if arguments is None else arguments)

    @property
    def has_engine(self) -> bool:
        """Whether this process was started with an engine's address."""
        return self._address is not None

    @property
    def engine(self) -> str | None:
        """The engine's address, which all provider processes of its run are given."""
        return f"{self._address[0]}:{self._address[1]}" if self._address else None

    def check(self) -> None:
        """Return while the engine lives.

        Raises:
            EngineGone: It has ended.
        """
        if os.getppid() != self._parent or not self._answers():
            raise EngineGone(
                "the Pulumi engine of this run has ended",
                now="Nothing more was begun",
                remedy="Run again: it goes on where this run stopped",
            )

    def _answers(self) -> bool:
        if self._address is None:
            return True
        try:
            socket.create_connection(self._address, timeout=5).close()
        except ConnectionRefusedError:
            return False
        except OSError:
            return True  # out of sockets, or slow: no sign that it has ended
        return True


class CallsInProgress:
    """The number of the engine's calls that have not been answered."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count one call until it ends."""
        with self._lock:
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1

    def __bool__(self) -> bool:
        return self._count > 0


@dataclass(frozen=True)
class EngineWatch:
    """A watch over the engine, which ends this process after it; times are in seconds."""

    liveness: EngineLiveness
    busy: Callable[[], bool]
    end: Callable[[int], object] = os._exit
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def start(self) -> None:
        """Watch in a thread of its own; not in a process that no engine has started."""
        if self.liveness.has_engine:
            threading.Thread(target=self.run, name="engine-watch", daemon=True).start()

    def run(self) -> None:
        """Wait for the engine's end, then for the calls in progress, and end the process."""
        while self._lives():
            self.sleep(_PAUSE_S)
        deadline = self.clock() + GRACE_S
        while self.busy() and self.clock() < deadline:
            self.sleep(_PAUSE_S / 4)
        self.end(0)

    def _lives(self) -> bool:
        try:
            self.liveness.check()
        except EngineGone:
            return False
        return True


_ADDRESS = re.compile(r"(127\.0\.0\.1|localhost|\[::1\]):(\d+)")


def engine_argument(arguments: list[str]) -> str | None:
    """Return the engine's address among the arguments of a provider process, or None."""
    return next((each for each in arguments if _ADDRESS.fullmatch(each)), None)


def _engine_address(arguments: list[str]) -> tuple[str, int] | None:
    match = _ADDRESS.fullmatch(engine_argument(arguments) or "")
    return (match.group(1).strip("[]"), int(match.group(2))) if match else None


T = TypeVar("T")


class BackgroundLoop:
    """An event loop in a thread of its own, which is started with the first call.

    The dynamic provider is served by four threads; the core is asynchronous. Connections and the
    shared list calls live in this loop.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the shared loop, and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self._started()).result()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                target = self._loop.run_forever
                threading.Thread(target=target, name="flink-jobs", daemon=True).start()
            return self._loop


def main() -> None:
    """Run the module that the first argument names."""
    # A short run's CPU goes into imports, and an eighth of it into garbage collections: Python's
    # default is one for each 700 new objects.
    gc.set_threshold(100_000)
    _, module, *arguments = sys.argv
    EngineWatch(EngineLiveness(arguments), _was_called).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _was_called() -> bool:
    """Whether the engine has called the provider: which calls are in progress is not known here."""
    return any(each.name.startswith("ThreadPoolExecutor") for each in threading.enumerate())


if __name__ == "__main__":
    main()
