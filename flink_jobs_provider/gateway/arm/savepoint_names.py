"""Where savepoints lie that a request names: by path, or by the name of one of the job's own."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flink_jobs_provider.gateway.arm.errors import Problem, RefusedProperties
from flink_jobs_provider.gateway.mounts import Mounts
from flink_jobs_provider.gateway.service import Refusal
from flink_jobs_provider.model.savepoint import Savepoint, canonical_path

#: Schemes of the file systems that Flink has (Flink 2.3, "File Systems").
_OF_FLINK = {
    *("file", "hdfs", "viewfs", "s3", "s3a", "s3p", "gs", "oss", "obs"),
    *("abfs", "abfss", "wasb", "wasbs"),
}


def place_on_flink(uri: str, mounts: Mounts, target: str) -> str:
    """Return where the cluster finds what a caller names.

    A cluster reaches storages of its own that the gateway need not reach, so a place below no
    mount is left as it is, if it is one of Flink's file systems at all.

    Raises:
        RefusedProperties: It is no such place, or leads out of where it seems to lead.
    """
    scheme, absolute = _scheme(uri)
    if not absolute or scheme not in _OF_FLINK:
        allowed = ", ".join(sorted(_OF_FLINK))
        what = "an absolute path, or a URI of a file system of Flink's"
        raise RefusedProperties([Problem(target, f"{target} must be {what} ({allowed}).")])
    if {".", ".."} & set(re.split(r"/|%2[fF]", uri.replace("%2e", ".").replace("%2E", "."))):
        raise RefusedProperties([Problem(target, f"{target} must not hold . or .. as a name.")])
    try:
        mounted = mounts.resolve(uri, target)
    except Refusal:
        return uri
    return mounted if _scheme(mounted)[0] in _OF_FLINK else uri


def named_savepoint(name: str, savepoints: Sequence[Savepoint], target: str) -> str:
    """Return the path of a job's savepoint by the last part of it.

    Raises:
        RefusedProperties: The job has none of that name.
    """
    for savepoint in savepoints:
        if canonical_path(savepoint.path).rpartition("/")[2] == name:
            return savepoint.path
    raise RefusedProperties(
        [
            Problem(
                target,
                f"{target} must be the path of a savepoint, or the name of one of the job's own: "
                f"none that it has on record is named {name[:200]!r}. LIST_SAVEPOINT looks into "
                "its directory, too, and shows all of them.",
            )
        ]
    )


def _scheme(uri: str) -> tuple[str, bool]:
    """Return the scheme in lower case, and whether the URI says where its path begins."""
    if uri.startswith("/"):
        return "file", True
    scheme, colon, rest = uri.partition(":")
    return scheme.lower(), bool(colon) and rest.startswith("/")
