"""The page on running a gateway, and the files beside it, say what the code does."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client.parser import text_string_to_metric_families

from flink_jobs_provider.gateway.configuration import (
    configuration_schema,
    read_configuration,
)
from flink_jobs_provider.gateway.ops.job_metrics import Deployments, cluster_families, job_families
from flink_jobs_provider.gateway.ops.prometheus import Metrics

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/gateway.md").read_text(encoding="utf-8")
FILES = ROOT / "docs/gateway"
SMALLEST: dict[str, Any] = {
    "clusters": [
        {
            "id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.HDInsight"
            "/clusterpools/p/clusters/c",
            "flink": {"url": "http://localhost:8081"},
        }
    ],
    "access": {"tokens_file": "tokens.yaml"},
}


def _said() -> str:
    """Return every text in the gateway's source, a line each."""
    return "\n".join(
        node.value
        for path in (ROOT / "flink_jobs_provider").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _yaml_blocks() -> list[Any]:
    return [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


def _section(heading: str) -> str:
    return PAGE.split(f"\n### {heading}\n", 1)[1].split("\n### ", 1)[0]


def test_the_example_is_right() -> None:
    assert read_configuration(FILES / "gateway.yaml").listen.tls


@pytest.mark.parametrize("block", [block for block in _yaml_blocks() if "access" in block])
def test_each_configuration_on_the_page_is_right(block: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    cluster = {**SMALLEST["clusters"][0], "dli": {"project_id": "p", "queues": ["q"]}}
    path.write_text(yaml.safe_dump({"clusters": [cluster], **block}))
    assert read_configuration(path).access


def test_configurations_are_found() -> None:
    assert len([block for block in _yaml_blocks() if "access" in block]) == 5


def test_every_property_is_on_the_page() -> None:
    """Shows that no property can be added without being described."""
    schema = configuration_schema()
    parts = {name: part for name, part in schema["$defs"].items() if "properties" in part}
    # The reference of resources has these.
    elsewhere = {"FlinkTarget", "BasicAuth", "Tls", "HealthGate"}
    names = set(schema["properties"])
    for name in set(parts) - elsewhere:
        names |= set(parts[name]["properties"])
    code = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`\n]+)`", PAGE))))
    assert names - code == set()


def test_every_metric_is_on_the_page_and_each_in_the_rules_exists() -> None:
    content, _ = Metrics().render()
    names = {family.name for family in text_string_to_metric_families(content.decode())}
    names |= {
        family.name
        for family in [*job_families([], {}, Deployments(), omitted=0), *cluster_families({})]
    }
    # The client's library adds when each counter began.
    names = {name for name in names if not name.endswith("_created")}
    ours = {name for name in names if name.startswith("flink_jobs_")}
    described = set(re.findall(r"`(flink_jobs_\w*)`", PAGE))
    assert {name.removesuffix("_total") for name in described} == ours
    rules = yaml.safe_load((FILES / "alerts.yml").read_text(encoding="utf-8"))
    expressions = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    board = json.loads((FILES / "dashboard.json").read_text(encoding="utf-8"))
    expressions += [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    for name in re.findall(r"flink_jobs_\w+", " ".join(expressions)):
        assert name in described, name


def test_the_rules_and_the_dashboard_have_what_is_needed_to_load_them() -> None:
    """Shows the fields that Prometheus and Grafana require, and that nothing is there twice."""
    rules = yaml.safe_load((FILES / "alerts.yml").read_text(encoding="utf-8"))
    alerts = [rule for group in rules["groups"] for rule in group["rules"]]
    for rule in alerts:
        assert rule.keys() <= {"alert", "expr", "for", "annotations", "labels"}
        assert rule["annotations"]["summary"]
        assert rule["expr"].count("(") == rule["expr"].count(")")
    assert len({rule["alert"] for rule in alerts}) == len(alerts)
    board = json.loads((FILES / "dashboard.json").read_text(encoding="utf-8"))
    assert board["title"]
    assert board["schemaVersion"] >= 36
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    known = {each["name"] for each in board["templating"]["list"]}
    for panel in panels:
        assert panel["type"] == "timeseries"
        assert panel["gridPos"].keys() == {"h", "w", "x", "y"}
        assert all(target["refId"] and target["expr"] for target in panel["targets"])
    for name in re.findall(r"\$\{?(\w+)", json.dumps(board)):
        assert name in known, name


def test_grafana_reads_all_of_the_dashboard() -> None:
    """Shows that Grafana's own types take the file, and know each of its fields."""
    register_default_plugins()
    board = json.loads((FILES / "dashboard.json").read_text(encoding="utf-8"))
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(board)))
    assert _fields(board) - _fields(read) == set()


def _fields(value: object, path: str = "") -> set[tuple[str, str]]:
    """Return each value of a document with its path."""
    if isinstance(value, dict):
        return {field for key, inner in value.items() for field in _fields(inner, f"{path}/{key}")}
    if isinstance(value, list):
        return {field for n, inner in enumerate(value) for field in _fields(inner, f"{path}/{n}")}
    return {(path, repr(value))}


def _messages() -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", _section("At the start"), re.MULTILINE)


def _codes() -> list[str]:
    return re.findall(r"^\| \d+ `(\w+)` \|", _section("In answers"), re.MULTILINE)


def test_messages_are_still_those_of_the_source() -> None:
    said = _said()
    assert len(_messages()) == 13
    assert len(_codes()) == 12
    for message in [*_messages(), *_codes()]:
        words = message.removesuffix(": key values mismatch").removesuffix(" on")
        assert words in said, message


def test_the_unit_starts_what_there_is_and_stops_in_time() -> None:
    unit = (FILES / "flink-jobs-gateway.service").read_text(encoding="utf-8")
    assert "flink-jobs gateway serve --config" in unit
    stop = int(re.findall(r"TimeoutStopSec=(\d+)", unit)[0])
    assert stop > 60 + 10
