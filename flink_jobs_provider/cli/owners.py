"""Whose a job is, in words, as far as it can be known from here.

A jobId holds six digits of a digest of its owner. A name is shown only for an owner that is known
here and has those digits; for any other the digits are shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from flink_jobs_provider.engine.backend import ORGANIZATION, FileBackend, backend_url
from flink_jobs_provider.engine.errors import EngineError
from flink_jobs_provider.engine.project import find_project
from flink_jobs_provider.model.identity import JobKey, owner_digits_of

#: The owner of jobs that `flink-jobs jobs start` starts, unless it is told another one.
COMMAND_LINE = "command-line"


class Owners:
    """The owners that are known here, by their digits in a jobId."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._names: dict[str, set[str]] = {}
        for owner in (COMMAND_LINE, *known):
            self._names.setdefault(JobKey("", owner).owner_digits, set()).add(owner)

    def of(self, job_id: str) -> str:
        """Return the owner in a jobId of ours: its name where exactly one fits, else its digits."""
        digits = owner_digits_of(job_id)
        names = self._names.get(digits, set())
        return next(iter(names)) if len(names) == 1 else digits


def owners_known_in(directory: Path, environment: Mapping[str, str] = os.environ) -> Owners:
    """Return the owners that a directory tells of: the stacks of its project, if it is in one.

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
