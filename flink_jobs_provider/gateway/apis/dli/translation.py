"""From the fields of a jar job to the inputs that the job service takes, and back."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Collection, Mapping
from typing import Any

from flink_jobs_provider.gateway.apis.dli import runtime_config
from flink_jobs_provider.gateway.apis.dli.conventions import FIELD_OF
from flink_jobs_provider.gateway.apis.dli.runtime_config import options_of
from flink_jobs_provider.gateway.apis.job_inputs import input_problems
from flink_jobs_provider.gateway.http.property_problems import (
    Problem,
    RefusedProperties,
    collecting,
)
from flink_jobs_provider.gateway.job_service import JobRow
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.model.inputs import JOB_NAME_PATTERN
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.wire.dli import JOB_FIELDS, checkpoint_mode, slots_by_default

#: Under this name the fields are kept among what faces show.
AS_GIVEN = "dli"
PARALLELISM_FIELDS = frozenset({"parallel_number", "resource_config", "resource_config_version"})
#: Fields whose defaults are shown where they were not given, unless runtime_config sets them.
_SHOWN_BY_DEFAULT = (
    *("checkpoint_enabled", "checkpoint_mode", "log_enabled", "resume_max_num"),
    *("cu_number", "manager_cu_number", "tm_cus", "dependency_jars", "dependency_files"),
)
#: What an option that an input replaces is to be given by.
_INSTEAD_OF_OPTION = {
    "restore_from": "an imported savepoint",
    "savepoint_directory": "state.savepoints.dir",
    "parallelism": "parallel_number",
    "allow_non_restored_state": "execution.savepoint.ignore-unclaimed-state",
}


def inputs_of(
    given: Collection[str],
    config: Mapping[str, Any],
    cluster: ClusterConfiguration,
    job_name: str,
) -> dict[str, Any]:
    """Return the inputs of a job that some of its fields make.

    Args:
        given: The names of the fields that count; what others make is left as it is.
        config: All fields of the job.
        cluster: Its cluster.
        job_name: Its name there.

    Raises:
        RefusedProperties: Fields are invalid, all of them at once.
    """
    problems: list[Problem] = []
    inputs: dict[str, Any] = {}
    if "entrypoint" in given:
        if config.get("entrypoint"):
            with collecting(problems):
                inputs["jar"] = cluster.storage.resolve(config["entrypoint"], "entrypoint")
        else:
            problems.append(Problem("entrypoint", "entrypoint must not be empty."))
    if "main_class" in given:
        inputs["entry_class"] = config.get("main_class") or None
    if "entrypoint_args" in given:
        inputs["args"] = (config.get("entrypoint_args") or "").split()
    if PARALLELISM_FIELDS & set(given):
        inputs["parallelism"] = _parallelism(config, problems)
    if runtime_config.FIELDS & set(given):
        made = options_of(config, cluster.storage, problems)
        inputs |= made._asdict()
        inputs["savepoint_directory"] = made.savepoint_directory or cluster.savepoint_directory
    invalid = input_problems(cluster, job_name, inputs, _INSTEAD_OF_OPTION, recorded=True)
    for name, reason in invalid:
        field = FIELD_OF.get(name.partition("[")[0].partition(".")[0], "body")
        problems.append(Problem(field, f"{field} {reason}."))
    if problems:
        raise RefusedProperties(problems)
    return inputs


def _parallelism(config: Mapping[str, Any], problems: list[Problem]) -> int:
    plain = int(config.get("parallel_number") or 0)
    resources = config.get("resource_config") or {}
    if not resources:
        return plain or 1
    if config.get("resource_config_version") != "v2":
        text = "resource_config counts with resource_config_version v2 alone: set that, or leave it"
        problems.append(Problem("resource_config", f"{text} out."))
    of_resources = int(resources.get("parallel_number") or 0)
    if plain and of_resources and plain != of_resources:
        text = "parallel_number and resource_config.parallel_number must not differ."
        problems.append(Problem("parallel_number", text))
    return of_resources or plain or 1


def laid_over(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a job with some of them replaced.

    Its parallelism stays where none of them has one: resources come without it, too.
    """
    after = {**before, **given}
    if given.get("resource_config_version") in ("v1", "") and "resource_config" not in given:
        after.pop("resource_config", None)
    if "parallel_number" not in given and PARALLELISM_FIELDS & set(given):
        if (given.get("resource_config") or {}).get("parallel_number"):
            after.pop("parallel_number", None)
        else:
            after["parallel_number"] = _parallelism(before, [])
    return after


def config_of(row: JobRow, cluster: ClusterConfiguration) -> dict[str, Any]:
    """Return the fields of a job as they count from its next start on.

    They are as they were given, as long as the job is so: another face may have changed it.
    """
    config: dict[str, Any] = dict(row.as_given.get(AS_GIVEN) or {})
    config.setdefault("name", row.job_name)
    config.setdefault("queue_name", cluster.dli.queues[0] if cluster.dli else "")
    spec, mounts = row.next_spec, cluster.storage
    jar = None
    with contextlib.suppress(Refusal):
        jar = mounts.resolve(config.get("entrypoint") or "", "entrypoint")
    if jar != spec.jar:
        config["entrypoint"] = mounts.named(spec.jar) or spec.jar
    if (config.get("main_class") or None) != spec.entry_class:
        config["main_class"] = spec.entry_class or ""
    if (config.get("entrypoint_args") or "").split() != list(spec.args):
        config["entrypoint_args"] = " ".join(spec.args)
    if _parallelism(config, []) != spec.parallelism:
        _set_parallelism(config, spec.parallelism)
    _set_options(config, spec, cluster)
    return config


def _set_parallelism(config: dict[str, Any], parallelism: int) -> None:
    if config.get("resource_config"):
        resources = {**config["resource_config"], "parallel_number": parallelism}
        config["resource_config"] = resources
        config.pop("parallel_number", None)
    else:
        config["parallel_number"] = parallelism


def _set_options(config: dict[str, Any], spec: JobSpec, cluster: ClusterConfiguration) -> None:
    """Set fields to the options of a job, where they differ from them.

    They must hold all of it: whoever changes one of them sends back the others as they are shown.
    """
    mounts, options = cluster.storage, dict(spec.flink_configuration)
    made = options_of(config, mounts, [])
    if made.flink_configuration != options:
        given = config.get("runtime_config")
        for field in runtime_config.FIELDS:
            config.pop(field, None)
        config["runtime_config"] = runtime_config.with_options(given, options)
        made = options_of(config, mounts, [])
    goes_to = (made.savepoint_directory or cluster.savepoint_directory or "").rstrip("/")
    directory = spec.savepoint_directory or goes_to
    if (goes_to, made.allow_non_restored_state) != (directory, spec.allow_non_restored_state):
        own = None if directory == cluster.savepoint_directory else directory or None
        config["runtime_config"] = runtime_config.with_savepoints(
            config.get("runtime_config"), own, unclaimed=spec.allow_non_restored_state
        )
    if not config.get("runtime_config"):
        config.pop("runtime_config", None)


def changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the names of the fields that differ from what is shown of them.

    Nothing, empty, and the default that is shown in its place are the same.
    """
    names = sorted({*before, *after})
    return [name for name in names if _plain(name, before) != _plain(name, after)]


def defaults_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is shown of fields that were not given."""
    shown = {name: JOB_FIELDS[name].default for name in _SHOWN_BY_DEFAULT}
    lists = {name: list(value) for name, value in shown.items() if isinstance(value, tuple)}
    mode = runtime_config.mode_unless_given(config)
    return {**shown, **lists, "checkpoint_mode": mode, "tm_slot_num": slots_by_default(config)}


def _plain(name: str, config: Mapping[str, Any]) -> Any:
    if name == "parallel_number":
        # A number that resource_config contradicts is a change, too: it is refused as one.
        return int(config.get(name) or 0) or _parallelism(config, [])
    value = config.get(name)
    value = defaults_of(config).get(name) if value in (None, "", [], {}) else value
    if name == "checkpoint_mode":
        return checkpoint_mode(value)
    return value


def job_name_of(name: str) -> str:
    """Return the name under which the cluster has a job that callers call by another.

    The service takes names that a cluster's jobs cannot have here: with capitals and underscores.
    Such a name gets a digest to the plain rest of it, so that no two become one.
    """
    if re.fullmatch(JOB_NAME_PATTERN, name):
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower())[:44].strip("-")
    return f"{plain or 'job'}-{digest}"
