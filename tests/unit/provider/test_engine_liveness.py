"""Whether the engine still lives: its process, and its address."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from flink_jobs_provider.model.errors import EngineGone
from flink_jobs_provider.provider.engine_liveness import EngineLiveness


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
