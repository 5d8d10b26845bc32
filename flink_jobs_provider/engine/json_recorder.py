"""A run for programs: as one JSON document, in the shape of the CLI's."""

import json
from typing import Any

from flink_jobs_provider.engine.display import visible
from flink_jobs_provider.engine.operations import Outcome
from flink_jobs_provider.engine.run import Diagnostic, Listener, Step
from flink_jobs_provider.engine.steps import Op
from flink_jobs_provider.engine.values import masked
from flink_jobs_provider.model.redaction import Redactor

#: The fields of a resource in the CLI's JSON.
_RECORDED = ("urn", "custom", "id", "type", "inputs", "outputs", "parent", "provider")


class JsonRecorder(Listener):
    """Collects a run as JSON, in the shape of the CLI's `preview --json`.

    A step that failed is marked as such, and `result` states how the run ended.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._steps: list[dict[str, Any]] = []
        self._diagnostics: list[dict[str, str]] = []

    def step_ended(self, step: Step, *, failed: bool) -> None:
        """Add a step."""
        if not step.shown or (step.op is Op.REFRESH and not step.is_change and not failed):
            return
        entry: dict[str, Any] = {"op": str(step.op), "urn": step.urn}
        for name, state in (("oldState", step.old), ("newState", step.new)):
            if state is not None:
                entry[name] = {field: masked(getattr(state, field)) for field in _RECORDED}
        if step.op is not Op.SAME:
            entry["diffReasons"] = visible(step.diff.keys)
        if step.detail:
            entry["detailedDiff"] = {
                change.path: {"kind": str(change.kind), "inputDiff": change.inputs}
                for change in step.detail
                if not change.path.startswith("__")
            }
        if failed:
            entry["failed"] = True
        if step.replaces:
            entry["replaceReasons"] = list(step.replaces)
        self._steps.append(entry)

    def diagnostic(self, diagnostic: Diagnostic) -> None:
        """Add a diagnostic."""
        entry = {
            "message": self._redactor.redact(diagnostic.message),
            "severity": str(diagnostic.severity),
        }
        if diagnostic.urn:
            entry["urn"] = diagnostic.urn
        self._diagnostics.append(entry)

    def document(self, outcome: Outcome) -> str:
        """Return the run as JSON."""
        return json.dumps(
            {
                "result": _result(outcome),
                "steps": self._steps,
                "duration": int(outcome.seconds * 1e9),
                "changeSummary": {str(op): count for op, count in outcome.counts.items()},
                "diagnostics": self._diagnostics,
                "outputs": masked(outcome.outputs or {}),
            },
            indent=2,
            ensure_ascii=False,
        )


def _result(outcome: Outcome) -> str:
    if outcome.cancelled:
        return "cancelled"
    return "failed" if outcome.failed else "succeeded"
