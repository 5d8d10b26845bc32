"""How a refresh found a resource, in words: which properties are other than recorded."""

import json
from typing import Any

from flink_jobs_provider.engine.events import Step
from flink_jobs_provider.engine.resource_state import ResourceState
from flink_jobs_provider.engine.values import equal, masked

_LONGEST = 60
#: Stands for a property that is not there, which is other than one that is null.
_MISSING: Any = object()


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
    """Tell whether two values are the same, or neither is there."""
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
