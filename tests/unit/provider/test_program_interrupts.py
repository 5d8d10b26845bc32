"""A program that its engine interrupts prints nothing about it."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import signal
from flink_jobs_provider.provider.program_interrupts import print_no_interrupts
print_no_interrupts()
print_no_interrupts()
"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("signal.raise_signal(signal.SIGINT)", ""),
        ("raise ValueError('of the program')", "ValueError: of the program\n"),
    ],
)
def test_an_interrupt_is_not_printed_and_an_error_is(end: str, told: str) -> None:
    """Shows that Python ends as ever, by the signal or with its traceback."""
    command = [sys.executable, "-c", _PROGRAM + end]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode != 0
    assert finished.stderr.endswith(told)
    assert bool(finished.stderr) is bool(told)


def test_what_others_print_stays_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    from flink_jobs_provider.provider.program_interrupts import print_no_interrupts

    def others(*_: object) -> None:
        """Print exceptions in another way."""

    monkeypatch.setattr(sys, "excepthook", others)
    print_no_interrupts()
    assert sys.excepthook is others
