"""A resource as the checkpoint remembers it, and an operation that was begun on one.

Its name is a URN: `urn:pulumi:<stack>::<project>::<parent types>$<type>::<name>`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from flink_jobs_provider.engine.values import PropertyMap, PropertyPath, Value

STACK_TYPE = "pulumi:pulumi:Stack"
STACK_REFERENCE_TYPE = "pulumi:pulumi:StackReference"
PROVIDER_TYPE_PREFIX = "pulumi:providers:"
DYNAMIC_PACKAGE = "pulumi-python"
BUILTIN_PACKAGE = "pulumi"


def is_default(provider_urn: str) -> bool:
    """Return whether a provider's resource is the engine's own: `default`, or `default_0_2_0`."""
    name = name_of(provider_urn)
    return name == "default" or name.startswith("default_")


def provider_package(provider_urn: str) -> str:
    """Return the package of a provider's own resource."""
    return type_of(provider_urn).removeprefix(PROVIDER_TYPE_PREFIX)


def make_urn(stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """Return the URN of a resource."""
    return f"urn:pulumi:{stack}::{project}::{_parent_types(parent)}{type_}::{name}"


def _parent_types(parent: str) -> str:
    if not parent or type_of(parent) == STACK_TYPE:
        return ""
    return f"{qualified_type_of(parent)}$"


def qualified_type_of(urn: str) -> str:
    """Return the type, qualified by those of the parents."""
    return urn.split("::", 3)[2]


def type_of(urn: str) -> str:
    """Return the type alone."""
    return qualified_type_of(urn).rpartition("$")[2]


def name_of(urn: str) -> str:
    """Return the resource's name in the program."""
    return urn.split("::", 3)[3]


def package_of(type_: str) -> str:
    """Return the package of a type: the part before its first colon."""
    return type_.partition(":")[0]


@dataclass(frozen=True)
class Timeouts:
    """How long a provider may take for each operation, in seconds; 0 leaves that to it."""

    create: float = 0.0
    update: float = 0.0
    delete: float = 0.0
    read: float = 0.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Declaration:
    """What a program declares of a resource, and the state records of it."""

    type: str
    custom: bool
    inputs: PropertyMap = field(default_factory=dict)
    parent: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: dict[str, tuple[str, ...]] | None = None
    protect: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    replace_with: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    ignore_changes: tuple[str, ...] = ()
    hide_diffs: tuple[PropertyPath, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    replacement_trigger: Value = None
    custom_timeouts: Timeouts = field(default_factory=Timeouts)
    import_id: str = ""
    source_position: str = ""
    stack_trace: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class ResourceState(Declaration):
    """One resource in the state.

    `delete` marks a replaced resource that still has to be deleted, `pending_replacement` one that
    was deleted and still has to be created again. `other` keeps the fields of the checkpoint
    that this engine does not use, so that they are not lost.
    """

    urn: str
    id: str = ""
    outputs: PropertyMap = field(default_factory=dict)
    provider: str = ""
    external: bool = False
    delete: bool = False
    pending_replacement: bool = False
    init_errors: tuple[str, ...] = ()
    created: str = ""
    modified: str = ""
    other: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the resource's name in the program."""
        return name_of(self.urn)

    @property
    def is_provider(self) -> bool:
        """Return whether this is a provider's own resource."""
        return self.type.startswith(PROVIDER_TYPE_PREFIX)

    @property
    def provider_urn(self) -> str:
        """Return the URN of the provider's resource, without its id."""
        return self.provider.rpartition("::")[0]

    @property
    def reference(self) -> str:
        """Return how others refer to this provider's own resource: by URN and id."""
        return f"{self.urn}::{self.id}"

    def with_(self, **changes: Any) -> "ResourceState":
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def with_renamed(self, old: str, new: str) -> "ResourceState":
        """Return the state with references to `old` changed to `new`, or itself."""
        if old not in self.all_dependencies() | {self.parent, self.provider_urn}:
            return self
        state = self.with_references(lambda urn: new if urn == old else urn)
        if self.provider_urn != old:
            return state
        return state.with_(provider=f"{new}::{self.provider.rpartition('::')[2]}")

    def with_references(self, changed: Callable[[str], str]) -> "ResourceState":
        """Return the state with its references changed, but for that to its provider.

        One that becomes empty is removed.
        """

        def each_changed(urns: Iterable[str]) -> tuple[str, ...]:
            return tuple(filter(None, map(changed, urns)))

        dependencies = self.property_dependencies
        return self.with_(
            parent=changed(self.parent),
            deleted_with=changed(self.deleted_with),
            dependencies=each_changed(self.dependencies),
            replace_with=each_changed(self.replace_with),
            property_dependencies=dependencies
            and {key: each_changed(urns) for key, urns in dependencies.items()},
        )

    def all_dependencies(self) -> set[str]:
        """Return the URNs of all dependencies, except parent and provider."""
        needed = {*self.dependencies, *self.replace_with}
        for urns_of_property in (self.property_dependencies or {}).values():
            needed.update(urns_of_property)
        if self.deleted_with:
            needed.add(self.deleted_with)
        return needed


class OperationKind(StrEnum):
    """The kind of a pending operation, in the checkpoint's words."""

    CREATING = "creating"
    UPDATING = "updating"
    DELETING = "deleting"
    READING = "reading"


@dataclass(frozen=True)
class PendingOperation:
    """An operation that was begun, with an unknown outcome."""

    kind: OperationKind
    resource: ResourceState


@dataclass
class Snapshot:
    """A stack's state: resources in order of dependency, and pending operations."""

    resources: list[ResourceState] = field(default_factory=list)
    pending_operations: list[PendingOperation] = field(default_factory=list)
    other: dict[str, Any] = field(default_factory=dict)
