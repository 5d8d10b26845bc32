"""Errors are one line of whole sentences, whatever they quote."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import flink_jobs_provider
from flink_jobs_provider.model import errors
from flink_jobs_provider.model.errors import (
    ActionFailed,
    FlinkJobsError,
    InvalidSpec,
    JobError,
    Signal,
)
from flink_jobs_provider.model.remedies import Remedy, Wording

PACKAGE = Path(flink_jobs_provider.__file__).parent


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("it failed", "it failed."),
        ("it failed.", "it failed."),
        ("it failed..", "it failed."),
        ("it failed: no jar.; its state is safe", "it failed: no jar; its state is safe."),
        ("no jar., and no copy", "no jar, and no copy."),
        ("no jar.. Nothing runs", "no jar. Nothing runs."),
        ("did it?", "did it?"),
        ("wait...", "wait..."),
        ("wait... for it", "wait... for it."),
        ("../jobs/a.jar is gone", "../jobs/a.jar is gone."),
        ("/jobs/.. is gone", "/jobs/.. is gone."),
        ("two\nlines  of it", "two lines of it."),
    ],
)
def test_a_sentence_ends_once(text: str, sentence: str) -> None:
    error = ActionFailed(text, now=text, remedy=text)
    assert (error.happened, error.now, error.remedy) == (sentence, sentence, sentence)
    assert ActionFailed(f"x: {error.happened}").happened == f"x: {sentence}"


def test_a_reason_has_no_full_stop() -> None:
    assert ActionFailed("it failed.").reason == "it failed"
    assert ActionFailed("wait...").reason == "wait..."


def test_no_message_goes_on_after_a_whole_sentence() -> None:
    """Shows that `happened`, which ends with a full stop, is quoted at the end of a text only.

    Lines that are printed pass through no error: there, `reason` is what can be gone on from.
    """
    found = [
        f"{path.name}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.JoinedStr)
        for part, following in zip(node.values, node.values[1:], strict=False)
        if isinstance(part, ast.FormattedValue)
        and isinstance(part.value, ast.Attribute)
        and part.value.attr in ("happened", "now", "remedy")
        and isinstance(following, ast.Constant)
        and str(following.value)[0] != " "
    ]
    assert found == []


def _drawn() -> dict[str, str]:
    """Return the parent of each class in the drawing; empty for a root."""
    above: list[str] = []
    parents = {}
    for line in (errors.__doc__ or "").splitlines():
        node = re.match(r"    ((?: │  |    )*)( [├└]─ )?(\w+) +\S", line)
        if node is None or not line.startswith("    "):
            continue
        depth = (len(node[1]) + (4 if node[2] else 0)) // 4
        above[depth:] = [node[3]]
        parents[node[3]] = above[depth - 1] if depth else ""
    return parents


def _modules() -> Iterator[str]:
    """Return the modules of the product; the embedded engine imports nothing of the rest."""
    for module in pkgutil.walk_packages(flink_jobs_provider.__path__, "flink_jobs_provider."):
        own = ".engine" in module.name or ".migrations." in module.name
        if not own and not module.name.endswith("__main__"):
            yield module.name


def _below(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def test_the_tree_is_drawn_as_it_is() -> None:
    """Shows it of every class of the product that is raised, wherever it is defined."""
    names = list(_modules())
    assert len(names) > 150
    for name in names:
        importlib.import_module(name)
    ours = {
        kind
        for kind in _below(Exception)
        if kind.__module__.startswith("flink_jobs_provider.")
        and not kind.__module__.startswith("flink_jobs_provider.engine")
    } | set(FlinkJobsError.__subclasses__())
    roots = {FlinkJobsError, Signal}
    assert {
        kind.__name__: "" if kind in roots else kind.__bases__[0].__name__ for kind in ours
    } == _drawn()
    assert all(issubclass(kind, (FlinkJobsError, Signal)) for kind in ours)


def test_an_error_is_data_that_each_face_words() -> None:
    """Shows it of a property in what happened, of one that is not, and of a remedy's facts."""
    others = Wording(
        {"restore_from": "savePointName", "timeouts.submit": ""}.get,  # type: ignore[arg-type]
        {Remedy.STOP_FIRST: "{put_back}; or STOP it first"},
    )
    within = ActionFailed("orders: {field} is gone", field="restore_from", remedy="Put it back")
    assert str(within) == "orders: restore_from is gone. Put it back."
    assert within.worded(others) == "orders: savePointName is gone. Put it back."
    unnamed = ActionFailed("{field} is too short", field="timeouts.submit")
    assert unnamed.worded(others) == "timeouts.submit is too short.", "never a hole in a text"
    after = ActionFailed(
        "main runs for 3 s",
        now="It goes on",
        field="timeouts.submit",
        remedy=Remedy.STOP_FIRST.of(put_back="Put it back"),
    )
    assert str(after) == (
        "main runs for 3 s (timeouts.submit). It goes on. Put it back; or stop the job with a "
        'savepoint first (desired_state "stopped"), and start the new version from it.'
    )
    assert after.worded(others) == ("main runs for 3 s. It goes on. Put it back; or STOP it first.")
    assert (after.code, after.field) == ("ActionFailed", "timeouts.submit")
    assert after.facts == {"put_back": "Put it back"}


def test_a_remedy_that_is_passed_on_keeps_its_data() -> None:
    first = ActionFailed("it failed", remedy=Remedy.CHECK_TLS)
    second = ActionFailed(f"orders: {first.happened}", remedy=first.remedy)
    words = Wording(str, {Remedy.CHECK_TLS: "Look at TLS"})
    assert second.worded(words) == "orders: it failed. Look at TLS."
    third = ActionFailed("it failed")
    third.complete(now="It runs", remedy=Remedy.CHECK_TLS)
    assert third.worded(words) == "it failed. It runs. Look at TLS."
    assert str(third).startswith("it failed. It runs. Check target.tls")


def test_secrets_are_masked_in_facts_and_data() -> None:
    remedy = Remedy.STOP_FIRST.of(put_back="Put it back at s3://user:marker@host/a.jar")
    error = ActionFailed("it failed", remedy=remedy)
    assert "marker" not in f"{error}{error.facts}"
    assert isinstance(InvalidSpec([("jar", "no")]), JobError)
