"""The difference between two specs of one job: which inputs differ, and what each change costs."""

from __future__ import annotations

from dataclasses import dataclass

from flink_jobs_provider.model.inputs import Cost, from_to, name_alone, on_change
from flink_jobs_provider.model.parallelism import ParallelismManager
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target.dli import DliSettings
from flink_jobs_provider.wire.dli import AT_CREATION, DESCRIBING, WHILE_RUNNING

#: What is computed or moved comes after what people have changed by its name.
_OF_THE_JAR = ("jar", "jar_digest")


@dataclass(frozen=True)
class Change:
    """One input that differs from what is recorded; the text is such as "parallelism 2 → 4"."""

    name: str
    cost: Cost
    text: str


def changes(old: JobSpec, new: JobSpec) -> list[Change]:
    """Return what differs between two specs of one job, the costliest first.

    A removed savepoint trigger or restore point asks for nothing: it is recorded only. A removed
    restart trigger stays that of the version that runs.
    """
    new = new.carrying_on(old)
    found = [*_queue_changes(old, new), *_dli_changes(old, new)]
    meanings = on_change(type(new))
    for name in sorted(meanings, key=lambda name: name in _OF_THE_JAR):
        before, after = getattr(old, name), getattr(new, name)
        is_told_elsewhere = name == "dli" or (name == "jar" and old.jar_digest != new.jar_digest)
        if before == after or is_told_elsewhere:
            continue
        cost, text = (
            meanings[name].cost_of(before, after),
            meanings[name].words(name, before, after),
        )
        if name == "parallelism" and new.parallelism_managed_by is ParallelismManager.OTHER:
            cost, text = Cost.RECORDED, f"{text} (for a first start: another one manages it)"
        found.append(Change(name, cost, text))
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
        words = from_to if isinstance(one or other, str | int | float) else name_alone
        found.append(Change(f"dli.{name}", cost_of_dli(name), words(f"dli.{name}", one, other)))
    return found


def _queue_changes(old: JobSpec, new: JobSpec) -> list[Change]:
    """Return the move of a job from one queue of its project to another."""
    one, other = old.target, new.target
    if one.place != other.place or one.queue == other.queue:
        return []
    return [Change("target.queue", Cost.RESTART, from_to("target.queue", one.queue, other.queue))]
