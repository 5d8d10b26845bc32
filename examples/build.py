#!/usr/bin/env python3
"""Build the example jars from their Java sources: `python examples/build.py [--check]`.

The jars are committed, so that the examples run where there is no JDK. Building them again takes a
`javac` (11 or newer) on the PATH; the same compiler gives the same bytes. They are compiled against
the oldest Flink they are meant for, and run unchanged on that and every later one.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from flink_jobs_provider.local.packages import fetch_flink

ROOT = Path(__file__).resolve().parent.parent
OLDEST_FLINK = "1.17.2"
JAVA_RELEASE = "11"
DIGEST_HEADER = "Sources-SHA-256"
COMPILER_HEADER = "Build-Jdk-Spec"


@dataclass(frozen=True)
class ExampleJar:
    """A jar of this repository: where it lies, its sources, and its default entry class."""

    path: Path
    source_roots: tuple[Path, ...]
    main_class: str

    @property
    def sources(self) -> list[Path]:
        """List the Java files in an order that is the same everywhere."""
        files = (file for root in self.source_roots for file in root.rglob("*.java"))
        return sorted(files, key=lambda file: file.relative_to(ROOT).as_posix())

    def source_digest(self) -> str:
        """Digest the names and contents of the sources, independent of line endings."""
        digest = hashlib.sha256()
        for file in self.sources:
            content = file.read_bytes().replace(b"\r\n", b"\n")
            digest.update(f"{file.relative_to(ROOT).as_posix()} {len(content)}\n".encode())
            digest.update(content)
        return digest.hexdigest()


_NUMBERS = ROOT / "examples/numbers/src"
_COUNTING = ROOT / "examples/counting/src"

COUNTING = ExampleJar(
    ROOT / "examples/counting/counting-job.jar",
    (_NUMBERS, _COUNTING),
    "flinkjobs.counting.CountingJob",
)
ALERTS = ExampleJar(
    ROOT / "examples/alerts/sensor-alerts.jar",
    (_NUMBERS, ROOT / "examples/alerts/src"),
    "flinkjobs.alerts.SensorAlertsJob",
)
TESTS = ExampleJar(
    ROOT / "tests/jobs/test-jobs.jar",
    (_NUMBERS, _COUNTING, ROOT / "tests/jobs/src"),
    "flinkjobs.tests.CountingJobV2",
)
JARS = (COUNTING, ALERTS, TESTS)


def read_manifest(jar: Path) -> dict[str, str]:
    """Return the main headers of a jar's manifest, continuation lines joined."""
    with zipfile.ZipFile(jar) as archive:
        text = archive.read("META-INF/MANIFEST.MF").decode()
    lines = text.replace("\r\n ", "").split("\r\n")
    return dict(line.split(": ", 1) for line in lines if line)


def read_classes(jar: Path) -> dict[str, bytes]:
    """Return the class files of a jar by their name."""
    with zipfile.ZipFile(jar) as archive:
        names = [name for name in archive.namelist() if name.endswith(".class")]
        return {name: archive.read(name) for name in names}


def compiler_version() -> str | None:
    """Return the feature release of the `javac` on the PATH, such as "17", or None without one."""
    if shutil.which("javac") is None:
        return None
    found = subprocess.run(["javac", "-version"], capture_output=True, text=True, check=False)
    words = (found.stdout + found.stderr).split()
    return words[1].split(".")[0] if found.returncode == 0 and len(words) > 1 else None


def compile_classes(jar: ExampleJar, flink_version: str = OLDEST_FLINK) -> dict[str, bytes]:
    """Compile the sources of a jar against a Flink version and return its class files."""
    libraries = fetch_flink(flink_version) / "lib"
    with tempfile.TemporaryDirectory() as scratch:
        # -g:source,lines: stack traces with line numbers, and nothing of the machine it ran on.
        command = ["javac", "--release", JAVA_RELEASE, "-g:source,lines", "-Werror", "-d", scratch]
        command += ["-proc:none", "-encoding", "UTF-8", "-cp", str(libraries / "*")]
        subprocess.run([*command, *map(str, jar.sources)], check=True)
        root = Path(scratch)
        return {
            file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*.class")
        }


def _manifest_lines(headers: Mapping[str, str]) -> Iterator[str]:
    for name, value in headers.items():
        line = f"{name}: {value}"
        # The jar format allows 72 bytes a line; what is longer goes on after a space.
        yield line[:70]
        rest = line[70:]
        while rest:
            yield f" {rest[:69]}"
            rest = rest[69:]


def write_jar(jar: ExampleJar, classes: Mapping[str, bytes], compiler: str) -> None:
    """Write the jar: sorted entries, one fixed time, stored; equal classes give equal bytes."""
    headers = {
        "Manifest-Version": "1.0",
        "Created-By": "examples/build.py",
        COMPILER_HEADER: compiler,
        "Main-Class": jar.main_class,
        DIGEST_HEADER: jar.source_digest(),
    }
    manifest = "".join(f"{line}\r\n" for line in _manifest_lines(headers)) + "\r\n"
    entries = {"META-INF/MANIFEST.MF": manifest.encode(), **dict(sorted(classes.items()))}
    with zipfile.ZipFile(jar.path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, content)


def is_current(jar: ExampleJar) -> bool:
    """Tell whether a jar was built from the sources that lie beside it."""
    return jar.path.exists() and read_manifest(jar.path)[DIGEST_HEADER] == jar.source_digest()


def main() -> int:
    """Build every jar, or with --check only tell which ones are older than their sources."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="build nothing; 1 if a jar is old")
    if parser.parse_args().check:
        old = [jar.path for jar in JARS if not is_current(jar)]
        for path in old:
            print(f"{path.relative_to(ROOT)} is older than its sources; run examples/build.py")
        return 1 if old else 0
    compiler = compiler_version()
    if compiler is None:
        print("There is no javac on the PATH; install a JDK (11 or newer).", file=sys.stderr)
        return 1
    for jar in JARS:
        write_jar(jar, compile_classes(jar), compiler)
        print(f"{jar.path.relative_to(ROOT)}  {jar.path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
