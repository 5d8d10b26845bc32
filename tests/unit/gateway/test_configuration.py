"""The gateway's configuration file: what it means, and what is said of a wrong one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from flink_jobs_provider.gateway.configuration import (
    GatewayConfiguration,
    InvalidConfiguration,
    configuration_schema,
    read_configuration,
)
from flink_jobs_provider.gateway.principal import Role

CLUSTER = (
    "/subscriptions/0000/resourceGroups/Group/providers/Microsoft.HDInsight"
    "/clusterpools/Pool/clusters/Flink"
)
SMALLEST: dict[str, Any] = {
    "clusters": [{"id": CLUSTER, "flink": {"url": "http://flink:8081"}}],
    "access": {"tokens_file": "tokens.yaml"},
}


def write(directory: Path, content: dict[str, Any] | str) -> Path:
    path = directory / "gateway.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def read(directory: Path, **more: Any) -> GatewayConfiguration:
    return read_configuration(write(directory, {**SMALLEST, **more}))


def problems(directory: Path, content: dict[str, Any] | str) -> str:
    with pytest.raises(InvalidConfiguration) as caught:
        read_configuration(write(directory, content))
    assert str(directory / "gateway.yaml") in str(caught.value)
    return str(caught.value)


def test_the_smallest_file_has_safe_defaults(tmp_path: Path) -> None:
    configuration = read(tmp_path)
    assert configuration.listen.host == "127.0.0.1"
    assert configuration.listen.loopback
    assert configuration.listen.port == 8090
    assert configuration.limits.body_bytes == 65536
    assert configuration.clusters[0].relaunch_lost
    assert configuration.clusters[0].mounts == {}
    assert configuration.action_timeout == "30m"
    assert configuration.settle_time == "10s"


def test_a_cluster_is_known_by_its_id_in_lower_case(tmp_path: Path) -> None:
    assert read(tmp_path).clusters[0].key == CLUSTER.lower()


def test_relative_paths_are_meant_from_the_file(tmp_path: Path) -> None:
    """Shows it for every path, and that the records go into the data directory."""
    tls = {"ca_file": "ca.pem", "certificate_file": "/abs/me.pem", "key_file": "me.key"}
    configuration = read(
        tmp_path,
        listen={"tls": {"certificate_file": "tls/cert.pem", "key_file": "tls/key.pem"}},
        clusters=[{"id": CLUSTER, "flink": {"url": "https://flink:8081", "tls": tls}}],
        data_directory="data",
        log={"audit_file": "audit.log"},
    )
    assert configuration.access.tokens_file == str(tmp_path / "tokens.yaml")
    assert configuration.listen.tls is not None
    assert configuration.listen.tls.key_file == str(tmp_path / "tls/key.pem")
    assert configuration.clusters[0].flink.tls is not None
    assert configuration.clusters[0].flink.tls.ca_file == str(tmp_path / "ca.pem")
    assert configuration.clusters[0].flink.tls.certificate_file == "/abs/me.pem"
    assert configuration.log.audit_file == str(tmp_path / "audit.log")
    assert configuration.database_url() == f"sqlite:///{tmp_path}/data/gateway.db"


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("sqlite:////var/lib/gateway.db", "sqlite:////var/lib/gateway.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite://", "sqlite://"),
        ("postgresql+psycopg://gateway@db/gateway", "postgresql+psycopg://gateway@db/gateway"),
    ],
)
def test_other_databases_are_left_alone(tmp_path: Path, given: str, url: str) -> None:
    assert read(tmp_path, database=given).database_url() == url


def test_the_databases_url_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = read(tmp_path, database="env:GATEWAY_DATABASE")
    monkeypatch.delenv("GATEWAY_DATABASE", raising=False)
    with pytest.raises(KeyError, match="GATEWAY_DATABASE"):
        configuration.database_url()
    monkeypatch.setenv("GATEWAY_DATABASE", "postgresql+psycopg://gateway:MARKER@db/gateway")
    assert configuration.database_url().endswith("MARKER@db/gateway")
    assert "MARKER" not in configuration.model_dump_json()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_plain_http_is_for_the_loopback_interface(tmp_path: Path, host: str) -> None:
    assert read(tmp_path, listen={"host": host}).listen.loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "127.example.com"])
def test_plain_http_elsewhere_must_be_said_in_words(tmp_path: Path, host: str) -> None:
    said = problems(tmp_path, {**SMALLEST, "listen": {"host": host}})
    assert f"listen must have tls to listen on {host}" in said
    assert "plain_text: true" in said
    listen = {"host": host, "plain_text": True}
    assert not read(tmp_path, listen=listen).listen.loopback
    tls = {"certificate_file": "c.pem", "key_file": "k.pem"}
    assert read(tmp_path, listen={"host": host, "tls": tls}).listen.tls


def test_every_problem_is_said_at_once_on_its_path(tmp_path: Path) -> None:
    said = problems(
        tmp_path,
        {
            "listen": {"port": 99999},
            "clusters": [{"id": "flink", "flink": {"url": "flink:8081"}, "mount": {}}],
            "access": {},
            "stop_timeout": 60,
        },
    )
    assert "listen.port must be less than or equal to 65535" in said
    assert "clusters[0].id must be an id such as /subscriptions/" in said
    assert "clusters[0].flink.url must be a URL" in said
    assert "clusters[0].mount is not a property that is known here" in said
    assert "access must have a tokens_file, an issuer or signing_keys" in said
    assert 'stop_timeout must carry its unit, such as "60s"' in said
    assert len(said.splitlines()) == 7


ISSUER: dict[str, Any] = {
    "issuer": "https://login.example.com/v2.0",
    "audience": ["api://gateway"],
    "grants": {"Jobs.Operate": {"*": "operate"}, "Jobs.Read": {CLUSTER: "read"}},
}


def test_grants_are_by_cluster_key(tmp_path: Path) -> None:
    (issuer,) = read(tmp_path, access={"issuers": [ISSUER]}).access.issuers
    assert issuer.grants["Jobs.Read"] == {CLUSTER.lower(): Role.READ}
    assert issuer.grants["Jobs.Operate"] == {"*": Role.OPERATE}
    assert issuer.claims == ["roles", "scp"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "must be a map"),
        ("- a\n", "must be a map"),
        ("clusters: [\n", "is not YAML: line 2"),
        (
            "access: {tokens_file: a}\naccess: {tokens_file: b}\n",
            "line 2, column 1: duplicate key 'access', given in line 1 already",
        ),
        ({**SMALLEST, "clusters": []}, "clusters must not be empty"),
        ({**SMALLEST, "clusters": SMALLEST["clusters"] * 2}, "must not hold a cluster twice"),
        ({**SMALLEST, "access": None}, "access must be a map"),
        (
            {**SMALLEST, "access": {"issuers": [{**ISSUER, "issuer": "http://login.example.com"}]}},
            "must have an https URL for issuer",
        ),
        (
            {**SMALLEST, "access": {"issuers": [{**ISSUER, "jwks_url": "http://evil/keys"}]}},
            "must have an https URL for jwks_url",
        ),
        (
            {**SMALLEST, "access": {"issuers": [ISSUER, ISSUER]}},
            "access must not name an issuer twice",
        ),
        (
            {**SMALLEST, "access": {"issuers": [{**ISSUER, "audience": []}]}},
            "access.issuers[0].audience must not be empty",
        ),
        (
            {**SMALLEST, "access": {"issuers": [{**ISSUER, "grants": {"R": {"*": "admin"}}}]}},
            "access.issuers[0].grants.R.* must be 'read' or 'operate'",
        ),
        (
            {**SMALLEST, "access": {"issuers": [{**ISSUER, "grants": {"R": {"typo": "read"}}}]}},
            "'typo', granted by https://login.example.com/v2.0 for R, is none of them",
        ),
        ({**SMALLEST, "limits": {"burst": 0}}, "limits.burst must be greater than or equal to 1"),
        ({**SMALLEST, "limits": {"requests_per_second": float("inf")}}, "a finite number"),
        ({**SMALLEST, "public_url": "gateway"}, "public_url must be a URL such as"),
        ({**SMALLEST, "action_timeout": "8d"}, "action_timeout must be at most \"7d\" (got '8d')"),
        ({**SMALLEST, "stop_timeout": "1000h"}, 'stop_timeout must be at most "7d"'),
        ({**SMALLEST, "settle_time": "2h"}, 'settle_time must be at most "1h"'),
        (
            {**SMALLEST, "retention": {"savepoints": "36501d"}},
            'retention.savepoints must be at most "36500d"',
        ),
        ({**SMALLEST, "retention": {"actions": "99999d"}}, "retention.actions must be at most"),
    ],
)
def test_wrong_files_are_told_what_would_be_right(
    tmp_path: Path, content: dict[str, Any] | str, said: str
) -> None:
    assert said in problems(tmp_path, content)


@pytest.mark.parametrize(
    "flink",
    [
        {"bearer_token": "config:marker"},
        {"basic_auth": {"username": "me", "password": "config:marker"}},
        {"secret_headers": {"X-Key": "config:marker"}},
        {"tls": {"key_password": "config:marker"}},
    ],
)
def test_secrets_come_from_the_environment(tmp_path: Path, flink: dict[str, Any]) -> None:
    clusters = [{"id": CLUSTER, "flink": {"url": "http://flink:8081", **flink}}]
    said = problems(tmp_path, {**SMALLEST, "clusters": clusters})
    assert "clusters[0].flink must refer to secrets as env:NAME" in said


def test_parts_may_be_named_once_and_merged(tmp_path: Path) -> None:
    """Shows that what YAML offers against repetition is understood."""
    text = (
        f"clusters:\n- &one {{id: {CLUSTER}, flink: &flink {{url: 'http://h:1'}}}}\n"
        f"- {{<<: *one, id: {CLUSTER}2, flink: {{<<: *flink, url: 'http://h:2'}}}}\n"
        "access: {tokens_file: tokens.yaml}\n"
    )
    clusters = read_configuration(write(tmp_path, text)).clusters
    assert [cluster.flink.url for cluster in clusters] == ["http://h:1", "http://h:2"]


def test_each_problem_tells_its_line(tmp_path: Path) -> None:
    """Shows a value's own line, and for what is missing that of the map that lacks it."""
    text = yaml.safe_dump({**SMALLEST, "action_timeout": "soon", "clusters": [{"name": "c "}]})
    rows = text.splitlines()
    said = problems(tmp_path, text)
    timeout, name = (
        next(number for number, row in enumerate(rows, 1) if word in row)
        for word in ("action_timeout", "name:")
    )
    assert f"\n  line {timeout}: action_timeout " in said
    assert f"\n  line {name}: clusters[0].name must be given without blanks" in said
    assert f"\n  line {name}: clusters[0].flink is required" in said


def test_blanks_around_any_text_are_refused(tmp_path: Path) -> None:
    """Shows it at every depth, once for each property, and for names."""
    flink = {"url": "http://flink:8081 ", "bearer_token": "env:T\n", "tls": {"ca_file": " ca.pem"}}
    mounts = {"abfs://jobs@account ": "file:///srv/jobs"}
    wrong = {
        "clusters": [{**SMALLEST["clusters"][0], "flink": flink, "mounts": mounts}],
        "access": {"tokens_file": "tokens.yaml "},
        "listen": {"host": " 127.0.0.1"},
        "public_url": "https://gateway ",
        "database": "sqlite:///gateway.db ",
    }
    with pytest.raises(InvalidConfiguration) as caught:
        read_configuration(write(tmp_path, wrong))
    rule = "must be given without blanks around it"
    assert sorted(path for path, why in caught.value.problems if why == rule) == [
        "access.tokens_file",
        "clusters[0].flink.bearer_token",
        "clusters[0].flink.tls.ca_file",
        "clusters[0].flink.url",
        "clusters[0].mounts.abfs://jobs@account ",
        "database",
        "listen.host",
        "public_url",
    ]


def test_mounts_are_checked(tmp_path: Path) -> None:
    cluster = {**SMALLEST["clusters"][0], "mounts": {"abfs://jobs@account": "jobs"}}
    said = problems(tmp_path, {**SMALLEST, "clusters": [cluster]})
    assert "clusters[0].mounts abfs://jobs@account: jobs: must be an absolute URI" in said


def test_no_value_that_may_be_secret_is_shown(tmp_path: Path) -> None:
    """Shows that wrong values in secret places are not repeated."""
    clusters = [{"id": CLUSTER, "flink": {"url": "http://h:1", "bearer_token": "MARKER"}}]
    database = {"password": "MARKER"}
    said = problems(tmp_path, {**SMALLEST, "clusters": clusters, "database": database})
    assert "clusters[0].flink.bearer_token must be a reference" in said
    assert "database must be a text" in said
    assert "MARKER" not in said
    assert "MARKER" not in problems(tmp_path, "database: postgresql://me:MARKER@db/x: [")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match=r"gateway.yaml cannot be read: No such file"):
        read_configuration(tmp_path / "gateway.yaml")


def test_the_schema_takes_what_is_right_and_nothing_unknown() -> None:
    schema = json.loads(json.dumps(configuration_schema()))
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    validator.validate({**SMALLEST, "access": {"issuers": [ISSUER]}})
    assert not validator.is_valid({**SMALLEST, "cluster": []})
    assert not validator.is_valid({"clusters": SMALLEST["clusters"]})


# What callers of the Data Lake Insight API need

DLI: dict[str, Any] = {"project_id": "abc123", "queues": ["Default", "spare"]}
FLINK = {"url": "http://flink:8081"}
KEY: dict[str, Any] = {
    "name": "ci",
    "access_key": "HST3WHTZ9PY7EWYXNRGP",
    "secret_key": "env:SECRET",
    "roles": {"*": "operate"},
}


def test_a_cluster_may_be_queues_of_a_project_instead_of_having_an_id(tmp_path: Path) -> None:
    (cluster,) = read(tmp_path, clusters=[{"dli": DLI, "flink": FLINK}]).clusters
    assert (cluster.key, cluster.name) == ("dli/abc123/default", "dli/abc123/default")
    both = [{"id": CLUSTER, "dli": DLI, "flink": FLINK}]
    assert read(tmp_path, clusters=both).clusters[0].key == CLUSTER.lower()


@pytest.mark.parametrize(
    ("clusters", "says"),
    [
        ([{"flink": FLINK}], "must have an id, or dli"),
        ([{"dli": {"project_id": "a"}, "flink": FLINK}], "clusters[0].dli.queues is required"),
        ([{"dli": {**DLI, "queues": []}, "flink": FLINK}], "queues must not be empty"),
        ([{"dli": {**DLI, "queues": ["a b"]}, "flink": FLINK}], "must be 1 to 128 letters"),
        ([{"dli": {**DLI, "queues": ["a", "a"]}, "flink": FLINK}], "must not hold a queue twice"),
        ([{"dli": {**DLI, "project_id": "a/b"}, "flink": FLINK}], "project_id"),
        (
            [
                {"dli": DLI, "flink": FLINK},
                {"dli": {**DLI, "queues": ["other", "spare"]}, "flink": FLINK},
            ],
            "queue spare of project abc123 on two clusters",
        ),
        (
            [
                {"dli": DLI, "flink": FLINK},
                {"dli": {**DLI, "queues": ["default"]}, "flink": FLINK},
            ],
            "must not hold a cluster twice",
        ),
    ],
)
def test_a_wrong_project_or_queue(
    tmp_path: Path, clusters: list[dict[str, Any]], says: str
) -> None:
    assert says in problems(tmp_path, {**SMALLEST, "clusters": clusters})


def test_queues_of_different_projects_may_have_one_name(tmp_path: Path) -> None:
    clusters = [
        {"dli": DLI, "flink": FLINK},
        {"dli": {**DLI, "project_id": "other"}, "flink": FLINK},
    ]
    assert len(read(tmp_path, clusters=clusters).clusters) == 2


def test_signing_keys_are_enough_to_call(tmp_path: Path) -> None:
    clusters = [{"dli": DLI, "flink": FLINK}]
    roles = {"DLI/abc123/Default": "read"}
    access = {"signing_keys": [{**KEY, "roles": roles}]}
    (key,) = read(tmp_path, clusters=clusters, access=access).access.signing_keys
    assert key.roles == {"dli/abc123/default": Role.READ}


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ([{**KEY, "secret_key": "MARKER"}], "must be a reference to an environment variable"),
        ([{**KEY, "access_key": "short"}], "must be 8 to 128 letters and digits"),
        ([{**KEY, "name": "gateway"}], "must not be gateway"),
        ([{**KEY, "roles": {}}], "roles"),
        ([{**KEY, "roles": {"dli/none": "read"}}], "'dli/none', granted to ci, is none of them"),
        ([KEY, {**KEY, "name": "two"}], "two signing_keys of the same access_key"),
        ([KEY, {**KEY, "access_key": "ABCDEFGHIJ"}], "two signing_keys of the same name"),
    ],
)
def test_a_wrong_signing_key(tmp_path: Path, keys: list[dict[str, Any]], says: str) -> None:
    clusters = [{"dli": DLI, "flink": FLINK}]
    content = {"clusters": clusters, "access": {"signing_keys": keys}}
    said = problems(tmp_path, content)
    assert says in said
    assert "MARKER" not in said


def test_signing_keys_need_an_api_that_is_signed(tmp_path: Path) -> None:
    content = {**SMALLEST, "access": {"signing_keys": [KEY]}}
    assert "must have a cluster with dli" in problems(tmp_path, content)
