"""The table of fields: what a change of each input costs, and how it is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from flink_jobs_provider.model.savepoint import same_path
from flink_jobs_provider.model.spec import JobSpec


class Cost(IntEnum):
    """What a change costs the running job; the greatest of all changes decides."""

    RECORDED = 0  # written down, nothing is touched
    SAVEPOINT = 1  # a savepoint is taken, the job goes on
    RUN_STATE = 2  # the job is stopped or started
    RESTART = 3  # the job is stopped, and its new version started
    REPLACE = 4  # another job altogether


@dataclass(frozen=True)
class Change:
    """One input that differs from what is recorded.

    Attributes:
        name: The input's name.
        cost: What the change costs.
        text: The change in words, such as "parallelism 2 → 4".
    """

    name: str
    cost: Cost
    text: str


@dataclass(frozen=True)
class _Field:
    cost: Cost
    text: Callable[[str, Any, Any], str]
    same: Callable[[Any, Any], bool] = lambda old, new: old == new


def _arrow(name: str, old: Any, new: Any) -> str:
    return f"{name} {_short(old)} → {_short(new)}"


def _changed(name: str, _old: Any, _new: Any) -> str:
    """Name the input alone: its values may be long, or secret."""
    return f"{name} changed"


def _configuration(_name: str, old: dict[str, str], new: dict[str, str]) -> str:
    keys = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    return "flink_configuration changed: " + ", ".join(keys)


def _jar(_name: str, _old: Any, _new: Any) -> str:
    return "jar content changed"


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:24]}…{text[-32:]}"


#: Every input of a job, but for `jar`: its content decides, not its name.
FIELDS: dict[str, _Field] = {
    "target": _Field(
        Cost.REPLACE,
        lambda _n, old, new: f"cluster {old.address} → {new.address}",
        lambda old, new: old.place == new.place,
    ),
    "job_name": _Field(Cost.REPLACE, _arrow),
    "owner": _Field(Cost.RECORDED, _arrow),
    "parallelism": _Field(Cost.RESTART, _arrow),
    "jar_digest": _Field(Cost.RESTART, _jar),
    "entry_class": _Field(Cost.RESTART, _arrow),
    "args": _Field(Cost.RESTART, _changed),
    "flink_configuration": _Field(Cost.RESTART, _configuration),
    "restart_trigger": _Field(Cost.RESTART, _changed, lambda old, new: new is None or old == new),
    "restore_from": _Field(
        Cost.RESTART,
        lambda _n, _old, new: f"restore_from {_short(new)}",
        lambda old, new: new is None or same_path(old, new),
    ),
    "desired_state": _Field(Cost.RUN_STATE, _arrow),
    "savepoint_trigger": _Field(
        Cost.SAVEPOINT, _changed, lambda old, new: new is None or old == new
    ),
    "savepoint_directory": _Field(Cost.RECORDED, _arrow),
    "upgrade_mode": _Field(Cost.RECORDED, _arrow),
    "allow_non_restored_state": _Field(Cost.RECORDED, _arrow),
    "savepoint_format": _Field(Cost.RECORDED, _arrow),
    "on_delete": _Field(Cost.RECORDED, _arrow),
    "timeouts": _Field(Cost.RECORDED, _changed),
}


def changes(old: JobSpec, new: JobSpec) -> list[Change]:
    """Return what differs between two specs of one job, the costliest first.

    A removed trigger or restore point asks for nothing: it is recorded only.
    """
    found = []
    for name, field in FIELDS.items():
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        cost = Cost.RECORDED if field.same(before, after) else field.cost
        found.append(Change(name, cost, field.text(name, before, after)))
    if old.jar != new.jar and old.jar_digest == new.jar_digest:
        found.append(Change("jar", Cost.RECORDED, f"jar moved, same content: {_short(new.jar)}"))
    return sorted(found, key=lambda change: -change.cost)
