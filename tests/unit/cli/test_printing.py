"""What commands print for people."""

from __future__ import annotations

import pytest

from flink_jobs_provider.cli.printing import printable, say, say_facts, say_table

TITLE = "\x1b]0;owned\x07"


def test_what_a_terminal_would_obey_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Shows it of a job's name, a cause, and a line; tabs and lines of a trace stay."""
    say(f"cause {TITLE}\x9b31m")
    say_facts({"name": TITLE})
    say_table(["job"], [[TITLE]])
    out = capsys.readouterr().out
    assert "owned" in out
    assert not {"\x1b", "\x07", "\x9b"} & set(out)
    assert printable("a\n\tat b") == "a\n\tat b"
    assert printable("\u202ecba") == "\N{REPLACEMENT CHARACTER}cba"


def test_what_is_unknown_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    say_facts({"job_id": "", "age": None, "restarts": 0})
    assert capsys.readouterr().out.split() == ["job", "id", "-", "age", "-", "restarts", "0"]
