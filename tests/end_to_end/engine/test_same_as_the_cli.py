"""The embedded engine does what the CLI does: the same calls to the provider, the same state."""

import difflib
import json
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.end_to_end.engine.demo_project import CLI, NO_CLI, Project

pytestmark = [
    pytest.mark.pulumi_cli,
    pytest.mark.skipif(not CLI, reason=NO_CLI),
]
UP = ("up", "--yes", "--skip-preview")
UP_AFTER_PREVIEW = ("up", "--yes")
REFRESHED_UP = ("up", "--yes", "--skip-preview", "--refresh")
REFRESHED_PREVIEW = ("preview", "--refresh")
REFRESH = ("refresh", "--yes", "--skip-preview")
DESTROY = ("destroy", "--yes", "--skip-preview")


@dataclass(frozen=True)
class Stage:
    """Hold one command of a scenario, and what is changed before it."""

    program: str | None = None
    command: tuple[str, ...] = UP
    write: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()
    fails: bool = False


A_AND_B = "a = File('a', size=3, kind='k')\nb = File('b', of=a.made)\n"
SCENARIOS = {
    "update": [
        Stage("File('a', size=1)", UP_AFTER_PREVIEW),
        Stage("File('a', size=2, text='x')", UP_AFTER_PREVIEW),
    ],
    "values": [
        Stage(
            "File('a', number=1.5, whole=3.0, big=123456789012345, none=None, empty='', yes=True,"
            " list=[1, 'x', None, [True]], map={'k': {'l': None, 'm': []}}, text='ü<>&\"')\n"
            "pulumi.export('n', None)\npulumi.export('l', [1, None, {'a': 1.0}])"
        ),
        Stage(None),
    ],
    "replace, the new one first": [
        Stage("a = File('a', kind='x')\nFile('b', of=a.kind)"),
        Stage("a = File('a', kind='y')\nFile('b', of=a.kind)"),
    ],
    "replace, the old one first": [
        Stage("a = File('a', kind='x', delete_first=True)\nb = File('b', of=a.made)"),
        Stage("a = File('a', kind='y', delete_first=True)\nb = File('b', of=a.made)"),
    ],
    "replace, the old one first, a dependent along": [
        Stage(
            "a = File('a', kind='x')\nb = File('b', kind=a.kind, delete_first=True)\n"
            "File('c', of=b.made)"
        ),
        Stage(
            "a = File('a', kind='y', opts=Options(delete_before_replace=True))\n"
            "b = File('b', kind=a.kind, delete_first=True)\nFile('c', of=b.made)"
        ),
    ],
    "the option overrules the provider": [
        Stage("File('a', kind='x', delete_first=True)"),
        Stage("File('a', kind='y', delete_first=True, opts=Options(delete_before_replace=False))"),
    ],
    "delete what left the program": [
        Stage(A_AND_B + "File('c', of=b.made)\nFile('d')"),
        Stage("File('d')"),
    ],
    "destroy": [Stage(A_AND_B), Stage(command=DESTROY)],
    "components": [
        Stage(
            "g = Group('g')\nh = Group('h', Options(parent=g))\n"
            "File('a', opts=Options(parent=h))\ng.register_outputs({'x': 1})\n"
            "File('b', opts=Options(depends_on=[g]))"
        ),
        Stage("File('b')"),
    ],
    "ignore_changes": [
        Stage("File('a', size=1, map={'k': 1, 'l': 2}, list=[1, 2])"),
        Stage(
            "File('a', size=2, map={'k': 5, 'l': 6}, list=[7, 8],"
            " opts=Options(ignore_changes=['size', 'map.k', 'list[1]']))"
        ),
        Stage(
            "File('a', size=3, map={'l': 6}, list=[7],"
            " opts=Options(ignore_changes=['size', 'map.k', 'list[1]']))"
        ),
    ],
    "protect": [
        Stage("a = File('a', kind='x', opts=Options(protect=True))\nFile('b', of=a.made)"),
        Stage(
            "a = File('a', kind='y', opts=Options(protect=True))\nFile('b', of=a.made)",
            fails=True,
        ),
        Stage("pass", fails=True),
        Stage("File('a', kind='y')"),
    ],
    "protect at destroy": [
        Stage("a = File('a')\nb = File('b', of=a.made, opts=Options(protect=True))\nFile('c')"),
        Stage(command=DESTROY, fails=True),
    ],
    "retain_on_delete": [
        Stage("File('a', opts=Options(retain_on_delete=True))"),
        Stage("pass"),
    ],
    "deleted_with": [
        Stage("a = File('a', kind='x')\nFile('b', opts=Options(deleted_with=a))\nFile('c')"),
        Stage("a = File('a', kind='y')\nFile('b', opts=Options(deleted_with=a))\nFile('c')"),
        Stage("File('c')"),
    ],
    "deleted_with and the old one first": [
        Stage(
            "a = File('a', kind='x', delete_first=True)\nFile('b', opts=Options(deleted_with=a))"
        ),
        Stage(
            "a = File('a', kind='y', delete_first=True)\nFile('b', opts=Options(deleted_with=a))"
        ),
    ],
    "replace_with": [
        Stage("a = File('a', kind='x')\nFile('b', opts=Options(replace_with=[a]))"),
        Stage("a = File('a', kind='y')\nFile('b', opts=Options(replace_with=[a]))"),
    ],
    "aliases": [
        Stage("File('a', size=1)"),
        Stage(
            "g = Group('g')\nFile('a', size=1, opts=Options(parent=g,"
            " aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)]))"
        ),
    ],
    "alias of a parent": [
        Stage("g = Group('g')\nFile('g-a', size=1, opts=Options(parent=g))"),
        Stage(
            "g = Group('h', Options(aliases=[pulumi.Alias(name='g')]))\n"
            "File('h-a', size=1, opts=Options(parent=g))"
        ),
    ],
    "replace_on_changes, diff left to the engine": [
        Stage("File('a', size=1, leave_diff_to_engine=True)"),
        Stage(
            "File('a', size=2, leave_diff_to_engine=True,"
            " opts=Options(replace_on_changes=['size']))"
        ),
    ],
    "replace_on_changes, the provider decides": [
        Stage("File('a', size=1)"),
        Stage("File('a', size=2, opts=Options(replace_on_changes=['size']))"),
    ],
    "replacement_trigger": [
        Stage("File('a', opts=Options(replacement_trigger='one'))"),
        Stage("File('a', opts=Options(replacement_trigger='two'))"),
    ],
    "diff left to the engine": [
        Stage("File('a', size=1, leave_diff_to_engine=True)"),
        Stage("File('a', size=1, leave_diff_to_engine=True)"),
        Stage("File('a', size=2, leave_diff_to_engine=True)"),
    ],
    "secrets": [
        Stage(
            "s = pulumi.Output.secret('hidden')\n"
            "a = File('a', text=s, map={'k': s, 'l': 1}, list=[s],"
            " opts=Options(additional_secret_outputs=['made']))\n"
            "b = File('b', of=a.made)\npulumi.export('s', s)\npulumi.export('m', {'in': a.made})"
        ),
        Stage(None, REFRESHED_UP),
        Stage("File('a', text='plain', map={'k': 1, 'l': 1}, list=['x'])"),
    ],
    "refresh with drift": [
        Stage("File('a', size=1)\nFile('b', size=1)"),
        Stage(
            None, REFRESH, write=(("a", '{"name": "a", "size": 9, "checked": true, "made": 1}'),)
        ),
        Stage(None),
    ],
    "refresh with a change that is nobody's": [
        Stage("File('a', size=1)"),
        Stage(
            None, REFRESH, write=(("a", '{"name": "a", "size": 1, "checked": true, "made": 7}'),)
        ),
    ],
    "gone": [
        Stage("a = File('a', size=1)\nFile('b', of=a.made)"),
        Stage(None, REFRESH, remove=("a",)),
        Stage(None),
    ],
    "up with refresh": [
        Stage("a = File('a', size=1)\nFile('b', of=a.made)"),
        Stage(
            None,
            REFRESHED_UP,
            remove=("b",),
            write=(("a", '{"name": "a", "size": 9, "checked": true, "made": 1}'),),
        ),
    ],
    "a failing create": [
        Stage("a = File('a', size=-1)\nFile('b', of=a.made)", fails=True),
        Stage("a = File('a', size=1)\nFile('b', of=a.made)"),
    ],
    "a program that fails": [
        Stage("a = File('a', size=1)\npulumi.export('x', 1)\n"),
        Stage("a = File('a', size=1)\npulumi.export('y', 1)\nraise ValueError('no')", fails=True),
    ],
    "reads": [
        Stage(
            "a = File('a', size=1)\n"
            "from demo_provider import Files\n"
            "import pulumi.dynamic\n"
            "class Got(pulumi.dynamic.Resource, module='demo', name='Got'):\n"
            "    made: pulumi.Output[int]\n"
            "    def __init__(self, name, id):\n"
            "        super().__init__(Files(), name, {'name': 'a', 'made': None},"
            " Options(id=id))\n"
            "got = Got('got', a.id)\npulumi.export('got', got.made)\n"
        ),
        Stage(None),
        Stage("File('a', size=1)"),
    ],
    "resource as a value": [
        Stage("a = File('a', size=1)\nFile('b', of=a, urn_of=a.urn)\npulumi.export('a', a)"),
        Stage(None),
    ],
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_same_calls_and_same_state(name: str, make_project: Callable[[str], Project]) -> None:
    """Each command of a scenario asks the provider the same and leaves the same state."""
    projects = [make_project("embedded"), make_project("pulumi")]
    for project in projects:
        project.make_stack()
    for number, stage in enumerate(SCENARIOS[name]):
        seen = [_seen_of(project, stage) for project in projects]
        embedded, cli = (json.dumps(each, indent=1, sort_keys=True).splitlines() for each in seen)
        differences = "\n".join(difflib.unified_diff(cli, embedded, "CLI", "embedded", n=12))
        assert not differences, f"command {number} of {name!r}:\n{differences}"


def _seen_of(project: Project, stage: Stage) -> dict[str, Any]:
    if stage.program is not None:
        project.program(stage.program)
    for name, text in stage.write:
        (project.directory / f"{name}.json").write_text(text)
    for name in stage.remove:
        (project.directory / f"{name}.json").unlink()
    finished = project.run(*stage.command, "--stack", "dev", code=None)
    assert (finished.code != 0) == stage.fails, finished.text
    calls: dict[str, list[Any]] = defaultdict(list)
    for call in project.calls():
        calls[str(call["name"])].append(_normal(call))
    return {
        "calls": dict(calls),
        "state": sorted(map(_normal_resource, project.state().get("resources", [])), key=repr),
        "pending": project.state().get("pending_operations", []),
        "files": project.files(),
    }


def _normal_resource(resource: dict[str, Any]) -> dict[str, Any]:
    kept = {
        key: _normal(value)
        for key, value in resource.items()
        # Where each engine was started from shows in the stack's own position.
        if key not in ("created", "modified", "sourcePosition", "stackTrace")
    }
    # The CLI keeps properties that depend on nothing in the list until the next refresh.
    dependencies = {k: v for k, v in kept.pop("propertyDependencies", {}).items() if v}
    kept["propertyDependencies"] = dependencies
    if resource["type"].startswith("pulumi:providers:"):
        kept.pop("id")
    return kept


def _normal(value: Any) -> Any:
    if isinstance(value, dict):
        if "ciphertext" in value:
            return "a secret"
        return {key: _normal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_normal(item) for item in value]
    if isinstance(value, str):
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", "a uuid", value)
        return re.sub(r"0x[0-9a-f]+", "an address", text)
    return value
