"""The page on policies says what the policies do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from flink_jobs_provider.policy.policy_configuration import configuration_schema, parameter_schemas
from flink_jobs_provider.policy.rules import POLICIES, Policy
from tests.unit.docs.pages import ROOT, blocks

_PAGE = ROOT / "docs" / "policies.md"
_DIRECTORY = ROOT / "docs" / "pipelines"
_CLI = shutil.which("pulumi")
_OPTIONS = {"--policy-pack", "--policy-pack-config"}
#: How each pipeline names them; the inputs are those of action.yml of pulumi/actions.
_PIPELINES = {
    "azure-pipelines": _OPTIONS,
    "github-actions-embedded": _OPTIONS,
    "github-actions": {"policyPacks", "policyPackConfigs"},
}


def _rows() -> dict[str, list[str]]:
    """Return the cells of each policy's row, without its name."""
    table = re.findall(r"^\| `([\w-]+)` \| (.*) \|$", _PAGE.read_text("utf-8"), re.MULTILINE)
    return {name: cells.split(" | ") for name, cells in table}


def test_each_policy_has_a_row() -> None:
    """Shows that the table has all policies, in the pack's order."""
    assert list(_rows()) == [each.name for each in POLICIES]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda each: each.name)
def test_levels_and_parameters_are_those_of_the_pack(policy: Policy) -> None:
    """Shows that a row names the level, each parameter, and the stacks that are judged."""
    level, _, told = _rows()[policy.name]
    assert level == policy.level
    parameters = parameter_schemas(policy)
    assert re.findall(r"`(\w+)`(?=[:;,]|$)", told) == list(parameters)
    (stacks,) = parameters["stacks"]["default"]
    assert told.startswith(f"`stacks`: `{stacks}`")


def test_the_configuration_shown_is_a_valid_one() -> None:
    """Shows that the page's own example is taken."""
    (document,) = [each for each in blocks("json") if each.page == _PAGE]
    Draft202012Validator(configuration_schema()).validate(json.loads(document.text))


def _steps(document: Any) -> Iterator[dict[str, Any]]:
    """Yield the steps of a pipeline, in whatever jobs they are."""
    if isinstance(document, dict):
        yield from document.get("steps", ())
        for each in document.values():
            yield from _steps(each)


def _judged_runs(page: Path) -> dict[str, str]:
    """Return how the pack is passed on, by the commands of a pipeline that run the program."""
    found = {}
    for step in _steps(yaml.safe_load(page.read_text(encoding="utf-8"))):
        given = step.get("with") or step.get("inputs") or {}
        line = step.get("run", "")
        command = given.get("command") or line.removeprefix("uv run flink-jobs ").partition(" ")[0]
        drift = "expect-no-changes" in given or "--expect-no-changes" in line
        drift = drift or "--expect-no-changes" in given.get("args", "")
        if command in ("preview", "up") and not drift:
            actions = {key: given[key] for key in given if key.startswith("policy")}
            found[command] = str(actions or given.get("args") or line)
    return found


@pytest.mark.parametrize("name", _PIPELINES)
def test_pipelines_pass_the_pack_on(name: str) -> None:
    """Shows that each preview and each update is judged, with options or inputs that exist."""
    passed = _judged_runs(_DIRECTORY / f"{name}.yml")
    assert passed.keys() == {"preview", "up"}
    for told in passed.values():
        options = set(re.findall(r"--policy-[\w-]+|(?<=')policy\w+(?=')", told))
        assert options == _PIPELINES[name]
        assert "policies.json" in told


def test_the_pipelines_that_run_the_cli_have_the_packs_python_first() -> None:
    """Shows that the environment of the project is put on the PATH before its runs."""
    for name in ("azure-pipelines", "github-actions"):
        page = (_DIRECTORY / f"{name}.yml").read_text(encoding="utf-8")
        assert page.count("$PWD/.venv/bin") == page.count("flink-jobs policy path")


@pytest.mark.process
@pytest.mark.pulumi_cli
@pytest.mark.skipif(not _CLI, reason="the Pulumi CLI is not on the PATH: options are not compared")
@pytest.mark.parametrize("command", ["preview", "up"])
def test_the_options_of_azure_pipelines_are_the_clis(command: str) -> None:
    """Shows that the CLI's own help knows each of them."""
    told = subprocess.run(["pulumi", command, "--help"], capture_output=True, text=True).stdout
    for option in re.findall(
        r"--[\w-]+", _judged_runs(_DIRECTORY / "azure-pipelines.yml")[command]
    ):
        assert re.search(rf"{option}\b", told), option
