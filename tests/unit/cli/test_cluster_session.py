"""The target of a command: what of a target file is used, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flink_jobs_provider.cli.app import app


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: hdinsight\nsubscription: s\n", "is a target of HDInsight, and this command speaks"),
        ("url: nowhere\n", "the target is wrong: url: must be a URL"),
        ("url: http://h\nbearer_token: hunter2\n", "bearer_token: must be a reference"),
        ("url: [\n", "cannot be read"),
        ("just text\n", "the target is wrong: it: Input should be a valid dictionary"),
    ],
)
def test_target_files(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "target.yaml"
    path.write_text(text)
    result = CliRunner().invoke(app, ["jobs", "list", "--target-file", str(path)])
    assert result.exit_code == 1
    assert said in " ".join(result.output.split())
    assert "hunter2" not in result.output
