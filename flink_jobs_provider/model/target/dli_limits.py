"""What Data Lake Insight cannot carry, refused by name before anything is changed.

Its `entrypoint_args` is one text that is split at blanks, its names are short, its two models of
resources exclude each other, and it has no field at all for some inputs of a job.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flink_jobs_provider.model.target.address import (
    RUNS_ONE_VERSION,
    split_arguments,
    unreadable_jar,
)
from flink_jobs_provider.model.target.dli import DliTarget
from flink_jobs_provider.wire import SPEC_NOTE
from flink_jobs_provider.wire.dli import LONGEST_NAME, RESOURCES_V1

_Path = tuple[int | str, ...]
_Problem = tuple[str, str]


def limits_of(inputs: dict[str, Any], unknown: set[_Path]) -> list[_Problem]:
    """Return the inputs that Data Lake Insight cannot carry: path, and what would be valid.

    The inputs are of any type, valid or not, as far as they are known; `unknown` has the paths of
    the others.
    """
    target = inputs.get("target")
    if not isinstance(target, dict) or target.get("kind") != "dli":
        return []
    return [
        *_reached(target, unknown),
        *_job(inputs, target, unknown),
        *_settings(inputs, unknown),
    ]


def _reached(target: dict[str, Any], unknown: set[_Path]) -> Iterator[_Problem]:
    """Check how the service is reached: one address, one kind of credentials."""
    missing = {
        name
        for name in ("region", "endpoint", "token", "access_key", "secret_key")
        if _missing(target, name, unknown, "target")
    }
    if missing >= {"region", "endpoint"}:
        yield "target.endpoint", "is required, or region"
    if target.get("region") is not None and target.get("endpoint") is not None:
        yield "target.endpoint", "must not be given with region"
    keys = ("access_key", "secret_key", "security_token")
    signs = [name for name in keys if target.get(name) is not None]
    if target.get("token") is not None:
        yield from ((f"target.{name}", "must not be given with token") for name in signs)
        return
    if missing >= {"token", "access_key"} and not signs:
        yield "target.token", "is required, or access_key and secret_key"
    for name in ("access_key", "secret_key") if signs else ():
        if name in missing:
            yield f"target.{name}", f"is required with {signs[0]}"


def _job(inputs: dict[str, Any], target: dict[str, Any], unknown: set[_Path]) -> Iterator[_Problem]:
    example = "obs://bucket/dir/name.jar"
    yield from unreadable_jar(inputs.get("jar"), target, unknown, "service", example)
    yield from split_arguments(inputs.get("args"), "Data Lake Insight")
    if inputs.get("upgrade_mode") == "blue-green":
        yield "upgrade_mode", f'must not be "blue-green": {RUNS_ONE_VERSION}'
    name = inputs.get("job_name")
    if isinstance(name, str) and len(name) > LONGEST_NAME:
        yield "job_name", f"must have at most {LONGEST_NAME} characters there (got {len(name)})"
    configuration = inputs.get("flink_configuration")
    if isinstance(configuration, dict) and SPEC_NOTE in configuration:
        yield (
            "flink_configuration",
            f"must not set {SPEC_NOTE} on Data Lake Insight: the provider records "
            "in it which version it has requested",
        )
    if is_cloud(target):
        yield from _in_a_cloud(inputs, unknown)


def _in_a_cloud(inputs: dict[str, Any], unknown: set[_Path]) -> Iterator[_Problem]:
    """Check what a gateway can do, and a cloud's own service cannot."""
    if inputs.get("upgrade_mode") == "last-state":
        yield (
            "upgrade_mode",
            'must not be "last-state": Data Lake Insight starts a version from a savepoint or '
            "from nothing",
        )
    asks = inputs.get("savepoint_trigger") is not None
    if asks and _missing(inputs, "savepoint_directory", unknown):
        yield (
            "savepoint_directory",
            "is required with savepoint_trigger: Data Lake Insight asks where to write",
        )


def is_cloud(target: dict[str, Any]) -> bool:
    """Whether a target, as far as it is known, is a cloud's own service, and no gateway."""
    given = {name: target.get(name) for name in ("region", "endpoint")}
    if any(value is not None and not isinstance(value, str) for value in given.values()):
        return False
    if not any(given.values()):
        return False
    try:
        return DliTarget.model_construct(kind="dli", project_id="", **given).is_cloud
    except ValueError:
        return False


def _settings(inputs: dict[str, Any], unknown: set[_Path]) -> Iterator[_Problem]:
    settings = inputs.get("dli")
    if not isinstance(settings, dict):
        return
    for name in RESOURCES_V1 if settings.get("resource_config") is not None else ():
        if settings.get(name) is not None:
            why = "must not be given with resource_config: those are resources v1"
            yield f"dli.{name}", why
    yield from _image(settings, unknown)
    yield from _logs_and_restarts(inputs, settings, unknown)


def _image(settings: dict[str, Any], unknown: set[_Path]) -> Iterator[_Problem]:
    if ("dli", "feature") in unknown:
        return
    feature = settings.get("feature")
    for name, needed in (("flink_version", "basic"), ("image", "custom")):
        if settings.get(name) is not None and feature != needed:
            yield f"dli.{name}", f'is for feature "{needed}" alone: set dli.feature'
    if feature == "custom" and _missing(settings, "image", unknown, "dli"):
        yield "dli.image", 'is required for feature "custom"'


def _logs_and_restarts(
    inputs: dict[str, Any], settings: dict[str, Any], unknown: set[_Path]
) -> Iterator[_Problem]:
    if settings.get("log_enabled") is True and _missing(settings, "obs_bucket", unknown, "dli"):
        yield "dli.obs_bucket", "is required where log_enabled is true"
    stateless = inputs.get("upgrade_mode") == "stateless" or ("upgrade_mode",) in unknown
    resumes = settings.get("resume_checkpoint") is True or ("dli", "resume_checkpoint") in unknown
    if settings.get("restart_when_exception") is True and not resumes and not stateless:
        yield (
            "dli.resume_checkpoint",
            "must be true where restart_when_exception is: else the service restarts a failed "
            'job without its state; or set upgrade_mode to "stateless"',
        )


def _missing(given: dict[str, Any], name: str, unknown: set[_Path], *below: str) -> bool:
    """Whether a property is surely not given."""
    return given.get(name) is None and (*below, name) not in unknown
