"""The jars that tests run: the examples, and the jobs that fail in a known way.

The entry classes of TEST_JOBS_JAR, in package `flinkjobs.tests`, are described where they are
declared, under tests/jobs/src. Unless said otherwise they are CountingJob with its arguments and
its state, and one thing different.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COUNTING_JAR = ROOT / "examples/counting/counting-job.jar"
ALERTS_JAR = ROOT / "examples/alerts/sensor-alerts.jar"
TEST_JOBS_JAR = ROOT / "tests/jobs/test-jobs.jar"


def entry_class(name: str) -> str:
    """Return the full name of an entry class of TEST_JOBS_JAR."""
    return f"flinkjobs.tests.{name}"


def copy_with_other_bytes(jar: Path, target: Path, note: str = "other") -> Path:
    """Copy a jar and add an entry that nothing reads: the same behaviour, another digest."""
    shutil.copyfile(jar, target)
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr(zipfile.ZipInfo("META-INF/note.txt"), note)
    return target
