"""Job graphs, as plans of programs and jobs show them; and which operators have a uid."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import mmh3

#: Beyond this many inputs, only the order that the plan shows is tried.
_PERMUTED_INPUTS = 4
#: The number of a node of the Table API, the class of a lambda, the address of an object.
_OF_ONE_RUN = re.compile(r"\[\d+\]|\$\$Lambda\S*?/\w+|@[0-9a-f]+\b")
_INVERSE_OF_37 = pow(37, -1, 256)


@dataclass(frozen=True)
class Vertex:
    """A vertex of a job graph: operators that are chained into one task.

    Attributes:
        id: The id of its first operator, under which the vertex is listed everywhere.
        operators: How its operators are described, the first one first.
        source: Whether no other vertex feeds it.
        keyed: Whether records reach it by key.
        parallelism: The number of its subtasks.
        inputs: The ids of the vertices that feed it, in their order.
    """

    id: str
    operators: tuple[str, ...] = ()
    source: bool = False
    keyed: bool = False
    parallelism: int = 1
    inputs: tuple[str, ...] = ()

    @cached_property
    def described(self) -> tuple[str, ...]:
        """How its operators are described, without what differs each time `main` is run."""
        return tuple(_OF_ONE_RUN.sub("", each) for each in self.operators)

    @property
    def name(self) -> str:
        """The descriptions of its operators."""
        return " -> ".join(self.operators) or "an operator"


@dataclass(frozen=True)
class JobGraph:
    """What a program would run, or a job runs.

    Attributes:
        parallelism: The highest among its vertices.
    """

    parallelism: int
    vertices: tuple[Vertex, ...] = ()

    @cached_property
    def by_id(self) -> dict[str, Vertex]:
        """Its vertices by id."""
        return {vertex.id: vertex for vertex in self.vertices}

    @property
    def shape(self) -> frozenset[tuple[str, tuple[str, ...], tuple[str, ...]]]:
        """All of its vertices but their parallelism: ids, operators and inputs."""
        return frozenset((each.id, each.described, each.inputs) for each in self.vertices)

    @cached_property
    def without_uid(self) -> frozenset[str]:
        """The ids of the operators without a uid; of a graph whose operators are not chained.

        Flink makes the id of such an operator from its place: murmur3 (128 bits) of the number of
        operators that have an id already, mixed with the ids of its inputs (StreamGraphHasherV2;
        measured on 1.20.5 and 2.3.0). The id of one with a uid is the hash of the uid.
        """
        places = {_digest(struct.pack("<i", place)) for place in range(len(self.vertices))}
        return frozenset(each.id for each in self.vertices if _is_of_a_place(each, places))


def operator_id(uid: str) -> str:
    """Return the id of an operator with a uid, as 32 hexadecimal digits."""
    return _digest(uid.encode()).hex()


def _digest(data: bytes) -> bytes:
    return bytes(mmh3.mmh3_x64_128_digest(data, 0))


def _is_of_a_place(vertex: Vertex, places: set[bytes]) -> bool:
    """Whether an operator's id was made from one of the places, which no uid can name."""
    few = len(vertex.inputs) <= _PERMUTED_INPUTS
    orders = permutations(vertex.inputs) if few else (vertex.inputs,)
    return any(_unmixed(vertex.id, inputs) in places for inputs in orders)


def _unmixed(operator: str, inputs: Sequence[str]) -> bytes | None:
    """Return what an id was before its inputs were mixed in; None for an id that is none.

    Flink mixes each input in, byte by byte, as byte = byte * 37 ^ byte of the input.
    """
    try:
        made, mixed = bytearray.fromhex(operator), [bytes.fromhex(each) for each in inputs]
    except ValueError:
        return None
    for other in reversed(mixed):
        for at, byte in enumerate(other[: len(made)]):
            made[at] = (made[at] ^ byte) * _INVERSE_OF_37 & 0xFF
    return bytes(made)
