"""A job as a program declares it, of which a preview may not know everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from flink_jobs_provider.engine.values import UNKNOWN, Secret, Value, contains_unknowns, plain
from flink_jobs_provider.model.errors import Signal
from flink_jobs_provider.model.spec import JobSpec

#: The types of the two resources that a job is declared by.
JOB_TYPES = frozenset({"pulumi-python:dynamic/flink_jobs:FlinkJob", "flink-jobs:index:Job"})


@dataclass(frozen=True)
class Violation:
    """What a policy found wrong.

    Attributes:
        path: The property.
        problem: What is wrong with it, as the rest of a sentence that begins with the property.
        remedy: What would be right, as a sentence.
    """

    path: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class Unjudged:
    """A property that is known only once the update has run."""

    path: str


Finding = Violation | Unjudged


class NotKnownYet(Signal):
    """A property that decides is known only once the update has run."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass(frozen=True)
class DeclaredJob:
    """A job of a stack.

    Attributes:
        urn: Its URN.
        inputs: Its inputs as the provider has checked them, with secrets and unknowns marked.
    """

    urn: str
    inputs: Mapping[str, Value]

    @property
    def name(self) -> str:
        """The job's name, or that of its resource where the former is unknown."""
        named = plain(self.inputs.get("job_name"))
        return named if isinstance(named, str) else self.urn.rpartition("::")[2]

    def known(self, name: str) -> Any:
        """Return an input, or its default, without marks.

        Raises:
            NotKnownYet: It is known only once the update has run.
        """
        value = self.inputs.get(name)
        if value is None:
            return JobSpec.model_fields[name].get_default(call_default_factory=True)
        if contains_unknowns(value):
            raise NotKnownYet(name)
        return plain(value)

    def parts(self, name: str) -> Iterator[tuple[str, str | int, Value]]:
        """Yield the paths, keys and values of what an input is made of, with their marks.

        Raises:
            NotKnownYet: The whole of it is known only once the update has run.
        """
        yield from parts_of(name, self.inputs.get(name))


def parts_of(path: str, value: Value) -> Iterator[tuple[str, str | int, Value]]:
    """Yield the paths, keys and values of the parts of a list or an object.

    Raises:
        NotKnownYet: The whole of it is known only once the update has run.
    """
    if value is UNKNOWN:
        raise NotKnownYet(path)
    if isinstance(value, Secret):
        for inner, key, part in parts_of(path, value.value):
            yield inner, key, part if isinstance(part, Secret) else Secret(part)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield f"{path}[{index}]", index, part
    elif isinstance(value, dict):
        for key, part in value.items():
            yield (f'{path}["{key}"]' if "." in key else f"{path}.{key}"), key, part


def stack_of(urn: str) -> str:
    """Return the stack's name in a URN: `urn:pulumi:STACK::PROJECT::TYPE::NAME`."""
    return urn.removeprefix("urn:pulumi:").partition("::")[0]


def is_judged(urn: str, stacks: list[str]) -> bool:
    """Whether the stack of a URN is one of those that globs name."""
    return any(fnmatchcase(stack_of(urn), glob) for glob in stacks)
