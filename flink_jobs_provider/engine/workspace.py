"""A project and its selected stack: Pulumi.yaml, and the CLI's own workspace settings.

`$PULUMI_HOME/workspaces/<project>-<SHA-1 of the path of Pulumi.yaml>-workspace.json` holds
`{"stacks": {"<backend>": "organization/<project>/<stack>"}}` (measured with Pulumi 3.260); CLIs
before that wrote `{"stack": …}`, which is read, too. A file without a selection is removed.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flink_jobs_provider.engine.backend import write_durably
from flink_jobs_provider.engine.errors import BackendError, ProjectError
from flink_jobs_provider.strict_yaml import UnreadableFile, read_yaml

_FILE_NAMES = ("Pulumi.yaml", "Pulumi.yml")
_ENTRY = ("name", "path")


@dataclass(frozen=True)
class Project:
    """What the engine needs of a Pulumi.yaml.

    `file` is Pulumi.yaml itself, `root` its directory, `program` the directory or file to run.
    `plugins` are the places of the plugins that it names, by package.
    """

    name: str
    file: Path
    root: Path
    program: Path
    stack_configuration_directory: Path
    backend_url: str | None = None
    plugins: Mapping[str, Path] = field(default_factory=dict)

    @property
    def working_directory(self) -> Path:
        """Return the directory in which program and provider run."""
        return self.program if self.program.is_dir() else self.program.parent

    def stack_configuration_file(self, stack: str) -> Path:
        """Return the file of a stack's configuration, whether it exists or not."""
        return self.stack_configuration_directory / f"Pulumi.{stack}.yaml"


def find_project(start: Path) -> Project:
    """Read the project that a directory belongs to, as the CLI searches for it: upwards.

    Raises ProjectError when there is none, or it is not a Python project.
    """
    start = start.resolve()
    if not start.is_dir():
        raise ProjectError(f"no such directory: {start}", "Correct --cwd.")
    for directory in (start, *start.parents):
        for name in _FILE_NAMES:
            if (directory / name).is_file():
                return _read(directory / name)
    raise ProjectError(
        f"no Pulumi.yaml in {start} or above it",
        "Go to the project's directory, or name it with --cwd.",
    )


def _read(path: Path) -> Project:
    content = _content(path)
    name = content.get("name")
    if not isinstance(name, str) or not name:
        raise ProjectError(f"{path}: `name` is missing", "Give the project a name.")
    _check_runtime(path, content.get("runtime"))
    main = content.get("main") or "."
    program = (path.parent / str(main)).resolve()
    if not program.exists():
        raise ProjectError(f"{path}: `main: {main}` does not exist", "Correct `main`.")
    backend = content.get("backend")
    return Project(
        name=name,
        file=path,
        root=path.parent,
        program=program,
        stack_configuration_directory=path.parent / str(content.get("stackConfigDir") or "."),
        backend_url=backend.get("url") if isinstance(backend, dict) else None,
        plugins=_plugins(path, content.get("plugins")),
    )


def _plugins(path: Path, plugins: object) -> dict[str, Path]:
    """Return the places of `plugins: {providers: [{name, path}]}`, relative to Pulumi.yaml."""
    named = plugins.get("providers") if isinstance(plugins, dict) else None
    places = {}
    for entry in named if isinstance(named, list) else ():
        name, place = (entry.get(key) if isinstance(entry, dict) else None for key in _ENTRY)
        if not (isinstance(name, str) and name and isinstance(place, str) and place):
            raise ProjectError(
                f"{path}: an entry of `plugins: providers:` has no `name` or no `path`",
                "Give both: the package's name, and the directory of its plugin.",
            )
        places[name] = path.parent / Path(place).expanduser()
    return places


def _content(path: Path) -> dict[str, Any]:
    try:
        content = read_yaml(path)
    except UnreadableFile as error:
        raise ProjectError(str(error)) from None
    if not isinstance(content, dict):
        raise ProjectError(f"{path} is not a mapping", "Give it at least `name` and `runtime`.")
    return content


def _check_runtime(path: Path, runtime: object) -> None:
    name = runtime.get("name") if isinstance(runtime, dict) else runtime
    if name != "python":
        raise ProjectError(
            f"{path}: the embedded engine runs Python programs, not `runtime: {name}`",
            "Run with the Pulumi CLI (--engine pulumi).",
        )


def pulumi_home(environment: Mapping[str, str]) -> Path:
    """Return the directory of the CLI's own files."""
    home = environment.get("PULUMI_HOME")
    return Path(home).expanduser() if home else Path.home() / ".pulumi"


class Workspace:
    """The selection of one project, on one machine; `environment` names PULUMI_HOME."""

    def __init__(self, project: Project, backend: str, environment: Mapping[str, str]) -> None:
        self._backend = backend
        digest = hashlib.sha1(str(project.file).encode(), usedforsecurity=False).hexdigest()
        home = pulumi_home(environment)
        self.path = home / "workspaces" / f"{project.name}-{digest}-workspace.json"

    def selected(self) -> str:
        """Return the full name of the selected stack, or an empty text."""
        settings = self._read()
        return str(settings["stacks"].get(self._backend) or settings.get("stack") or "")

    def select(self, full_name: str) -> None:
        """Select a stack."""
        settings = self._read()
        settings["stacks"][self._backend] = full_name
        settings.pop("stack", None)
        write_durably(self.path, json.dumps(settings, indent=4))

    def unselect(self, full_name: str) -> None:
        """Select no stack, if that one is selected."""
        if self.selected() != full_name:
            return
        settings = self._read()
        settings.pop("stack", None)
        settings["stacks"].pop(self._backend, None)
        if not settings["stacks"]:
            del settings["stacks"]
        if settings:
            write_durably(self.path, json.dumps(settings, indent=4))
        else:
            self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        """Return the settings; their `stacks` are an object, in any case."""
        settings: Any = {}
        try:
            settings = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            raise BackendError(f"{self.path} cannot be read: {error}") from error
        settings = settings if isinstance(settings, dict) else {}
        stacks = settings.get("stacks")
        return {**settings, "stacks": stacks if isinstance(stacks, dict) else {}}


def backend_url(project: Project, environment: Mapping[str, str]) -> str:
    """Find the backend: PULUMI_BACKEND_URL, else `backend.url` of Pulumi.yaml.

    Raises BackendError when neither is given.
    """
    url = environment.get("PULUMI_BACKEND_URL") or project.backend_url
    if not url:
        raise BackendError(
            "no place for the state is given",
            "Set PULUMI_BACKEND_URL=file:///some/directory, or `backend: {url: …}` in Pulumi.yaml.",
        )
    return url
