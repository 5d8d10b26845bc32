"""What a target needs on this machine is named in a preview, on the property that names it."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import TypeAdapter

from flink_jobs_provider.control_planes import connection as prerequisites
from flink_jobs_provider.control_planes.connection import Prerequisites
from flink_jobs_provider.model.target import Target
from flink_jobs_provider.provider import dynamic
from flink_jobs_provider.provider.dynamic import FlinkJobProvider
from flink_jobs_provider.provider.job_operations import secret_resolver

FLINK = {"kind": "flink", "url": "https://flink:8081"}
HDINSIGHT = {
    "kind": "hdinsight",
    **dict.fromkeys(("subscription", "resource_group", "cluster_pool", "cluster"), "a"),
}
DLI = {"kind": "dli", "region": "eu-west-101", "project_id": "a"}
SECRETS = {"there": "value"}
NO_VARIABLE = "refers to env:NOT_SET_HERE, and there is no such environment variable."
NO_KEY = "refers to config:gone, and there is no such key of the stack's configuration. Set gone."


def missing(target: dict[str, Any]) -> dict[str, str]:
    """Return what a target needs and this machine lacks, by property."""
    found = TypeAdapter(Target).validate_python(target)
    return dict(Prerequisites(secret_resolver(SECRETS.get)).missing(found))


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ({**FLINK, "bearer_token": "config:key"}, "bearer_token"),
        ({**FLINK, "secret_headers": {"X-Key": "config:key"}}, "secret_headers.X-Key"),
        ({**HDINSIGHT, "token": "config:key"}, "token"),
        ({**DLI, "token": "config:key"}, "token"),
        ({**DLI, "access_key": "config:key", "secret_key": "config:there"}, "access_key"),
    ],
)
@pytest.mark.parametrize("value", ["s3cret\n", " s3cret", "s3\r\ncret", "s3crét", "s3cret\x7f"])
def test_a_secret_that_no_header_can_have(
    target: dict[str, Any], path: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows that it is refused before a client quotes it, and not quoted here either."""
    monkeypatch.setitem(SECRETS, "key", value)
    (problem,) = missing(target).items()
    assert problem[0] == f"target.{path}"
    assert problem[1].startswith("refers to config:key, and that key of the stack's configuration")
    assert "s3" not in problem[1]


def test_a_password_may_have_any_character(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SECRETS, "key", "ünd\n")
    basic = {"username": "me", "password": "config:key"}
    assert missing({**FLINK, "basic_auth": basic}) == {}


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ({**FLINK, "bearer_token": "env:NOT_SET_HERE"}, "bearer_token"),
        (
            {**FLINK, "basic_auth": {"username": "me", "password": "env:NOT_SET_HERE"}},
            "basic_auth.password",
        ),
        ({**FLINK, "secret_headers": {"X-Key": "env:NOT_SET_HERE"}}, "secret_headers.X-Key"),
        ({**FLINK, "tls": {"key_password": "env:NOT_SET_HERE"}}, "tls.key_password"),
        ({**HDINSIGHT, "token": "env:NOT_SET_HERE"}, "token"),
        (
            {
                **HDINSIGHT,
                "credential": {
                    "kind": "service-principal",
                    "tenant_id": "t",
                    "client_id": "c",
                    "client_secret": "env:NOT_SET_HERE",
                },
            },
            "credential.client_secret",
        ),
        ({**DLI, "token": "env:NOT_SET_HERE"}, "token"),
        ({**DLI, "access_key": "config:there", "secret_key": "env:NOT_SET_HERE"}, "secret_key"),
    ],
)
def test_references_that_lead_nowhere(target: dict[str, Any], path: str) -> None:
    ((where, why),) = missing(target).items()
    assert where == f"target.{path}"
    assert why.startswith(NO_VARIABLE)


def test_keys_of_the_configuration() -> None:
    assert missing({**FLINK, "bearer_token": "config:there"}) == {}
    assert missing({**FLINK, "bearer_token": "config:gone"}) == {"target.bearer_token": NO_KEY}


def test_files_of_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    mine = authority.issue_cert("me")
    mine.private_key_and_cert_chain_pem.write_to_path(tmp_path / "me.pem")
    right = {"ca_file": str(tmp_path / "ca.pem"), "certificate_file": str(tmp_path / "me.pem")}
    for target in (FLINK, {**HDINSIGHT, "token": "config:there"}, {**DLI, "token": "config:there"}):
        assert missing({**target, "tls": right}) == {}
        gone = {"ca_file": str(tmp_path / "a"), "certificate_file": "/b", "key_file": "/c"}
        found = missing({**target, "tls": gone})
        assert found == {
            "target.tls.ca_file": f"{tmp_path / 'a'} cannot be read: No such file or directory",
            "target.tls.certificate_file": "/b cannot be read: No such file or directory",
            "target.tls.key_file": "/c cannot be read: No such file or directory",
        }
    (tmp_path / "text").write_text("no certificate")
    text = {**right, "ca_file": str(tmp_path / "text")}
    assert list(missing({**FLINK, "tls": text})) == ["target.tls.ca_file"]
    text = {**right, "certificate_file": str(tmp_path / "text")}
    assert list(missing({**FLINK, "tls": text})) == ["target.tls.certificate_file"]


def test_further_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prerequisites, "find_spec", lambda _name: None)
    needed = 'needs a further package: pip install "flink-jobs-provider[{}]"'
    signed = {"access_key": "config:there", "secret_key": "config:there"}
    assert missing(HDINSIGHT) == {"target.credential": needed.format("azure")}
    assert missing({**DLI, **signed}) == {"target.access_key": needed.format("dli")}
    assert missing({**HDINSIGHT, "token": "config:there"}) == {}


def test_each_target_is_looked_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Shows that a preview of a thousand jobs reads the files of their cluster once."""
    target = TypeAdapter(Target).validate_python({**FLINK, "tls": {"ca_file": "/nowhere"}})
    opened: list[object] = []
    real = builtins.open

    def noted(*args: Any, **more: Any) -> Any:
        opened.append(args)
        return real(*args, **more)

    monkeypatch.setattr(builtins, "open", noted)
    looking = Prerequisites(secret_resolver(SECRETS.get))
    for _ in range(100):
        assert looking.missing(target)
    assert len(opened) == 1


def test_check_reports_them_with_all_else_that_is_wrong(
    provider: FlinkJobProvider, inputs: dict[str, Any]
) -> None:
    dynamic.service().jobs.connect(secret_resolver(SECRETS.get), lambda: None)
    target = {**FLINK, "bearer_token": "env:NOT_SET_HERE", "tls": {"ca_file": "/nowhere"}}
    result = provider.check({}, {**inputs, "target": target, "parallelism": 0})
    assert [failure.property for failure in result.failures] == [
        "parallelism",
        "target.bearer_token",
        "target.tls.ca_file",
    ]
