"""What is known of Flink's options, and which values of theirs Flink parses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.model.flink_options import (
    Scope,
    expected,
    flink_option,
    nearest_option,
    parses,
    versions,
)
from tests.job_jars import COUNTING_JAR

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
