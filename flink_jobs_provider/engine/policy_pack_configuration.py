"""The policy packs that a run is judged by, and their configuration, as the Pulumi CLI takes both.

A file of `--policy-pack-config` has an entry for each policy by its name: a level, or an object
with `enforcementLevel` and the policy's parameters. The entry `all` has a level for all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flink_jobs_provider.engine.errors import OptionError, ProjectError, UnsupportedError
from flink_jobs_provider.strict_yaml import UnreadableFile, read_yaml

PACK_FILE = "PulumiPolicy.yaml"
ALL = "all"
LEVELS = ("advisory", "mandatory", "disabled", "remediate")


@dataclass(frozen=True)
class PolicyEntry:
    """What a configuration says of one policy; `level` is empty where it names none."""

    level: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PolicyPack:
    """A policy pack that a run is judged by.

    Attributes:
        directory: Where its `PulumiPolicy.yaml` is.
        virtualenv: The Python environment that it names, or None.
        entries: Its configuration, by the policies' names.
    """

    directory: Path
    virtualenv: Path | None = None
    entries: Mapping[str, PolicyEntry] = field(default_factory=dict)


def find_policy_packs(
    directories: Sequence[Path], configurations: Sequence[Path | None]
) -> tuple[PolicyPack, ...]:
    """Return the packs in directories, each with the configuration at the same place, if any.

    Raises:
        OptionError: There is no pack there, or a configuration is missing or invalid.
        ProjectError: A `PulumiPolicy.yaml` cannot be read.
        UnsupportedError: A pack is of another runtime than Python.
    """
    if configurations and len(configurations) != len(directories):
        raise OptionError(
            f"{len(directories)} policy packs and {len(configurations)} configurations of them",
            "Give --policy-pack-config once for each --policy-pack, in the same order, or not at "
            "all.",
        )
    files: list[Path | None] = [*configurations] or [None] * len(directories)
    return tuple(
        _found(directory, file) for directory, file in zip(directories, files, strict=True)
    )


def _found(directory: Path, file: Path | None) -> PolicyPack:
    directory = directory.resolve()
    project_file = directory / PACK_FILE
    if not project_file.is_file():
        raise OptionError(
            f"{directory} is no policy pack: it has no {PACK_FILE}",
            "Name the directory of a pack; `flink-jobs policy path` prints that of this project.",
        )
    runtime, options = _runtime(project_file)
    if runtime != "python":
        raise UnsupportedError(f"policy packs of the runtime {runtime} ({directory})")
    virtualenv = options.get("virtualenv")
    return PolicyPack(
        directory,
        directory / virtualenv if virtualenv else None,
        read_entries(file) if file else {},
    )


def _runtime(project_file: Path) -> tuple[str, dict[str, Any]]:
    try:
        project = read_yaml(project_file)
    except UnreadableFile as error:
        raise ProjectError(str(error)) from None
    runtime = project.get("runtime") if isinstance(project, dict) else None
    if isinstance(runtime, str):
        return runtime, {}
    if isinstance(runtime, dict) and isinstance(runtime.get("name"), str):
        return runtime["name"], runtime.get("options") or {}
    raise ProjectError(f"{project_file} names no runtime")


def read_entries(file: Path) -> dict[str, PolicyEntry]:
    """Read a configuration.

    Raises:
        OptionError: It names all that is invalid of its form.
    """
    try:
        text = file.read_text(encoding="utf-8")
        document = json.loads(text) if text.strip() else {}
    except OSError as error:
        raise OptionError(
            f"the configuration of a policy pack, {file}, cannot be read: {error.strerror}"
        ) from None
    except ValueError as error:
        raise OptionError(f"the configuration of a policy pack, {file}, is no JSON: {error}") from (
            None
        )
    if not isinstance(document, dict):
        raise OptionError(f"the configuration of a policy pack, {file}, must be an object")
    problems = [line for name, entry in document.items() for line in _problems(name, entry)]
    if problems:
        raise OptionError(f"invalid configuration of a policy pack, {file}: {'; '.join(problems)}")
    return {name: _entry(entry) for name, entry in document.items()}


def _problems(name: str, entry: object) -> Iterable[str]:
    level = entry.get("enforcementLevel", "") if isinstance(entry, dict) else entry
    if not isinstance(entry, dict | str):
        yield f"{name} must be a level, or an object (got {json.dumps(entry)})"
    elif level not in (*LEVELS, *([""] if isinstance(entry, dict) else [])):
        words = ", ".join(LEVELS)
        yield f"{name}: enforcementLevel must be one of {words} (got {json.dumps(level)})"
    elif name == ALL and isinstance(entry, dict) and entry.keys() - {"enforcementLevel"}:
        yield f"{ALL} has a level alone"


def _entry(entry: dict[str, Any] | str) -> PolicyEntry:
    if isinstance(entry, str):
        return PolicyEntry(entry)
    parameters = {key: value for key, value in entry.items() if key != "enforcementLevel"}
    return PolicyEntry(entry.get("enforcementLevel", ""), parameters)


def reconciled(
    defaults: Mapping[str, PolicyEntry], *given: Mapping[str, PolicyEntry]
) -> dict[str, PolicyEntry]:
    """Return all entries with a level each: the defaults, as later configurations change them."""
    found = dict(defaults)
    for entries in given:
        if level := entries.get(ALL, PolicyEntry()).level:
            found = {name: PolicyEntry(level, each.parameters) for name, each in found.items()}
        for name, entry in entries.items():
            before = found.get(name, PolicyEntry())
            if name != ALL:
                parameters = {**before.parameters, **entry.parameters}
                found[name] = PolicyEntry(entry.level or before.level, parameters)
    return {
        name: PolicyEntry(each.level or "advisory", each.parameters) for name, each in found.items()
    }
