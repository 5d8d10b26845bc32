"""The command that runs the benchmarks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.bench import __main__ as command
from tests.bench import creation
from tests.bench.comparison import Comparison, Measured

_NAMES = (
    "submission",
    "concurrent_creation",
    "creation",
    "gateway_actions",
    "gateway_records",
    "portal_viewers",
    "state_check",
    "unchanged",
)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Have benchmarks that measure nothing; return where the page is written."""
    written = tmp_path / "benchmarks.md"
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "PAGE", written)
    monkeypatch.setattr(command, "end_orphans", lambda: None)
    for name in _NAMES:
        found = Measured(f"About {name}", "How.", [Comparison("x", [1.0], [2.0])])
        monkeypatch.setattr(getattr(command, name), "measure", lambda *_, found=found: found)
    return written


def _run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["bench", *words])
    return command.main()


def test_one_that_is_named_is_printed_alone(
    written: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shows that the page stays as it is: its figures are of one run of all."""
    assert _run(monkeypatch, "gateway-records") == 0
    printed = capsys.readouterr().out
    assert "## About gateway_records" in printed
    assert "## About creation" not in printed
    assert not written.exists()


def test_all_of_them_write_the_page(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _run(monkeypatch) == 0
    assert all(f"## About {name}" in written.read_text() for name in _NAMES)


def test_what_was_found_is_printed_before_a_later_one_fails(
    written: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> Measured:
        raise RuntimeError

    monkeypatch.setattr(creation, "measure", fails)
    with pytest.raises(RuntimeError):
        _run(monkeypatch)
    assert "## About submission" in capsys.readouterr().out
    assert not written.exists()
