"""Errors of ours leave the SDK's provider server without a traceback; others with one."""

from __future__ import annotations

import importlib.util
import traceback
from pathlib import Path
from types import ModuleType

import pytest
from pulumi.runtime.proto import provider_pb2, status_pb2

from flink_jobs_provider.engine.values import Secret, from_struct
from flink_jobs_provider.provider.dynamic import _add_partial, answer_in_words
from flink_jobs_provider.provider.run_output import FlinkJobError, Partial


@pytest.fixture
def server() -> ModuleType:
    """Return a module that is named as the SDK's server, and has not been run."""
    spec = importlib.util.find_spec("pulumi.dynamic.__main__")
    assert spec is not None
    made = importlib.util.module_from_spec(spec)
    made.traceback = traceback  # type: ignore[attr-defined]
    return made


def _source() -> str:
    """Return the source of the SDK's server."""
    spec = importlib.util.find_spec("pulumi.dynamic.__main__")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text(encoding="utf-8")


def answer(module: ModuleType, error: Exception) -> str:
    """Return what the server answers with."""
    try:
        raise error
    except (FlinkJobError, KeyError):
        text: str = module.traceback.format_exc()
        return text


def test_ours_and_others(server: ModuleType) -> None:
    answer_in_words(FlinkJobError, server)
    assert answer(server, FlinkJobError("orders: no")) == "orders: no"
    assert answer(server, KeyError("x")).startswith("Traceback (most recent call last):\n")
    assert server.traceback.format_tb is traceback.format_tb


def test_the_server_still_answers_so() -> None:
    """Shows that the SDK's server has what is replaced."""
    text = _source()
    assert "import traceback\n" in text
    assert "traceback.format_exc()" in text


class _Context:
    """Stands in for a call's context; keeps what is sent with its answer."""

    sent: tuple[tuple[str, bytes], ...] = ()

    def set_trailing_metadata(self, metadata: tuple[tuple[str, bytes], ...]) -> None:
        self.sent = metadata


def test_the_server_hands_a_partial_resource_on(server: ModuleType) -> None:
    """Shows it with the SDK's own wrapper, whose variables are what is read."""
    source = _source().rstrip()
    assert source.endswith("\nmain()"), "the module serves when it is run"
    exec(compile(source.removesuffix("main()"), "server", "exec"), server.__dict__)
    answer_in_words(FlinkJobError, server)
    context, request = _Context(), provider_pb2.CreateRequest()
    told = []
    context.abort = lambda code, text: told.append(text)  # type: ignore[attr-defined]

    def fail(_self: object, _request: object, _context: object) -> None:
        error = FlinkJobError("orders: main runs on")
        error.partial = Partial("orders", {"unconfirmed": "abc"})
        raise error

    server._abort_with_traceback(fail)(None, request, context)
    assert told == ["orders: main runs on"]
    [(key, value)] = context.sent
    assert key == "grpc-status-details-bin"
    failed = provider_pb2.ErrorResourceInitFailed()
    [detail] = status_pb2.Status.FromString(value).details
    assert detail.Unpack(failed)
    assert (failed.id, failed.properties["unconfirmed"]) == ("orders", "abc")


def test_a_partial_resource_keeps_what_is_secret() -> None:
    """Shows inputs of the version before, as an engine would mark none that is plain by now."""
    outputs = {"args": ["--key"], "parallelism": 2, "jar": "a", "job_id": "7548", "drain": False}
    partial = Partial("orders", outputs, {"args": True, "parallelism": False})
    request = provider_pb2.UpdateRequest()
    request.news.update({"args": [], "parallelism": 3, "jar": "b", "drain": False})
    context = _Context()
    _add_partial(partial, "no", request, context)
    failed = provider_pb2.ErrorResourceInitFailed()
    [detail] = status_pb2.Status.FromString(context.sent[0][1]).details
    assert detail.Unpack(failed)
    found = from_struct(failed.properties)
    assert found.pop("__provider", None) is None
    assert found == {**outputs, "args": Secret(["--key"]), "jar": Secret("a")}


def test_what_cannot_be_recorded_is_said(server: ModuleType) -> None:
    answer_in_words(FlinkJobError, server)
    error = FlinkJobError("orders: main runs on")
    error.partial = Partial("orders", {})
    assert answer(server, error).startswith("orders: main runs on The stack does not record this")


def test_other_modules_are_left_alone() -> None:
    module = ModuleType("__main__")
    module.traceback = traceback  # type: ignore[attr-defined]
    answer_in_words(FlinkJobError, module)
    assert module.traceback is traceback
