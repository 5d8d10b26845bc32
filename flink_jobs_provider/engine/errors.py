"""Everything that can go wrong in a run, as the user is told of it.

EngineError
├── ProjectError             Pulumi.yaml is missing, unreadable or asks for another runtime
├── ConfigurationError       Pulumi.<stack>.yaml is unreadable
├── PassphraseError          the passphrase is missing or wrong
├── BackendError             the state's place cannot be used
│   └── CheckpointError      the stack's checkpoint cannot be read or written
├── StackError               the stack does not exist, or exists already
├── LockedError              another run holds the stack
├── UnsupportedError         something this engine leaves to the Pulumi CLI
├── ProgramError             the user's program failed
├── ProviderError            a provider refused or failed a call
│   ├── ProviderGoneError    its process ended during one
│   └── InitFailedError      one left a resource that did not come up
├── ResourceError            a resource cannot be handled as declared
├── ConfirmationError        the run was not confirmed
├── ChangesFoundError        changes where none were expected
├── OperationFailed          the run ended with failures that were already shown
└── OperationCancelled       the run was interrupted
"""

from typing import Any


class EngineError(Exception):
    """Tell what happened and, where there is something, what to do about it."""

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
    """The passphrase is missing or wrong."""


class BackendError(EngineError):
    """The place of the state cannot be used."""


class CheckpointError(BackendError):
    """A stack's checkpoint cannot be read or written."""


class StackError(EngineError):
    """The stack does not exist, or exists already."""


class LockedError(EngineError):
    """Another run holds the stack."""


class UnsupportedError(EngineError):
    """Name something that this engine leaves to the Pulumi CLI."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the embedded engine does not support {what}",
            "Run with the Pulumi CLI (--engine pulumi), or do without it.",
        )


class ProgramError(EngineError):
    """The user's program failed; it has shown why."""


class ProviderError(EngineError):
    """A provider refused or failed a call.

    `details` is all the provider said, usually a traceback; the message is the end of it.
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class ProviderGoneError(ProviderError):
    """The provider's process ended during a call: nobody knows how far it came."""


class InitFailedError(ProviderError):
    """A create or update failed, and left a resource for the next run to go on with."""

    def __init__(self, message: str, details: str, id_: str, outputs: dict[str, Any]) -> None:
        super().__init__(message, details)
        self.id = id_
        self.outputs = outputs


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
