"""Stacks driven from Python by the embedded engine, without the Pulumi CLI and without printing.

    from flink_jobs_provider.automation import Stack

    stack = Stack("jobs", "prod")
    result = stack.up(refresh=True, on_event=print)
    print(result.summary, result.outputs["orders"].value)

Each function reads the environment of the process (`PULUMI_BACKEND_URL`,
`PULUMI_CONFIG_PASSPHRASE`, what `env:` references name), asks nobody, and returns when the run is
over. All errors are of `EngineError`; a run that fails raises `RunFailed`, which has its result.
"""

from flink_jobs_provider.engine.driven_stack import (
    OutputValue,
    RunFailed,
    RunResult,
    Stack,
)
from flink_jobs_provider.engine.errors import (
    ChangesFoundError,
    ConfigurationError,
    EngineError,
    LockedError,
    OperationCancelled,
    OptionError,
    PassphraseError,
    StackError,
    UnsupportedError,
)
from flink_jobs_provider.engine.run_events import Event, Message, Progress, StepEvent

__all__ = [
    "ChangesFoundError",
    "ConfigurationError",
    "EngineError",
    "Event",
    "LockedError",
    "Message",
    "OperationCancelled",
    "OptionError",
    "OutputValue",
    "PassphraseError",
    "Progress",
    "RunFailed",
    "RunResult",
    "Stack",
    "StackError",
    "StepEvent",
    "UnsupportedError",
]
