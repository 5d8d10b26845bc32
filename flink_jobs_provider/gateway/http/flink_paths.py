"""Places that the cluster resolves: savepoints, checkpoints, directories of these."""

from __future__ import annotations

import re

from flink_jobs_provider.gateway.http.validation import Problem, RefusedProperties
from flink_jobs_provider.gateway.mounts import Mounts
from flink_jobs_provider.gateway.refusals import Refusal

#: Schemes of the file systems that Flink has (Flink 2.3, "File Systems").
_OF_FLINK = {
    *("file", "hdfs", "viewfs", "s3", "s3a", "s3p", "gs", "oss", "obs"),
    *("abfs", "abfss", "wasb", "wasbs"),
}
#: How many options of Flink one job may set.
MOST_OPTIONS = 500
#: By these options a job leaves state that none of its operators claims.
IGNORE_UNCLAIMED = (
    "execution.savepoint.ignore-unclaimed-state",
    "execution.state-recovery.ignore-unclaimed-state",
)


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


def _scheme(uri: str) -> tuple[str, bool]:
    """Return the scheme in lower case, and whether the URI says where its path begins."""
    if uri.startswith("/"):
        return "file", True
    scheme, colon, rest = uri.partition(":")
    return scheme.lower(), bool(colon) and rest.startswith("/")


def take_unclaimed(options: dict[str, str], prefix: str, problems: list[Problem]) -> bool:
    """Remove the options by which unclaimed state is dropped; return whether it is.

    Args:
        options: Flink options; those taken are removed.
        prefix: What the paths of properties begin with, for the problems.
        problems: Where a value that is neither true nor false is put.
    """
    found = False
    for key in (key for key in IGNORE_UNCLAIMED if key in options):
        value = options.pop(key).lower()
        if value not in ("true", "false"):
            path = f"{prefix}{key}"
            problems.append(Problem(path, f"{path} must be true or false."))
        found |= value == "true"
    return found


def as_text(value: object) -> str:
    """Write a JSON number or boolean as Flink's configuration does."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
