"""Property values as the engine holds them, paths into them, and how they travel over gRPC.

A value is plain JSON data plus two things JSON has not: a secret around a value, and the unknown
of a preview. References to resources stay the marked objects that the SDK sends.
"""

import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias, Union

from google.protobuf import struct_pb2

SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker, not a secret
RESOURCE_SIGNATURE = "5cf8f73096256a8f31e491e813e4eb8e"
ASSET_SIGNATURE = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE_SIGNATURE = "0def7320c3a5731c473e5ecbe6d01bc7"
UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SECRET_TEXT = "[secret]"  # noqa: S105 - what is shown in place of one


class Unknown(enum.Enum):
    """A value that is known only once the update has run."""

    UNKNOWN = "unknown"


UNKNOWN = Unknown.UNKNOWN


@dataclass(frozen=True)
class Secret:
    """A value that is never shown, and encrypted at rest.

    `ciphertext` is how the checkpoint held it, kept so that an unchanged secret is not
    encrypted again at every write.
    """

    value: "Value"
    ciphertext: str | None = field(default=None, compare=False, repr=False)

    def __repr__(self) -> str:
        return f"Secret({SECRET_TEXT})"


Value: TypeAlias = Union[  # noqa: UP007 - a recursive alias needs the string form
    bool, int, float, str, list["Value"], dict[str, "Value"], Secret, Unknown, None
]
PropertyMap: TypeAlias = dict[str, Value]


def equal(left: Value, right: Value) -> bool:
    """Compare as the real engine does: secrets by what they hold, `true` is not `1`."""
    return _equal(left, right, strictly=False)


def strictly_equal(left: Value, right: Value) -> bool:
    """Compare, and distinguish a secret from the same value in plain."""
    return _equal(left, right, strictly=True)


def _equal(left: Value, right: Value, *, strictly: bool) -> bool:
    if strictly and isinstance(left, Secret) != isinstance(right, Secret):
        return False
    left, right = _bare(left), _bare(right)
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    same = partial(_equal, strictly=strictly)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


def _bare(value: Value) -> Value:
    while isinstance(value, Secret):
        value = value.value
    return value


def walk(value: Value) -> Iterator[Value]:
    """Yield the value and everything in it, through secrets too."""
    yield value
    if isinstance(value, Secret):
        yield from walk(value.value)
    elif isinstance(value, dict):
        for item in value.values():
            yield from walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)


def contains_secrets(value: Value) -> bool:
    """Return whether the value is or contains a secret."""
    return any(isinstance(item, Secret) for item in walk(value))


def contains_unknowns(value: Value) -> bool:
    """Return whether the value is or contains an unknown."""
    return any(item is UNKNOWN for item in walk(value))


def plain(value: Value) -> Value:
    """Return the value with every secret unwrapped."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def masked(value: Value) -> Any:
    """Return plain data to be shown, with secrets masked and unknowns named."""
    if isinstance(value, Secret):
        return SECRET_TEXT
    if value is UNKNOWN:
        return "[unknown]"
    if isinstance(value, dict):
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value


def marked_like(outputs: PropertyMap, inputs: Mapping[str, Value]) -> PropertyMap:
    """Mark outputs secret whose input of the same key is.

    Some providers see and answer plain values, the dynamic one among them; this is how the real
    engine keeps what is secret secret across them.
    """
    marked = dict(outputs)
    for key, given in inputs.items():
        if key not in marked:
            continue
        answered = marked[key]
        if isinstance(answered, dict) and isinstance(given, dict):
            marked[key] = marked_like(answered, given)
        elif not isinstance(answered, Secret) and contains_secrets(given):
            marked[key] = Secret(answered)
    return marked


def normal_number(number: float) -> int | float:
    """Return an integral number as an integer, as the CLI writes it."""
    return int(number) if number.is_integer() and abs(number) < 1e21 else number


def from_struct(struct: struct_pb2.Struct) -> PropertyMap:
    """Return the properties in a message of the protocol."""
    return {key: from_wire(value) for key, value in struct.fields.items()}


def from_wire(value: struct_pb2.Value) -> Value:
    """Return one value of a message of the protocol."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text = value.string_value
        return UNKNOWN if text == UNKNOWN_STRING else text
    if kind == "number_value":
        return normal_number(value.number_value)
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [from_wire(item) for item in value.list_value.values]
    if kind == "struct_value":
        fields = value.struct_value.fields
        if SIGNATURE_KEY in fields and fields[SIGNATURE_KEY].string_value == SECRET_SIGNATURE:
            return Secret(from_wire(fields["value"]))
        return from_struct(value.struct_value)
    return None


@dataclass(frozen=True)
class Marks:
    """Which marked values the receiver of a message takes."""

    secrets: bool = True
    references: bool = True


#: Of a provider that takes neither: it gets secrets in plain, and ids in place of references.
PLAIN: Final = Marks(secrets=False, references=False)
ALL_MARKS: Final = Marks()


def to_struct(properties: Mapping[str, Value], marks: Marks = ALL_MARKS) -> struct_pb2.Struct:
    """Return properties as a message of the protocol; what is not taken marked is sent in plain."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        _fill(struct.fields[key], value, marks)
    return struct


def _fill(wire: struct_pb2.Value, value: Value, marks: Marks) -> None:
    if isinstance(value, Secret):
        if marks.secrets:
            fields = wire.struct_value.fields
            fields[SIGNATURE_KEY].string_value = SECRET_SIGNATURE
            _fill(fields["value"], value.value, marks)
        else:
            _fill(wire, value.value, marks)
    elif value is None:
        wire.null_value = struct_pb2.NULL_VALUE
    elif isinstance(value, Unknown):
        wire.string_value = UNKNOWN_STRING
    elif isinstance(value, bool):
        wire.bool_value = value
    elif isinstance(value, int | float):
        wire.number_value = value
    elif isinstance(value, str):
        wire.string_value = value
    elif isinstance(value, list):
        wire.list_value.SetInParent()
        for item in value:
            _fill(wire.list_value.values.add(), item, marks)
    elif not marks.references and value.get(SIGNATURE_KEY) == RESOURCE_SIGNATURE:
        _fill(wire, value["id"] if "id" in value else value.get("urn"), marks)
    else:
        wire.struct_value.SetInParent()
        for key, item in value.items():
            _fill(wire.struct_value.fields[key], item, marks)


# Paths as `ignore_changes` and `replace_on_changes` name them. The grammar is Pulumi's: `a.b`,
# `a[0]`, `a["b.c"]`, `a.*`, `a[*]`.
PropertyPath: TypeAlias = tuple[str | int, ...]
ANY: Final = "*"

_TOKEN = re.compile(
    r"""\.?(?P<name>[^.\[\]"]+)
      | \[(?P<index>\d+)\]
      | \[(?P<any>\*)\]
      | \["(?P<quoted>(?:[^"\\]|\\.)*)"\]""",
    re.VERBOSE,
)


def parse_path(path: str) -> PropertyPath:
    """Split a path into its steps.

    Raises ValueError for text that is not a path.
    """
    steps: list[str | int] = []
    position = 0
    while position < len(path):
        match = _TOKEN.match(path, position)
        if match is None or (position == 0 and path.startswith(".")):
            raise ValueError(f"not a property path: {path!r}")
        if match["index"] is not None:
            steps.append(int(match["index"]))
        elif match["quoted"] is not None:
            steps.append(re.sub(r"\\(.)", r"\1", match["quoted"]))
        else:
            steps.append(match["name"] or match["any"])
        position = match.end()
    return tuple(steps)


def path_contains(path: PropertyPath, other: PropertyPath) -> bool:
    """Return whether `other` is the path `path`, or lies within it."""
    return len(other) >= len(path) and all(
        own in (ANY, theirs) for own, theirs in zip(path, other, strict=False)
    )


def value_at(path: PropertyPath, value: Value) -> tuple[Value, bool]:
    """Return the value at a path, through secrets, and whether there is one."""
    secret = False
    for step in path:
        secret = secret or isinstance(value, Secret)
        value = _bare(value)
        if isinstance(value, dict) and step in value:
            value = value[str(step)]
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None, False
    return Secret(value) if secret and not isinstance(value, Secret) else value, True


def reset_path(path: PropertyPath, old: Value, new: Value) -> tuple[Value, bool]:
    """Return `new` with the value at `path` of `old`, and whether that was possible.

    As in the real engine: a key that the old side lacks is taken out of the new one, an element of
    a list can only be reset where both lists have it, and what was secret stays secret.
    """
    if isinstance(new, Secret):
        # Within a secret nothing needs to be marked again.
        inner, done = reset_path(path, _bare(old), new.value)
        return Secret(inner), done
    if isinstance(old, Secret):
        old = _with_secret_parts(_bare(old))
    step, rest = path[0], path[1:]
    if step == ANY:
        return _reset_all(rest, old, new)
    if isinstance(step, int):
        return _reset_element(step, rest, old, new)
    return _reset_key(step, rest, old, new)


def _with_secret_parts(value: Value) -> Value:
    """Return what lay within a secret, with each of its parts as a secret."""

    def marked(part: Value) -> Value:
        return part if isinstance(part, Secret) else Secret(part)

    if isinstance(value, dict):
        return {key: marked(part) for key, part in value.items()}
    return [marked(part) for part in value] if isinstance(value, list) else value


def _reset_key(key: str, rest: PropertyPath, old: Value, new: Value) -> tuple[Value, bool]:
    if rest and not (isinstance(old, dict) and isinstance(new, dict)):
        return new, not isinstance(old, dict) and not isinstance(new, dict)
    had = isinstance(old, dict) and key in old
    if not isinstance(new, dict):
        return new, not had
    result = dict(new)
    if not had:
        if not rest:
            result.pop(key, None)
        return result, not rest or key not in new
    assert isinstance(old, dict)  # noqa: S101 - `had` shows it
    if not rest:
        result[key] = old[key]
        return result, True
    if key not in new:
        return new, False
    result[key], done = reset_path(rest, old[key], new[key])
    return result, done


def _reset_element(index: int, rest: PropertyPath, old: Value, new: Value) -> tuple[Value, bool]:
    if not (isinstance(old, list) and isinstance(new, list)):
        return new, not isinstance(old, list) and not isinstance(new, list)
    if index >= len(old) or index >= len(new):
        return new, not rest and index >= len(old) and index >= len(new)
    result = list(new)
    if not rest:
        result[index] = old[index]
        return result, True
    result[index], done = reset_path(rest, old[index], new[index])
    return result, done


def _reset_all(rest: PropertyPath, old: Value, new: Value) -> tuple[Value, bool]:
    if isinstance(old, dict) and isinstance(new, dict):
        if not rest:
            return dict(old), True
        result: dict[str, Value] = dict(new)
        for key in old:
            if key not in new:
                return result, False
            result[key], done = reset_path(rest, old[key], new[key])
            if not done:
                return result, False
        return result, True
    if isinstance(old, list) and isinstance(new, list):
        elements = list(new)
        for index in range(min(len(old), len(new))):
            pair = old[index], new[index]
            elements[index], done = reset_path(rest, *pair) if rest else (pair[0], True)
            if not done:
                return elements, False
        return elements, len(old) == len(new)
    return new, not rest and isinstance(new, dict | list)
