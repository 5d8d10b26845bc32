"""The storage of the job service: what was read there, and what a test changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from flink_jobs_provider import artifacts
from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes import uploaded_jars
from flink_jobs_provider.model.errors import JarMissing
from tests.contract.dli.stack import STORED


@pytest.fixture(autouse=True)
def storage(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Give the digests of the jars in the storage, by URI."""

    def open_jar(uri: str) -> Jar:
        if uri not in STORED:
            raise JarMissing(f"{uri} does not exist")
        return Jar(uri, Path(uri), STORED[uri], "")

    def file_exists(uri: str) -> bool:
        return uri in STORED if uri.startswith(("abfs:", "obs:")) else artifacts.file_exists(uri)

    monkeypatch.setattr(uploaded_jars, "open_jar", open_jar)
    monkeypatch.setattr(uploaded_jars, "file_exists", file_exists)
    STORED.clear()
    return STORED
