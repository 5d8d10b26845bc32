"""`flink-jobs gateway` on the command line: configuration and tokens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

from flink_jobs_provider.cli.app import app
from flink_jobs_provider.gateway.auth.tokens import KnownTokens, read_tokens
from flink_jobs_provider.gateway.principal import Principal, Role

POOL = "/subscriptions/0000/resourceGroups/g/providers/Microsoft.HDInsight/clusterpools/p/clusters"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write(tmp_path)


def write(directory: Path, **more: Any) -> Path:
    path = directory / "gateway.yaml"
    clusters = [
        {"id": f"{POOL}/{name}", "flink": {"url": "http://127.0.0.1:8081"}}
        for name in ("One", "Two")
    ]
    content = {"clusters": clusters, "access": {"tokens_file": "tokens.yaml"}, **more}
    path.write_text(yaml.safe_dump(content))
    return path


def gateway(config: Path, *words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["gateway", *words, "--config", str(config)])
    assert result.exit_code == code, result.output
    return result


def create(config: Path, name: str, *options: str) -> str:
    return gateway(config, "token", "create", name, *options).stdout.strip()


def test_a_token_from_creation_to_revocation(config: Path) -> None:
    """Create prints it once, list names it, a gateway knows it, revoke takes it back."""
    path = config.parent / "tokens.yaml"
    options = ["--role", "operate", "--cluster", "one", "--cluster", f"{POOL}/TWO"]
    token = create(config, "ci", *options, "--expires", "90d")
    keys = [f"{POOL}/{name}".lower() for name in ("one", "two")]
    assert KnownTokens(path).principal(token) == Principal("ci", dict.fromkeys(keys, Role.OPERATE))

    create(config, "dashboard", "--role", "read", "--cluster", "*")
    listed = gateway(config, "token", "list").stdout
    assert "operate on one, operate on two" in listed
    assert "read on *" in listed
    assert "never" in listed
    plain = json.loads(gateway(config, "token", "list", "--json").stdout)
    assert [row["name"] for row in plain] == ["ci", "dashboard"]
    assert plain[0]["expires"] > plain[0]["created"]
    for text in (listed, json.dumps(plain), path.read_text()):
        assert token not in text
    assert "sha256" not in json.dumps(plain)

    gateway(config, "token", "revoke", "ci")
    assert KnownTokens(path).principal(token) is None
    assert [row.name for row in read_tokens(path).tokens] == ["dashboard"]


def test_only_the_token_is_on_standard_output(config: Path) -> None:
    """Shows that a script can keep it in a variable."""
    result = gateway(config, "token", "create", "ci", "--role", "read", "--cluster", "one")
    assert result.stdout.startswith("fjg_")
    assert len(result.stdout.split()) == 1
    assert result.stderr == ("Token ci may read. It was written to standard output, this once.\n")


def test_on_a_terminal_the_token_is_shown(config: Path) -> None:
    """Shows that it follows what announces it, and that nothing is announced otherwise."""
    reader, terminal = os.openpty()
    words = ["gateway", "token", "create", "ci", "--role", "read", "--cluster", "one"]
    main = "from flink_jobs_provider.cli import main; main()"
    with os.fdopen(reader, "rb", buffering=0) as shown:
        subprocess.run(
            [sys.executable, "-c", main, *words, "--config", str(config)],
            stdout=terminal,
            stderr=terminal,
            check=True,
        )
        os.close(terminal)
        lines = shown.read(4096).decode().split()
    assert lines[-3:-1] == ["this", "once:"]
    assert lines[-1].startswith("fjg_")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--role", "admin", "--cluster", "one"], "--role must be read or operate"),
        (["--role", "read", "--cluster", "three"], "--cluster must be one of the configuration's"),
        (["--role", "read", "--cluster", "one", "--expires", "90"], "--expires must be a duration"),
        (["--role", "read", "--cluster", "one", "--expires", "0d"], "--expires must be a duration"),
    ],
)
def test_wrong_options_make_no_token(config: Path, words: list[str], said: str) -> None:
    assert said in gateway(config, "token", "create", "ci", *words, code=1).stderr
    assert not (config.parent / "tokens.yaml").exists()


def test_a_name_is_taken_once(config: Path) -> None:
    create(config, "ci", "--role", "read", "--cluster", "one")
    again = ["token", "create", "ci", "--role", "read", "--cluster", "one"]
    assert "named ci already" in gateway(config, *again, code=1).stderr
    assert "no token named cj" in gateway(config, "token", "revoke", "cj", code=1).stderr


def test_a_configuration_without_tokens_file_is_told(tmp_path: Path) -> None:
    issuer = {"issuer": "https://i.test", "audience": ["a"], "grants": {"R": {"*": "read"}}}
    config = write(tmp_path, access={"issuers": [issuer]})
    assert "no access.tokens_file" in gateway(config, "token", "list", code=1).stderr


def test_check_config_looks_at_what_the_file_names(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows the way from nothing to a right configuration, each step told in a line."""
    said = gateway(config, "check-config", code=1).stderr
    assert "tokens.yaml cannot be read" in said
    assert "`flink-jobs gateway token create` makes it" in said
    create(config, "ci", "--role", "read", "--cluster", "one")
    assert "2 clusters at http://127.0.0.1:8090" in gateway(config, "check-config").stdout

    monkeypatch.delenv("NO_SUCH_VARIABLE", raising=False)
    write(tmp_path, database="env:NO_SUCH_VARIABLE")
    assert "database refers to env:NO_SUCH" in gateway(config, "check-config", code=1).stderr
    flink = {"url": "http://127.0.0.1:8081", "bearer_token": "env:NO_SUCH_VARIABLE"}
    write(tmp_path, clusters=[{"id": f"{POOL}/One", "flink": flink}])
    assert "target.bearer_token refers to" in gateway(config, "check-config", code=1).stderr

    tls = {"certificate_file": "cert.pem", "key_file": "key.pem"}
    write(tmp_path, listen={"tls": tls})
    assert "cert.pem cannot be read" in gateway(config, "check-config", code=1).stderr
    certificate = trustme.CA().issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    (tmp_path / "key.pem").chmod(0o600)
    assert "https://127.0.0.1:8090" in gateway(config, "check-config").stdout
    trustme.CA().issue_cert("127.0.0.1").private_key_pem.write_to_path(tmp_path / "key.pem")
    assert "belong together" in gateway(config, "check-config", code=1).stderr

    os.chmod(tmp_path / "tokens.yaml", 0o644)
    write(tmp_path)
    assert "chmod 600" in gateway(config, "check-config", code=1).stderr


def test_a_wrong_configuration_is_told_line_by_line(tmp_path: Path) -> None:
    config = write(tmp_path, port=1, listen={"port": -1})
    said = gateway(config, "check-config", code=1).stderr
    assert "port is not a property that is known here" in said
    assert "listen.port must be greater" in said
    assert "Traceback" not in said


def test_the_schema_is_printed() -> None:
    result = CliRunner().invoke(app, ["gateway", "schema"])
    Draft202012Validator.check_schema(json.loads(result.stdout))


_WITHOUT = """
import sys
for name in ("alembic", "jwt", "prometheus_client", "sqlalchemy", "starlette", "structlog",
             "uvicorn"):
    sys.modules[name] = None  # as if it were not installed
from flink_jobs_provider.cli import main
main()
"""


def test_without_the_extra_it_is_told_in_one_line() -> None:
    """Shows that the command line itself starts without the packages of the extra."""
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT, "gateway", "serve"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert 'pip install "flink-jobs-provider[gateway]"' in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("more", "token", "said"),
    [
        ({"portal": {}}, "", "set FLINK_JOBS_GATEWAY_TOKEN"),
        ({}, "fjg_x", "the configuration has no portal"),
        (
            {"portal": {}, "public_url": "https://gateway.example.com"},
            "fjg_x",
            "without public_url",
        ),
        ({"portal": {}, "listen": {"port": 0}}, "fjg_x", "on a fixed port"),
        (
            {"portal": {}, "listen": {"port": 1}},
            "fjg_x",
            "no gateway of this configuration",
        ),
    ],
)
def test_a_sign_in_link_that_cannot_be_made(
    more: dict[str, Any], token: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows one line for each reason, without the token."""
    monkeypatch.setenv("FLINK_JOBS_GATEWAY_TOKEN", token)
    error = gateway(write(tmp_path, **more), "sign-in-link", code=1).stderr
    assert said in error
    assert len(error.strip().splitlines()) == 1
    assert "fjg_x" not in error
