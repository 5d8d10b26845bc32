"""Job files: one Flink job each, in YAML, checked against the JSON Schema of a job.

A relative `jar` is meant from the file's own directory.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from flink_jobs_provider.model.errors import InvalidSpec
from flink_jobs_provider.model.spec import job_file_schema

_NO_JOB_FILES = (
    "holds no job file (*.yaml, *.yml), and a stack without jobs would delete all that it has; to "
    "delete them on purpose, run `destroy`"
)


def read_job_files(directory: str | Path) -> dict[str, dict[str, Any]]:
    """Read all job files (*.yaml, *.yml) of a directory.

    Returns:
        The inputs of each job, by the name of its file without the ending, in their order.

    Raises:
        InvalidSpec: There is no job file, since an empty stack would delete every job of it; or
            one or more files are invalid: file, path in it, and what would be valid.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise InvalidSpec([(str(directory), "is not a directory")])
    paths = sorted([*directory.glob("*.yaml"), *directory.glob("*.yml")])
    if not paths:
        raise InvalidSpec([(str(directory), _NO_JOB_FILES)])
    jobs: dict[str, dict[str, Any]] = {}
    names: set[str] = set()
    problems: list[tuple[str, str]] = []
    for path in paths:
        try:
            job = read_job_file(path)
        except InvalidSpec as error:
            problems += error.problems
            continue
        if job["job_name"] in names:
            problems.append((f"{path}: job_name", f"{job['job_name']} is another file's already"))
        names.add(job["job_name"])
        jobs[path.stem] = job
    if problems:
        raise InvalidSpec(problems)
    return jobs


def read_job_file(path: str | Path) -> dict[str, Any]:
    """Read one job file.

    Raises:
        InvalidSpec: It is wrong; every problem at once.
    """
    path = Path(path)
    try:
        job = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSpec([(str(path), f"cannot be read: {error.strerror or error}")]) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidSpec([(str(path), f"is not YAML: {' '.join(str(error).split())}")]) from None
    errors = Draft202012Validator(job_file_schema()).iter_errors(job)
    problems = [_problem(path, error) for error in sorted(errors, key=lambda e: list(e.path))]
    if problems:
        raise InvalidSpec(list(dict.fromkeys(problems)))  # each kind of target finds its own
    if "://" not in job["jar"] and not os.path.isabs(job["jar"]):
        job["jar"] = os.path.relpath(path.parent / job["jar"])
    return dict(job)


def _problem(path: Path, error: ValidationError) -> tuple[str, str]:
    cause = best_match([error]) or error
    where = ".".join(str(part) for part in cause.absolute_path) or "the file"
    reason = cause.message
    if cause.validator == "not":  # a property that has no place beside others
        reason = "must not be given for a target of this kind"
    if cause.instance is None and cause.validator in ("type", "anyOf"):
        reason = "has no value: give it one, or take it out"
    if cause.validator == "pattern":
        reason = f"{cause.instance!r} must match {cause.validator_value}"
    if cause.validator == "additionalProperties":
        schema = cause.schema if isinstance(cause.schema, dict) else {}
        reason += f"; known are {', '.join(sorted(schema.get('properties', ())))}"
    return f"{path}: {where}", reason
