"""What is read of the counting job's output while it commits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.counting_output import assert_counts_continuous


def test_a_file_that_a_listing_missed_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / f"part-{number}" for number in (1, 2, 3)]
    for number, file in enumerate(files, 1):
        file.write_text(f"0,{number}\n", encoding="utf-8")
    listings = iter([files[:1] + files[2:], files, files])

    def listed(_directory: Path, _pattern: str) -> Iterator[Path]:
        return iter(next(listings))

    monkeypatch.setattr(Path, "glob", listed)
    assert assert_counts_continuous(tmp_path).by_key == {0: 3}
