"""`FlinkJob` in a program, on Pulumi's mocks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pulumi
import pytest
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.sync_await import _sync_await

from flink_jobs_provider import BasicAuth, FlinkJob, FlinkJobArgs, FlinkSessionCluster, Timeouts
from tests.unit.model.made_up_jobs import URL


class _Engine(Mocks):
    """Answers every registration with outputs as the provider would."""

    def __init__(self) -> None:
        self.registered: list[MockResourceArgs] = []

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Return some outputs."""
        self.registered.append(args)
        known = {name: value for name, value in args.inputs.items() if value is not None}
        return "orders", {"status": "RUNNING", "generation": 1, **known}

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Answer no calls."""
        raise NotImplementedError(args.token)


@pytest.fixture
def engine() -> Iterator[_Engine]:
    """Return an engine.

    Pulumi's mocks make an event loop in every thread that has none, and leave it open; so both
    threads that they run in have one that is closed here.
    """
    main, other = asyncio.new_event_loop(), asyncio.new_event_loop()
    asyncio.set_event_loop(main)
    main.set_default_executor(
        ThreadPoolExecutor(1, initializer=asyncio.set_event_loop, initargs=(other,))
    )
    found = _Engine()
    set_mocks(found, project="shop", stack="dev", preview=False)
    yield found
    set_mocks(_Engine())
    main.run_until_complete(main.shutdown_default_executor())
    asyncio.set_event_loop(None)
    main.close()
    other.close()


def value(output: pulumi.Output[Any]) -> Any:
    """Return what an output resolves to."""
    return _sync_await(output.future())


def test_outputs_resolve(engine: _Engine) -> None:
    target = FlinkSessionCluster(URL, basic_auth=BasicAuth("me", "env:PASSWORD"))
    job = FlinkJob("orders", target=target, job_name="orders", jar="orders.jar", parallelism=4)
    assert value(job.status) == "RUNNING"
    assert value(job.generation) == 1
    assert value(job.job_name) == "orders"
    assert value(job.last_savepoint) is None
    (registered,) = engine.registered
    assert registered.typ == "pulumi-python:dynamic/flink_jobs:FlinkJob"
    assert registered.inputs["target"] == {
        "kind": "flink",
        "url": URL,
        "basic_auth": {"username": "me", "password": "env:PASSWORD"},
    }
    assert registered.inputs["parallelism"] == 4
    assert registered.inputs["owner"].endswith("/shop/dev")


def test_the_provider_is_told_of_a_preview(engine: _Engine) -> None:
    """Shows an input that is there in a preview alone."""
    inputs: dict[str, Any] = {"target": FlinkSessionCluster(URL), "job_name": "a", "jar": "a.jar"}
    value(FlinkJob("update", **inputs).status)
    set_mocks(engine, project="shop", stack="dev", preview=True)
    value(FlinkJob("preview", **inputs).status)
    update, preview = (registered.inputs for registered in engine.registered)
    assert "__preview" not in update
    assert preview["__preview"] is True


def test_an_object_and_keywords_come_to_the_same(engine: _Engine) -> None:
    target = FlinkSessionCluster(URL)
    options: dict[str, Any] = {
        "target": target,
        "job_name": "orders",
        "jar": "orders.jar",
        "timeouts": Timeouts(running="20m"),
        "owner": "me/shop/old",
    }
    one = FlinkJob("one", FlinkJobArgs(**options, args=["--a"]))
    two = FlinkJob("two", ["--a"], **options)
    for job in (one, two):
        value(job.status)
    first, second = (registered.inputs for registered in engine.registered)
    assert (first.pop("__resource"), second.pop("__resource")) == ("::one", "::two")
    assert first == second
    assert first["timeouts"] == {"running": "20m"}
    assert first["owner"] == "me/shop/old"
    assert first["args"] == ["--a"]


def test_options_without_effect_are_named(engine: _Engine) -> None:
    """Shows them in the options, and added by a transformation of the job's parent."""

    def add(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
        more = pulumi.ResourceOptions(replace_on_changes=["args"])
        merged = pulumi.ResourceOptions.merge(args.opts, more)
        return pulumi.ResourceTransformationResult({**args.props}, merged)

    inputs: dict[str, Any] = {"job_name": "orders", "jar": "orders.jar", "target": {"url": URL}}
    timeouts = pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="1m"))
    parent = pulumi.ComponentResource(
        "shop:Pipeline", "eu", None, pulumi.ResourceOptions(transformations=[add])
    )
    below = pulumi.ResourceOptions.merge(timeouts, pulumi.ResourceOptions(parent=parent))
    for number, options in enumerate((None, timeouts, below)):
        value(FlinkJob(f"job-{number}", **inputs, opts=options).status)
    found = [each.inputs["__options"] for each in engine.registered if "__options" in each.inputs]
    assert found == [[], ["custom_timeouts"], ["custom_timeouts", "replace_on_changes"]]


def test_a_name_with_blanks_around_it_is_named(engine: _Engine) -> None:
    inputs: dict[str, Any] = {"job_name": "orders", "jar": "orders.jar", "target": {"url": URL}}
    for name in ("orders ", " orders", "orders\n", "the orders"):
        value(FlinkJob(name, **inputs).status)
    found = [each.inputs["__options"] for each in engine.registered]
    assert found == [["resource_name"]] * 3 + [[]]


def test_resources_of_one_name_are_told_apart_by_their_parents(engine: _Engine) -> None:
    """Shows two components of one type and name, whose own parents differ."""
    options: dict[str, Any] = {"job_name": "orders", "jar": "orders.jar", "target": {"url": URL}}
    parents = [pulumi.ComponentResource("shop:Stream", name) for name in ("eu", "us", "us")]
    for parent in parents:
        value(FlinkJob("orders", **options, opts=pulumi.ResourceOptions(parent=parent)).status)
    found = [each.inputs["__resource"] for each in engine.registered if "__resource" in each.inputs]
    assert found == [
        "shop:Stream#0::eu/orders",
        "shop:Stream#0::us/orders",
        "shop:Stream#1::us/orders",
    ]


def test_inputs_may_be_outputs_of_others(engine: _Engine) -> None:
    url = pulumi.Output.from_input(URL)
    job = FlinkJob(
        "orders",
        target=pulumi.Output.from_input({"kind": "flink", "url": url}),
        job_name="orders",
        jar="orders.jar",
    )
    value(job.status)
    assert engine.registered[0].inputs["target"]["url"] == URL


def test_both_at_once_or_a_name_that_is_no_input(engine: _Engine) -> None:
    with pytest.raises(TypeError, match="not both"):
        FlinkJob("orders", FlinkJobArgs(job_name="orders"), jar="orders.jar")
    computed: dict[str, Any] = {"jar_digest": "0"}
    with pytest.raises(TypeError, match="jar_digest is computed"):
        FlinkJob("orders", **computed)
    assert engine.registered == []
