"""What keeps a gateway from starting is told in one line, before anything is served."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml

from flink_jobs_provider.gateway import serve
from flink_jobs_provider.gateway.auth.tokens import create_token
from flink_jobs_provider.gateway.configuration import read_configuration
from flink_jobs_provider.gateway.principal import Role
from tests.gateway_process import CLUSTER


@pytest.fixture(autouse=True)
def token(tmp_path: Path) -> None:
    create_token(tmp_path / "tokens.yaml", "ci", {"*": Role.READ})


def said(directory: Path, **more: Any) -> str:
    """Start a gateway that cannot start; return what it says."""
    content = {
        "listen": {"port": 0},
        "clusters": [{"id": CLUSTER, "flink": {"url": "http://127.0.0.1:9"}}],
        "access": {"tokens_file": "tokens.yaml"},
        **more,
    }
    path = directory / "gateway.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(serve.CannotServe) as caught:
        anyio.run(serve._serve, read_configuration(path))
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = said(tmp_path, listen={"port": port})
    assert f"cannot listen on 127.0.0.1, port {port}: Address already in use" in message
    assert "Set listen.host and listen.port" in message
    assert not (tmp_path / "gateway.db").exists(), "the records were not touched"


def test_an_address_of_another_machine(tmp_path: Path) -> None:
    listen = {"host": "192.0.2.1", "port": 0, "plain_text": True}
    assert "cannot listen on 192.0.2.1" in said(tmp_path, listen=listen)
    listen = {"host": "no-such-host.invalid", "port": 0, "plain_text": True}
    assert "cannot listen on no-such-host.invalid" in said(tmp_path, listen=listen)


def test_a_database_that_does_not_answer(tmp_path: Path) -> None:
    url = "postgresql+psycopg://gateway:MARKER@127.0.0.1:9/gateway"
    message = said(tmp_path, database=url)
    assert message.startswith("the database postgresql+psycopg://")
    assert " cannot be used: " in message
    assert "127.0.0.1" in message
    assert "MARKER" not in message


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("mysql://gateway:MARKER@db/gateway", "mysql is no database that can be used"),
        ("gateway:MARKER", "database must be a URL"),
        ("sqlite://", "database must be a file"),
        ("env:NO_SUCH_VARIABLE", "database refers to env:NO_SUCH_VARIABLE"),
    ],
)
def test_a_database_that_is_none(
    tmp_path: Path, url: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_VARIABLE", raising=False)
    message = said(tmp_path, database=url)
    assert what in message
    assert "MARKER" not in message


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").write_text("not a database, and long enough to be looked at" * 50)
    assert "cannot be used: file is not a database" in said(tmp_path)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    tls = {"certificate_file": "cert.pem", "key_file": "key.pem"}
    assert "cert.pem cannot be read" in said(tmp_path, listen={"port": 0, "tls": tls})
    (tmp_path / "file").touch()
    assert f"{tmp_path / 'file'}" in said(tmp_path, data_directory="file")
    assert "none/audit.log" in said(tmp_path, log={"audit_file": "none/audit.log"})
    issuer = {
        "issuer": "https://issuer.test",
        "audience": ["a"],
        "grants": {"R": {"*": "read"}},
        "ca_file": "no-authority.pem",
    }
    assert "no-authority.pem" in said(tmp_path, access={"issuers": [issuer]})
    (tmp_path / "tokens.yaml").chmod(0o644)
    assert "Run: chmod 600" in said(tmp_path)


def test_a_secret_of_a_signing_key_that_is_not_there(tmp_path: Path) -> None:
    cluster = {
        "dli": {"project_id": "p", "queues": ["q"]},
        "flink": {"url": "http://127.0.0.1:9"},
    }
    key = {
        "name": "ci",
        "access_key": "HST3WHTZ9PY7EWYXNRGP",
        "secret_key": "env:NO_SUCH_SECRET",
        "roles": {"*": "operate"},
    }
    message = said(tmp_path, clusters=[cluster], access={"signing_keys": [key]})
    assert "access.signing_keys refers to env:NO_SUCH_SECRET" in message
    assert "no such environment variable" in message
