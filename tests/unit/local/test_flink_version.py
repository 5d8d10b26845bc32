"""What is derived from a Flink version."""

from __future__ import annotations

import pytest

from flink_jobs_provider.local.errors import LocalClusterError
from flink_jobs_provider.local.flink_version import DEFAULT_FLINK_VERSION, FlinkVersion


@pytest.mark.parametrize(
    ("version", "java", "file"),
    [
        ("1.17.2", (8, 11, 17), "flink-conf.yaml"),
        ("1.18.1", (8, 11, 17), "flink-conf.yaml"),
        ("1.19.3", (8, 11, 17, 21), "config.yaml"),
        ("1.20.5", (8, 11, 17, 21), "config.yaml"),
        (DEFAULT_FLINK_VERSION, (11, 17, 21), "config.yaml"),
    ],
)
def test_java_and_configuration_file(version: str, java: tuple[int, ...], file: str) -> None:
    """Each version runs on certain Javas and reads a certain file."""
    flink = FlinkVersion.parse(version)
    assert flink.java_releases == java
    assert flink.configuration_file == file
    assert str(flink) == version


@pytest.mark.parametrize("text", ["", "2", "2.3", "2.3.0-SNAPSHOT", "v2.3.0", "2.3.0 "])
def test_not_a_version(text: str) -> None:
    """Anything but three numbers is refused with an example of what is right."""
    with pytest.raises(LocalClusterError, match=r"such as 2\.3\.0"):
        FlinkVersion.parse(text)


@pytest.mark.parametrize("text", ["0.9.0", "1.9.3", "1.16.3"])
def test_too_old(text: str) -> None:
    """Versions that nothing here was tested with are refused by name."""
    with pytest.raises(LocalClusterError, match=f"Flink {text} is too old"):
        FlinkVersion.parse(text)
