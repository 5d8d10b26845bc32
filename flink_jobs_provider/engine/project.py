"""Read Pulumi.yaml: what the project is called and where its program and its settings live."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flink_jobs_provider.engine.errors import ProjectError
from flink_jobs_provider.strict_yaml import UnreadableFile, read_yaml

_FILE_NAMES = ("Pulumi.yaml", "Pulumi.yml")


@dataclass(frozen=True)
class Project:
    """Hold what the engine needs of a Pulumi.yaml.

    `file` is Pulumi.yaml itself, `root` its directory, `program` the directory or file to run.
    """

    name: str
    file: Path
    root: Path
    program: Path
    stack_configuration_directory: Path
    backend_url: str | None = None

    @property
    def working_directory(self) -> Path:
        """Name the directory in which program and provider run."""
        return self.program if self.program.is_dir() else self.program.parent

    def stack_configuration_file(self, stack: str) -> Path:
        """Name the file with a stack's configuration, whether it exists or not."""
        return self.stack_configuration_directory / f"Pulumi.{stack}.yaml"


def find_project(start: Path) -> Project:
    """Read the project that a directory belongs to, as the CLI looks for it: upwards.

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
    )


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
