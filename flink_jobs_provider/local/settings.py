"""What a cluster is started with: asked for, recorded, or the default, in this order."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from flink_jobs_provider.local.directory import LocalClusterError

DEFAULT_PORT = 8081
_DEFAULTS: dict[str, Any] = {"slots": 8, "task_managers": 1, "configuration": {}}

_OPTION_OF = {
    "rest.port": "--port",
    "rest.bind-port": "--port",
    "taskmanager.numberOfTaskSlots": "--slots",
}
_OURS = ("jobmanager.rpc.port", "taskmanager.resource-id", "web.upload.dir")


class Request(BaseModel):
    """What `up` is asked for; None leaves it as it was, or at the default."""

    model_config = ConfigDict(frozen=True)

    version: str | None = None
    port: int | None = None
    """0 is any free port."""
    slots: int | None = None
    """In all, over the task managers."""
    task_managers: int | None = None
    configuration: dict[str, str] | None = None
    """Flink configuration beyond, or instead of, what this package sets."""

    def refuse_nonsense(self) -> None:
        """Raise for what no cluster can have."""
        for option, value in (("--slots", self.slots), ("--task-managers", self.task_managers)):
            if value is not None and value < 1:
                raise _refused(f"{option} is {value}.", "Give a number of at least 1.")
        if self.port is not None and not 0 <= self.port <= 65535:
            raise _refused(f"--port is {self.port}.", "Give a port, or 0 for any free one.")
        for key in self.configuration or {}:
            if key in _OPTION_OF:
                raise _refused(f"'{key}' has an option of its own.", f"Use {_OPTION_OF[key]}.")
            if key in _OURS:
                raise _refused(f"'{key}' is set by the local cluster itself.", "Leave it out.")


class Settings(BaseModel):
    """What a cluster was last started with, as recorded in its directory."""

    model_config = ConfigDict(frozen=True)

    version: str
    port: int
    rpc_port: int
    slots: int
    task_managers: int
    configuration: dict[str, str]
    java: str

    @property
    def flink(self) -> FlinkVersion:
        """The Flink version, parsed."""
        return FlinkVersion.parse(self.version)

    @property
    def url(self) -> str:
        """The address of the REST API and the dashboard."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def roles(self) -> list[str]:
        """Return the roles of the cluster's processes."""
        return ["jobmanager", *(f"taskmanager-{n}" for n in range(1, self.task_managers + 1))]

    @property
    def slots_of_each(self) -> list[int]:
        """Share the slots out over the task managers, as evenly as can be."""
        share, rest = divmod(self.slots, self.task_managers)
        return [share + (1 if index < rest else 0) for index in range(self.task_managers)]

    def save(self, file: Path) -> None:
        """Replace the recorded settings in one step."""
        new = file.with_suffix(".new")
        new.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        os.replace(new, file)

    @classmethod
    def load(cls, file: Path) -> Settings | None:
        """Return the recorded settings, or None where there are none."""
        try:
            return cls.model_validate_json(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValidationError as error:
            raise LocalClusterError(
                f"{file} is damaged.",
                now="Nothing was changed.",
                advice="Stop any Flink that runs from this directory, and remove the file.",
                details=str(error),
            ) from error


def differences(request: Request, settings: Settings) -> list[str]:
    """List where a running cluster is not what is asked for, in words."""
    asked: dict[str, Any] = request.model_dump(exclude_none=True)
    if asked.get("port") == 0:
        del asked["port"]
    names = {"task_managers": "task managers", "configuration": "Flink configuration"}
    return [
        f"{names.get(key, key)} {getattr(settings, key)}, not {value}"
        for key, value in asked.items()
        if getattr(settings, key) != value
    ]


def wanted_version(request: Request, recorded: Settings | None) -> FlinkVersion:
    """Choose the Flink version to start."""
    recorded_version = recorded.version if recorded else DEFAULT_FLINK_VERSION
    return FlinkVersion.parse(request.version or recorded_version)


def chosen_port(request: Request, recorded: Settings | None) -> int:
    """Choose the port to start on; 0 is any free one."""
    if request.port is not None:
        return request.port
    return recorded.port if recorded else DEFAULT_PORT


def new_settings(
    request: Request,
    recorded: Settings | None,
    *,
    version: str,
    port: int,
    rpc_port: int,
    java: str,
) -> Settings:
    """Return the settings to start a cluster with, from the request and the recorded ones."""
    chosen = {
        **_DEFAULTS,
        **(recorded.model_dump() if recorded else {}),
        **request.model_dump(exclude_none=True),
    }
    chosen |= {"version": version, "port": port, "rpc_port": rpc_port, "java": java}
    settings = Settings.model_validate(chosen)
    if settings.slots < settings.task_managers:
        raise _refused(
            f"{settings.slots} slots are too few for {settings.task_managers} task managers.",
            "Give at least one slot for each task manager.",
        )
    return settings


def _refused(what: str, advice: str) -> LocalClusterError:
    return LocalClusterError(what, now="Nothing was started.", advice=advice)


DEFAULT_FLINK_VERSION = "2.3.0"


@dataclass(frozen=True)
class FlinkVersion:
    """A released Flink version, such as 2.3.0."""

    text: str
    release: tuple[int, int]

    @classmethod
    def parse(cls, text: str) -> FlinkVersion:
        """Read "2.3.0"; anything before 1.17, or without three numbers, is refused."""
        match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", text)
        if match is None:
            raise LocalClusterError(
                f"'{text}' is not a Flink version.",
                now="Nothing was started.",
                advice="Give all three numbers, such as 2.3.0 or 1.20.5.",
            )
        release = (int(match[1]), int(match[2]))
        if release < (1, 17):
            raise LocalClusterError(
                f"Flink {text} is too old.",
                now="Nothing was started.",
                advice="Choose 1.17 or newer, such as 2.3.0 or 1.20.5.",
            )
        return cls(text, release)

    @property
    def java_releases(self) -> tuple[int, ...]:
        """List the Java feature releases it runs on (Flink docs, "Java compatibility").

        Java 21 is experimental there for 1.19 and 1.20, and measured to work with both here; Java
        17 is so for 1.17.
        """
        if self.release >= (2, 0):
            return (11, 17, 21)
        if self.release >= (1, 19):
            return (8, 11, 17, 21)
        return (8, 11, 17)

    @property
    def configuration_file(self) -> str:
        """Return the name of its configuration file: YAML since 1.19, flat lines before."""
        return "config.yaml" if self.release >= (1, 19) else "flink-conf.yaml"

    def __str__(self) -> str:
        return self.text
