"""Values that a resource holds as secret are in no message, line or output of the provider."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from flink_jobs_provider.control_planes.flink.bodies import last_cause
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.provider import dynamic
from flink_jobs_provider.provider.dynamic import SECRETS_KEY, FlinkJobProvider, secret_values
from flink_jobs_provider.provider.job_operations import secret_resolver
from flink_jobs_provider.provider.run_output import FlinkJobError


def test_a_secret_jar_address_is_in_no_failure(
    provider: FlinkJobProvider, inputs: dict[str, Any]
) -> None:
    inputs |= {"jar": "/no/such/hidden-place.jar", SECRETS_KEY: [["jar"]]}
    result = provider.check({}, inputs)
    assert [failure.property for failure in result.failures] == ["jar"]
    assert "cannot open ***: No such file" in result.failures[0].reason
    assert "hidden-place" not in result.failures[0].reason
    assert SECRETS_KEY not in result.inputs


def test_a_secret_jar_address_is_in_no_plan_line(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: object,
    capsys: pytest.CaptureFixture[str],
    new_run: Callable[[], None],
) -> None:
    """Shows the line for a jar that moved, which has the address."""
    first = provider.check({}, inputs).inputs
    outs = provider.create(first).outs or {}
    moved = inputs["jar"].replace("orders.jar", "hidden-place.jar")
    with open(inputs["jar"], "rb") as old, open(moved, "wb") as new:
        new.write(old.read())
    new_run()
    capsys.readouterr()
    wanted = provider.check(first, {**inputs, "jar": moved, SECRETS_KEY: [["jar"]]}).inputs
    provider.diff("orders", outs, wanted)
    printed = capsys.readouterr().out
    assert "jar moved, same content: ***" in printed
    assert "hidden-place" not in printed


def test_an_error_that_quotes_an_argument(
    provider: FlinkJobProvider, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows a program's text with a secret argument, and with the secret of a reference."""

    def fail(*_: object) -> None:
        raise PermanentError("main failed: --key hunter2 and t0ken-of-env")

    monkeypatch.setenv("TOKEN", "t0ken-of-env")
    secret_resolver(lambda _key: None, dynamic.service().output.hide)("env:TOKEN")
    inputs |= {"args": ["--key", "hunter2"], SECRETS_KEY: [["args", 1.0]]}
    wanted = provider.check({}, inputs).inputs
    monkeypatch.setattr(dynamic.service().jobs, "bring_about", fail)
    with pytest.raises(FlinkJobError) as caught:
        provider.create(wanted)
    assert "--key *** and ***" in str(caught.value)


def test_an_error_that_quotes_an_argument_of_the_version_before(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: object,
    new_run: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Shows it in a run that is given no secret, as an engine hands recorded ones over in plain."""

    def fail(*_: object) -> None:
        raise PermanentError("version 1 did not start again: --key hunter2 --rate 1000")

    usual = ["--rate", "1000"]
    secret = {"args": ["--key", "hunter2", *usual], SECRETS_KEY: [["args", 1.0]]}
    first = provider.check({}, {**inputs, **secret}).inputs
    outs = provider.create(first).outs or {}
    new_run()
    wanted = provider.check(first, {**inputs, "args": usual}).inputs
    for operation in ("bring_about", "remove", "observe"):
        monkeypatch.setattr(dynamic.service().jobs, operation, fail)
    with pytest.raises(FlinkJobError, match="--key \\*\\*\\* --rate 1000"):
        provider.update("orders", outs, wanted)
    new_run()
    for operation in ("remove", "observe"):
        monkeypatch.setattr(dynamic.service().jobs, operation, fail)
    for call in (provider.delete, provider.read):
        with pytest.raises(FlinkJobError) as caught:
            call("orders", outs)
        assert "hunter2" not in str(caught.value)


def test_causes_from_a_cluster_hold_no_credentials() -> None:
    trace = "a.B: x\nCaused by: org.E: no jdbc:mysql://root:hunter2@db/x?password=hunter2\n\tat z"
    assert last_cause(trace) == "E: no jdbc:mysql://***@db/x?***"


def test_secret_inputs_are_found_in_a_program() -> None:
    """Shows secret outputs at any depth, and which values they lead to."""
    from flink_jobs_provider.provider.dynamic import secret_paths

    async def paths() -> list[list[str | int]]:
        return await secret_paths(
            {
                "jar": pulumi.Output.secret("a"),
                "args": ["--x", pulumi.Output.secret("b"), pulumi.Output.from_input("c")],
                "flink_configuration": {"k": pulumi.Output.secret("d")},
            }
        )

    found = asyncio.run(paths())
    assert found == [["jar"], ["args", 1], ["flink_configuration", "k"]]
    inputs = {"jar": "a", "args": ["--x", "b", "c"], "flink_configuration": {"k": 4}}
    assert secret_values({**inputs, SECRETS_KEY: found}) == ["a", "b", "4"]
    assert secret_values(inputs) == []


def test_a_secret_option_is_in_no_failure(
    provider: FlinkJobProvider, inputs: dict[str, Any]
) -> None:
    """Shows a value that is refused: its length is shown where it could not be masked."""
    options = {"pipeline.object-reuse": "hidden-value", "pipeline.max-parallelism": "hidden'" * 20}
    inputs |= {"flink_configuration": options, SECRETS_KEY: [["flink_configuration"]]}
    failures = provider.check({}, inputs).failures
    assert sorted(failure.reason for failure in failures) == [
        "must be a whole number (of 32 bits) (got a text of 140 characters)",
        "must be true or false (got '***')",
    ]
