"""The committed jars are what their sources say."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from examples.build import (
    COMPILER_HEADER,
    DIGEST_HEADER,
    JARS,
    ExampleJar,
    compile_classes,
    compiler_version,
    read_classes,
    read_manifest,
    write_jar,
)
from tests.flink_cluster import FLINK_1, FLINK_2
from tests.job_jars import ALERTS_JAR, COUNTING_JAR, TEST_JOBS_JAR

each_jar = pytest.mark.parametrize("jar", JARS, ids=lambda jar: jar.path.stem)


def test_every_jar_is_looked_at() -> None:
    """The jars that tests run are the jars that are checked here."""
    assert {jar.path for jar in JARS} == {COUNTING_JAR, ALERTS_JAR, TEST_JOBS_JAR}


@each_jar
def test_the_jar_was_built_from_the_sources(jar: ExampleJar) -> None:
    """The digest in the manifest is that of the sources; if not, run examples/build.py."""
    manifest = read_manifest(jar.path)
    assert manifest[DIGEST_HEADER] == jar.source_digest()
    assert manifest["Main-Class"].replace(".", "/") + ".class" in read_classes(jar.path)


@each_jar
def test_the_jar_can_be_made_again_byte_by_byte(jar: ExampleJar, tmp_path: Path) -> None:
    """From the same classes the same file comes: order, times and modes are fixed."""
    copy = ExampleJar(tmp_path / jar.path.name, jar.source_roots, jar.main_class)
    write_jar(copy, read_classes(jar.path), read_manifest(jar.path)[COMPILER_HEADER])
    assert copy.path.read_bytes() == jar.path.read_bytes()


@each_jar
def test_the_manifest_keeps_to_the_format(jar: ExampleJar) -> None:
    """No manifest line is longer than the 72 bytes that the jar format allows."""
    with zipfile.ZipFile(jar.path) as archive:
        lines = archive.read("META-INF/MANIFEST.MF").split(b"\r\n")
    assert all(len(line) <= 70 for line in lines)


@each_jar
@pytest.mark.parametrize("version", [FLINK_1, FLINK_2])
def test_compiling_gives_the_committed_classes(jar: ExampleJar, version: str) -> None:
    """Compiled against each tested Flink, the classes are byte by byte those of the jar.

    So the jar is what its sources say, and links the same on every version.
    """
    compiler = compiler_version()
    if compiler is None:
        pytest.skip("there is no javac on the PATH to build the jars again with")
    built_with = read_manifest(jar.path)[COMPILER_HEADER]
    if compiler != built_with:
        pytest.skip(f"javac {compiler} writes other bytes than javac {built_with}")
    assert compile_classes(jar, version) == read_classes(jar.path)
