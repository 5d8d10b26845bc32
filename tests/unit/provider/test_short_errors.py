"""Errors of ours leave the SDK's provider server without a traceback; others with one."""

from __future__ import annotations

import importlib.util
import traceback
from types import ModuleType

import pytest

from flink_jobs_provider.provider.service import FlinkJobError
from flink_jobs_provider.provider.short_errors import answer_in_words


@pytest.fixture
def server() -> ModuleType:
    """Give a module that is named as the SDK's server, and has not been run."""
    spec = importlib.util.find_spec("pulumi.dynamic.__main__")
    assert spec is not None
    made = importlib.util.module_from_spec(spec)
    made.traceback = traceback  # type: ignore[attr-defined]
    return made


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
    spec = importlib.util.find_spec("pulumi.dynamic.__main__")
    assert spec is not None
    assert spec.origin is not None
    with open(spec.origin, encoding="utf-8") as source:
        text = source.read()
    assert "import traceback\n" in text
    assert "traceback.format_exc()" in text


def test_other_modules_are_left_alone() -> None:
    module = ModuleType("__main__")
    module.traceback = traceback  # type: ignore[attr-defined]
    answer_in_words(FlinkJobError, module)
    assert module.traceback is traceback
