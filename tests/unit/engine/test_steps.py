"""What is decided for a resource that is in the state already."""

import pytest

from flink_jobs_provider.engine.goals import Goal
from flink_jobs_provider.engine.resource_state import ResourceState
from flink_jobs_provider.engine.steps import (
    Change,
    ChangeKind,
    Decision,
    DiffAnswer,
    PropertyDiff,
    completed,
    decide,
    detailed,
    ignoring,
    must_be_saved,
    property_diff,
    trigger_fires,
)
from flink_jobs_provider.engine.values import UNKNOWN, Secret, Value

OLD = ResourceState(
    urn="urn:pulumi:dev::demo::pulumi-python:dynamic/x:X::a", type="x", custom=True, id="1"
)
NONE = DiffAnswer(False)
SOME = DiffAnswer(True)
REPLACES = DiffAnswer(True, ("name",))
REPLACES_DELETING = DiffAnswer(True, ("name",), delete_before_replace=True)


def goal(delete_before_replace: bool | None = None) -> Goal:
    """Make a goal of which nothing matters but the option."""
    return Goal(type="x", name="a", custom=True, delete_before_replace=delete_before_replace)


@pytest.mark.parametrize(
    ("answer", "option", "pending_replacement", "decision"),
    [
        (NONE, None, False, Decision.SAME),
        (SOME, None, False, Decision.UPDATE),
        (REPLACES, None, False, Decision.REPLACE_CREATE_FIRST),
        (REPLACES, True, False, Decision.REPLACE_DELETE_FIRST),
        (REPLACES_DELETING, None, False, Decision.REPLACE_DELETE_FIRST),
        (REPLACES_DELETING, False, False, Decision.REPLACE_CREATE_FIRST),
        (NONE, None, True, Decision.REPLACE_CREATE_FIRST),
        (SOME, None, True, Decision.REPLACE_CREATE_FIRST),
        (NONE, True, True, Decision.REPLACE_DELETE_FIRST),
    ],
)
def test_decide(
    answer: DiffAnswer, option: bool | None, pending_replacement: bool, decision: Decision
) -> None:
    """The provider proposes, the option overrules; what was deleted for it is created again."""
    old = OLD.with_(pending_replacement=pending_replacement)
    assert decide(old, goal(option), answer) is decision


def test_what_did_not_come_up_is_updated_again() -> None:
    """A resource with errors of its creation is given another try without a difference."""
    assert decide(OLD.with_(init_errors=("no",)), goal(), NONE) is Decision.UPDATE


def test_the_engine_compares_inputs_when_the_provider_does_not() -> None:
    """An answer without a word on changes is filled in from the inputs."""
    open_answer = DiffAnswer(None)
    assert completed(open_answer, PropertyDiff(), ()) == DiffAnswer(False)
    found = completed(open_answer, PropertyDiff(changed=("size",)), ())
    assert found == DiffAnswer(True, (), ("size",))


@pytest.mark.parametrize(
    ("answer", "paths", "replaces"),
    [
        (DiffAnswer(None), ("size",), ("size",)),
        (DiffAnswer(None), ("*",), ("size",)),
        (DiffAnswer(None), ("other",), ()),
        (DiffAnswer(None, ("kind",)), ("size",), ("kind", "size")),
        (DiffAnswer(True), ("size",), ()),
        (DiffAnswer(True, (), ("size",)), ("size",), ("size",)),
        (DiffAnswer(False), ("size",), ()),
    ],
)
def test_replace_on_changes(
    answer: DiffAnswer, paths: tuple[str, ...], replaces: tuple[str, ...]
) -> None:
    """It only works on properties known to have changed: dynamic providers do not name them."""
    assert completed(answer, PropertyDiff(changed=("size",)), paths).replaces == replaces


def test_property_diff() -> None:
    """Added, removed, changed; an unknown always counts as a change, a secret by its value."""
    diff = property_diff(
        {"same": 1, "secret": Secret("x"), "gone": 1, "other": 1, "unknown": 1},
        {"same": 1, "secret": "x", "new": 1, "other": 2, "unknown": [UNKNOWN]},
    )
    assert diff == PropertyDiff(("new",), ("gone",), ("other", "unknown"))
    assert diff.keys == ("gone", "new", "other", "unknown")


def test_a_diff_is_shown_by_sign_without_what_is_internal() -> None:
    """`__provider` is nobody's business, nor what `hide_diffs` names."""
    diff = PropertyDiff(("new",), ("gone",), ("__provider", "args", "hidden", "jar_digest"))
    assert diff.shown(["hidden"]) == "+new,-gone,~args,jar_digest"
    assert PropertyDiff(changed=("__provider",)).shown() == ""


def test_ignoring_names_what_it_cannot_do() -> None:
    """Paths that both sides do not have are named; what is no path is passed over."""
    inputs, impossible = ignoring(
        ["size", "list[1]", "bad["],
        {"size": 1, "list": [1, 2]},
        {"size": 2, "list": [1]},
    )
    assert inputs == {"size": 1, "list": [1]}
    assert impossible == ["list[1]"]


@pytest.mark.parametrize(
    ("old", "new", "fires"),
    [
        (None, None, False),
        (None, "a", False),
        ("a", None, False),
        ("a", "a", False),
        ("a", Secret("a"), False),
        ("a", "b", True),
        ("a", UNKNOWN, True),
    ],
)
def test_replacement_trigger(old: Value, new: Value, fires: bool) -> None:
    """Setting or removing a trigger replaces nothing; another value does."""
    assert trigger_fires(old, new) is fires


@pytest.mark.parametrize(
    ("change", "saved"),
    [
        ({"protect": True}, True),
        ({"parent": "urn:p"}, True),
        ({"dependencies": ("urn:d",)}, True),
        ({"inputs": {"a": Secret(1)}}, True),
        ({"retain_on_delete": True}, True),
        ({"source_position": "project:///other.py#1"}, False),
        ({"stack_trace": ("x",)}, False),
    ],
)
def test_must_be_saved(change: dict[str, object], saved: bool) -> None:
    """Options and inputs are worth a write, source positions are not."""
    old = OLD.with_(inputs={"a": 1})
    assert must_be_saved(old, old.with_(**change)) is saved


SIZE = Change("size", ChangeKind.UPDATE, inputs=True)
IN_MAP = Change("map.k", ChangeKind.ADD, inputs=True)
NAME = Change("name", ChangeKind.DELETE_REPLACE)


@pytest.mark.parametrize(
    ("option", "replaces"),
    [((), ("name",)), (("map",), ("name", "map.k")), (("*",), ("name", "size", "map.k"))],
)
def test_a_detailed_diff_names_what_replaces(
    option: tuple[str, ...], replaces: tuple[str, ...]
) -> None:
    """The provider says so, or the option `replace_on_changes`, which names paths."""
    answer = DiffAnswer(True, detail=(NAME, SIZE, IN_MAP))
    result = completed(answer, PropertyDiff(), option)
    assert sorted(result.replaces) == sorted(replaces)
    assert {change.path for change in result.detail if change.kind.replaces} == {*replaces}


def test_what_is_shown_is_what_the_provider_tells() -> None:
    """Where it tells nothing, it is what the engine has found; what is hidden is not shown."""
    found = PropertyDiff(changed=("size",))
    assert detailed((), found) is found
    told = detailed((NAME, SIZE, IN_MAP), found)
    assert told.shown() == "+map.k,-name,~size"
    assert told.shown({"map"}) == "-name,~size"
    assert [str(kind) for kind in ChangeKind][:3] == ["add", "add-replace", "delete"]
