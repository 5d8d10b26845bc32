"""Job files: one Flink job each, in YAML, checked against the JSON Schema of a job.

A relative `jar` is resolved against the file's own directory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from flink_jobs_provider.model.errors import InvalidFiles
from flink_jobs_provider.model.inputs import JOB_NAME_PATTERN, suggestion
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import TARGETS, FlinkTarget
from flink_jobs_provider.model.validation import shown
from flink_jobs_provider.strict_yaml import Document, Location, UnreadableFile, read_document

_NO_JOB_FILES = (
    "holds no job file (*.yaml, *.yml), and a stack without jobs would delete all that it has; to "
    "delete them on purpose, run `destroy`"
)

#: The kinds of target that must be named, and their models.
_NAMED_KINDS = {kind: each.__name__ for kind, each in TARGETS.items() if each is not FlinkTarget}


def read_job_files(directory: str | Path) -> dict[str, dict[str, Any]]:
    """Read all job files (*.yaml, *.yml) of a directory.

    Returns:
        The inputs of each job, by the name of its file without the ending, in their order.

    Raises:
        InvalidFiles: There is no job file, since an empty stack would delete every job of it; or
            one or more files are invalid: file, line, property, and what would be valid.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise InvalidFiles([(str(directory), "is not a directory")])
    paths = sorted([*directory.glob("*.yaml"), *directory.glob("*.yml")])
    if not paths:
        raise InvalidFiles([(str(directory), _NO_JOB_FILES)])
    jobs: dict[str, dict[str, Any]] = {}
    names: dict[str, Path] = {}
    problems: list[tuple[str, str]] = []
    for path in paths:
        try:
            job, document = _read(path)
        except InvalidFiles as error:
            problems += error.problems
            continue
        first = names.setdefault(job["job_name"], path)
        if first != path:
            place = f"{path}:{document.line(('job_name',))}"
            problems.append((place, f"job_name: {job['job_name']} is the job of {first} already"))
        jobs[path.stem] = job
    if problems:
        raise InvalidFiles(problems)
    return jobs


def read_job_file(path: str | Path) -> dict[str, Any]:
    """Read one job file.

    Raises:
        InvalidFiles: It is invalid; every problem at once.
    """
    return _read(Path(path))[0]


def _read(path: Path) -> tuple[dict[str, Any], Document]:
    try:
        document = read_document(path)
    except UnreadableFile as error:
        place = f"{path}:{error.line}" if error.line else str(path)
        caret = f"\n{error.caret}" if error.caret else ""
        raise InvalidFiles([(place, f"{error.reason}{caret}")]) from None
    job = document.content
    errors = Draft202012Validator(job_file_schema()).iter_errors(job)
    found = {problem: None for error in errors for problem in _problems(error, document)}
    if found:
        places = sorted((document.line(where), where, why) for where, why in found)
        raise InvalidFiles(
            [(f"{path}:{line}", f"{_named(where)}{why}") for line, where, why in places]
        )
    if "://" not in job["jar"] and not os.path.isabs(job["jar"]):
        job["jar"] = os.path.relpath(path.parent / job["jar"])
    return dict(job), document


def _named(where: Location) -> str:
    return f"{'.'.join(map(str, where))}: " if where else ""


def _problems(error: ValidationError, document: Document) -> Iterator[tuple[Location, str]]:
    """Return what an error of the schema means: the property's path, and what would be valid."""
    cause = best_match([error]) or error
    where: Location = tuple(cause.absolute_path)
    schema = cause.schema if isinstance(cause.schema, dict) else {}
    given: Any = cause.instance
    if cause.validator == "additionalProperties":
        known = schema.get("properties", {})
        for name in given:
            if name not in known:
                yield (*where, str(name)), f"is unknown; {suggestion(str(name), known)}"
    elif cause.validator == "required":
        needed: Any = cause.validator_value
        for name in needed:
            if name not in given:
                yield (*where, name), "is required"
    else:
        yield where, _reason(cause, document.words.get(where))


def _reason(cause: ValidationError, word: str | None) -> str:
    if cause.validator == "not":  # a property that has no place alongside others
        return "must not be given for a target of this kind"
    if cause.instance is None and cause.validator in ("type", "anyOf"):
        return "has no value: give it one, or remove it"
    if cause.validator == "pattern":
        return f"{shown(cause.instance)} must match {cause.validator_value}"
    if word is not None:
        return f'YAML reads {word} as {str(cause.instance).lower()}: write "{word}" for the word'
    return cause.message.replace(repr(cause.instance), shown(cause.instance))


def job_file_schema(inputs: type[JobSpec] = JobSpec) -> dict[str, Any]:
    """Return the JSON Schema of a job file: one job, by the names of `FlinkJob`'s inputs.

    `target` and `owner` may be left to the program that reads the file.

    Args:
        inputs: The model of a job's inputs.
    """
    schema = inputs.model_json_schema()
    schema["title"] = "FlinkJob"
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    properties = schema["properties"]
    del properties["jar_digest"]
    args = properties["args"]
    properties["args"] = {
        "description": args["description"],
        "default": [],
        "examples": args["examples"],
        "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}],
    }
    properties["flink_configuration"]["additionalProperties"] = {
        "type": ["string", "number", "boolean"]
    }
    properties["job_name"]["pattern"] = f"^{JOB_NAME_PATTERN}$"
    properties["target"] = _target_schema(properties["target"]["description"])
    schema["required"] = ["job_name", "jar"]
    on_dli = {"properties": {"kind": {"const": "dli"}}, "required": ["kind"]}
    elsewhere = {"properties": {"target": {"not": on_dli}}, "required": ["target"]}
    schema["allOf"] = [{"if": elsewhere, "then": {"properties": {"dli": {"not": {}}}}}]
    return schema


def _target_schema(description: str) -> dict[str, Any]:
    """Return a schema that selects the target by `kind`: with oneOf one mistake is many errors."""

    def kind_of(name: str) -> dict[str, Any]:
        return {"properties": {"kind": {"const": name}}}

    return {
        "description": description,
        "type": "object",
        "properties": {"kind": {"enum": ["flink", *_NAMED_KINDS]}},
        "allOf": [
            {"if": kind_of("flink"), "then": {"$ref": "#/$defs/FlinkTarget"}},
            *(
                {
                    "if": {**kind_of(kind), "required": ["kind"]},
                    "then": {"$ref": f"#/$defs/{model}"},
                }
                for kind, model in _NAMED_KINDS.items()
            ),
        ],
    }
