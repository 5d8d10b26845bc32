"""Where plugins are looked for, and in which order."""

from pathlib import Path

import pytest

from flink_jobs_provider.engine.errors import (
    PluginNotFoundError,
    ProjectError,
    UnsupportedError,
)
from flink_jobs_provider.engine.plugin_search import PluginSearch
from flink_jobs_provider.engine.workspace import find_project

NAME = "pulumi-resource-files"


def executable(directory: Path) -> Path:
    """Make a plugin."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / NAME
    path.touch(0o755)
    return path


def search(root: Path, plugins: str = "") -> PluginSearch:
    """Make a project, and a search for its plugins."""
    (root / "Pulumi.yaml").write_text(f"name: demo\nruntime: python\n{plugins}")
    environment = {"PATH": str(root / "bin"), "PULUMI_HOME": str(root / "home")}
    return PluginSearch(find_project(root), environment)


def test_what_pulumi_yaml_names_comes_first(tmp_path: Path) -> None:
    """Shows the order: Pulumi.yaml, the PATH, what is installed, the newest of these."""
    found = search(tmp_path)
    old = executable(tmp_path / "home/plugins/resource-files-v0.9.0")
    for name in ("v0.10.0", "v0.10.0-alpha.1", "v0.2.0"):
        executable(tmp_path / f"home/plugins/resource-files-{name}")
    assert found.find("files").parent.name == "resource-files-v0.10.0"
    assert found.find("files", "0.9.0") == old
    on_path = executable(tmp_path / "bin")
    assert found.find("files", "0.9.0") == on_path
    named = executable(tmp_path / "here")
    words = "plugins: {providers: [{name: files, path: here}]}"
    assert search(tmp_path, words).find("files", "0.9.0") == named


def test_what_is_not_there(tmp_path: Path) -> None:
    """Shows what to do about it."""
    with pytest.raises(PluginNotFoundError, match="no plugin for the package `files`") as caught:
        search(tmp_path).find("files", "1.0.0")
    assert "of version 1.0.0" in str(caught.value)
    words = "plugins: {providers: [{name: files, path: nowhere}]}"
    with pytest.raises(PluginNotFoundError, match=r"names .*/nowhere for the plugin"):
        search(tmp_path, words).find("files")


@pytest.mark.parametrize("place", ["source", "home/plugins/resource-files-v1.0.0"])
def test_a_plugin_in_source_is_left_to_the_cli(tmp_path: Path, place: str) -> None:
    """Shows that it is not taken for one that is missing."""
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "PulumiPlugin.yaml").write_text("runtime: python")
    words = "plugins: {providers: [{name: files, path: source}]}" if place == "source" else ""
    with pytest.raises(UnsupportedError, match="which is run from its source"):
        search(tmp_path, words).find("files")


@pytest.mark.parametrize("entry", ["{name: files}", "{path: here}", "files"])
def test_an_entry_that_names_no_plugin(tmp_path: Path, entry: str) -> None:
    """Shows what it should have."""
    with pytest.raises(ProjectError, match="no `name` or no `path`"):
        search(tmp_path, f"plugins: {{providers: [{entry}]}}")
