"""The page on Pulumi's services names options and fields that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.unit.docs.pages import ROOT, blocks

_PAGE = ROOT / "docs" / "pulumi-services.md"
_PIPELINES = ROOT / "docs" / "pipelines"
_CLI = shutil.which("pulumi")
#: Fields of the spec of a Stack, pulumi.com/v1 (docs/stacks.md of pulumi-kubernetes-operator), of
#: those that the page and the file use.
_STACK_FIELDS = {
    *("backend", "branch", "continueResyncOnCommitMatch", "destroyOnFinalize", "driftDetection"),
    *("expectNoRefreshChanges", "preview", "projectRepo", "refresh", "resyncFrequencySeconds"),
    *("serviceAccountName", "stack", "workspaceTemplate"),
}
#: Of the spec of a Workspace, auto.pulumi.com/v1alpha1 (docs/workspaces.md there).
_WORKSPACE_FIELDS = {"envFrom", "image"}


def _read(name: str) -> Any:
    return yaml.safe_load((_PIPELINES / name).read_text(encoding="utf-8"))


def test_the_operators_stack_has_fields_of_a_stack() -> None:
    """Shows kind and version, that no field is misspelt, and what makes drift noticed."""
    stack = _read("kubernetes-operator.yml")
    assert (stack["apiVersion"], stack["kind"]) == ("pulumi.com/v1", "Stack")
    spec = stack["spec"]
    assert spec.keys() <= _STACK_FIELDS
    assert spec["workspaceTemplate"]["spec"].keys() <= _WORKSPACE_FIELDS
    assert spec["refresh"] is True
    assert spec["continueResyncOnCommitMatch"] is True


def test_the_environment_defines_what_it_refers_to() -> None:
    """Shows that each `${…}` has a value, and that configuration is in the two namespaces."""
    values = _read("esc-environment.yml")["values"]
    for reference in re.findall(r"\$\{([\w.]+)\}", yaml.safe_dump(values)):
        found = values
        for step in reference.split("."):
            found = found[step]
        assert "fn::secret" in found
    assert values.keys() == {"flink", "environmentVariables", "pulumiConfig"}
    assert {key.partition(":")[0] for key in values["pulumiConfig"]} == {"shop", "flink-jobs"}


def _commands() -> list[str]:
    """Return the commands of the Pulumi CLI on the page, each in one line."""
    lines = [
        line.removeprefix("$ ")
        for block in blocks("console")
        if block.page == _PAGE
        for line in block.text.replace("\\\n", " ").splitlines()
    ]
    return [line for line in lines if line.startswith("pulumi ")]


def test_commands_are_found() -> None:
    """Shows that the test below asks about something."""
    assert len(_commands()) == 2


@pytest.mark.process
@pytest.mark.pulumi_cli
@pytest.mark.skipif(not _CLI, reason="the Pulumi CLI is not on the PATH: options are not compared")
@pytest.mark.parametrize("command", _commands())
def test_commands_are_the_clis(command: str) -> None:
    """Shows that the CLI's own help knows each option that the page names."""
    words = command.partition(" --")[0].split()
    told = subprocess.run([*words, "--help"], capture_output=True, text=True, check=True).stdout
    for option in re.findall(r"(?<= )--[\w-]+", command):
        assert re.search(rf"{option}\b", told), option
