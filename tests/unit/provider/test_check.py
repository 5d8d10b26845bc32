"""Check: every problem at once, each on its property; defaults; the digest of the jar."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from pulumi.output import Unknown

from flink_jobs_provider.provider.dynamic import FlinkJobProvider
from tests.job_jars import COUNTING_JAR
from tests.unit.reconciling.flink.fake_flink import FakeFlink

UNKNOWN = Unknown()  # type: ignore[no-untyped-call]


def failures(provider: FlinkJobProvider, inputs: dict[str, Any]) -> list[str]:
    """Return what is wrong, as property paths."""
    return [failure.property for failure in provider.check({}, inputs).failures or []]


def test_defaults_and_digest(provider: FlinkJobProvider, inputs: dict[str, Any]) -> None:
    result = provider.check({}, inputs)
    assert result.failures == []
    assert "__provider" not in result.inputs
    assert result.inputs["jar_digest"] == hashlib.sha256(COUNTING_JAR.read_bytes()).hexdigest()
    assert result.inputs["parallelism"] == 2
    assert result.inputs["timeouts"]["running"] == "10m"
    assert "entry_class" not in result.inputs


def test_checked_inputs_are_the_same_when_checked_again(
    provider: FlinkJobProvider, inputs: dict[str, Any]
) -> None:
    first = provider.check({}, inputs).inputs
    assert provider.check(first, inputs).inputs == first


def test_floats_of_the_engine_are_whole_numbers(
    provider: FlinkJobProvider, inputs: dict[str, Any]
) -> None:
    """Shows that a parallelism of 4.0, as the protocol carries it, is 4."""
    assert provider.check({}, {**inputs, "parallelism": 4.0}).inputs["parallelism"] == 4


def test_a_change_of_content_changes_the_digest(
    provider: FlinkJobProvider, inputs: dict[str, Any]
) -> None:
    before = provider.check({}, inputs).inputs
    Path(inputs["jar"]).write_bytes(Path(inputs["jar"]).read_bytes() + b"\0")
    after = provider.check(before, inputs).inputs
    assert after["jar_digest"] != before["jar_digest"]


def test_everything_wrong_is_told_at_once(
    provider: FlinkJobProvider, inputs: dict[str, Any]
) -> None:
    wrong = {
        **inputs,
        "job_name": "Orders!",
        "parallelism": 0,
        "jar": "/no/such.jar",
        "timeouts": {"running": "soon"},
        "target": {"kind": "flink", "url": "flink:8081"},
        "upgrade_mode": "never",
        "paralelism": 3,
    }
    assert sorted(failures(provider, wrong)) == sorted(
        [
            "job_name",
            "parallelism",
            "jar",
            "timeouts.running",
            "target.url",
            "upgrade_mode",
            "paralelism",
        ]
    )


@pytest.mark.parametrize("name", ["target", "job_name", "jar", "owner"])
def test_required(provider: FlinkJobProvider, inputs: dict[str, Any], name: str) -> None:
    del inputs[name]
    assert failures(provider, inputs) == [name]
    assert failures(provider, {**inputs, name: None}) == [name]


def test_no_main_class_anywhere(
    provider: FlinkJobProvider, inputs: dict[str, Any], tmp_path: Path
) -> None:
    import zipfile

    jar = tmp_path / "plain.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("a.txt", "")
    assert failures(provider, {**inputs, "jar": str(jar)}) == ["entry_class"]
    assert failures(provider, {**inputs, "jar": str(jar), "entry_class": "a.B"}) == []


@pytest.mark.parametrize(
    "unknown",
    [
        {"target": UNKNOWN},
        {"target": {"kind": "flink", "url": UNKNOWN}},
        {"job_name": UNKNOWN},
        {"jar": UNKNOWN},
        {"args": ["--a", UNKNOWN]},
        {"args": UNKNOWN},
        {"parallelism": UNKNOWN},
        {"flink_configuration": {"a": UNKNOWN}},
        {"restore_from": UNKNOWN, "desired_state": UNKNOWN},
        {"timeouts": {"running": UNKNOWN}},
    ],
)
def test_what_is_not_known_yet_passes(
    provider: FlinkJobProvider, inputs: dict[str, Any], unknown: dict[str, Any]
) -> None:
    assert failures(provider, inputs | unknown) == []


def test_what_is_wrong_beside_unknowns_is_told(
    provider: FlinkJobProvider, inputs: dict[str, Any]
) -> None:
    wrong = {**inputs, "target": {"kind": "flink", "url": UNKNOWN, "tls": 3}, "parallelism": -1}
    assert sorted(failures(provider, wrong)) == ["parallelism", "target.tls"]


def test_creation_is_told_in_a_line(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    flink: FakeFlink,
) -> None:
    provider.check({}, inputs)
    assert capsys.readouterr().out == "orders: NEW, first start, no state\n"
    provider.check({"job_name": "orders"}, inputs)
    assert capsys.readouterr().out == ""


def test_a_resource_name_with_blanks_around_it_is_refused(
    provider: FlinkJobProvider, inputs: dict[str, Any], flink: FakeFlink
) -> None:
    """Shows that a resource which has such a name keeps it: another would be another resource."""
    named = {**inputs, "__options": ["resource_name"]}
    result = provider.check({}, named)
    told = {failure.property: failure.reason for failure in result.failures or []}
    assert told == {"resource_name": "must be given without blanks around it"}
    recorded = provider.check({}, inputs).inputs
    assert not provider.check(recorded, named).failures


def test_options_without_effect_are_refused_by_name(
    provider: FlinkJobProvider, inputs: dict[str, Any], flink: FakeFlink
) -> None:
    result = provider.check({}, {**inputs, "__options": ["custom_timeouts", "replace_on_changes"]})
    told = {failure.property: failure.reason for failure in result.failures or []}
    assert told.keys() == {"custom_timeouts", "replace_on_changes"}
    assert "set the input timeouts instead" in told["custom_timeouts"]
    assert "remove it" in told["replace_on_changes"]
    assert "__options" not in provider.check({}, {**inputs, "__options": []}).inputs
