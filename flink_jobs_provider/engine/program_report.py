"""The resources that the user's program has declared, which its process writes to a file.

The engine learns of a resource when all its inputs are known, which for one that depends on a
failed create is never. The program's process knows each when it is constructed.
"""

import json
import os
import tempfile
from dataclasses import dataclass
from typing import IO


@dataclass(frozen=True)
class Declared:
    """What a program has declared.

    Attributes:
        resources: Type and name of each, in the program's order.
        complete: Whether the program's last line was reached.
    """

    resources: tuple[tuple[str, str], ...] = ()
    complete: bool = False


def open_report() -> IO[bytes]:
    """Return the file for a program's process to write to."""
    return tempfile.TemporaryFile()


def write_resource(report: int, type_: str, name: str) -> None:
    """Add a resource to the report with this file descriptor."""
    os.write(report, json.dumps([type_, name]).encode() + b"\n")


def write_end(report: int) -> None:
    """Add to the report that the program's last line was reached."""
    os.write(report, b"null\n")


def read_report(report: IO[bytes]) -> Declared:
    """Return what was written, but for a line that a killed process did not finish."""
    report.seek(0)
    lines = [json.loads(line) for line in report if line.endswith(b"\n")]
    resources = tuple((line[0], line[1]) for line in lines if line)
    return Declared(resources, None in lines)
