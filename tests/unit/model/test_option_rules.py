"""What is refused of `flink_configuration`, what is warned of, and what passes."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from pulumi.output import Unknown

from flink_jobs_provider.model import option_rules
from flink_jobs_provider.model.option_rules import Findings, findings_of
from tests.unit.model.made_up_jobs import URL

FLINK: dict[str, Any] = {"kind": "flink", "url": URL}
HDINSIGHT: dict[str, Any] = {"kind": "hdinsight"}
CLOUD: dict[str, Any] = {"kind": "dli", "region": "eu-west-101", "project_id": "p"}
DLI_GATEWAY: dict[str, Any] = {"kind": "dli", "endpoint": "http://gateway:8090", "project_id": "p"}
NO_EFFECT = "is an option of the cluster and has no effect on a job submitted to a session cluster"
MAY_HAVE_NONE = "is an option of the cluster's processes, which may have no effect on a job"
SLOTS = "taskmanager.numberOfTaskSlots"


def found(options: Any, target: Any = FLINK, former: Any = None) -> Findings:
    """Return what is said of a job's options."""
    return findings_of({"target": target, "flink_configuration": options}, former)


@pytest.mark.parametrize(
    "key",
    [
        *(SLOTS, "jobmanager.memory.heap.size", "taskmanager.memory.process.size", "rest.port"),
        *("web.submit.enable", "heartbeat.timeout", "high-availability.storageDir"),
        *("kubernetes.cluster-id", "yarn.application.name", "slotmanager.number-of-slots.max"),
        *("security.kerberos.login.keytab", "cluster.intercept-user-system-exit"),
        *("taskmanager.network.netty.num-arenas", "resourcemanager.taskmanager-timeout"),
        "jobmanager.web.port",  # by its former key
    ],
)
def test_options_of_the_cluster_are_refused_by_name(key: str) -> None:
    """Shows it whatever the value is: that it cannot be parsed is not said besides."""
    result = found({key: "nothing of the kind"})
    ((path, why),) = result.problems
    assert path == f"flink_configuration.{key}"
    assert why.startswith(NO_EFFECT)
    assert result.warnings == []
    assert found({key: "x"}, {"url": URL}).problems == result.problems  # flink is the usual kind


@pytest.mark.parametrize("target", [HDINSIGHT, DLI_GATEWAY])
def test_job_services_take_options_of_the_cluster_with_a_warning(target: dict[str, Any]) -> None:
    """Shows a session cluster behind an API that takes them."""
    result = found({SLOTS: "4"}, target)
    assert result.problems == []
    (warning,) = result.warnings
    assert warning.startswith(f"flink_configuration.{SLOTS} {NO_EFFECT}")


def test_a_run_on_data_lake_insight_has_a_cluster_of_its_own() -> None:
    assert found({SLOTS: "4", "taskmanager.memory.process.size": "4g"}, CLOUD) == Findings([], [])


@pytest.mark.parametrize("target", [None, Unknown(), "x", {"kind": Unknown()}, {"kind": "yarn"}])  # type: ignore[no-untyped-call]
def test_an_unknown_target_refuses_no_option(target: object) -> None:
    assert found({SLOTS: "4"}, target).problems == []


@pytest.mark.parametrize(
    "key", ["jobmanager.execution.failover-strategy", "taskmanager.memory.segment-size"]
)
def test_where_it_is_not_certain_a_warning_is_given(key: str) -> None:
    result = found({key: "32kb"})
    assert result.problems == []
    (warning,) = result.warnings
    assert warning.startswith(f"flink_configuration.{key} {MAY_HAVE_NONE}")


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        (
            "execution.checkpointing.interval",
            "10 sekunden",
            'must be a duration such as "10 s" or "5 min" (got \'10 sekunden\')',
        ),
        (
            "state.backend.rocksdb.memory.fixed-per-slot",
            "viel",
            'must be a memory size such as "64 mb" or "1 gb" (got \'viel\')',
        ),
        ("pipeline.object-reuse", "ja", "must be true or false (got 'ja')"),
        ("pipeline.max-parallelism", 1.5, "must be a whole number (of 32 bits) (got '1.5')"),
        (
            "execution.checkpointing.mode",
            "once",
            "must be one of AT_LEAST_ONCE, EXACTLY_ONCE (got 'once')",
        ),
        ("pipeline.object-reuse", "x" * 61, "must be true or false (got a text of 61 characters)"),
        ("pipeline.object-reuse", "x\n'", "must be true or false (got a text of 3 characters)"),
        # A former key, whose values are those of the option that it is read for.
        ("state.backend.incremental", "ja", "must be true or false (got 'ja')"),
    ],
)
def test_values_that_flink_cannot_parse(key: str, value: object, why: str) -> None:
    for target in (FLINK, HDINSIGHT, CLOUD):
        assert found({key: value}, target) == Findings([(f"flink_configuration.{key}", why)], [])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("execution.checkpointing.interval", "10 s"),
        ("execution.checkpointing.interval", 10000.0),  # as Pulumi sends a number
        ("pipeline.object-reuse", True),
        ("pipeline.max-parallelism", 128),
        ("execution.checkpointing.mode", "exactly_once"),
        ("execution.checkpointing.interval", Unknown()),  # type: ignore[no-untyped-call]
        ("pipeline.global-job-parameters", "a:b,c:d"),
        ("pipeline.global-job-parameters.topic", "orders"),
        ("taskmanager.memory.managed.consumer-weights", "OPERATOR:70,STATE_BACKEND:70"),
        ("restart-strategy", "fixed-delay"),
        ("metrics.reporter.prom.factory.class", "org.example.Factory"),
        ("metrics.reporters", "prom"),
        ("s3.access-key", "key"),
        ("fs.s3a.endpoint", "https://s3.example.com"),
        ("hadoop.dfs.replication", "3"),
        ("env.java.opts", "-Xss2m"),
        ("orders.topic", "orders"),
        ("flink-jobs.spec", "x"),
    ],
)
def test_other_options_are_left_alone(key: str, value: object) -> None:
    assert found({key: value}) == Findings([], [])


def test_near_misses_are_warned_of() -> None:
    result = found({"execution.chekpointing.interval": "10s", "state.checkpoint.dir": "/x"})
    assert result.problems == []
    assert result.warnings == [
        "flink_configuration.execution.chekpointing.interval is not an option of Flink 1.17 to "
        "2.3, and is passed on as it is; did you mean execution.checkpointing.interval?",
        "flink_configuration.state.checkpoint.dir is not an option of Flink 1.17 to 2.3, and is "
        "passed on as it is; did you mean state.checkpoints.dir (now called "
        "execution.checkpointing.dir)?",
    ]
    (warning,) = found({"execution.checkpointing.dirs": "/x"}).warnings
    assert warning.endswith("did you mean execution.checkpointing.dir (of Flink 1.20 to 2.3)?")


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("", "must not have an empty key"),
        ("  ", "must not have an empty key"),
        (" pipeline.object-reuse", "must name options without blanks around them (got ' pipe"),
    ],
)
def test_keys_that_name_nothing_are_refused(key: str, why: str) -> None:
    for target in (FLINK, HDINSIGHT, CLOUD):
        ((path, reason),) = found({key: "x"}, target).problems
        assert path == "flink_configuration"
        assert reason.startswith(why)


def test_what_the_job_has_already_is_a_warning() -> None:
    """Shows that no rule stops the deployment of a job that has run with the option."""
    options = {SLOTS: 4.0, "pipeline.object-reuse": "ja", "": "x"}
    result = found(options, former={SLOTS: "4", "pipeline.object-reuse": "ja", "": "x"})
    assert result.problems == []
    assert len(result.warnings) == 3
    assert all(
        line.endswith("It is passed on, since the job has it already.") for line in result.warnings
    )
    assert len(found(options, former={SLOTS: "5", "pipeline.object-reuse": "nein"}).problems) == 3


@pytest.mark.parametrize("options", [None, "x", [], Unknown(), {}, {3: "x"}])  # type: ignore[no-untyped-call]
def test_what_is_no_map_of_options_is_the_models_matter(options: object) -> None:
    assert found(options) == Findings([], [])


def test_the_search_for_near_misses_is_bounded() -> None:
    many = {f"orders.topic.{number}": "x" for number in range(500)}
    with patch.object(option_rules, "nearest_option", return_value=None) as search:
        found({**many, "x" * 10_000: "x"})
    assert search.call_count == 20
    with patch.object(option_rules, "nearest_option", return_value=None) as search:
        found({"x" * 10_000: "x", "pipeline.object-reuse": "true"})
    assert search.call_count == 0
