"""The resources that a program declares, and what of its declarations is left to the CLI."""

import re
from dataclasses import dataclass
from typing import Any

from flink_jobs_provider.engine.errors import ResourceError, UnsupportedError
from flink_jobs_provider.engine.protocols import resource_pb2
from flink_jobs_provider.engine.resource_state import (
    BUILTIN_PACKAGE,
    DYNAMIC_PACKAGE,
    PROVIDER_TYPE_PREFIX,
    STACK_REFERENCE_TYPE,
    Declaration,
    Timeouts,
    package_of,
)
from flink_jobs_provider.engine.values import (
    ARCHIVE_SIGNATURE,
    ASSET_SIGNATURE,
    SIGNATURE_KEY,
    PropertyMap,
    from_struct,
    from_wire,
    parse_path,
    walk,
)


@dataclass(frozen=True, kw_only=True)
class Goal(Declaration):
    """One resource as the program declares it.

    `provider` refers to an explicit provider instance, by URN and id; `version` is that of the
    package that the program was written for.
    """

    name: str
    delete_before_replace: bool | None = None
    alias_urns: tuple[str, ...] = ()
    provider: str = ""
    version: str = ""

    @property
    def package(self) -> str:
        """Return the package that manages the resource."""
        return package_of(self.type)


def goal_of(request: resource_pb2.RegisterResourceRequest, root: str, version: str = "") -> Goal:
    """Read a registration; `root` is the project's directory, for source positions.

    `version` is that of the package that the registration refers to.

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
        provider=request.provider if request.custom else "",
        version=version or request.version,
        custom_timeouts=_timeouts(request),
        retain_on_delete=request.retainOnDelete,
        import_id=request.importId,
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
    dynamic = package_of(request.type) == DYNAMIC_PACKAGE
    options = {
        "the option `import_` of dynamic resources": dynamic and request.importId,
        "the option `import_` of components": not request.custom and request.importId,
        "the option `custom_timeouts`": (
            # The dynamic provider drops them.
            (dynamic or not request.custom)
            and (timeouts.create or timeouts.update or timeouts.delete or timeouts.read)
        ),
        "the option `transforms`": request.transforms,
        "the option `hooks`": request.HasField("hooks") and request.hooks.ByteSize(),
        "the option `provider` (explicit provider instances) of dynamic resources": (
            dynamic and request.provider and request.custom
        ),
        "remote components": request.remote,
        "the option `env_var_mappings`": request.envVarMappings,
        "state migrations": getattr(request, "state_migrations", ()),
    }
    for what, used in options.items():
        if used:
            raise UnsupportedError(f"{what}, which {request.name!r} ({request.type}) uses")
    refuse_type(request.type, request.name, custom=request.custom)


def refuse_type(type_: str, name: str, *, custom: bool) -> None:
    """Raise UnsupportedError for a resource that no provider process serves."""
    if not custom or type_ == STACK_REFERENCE_TYPE:
        return
    what = f"as {name!r} ({type_}) is one"
    package = type_.removeprefix(PROVIDER_TYPE_PREFIX)
    if package in (DYNAMIC_PACKAGE, BUILTIN_PACKAGE):
        raise UnsupportedError(f"explicit provider instances of the package `{package}`, {what}")
    if package_of(package) == BUILTIN_PACKAGE:
        raise UnsupportedError(f"resources of the package `{BUILTIN_PACKAGE}`, {what}")


_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def _timeouts(request: resource_pb2.RegisterResourceRequest) -> Timeouts:
    return Timeouts(
        **{
            operation: _seconds(text, f"custom_timeouts.{operation} of {request.name!r}")
            for operation in ("create", "update", "delete", "read")
            if (text := getattr(request.customTimeouts, operation))
        }
    )


def _seconds(text: str, what: str) -> float:
    """Read a duration as in Go, such as `1h30m`."""
    parts = [(match[1], match[2]) for match in _DURATION.finditer(text)]
    if not parts or "".join(map("".join, parts)) != text:
        raise ResourceError(
            f"{what} is {text!r}, which is not a duration", "Write it as 90s, 10m or 1h30m."
        )
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _refuse_assets(name: str, inputs: PropertyMap) -> None:
    for value in walk(inputs):
        if isinstance(value, dict) and value.get(SIGNATURE_KEY) in (
            ASSET_SIGNATURE,
            ARCHIVE_SIGNATURE,
        ):
            raise UnsupportedError(f"assets and archives, which {name!r} uses")
