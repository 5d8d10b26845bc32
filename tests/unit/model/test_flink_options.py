"""What is known of Flink's options, which values Flink parses, and what a job may set."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from pulumi.output import Unknown

from flink_jobs_provider.model import flink_options
from flink_jobs_provider.model.flink_options import (
    Findings,
    Scope,
    expected,
    findings_of,
    flink_option,
    nearest_option,
    parses,
    versions,
)
from tests.job_jars import COUNTING_JAR
from tests.unit.model.made_up_jobs import URL

#: By type and value, the versions whose own parsers take it.
VERDICTS: dict[str, dict[str, list[str]]] = json.loads(
    Path(__file__).with_name("flink_parsers.json").read_text(encoding="utf-8")
)

_LOADS = """
import sys
from flink_jobs_provider.provider.dynamic import FlinkJobProvider
inputs = {"target": {"kind": "flink", "url": "http://localhost:1"}, "job_name": "orders",
          "owner": "acme/shop/prod", "jar": sys.argv[1]}
assert not FlinkJobProvider().check({}, inputs).failures
from flink_jobs_provider.model import flink_options
print(flink_options._data.cache_info().currsize)
"""


@pytest.mark.parametrize(
    ("kind", "value"), [(kind, value) for kind, values in VERDICTS.items() for value in values]
)
def test_values_are_judged_as_by_flinks_own_parsers(kind: str, value: str) -> None:
    assert parses((kind,), value) is bool(VERDICTS[kind][value])


def test_a_value_that_any_version_takes_is_taken() -> None:
    assert parses(("duration", "long"), "5")
    assert not parses(("duration", "long"), "five")
    assert parses(("duration", "text"), "five")
    assert expected(("duration", "enum A|B")) == (
        'a duration such as "10 s" or "5 min" or one of A, B'
    )


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("execution.checkpointing.interval", (("duration",), "1.17", "2.3", None, "job")),
        ("pipeline.object-reuse", (("boolean",), "1.17", "2.3", None, "job")),
        (
            "execution.checkpointing.mode",
            (("enum AT_LEAST_ONCE|EXACTLY_ONCE",), "1.17", "2.3", None, "job"),
        ),
        (
            "state.checkpoints.dir",
            (("text",), "1.17", "2.3", "execution.checkpointing.dir", "job"),
        ),
        ("execution.checkpointing.dir", (("text",), "1.20", "2.3", None, "job")),
        ("restart-strategy", (("text",), "1.17", "2.3", "restart-strategy.type", "job")),
        ("state.backend.rocksdb.memory.managed", (("boolean",), "1.17", "2.3", None, "job")),
        ("table.exec.state.ttl", (("duration",), "1.17", "2.3", None, "job")),
        ("taskmanager.numberOfTaskSlots", (("integer",), "1.17", "2.3", None, "cluster")),
        ("jobmanager.memory.heap.size", (("memory",), "1.17", "2.3", None, "cluster")),
        ("rest.port", (("integer",), "1.17", "2.3", None, "cluster")),
        ("yarn.application.name", (("text",), "1.17", "2.3", None, "cluster")),
        (
            "jobmanager.execution.failover-strategy",
            (("text",), "1.17", "2.3", None, "cluster in doubt"),
        ),
        # What a job's own graph and tasks are made with stands among the cluster's options, too.
        (
            "taskmanager.memory.managed.consumer-weights",
            (("map",), "1.17", "2.3", None, "job"),
        ),
        ("jobmanager.scheduler", None),
        ("jobmanager.adaptive-batch-scheduler.max-parallelism", None),
        ("taskmanager.runtime.sort-spilling-threshold", None),
        ("pekko.ask.timeout", None),
        ("metrics.latency.interval", None),
        ("classloader.resolve-order", None),
        ("blob.client.socket.timeout", (("integer",), "1.17", "2.3", None, "cluster in doubt")),
    ],
)
def test_options(key: str, what: tuple[Any, ...] | None) -> None:
    found = flink_option(key)
    assert found is not None
    if what is None:
        assert found.scope is Scope.JOB
    else:
        types, since, until, now, scope = what
        assert (found.types, found.since, found.until) == (types, since, until)
        assert (found.present, found.scope) == (now or key, scope)


@pytest.mark.parametrize(
    "key",
    [
        *("", "connector", "format", "path", "sink.parallelism", "$internal.pipeline.job-id"),
        *("s3.access-key", "metrics.reporter.prom.port", "flink-jobs.spec", "fields.#.kind"),
    ],
)
def test_what_is_no_option(key: str) -> None:
    assert flink_option(key) is None


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("execution.chekpointing.interval", "execution.checkpointing.interval"),
        ("execution.checkpointing.intervall", "execution.checkpointing.interval"),
        ("execution.checkpointing.min_pause", "execution.checkpointing.min-pause"),
        ("Execution.Checkpointing.Interval", "execution.checkpointing.interval"),
        ("restart-strategy.fixed-delay.attempt", "restart-strategy.fixed-delay.attempts"),
        ("pipeline.object-resue", "pipeline.object-reuse"),
        ("s3.access-key", None),
        ("fs.s3a.endpoint", None),
        ("metrics.reporter.prom.factory.class", None),
        ("hadoop.dfs.replication", None),
        ("orders.topic", None),
        ("parallelism", None),
        ("pipeline.global-job-parameters.topic", None),
        ("pipeline.global-job-parameter", "pipeline.global-job-parameters"),
    ],
)
def test_near_misses(key: str, meant: str | None) -> None:
    near = nearest_option(key)
    assert (near.key if near else None) == meant


def test_versions() -> None:
    assert versions() == "1.17 to 2.3"


@pytest.mark.process
def test_a_job_without_options_does_not_load_them() -> None:
    """Shows that most checks do not read the data."""
    run = subprocess.run(
        [sys.executable, "-c", _LOADS, str(COUNTING_JAR)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout.splitlines()[-1] == "0"


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
    with patch.object(flink_options, "nearest_option", return_value=None) as search:
        found({**many, "x" * 10_000: "x"})
    assert search.call_count == 20
    with patch.object(flink_options, "nearest_option", return_value=None) as search:
        found({"x" * 10_000: "x", "pipeline.object-reuse": "true"})
    assert search.call_count == 0
