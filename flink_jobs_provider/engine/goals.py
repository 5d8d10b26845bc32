"""What the program asks for: one registration, read off the SDK's protocol."""

from dataclasses import dataclass, field
from typing import Any

from flink_jobs_provider.engine import urns
from flink_jobs_provider.engine.errors import UnsupportedError
from flink_jobs_provider.engine.protocols import resource_pb2
from flink_jobs_provider.engine.values import (
    ARCHIVE_SIGNATURE,
    ASSET_SIGNATURE,
    SIGNATURE_KEY,
    PropertyMap,
    Value,
    from_struct,
    from_wire,
    walk,
)


@dataclass(frozen=True)
class Goal:
    """One resource as the program declares it."""

    type: str
    name: str
    custom: bool
    inputs: PropertyMap = field(default_factory=dict)
    parent: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: dict[str, tuple[str, ...]] | None = None
    protect: bool = False
    delete_before_replace: bool | None = None
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    replacement_trigger: Value = None
    additional_secret_outputs: tuple[str, ...] = ()
    alias_urns: tuple[str, ...] = ()
    retain_on_delete: bool = False
    deleted_with: str = ""
    replace_with: tuple[str, ...] = ()
    hide_diffs: tuple[str, ...] = ()
    source_position: str = ""
    stack_trace: tuple[str, ...] = ()

    @property
    def package(self) -> str:
        """Return the package that manages the resource."""
        return urns.package_of(self.type)


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
        hide_diffs=tuple(request.hideDiffs),
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
    if type_.startswith(urns.PROVIDER_TYPE_PREFIX):
        raise UnsupportedError(f"explicit provider instances, as {name!r} ({type_}) is one")
    package = urns.package_of(type_)
    if package != urns.DYNAMIC_PACKAGE and type_ != urns.STACK_REFERENCE_TYPE:
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
