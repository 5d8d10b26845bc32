"""Names of resources: `urn:pulumi:<stack>::<project>::<parent types>$<type>::<name>`."""

STACK_TYPE = "pulumi:pulumi:Stack"
STACK_REFERENCE_TYPE = "pulumi:pulumi:StackReference"
PROVIDER_TYPE_PREFIX = "pulumi:providers:"
DYNAMIC_PACKAGE = "pulumi-python"
BUILTIN_PACKAGE = "pulumi"


def make(stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """Make the name of a resource."""
    return f"urn:pulumi:{stack}::{project}::{_parent_types(parent)}{type_}::{name}"


def _parent_types(parent: str) -> str:
    if not parent or type_of(parent) == STACK_TYPE:
        return ""
    return f"{qualified_type_of(parent)}$"


def qualified_type_of(urn: str) -> str:
    """Give the type with those of the parents before it."""
    return urn.split("::", 3)[2]


def type_of(urn: str) -> str:
    """Give the type alone."""
    return qualified_type_of(urn).rpartition("$")[2]


def name_of(urn: str) -> str:
    """Give the resource's name in the program."""
    return urn.split("::", 3)[3]


def package_of(type_: str) -> str:
    """Give the package a type belongs to: what stands before its first colon."""
    return type_.partition(":")[0]


def provider_urn(stack: str, project: str, package: str) -> str:
    """Name the default provider of a package."""
    return make(stack, project, "", f"{PROVIDER_TYPE_PREFIX}{package}", "default")
