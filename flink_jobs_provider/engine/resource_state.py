"""A resource as the checkpoint remembers it, and an operation that was begun on one."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from flink_jobs_provider.engine import urns
from flink_jobs_provider.engine.values import PropertyMap, Value


@dataclass(frozen=True, eq=False)
class ResourceState:
    """One resource in the state.

    `delete` marks a replaced resource that still has to be deleted, `pending_replacement` one that
    was deleted and still has to be created again. `other` keeps the fields of the checkpoint
    that this engine does not use, so that they are not lost.
    """

    urn: str
    type: str
    custom: bool
    id: str = ""
    inputs: PropertyMap = field(default_factory=dict)
    outputs: PropertyMap = field(default_factory=dict)
    parent: str = ""
    provider: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: dict[str, tuple[str, ...]] | None = None
    protect: bool = False
    external: bool = False
    delete: bool = False
    pending_replacement: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    replace_with: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    ignore_changes: tuple[str, ...] = ()
    hide_diffs: tuple[tuple[str | int, ...], ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    replacement_trigger: Value = None
    init_errors: tuple[str, ...] = ()
    created: str = ""
    modified: str = ""
    source_position: str = ""
    stack_trace: tuple[str, ...] = ()
    other: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the resource's name in the program."""
        return urns.name_of(self.urn)

    @property
    def is_provider(self) -> bool:
        """Return whether this is a provider's own resource."""
        return self.type.startswith(urns.PROVIDER_TYPE_PREFIX)

    @property
    def provider_urn(self) -> str:
        """Return the URN of the provider's resource, without its id."""
        return self.provider.rpartition("::")[0]

    def with_(self, **changes: Any) -> "ResourceState":
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def with_renamed(self, old: str, new: str) -> "ResourceState":
        """Return the state with references to `old` changed to `new`, or itself."""

        def renamed(urns_: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(new if urn == old else urn for urn in urns_)

        if old not in self.all_dependencies() | {self.parent, self.provider_urn}:
            return self
        dependencies = self.property_dependencies
        return self.with_(
            parent=new if self.parent == old else self.parent,
            provider=(
                f"{new}::{self.provider.rpartition('::')[2]}"
                if self.provider_urn == old
                else self.provider
            ),
            deleted_with=new if self.deleted_with == old else self.deleted_with,
            dependencies=renamed(self.dependencies),
            replace_with=renamed(self.replace_with),
            property_dependencies=dependencies
            and {key: renamed(urns_) for key, urns_ in dependencies.items()},
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
