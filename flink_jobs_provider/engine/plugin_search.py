"""Where the plugin of a package is found: nothing is downloaded.

`plugins: providers:` of Pulumi.yaml come first. Then, since the program runs in the environment of
this Python, that environment's own commands; then, as in the CLI, the PATH and
`$PULUMI_HOME/plugins`, where `pulumi plugin install` has a directory for each version.
"""

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flink_jobs_provider.engine.errors import PluginNotFoundError, UnsupportedError
from flink_jobs_provider.engine.workspace import Project, pulumi_home

_SOURCE = "PulumiPlugin.yaml"


@dataclass(frozen=True)
class PluginSearch:
    """The search for the plugins of one project."""

    project: Project
    environment: Mapping[str, str]

    def find(self, package: str, version: str = "") -> Path:
        """Return the executable of a package's plugin; of no version in particular where it is "".

        A plugin that Pulumi.yaml names, or the PATH has, is taken whatever its version.

        Raises:
            PluginNotFoundError: There is none.
            UnsupportedError: It is one that the CLI builds, or runs by another runtime.
        """
        name = f"pulumi-resource-{package}"
        if (place := self.project.plugins.get(package)) is not None:
            return self._named(package, name, place)
        own = str(Path(sys.executable).parent)
        path = os.pathsep.join((own, self.environment.get("PATH", os.defpath)))
        if found := shutil.which(name, path=path):
            return Path(found).absolute()
        if found_in_home := self._installed(package, version, name):
            return found_in_home
        of_version = f" of version {version}" if version else ""
        raise PluginNotFoundError(
            f"no plugin for the package `{package}`: there is no {name} on the PATH, none"
            f"{of_version} in {self._home}, and Pulumi.yaml names none",
            f"Install it, or name its directory in Pulumi.yaml: plugins: {{providers: [{{name:"
            f" {package}, path: DIRECTORY}}]}}. The embedded engine downloads none.",
        )

    @property
    def _home(self) -> Path:
        return pulumi_home(self.environment) / "plugins"

    def _named(self, package: str, name: str, place: Path) -> Path:
        executable = place / name if place.is_dir() else place
        if executable.is_file() and os.access(executable, os.X_OK):
            return executable
        if (place / _SOURCE).is_file():
            raise _is_source(package, place)
        raise PluginNotFoundError(
            f"{self.project.file} names {place} for the plugin of the package `{package}`, where"
            f" there is no executable {name}",
            "Correct `path` under plugins: providers:, which is relative to that file.",
        )

    def _installed(self, package: str, version: str, name: str) -> Path | None:
        prefix = f"resource-{package}-v"
        found = [
            each
            for each in self._home.glob(f"{prefix}*")
            if each.is_dir() and version in ("", each.name.removeprefix(prefix))
        ]
        if not found:
            return None
        newest = max(found, key=lambda each: _in_order(each.name.removeprefix(prefix)))
        executable = newest / name
        if not executable.is_file() and (newest / _SOURCE).is_file():
            raise _is_source(package, newest)
        return executable if os.access(executable, os.X_OK) else None


def _is_source(package: str, place: Path) -> UnsupportedError:
    return UnsupportedError(
        f"the plugin of the package `{package}` in {place}, which is run from its source"
    )


def _in_order(version: str) -> tuple[bool, list[int], str]:
    """Order versions; one with a suffix comes before the version itself."""
    numbers, _, suffix = version.partition("-")
    return (
        bool(re.fullmatch(r"\d+(\.\d+)*", numbers)),
        [int(number) for number in re.findall(r"\d+", numbers)],
        suffix or "~",
    )
