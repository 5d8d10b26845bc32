"""What all commands print alike: aligned columns, JSON, ages, errors."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {
    "RUNNING": "green",
    "running": "green",
    "FAILED": "red",
    "dead": "red",
    "RESTARTING": "yellow",
    "not ready": "yellow",
    "stopped": "dim",
}


def style_of(status: str) -> str:
    """Return the style that a status is printed in on a terminal; empty for most."""
    return _STYLES.get(status, "")


def console(*, error: bool = False) -> Console:
    """Return a console that neither wraps lines nor colours words of its own accord."""
    from rich.console import Console

    return Console(stderr=error, highlight=False, soft_wrap=True)


def say(line: str, *, error: bool = False) -> None:
    """Print a line."""
    print(printable(line), file=sys.stderr if error else sys.stdout)


def fail(message: str, code: int = 1) -> NoReturn:
    """Print an error and exit."""
    err = console(error=True)
    err.print("[red]error:[/red] ", end="")
    err.print(printable(message), markup=False)
    raise typer.Exit(code)


def say_json(document: Any) -> None:
    """Print a document as JSON."""
    print(json.dumps(document, indent=2, ensure_ascii=False))


def say_either(document: Mapping[str, Any], line: str, *, as_json: bool) -> None:
    """Print what a command did: as JSON, or as a line for people."""
    if as_json:
        say_json(document)
    else:
        say(line)


def say_table(
    headings: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[str] = ()
) -> None:
    """Print rows below their headings, in columns as wide as they need; statuses are coloured.

    The columns of the headings `right` are aligned to the right; None is printed as `-`.
    """
    from rich.text import Text

    out = console()
    cells = [[text(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    for number, row in enumerate([list(headings), *cells]):
        line = Text(style="dim" if number == 0 else "")
        for heading, cell, width in zip(headings, row, widths, strict=True):
            padded = cell.rjust(width) if heading in right else cell.ljust(width)
            line.append(padded, style=style_of(cell) if number else "")
            line.append("  ")
        line.rstrip()
        out.print(line)


def say_facts(facts: Mapping[str, object]) -> None:
    """Print names and values, a line each."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        say(f"{name.replace('_', ' '):<{width}}  {text(value)}")


def text(value: object) -> str:
    """Return a value for people; None, and an empty text, is `-`."""
    return printable(str(value)) if value is not None and value != "" else "-"


def printable(line: str) -> str:
    """Return a text without what a terminal would obey: names and causes come from programs."""
    from flink_jobs_provider.model.redaction import (
        without_controls,  # few commands print foreign text
    )

    return without_controls(line)


def ago(seconds: int | None) -> str | None:
    """Return an age in its two largest units, such as 3d4h, 2h05m, 40s."""
    if seconds is None:
        return None
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours}h"
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def size(count: int) -> str:
    """Return a number of bytes in a unit that people read."""
    from flink_jobs_provider.model.snapshot import size_text  # few commands need it

    return size_text(count)
