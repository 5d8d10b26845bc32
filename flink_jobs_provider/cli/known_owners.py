"""The owners of jobs that are known where a command runs: those of a project's stacks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from flink_jobs_provider.engine.backend import ORGANIZATION, FileBackend
from flink_jobs_provider.engine.errors import EngineError
from flink_jobs_provider.engine.workspace import backend_url, find_project
from flink_jobs_provider.inspecting.job_choice import Owners


def owners_known_in(directory: Path, environment: Mapping[str, str] = os.environ) -> Owners:
    """Return the owners that are known by a directory: the stacks of its project, if it is in one.

    A stack counts by its configuration file, by its state in a `file://` backend, and by
    PULUMI_STACK.
    """
    try:
        project = find_project(directory)
    except EngineError:
        return Owners()
    stacks = {
        path.stem.removeprefix("Pulumi.")
        for path in project.stack_configuration_directory.glob("Pulumi.*.yaml")
    }
    with suppress(EngineError):  # its state may be elsewhere
        stacks.update(FileBackend(backend_url(project, environment)).stacks_of(project.name))
    known = {f"{ORGANIZATION}/{project.name}/{stack}" for stack in stacks}
    selected = environment.get("PULUMI_STACK", "")
    if selected.count("/") == 2:
        known.add(selected)
        organization = selected.partition("/")[0]
        known.update(f"{organization}/{project.name}/{stack}" for stack in stacks)
    return Owners(known)
