"""The OpenAPI document is true: a fuzzer finds no fault, and no answer that it does not tell of."""

from __future__ import annotations

import re

import pytest
import schemathesis
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from flink_jobs_provider.gateway.apis.dli import DLI_PATHS
from flink_jobs_provider.gateway.apis.hdinsight.schema import actions_of, body_schema
from flink_jobs_provider.gateway.http.routing import DescribedRoute
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.wire.hdinsight import ApiVersion
from tests.contract.gateway.calling import NEW, NEWEST, Gateway
from tests.contract.gateway.fuzzing import EXAMPLES, fuzz
from tests.contract.gateway.memory_service import PROJECT

_PLACE = {
    "subscription": "Sub-1",
    "resource_group": "Group-1",
    "pool": "Pool-1",
    "cluster": "Flink-1",
    "project_id": PROJECT,
    "job_id": "1",
}
_RUNS = [
    (ApiVersion.V2024_05, GenerationMode.POSITIVE),
    (ApiVersion.V2024_05, GenerationMode.NEGATIVE),
    (ApiVersion.V2023_06, GenerationMode.NEGATIVE),
]


def _fuzz(gateway: Gateway, version: ApiVersion, mode: GenerationMode, place: bool) -> int:
    """Send what the fuzzer makes of each operation; return how much that was."""
    schema = schemathesis.openapi.from_dict(gateway.document(version))
    app = gateway.app()
    sent = 0
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query):
            continue  # nothing can be wrong in it
        if version != NEWEST and operation.path.startswith(DLI_PATHS):
            continue  # it is the same in all versions of the other API
        names = re.findall(r"{(\w+)}", operation.path)
        known = bool(place and names) and set(names) <= set(_PLACE)
        given_path = {name: _PLACE[name] for name in names} if known else None

        sent += fuzz(operation, app, mode, given_path)
    return sent


@pytest.mark.parametrize(("version", "mode"), _RUNS)
def test_a_fuzzer_finds_no_fault(version: ApiVersion, mode: GenerationMode) -> None:
    """Shows it for valid and for invalid requests to a cluster that is there."""
    gateway = Gateway()
    gateway.run_job(NEW)
    assert _fuzz(gateway, version, mode, place=True) > 3 * EXAMPLES
    assert 500 not in {status for _, _, status in gateway.metrics.counted}


def test_a_fuzzer_finds_no_fault_in_paths() -> None:
    """Shows it for odd names in paths."""
    gateway = Gateway()
    assert _fuzz(gateway, ApiVersion(NEWEST), GenerationMode.POSITIVE, place=False) > 3 * EXAMPLES
    assert 500 not in {status for _, _, status in gateway.metrics.counted}


@pytest.mark.parametrize("version", list(ApiVersion))
def test_the_document_is_of_its_version(version: ApiVersion) -> None:
    """Shows that each version has its document, with the actions that it knows."""
    document = Gateway().document(version)
    bodies = document["components"]["schemas"]["Body"]["anyOf"]
    assert [body["title"] for body in bodies] == actions_of(version)


def test_the_document_is_of_the_newest_version_if_none_is_named() -> None:
    """Shows that tools which know an address alone get a document."""
    gateway = Gateway()
    assert gateway.call("GET", "/openapi.json").json() == gateway.document(NEWEST)
    assert gateway.call("GET", "/openapi.json?api-version=x").status_code == 400


def test_the_schemas_are_schemas() -> None:
    """Shows that each body's schema is one, and takes the body that is sent everywhere here."""
    for version in ApiVersion:
        for action in actions_of(version):
            Draft202012Validator.check_schema(body_schema(action, version))
        Draft202012Validator(body_schema(Action.NEW, version)).validate({"properties": NEW})


def test_every_route_is_in_the_document() -> None:
    """Shows that path and methods are those of the routes, and that each says what it does."""
    gateway = Gateway()
    routes = {
        (route.path, method.lower())
        for route in gateway.app().routes
        if isinstance(route, DescribedRoute)
        for method in (route.methods or set()) - {"HEAD"}
    }
    paths = gateway.document()["paths"]
    described = {(path, method) for path, entry in paths.items() for method in entry}
    assert described == routes
    assert len(gateway.app().routes) == len(
        [route for route in gateway.app().routes if isinstance(route, DescribedRoute)]
    )
    for path, entry in paths.items():
        for operation in entry.values():
            assert operation["summary"].endswith("."), operation
            within = [
                each["name"] for each in operation.get("parameters", []) if "path" in each["in"]
            ]
            assert within == re.findall(r"{(\w+)}", path)
    names = [operation["operationId"] for entry in paths.values() for operation in entry.values()]
    assert len(set(names)) == len(names)
