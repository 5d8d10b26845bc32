"""Every command that the documentation names exists, with its options."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from flink_jobs_provider.cli.app import app
from tests.unit.docs.pages import PAGES, PIPELINES, ROOT, blocks, name_of, spans

_SHELL = ("console", "sh", "bash", "yaml", "makefile", "text", "")
_ROOT = get_command(app)


def _lines() -> list[tuple[Path, str]]:
    """Return every line of code that may hold a command."""
    code = [(page, span) for page in PAGES for span in spans(page)]
    code += [
        (block.page, line)
        for block in blocks(*_SHELL)
        for line in block.text.replace("\\\n", " ").splitlines()
    ]
    code += [(page, line) for page in PIPELINES for line in page.read_text("utf-8").splitlines()]
    return code


def _commands(program: str) -> list[tuple[str, str]]:
    """Return page and command, from the program's name to the end of the command."""
    pattern = re.compile(rf"(?:^|[\s$(]|uv run ){re.escape(program)} ([^|;&#)\"]*)")
    return sorted(
        {(name_of(page), found) for page, line in _lines() for found in pattern.findall(line)}
    )


@pytest.mark.parametrize(("page", "command"), _commands("flink-jobs"))
def test_flink_jobs_commands_exist(page: str, command: str) -> None:
    """Shows that each command in the docs is one of the command line, with all its options."""
    where: Any = _ROOT
    path = "flink-jobs"
    words = shlex.split(command.replace("…", "").replace("[", "").replace("]", ""))
    while words and hasattr(where, "commands"):
        word = words.pop(0)
        if word == "--help":
            return
        if options := [each for each in where.params if word in each.opts]:
            words = words if options[0].is_flag else words[1:]
            continue
        assert word in where.commands, f"{page}: {path} {word}"
        where, path = where.commands[word], f"{path} {word}"
    known = {option for parameter in where.params for option in parameter.opts} | {"--help"}
    for word in words:
        if re.match(r"--?[a-zA-Z]", word):
            assert word.partition("=")[0] in known, f"{page}: {path} {word}"


@pytest.mark.parametrize(("page", "command"), _commands("make"))
def test_make_targets_exist(page: str, command: str) -> None:
    """Shows that each make target in the docs is one of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for word in (word for word in command.split() if "=" not in word):
        assert word in targets, f"{page}: make {word}"


def test_commands_are_found() -> None:
    """Shows that the two tests above look at something."""
    assert len(_commands("flink-jobs")) > 20
    assert len(_commands("make")) > 5
