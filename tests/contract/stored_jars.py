"""The storage that a job service in memory reads jars from: what was read there, by URI."""

from __future__ import annotations

from pathlib import Path

import pytest

from flink_jobs_provider import artifacts
from flink_jobs_provider.artifacts import Jar, uploaded_jars
from flink_jobs_provider.model.errors import JarMissing

#: The digests of what lies there. A stack writes what it read; a test changes it.
STORED: dict[str, str] = {}


def _open_jar(uri: str) -> Jar:
    if uri not in STORED:
        raise JarMissing(f"{uri} does not exist")
    return Jar(uri, Path(uri), STORED[uri], "")


def _file_exists(uri: str) -> bool:
    return uri in STORED if uri.startswith(("abfs:", "obs:")) else artifacts.file_exists(uri)


@pytest.fixture(autouse=True)
def storage(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the digests of the jars in the storage, by URI; take it into a folder's conftest."""
    monkeypatch.setattr(uploaded_jars, "open_jar", _open_jar)
    monkeypatch.setattr(uploaded_jars, "file_exists", _file_exists)
    STORED.clear()
    return STORED
