"""The pure decision on the step that each declared resource needs.

No provider is asked here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, IntEnum, StrEnum

from flink_jobs_provider.engine.goals import Goal
from flink_jobs_provider.engine.resource_state import ResourceState
from flink_jobs_provider.engine.values import (
    PropertyMap,
    Value,
    contains_unknowns,
    equal,
    parse_path,
    path_contains,
    reset_path,
    strictly_equal,
)


class Op(StrEnum):
    """A step's operation, named as in the CLI's `--json`."""

    SAME = "same"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    REPLACE = "replace"
    DELETE_REPLACED = "delete-replaced"
    READ = "read"
    READ_DISCARD = "discard"
    IMPORT = "import"
    REFRESH = "refresh"
    REMOVE_PENDING_REPLACE = "remove-pending-replace"


class Decision(Enum):
    """What is done to a resource that is in the state already."""

    SAME = "same"
    UPDATE = "update"
    REPLACE_CREATE_FIRST = "replace, the new one first"
    REPLACE_DELETE_FIRST = "replace, the old one deleted first"


class ChangeKind(IntEnum):
    """How one property changes, numbered as in the protocol."""

    ADD = 0
    ADD_REPLACE = 1
    DELETE = 2
    DELETE_REPLACE = 3
    UPDATE = 4
    UPDATE_REPLACE = 5

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")

    @property
    def replaces(self) -> bool:
        """Return whether the resource is replaced for it."""
        return bool(self % 2)

    @property
    def as_replacing(self) -> "ChangeKind":
        """Return the kind of the same change that replaces."""
        return ChangeKind(self | 1)


@dataclass(frozen=True)
class Change:
    """The change of one property; `inputs` tells that it is one of the inputs, not of outputs."""

    path: str
    kind: ChangeKind
    inputs: bool = False


@dataclass(frozen=True)
class DiffAnswer:
    """A provider's answer to a diff.

    `changes` is None where the provider leaves that to the engine; `detail` is empty where the
    provider gives none.
    """

    changes: bool | None
    replaces: tuple[str, ...] = ()
    diffs: tuple[str, ...] = ()
    delete_before_replace: bool = False
    detail: tuple[Change, ...] = ()


@dataclass(frozen=True)
class PropertyDiff:
    """The top-level properties that differ."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the names of all properties that differ."""
        return tuple(sorted({*self.added, *self.removed, *self.changed}))

    def shown(self, hidden: Iterable[str] = ()) -> str:
        """Write it as `~parallelism,+args`, without what is internal or hidden."""
        names = {*hidden}
        signed = sorted(
            [(key, "+") for key in self.added]
            + [(key, "-") for key in self.removed]
            + [(key, "~") for key in self.changed]
        )
        by_sign: dict[str, list[str]] = {}
        for key, sign in signed:
            if not key.startswith("__") and _top(key) not in names:
                by_sign.setdefault(sign, []).append(key)
        return ",".join(
            f"{sign}{','.join(by_sign[sign])}" for sign in ("+", "-", "~") if sign in by_sign
        )


def _top(path: str) -> str:
    """Return the property that a path leads into."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def detailed(detail: Iterable[Change], diff: PropertyDiff) -> PropertyDiff:
    """Return the differences as the provider has told them, or those that the engine has found."""
    by_kind: dict[int, list[str]] = {}
    for change in detail:
        by_kind.setdefault(change.kind & ~1, []).append(change.path)
    if not by_kind:
        return diff
    added, removed, changed = (
        tuple(by_kind.get(kind, ()))
        for kind in (ChangeKind.ADD, ChangeKind.DELETE, ChangeKind.UPDATE)
    )
    return PropertyDiff(added, removed, changed)


def property_diff(old: Mapping[str, Value], new: Mapping[str, Value]) -> PropertyDiff:
    """Compare two sets of properties; an unknown differs from everything."""
    return PropertyDiff(
        added=tuple(sorted(key for key in new if key not in old)),
        removed=tuple(sorted(key for key in old if key not in new)),
        changed=tuple(
            sorted(
                key
                for key in new
                if key in old and (contains_unknowns(new[key]) or not equal(old[key], new[key]))
            )
        ),
    )


def ignoring(
    paths: Iterable[str], old: PropertyMap, new: PropertyMap
) -> tuple[PropertyMap, list[str]]:
    """Return the new inputs with the old values of what `ignore_changes` names.

    The second value is the paths for which that was impossible.
    """
    result: Value = new
    impossible = []
    for path in paths:
        try:
            steps = parse_path(path)
        except ValueError:
            continue
        if steps:
            result, done = reset_path(steps, old, result)
            if not done:
                impossible.append(path)
    assert isinstance(result, dict)  # noqa: S101 - `reset` keeps the shape of the root
    return result, impossible


def completed(
    answer: DiffAnswer, inputs: PropertyDiff, replace_on_changes: Iterable[str]
) -> DiffAnswer:
    """Complete a provider's answer: whether anything changed, and what replaces.

    `inputs` is how the inputs differ, those under `ignore_changes` aside.
    """
    if answer.changes is None:
        answer = DiffAnswer(
            bool(inputs), answer.replaces, inputs.keys, answer.delete_before_replace
        )
    if not answer.changes:
        return answer
    paths = [*map(parse_path, replace_on_changes)]

    def replaces_on(key: str) -> bool:
        return any(path_contains(path, parse_path(key)) for path in paths)

    detail = tuple(
        replace(change, kind=change.kind.as_replacing) if replaces_on(change.path) else change
        for change in answer.detail
    )
    replaces = dict.fromkeys(answer.replaces)
    replaces |= dict.fromkeys(change.path for change in detail if change.kind.replaces)
    replaces |= dict.fromkeys(key for key in answer.diffs if replaces_on(key))
    return replace(answer, replaces=tuple(replaces), detail=detail)


def trigger_fires(old: Value, new: Value) -> bool:
    """Return whether a replacement trigger calls for a replacement."""
    if contains_unknowns(old) or contains_unknowns(new):
        return True
    if old is None or new is None:
        return False
    return not equal(old, new)


def decide(old: ResourceState, goal: Goal, answer: DiffAnswer) -> Decision:
    """Decide what is done to a resource, given its completed diff."""
    if not answer.changes and not old.pending_replacement:
        return Decision.UPDATE if old.init_errors else Decision.SAME
    if not answer.replaces and not old.pending_replacement:
        return Decision.UPDATE
    first = answer.delete_before_replace
    if goal.delete_before_replace is not None:
        first = goal.delete_before_replace
    return Decision.REPLACE_DELETE_FIRST if first else Decision.REPLACE_CREATE_FIRST


def must_be_saved(old: ResourceState, new: ResourceState) -> bool:
    """Return whether an unchanged resource differs in something that the state records.

    Where in the program it is declared is not worth a write of the state.
    """
    fields = (
        *("urn", "type", "custom", "id", "provider", "parent", "protect", "retain_on_delete"),
        *("deleted_with", "replace_with", "additional_secret_outputs", "ignore_changes"),
        *("replace_on_changes", "external", "custom_timeouts", "import_id"),
    )
    if any(getattr(old, field) != getattr(new, field) for field in fields):
        return True
    if set(old.dependencies) != set(new.dependencies):
        return True
    return not (
        strictly_equal(old.inputs, new.inputs)
        and strictly_equal(old.outputs, new.outputs)
        and equal(old.replacement_trigger, new.replacement_trigger)
    )
