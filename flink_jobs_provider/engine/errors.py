"""The tree of the engine's errors.

EngineError
├── ProjectError             Pulumi.yaml is missing, unreadable or asks for another runtime
├── ConfigurationError       Pulumi.<stack>.yaml is unreadable
├── PassphraseError          the passphrase is missing or invalid
├── BackendError             the state's place cannot be used
│   └── CheckpointError      the stack's checkpoint cannot be read or written
├── OptionError              an option of a run is invalid
├── StackError               the stack does not exist, or exists already
├── LockedError              another run holds the stack
├── UnsupportedError         something this engine leaves to the Pulumi CLI
├── ProviderError            a provider refused or failed a call
│   ├── PluginNotFoundError  there is none for a package
│   ├── ProviderGoneError    its process ended during one
│   └── InitFailedError      one left a resource that did not come up
├── ResourceError            a resource cannot be handled as declared
├── ConfirmationError        the run was not confirmed
├── ChangesFoundError        changes where none were expected
├── OperationFailed          the run ended with failures that were already shown
│   └── RunFailed            with its result, for a program that drives a stack
└── OperationCancelled       the run was interrupted
"""

import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PartialResource:
    """A resource that a failed call leaves, and the reasons why it is not as it should be.

    `inputs` is None where the provider gives none.
    """

    id: str
    outputs: dict[str, Any]
    inputs: dict[str, Any] | None = None
    reasons: tuple[str, ...] = ()


class EngineError(Exception):
    """What happened and, where there is a remedy, what to do."""

    exit_code = 255

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class ProjectError(EngineError):
    """Pulumi.yaml is missing, unreadable or asks for another runtime."""


class ConfigurationError(EngineError):
    """A stack's configuration file is unreadable."""


class PassphraseError(EngineError):
    """The passphrase is missing or invalid."""


class BackendError(EngineError):
    """The place of the state cannot be used."""


class CheckpointError(BackendError):
    """A stack's checkpoint cannot be read or written."""


class OptionError(EngineError):
    """An option of a run is invalid."""


class StackError(EngineError):
    """The stack does not exist, or exists already."""


class LockedError(EngineError):
    """Another run holds the stack."""


class UnsupportedError(EngineError):
    """A feature that only the Pulumi CLI supports."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the embedded engine does not support {what}",
            "Run with the Pulumi CLI (--engine pulumi), or do without it.",
        )


class ProviderError(EngineError):
    """A provider refused or failed a call.

    `details` is the provider's whole answer, usually a traceback; the message is the end of it.
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class PluginNotFoundError(ProviderError):
    """There is no plugin for a package."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class ProviderGoneError(ProviderError):
    """The provider's process ended during a call, whose outcome is unknown."""


class InitFailedError(ProviderError):
    """A call failed, and left a resource that the next run continues with."""

    def __init__(self, message: str, details: str, left: "PartialResource") -> None:
        super().__init__(message, details)
        self.left = left


class ResourceError(EngineError):
    """A resource cannot be handled as declared."""


class ConfirmationError(EngineError):
    """The run was not confirmed."""


class ChangesFoundError(EngineError):
    """Changes were found where none were expected."""

    exit_code = 7


class OperationFailed(EngineError):
    """The run ended with failures that were already shown."""


class OperationCancelled(EngineError):
    """The run was interrupted."""

    exit_code = 130


def short_reason(details: str) -> str:
    """Return the end of a traceback: the exception's own message.

    The name of the exception is left out where it is one of a package's own, which write their
    messages for people; `KeyError: 'name'` would mean nothing without it.
    """
    lines = details.rstrip().splitlines()
    if not any(line.startswith("Traceback (most recent call last)") for line in lines):
        return details.strip()
    last_frame = max(
        (number for number, line in enumerate(lines) if line.startswith('  File "')), default=0
    )
    message = lines[last_frame + 1 :]
    while message and message[0].startswith("    "):
        message.pop(0)
    text = "\n".join(message) or lines[-1]
    named = re.match(r"(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*: (?=\S)", text)
    return text[named.end() :] if named else text
