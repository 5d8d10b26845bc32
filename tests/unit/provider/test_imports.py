"""What a program and a preview start without: each import costs every command of an engine.

Imports are counted, not seconds: those depend on the machine.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.provider.resource import FlinkJob
from tests.job_jars import COUNTING_JAR

#: What a program declares jobs with, of the project itself.
OF_A_PROGRAM = {
    "flink_jobs_provider",
    "flink_jobs_provider.engine",
    "flink_jobs_provider.engine.program_child",
    "flink_jobs_provider.provider",
    *(
        f"flink_jobs_provider.provider.{name}"
        for name in (
            *("args", "dynamic", "dynamic_state", "job_outputs", "program_interrupts"),
            "resource",
        )
    ),
}
_PROGRAM = """
import json, sys
import flink_jobs_provider.engine.program_child
import pulumi

class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        return args.name, args.inputs
    def call(self, args):
        return {}

pulumi.runtime.set_mocks(Mocks(), "shop", "prod")
from flink_jobs_provider import FlinkJob, FlinkJobArgs, FlinkSessionCluster

@pulumi.runtime.test
def declare():
    target = FlinkSessionCluster("http://localhost:1")
    job = FlinkJob("orders", FlinkJobArgs(target=target, job_name="orders", jar="orders.jar"))
    return job.job_name.apply(lambda name: print(name))

declare()
print(json.dumps(sorted(sys.modules)))
"""

_PREVIEWS = """
import sys
from flink_jobs_provider import FlinkJob
from flink_jobs_provider.provider.dynamic import FlinkJobProvider
inputs = {"target": {"kind": "flink", "url": "http://localhost:1"}, "job_name": "orders",
          "owner": "acme/shop/prod", "jar": sys.argv[1]}
assert not FlinkJobProvider().check({}, inputs).failures
print([name for name in ("httpx", "fsspec", "tenacity") if name in sys.modules])
"""


@pytest.mark.process
def test_a_preview_of_local_jars_loads_no_client_and_no_store() -> None:
    run = subprocess.run(
        [sys.executable, "-c", _PREVIEWS, str(COUNTING_JAR)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout.splitlines()[-1] == "[]"


@pytest.mark.process
def test_a_program_loads_only_what_declares_jobs() -> None:
    """Shows that neither the models nor what works on clusters are loaded by a program."""
    run = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stderr
    name, last = run.stdout.splitlines()
    assert name == "orders"
    loaded = json.loads(last)
    assert {each for each in loaded if each.startswith("flink_jobs_provider")} == OF_A_PROGRAM
    assert sorted({"fsspec", "httpx", "pydantic", "tenacity"}.intersection(loaded)) == []


def test_the_outputs_of_a_job_are_those_of_its_record() -> None:
    """Shows that a program can name them without loading the record's model."""
    assert {*FlinkJob.__annotations__} == {*JobRecord.output_names(), "job_name", "jar_digest"}
