"""The strict YAML loader of job files and configurations: it drops and guesses nothing."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import yaml

from flink_jobs_provider.model.errors import SetupError
from flink_jobs_provider.model.redaction import may_hold_secret

#: The path of a value in a document.
Location = tuple[str | int, ...]

_MERGE = "tag:yaml.org,2002:merge"
_BOOLEAN = "tag:yaml.org,2002:bool"
_SURE = ("true", "false")
#: The most values of a file, aliases written out: what reads it goes through each of them.
_MOST_VALUES = 100_000


class UnreadableFile(SetupError):
    """A file that cannot be read, or is no YAML; the text names it and the reason, in one line.

    Attributes:
        reason: Why, without the file.
        line: The line of the mistake, from 1; 0 where it is none of one line.
        column: Its column, from 1.
        caret: That line of the file, and below it a caret at the column; empty where there is none,
            or where that line may hold a secret.
    """

    def __init__(
        self, path: Path, reason: str, *, line: int = 0, column: int = 0, caret: str = ""
    ) -> None:
        self.reason, self.line, self.column, self.caret = reason, line, column, caret
        super().__init__(f"{path} {reason}")


@dataclass(frozen=True)
class Document:
    """A file's content, and where in the file its values are.

    Attributes:
        content: What the file holds.
        lines: The line of each value, from 1, by the value's path. That of a map's entry is the
            line of its key.
        words: Words that YAML reads as booleans, such as `no`, by their path.
    """

    content: Any
    lines: dict[Location, int] = field(default_factory=dict)
    words: dict[Location, str] = field(default_factory=dict)

    def line(self, path: Location) -> int:
        """Return the line of a value, or of the nearest one that holds it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class _StrictLoader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[Hashable, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                reason = f"duplicate key {key!r}, given in line {seen[key]} already"
                raise yaml.constructor.ConstructorError(None, None, reason, key_node.start_mark)
            seen[key] = key_node.start_mark.line + 1
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML (or JSON) file.

    Raises:
        UnreadableFile: It is missing, cannot be read, or is no YAML.
    """
    return read_document(path).content


def read_document(path: Path) -> Document:
    """Return the content of a YAML (or JSON) file, and the lines of its values.

    Raises:
        UnreadableFile: It is missing, cannot be read, or is no YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UnreadableFile(path, f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UnreadableFile(path, "is not YAML: it is not UTF-8 text") from None
    loader = _StrictLoader("")
    try:
        loader = _StrictLoader(text)
        node = loader.get_single_node()
        if node and _values(node, {}) > _MOST_VALUES:
            raise UnreadableFile(
                path, f"has more than {_MOST_VALUES:,} values, its aliases (*name) written out"
            )
        document = Document(loader.construct_document(node) if node else None)
    except yaml.MarkedYAMLError as error:
        raise _invalid(path, text, error) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise UnreadableFile(path, f"is not YAML{_character(error)}") from None
    finally:
        loader.dispose()
    if node:
        _locate(node, (), document, set())
    return document


def _values(node: yaml.Node, known: dict[int, float]) -> float:
    """Return how many values a node is with what is below it; infinite where it holds itself."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in known:
        known[id(node)] = inf
        pairs = isinstance(node, yaml.MappingNode)
        below = [each[1] for each in node.value] if pairs else node.value
        known[id(node)] = 1 + sum(_values(each, known) for each in below)
    return known[id(node)]


def _invalid(path: Path, text: str, error: yaml.MarkedYAMLError) -> UnreadableFile:
    """Return the error of a mark; a line that may hold a secret is not quoted."""
    mark = error.problem_mark or error.context_mark
    reason = error.problem or error.context or "invalid"
    if mark is None:
        return UnreadableFile(path, f"is not YAML: {reason}")
    line, column = mark.line + 1, mark.column + 1
    rows = text.splitlines()
    row = rows[mark.line] if mark.line < len(rows) else ""
    quoted = row and not may_hold_secret(row)
    caret = f"{row}\n{' ' * mark.column}^" if quoted else ""
    where = f"line {line}, column {column}"
    return UnreadableFile(
        path, f"is not YAML: {where}: {reason}", line=line, column=column, caret=caret
    )


def _character(error: Exception) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        return f": the character {error.character!r} is not allowed"
    return ""


def _locate(node: yaml.Node, path: Location, document: Document, walked: set[int]) -> None:
    """Record the lines of a value and of what is below it.

    What an alias stands for is walked once: aliases of aliases would grow without bound.
    """
    document.lines.setdefault(path, node.start_mark.line + 1)
    if id(node) in walked:
        return
    walked.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*path, str(key.value))
            document.lines[below] = key.start_mark.line + 1
            _locate(value, below, document, walked)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _locate(value, (*path, index), document, walked)
    elif node.tag == _BOOLEAN and node.value.lower() not in _SURE:
        document.words[path] = node.value
