"""Whether the engine still lives: its process, and its address."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from flink_jobs_provider.model.errors import EngineGone
from flink_jobs_provider.provider.process import (
    GRACE_S,
    CallsInProgress,
    EngineLiveness,
    EngineWatch,
)


@pytest.fixture
def engine() -> Iterator[socket.socket]:
    """Listen on loopback as an engine does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def _address(server: socket.socket) -> str:
    return f"127.0.0.1:{server.getsockname()[1]}"


def test_it_lives(engine: socket.socket) -> None:
    EngineLiveness([_address(engine)]).check()


def test_its_address_refuses(engine: socket.socket) -> None:
    """Shows an engine that was killed while a shell between it and the provider lives on."""
    liveness = EngineLiveness(["--logtostderr", _address(engine)])
    liveness.check()
    engine.close()
    with pytest.raises(EngineGone, match="Nothing more was begun"):
        liveness.check()


def test_its_process_has_gone(engine: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    liveness = EngineLiveness([_address(engine)])
    monkeypatch.setattr(os, "getppid", lambda: 1)
    with pytest.raises(EngineGone):
        liveness.check()


def test_trouble_with_the_network_is_no_sign_of_death(
    engine: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    liveness = EngineLiveness([_address(engine)])

    def out_of_sockets(*_args: object, **_options: object) -> None:
        raise OSError("Too many open files")

    monkeypatch.setattr(socket, "create_connection", out_of_sockets)
    liveness.check()


@pytest.mark.parametrize(
    "arguments", [[], ["--tracing", "x"], ["example.com:80"], ["not-a-port:x"]]
)
def test_without_an_address_the_process_alone_tells(arguments: list[str]) -> None:
    EngineLiveness(arguments).check()


class Engine:
    """An engine that dies after so many looks, and a clock that sleeping moves on."""

    def __init__(self, looks: int) -> None:
        self.looks = looks
        self.now = 0.0
        self.died = 0.0
        self.ended_at: float | None = None

    def check(self) -> None:
        """Count a look."""
        self.looks -= 1
        if self.looks < 0:
            self.died = self.died or self.now
            raise EngineGone("gone")

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def end(self, _code: int) -> None:
        """Note down when the process ended."""
        self.ended_at = self.now

    def watched(self, busy_until: float) -> float:
        """Return how long after the engine's death a process ends that is busy until then."""
        liveness: EngineLiveness = self  # type: ignore[assignment]
        EngineWatch(
            liveness, lambda: self.now < busy_until, self.end, self.sleep, lambda: self.now
        ).run()
        assert self.ended_at is not None
        return self.ended_at - self.died


@pytest.mark.parametrize(
    ("busy_for", "least", "most"),
    [(0.0, 0.0, 0.0), (10.0, 10.0, 11.0), (3600.0, GRACE_S, GRACE_S + 1)],
    ids=["idle", "busy", "busy for too long"],
)
def test_it_ends_after_its_engine(busy_for: float, least: float, most: float) -> None:
    engine = Engine(looks=4)
    dies = 4 * 2.0
    assert least <= engine.watched(dies + busy_for) <= most < 60
    assert engine.died == dies


def test_calls_are_counted() -> None:
    calls = CallsInProgress()
    assert not calls
    with calls.one():
        with calls.one():
            assert calls
        assert calls
    assert not calls


def test_a_process_that_no_engine_started_is_not_watched() -> None:
    EngineWatch(EngineLiveness([]), lambda: False).start()
    assert all(thread.name != "engine-watch" for thread in threading.enumerate())


@pytest.mark.process
def test_a_provider_that_was_never_called_ends_with_its_engine() -> None:
    """Shows the embedded engine's: its process, and an address that refuses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        command = [sys.executable, "-u", "-m", "flink_jobs_provider.provider.process"]
        # A parent between, as with the Pulumi CLI: the address alone tells.
        provider = subprocess.Popen(
            [*command, "pulumi.dynamic", address], stdout=subprocess.PIPE, text=True
        )
        try:
            assert provider.stdout is not None
            assert int(provider.stdout.readline()) > 0, "it serves"
            assert provider.poll() is None
            server.close()
            assert provider.wait(timeout=60) == 0
        finally:
            provider.kill()
            provider.communicate()
