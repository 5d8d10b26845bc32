"""The policy pack's own process, started and asked as the Pulumi CLI does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from google.protobuf.empty_pb2 import Empty
from semver import Version

from flink_jobs_provider.engine.protocols import analyzer_pb2, analyzer_pb2_grpc, engine_pb2_grpc
from flink_jobs_provider.engine.values import UNKNOWN, Secret, to_struct
from flink_jobs_provider.policy import PACK_DIRECTORY
from flink_jobs_provider.policy.rules import POLICIES
from tests.unit.policy.jobs import PERMITTED, urn
from tests.waiting import wait_until

_DYNAMIC = "pulumi-python:dynamic/flink_jobs:FlinkJob"
_PLUGIN = "flink-jobs:index:Job"


@contextmanager
def _engine() -> Iterator[tuple[str, grpc.Server]]:
    """Serve at an address that the pack takes for its engine's."""
    from concurrent.futures import ThreadPoolExecutor

    server = grpc.server(ThreadPoolExecutor(1))
    engine_pb2_grpc.add_EngineServicer_to_server(engine_pb2_grpc.EngineServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}", server
    finally:
        server.stop(0)


@contextmanager
def _pack(address: str) -> Iterator[tuple[Any, subprocess.Popen[bytes]]]:
    """Start the pack as `pulumi-language-python` does, and connect to it."""
    command = [sys.executable, "-u", "-m", "pulumi.policy", address, str(PACK_DIRECTORY)]
    with subprocess.Popen(command, cwd=PACK_DIRECTORY, stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            port = int(process.stdout.readline())
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield analyzer_pb2_grpc.AnalyzerStub(channel), process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def pack() -> Iterator[Any]:
    """Return a pack that is configured as by default, in a process of its own."""
    with _engine() as (address, _), _pack(address) as (stub, _process):
        stub.Handshake(analyzer_pb2.AnalyzerHandshakeRequest(engine_address=address))
        stub.ConfigureStack(analyzer_pb2.AnalyzerStackConfigureRequest(stack="prod"))
        yield stub


def _configuration(**entries: dict[str, Any]) -> Any:
    """Return the configuration of policies, in whose names `_` stands for `-`."""
    request = analyzer_pb2.ConfigureAnalyzerRequest()
    for name, parameters in entries.items():
        entry = request.policyConfig[name.replace("_", "-")]
        entry.enforcementLevel = analyzer_pb2.MANDATORY
        entry.properties.update(parameters)
    return request


def _resource(kind: str, **inputs: Any) -> dict[str, Any]:
    properties = to_struct({**PERMITTED, **inputs})
    return {"type": kind, "urn": urn(), "name": "orders", "properties": properties}


def _found(response: Any) -> dict[str, tuple[int, str]]:
    return {each.policyName: (each.enforcementLevel, each.message) for each in response.diagnostics}


def test_it_is_a_pack_of_the_python_runtime() -> None:
    """Shows that its folder has what the Pulumi CLI asks for, and nothing that shadows a module."""
    project = yaml.safe_load((PACK_DIRECTORY / "PulumiPolicy.yaml").read_text("utf-8"))
    assert project["runtime"] == {"name": "python", "options": {"toolchain": "pip"}}
    assert {each.name for each in PACK_DIRECTORY.iterdir() if each.is_file()} == {
        "PulumiPolicy.yaml",
        "__main__.py",
    }


def test_it_says_what_it_judges(pack: Any) -> None:
    """Shows the policies with their levels, and the schemas of their parameters."""
    information = pack.GetAnalyzerInfo(Empty())
    assert (information.name, information.supportsConfig) == ("flink-jobs", True)
    assert Version.parse(information.version)  # the Pulumi CLI takes a semantic one alone
    assert [each.name for each in information.policies] == [each.name for each in POLICIES]
    levels = {each.name: each.enforcementLevel for each in information.policies}
    assert levels["jar-pinned"] == analyzer_pb2.ADVISORY
    assert levels["state-carried-over"] == analyzer_pb2.MANDATORY
    schemas = {each.name: each.configSchema.properties for each in information.policies}
    assert schemas["job-parallelism"]["maximum"]["type"] == "integer"


@pytest.mark.parametrize("kind", [_DYNAMIC, _PLUGIN])
def test_both_resources_are_judged(pack: Any, kind: str) -> None:
    """Shows that a job of the dynamic provider and one of the plugin are judged alike."""
    careful = pack.Analyze(analyzer_pb2.AnalyzeRequest(**_resource(kind)))
    assert not careful.diagnostics
    careless = _resource(kind, upgrade_mode="stateless", jar="s3://jars/orders.jar")
    found = _found(pack.Analyze(analyzer_pb2.AnalyzeRequest(**careless)))
    assert found.keys() == {"state-carried-over", "jar-pinned"}
    level, message = found["state-carried-over"]
    assert level == analyzer_pb2.MANDATORY
    assert message.startswith("orders: upgrade_mode is stateless, which drops")
    assert found["jar-pinned"][0] == analyzer_pb2.ADVISORY


def test_other_resources_are_none_of_its_business(pack: Any) -> None:
    """Shows that a resource of another type is not judged."""
    other = _resource("random:index:RandomId", upgrade_mode="stateless")
    assert not pack.Analyze(analyzer_pb2.AnalyzeRequest(**other)).diagnostics


def test_secrets_are_told_from_plain_text(pack: Any) -> None:
    """Shows that an argument is judged by how it arrives: a secret of Pulumi's, or not."""
    secret: list[Any] = ["--password", Secret("hunter2")]
    asked = analyzer_pb2.AnalyzeRequest(**_resource(_DYNAMIC, args=secret))
    assert not pack.Analyze(asked).diagnostics
    plain = _resource(_DYNAMIC, args=["--password", "hunter2"])
    found = _found(pack.Analyze(analyzer_pb2.AnalyzeRequest(**plain)))
    assert "args[1]" in found["no-plain-secrets"][1]


def test_what_a_preview_does_not_know_is_advice(pack: Any) -> None:
    """Shows that an unknown value blocks nothing, and that it is said."""
    unknown = _resource(_DYNAMIC, savepoint_directory=UNKNOWN)
    found = _found(pack.Analyze(analyzer_pb2.AnalyzeRequest(**unknown)))
    level, message = found["savepoint-directory"]
    assert level == analyzer_pb2.ADVISORY
    assert "savepoint_directory is known only once the update has run" in message


def test_a_stack_is_judged_as_a_whole(pack: Any) -> None:
    """Shows that the configured sum counts over both kinds of resources."""
    pack.Configure(_configuration(stack_parallelism={"maximum": 7}))
    try:
        resources = [
            analyzer_pb2.AnalyzerResource(**_resource(kind)) for kind in (_DYNAMIC, _PLUGIN)
        ]
        stack = analyzer_pb2.AnalyzeStackRequest(resources=resources)
        _, message = _found(pack.AnalyzeStack(stack))["stack-parallelism"]
        assert "parallelism is 8 over all 2 running jobs, above the maximum of 7" in message
    finally:
        pack.Configure(_configuration())


def test_an_invalid_configuration_is_refused_by_name(pack: Any) -> None:
    """Shows that the CLI is told which entry no policy has."""
    with pytest.raises(grpc.RpcError) as refused:
        pack.Configure(_configuration(job_paralelism={"maximum": 7}))
    error: Any = refused.value
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "job-paralelism is no policy: did you mean job-parallelism?" in error.details()


def test_it_changes_no_job(pack: Any) -> None:
    """Shows that it has no remediations."""
    asked = analyzer_pb2.AnalyzeRequest(**_resource(_DYNAMIC, upgrade_mode="stateless"))
    assert not pack.Remediate(asked).remediations


def test_it_ends_when_it_is_asked() -> None:
    """Shows that SIGINT ends the process in good order."""
    with _engine() as (address, _), _pack(address) as (stub, process):
        assert stub.GetPluginInfo(Empty()).version
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(timeout=30) == 0


def test_it_ends_after_its_engine() -> None:
    """Shows that an engine that was killed leaves no pack behind."""
    with _engine() as (address, server), _pack(address) as (stub, process):
        assert stub.GetPluginInfo(Empty()).version
        server.stop(0)
        wait_until(lambda: process.poll() is not None, 20, "the pack has ended")


def test_the_command_line_names_the_pack() -> None:
    """Shows that `flink-jobs policy path` is what --policy-pack takes."""
    command = [str(Path(sys.executable).with_name("flink-jobs")), "policy", "path"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert Path(told.stdout.strip()) == PACK_DIRECTORY
