"""URNs, the names of resources: `urn:pulumi:<stack>::<project>::<parent types>$<type>::<name>`."""

STACK_TYPE = "pulumi:pulumi:Stack"
STACK_REFERENCE_TYPE = "pulumi:pulumi:StackReference"
PROVIDER_TYPE_PREFIX = "pulumi:providers:"
DYNAMIC_PACKAGE = "pulumi-python"
BUILTIN_PACKAGE = "pulumi"


def make(stack: str, project: str, parent: str, type_: str, name: str) -> str:
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
