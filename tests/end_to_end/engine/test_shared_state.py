"""The embedded engine and the CLI go on where the other stopped."""

import json

import pytest

from tests.end_to_end.engine.demo_project import Project

pytestmark = pytest.mark.pulumi_cli
PROGRAM = (
    "config = pulumi.Config()\n"
    "a = File('a', size=3, text=config.require_secret('token'), list=[1.5, None, {'k': True}])\n"
    "g = Group('g')\n"
    "b = File('b', of=a.made, opts=Options(parent=g, protect=False, ignore_changes=['size']))\n"
    "pulumi.export('secret', a.text)\npulumi.export('made', b.made)\n"
)
OUTPUTS = {"secret": "hush-hush", "made": 1}
ENGINES = [("embedded", "pulumi"), ("pulumi", "embedded")]


@pytest.mark.parametrize(("first", "second"), ENGINES)
def test_what_one_made_the_other_finds_unchanged(both: Project, first: str, second: str) -> None:
    """No changes, the same outputs, secrets too; and back again."""
    both.run("stack", "init", "dev", engine=first)
    both.run("config", "set", "--stack", "dev", "--secret", "token", "hush-hush", engine=second)
    both.program(PROGRAM)
    both.up(engine=first)
    assert "hush-hush" not in both.checkpoint.read_text()
    both.preview("--expect-no-changes", engine=second)
    assert both.outputs(second) == OUTPUTS
    both.up(engine=second)
    both.preview("--refresh", "--expect-no-changes", engine=first)
    assert both.outputs(first) == OUTPUTS
    both.calls()
    both.run("destroy", "--yes", "--stack", "dev", engine=second)
    assert both.called("delete") == ["delete b", "delete a"]


@pytest.mark.parametrize(("first", "second"), ENGINES)
def test_one_is_killed_and_the_other_goes_on(both: Project, first: str, second: str) -> None:
    """Killed in the middle of a create; the other one finds the lock, and ends the work."""
    both.make_stack()
    both.program("a = File('a', size=1)\nb = File('b', of=a.made)\npulumi.export('x', b.made)")
    both.faults(create_b={"kill": "before"})
    process = both.start("up", "--yes", "--stack", "dev", "--skip-preview", engine=first)
    process.communicate(timeout=600)
    assert [each["type"] for each in both.state()["pending_operations"]] == ["creating"]
    both.faults()
    if second == "pulumi":
        refused = both.up(engine="pulumi", code=None)
        assert "currently locked" in refused.text
        both.run("cancel", "--stack", "dev", engine="embedded")
    both.calls()
    both.up(engine=second)
    assert both.called("create") == ["create b"]
    assert sorted(both.files()) == ["a", "b"]
    both.preview("--expect-no-changes", engine=first)


def test_configuration_set_by_one_is_read_by_the_other(both: Project) -> None:
    """Values, secrets and objects, by name and by path."""
    both.run("stack", "init", "dev", engine="embedded")
    for engine, other in ENGINES:
        both.run("config", "set", "-s", "dev", f"{engine}-plain", "007", engine=engine)
        both.run("config", "set", "-s", "dev", "--secret", f"{engine}-secret", "s3", engine=engine)
        path = f"{engine}-object.list[0].n"
        both.run("config", "set", "-s", "dev", "--path", path, "5", engine=engine)
        assert (
            both.run("config", "get", f"{engine}-plain", "-s", "dev", engine=other).out == "007\n"
        )
        assert (
            both.run("config", "get", f"{engine}-secret", "-s", "dev", engine=other).out == "s3\n"
        )
        shown = both.run("config", "get", f"{engine}-object", "-s", "dev", engine=other).out
        assert shown == '{"list":[{"n":5}]}\n'


def test_the_lock_of_the_cli_is_respected(both: Project) -> None:
    """While it runs, the embedded engine changes nothing."""
    both.make_stack()
    both.program("File('a')")
    both.faults(create_a={"hold": True})
    process = both.start("up", "--yes", "--stack", "dev", "--skip-preview", engine="pulumi")
    both.wait_until_held()
    refused = both.up(engine="embedded", code=255)
    assert "the stack is locked by" in refused.err
    both.release()
    process.communicate(timeout=600)
    assert process.returncode == 0


def test_another_stacks_outputs_made_by_the_other_engine(both: Project) -> None:
    """A StackReference sees them, secrets as secrets."""
    both.make_stack()
    both.program("pulumi.export('plain', [1, 2])\npulumi.export('s', pulumi.Output.secret('x'))")
    both.up(engine="pulumi")
    both.run("stack", "init", "second", engine="embedded")
    both.program(
        "r = pulumi.StackReference('organization/demo/dev')\n"
        "pulumi.export('got', r.require_output('plain'))\n"
        "pulumi.export('s', r.require_output('s'))\n"
        "File('a', of=r.require_output('plain'))"
    )
    both.run("up", "--yes", "--stack", "second", engine="embedded")
    shown = both.run("outputs", "--stack", "second", "--json", engine="embedded").out
    assert '"[secret]"' in shown
    both.run("preview", "--stack", "second", "--expect-no-changes", engine="pulumi")


@pytest.mark.parametrize(("first", "second"), ENGINES)
def test_what_one_selects_the_other_takes(both: Project, first: str, second: str) -> None:
    """Selected, listed, and after its removal no longer selected."""
    for name in ("dev", "prod"):
        both.run("stack", "init", name, engine=first)
    both.run("stack", "select", "prod", engine=first)
    both.run("config", "set", "place", "here", engine=second)
    assert both.run("config", "get", "place", "-s", "prod", engine=first).out == "here\n"
    rows = json.loads(both.run("stack", "ls", "--json", engine=second).out)
    assert {row["name"]: row["current"] for row in rows} == {"dev": False, "prod": True}
    done = both.run("stack", "rm", "prod", "--yes", "--json", engine=second)
    assert json.loads(done.out)["stack"] == "prod"
    assert not list((both.root / "home/workspaces").glob("*.json"))
    rows = json.loads(both.run("stack", "ls", "--json", engine=first).out)
    assert [(row["name"], row["current"]) for row in rows] == [("dev", False)]


def test_neither_removes_a_stack_that_holds_resources(project: Project) -> None:
    """Unless it is forced to: then what the stack held is left as it is."""
    project.program("File('a')")
    project.up("--skip-preview")
    refused = project.run("stack", "rm", "dev", "--yes", code=None)
    assert refused.code not in (0, None)
    assert "resources" in refused.err
    project.run("stack", "rm", "dev", "--yes", "--force")
    assert list(project.files()) == ["a"]
    assert not project.checkpoint.exists()
