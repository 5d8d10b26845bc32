"""A target of HDInsight: what is right, what is wrong, and what a job cannot have there."""

from __future__ import annotations

from typing import Any

import pytest

from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import FlinkTarget, HDInsightTarget
from flink_jobs_provider.model.validation import problems_of
from tests.unit.model.made_up_jobs import OWNER, URL, record, spec

LEAST: dict[str, Any] = {
    "kind": "hdinsight",
    "subscription": "0000-1111",
    "resource_group": "group",
    "cluster_pool": "pool",
    "cluster": "flink",
}
JAR = "abfs://jobs@account.dfs.core.windows.net/jars/orders.jar"


class _Unknown:
    pass


UNKNOWN = _Unknown()


def problems(target: Any = None, **inputs: Any) -> list[tuple[str, str]]:
    """Return what is wrong with a job on a target of HDInsight."""
    given = {"job_name": "orders", "owner": OWNER, "jar": JAR, **inputs}
    given["target"] = LEAST if target is None else target
    return problems_of(given, lambda value: isinstance(value, _Unknown))


def target(**more: Any) -> dict[str, Any]:
    """Return a target with some properties of one's own."""
    return {**LEAST, **more}


PRINCIPAL = {
    "kind": "service-principal",
    "tenant_id": "t",
    "client_id": "c",
    "client_secret": "env:S",
}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"api_version": "2023-06-01-preview", "endpoint": "http://localhost:8090"},
        {"token": "config:gateway:token"},
        {"credential": {"kind": "default"}},
        {"credential": PRINCIPAL},
        {"credential": {"kind": "workload-identity", "tenant_id": "t", "client_id": "c"}},
        {"credential": {"kind": "managed-identity", "client_id": "c", "scope": "api://x"}},
        {"credential": {"kind": "cli", "tenant_id": "t"}},
        {"tls": {"ca_file": "ca.pem"}},
        {"jar_upload_directory": "abfs://jobs@account.dfs.core.windows.net/jars/"},
    ],
)
def test_what_is_right(more: dict[str, Any]) -> None:
    assert problems(target(**more)) == []


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"subscription": None}, "subscription", "must be a text"),
    ({"resource_group": "a/b"}, "resource_group", "must be the name alone"),
    ({"cluster_pool": ".."}, "cluster_pool", "must be the name alone"),
    ({"cluster": ""}, "cluster", "must be the name alone"),
    ({"api_version": "2021-09-15-preview"}, "api_version", "must be '2023-06-01-preview', '2023"),
    ({"endpoint": "gateway:8090"}, "endpoint", "must be a URL"),
    ({"endpoint": "https://me:pass@gateway"}, "endpoint", "credentials: use token or credential"),
    ({"token": "hunter2"}, "token", "must be a reference, env:NAME or config:KEY"),
    ({"token": "env:T", "credential": {"kind": "cli"}}, "credential", "with token"),
    ({"credential": "cli"}, "credential", "must be an object"),
    ({"credential": {}}, "credential.kind", "is required"),
    ({"credential": {"kind": "browser"}}, "credential.kind", "must be 'default', 'service-princ"),
    (
        {"credential": {**PRINCIPAL, "client_secret": "hunter2"}},
        "credential.client_secret",
        "must be a reference",
    ),
    (
        {"credential": {**PRINCIPAL, "tenant_id": None}},
        "credential.tenant_id",
        "is required for kind service-principal",
    ),
    (
        {"credential": {"kind": "cli", "client_id": "c"}},
        "credential.client_id",
        "must not be given for kind cli",
    ),
    ({"credential": {"kind": "cli", "scope": ""}}, "credential.scope", "must not be empty"),
    ({"jar_upload_directory": "jars"}, "jar_upload_directory", "must be a URI of a directory"),
    ({"jar_upload_directory": "https://h/j"}, "jar_upload_directory", "must be a URI of a dir"),
    ({"jar_upload_directory": "abfs://"}, "jar_upload_directory", "must be a URI of a directory"),
    ({"endpoint": "https://gateway "}, "endpoint", "without blanks around it"),
    ({"token": "env:T\n"}, "token", "without blanks around it"),
    ({"jar_upload_directory": " abfs://a/b"}, "jar_upload_directory", "without blanks around it"),
    ({"credential": {"kind": "cli", "scope": "s "}}, "credential.scope", "without blanks"),
    ({"tls": "yes"}, "tls", "must be an object"),
    ({"url": URL}, "url", "is not a property"),
]


@pytest.mark.parametrize(("more", "path", "words"), WRONG, ids=[row[1] for row in WRONG])
def test_what_is_wrong(more: dict[str, Any], path: str, words: str) -> None:
    ((where, why),) = problems(target(**more))
    assert where == f"target.{path}"
    assert words in why
    assert "hunter2" not in why
    assert "pass@" not in why


def test_every_property_can_be_wrong() -> None:
    """Shows that the table above leaves out none."""
    named = {path.partition(".")[0] for _, path, _ in WRONG}
    assert named >= set(HDInsightTarget.model_fields) - {"kind"}


def test_several_at_once() -> None:
    found = problems({"kind": "hdinsight", "credential": {"kind": "service-principal"}}, jar="o")
    assert [path for path, _ in found] == [
        *(f"target.{name}" for name in ("subscription", "resource_group")),
        *(f"target.{name}" for name in ("cluster_pool", "cluster")),
        *(f"target.credential.{name}" for name in ("tenant_id", "client_id", "client_secret")),
        "target.jar_upload_directory",
    ]


@pytest.mark.parametrize(
    "wrong", [{"kind": "dlx"}, {"kind": 3}, {"kind": ["hdinsight"]}, {"kind": ""}]
)
def test_kinds(wrong: dict[str, Any]) -> None:
    ((path, why),) = problems(wrong)
    assert path == "target.kind"
    assert why.startswith("must be 'flink' or 'hdinsight' or 'dli' (got ")


@pytest.mark.parametrize(
    "unknown",
    [
        UNKNOWN,
        {"kind": UNKNOWN},
        {"kind": UNKNOWN, "subscription": "s"},
        target(cluster=UNKNOWN),
        target(credential={**PRINCIPAL, "kind": UNKNOWN}),
        target(credential={**PRINCIPAL, "client_id": UNKNOWN}),
        target(token=UNKNOWN, credential={"kind": "cli"}),
    ],
)
def test_what_is_not_known_yet_passes(unknown: Any) -> None:
    assert problems(unknown) == []


def test_an_upload_directory_that_is_not_known_yet_passes() -> None:
    assert problems(target(jar_upload_directory=UNKNOWN), jar="orders.jar") == []
    assert problems(target(), jar=UNKNOWN) == []


# What a job cannot have there


@pytest.mark.parametrize(
    ("inputs", "path", "words"),
    [
        ({"args": ["--title", "two words"]}, "args[1]", "must not be empty or hold blanks"),
        ({"args": ["--title", ""]}, "args[1]", "must not be empty or hold blanks"),
        ({"args": ["a\nb"]}, "args[0]", "must not be empty or hold blanks"),
        ({"flink_configuration": {"parallelism": 3}}, "flink_configuration", "use parallelism"),
        (
            {"flink_configuration": {"savepoint.directory": "/s"}},
            "flink_configuration",
            "use savepoint_directory",
        ),
        (
            {"flink_configuration": {"flink-jobs.spec": "x"}},
            "flink_configuration",
            "the provider records in it",
        ),
        ({"allow_non_restored_state": True}, "allow_non_restored_state", "must be false"),
        ({"savepoint_format": "native"}, "savepoint_format", 'must be "canonical"'),
        ({"jar": "orders.jar"}, "target.jar_upload_directory", "is required, since the cluster"),
        ({"jar": "https://h/orders.jar"}, "target.jar_upload_directory", "is required, since"),
        ({"jar": "abfs://c@a/jars/"}, "jar", "must end with a file name in .jar"),
        ({"jar": "abfs://c@a/jars/.jar"}, "jar", "must end with a file name in .jar"),
        (
            {
                "upgrade_mode": "last-state",
                "target": target(api_version="2023-06-01-preview"),
            },
            "upgrade_mode",
            'must not be "last-state" with api_version 2023-06-01-preview',
        ),
    ],
    ids=str,
)
def test_what_the_api_cannot_carry_is_refused_by_name(
    inputs: dict[str, Any], path: str, words: str
) -> None:
    ((where, why),) = problems(**inputs)
    assert where == path
    assert words in why
    on_flink = problems({"url": URL}, **{k: v for k, v in inputs.items() if k != "target"})
    assert on_flink == [], "a session cluster can have it"


def test_all_of_it_comes_in_one_report() -> None:
    found = problems(
        args=["a b", "", "c"],
        savepoint_format="native",
        allow_non_restored_state=True,
        flink_configuration={"parallelism": "3"},
        parallelism=0,
    )
    assert [path for path, _ in found] == [
        "parallelism",
        "args[0]",
        "args[1]",
        "flink_configuration",
        "allow_non_restored_state",
        "savepoint_format",
    ]


def test_an_argument_text_is_split_and_so_right() -> None:
    assert problems(args="--title  two words") == []


# What it is told apart by


@pytest.mark.parametrize(
    ("more", "same"),
    [
        ({"resource_group": "GROUP", "cluster": "Flink"}, True),
        ({"token": "env:T", "api_version": "2023-06-01-preview"}, True),
        ({"jar_upload_directory": "abfs://c@a/jars"}, True),
        ({"endpoint": "https://management.azure.com:443/"}, True),
        ({"endpoint": "https://gateway"}, False),
        ({"cluster": "other"}, False),
        ({"subscription": "2222"}, False),
    ],
)
def test_places(more: dict[str, Any], same: bool) -> None:
    one, other = (HDInsightTarget.model_validate(each) for each in (LEAST, target(**more)))
    assert (one.place == other.place) is same


def test_a_gateway_on_this_machine_is_known_as_such() -> None:
    assert not HDInsightTarget.model_validate(LEAST).loopback
    assert HDInsightTarget.model_validate(target(endpoint="http://127.0.0.1:1")).loopback


@pytest.mark.parametrize(
    ("endpoint", "azure"),
    [
        ("https://management.azure.com/", True),
        ("https://Management.Azure.com", True),
        ("https://management.usgovcloudapi.net", True),
        ("https://gateway:8090", False),
        ("https://management.azure.com.elsewhere.test", False),
    ],
)
def test_azure_is_told_from_a_gateway(endpoint: str, azure: bool) -> None:
    assert HDInsightTarget.model_validate(target(endpoint=endpoint)).is_cloud is azure


def test_the_path_is_the_resources_id() -> None:
    assert HDInsightTarget.model_validate(LEAST).path == (
        "/subscriptions/0000-1111/resourceGroups/group/providers/Microsoft.HDInsight"
        "/clusterpools/pool/clusters/flink"
    )


# What older states hold


def test_a_session_cluster_needs_no_kind_and_is_recorded_as_before() -> None:
    assert isinstance(spec().target, FlinkTarget)
    assert spec().plain()["target"] == {
        "kind": "flink",
        "url": URL,
        "headers": {},
        "secret_headers": {},
    }


def test_records_of_session_clusters_are_as_before() -> None:
    assert "run_id" not in record().outputs()
    assert JobRecord.from_outputs(record().outputs()) == record()
    known = record(run_id="job-1")
    assert known.outputs()["run_id"] == "job-1"
    assert JobRecord.from_outputs(known.outputs()) == known


def test_a_spec_reads_back_as_it_was_written() -> None:
    inputs = {"job_name": "orders", "owner": OWNER, "jar": JAR}
    for given in (LEAST, target(credential=PRINCIPAL), {"url": URL}):
        whole = JobSpec.model_validate({**inputs, "target": given})
        assert JobSpec.model_validate(whole.plain()) == whole
