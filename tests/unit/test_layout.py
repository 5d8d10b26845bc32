"""The shape of the source: files of a size to be read, under names that say which one is meant."""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from tests.unit.docs.pages import ROOT

_PACKAGE = ROOT / "flink_jobs_provider"
_FILES = sorted(_PACKAGE.rglob("*.py"))
#: Folders of one system or API each: what is alike in them has the same name on purpose.
_SYSTEMS = {"flink", "hdinsight", "dli", "monitoring"}
#: How many names are used in several rooms. New ones are to be told apart: this only falls.
_NAMES_IN_SEVERAL_ROOMS = 3
#: Lines of a file that is read in one go.
_MOST_LINES = 400


def _room(file: Path) -> Path:
    folder = file.parent.relative_to(_PACKAGE)
    return folder.parent if folder.name in _SYSTEMS else folder


def test_few_names_are_used_in_several_rooms() -> None:
    """Shows that a file's name, but for those of systems and APIs, mostly says which one it is."""
    rooms: dict[str, set[Path]] = defaultdict(set)
    for file in _FILES:
        if file.name != "__init__.py":
            rooms[file.name].add(_room(file))
    several = sorted(name for name, found in rooms.items() if len(found) > 1)
    assert len(several) <= _NAMES_IN_SEVERAL_ROOMS, several


def test_no_file_is_long() -> None:
    """Shows that each file can be read in one go; what is generated below it does not count."""
    lengths = {
        file.relative_to(_PACKAGE).as_posix(): len(
            file.read_text(encoding="utf-8")
            .partition("\n# Below this line: written by ")[0]
            .splitlines()
        )
        for file in _FILES
    }
    longer = {name: length for name, length in lengths.items() if length > _MOST_LINES}
    assert not longer


def test_make_test_runs_every_folder_of_tests() -> None:
    """Shows that the parts of `make test` leave out none, and run none twice."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    in_memory = re.search(r"^UNIT := (.*)$", makefile, re.MULTILINE)
    assert in_memory
    named = {Path(word).parts[1] for word in in_memory[1].split()}
    named |= {Path(word).parts[1] for word in re.findall(r" (tests/\w+)(?= |$)", makefile)}
    there = {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").rglob("test_*")}
    assert there <= named


@pytest.mark.process
def test_nothing_that_git_ignores_is_committed() -> None:
    """Shows that what is installed or written in the repository, as by npm, is no part of it."""
    command = ["git", "ls-files", "--ignored", "--cached", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert listed.stdout.splitlines() == []
