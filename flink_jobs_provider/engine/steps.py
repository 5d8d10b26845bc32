"""The resources that a program declares, and the pure decision on the step that each needs.

No provider is asked here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from typing import Any

from flink_jobs_provider.engine.errors import UnsupportedError
from flink_jobs_provider.engine.protocols import resource_pb2
from flink_jobs_provider.engine.resource_state import (
    DYNAMIC_PACKAGE,
    PROVIDER_TYPE_PREFIX,
    STACK_REFERENCE_TYPE,
    Declaration,
    ResourceState,
    package_of,
)
from flink_jobs_provider.engine.values import (
    ARCHIVE_SIGNATURE,
    ASSET_SIGNATURE,
    SIGNATURE_KEY,
    PropertyMap,
    Value,
    contains_unknowns,
    equal,
    from_struct,
    from_wire,
    parse_path,
    path_contains,
    reset_path,
    strictly_equal,
    walk,
)


@dataclass(frozen=True, kw_only=True)
class Goal(Declaration):
    """One resource as the program declares it."""

    name: str
    delete_before_replace: bool | None = None
    alias_urns: tuple[str, ...] = ()

    @property
    def package(self) -> str:
        """Return the package that manages the resource."""
        return package_of(self.type)


def goal_of(request: resource_pb2.RegisterResourceRequest, root: str) -> Goal:
    """Read a registration; `root` is the project's directory, for source positions.

    Raises UnsupportedError for anything that this engine leaves to the CLI.
    """
    _refuse_options(request)
    inputs = from_struct(request.object)
    _refuse_assets(request.name, inputs)
    return Goal(
        type=request.type,
        name=request.name,
        custom=request.custom,
        inputs=inputs,
        parent=request.parent,
        dependencies=tuple(sorted(request.dependencies)),
        property_dependencies={
            key: tuple(sorted(item.urns)) for key, item in request.propertyDependencies.items()
        },
        protect=request.protect,
        delete_before_replace=(
            request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None
        ),
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        replacement_trigger=(
            from_wire(request.replacement_trigger)
            if request.HasField("replacement_trigger")
            else None
        ),
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        alias_urns=tuple(request.aliasURNs),
        retain_on_delete=request.retainOnDelete,
        deleted_with=request.deletedWith,
        replace_with=tuple(request.replace_with),
        hide_diffs=tuple(map(parse_path, request.hideDiffs)),
        source_position=position_of(request.sourcePosition, root),
        stack_trace=tuple(position_of(frame.pc, root) for frame in request.stackTrace.frames),
    )


def position_of(position: Any, root: str) -> str:
    """Return a source position as in checkpoints, or an empty text outside the project."""
    uri: str = position.uri
    prefix = f"file://{root}/"
    if not uri.startswith(prefix):
        return ""
    return f"project:///{uri.removeprefix(prefix)}#{position.line}"


def _refuse_options(request: resource_pb2.RegisterResourceRequest) -> None:
    timeouts = request.customTimeouts
    options = {
        "the option `import_`": request.importId,
        "the option `custom_timeouts`": (
            timeouts.create or timeouts.update or timeouts.delete or timeouts.read
        ),
        "the option `transforms`": request.transforms,
        "the option `hooks`": request.HasField("hooks") and request.hooks.ByteSize(),
        "the option `provider` (explicit provider instances)": (
            request.provider and request.custom
        ),
        "remote components": request.remote,
        "parameterized packages": request.packageRef,
        "state migrations": getattr(request, "state_migrations", ()),
    }
    for what, used in options.items():
        if used:
            raise UnsupportedError(f"{what}, which {request.name!r} ({request.type}) uses")
    refuse_type(request.type, request.name, custom=request.custom)


def refuse_type(type_: str, name: str, *, custom: bool) -> None:
    """Raise UnsupportedError for a resource of another package than the dynamic one."""
    if not custom:
        return
    if type_.startswith(PROVIDER_TYPE_PREFIX):
        raise UnsupportedError(f"explicit provider instances, as {name!r} ({type_}) is one")
    package = package_of(type_)
    if package != DYNAMIC_PACKAGE and type_ != STACK_REFERENCE_TYPE:
        raise UnsupportedError(
            f"resources of other packages than dynamic providers: {name!r} is of `{package}`"
        )


def _refuse_assets(name: str, inputs: PropertyMap) -> None:
    for value in walk(inputs):
        if isinstance(value, dict) and value.get(SIGNATURE_KEY) in (
            ASSET_SIGNATURE,
            ARCHIVE_SIGNATURE,
        ):
            raise UnsupportedError(f"assets and archives, which {name!r} uses")


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
    REFRESH = "refresh"
    REMOVE_PENDING_REPLACE = "remove-pending-replace"


class Decision(Enum):
    """What is done to a resource that is in the state already."""

    SAME = "same"
    UPDATE = "update"
    REPLACE_CREATE_FIRST = "replace, the new one first"
    REPLACE_DELETE_FIRST = "replace, the old one deleted first"


@dataclass(frozen=True)
class DiffAnswer:
    """A provider's answer to a diff.

    `changes` is None where the provider leaves that to the engine.
    """

    changes: bool | None
    replaces: tuple[str, ...] = ()
    diffs: tuple[str, ...] = ()
    delete_before_replace: bool = False


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
        hidden = {*hidden}
        signed = sorted(
            [(key, "+") for key in self.added]
            + [(key, "-") for key in self.removed]
            + [(key, "~") for key in self.changed]
        )
        by_sign: dict[str, list[str]] = {}
        for key, sign in signed:
            if not key.startswith("__") and key not in hidden:
                by_sign.setdefault(sign, []).append(key)
        return ",".join(
            f"{sign}{','.join(by_sign[sign])}" for sign in ("+", "-", "~") if sign in by_sign
        )


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
    replaces = dict.fromkeys(answer.replaces)
    for path in map(parse_path, replace_on_changes):
        for key in answer.diffs:
            if path_contains(path, parse_path(key)):
                replaces[key] = None
    return replace(answer, replaces=tuple(replaces))


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
        *("replace_on_changes", "external"),
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
