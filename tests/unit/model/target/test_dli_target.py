"""A target of Data Lake Insight: what is right, what is wrong, what a job cannot have there."""

from __future__ import annotations

from typing import Any

import pytest
from huaweicloudsdkdli.v1.region.dli_region import DliRegion

from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import DliTarget
from flink_jobs_provider.model.target.dli import (
    DliSettings,
)
from flink_jobs_provider.model.validation import problems_of
from flink_jobs_provider.wire.dli import AT_CREATION, DESCRIBING, WHILE_RUNNING
from tests.unit.model.made_up_jobs import OWNER, URL, record, spec

LEAST: dict[str, Any] = {
    "kind": "dli",
    "region": "eu-west-101",
    "project_id": "48cc2c48765f481480c7db940d6409d1",
    "token": "env:T",
}
JAR = "obs://jobs/jars/orders.jar"
SIGNED = {"access_key": "env:AK", "secret_key": "env:SK", "token": None}


class _Unknown:
    pass


UNKNOWN = _Unknown()


def problems(target: Any = None, **inputs: Any) -> list[tuple[str, str]]:
    """Return what is wrong with a job on Data Lake Insight."""
    given = {"job_name": "orders", "owner": OWNER, "jar": JAR, **inputs}
    given["target"] = LEAST if target is None else target
    return problems_of(given, lambda value: isinstance(value, _Unknown))


def target(**more: Any) -> dict[str, Any]:
    """Return a target with some properties of one's own; none takes one away."""
    return {name: value for name, value in {**LEAST, **more}.items() if value is not None}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"queue": "streams_1"},
        {"region": None, "endpoint": "https://dli.eu-de.otc.t-systems.com"},
        {"region": None, "endpoint": "http://localhost:8090/dli"},
        {"token": "config:dli:token"},
        SIGNED,
        {**SIGNED, "security_token": "env:ST"},
        {"tls": {"ca_file": "ca.pem"}},
        {"jar_upload_directory": "obs://bucket/jars/"},
    ],
)
def test_what_is_right(more: dict[str, Any]) -> None:
    assert problems(target(**more)) == []


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"region": "Frankfurt"}, "region", "must be a region of Huawei Cloud"),
    ({"endpoint": "https://gateway"}, "endpoint", "must not be given with region"),
    ({"region": None}, "endpoint", "is required, or region"),
    ({"region": None, "endpoint": "gateway:8090"}, "endpoint", "must be a URL"),
    (
        {"region": None, "endpoint": "https://me:pass@gateway"},
        "endpoint",
        "credentials: use token, or access_key and secret_key",
    ),
    ({"project_id": "a/b"}, "project_id", "must be the name alone"),
    ({"queue": "my queue"}, "queue", "must be a queue's name"),
    ({"token": "hunter2"}, "token", "must be a reference, env:NAME or config:KEY"),
    ({"token": None}, "token", "is required, or access_key and secret_key"),
    ({"access_key": "env:AK"}, "access_key", "must not be given with token"),
    ({**SIGNED, "access_key": "hunter2"}, "access_key", "must be a reference"),
    ({**SIGNED, "secret_key": None}, "secret_key", "is required with access_key"),
    ({**SIGNED, "access_key": None}, "access_key", "is required with secret_key"),
    ({"security_token": "env:ST"}, "security_token", "must not be given with token"),
    ({"jar_upload_directory": "jars"}, "jar_upload_directory", "must be a URI of a directory"),
    ({"region": None, "endpoint": "https://g "}, "endpoint", "without blanks around it"),
    ({"token": " env:T"}, "token", "without blanks around it"),
    ({"jar_upload_directory": "obs://b/jars "}, "jar_upload_directory", "without blanks around it"),
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
    assert named >= set(DliTarget.model_fields) - {"kind"}


def test_several_at_once() -> None:
    found = problems({"kind": "dli"}, jar="orders.jar", args=["a b"], job_name="o" * 58)
    assert [path for path, _ in found] == [
        "target.project_id",
        "target.endpoint",
        "target.token",
        "target.jar_upload_directory",
        "args[0]",
        "job_name",
    ]


@pytest.mark.parametrize(
    "unknown",
    [
        UNKNOWN,
        {"kind": UNKNOWN},
        target(project_id=UNKNOWN),
        target(region=UNKNOWN),
        target(region=None, endpoint=UNKNOWN),
        target(token=UNKNOWN),
        target(token=None, access_key=UNKNOWN, secret_key=UNKNOWN),
        target(token=None, access_key="env:A", secret_key=UNKNOWN),
    ],
)
def test_what_is_not_known_yet_passes(unknown: Any) -> None:
    assert problems(unknown) == []


def test_jars_that_are_not_known_yet_pass() -> None:
    assert problems(target(jar_upload_directory=UNKNOWN), jar="orders.jar") == []
    assert problems(target(), jar=UNKNOWN) == []


# What a job cannot have there

CLOUD_ONLY = {"upgrade_mode", "savepoint_directory"}
LIMITS: list[tuple[dict[str, Any], str, str]] = [
    ({"args": ["--title", "two words"]}, "args[1]", "must not be empty or hold blanks"),
    ({"args": ["--title", ""]}, "args[1]", "must not be empty or hold blanks"),
    ({"job_name": "o" * 58}, "job_name", "at most 57 characters"),
    ({"flink_configuration": {"flink-jobs.spec": "x"}}, "flink_configuration", "provider records"),
    ({"allow_non_restored_state": True}, "allow_non_restored_state", "must be false"),
    ({"savepoint_format": "native"}, "savepoint_format", 'must be "canonical"'),
    ({"jar": "orders.jar"}, "target.jar_upload_directory", "is required, since the service"),
    ({"jar": "https://h/orders.jar"}, "target.jar_upload_directory", "is required, since"),
    ({"upgrade_mode": "last-state"}, "upgrade_mode", 'must not be "last-state"'),
    ({"savepoint_trigger": "1"}, "savepoint_directory", "is required with savepoint_trigger"),
]


@pytest.mark.parametrize(("inputs", "path", "words"), LIMITS, ids=[row[1] for row in LIMITS])
def test_what_the_api_cannot_carry_is_refused_by_name(
    inputs: dict[str, Any], path: str, words: str
) -> None:
    ((where, why),) = problems(**inputs)
    assert where == path
    assert words in why
    assert problems({"url": URL}, **inputs) == [], "a session cluster can have it"
    gateway = target(region=None, endpoint="https://gateway:8090")
    assert (problems(gateway, **inputs) == []) is (path in CLOUD_ONLY)


SETTINGS: list[tuple[dict[str, Any], str, str]] = [
    ({"desc": "x" * 513}, "desc", "at most 512 characters"),
    ({"tags": ["a"]}, "tags", "must be a map"),
    ({"feature": "basic", "flink_version": ""}, "flink_version", "must not be empty"),
    ({"flink_version": "1.15"}, "flink_version", 'is for feature "basic" alone'),
    ({"feature": "fancy"}, "feature", "must be 'basic' or 'custom'"),
    ({"feature": "custom"}, "image", 'is required for feature "custom"'),
    ({"image": "o/i:1"}, "image", 'is for feature "custom" alone'),
    ({"dependency_jars": "a.jar"}, "dependency_jars", "must be a list"),
    ({"dependency_files": [""]}, "dependency_files[0]", "must not be empty"),
    ({"execution_agency_urn": ""}, "execution_agency_urn", "must not be empty"),
    ({"cu_number": 1}, "cu_number", "greater than or equal to 2"),
    ({"manager_cu_number": 0}, "manager_cu_number", "greater than or equal to 1"),
    ({"tm_cus": 1.5}, "tm_cus", "must be a whole number"),
    ({"tm_slot_num": True}, "tm_slot_num", "must be a whole number"),
    ({"resource_config": {"max_slot": 0}}, "resource_config.max_slot", "greater than or equal"),
    (
        {"resource_config": {"jobmanager_resource_spec": {"cpu": 1, "memory": "4"}}},
        "resource_config.jobmanager_resource_spec.memory",
        "must match pattern",
    ),
    ({"checkpoint_enabled": "maybe"}, "checkpoint_enabled", "must be true or false"),
    ({"checkpoint_mode": "once"}, "checkpoint_mode", "must be 'exactly_once' or 'at_least_once'"),
    ({"checkpoint_interval": 3601}, "checkpoint_interval", "less than or equal to 3600"),
    ({"checkpoint_path": ""}, "checkpoint_path", "must not be empty"),
    ({"resume_checkpoint": 3}, "resume_checkpoint", "must be true or false"),
    ({"resume_max_num": 0}, "resume_max_num", "must be -1 (unlimited) or above 0"),
    (
        {"restart_when_exception": True},
        "resume_checkpoint",
        "the service restarts a failed job without its state",
    ),
    ({"restart_when_exception": "no!"}, "restart_when_exception", "must be true or false"),
    ({"log_enabled": True}, "obs_bucket", "is required where log_enabled is true"),
    ({"log_enabled": "no!"}, "log_enabled", "must be true or false"),
    ({"smn_topic": ""}, "smn_topic", "must not be empty"),
    ({"flink_log_config": ""}, "flink_log_config", "must not be empty"),
    ({"nonsense": 1}, "nonsense", "is not a property"),
]


@pytest.mark.parametrize(("given", "name", "words"), SETTINGS, ids=[row[1] for row in SETTINGS])
def test_settings_that_are_wrong(given: dict[str, Any], name: str, words: str) -> None:
    ((where, why),) = problems(dli=given)
    assert where == f"dli.{name}"
    assert words in why


def test_every_setting_can_be_wrong() -> None:
    named = {name.partition(".")[0].partition("[")[0] for _, name, _ in SETTINGS}
    assert named >= set(DliSettings.model_fields)


def test_resources_of_both_versions_exclude_one_another() -> None:
    found = problems(
        dli={
            "cu_number": 4,
            "manager_cu_number": 1,
            "tm_cus": 1,
            "tm_slot_num": 1,
            "resource_config": {"max_slot": 1},
        }
    )
    assert [path for path, _ in found] == [
        "dli.cu_number",
        "dli.manager_cu_number",
        "dli.tm_cus",
        "dli.tm_slot_num",
    ]
    assert all("must not be given with resource_config" in why for _, why in found)


@pytest.mark.parametrize(
    ("inputs", "given"),
    [
        ({}, {"restart_when_exception": True, "resume_checkpoint": True}),
        ({}, {"restart_when_exception": True, "resume_checkpoint": UNKNOWN}),
        ({"upgrade_mode": "stateless"}, {"restart_when_exception": True}),
        ({}, {"log_enabled": True, "obs_bucket": UNKNOWN}),
        ({}, {"feature": UNKNOWN, "image": "o/i:1"}),
        ({}, {"feature": "custom", "image": UNKNOWN}),
        ({"savepoint_trigger": "1", "savepoint_directory": UNKNOWN}, {}),
        ({}, UNKNOWN),
    ],
)
def test_settings_that_are_right_or_not_known_yet(inputs: dict[str, Any], given: Any) -> None:
    assert problems(dli=given, **inputs) == []


@pytest.mark.parametrize(
    ("other", "refused"),
    [({"url": URL}, True), (UNKNOWN, False), ({"kind": UNKNOWN}, False)],
)
def test_settings_are_for_data_lake_insight_alone(other: Any, refused: bool) -> None:
    found = problems(other, dli={"desc": "x"})
    assert ("dli" in [path for path, _ in found]) is refused


# What it is told apart by


@pytest.mark.parametrize(
    ("more", "same"),
    [
        ({"queue": "other", "token": "env:OTHER"}, True),
        ({"region": None, "endpoint": "https://dli.eu-west-101.myhuaweicloud.eu:443/"}, True),
        ({"region": "eu-west-0"}, False),
        ({"project_id": "other"}, False),
        ({"region": None, "endpoint": "https://gateway"}, False),
    ],
)
def test_places(more: dict[str, Any], same: bool) -> None:
    one, other = (DliTarget.model_validate(each) for each in (LEAST, target(**more)))
    assert (one.place == other.place) is same


@pytest.mark.parametrize(
    ("endpoint", "cloud"),
    [
        ("https://dli.eu-de.otc.t-systems.com", True),
        ("https://dli.cn-north-4.myhuaweicloud.com", True),
        ("https://DLI.eu-west-101.myhuaweicloud.eu/", True),
        ("https://gateway:8090", False),
        ("https://myhuaweicloud.com.elsewhere.test", False),
    ],
)
def test_clouds_are_told_from_gateways(endpoint: str, cloud: bool) -> None:
    given = DliTarget.model_validate(target(region=None, endpoint=endpoint))
    assert given.is_cloud is cloud


@pytest.mark.parametrize("region", sorted(DliRegion.static_fields))
def test_a_region_makes_the_address(region: str) -> None:
    """Shows that it is the one at which Huawei's own client finds the service."""
    given = DliTarget.model_validate(target(region=region))
    assert [given.url] == DliRegion.static_fields[region].endpoints
    assert given.is_cloud


# What a version is


def test_what_makes_another_version() -> None:
    """Shows that what changes while a job runs, or says nothing of it, makes no other version."""

    def digits(**settings: Any) -> str:
        return spec(target=LEAST, dli=settings).digits(None)

    examples: dict[str, Any] = {
        "desc": "x",
        "tags": {"a": "1"},
        "smn_topic": "t",
        "restart_when_exception": True,
        "resume_checkpoint": True,
        "resume_max_num": 3,
        "obs_bucket": "b",
        "checkpoint_path": "b/c",
    }
    assert set(examples) == WHILE_RUNNING | DESCRIBING | AT_CREATION
    assert {digits(**{name: value}) for name, value in examples.items()} == {digits()}
    assert digits(cu_number=3) != digits()
    queued = spec(target=target(queue="q"))
    assert queued.digits(None) != digits()


def test_digits_of_other_targets_are_as_before() -> None:
    assert spec().digits(None)[:16] == "e92bd82e9676382f"


def test_a_spec_reads_back_as_it_was_written() -> None:
    inputs = {"job_name": "orders", "owner": OWNER, "jar": JAR}
    settings = {"resource_config": {"jobmanager_resource_spec": {"cpu": 1, "memory": "4G"}}}
    whole = JobSpec.model_validate({**inputs, "target": LEAST, "dli": settings})
    assert JobSpec.model_validate(whole.plain()) == whole
    outputs = record(whole, run_id="9007199254740993").outputs()
    assert outputs["run_id"] == "9007199254740993"
    assert JobRecord.from_outputs(outputs).spec == whole


def test_records_of_other_targets_have_no_settings() -> None:
    assert "dli" not in record().outputs()
