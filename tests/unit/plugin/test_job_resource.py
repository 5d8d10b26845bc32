"""`Job` in a program, on Pulumi's mocks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pulumi
import pytest
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.sync_await import _sync_await

from flink_jobs_provider import FlinkJobArgs, FlinkSessionCluster
from flink_jobs_provider.plugin import Job, Provider
from flink_jobs_provider.plugin.job_resource import DYNAMIC_TYPE
from flink_jobs_provider.provider.resource import PLUGIN_TYPE, taking_over

URL = "http://flink:8081"


class _Engine(Mocks):
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
    """Return an engine; see tests/unit/provider/test_resource.py for its two loops."""
    main, other = asyncio.new_event_loop(), asyncio.new_event_loop()
    asyncio.set_event_loop(main)
    main.set_default_executor(
        ThreadPoolExecutor(1, initializer=asyncio.set_event_loop, initargs=(other,))
    )
    found = _Engine()
    set_mocks(found, project="shop", stack="dev", preview=False, organization="acme")
    yield found
    set_mocks(_Engine())
    main.run_until_complete(main.shutdown_default_executor())
    asyncio.set_event_loop(None)
    main.close()
    other.close()


def value(output: pulumi.Output[Any]) -> Any:
    """Return what an output resolves to."""
    return _sync_await(output.future())


def test_a_job_is_declared_as_with_the_dynamic_provider(engine: _Engine) -> None:
    """Shows the same inputs, the same default owner, and typed outputs."""
    job = Job("orders", target=FlinkSessionCluster(URL), job_name="orders", jar="a.jar")
    assert value(job.status) == "RUNNING"
    assert value(job.generation) == 1
    assert value(job.job_name) == "orders"
    [registered] = engine.registered
    assert registered.typ == PLUGIN_TYPE
    given = {name: each for name, each in registered.inputs.items() if each is not None}
    assert given == {
        "target": {"kind": "flink", "url": URL},
        "job_name": "orders",
        "jar": "a.jar",
        "owner": "acme/shop/dev",
    }


def test_an_object_and_keywords_are_refused(engine: _Engine) -> None:
    with pytest.raises(TypeError, match="not both"):
        Job("orders", FlinkJobArgs(job_name="orders"), jar="a.jar")


def test_objects_of_a_provider_are_written_as_json(engine: _Engine) -> None:
    provider = Provider(
        "eu", target=FlinkSessionCluster(URL), organization="acme", max_concurrent_submissions=3
    )
    value(provider.urn)
    [registered] = engine.registered
    assert registered.inputs == {
        "target": f'{{"kind": "flink", "url": "{URL}"}}',
        "organization": "acme",
        "max_concurrent_submissions": "3",
    }


@pytest.mark.parametrize("type_", [PLUGIN_TYPE, DYNAMIC_TYPE])
def test_a_resource_takes_over_the_state_of_the_other_type(engine: _Engine, type_: str) -> None:
    """Shows the alias of a resource of the stack, and of a child of a component."""
    [alias] = taking_over(type_, "orders", None).aliases or []
    assert alias == f"urn:pulumi:dev::shop::{type_}::orders"
    parent = pulumi.ComponentResource("shop:index:Team", "team")
    options = taking_over(type_, "orders", pulumi.ResourceOptions(parent=parent))
    [alias] = options.aliases or []
    assert isinstance(alias, pulumi.Alias)
    assert alias.type_ == type_
