"""One variable moves the whole example: cluster, gateway, stack, and what the jobs write."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]


def planned(*words: str) -> str:
    """Return what make would run."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("FLINK_JOBS", "MAKE"))}
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.process
def test_port_moves_cluster_and_gateway() -> None:
    said = planned("cluster", "PORT=9100")
    assert "local up --port 9100 --gateway .gateway/gateway-9100.yaml" in said
    assert "PORT=8181 moves" in said
    assert "s/127.0.0.1:8081/127.0.0.1:9100/" in said
    assert "s/port: 8090/port: 9109/" in said


def test_what_is_replaced_is_in_the_file_of_the_gateway() -> None:
    """Shows that the substitutions above find what they are for."""
    text = (ROOT / "stacks/gateway.yaml").read_text(encoding="utf-8")
    moved = text.replace("127.0.0.1:8081", "127.0.0.1:9100").replace("port: 8090", "port: 9109")
    assert re.search(r"^ *file:.*/tmp/flink-jobs/", text, re.MULTILINE)
    content = yaml.safe_load(moved)
    assert content["listen"]["port"] == 9109
    assert content["clusters"][0]["flink"]["url"] == "http://127.0.0.1:9100"


def gateways_mounts(port: str, tmp_path: Path) -> dict[str, str]:
    """Return the mounts of the example's gateway, by the command that make would run."""
    sed = re.search(r"sed .*?(?= >\.gateway)", planned("cluster", f"PORT={port}"), re.DOTALL)
    assert sed
    made = tmp_path / "gateway.yaml"
    subprocess.run(f"{sed[0]} >{made}", shell=True, cwd=ROOT, check=True)
    mounts: dict[str, str] = yaml.safe_load(made.read_text())["clusters"][0]["mounts"]
    return mounts


@pytest.mark.process
def test_the_gateway_serves_the_jars_of_its_example(tmp_path: Path) -> None:
    """Shows also that a job which was put to the place without a port has its jar still."""
    plain = {"file:///tmp/flink-jobs/jars": "file:///tmp/flink-jobs/jars"}
    moved = {"file:///tmp/flink-jobs-9100/jars": "file:///tmp/flink-jobs-9100/jars"}
    assert gateways_mounts("8081", tmp_path) == plain
    assert gateways_mounts("9100", tmp_path) == plain | moved


_PROGRAM = """
import json, runpy
import pulumi

class Mocks(pulumi.runtime.Mocks):
    def call(self, args):
        return {}

    def new_resource(self, args):
        return args.name, args.inputs

pulumi.runtime.set_mocks(Mocks(), project="flink-jobs", stack="dev")
program = runpy.run_path("__main__.py")
for name, inputs in program["files"].items():
    print(name, json.dumps(program["placed"](inputs), default=str))
"""


def jobs_files(**environment: str) -> dict[str, str]:
    """Return, by job, what the example's program has of the directory for the jobs' files."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        cwd=ROOT / "stacks",
        env={**os.environ, "FLINK_JOBS_URL": "http://127.0.0.1:1", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    found = {}
    for name in ("counting", "sensor-alerts"):
        [line] = [each for each in done.stdout.splitlines() if each.startswith(f"{name} ")]
        inputs = json.loads(line.removeprefix(f"{name} "))
        found[name] = inputs["args"][1]
        if isinstance(inputs["target"], dict):
            found["jars"] = inputs["target"]["jar_upload_directory"]
    return found


@pytest.mark.process
def test_two_examples_write_to_two_places() -> None:
    """Shows the program with the variable that the Makefile exports, and without it."""
    assert "export FLINK_JOBS_FILES" in (ROOT / "Makefile").read_text(encoding="utf-8")
    for environment, place in (
        ({}, "/tmp/flink-jobs"),
        (
            {"FLINK_JOBS_FILES": "/tmp/flink-jobs-9100"},
            "/tmp/flink-jobs-9100",
        ),
    ):
        assert jobs_files(**environment) == {
            "counting": f"{place}/counting",
            "sensor-alerts": f"{place}/sensor-alerts",
            "jars": f"file://{place}/jars",
        }
