"""What the job API of HDInsight on AKS cannot carry, said by name before anything is changed.

Its `args` is one text that is split at blanks, its `flinkConfiguration` a map of texts in which
two keys are its own, and it has no field at all for some inputs of a job.
"""

from __future__ import annotations

from typing import Any

from flink_jobs_provider.wire import SPEC_NOTE
from flink_jobs_provider.wire.hdinsight import (
    PARALLELISM_KEY,
    SAVEPOINT_DIRECTORY_KEY,
    ApiVersion,
)

_KEYS = {
    PARALLELISM_KEY: "use parallelism",
    SAVEPOINT_DIRECTORY_KEY: "use savepoint_directory",
    SPEC_NOTE: "it is where the provider writes which version it has asked for",
}


def is_local(jar: str) -> bool:
    """Whether a jar lies where no cluster reads it: on this machine, or behind http."""
    scheme, separator, _ = jar.partition("://")
    return not separator or scheme in ("file", "local", "http", "https")


def limits_of(inputs: dict[str, Any], unknown: set[tuple[int | str, ...]]) -> list[tuple[str, str]]:
    """Return the inputs that cannot be had on a target of HDInsight: path, and what would be right.

    Args:
        inputs: The inputs by name, as far as they are known; of any type, right or wrong.
        unknown: Paths of what is not known yet.
    """
    target = inputs.get("target")
    if not isinstance(target, dict) or target.get("kind") != "hdinsight":
        return []
    problems = [*_jar(inputs.get("jar"), target, unknown), *_args(inputs.get("args"))]
    configuration = inputs.get("flink_configuration")
    if isinstance(configuration, dict):
        problems += [
            ("flink_configuration", f"must not set {key} on an HDInsight target: {instead}")
            for key, instead in _KEYS.items()
            if key in configuration
        ]
    version = target.get("api_version")
    lacks_it = version in list(ApiVersion) and not ApiVersion(version).has_last_state_update
    if inputs.get("upgrade_mode") == "last-state" and lacks_it:
        problems.append(
            ("upgrade_mode", f'must not be "last-state" with api_version {version}, which lacks it')
        )
    return problems


def _jar(
    jar: Any, target: dict[str, Any], unknown: set[tuple[int | str, ...]]
) -> list[tuple[str, str]]:
    if not isinstance(jar, str):
        return []
    if not is_local(jar):
        if jar.endswith(".jar") and jar.rpartition("/")[2] != ".jar":
            return []
        return [("jar", "must end with a file name in .jar: the cluster reads it where it lies")]
    path = ("target", "jar_upload_directory")
    if target.get(path[1]) is None and path not in unknown:
        return [
            (
                "target.jar_upload_directory",
                f"is required, since the cluster cannot read {jar}; or let jar be a URI of the "
                "cluster's storage, such as abfs://…/dir/name.jar",
            )
        ]
    return []


def _args(args: Any) -> list[tuple[str, str]]:
    if not isinstance(args, list | tuple):
        return []
    return [
        (
            f"args[{number}]",
            "must not be empty or hold blanks on an HDInsight target: its arguments are one text "
            "that is split at blanks",
        )
        for number, argument in enumerate(args)
        if isinstance(argument, str) and argument.split() != [argument]
    ]
