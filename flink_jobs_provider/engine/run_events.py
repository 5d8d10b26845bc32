"""What happens in a run, as the program that drives its stack is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class StepEvent:
    """The start or the end of an operation on a resource.

    Attributes:
        op: `create`, `update`, `delete`, `replace`, `same`, `read`, `refresh` and the like, as the
            Pulumi CLI names them.
        resource: The resource's name.
        urn: Its URN.
        at: Whether the operation starts or has ended.
        failed: Whether it ended with an error.
        changes: Whether it changes something, or finds a difference from the state.
        properties: The names of the properties that differ.
    """

    op: str
    resource: str
    urn: str
    at: Literal["start", "end"]
    failed: bool
    changes: bool
    properties: tuple[str, ...]


@dataclass(frozen=True)
class Message:
    """What the program, a provider or the engine says; secrets are masked.

    Attributes:
        severity: `debug`, `info`, `warning` or `error`.
        text: The text, without a traceback.
        urn: The resource that it is about; empty for the stack.
    """

    severity: str
    text: str
    urn: str = ""


@dataclass(frozen=True)
class Progress:
    """What is being done just now: to a resource, or by the run where `urn` is empty."""

    text: str
    urn: str = ""


Event = StepEvent | Message | Progress
