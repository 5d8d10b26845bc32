"""Pulumi.yaml: where a project is found, and what is invalid in one."""

from pathlib import Path

import pytest

from flink_jobs_provider.engine.errors import ProjectError
from flink_jobs_provider.engine.workspace import find_project

GOOD = "name: demo\nruntime: python\n"


def test_a_project_is_found_from_within_it(tmp_path: Path) -> None:
    """Upwards from any of its directories; `main` and `stackConfigDir` are taken from it."""
    (tmp_path / "stacks/deep").mkdir(parents=True)
    (tmp_path / "Pulumi.yaml").write_text(GOOD + "main: stacks/\nstackConfigDir: conf\n")
    project = find_project(tmp_path / "stacks/deep")
    assert (project.name, project.root) == ("demo", tmp_path)
    assert project.program == project.working_directory == tmp_path / "stacks"
    assert project.stack_configuration_file("dev") == tmp_path / "conf/Pulumi.dev.yaml"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (None, "no Pulumi.yaml"),
        ("name: [", "is not YAML: line 1, column 8: "),
        ("name: a\nname: b", "line 2, column 1: duplicate key 'name'"),
        ("- a", "not a mapping"),
        ("runtime: python", "`name` is missing"),
        ("name: demo\nruntime: nodejs", "runtime: nodejs"),
        ("name: demo\nruntime: {name: go}", "runtime: go"),
        (GOOD + "main: gone/", "does not exist"),
    ],
)
def test_what_is_wrong_with_a_project_is_told(tmp_path: Path, text: str | None, what: str) -> None:
    """Each in one message."""
    if text is not None:
        (tmp_path / "Pulumi.yaml").write_text(text)
    with pytest.raises(ProjectError, match=what):
        find_project(tmp_path)
