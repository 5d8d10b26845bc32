"""The options of Flink 1.17 to 2.3, as its own classes declare them.

`flink_options.json` is made from Flink's packages by `tools/flink_options/build.py`. It is read
when an option is first asked for: most commands never do.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from typing import Any

from flink_jobs_provider.model.spelling import nearest

#: Keys are long and share their beginnings: what is less alike is another option.
_NEAR = 0.9


class Scope(StrEnum):
    """What an option acts on."""

    JOB = "job"
    CLUSTER = "cluster"  # its processes alone: certain to have no effect on a job of a session
    CLUSTER_IN_DOUBT = "cluster in doubt"  # of the cluster, though that was not shown of this one


@dataclass(frozen=True)
class FlinkOption:
    """An option of Flink.

    Attributes:
        key: The key, a deprecated one included.
        types: What its values are: `boolean`, `integer`, `long`, `float`, `double`, `duration`,
            `memory`, `text`, `map`, `list`, or `enum A|B`; several where versions differ.
        since: The first version that knows it.
        until: The last version that knows it.
        present: The key that the newest of these versions calls it by.
        scope: What it acts on.
    """

    key: str
    types: tuple[str, ...]
    since: str
    until: str
    present: str
    scope: Scope


def flink_option(key: str) -> FlinkOption | None:
    """Return the option of a key, or None for what no version of Flink declares."""
    data = _data()
    found = data["options"].get(key)
    if found is None:
        return None
    first, *_, last = data["versions"]
    return FlinkOption(
        key,
        tuple(found.get("types", ("text",))),
        found.get("since", first),
        found.get("until", last),
        found.get("now", key),
        Scope(found.get("scope", Scope.JOB)),
    )


def nearest_option(key: str) -> FlinkOption | None:
    """Return the option that a misspelt key is nearest to, or None where none is near.

    What lies below an option that is a map, such as `pipeline.global-job-parameters`, is near none.
    """
    options = _data()["options"]
    parts = key.split(".")
    above = [options.get(".".join(parts[:count]), {}) for count in range(1, len(parts))]
    if any("map" in option.get("types", ()) for option in above):
        return None
    near = nearest(key, options, cutoff=_NEAR)
    return flink_option(near) if near else None


def versions() -> str:
    """Return the versions of Flink whose options are known, as a range."""
    first, *_, last = _data()["versions"]
    return f"{first} to {last}"


@functools.cache
def _data() -> dict[str, Any]:
    content = files(__package__).joinpath("flink_options.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(content)
    return data
