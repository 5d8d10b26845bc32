"""What the engine starts without: imports are counted, not seconds, which depend on the machine."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from pulumi.runtime.proto import provider_pb2 as of_the_sdk

from flink_jobs_provider.engine.protocols import provider_pb2

_CODE = """
import json, sys
import flink_jobs_provider.engine.commands
print(json.dumps(sorted(sys.modules)))
"""


def _loaded(code: str) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(run.stdout))


@pytest.mark.process
def test_an_engine_loads_neither_the_sdk_nor_a_client() -> None:
    """Shows that it takes of the SDK the messages of its protocols alone."""
    loaded = _loaded(_CODE)
    assert "flink_jobs_provider.engine.protocols.provider_pb2" in loaded
    heavy = {"fsspec", "httpx", "opentelemetry", "pulumi", "pydantic", "tenacity"}
    assert sorted(heavy.intersection(loaded)) == []


def test_the_messages_are_those_of_the_sdk() -> None:
    """Shows that both can be loaded in one process."""
    assert provider_pb2.CheckRequest is of_the_sdk.CheckRequest
