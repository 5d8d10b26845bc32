"""The table of fields: what a change of each input costs, and how it is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from flink_jobs_provider.model.dli_settings import DliSettings
from flink_jobs_provider.model.redaction import mask_addresses
from flink_jobs_provider.model.savepoint import same_path
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import DliTarget
from flink_jobs_provider.wire.dli import AT_CREATION, DESCRIBING, WHILE_RUNNING


class Cost(IntEnum):
    """What a change costs the running job; the greatest of all changes decides."""

    RECORDED = 0  # written down, nothing is touched
    IN_PLACE = 1  # changed while the job runs
    SAVEPOINT = 2  # a savepoint is taken, the job goes on
    RUN_STATE = 3  # the job is stopped or started
    RESTART = 4  # the job is stopped, and its new version started
    REFUSED = 5  # there is no way to change it
    REPLACE = 6  # another job altogether


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


#: Every input of a job, but for `jar`, whose content decides, and for the settings below `dli`.
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
    "restart_trigger": _Field(Cost.RESTART, _changed),
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
    "settle_time": _Field(Cost.RECORDED, _arrow),
    "timeouts": _Field(Cost.RECORDED, _changed),
}


def changes(old: JobSpec, new: JobSpec) -> list[Change]:
    """Return what differs between two specs of one job, the costliest first.

    A removed savepoint trigger or restore point asks for nothing: it is recorded only. A removed
    restart trigger stays that of the version that runs.
    """
    new = new.carrying_on(old)
    found = [*_queue_changes(old, new), *_dli_changes(old, new)]
    for name, field in FIELDS.items():
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        cost = Cost.RECORDED if field.same(before, after) else field.cost
        found.append(Change(name, cost, field.text(name, before, after)))
    if old.jar != new.jar and old.jar_digest == new.jar_digest:
        found.append(
            Change("jar", Cost.RECORDED, f"jar moved, same content: {mask_addresses(new.jar)}")
        )
    return sorted(found, key=lambda change: -change.cost)


def cost_of_dli(name: str) -> Cost:
    """Return what a change of a setting below `dli` costs."""
    if name in AT_CREATION:
        return Cost.REFUSED
    if name in DESCRIBING:
        return Cost.RECORDED
    return Cost.IN_PLACE if name in WHILE_RUNNING else Cost.RESTART


def _dli_changes(old: JobSpec, new: JobSpec) -> list[Change]:
    before, after = old.dli or DliSettings(), new.dli or DliSettings()
    found = []
    for name in DliSettings.model_fields:
        one, other = getattr(before, name), getattr(after, name)
        if one == other:
            continue
        plain = isinstance(one or other, str | int | float)
        text = _arrow(f"dli.{name}", one, other) if plain else f"dli.{name} changed"
        found.append(Change(f"dli.{name}", cost_of_dli(name), text))
    return found


def _queue_changes(old: JobSpec, new: JobSpec) -> list[Change]:
    """Return the move of a job from one queue of its project to another."""
    one, other = old.target, new.target
    if not isinstance(one, DliTarget) or not isinstance(other, DliTarget):
        return []
    if one.place != other.place or one.queue == other.queue:
        return []
    return [Change("target.queue", Cost.RESTART, _arrow("target.queue", one.queue, other.queue))]
