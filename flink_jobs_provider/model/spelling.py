"""Near misses: which known name was meant by one that is unknown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any


def nearest(name: str, known: Iterable[str], cutoff: float = 0.7) -> str | None:
    """Return the known name that is nearest to a misspelt one, or None where none is near.

    Args:
        name: The misspelt one.
        known: All names.
        cutoff: How much of the two must be the same, from 0 to 1.
    """
    names = list(known)
    plain = {each.replace("_", "").replace("-", "").lower(): each for each in names}
    if same := plain.get(name.replace("_", "").replace("-", "").lower()):
        return same
    found = get_close_matches(name, names, n=1, cutoff=cutoff)
    return found[0] if found else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the end of a message on an unknown name: what was meant, or what there is."""
    names = sorted(known)
    if meant := nearest(name, names):
        return f"did you mean {meant}?"
    return f"known are {', '.join(names)}"


def properties_at(schema: dict[str, Any], path: Sequence[str | int]) -> set[str]:
    """Return the names of the properties that a JSON Schema knows at a path.

    Args:
        schema: The schema.
        path: Names and indices; the kind of an object among several may be one of them, as in the
            locations of pydantic's errors.
    """
    nodes = _alternatives(schema, schema)
    for part in path:
        kinds = [node for node in nodes if _kind(node) == part]
        below = [each for node in nodes if isinstance(each := _below(node, part), dict)]
        if below:
            nodes = [each for node in below for each in _alternatives(node, schema)]
        elif kinds:
            nodes = kinds
    return {name for node in nodes for name in node.get("properties", {})}


def _alternatives(node: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in node:
        return _alternatives(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    several = [*node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())]
    return [node, *(each for part in several for each in _alternatives(part, schema))]


def _kind(node: dict[str, Any]) -> Any:
    return node.get("properties", {}).get("kind", {}).get("const")


def _below(node: dict[str, Any], part: str | int) -> Any:
    if isinstance(part, int):
        return node.get("items")
    return node.get("properties", {}).get(part) or node.get("additionalProperties")
