"""A stack that a program drives, with results and events in place of what the commands print."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from flink_jobs_provider.engine import stack_commands
from flink_jobs_provider.engine.commands import cancel
from flink_jobs_provider.engine.errors import (
    ConfigurationError,
    OperationFailed,
    OptionError,
    StackError,
)
from flink_jobs_provider.engine.operations import Outcome
from flink_jobs_provider.engine.resource_state import name_of
from flink_jobs_provider.engine.run import Diagnostic, Kind, Listener, Options, Severity, Step
from flink_jobs_provider.engine.run_events import (
    Event,
    Message,
    Progress,
    StepEvent,
)
from flink_jobs_provider.engine.stack_runs import (
    locked,
    raise_for,
    refuse_changes,
    run_options,
    watched,
)
from flink_jobs_provider.engine.stacks import OpenStack, Request, secret_texts
from flink_jobs_provider.engine.values import (
    SECRET_TEXT,
    PropertyMap,
    contains_secrets,
    contains_unknowns,
    plain,
)
from flink_jobs_provider.model.redaction import Redactor

PolicyPacks = Mapping[Path, Path | str | None] | Mapping[str, Path | str | None]
_RAISED_BY_CALLBACK = (
    "Raised by on_event. The run then began nothing more, and what was in progress has ended."
)


@dataclass(frozen=True)
class OutputValue:
    """An output of a stack.

    Attributes:
        value: The value, in plain; None where it is not known yet.
        secret: Whether it is a secret, or holds one.
        known: Whether it is known; in a preview some outputs are not.
    """

    value: Any = field(repr=False)
    secret: bool
    known: bool = True

    def __repr__(self) -> str:
        shown = SECRET_TEXT if self.secret else repr(self.value) if self.known else "[unknown]"
        return f"OutputValue({shown})"


@dataclass(frozen=True)
class RunResult:
    """How a run ended.

    Attributes:
        stack: The stack's name.
        summary: The number of resources by operation.
        changes: How many operations changed something, or would.
        steps: The operations that ended, in their order.
        messages: What was said.
        outputs: The stack's outputs; empty after a refresh and a destroy.
        seconds: How long it took.
    """

    stack: str
    summary: Mapping[str, int]
    changes: int
    steps: tuple[StepEvent, ...]
    messages: tuple[Message, ...]
    outputs: Mapping[str, OutputValue]
    seconds: float

    @property
    def errors(self) -> tuple[Message, ...]:
        """The errors among the messages."""
        return tuple(each for each in self.messages if each.severity == Severity.ERROR)


class RunFailed(OperationFailed):
    """A run that ended with failures; its text has the errors, `result` all of it."""

    def __init__(self, message: str, result: RunResult) -> None:
        super().__init__("; ".join([message, *(each.text for each in result.errors)]))
        self.result = result


@dataclass(frozen=True)
class Stack:
    """A stack of a Pulumi project.

    Attributes:
        directory: The project's directory, with `Pulumi.yaml`.
        name: The stack's name; without it the selected one, or the only one.
        policy_packs: The directories of the policy packs that judge each preview and each `up`,
            each with the file of its configuration, or None for a pack as it is.
    """

    directory: Path | str
    name: str | None = None
    policy_packs: PolicyPacks = field(default_factory=dict)

    def create(self) -> None:
        """Make the stack, empty.

        Raises:
            StackError: There is one of that name, or no name was given.
        """
        if self.name is None:
            raise StackError("a stack to be made needs a name")
        self._request().place().initialise(self.name)

    def set_configuration(self, key: str, value: str, *, secret: bool = False) -> None:
        """Set a value of the stack's configuration; a secret is stored encrypted.

        Raises:
            ConfigurationError: The key is empty, or the value is no text.
        """
        if not isinstance(value, str):
            kind = type(value).__name__
            raise ConfigurationError(f"the value of {key!r} must be a text (got a {kind} instead)")
        stack_commands.set_value(self._request(), key, value, secret=secret, path=False)

    def preview(
        self,
        *,
        refresh: bool = False,
        expect_no_changes: bool = False,
        parallel: int = 0,
        on_event: Callable[[Event], object] | None = None,
    ) -> RunResult:
        """Return what `up` would do.

        Args:
            refresh: First read what really runs, without recording it.
            expect_no_changes: Raise ChangesFoundError for changes.
            parallel: Operations at once; 0 for the default.
            on_event: Called with each event as it happens, in the thread of the caller. What it
                raises ends the run early, and is raised once what is in progress has ended.

        Raises:
            ChangesFoundError: There are changes, and none were expected.
            RunFailed: The preview failed, as for invalid inputs.
            OptionError: `on_event` cannot be called as it is.
            OperationCancelled: It was interrupted.
        """
        _require_function(on_event)
        request = self._request(
            **self._judged(),
            refresh=refresh,
            expect_no_changes=expect_no_changes,
            parallel=parallel,
        )
        result, outcome = _run(request.open(), request, Kind.UPDATE, on_event, dry_run=True)
        refuse_changes(outcome, request)
        return result

    def up(
        self,
        *,
        refresh: bool = False,
        parallel: int = 0,
        on_event: Callable[[Event], object] | None = None,
    ) -> RunResult:
        """Bring the jobs to what the program declares, without a preview before.

        Policy packs judge a preview of it first, of which `on_event` gets the progress alone; where
        that violates a mandatory policy, nothing is changed.

        Raises:
            LockedError: Another run holds the stack.
            RunFailed: Something failed; the state has what was done.
            OperationCancelled: It was interrupted.
        """
        options = self._judged()
        return self._change(Kind.UPDATE, on_event, **options, refresh=refresh, parallel=parallel)

    def refresh(
        self, *, parallel: int = 0, on_event: Callable[[Event], object] | None = None
    ) -> RunResult:
        """Record what really runs; raises as `up` does."""
        return self._change(Kind.REFRESH, on_event, parallel=parallel)

    def destroy(
        self,
        *,
        refresh: bool = False,
        parallel: int = 0,
        on_event: Callable[[Event], object] | None = None,
    ) -> RunResult:
        """Delete all that the stack holds; raises as `up` does."""
        return self._change(Kind.DESTROY, on_event, refresh=refresh, parallel=parallel)

    def outputs(self) -> dict[str, OutputValue]:
        """Return the stack's outputs as they were recorded last."""
        return _outputs(self._request().open().outputs())

    def unlock(self) -> list[str]:
        """Remove the locks of runs that were killed, and return what they were of."""
        return cancel(self._request()).locks

    def _request(self, **options: Any) -> Request:
        if self.name is not None and (not isinstance(self.name, str) or not self.name):
            raise StackError(
                f"a stack's name must be a text that is not empty (got {self.name!r})",
                "Leave it out for the selected stack, or the only one.",
            )
        parallel = options.get("parallel", 0)
        if type(parallel) is not int or parallel < 0:
            raise OptionError(f"parallel must be a whole number from 0 (got {parallel!r})")
        return Request(Path(self.directory), self.name, yes=True, interactive=False, **options)

    def _judged(self) -> dict[str, Any]:
        """Return the options of a run that the policy packs judge."""
        packs = self.policy_packs
        if not (
            isinstance(packs, Mapping)
            and all(isinstance(pack, Path | str) for pack in packs)
            and all(isinstance(file, Path | str | None) for file in packs.values())
        ):
            raise OptionError(
                "policy_packs must map the directory of each pack to the file of its configuration,"
                f" or to None (got {packs!r})"
            )
        return {
            "policy_pack": [Path(pack) for pack in packs],
            "policy_pack_config": [None if file is None else Path(file) for file in packs.values()],
        }

    def _change(
        self, kind: Kind, on_event: Callable[[Event], object] | None, **options: Any
    ) -> RunResult:
        _require_function(on_event)
        request = self._request(**options)
        warnings = list[str]()
        with locked(request, warnings.append) as stack:
            if request.policy_pack:
                _run(stack, request, kind, _progress_alone(on_event), dry_run=True)
            result, _ = _run(stack, request, kind, on_event, dry_run=False, warnings=warnings)
        return result


class _Recorder(Listener):
    """Collects a run's events, and passes each on."""

    def __init__(self, redactor: Redactor, on_event: Callable[[Event], object] | None) -> None:
        self._redactor = redactor
        self._on_event = on_event
        self._stop: Callable[[], None] = lambda: None
        #: What `on_event` has raised; it is not called after that.
        self.raised: BaseException | None = None
        self.steps: list[StepEvent] = []
        self.messages: list[Message] = []

    def stoppable_by(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        if self.raised is not None:
            stop()

    def step_started(self, step: Step) -> None:
        self._step(step, "start", failed=False)

    def step_ended(self, step: Step, *, failed: bool) -> None:
        self._step(step, "end", failed=failed)

    def phase(self, text: str) -> None:
        self._pass_on(Progress(text))

    def notice(self, text: str) -> None:
        self._say(Severity.INFO, text, "")

    def diagnostic(self, diagnostic: Diagnostic) -> None:
        self._say(diagnostic.severity, diagnostic.message, diagnostic.urn)

    def status(self, urn: str, message: str) -> None:
        self._pass_on(Progress(self._redactor.redact(message), urn))

    def _step(self, step: Step, at: Literal["start", "end"], *, failed: bool) -> None:
        if not step.shown:
            return
        properties = tuple(each for each in step.diff.keys if not each.startswith("__"))
        name = name_of(step.urn)
        event = StepEvent(str(step.op), name, step.urn, at, failed, step.is_change, properties)
        if at == "end":
            self.steps.append(event)
        self._pass_on(event)

    def _say(self, severity: Severity, text: str, urn: str) -> None:
        message = Message(str(severity), self._redactor.redact(text), urn)
        self.messages.append(message)
        self._pass_on(message)

    def _pass_on(self, event: Event) -> None:
        if self._on_event is None or self.raised is not None:
            return
        try:
            self._on_event(event)
        except BaseException as error:  # noqa: BLE001 - raised again once the run has ended
            self.raised = error
            self._stop()


def _require_function(on_event: object) -> None:
    """Raise OptionError for what cannot be called, or would never be awaited."""
    if on_event is not None and (not callable(on_event) or inspect.iscoroutinefunction(on_event)):
        raise OptionError(
            "on_event must be a function that is called with each event, and no coroutine "
            f"function (got {on_event!r})"
        )


def _progress_alone(
    on_event: Callable[[Event], object] | None,
) -> Callable[[Event], object] | None:
    if on_event is None:
        return None
    return lambda event: on_event(event) if isinstance(event, Progress) else None


def _run(
    stack: OpenStack,
    request: Request,
    kind: Kind,
    on_event: Callable[[Event], object] | None,
    *,
    dry_run: bool,
    warnings: list[str] | None = None,
) -> tuple[RunResult, Outcome]:
    recorder = _Recorder(Redactor(secret_texts(stack), SECRET_TEXT), on_event)
    for text in warnings or ():
        recorder.diagnostic(Diagnostic(Severity.WARNING, text))
    options = run_options(request, kind, dry_run=dry_run)
    began = time.monotonic()
    outcome = asyncio.run(watched(stack, options, recorder, lambda: None))
    if recorder.raised is not None:
        recorder.raised.add_note(_RAISED_BY_CALLBACK)
        raise recorder.raised
    result = RunResult(
        stack=stack.files.stack,
        summary={str(op): count for op, count in outcome.counts.items()},
        changes=outcome.changes,
        steps=tuple(recorder.steps),
        messages=tuple(recorder.messages),
        outputs=_outputs(outcome.outputs or {}),
        seconds=time.monotonic() - began,
    )
    _raise_for(outcome, options, result)
    return result, outcome


def _raise_for(outcome: Outcome, options: Options, result: RunResult) -> None:
    try:
        raise_for(outcome, options)
    except OperationFailed as error:
        raise RunFailed(error.message, result) from None


def _outputs(outputs: PropertyMap) -> dict[str, OutputValue]:
    found = {}
    for name, value in outputs.items():
        known = not contains_unknowns(value)
        found[name] = OutputValue(
            plain(value) if known else None, secret=contains_secrets(value), known=known
        )
    return found
