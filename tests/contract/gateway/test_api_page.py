"""docs/gateway-api.md tells of everything that the API has, and of nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import yaml

from flink_jobs_provider.gateway.apis.dli import DLI_PATHS, schema
from flink_jobs_provider.gateway.apis.dli.conventions import code_of
from flink_jobs_provider.gateway.apis.dli.routes import PREFIX
from flink_jobs_provider.gateway.apis.hdinsight.conventions import FAIL_OPERATION
from flink_jobs_provider.gateway.apis.hdinsight.schema import (
    IN_WORDS,
    TAKES_SAVEPOINT,
    actions_of,
    body_schema,
    validated,
)
from flink_jobs_provider.gateway.http.api_answers import STATUSES
from flink_jobs_provider.gateway.jobs.transitions import ALLOWED
from flink_jobs_provider.gateway.refusals import Refusal, RefusalCode
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.wire.dli import WHILE_RUNNING, DliStatus
from flink_jobs_provider.wire.hdinsight import ApiVersion
from tests.contract.gateway.apis.dli.calling import Dli
from tests.contract.gateway.calling import NEWEST, Gateway

_ROOT = Path(__file__).parents[3]
_TEXT = (_ROOT / "docs" / "gateway-api.md").read_text(encoding="utf-8")
_DLI_TEXT = (_ROOT / "docs" / "gateway-api-dli.md").read_text(encoding="utf-8")
_MOVING_TEXT = (_ROOT / "docs" / "moving-from-dli.md").read_text(encoding="utf-8")


def _table(heading: str, text: str = _TEXT) -> list[list[str]]:
    """Return the cells of the table whose first column has that heading."""
    lines = text[text.index(f"\n| {heading} |") + 1 :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def _blocks() -> list[object]:
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", _TEXT, re.DOTALL)]


def test_every_route_is_there() -> None:
    """Shows the paths of the OpenAPI document, with their methods."""
    document = Gateway().document(NEWEST)["paths"]
    cluster = next(path for path in document if path.endswith("/runJob")).removesuffix("/runJob")
    assert cluster in _TEXT
    told = {
        (method, path.replace("{cluster}", cluster, 1) if path.startswith("{") else path)
        for method, path in re.findall(r"`(GET|POST) (\S+)`", _TEXT)
    }
    assert PREFIX in _DLI_TEXT
    # The one that is of Terraform alone may stand where that is spoken of.
    calls = re.findall(r"`(GET|POST|PUT|DELETE) (/\S+)`", _DLI_TEXT)
    calls += re.findall(r"`(POST) (/v1\.0/\S+)`", _MOVING_TEXT)
    told |= {
        (method, path if path.startswith(DLI_PATHS) else PREFIX + path) for method, path in calls
    }
    served = {(method.upper(), path) for path, methods in document.items() for method in methods}
    assert told == served


def test_every_version_is_there() -> None:
    """Shows which versions there are, and what each has."""
    rows = {row[0].strip("`"): row for row in _table("`api-version`")}
    assert list(rows) == list(ApiVersion)
    for version in ApiVersion:
        assert rows[version][2] == rows[version][3] == ("yes" if version.has_run_ids else "no")
        missing = [action for action in Action if action not in actions_of(version)]
        assert all(action in rows[version][4] for action in missing)


def test_every_property_and_action_is_there() -> None:
    """Shows the properties of a body, the actions, and which take a savepoint's name."""
    properties = body_schema(None, ApiVersion(NEWEST))["properties"]["properties"]["properties"]
    options = {
        f"flinkConfiguration.{key}" for key in properties["flinkConfiguration"]["properties"]
    }
    read_only = {name for name, schema in properties.items() if schema.get("readOnly")}
    told = {row[0].strip("`") for row in _table("property")}
    assert told == set(properties) - read_only | options
    assert all(f"`{name}`" in _TEXT for name in read_only)
    rows = {row[0]: row for row in _table("action")}
    assert set(rows) == set(Action)
    for action, row in rows.items():
        takes = ("savePointName" in row[2] and "without" not in row[2]) or "all that NEW" in row[2]
        assert takes == (action in TAKES_SAVEPOINT), action
    assert set(IN_WORDS) <= told


def test_actions_need_the_statuses_that_are_told() -> None:
    """Shows in which statuses the gateway takes each action."""
    active = {status for status in JobStatus if status.active}
    ended = {*JobStatus, "JOB_LAUNCH_FAILED"} - active
    words = {"active": active, "ended": ended}
    for name, needs, *_ in _table("action"):
        told = set(re.findall(r"`([A-Z_]+)`", needs))
        told = told.union(*(words[word] for word in re.findall(r"\b(?:active|ended)\b", needs)))
        assert told == ALLOWED[Action(name)], name


def test_every_status_is_there() -> None:
    """Shows the statuses of jobs and of answers."""
    assert all(f"`{status}`" in _TEXT for status in JobStatus)
    told = {status for row in _table("status") for status in row[0].split(", ")}
    documented = {
        status
        for methods in Gateway().document(NEWEST)["paths"].values()
        for operation in methods.values()
        for status in operation["responses"]
    }
    assert told | {"200", "202"} == documented
    dli = {status for row in _table("status", _DLI_TEXT) for status in row[0].split(", ")}
    assert dli == {
        status
        for path, methods in Gateway().document(NEWEST)["paths"].items()
        if path.startswith(DLI_PATHS)
        for operation in methods.values()
        for status in operation["responses"]
    } - {"200"}


def test_every_error_code_is_there() -> None:
    """Shows each code of the table of statuses, in a row of its status."""
    told = {
        (int(status), code)
        for row in _table("status")
        for status in row[0].split(", ")
        for code in re.findall(r"`(\w+)`", row[1])
    }
    # For requests that reach no route in the form they have, and services without routes.
    unseen = {"ClusterNotFound", "ClientClosedRequest"}
    # For requests of the other API, which has codes of its own.
    unseen |= {"InvalidSignature", "ClusterUnavailable"}
    served = {(int(status), code) for code, status in STATUSES.items() if code not in unseen}
    assert served <= told
    assert {code for _, code in told} == {code for _, code in served}


def test_the_samples_are_right() -> None:
    """Shows that the body is accepted, and that the answers fit the OpenAPI document."""
    body, listed, savepoints, operation, error = _blocks()
    assert validated(body, ApiVersion(NEWEST))["action"] == "NEW"
    assert isinstance(listed, dict)
    assert isinstance(savepoints, dict)
    assert set(savepoints["value"][0]) == {"name", "path", "takenAt", "reason", "disposedAt"}
    assert isinstance(operation, dict)
    assert isinstance(error, dict)
    (row,) = listed["value"]
    schema = body_schema(None, ApiVersion(NEWEST))["properties"]["properties"]
    assert set(row["properties"]) <= set(schema["properties"])
    wanted = Gateway().document(NEWEST)["components"]["schemas"]["Operation"]
    assert set(wanted["required"]) <= set(operation)
    assert set(error["error"]) == {"code", "message", "details"}
    assert f"{FAIL_OPERATION}=true" in _TEXT


def test_every_field_of_a_jar_job_is_there() -> None:
    """Shows that the fields on the page are those that bodies may have."""
    told = {name for row in _table("field", _DLI_TEXT) for name in re.findall(r"`(\w+)`", row[0])}
    taken = {*schema.CREATE["properties"], *schema.UPDATE["properties"]}
    assert told == taken
    (running,) = [row for row in _table("call", _DLI_TEXT) if row[:2] == ["update", "runs"]]
    assert set(re.findall(r"`(\w+)`", running[2])) == WHILE_RUNNING
    for name in ("image", "dependency_jars", "dependency_files", "smn_topic"):
        assert name in schema.IN_WORDS


def test_the_samples_of_the_jar_job_api_are_right() -> None:
    """Shows that the bodies are taken, and that the answer is as it is told."""
    created, answer, run = (
        json.loads(block) for block in re.findall(r"```json\n(.*?)```", _DLI_TEXT, re.DOTALL)
    )
    dli = Dli()
    (cluster,) = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", _DLI_TEXT, re.DOTALL)[0])[
        "clusters"
    ]
    ClusterConfiguration.model_validate(cluster)
    entrypoint = created["entrypoint"].replace("obs://jobs", "obs://bucket")
    body_ = {**created, "entrypoint": entrypoint}
    given = dli.call("POST", "/flink-jobs", json=body_).json()
    assert given == {**answer, "job": {**answer["job"], "job_id": 1}}
    assert dli.call("POST", "/jobs/run", json={**run, "job_ids": [1]}).status_code == 200


def test_every_status_of_a_jar_job_and_every_code_is_there() -> None:
    """Shows the statuses that jobs can have, and the codes of refusals."""
    told = {row[0].strip("`") for row in _table("`status`", _DLI_TEXT)}
    unused = {"job_downloading", "job_idle", "job_arrearage_stopped", "job_arrearage_recovering"}
    assert told == set(DliStatus) - unused
    codes = {code_of(Refusal(code, "No."))[1] for code in get_args(RefusalCode)}
    assert codes == set(re.findall(r"`((?:DLI|APIGW)\.\d+)`", _DLI_TEXT))
