"""Paths into properties, as `ignore_changes` and `replace_on_changes` name them.

The grammar is Pulumi's: `a.b`, `a[0]`, `a["b.c"]`, `a.*`, `a[*]`.
"""

import re
from typing import Final

from flink_jobs_provider.engine.values import Secret, Value

Step = str | int
ANY: Final = "*"

_TOKEN = re.compile(
    r"""\.?(?P<name>[^.\[\]"]+)
      | \[(?P<index>\d+)\]
      | \[(?P<any>\*)\]
      | \["(?P<quoted>(?:[^"\\]|\\.)*)"\]""",
    re.VERBOSE,
)


def parse(path: str) -> tuple[Step, ...]:
    """Split a path into its steps.

    Raises ValueError for text that is not a path.
    """
    steps: list[Step] = []
    position = 0
    while position < len(path):
        match = _TOKEN.match(path, position)
        if match is None or (position == 0 and path.startswith(".")):
            raise ValueError(f"not a property path: {path!r}")
        if match["index"] is not None:
            steps.append(int(match["index"]))
        elif match["quoted"] is not None:
            steps.append(re.sub(r"\\(.)", r"\1", match["quoted"]))
        else:
            steps.append(match["name"] or match["any"])
        position = match.end()
    return tuple(steps)


def contains(path: tuple[Step, ...], other: tuple[Step, ...]) -> bool:
    """Return whether `other` is the path `path`, or lies within it."""
    return len(other) >= len(path) and all(
        own in (ANY, theirs) for own, theirs in zip(path, other, strict=False)
    )


def reset(path: tuple[Step, ...], old: Value, new: Value) -> tuple[Value, bool]:
    """Return `new` with the value at `path` of `old`, and whether that was possible.

    As in the real engine: a key that the old side lacks is taken out of the new one, an element of
    a list can only be reset where both lists have it, and what was secret stays secret.
    """
    return _reset(path, old, new, old_secret=False)


def _reset(
    path: tuple[Step, ...], old: Value, new: Value, *, old_secret: bool
) -> tuple[Value, bool]:
    if isinstance(old, Secret):
        return _reset(path, old.value, new, old_secret=True)
    if isinstance(new, Secret):
        # Within a secret nothing needs to be marked again.
        inner, done = _reset(path, old, new.value, old_secret=False)
        return Secret(inner), done
    step, rest = path[0], path[1:]
    if step == ANY:
        return _reset_all(rest, old, new, old_secret=old_secret)
    if isinstance(step, int):
        return _reset_element(step, rest, old, new, old_secret=old_secret)
    return _reset_key(step, rest, old, new, old_secret=old_secret)


def _kept(value: Value, *, old_secret: bool) -> Value:
    return Secret(value) if old_secret and not isinstance(value, Secret) else value


def _reset_key(
    key: str, rest: tuple[Step, ...], old: Value, new: Value, *, old_secret: bool
) -> tuple[Value, bool]:
    if rest and not (isinstance(old, dict) and isinstance(new, dict)):
        return new, not isinstance(old, dict) and not isinstance(new, dict)
    had = isinstance(old, dict) and key in old
    if not isinstance(new, dict):
        return new, not had
    result = dict(new)
    if not had:
        if not rest:
            result.pop(key, None)
        return result, not rest or key not in new
    assert isinstance(old, dict)  # noqa: S101 - `had` says so
    if not rest:
        result[key] = _kept(old[key], old_secret=old_secret)
        return result, True
    if key not in new:
        return new, False
    result[key], done = _reset(rest, old[key], new[key], old_secret=old_secret)
    return result, done


def _reset_element(
    index: int, rest: tuple[Step, ...], old: Value, new: Value, *, old_secret: bool
) -> tuple[Value, bool]:
    if not (isinstance(old, list) and isinstance(new, list)):
        return new, not isinstance(old, list) and not isinstance(new, list)
    if index >= len(old) or index >= len(new):
        return new, not rest and index >= len(old) and index >= len(new)
    result = list(new)
    if not rest:
        result[index] = _kept(old[index], old_secret=old_secret)
        return result, True
    result[index], done = _reset(rest, old[index], new[index], old_secret=old_secret)
    return result, done


def _reset_all(
    rest: tuple[Step, ...], old: Value, new: Value, *, old_secret: bool
) -> tuple[Value, bool]:
    if isinstance(old, dict) and isinstance(new, dict):
        if not rest:
            return {key: _kept(value, old_secret=old_secret) for key, value in old.items()}, True
        result: dict[str, Value] = dict(new)
        for key in old:
            if key not in new:
                return result, False
            result[key], done = _reset(rest, old[key], new[key], old_secret=old_secret)
            if not done:
                return result, False
        return result, True
    if isinstance(old, list) and isinstance(new, list):
        elements = list(new)
        for index in range(min(len(old), len(new))):
            if not rest:
                elements[index] = _kept(old[index], old_secret=old_secret)
                continue
            elements[index], done = _reset(rest, old[index], new[index], old_secret=old_secret)
            if not done:
                return elements, False
        return elements, len(old) == len(new)
    return new, not rest and isinstance(new, dict | list)
