"""A run for people, on the console."""

import json
import re
import time
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.text import Text

from flink_jobs_provider.engine.operations import Outcome
from flink_jobs_provider.engine.resource_state import (
    DYNAMIC_PACKAGE,
    ResourceState,
    name_of,
    type_of,
)
from flink_jobs_provider.engine.run import Diagnostic, Listener, Severity, Step
from flink_jobs_provider.engine.steps import Op
from flink_jobs_provider.engine.values import PropertyMap, equal, masked, parse_path, value_at
from flink_jobs_provider.model.redaction import Redactor

_SYMBOLS = {
    Op.CREATE: ("+", "green", "create"),
    Op.UPDATE: ("~", "yellow", "update"),
    Op.DELETE: ("-", "red", "delete"),
    Op.REPLACE: ("+-", "magenta", "replace"),
    Op.DELETE_REPLACED: ("--", "red", "delete replaced"),
    Op.IMPORT: ("=", "green", "import"),
    Op.READ_DISCARD: ("<", "red", "forget"),
    Op.REFRESH: ("~", "yellow", "drifted"),
}
#: What leaves the resource of the state as it is, where that has `retain_on_delete`.
_MAY_RETAIN = (Op.DELETE, Op.DELETE_REPLACED, Op.REPLACE)
_COUNTED = {
    Op.CREATE: ("+", "to create", "created"),
    Op.IMPORT: ("=", "to import", "imported"),
    Op.UPDATE: ("~", "to update", "updated"),
    Op.REPLACE: ("+-", "to replace", "replaced"),
    Op.DELETE: ("-", "to delete", "deleted"),
    Op.SAME: ("", "unchanged", "unchanged"),
}
_DOING = {
    Op.CREATE: "creating",
    Op.IMPORT: "reading",
    Op.UPDATE: "updating",
    Op.REPLACE: "creating the new",
    Op.DELETE: "deleting",
    Op.DELETE_REPLACED: "deleting the old",
}
_SEVERITY_STYLES = {Severity.WARNING: "yellow", Severity.ERROR: "red"}
_LONGEST = 60
#: A missing property, which differs from one that is null.
_MISSING: Any = object()
_SLOW_S = 2.0
_REPEAT_S = 30.0


class Display(Listener):
    """Shows a run, or the preview of one, on a console as it goes on."""

    def __init__(
        self,
        console: Console,
        redactor: Redactor,
        *,
        show_diffs: bool,
        verbose: bool,
        preview: bool = False,
    ) -> None:
        self._console = console
        self._redactor = redactor
        self._show_diffs = show_diffs
        self._verbose = verbose
        self._preview = preview
        self._diagnostics: dict[str, list[Diagnostic]] = {}
        self._plans: dict[str, list[str]] = {}
        self._doing: dict[str, str] = {}
        self._running: dict[Step, float] = {}
        self._next_report: dict[Step, float] = {}
        self._status: Status | None = None
        self._begun = time.monotonic()
        self._phase = "starting"

    def begin(self, title: str) -> None:
        """Head a run."""
        self._console.print(Text(f"{title}:", style="bold"))
        if self._console.is_terminal:
            self._status = self._console.status(self._phase)
            self._status.start()

    def end(self) -> None:
        """Stop showing progress."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def step_started(self, step: Step) -> None:
        """Remember what is in flight."""
        if step.op is not Op.SAME:
            self._running[step] = time.monotonic()

    def step_ended(self, step: Step, *, failed: bool) -> None:
        """Write a line for what changed, or failed to."""
        for running in [each for each in self._running if each.urn == step.urn]:
            took = time.monotonic() - self._running.pop(running)
            break
        else:
            took = 0.0
        self._doing.pop(step.urn, None)
        if step.shown and (failed or step.is_change):
            self._console.print(self._line(step, took, failed=failed), soft_wrap=True)
            for line in self._plans.pop(step.urn, ()):
                self._print(f"       {line}")
            if self._show_diffs and not failed:
                self._write_diff(step)
        elif step.op is Op.SAME:
            self._write_plans(step.urn)

    def phase(self, text: str) -> None:
        """Show it while nothing takes long; on a terminal alone."""
        self._phase = text

    def notice(self, text: str) -> None:
        """Write it at once."""
        self._print(text, style="yellow")

    def diagnostic(self, diagnostic: Diagnostic) -> None:
        """Write progress at once, with the time since the start; keep the rest for the end.

        What a preview is told of a resource is written below that resource.
        """
        if diagnostic.severity is Severity.INFO:
            self._doing[diagnostic.urn] = diagnostic.message
            if self._preview and diagnostic.urn:
                lines = diagnostic.message.splitlines()
                self._plans.setdefault(diagnostic.urn, []).extend(lines)
            else:
                self._write_progress(diagnostic.urn, diagnostic.message)
            return
        self._diagnostics.setdefault(diagnostic.urn, []).append(diagnostic)

    def status(self, urn: str, message: str) -> None:
        """Show what is being done to a resource: on a terminal in the line that moves.

        Else it is written as progress, but not where numbers alone differ from the last.
        """
        if not urn or not message:
            return
        last = self._doing.get(urn, "")
        self._doing[urn] = message
        if self._status is None and _without_numbers(last) != _without_numbers(message):
            self._write_progress(urn, message)

    def _write_plans(self, urn: str) -> None:
        for line in self._plans.pop(urn, ()):
            self._write_progress(urn, line)

    def _write_progress(self, urn: str, message: str) -> None:
        name = f"{name_of(urn)}: " if urn else ""
        for line in message.splitlines():
            self._print_timed(line if line.startswith(name) else f"{name}{line}")

    def _print_timed(self, line: str, style: str = "") -> None:
        since = f"{time.monotonic() - self._begun:.1f}s"
        self._print(f"{since:>8}  {line}", style=style)

    def tick(self) -> None:
        """Show what takes longer than two seconds; called several times a second.

        On a terminal in a line that moves, else in a line for each, repeated now and then.
        """
        moment = time.monotonic()
        slow = {
            step: moment - since
            for step, since in self._running.items()
            if step.shown and moment - since > _SLOW_S
        }
        texts = {step: self._slow_words(step, took) for step, took in slow.items()}
        if self._status is not None:
            doing = f"{self._phase} ({moment - self._begun:.0f}s)"
            self._status.update(escape(", ".join(texts.values()) or doing))
            return
        for step, text in texts.items():
            if moment >= self._next_report.get(step, 0.0):
                self._next_report[step] = moment + _REPEAT_S
                self._print_timed(text, style="dim")

    def _slow_words(self, step: Step, took: float) -> str:
        doing = self._doing.get(step.urn, "").removeprefix(f"{name_of(step.urn)}: ")
        doing = _without_time(doing)
        text = f"{_DOING.get(step.op, 'reading')} {name_of(step.urn)} ({took:.0f}s)"
        return self._redactor.redact(f"{text}: {doing}" if doing else text)

    def finish(self, outcome: Outcome, *, dry_run: bool) -> None:
        """Write the diagnostics, the outputs, the counts and the time."""
        self.end()
        for urn in [*self._plans]:
            self._write_plans(urn)
        self._write_diagnostics()
        if outcome.outputs:
            self.write_outputs(outcome.outputs)
        self._console.print(Text("\nResources:", style="bold"))
        for op, (symbol, planned, done) in _COUNTED.items():
            if count := outcome.counts[op]:
                self._console.print(f"  {symbol:>2} {count} {planned if dry_run else done}")
        self._console.print(f"\nDuration: {outcome.seconds:.1f}s")

    def write_outputs(self, outputs: PropertyMap) -> None:
        """Write outputs, aligned."""
        self._console.print(Text("\nOutputs:", style="bold"))
        width = max(map(len, outputs), default=0)
        for name, value in sorted(outputs.items()):
            shown = json.dumps(masked(value), ensure_ascii=False, sort_keys=True)
            self._print(f"  {name:<{width}}: {shown}")

    def _line(self, step: Step, took: float, *, failed: bool) -> Text:
        symbol, style, word = _SYMBOLS[step.op]
        if step.op is Op.REFRESH and step.new is None:
            symbol, style, word = "-", "red", "gone"
        if failed:
            style, word = "red", f"{'reading' if step.op is Op.REFRESH else word} failed"
        elif step.op in _MAY_RETAIN and step.old is not None and step.old.retain_on_delete:
            word += "[retain]"
        state = step.new or step.old
        hidden = {str(path[0]) for path in (state.hide_diffs if state else ()) if path}
        notes = []
        if step.op is Op.REFRESH and step.new is not None and not failed:
            notes.append(self._redactor.redact(drift_words(step, hidden)))
        if step.op in (Op.UPDATE, Op.REPLACE) and (shown := step.diff.shown(hidden)):
            notes.append(f"[diff: {shown}]")
        if step.detail and step.replaces:
            notes.append(f"[replaces: {','.join(visible(step.replaces))}]")
        if took > _SLOW_S:
            notes.append(f"{took:.1f}s")
        line = Text(f"  {symbol:>2} ", style=style)
        line.append(f"{_type(step.urn):<22} {name_of(step.urn):<24} ", style="default")
        line.append(f"{word:<15}", style=style)
        line.append(" ".join(notes), style="dim")
        line.rstrip()
        return line

    def _write_diff(self, step: Step) -> None:
        if step.op is Op.REFRESH:
            for key in visible(step.diff.keys):
                old_text, new_text = before_and_after(step, key)
                self._print(f"       {key}: {old_text} => {new_text}")
            return
        old = step.old.inputs if step.old else {}
        new = step.new.inputs if step.new else {}
        of_outputs = {change.path for change in step.detail if not change.inputs}
        for key in visible(step.diff.keys):
            before = step.old.outputs if step.old and key in of_outputs else old
            replaces = " (replaces)" if step.detail and key in step.replaces else ""
            self._print(f"       {key}: {_shown(before, key)} => {_shown(new, key)}{replaces}")

    def _write_diagnostics(self) -> None:
        if not self._diagnostics:
            return
        self._console.print(Text("\nDiagnostics:", style="bold"))
        for urn, diagnostics in self._diagnostics.items():
            where = f"{_type(urn)} {name_of(urn)}" if urn else "stack"
            self._console.print(Text(f"  {where}:"))
            for diagnostic in diagnostics:
                self._write_diagnostic(diagnostic)

    def _write_diagnostic(self, diagnostic: Diagnostic) -> None:
        message = (self._verbose and diagnostic.details) or diagnostic.message
        message = message.removeprefix(f"{diagnostic.severity}: ")
        for line in f"{diagnostic.severity}: {message}".splitlines():
            self._print(f"    {line}", style=_SEVERITY_STYLES.get(diagnostic.severity, ""))

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(Text(self._redactor.redact(text), style=style), soft_wrap=True)


def _type(urn: str) -> str:
    return type_of(urn).removeprefix(f"{DYNAMIC_PACKAGE}:dynamic/")


def _shown(properties: PropertyMap, key: str) -> str:
    try:
        found, there = value_at((key,) if key in properties else parse_path(key), properties)
    except ValueError:
        there = False
    return json.dumps(masked(found), ensure_ascii=False) if there else "(none)"


def _without_numbers(message: str) -> str:
    """Return a message to be compared with others: of the same words, however long it has taken."""
    return re.sub(r"\d+", "#", _without_time(message))


def _without_time(message: str) -> str:
    return re.sub(r",? \d+ ?s$", "", message)


def drift_words(step: Step, hidden: set[str]) -> str:
    """Return what differs, such as `status: RUNNING → LOST; running parallelism: 4 → none`.

    The status comes first. A value that is too long to be read in a line is not shown.
    """
    keys = [key for key in step.diff.keys if not key.startswith("__") and key not in hidden]
    keys.sort(key=lambda key: key != "status")
    return "; ".join(_words(step, key) for key in keys) or "differs from the program"


def before_and_after(step: Step, key: str) -> tuple[str, str]:
    """Return a property's two values for people: of the inputs where they differ, else outputs."""
    old, new = _value(step.old, key, outputs=False), _value(step.new, key, outputs=False)
    if _alike(old, new):
        old, new = _value(step.old, key, outputs=True), _value(step.new, key, outputs=True)
    return _text(old), _text(new)


def _alike(old: Any, new: Any) -> bool:
    """Return whether two values are equal, or both missing."""
    if old is _MISSING or new is _MISSING:
        return old is new
    return equal(old, new)


def _words(step: Step, key: str) -> str:
    old, new = before_and_after(step, key)
    name = key.replace("_", " ")
    if max(len(old), len(new)) > _LONGEST:
        return f"{name} has changed"
    return f"{name}: {old} → {new}"


def _value(state: ResourceState | None, key: str, *, outputs: bool) -> Any:
    if state is None:
        return _MISSING
    return (state.outputs if outputs else state.inputs).get(key, _MISSING)


def _text(value: Any) -> str:
    if value is _MISSING or value is None:
        return "none"
    shown = masked(value)
    return shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)


def visible(keys: Iterable[str]) -> list[str]:
    """Return the properties that are not internal to the SDK."""
    return [key for key in keys if not key.startswith("__")]
