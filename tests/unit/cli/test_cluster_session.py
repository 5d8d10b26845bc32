"""The target of a command: what of a target file is used, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flink_jobs_provider.cli.app import app

BEHIND = (
    "and this command speaks to Flink itself. If a gateway serves it, give the address of the "
    "Flink cluster behind it (--url), or to a command that only reads that of the gateway "
    "(--gateway); a job in a cloud is managed in its console."
)


def said_of(*words: str) -> str:
    """Return what `flink-jobs jobs list` says of a wrong target, its lines joined."""
    result = CliRunner().invoke(app, ["jobs", "list", *words])
    assert result.exit_code == 1
    return " ".join(result.output.split())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: hdinsight\nsubscription: s\n", f"FILE is a target of HDInsight, {BEHIND}"),
        ("kind: dli\nproject_id: p\n", f"FILE is a target of Data Lake Insight, {BEHIND}"),
        ("kind: yarn\nurl: http://h\n", "FILE: target.kind: must be flink (got 'yarn')"),
        ("kind: [flink]\n", "FILE: target.kind: must be flink (got ['flink'])"),
        ("url: nowhere\n", "FILE: target.url: must be a URL such as http://host:8081"),
        (
            "url: http://h\nurls: x\nbearer_token: hunter2\n",
            "FILE: target.bearer_token: must be a reference, env:NAME or config:KEY, so that the "
            "secret stays out of the state FILE: target.urls: is not a property of this kind of "
            "target; did you mean url?",
        ),
        ("url: 'http://h '\n", "FILE: target.url: must be given without blanks around it"),
        ("headers: {}\n", "FILE: target.url: is required"),
        ("just text\n", "FILE: target: must be an object"),
        ("", "FILE: target: must be an object"),
        (
            "url: http://h\nurl: http://i\n",
            "FILE is not YAML: line 2, column 1: duplicate key 'url'",
        ),
        ("url: [\n", "FILE is not YAML: line 2, column 1: "),
    ],
)
def test_target_files(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "target.yaml"
    path.write_text(text)
    found = said_of("--target-file", str(path))
    assert found.startswith(f"error: {said.replace('FILE', str(path))}")
    assert "hunter2" not in found


def test_a_target_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "target.yaml"
    path.write_bytes(b"url: \xff\n")
    assert f"{path} is not YAML: " in said_of("--target-file", str(path))


def test_a_wrong_address() -> None:
    assert said_of("--url", "nowhere").startswith("error: --url: must be a URL such as")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: gateway\n", "FILE: url: is required"),
        ("kind: gateway\nurl: nowhere\n", "FILE: url: must be a URL such as http://host:8081"),
        (
            "kind: gateway\nurl: http://h\nbearer_token: hunter2\n",
            "FILE: bearer_token: must be a reference, env:NAME or config:KEY",
        ),
        (
            "kind: gateway\nurl: http://h\ntoken: x\n",
            "FILE: token: is not a property that is known here; known are ",
        ),
        (
            "kind: gateway\nurl: http://h\nbearer_token: env:NOT_SET\n",
            "bearer_token refers to env:NOT_SET, and there is no such environment variable. "
            "Set NOT_SET",
        ),
    ],
)
def test_target_files_of_gateways(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "gateway-target.yaml"
    path.write_text(text)
    found = said_of("--target-file", str(path))
    assert found.startswith(f"error: {said.replace('FILE', str(path))}")
    assert "hunter2" not in found


@pytest.mark.parametrize(
    "words",
    [
        ["stop", "orders"],
        ["savepoint", "orders"],
        ["cancel", "orders", "--yes"],
        ["savepoints", "orders"],
    ],
    ids=lambda words: words[0],
)
def test_commands_that_act_refuse_a_gateway(tmp_path: Path, words: list[str]) -> None:
    path = tmp_path / "gateway-target.yaml"
    path.write_text("kind: gateway\nurl: http://h\n")
    result = CliRunner().invoke(app, ["jobs", *words, "--target-file", str(path)])
    assert result.exit_code == 1
    assert f"{path} is a gateway, and this command speaks to Flink itself" in " ".join(
        result.output.split()
    )


def test_one_place_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that two are refused, unless one of them is the environment's."""
    both = "error: --gateway must not be given with --url or --target-file"
    assert said_of("--gateway", "http://g", "--url", "http://h").startswith(both)
    assert said_of("--gateway", "http://g", "--target-file", "f.yaml").startswith(both)
    monkeypatch.setenv("FLINK_JOBS_URL", "http://h")
    monkeypatch.delenv("FLINK_JOBS_GATEWAY_TOKEN", raising=False)
    assert "FLINK_JOBS_GATEWAY_TOKEN" in said_of("--gateway", "http://g")
    assert said_of("--gateway", "nowhere").startswith("error: --gateway: url: must be a URL")
    assert "none is given" in said_of("--cluster", "one")
