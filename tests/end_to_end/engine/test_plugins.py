"""Native plugins run alongside the dynamic provider, by all of the provider protocol."""

import json
import re
import signal
from typing import Any

import pytest

from flink_jobs_provider.engine.values import SECRET_SIGNATURE, SIGNATURE_KEY
from tests.end_to_end.engine.demo_project import Project, wait_for

SECRET = {SIGNATURE_KEY: SECRET_SIGNATURE}
PROVIDER = "urn:pulumi:dev::demo::pulumi:providers:files::"


def hidden(value: object) -> dict[str, object]:
    """Return a secret as it travels to a provider that takes them marked."""
    return {**SECRET, "value": value}


@pytest.fixture
def native(embedded: Project) -> Project:
    """Make a project that has the demo plugin."""
    embedded.install_plugin()
    return embedded


def calls_of(project: Project, *methods: str) -> list[dict[str, Any]]:
    """Return the calls of some methods since the last time."""
    return [call for call in project.calls() if call["method"] in methods]


def test_a_resource_lives_by_a_plugin(native: Project) -> None:
    """Created, changed, replaced, refreshed and deleted; each preview says which."""
    native.program("a = NativeFile('a', size=1)\npulumi.export('made', a.made)")
    native.up()
    assert native.outputs() == {"made": 1}
    assert native.called() == [
        *("handshake None", "check_config default", "check a", "cancel None", "interrupted None"),
        *("handshake None", "check_config default", "check a", "create a"),
        *("cancel None", "interrupted None"),
    ]
    state = native.resources()["a"]
    assert state["provider"] == PROVIDER + f"default::{native.resources()['default']['id']}"
    assert "2 unchanged" in native.preview("--expect-no-changes").out
    native.program("NativeFile('a', size=2, text='x')")
    assert re.search(r"~ files:index:File +a +update +\[diff: \+text,~size\]", native.preview().out)
    native.up("--skip-preview")
    assert native.files()["a"]["size"] == 2
    native.program("NativeFile('a', size=2, text='x', kind='k')")
    previewed = native.preview("--diff").out
    assert re.search(r"a +replace +\[diff: \+kind\] \[replaces: kind\]", previewed)
    assert 'kind: (none) => "k" (replaces)' in previewed
    steps = json.loads(native.preview("--json").out)["steps"]
    (step,) = [each for each in steps if each["op"] == "replace"]
    assert step["detailedDiff"] == {"kind": {"kind": "add-replace", "inputDiff": True}}
    assert step["replaceReasons"] == ["kind"]
    (native.directory / "a.json").write_text('{"name": "a", "size": 5, "made": 1}')
    assert "size: 2 → 5" in native.run("refresh", "--yes", "--stack", "dev", "--skip-preview").out
    native.destroy("--skip-preview")
    assert native.files() == {}
    assert native.processes() == []


def test_a_preview_knows_what_the_plugin_knows(native: Project) -> None:
    """What it says of a create and an update is known; what it does not say is not."""
    native.program(
        "a = NativeFile('a', size=1)\nNativeFile('b', path_of=a.path, made_of=a.made)\n"
        "pulumi.export('path', a.path)"
    )
    out = native.preview().out
    assert '"a.json"' in out
    (b,) = [call for call in calls_of(native, "create") if call["name"] == "b"]
    assert b["preview"] is True
    assert b["props"]["path_of"] == "a.json"
    assert b["props"]["made_of"] == "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    native.up("--skip-preview")
    native.program("a = NativeFile('a', size=2)\nNativeFile('b', path_of=a.path, made_of=a.made)")
    native.calls()
    assert "+~" not in native.preview().out
    assert [call["preview"] for call in calls_of(native, "update")] == [True]
    assert native.files()["a"]["size"] == 1


def test_secrets_reach_the_plugin_marked_and_the_state_encrypted(native: Project) -> None:
    """Also those of the configuration, of which it gets its own namespace alone."""
    native.run("config", "set", "--stack", "dev", "files:region", "north")
    native.run("config", "set", "--stack", "dev", "--secret", "files:token", "mum")
    native.program(
        "s = pulumi.Output.secret('hush')\nNativeFile('a', text=s, map={'k': s, 'l': 1})"
    )
    native.up("--skip-preview")
    calls = native.calls()
    (configured,) = [call for call in calls if call["method"] == "configure"]
    assert configured["args"] == {"region": "north", "token": hidden("mum")}
    assert configured["variables"] == {"files:config:region": "north", "files:config:token": "mum"}
    assert configured["id"] == native.resources()["default"]["id"]
    environment = configured["environment"]
    assert environment["PULUMI_PROJECT"] == "demo"
    assert json.loads(environment["PULUMI_CONFIG"]) == {
        "files:region": "north",
        "files:token": "mum",
    }
    (created,) = [call for call in calls if call["method"] == "create"]
    assert created["props"]["text"] == hidden("hush")
    assert created["props"]["map"] == {"k": hidden("hush"), "l": 1}
    assert native.files()["a"]["text"] == "hush"
    text = native.checkpoint.read_text()
    assert "hush" not in text
    assert "mum" not in text
    state = native.resources()["a"]
    assert state["outputs"]["text"][SIGNATURE_KEY] == SECRET_SIGNATURE
    assert state["outputs"]["map"]["k"][SIGNATURE_KEY] == SECRET_SIGNATURE


@pytest.mark.parametrize("nature", ["takes-no-secrets", "has-no-handshake takes-no-secrets"])
def test_a_plugin_that_takes_no_secrets_gets_them_in_plain(embedded: Project, nature: str) -> None:
    """What it answers under their names is secret again; those of its configuration are marked."""
    embedded.install_plugin(nature)
    embedded.run("config", "set", "--stack", "dev", "--secret", "files:token", "mum")
    embedded.program("NativeFile('a', text=pulumi.Output.secret('hush'))")
    embedded.up("--skip-preview")
    calls = embedded.calls()
    (created,) = [call for call in calls if call["method"] == "create"]
    assert created["props"]["text"] == "hush"
    (configured,) = [call for call in calls if call["method"] == "configure"]
    assert configured["args"] == {"token": hidden("mum")}
    assert "hush" not in embedded.checkpoint.read_text()


OPTIONS: dict[str, tuple[str, str, list[str]]] = {
    "replace_on_changes": (
        "NativeFile('a', size=1)",
        "NativeFile('a', size=2, opts=Options(replace_on_changes=['size']))",
        ["create a", "delete a"],
    ),
    "delete_before_replace": (
        "NativeFile('a', kind='x')",
        "NativeFile('a', kind='y', opts=Options(delete_before_replace=True))",
        ["delete a", "create a"],
    ),
    "deleted first, by the plugin": (
        "NativeFile('a', kind='x')",
        "NativeFile('a', kind='y', delete_first=True)",
        ["delete a", "create a"],
    ),
    "ignore_changes": (
        "NativeFile('a', size=1)",
        "NativeFile('a', size=2, opts=Options(ignore_changes=['size']))",
        [],
    ),
    "retain_on_delete": ("NativeFile('a', opts=Options(retain_on_delete=True))", "pass", []),
    "delete": ("NativeFile('a')", "pass", ["delete a"]),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options(native: Project, name: str) -> None:
    """Each has its effect on a resource of a plugin."""
    before, after, calls = OPTIONS[name]
    native.program(before)
    native.up("--skip-preview")
    native.calls()
    native.program(after)
    native.up("--skip-preview")
    assert native.called("create", "update", "delete") == calls


def test_a_protected_resource_stays(native: Project) -> None:
    """Neither replaced nor deleted."""
    native.program("NativeFile('a', kind='x', opts=Options(protect=True))")
    native.up("--skip-preview")
    native.calls()
    for program in ("NativeFile('a', kind='y', opts=Options(protect=True))", "pass"):
        native.program(program)
        assert "'a' is protected" in native.up("--skip-preview", code=255).out
    assert native.called("create", "update", "delete") == []


def test_timeouts_reach_the_plugin(native: Project) -> None:
    """In seconds, also that of the delete, which the state has."""
    times = "pulumi.CustomTimeouts(create='1m30s', update='2h', delete='45s')"
    native.program(f"NativeFile('a', size=1, opts=Options(custom_timeouts={times}))")
    native.up("--skip-preview")
    native.program(f"NativeFile('a', size=2, opts=Options(custom_timeouts={times}))")
    native.up("--skip-preview")
    assert native.resources()["a"]["customTimeouts"] == {"create": 90, "update": 7200, "delete": 45}
    native.destroy("--skip-preview")
    timeouts = {call["method"]: call["timeout"] for call in native.calls() if "timeout" in call}
    assert timeouts == {"create": 90, "update": 7200, "delete": 45}
    times = "pulumi.CustomTimeouts(create='soon')"
    native.program(f"NativeFile('a', opts=Options(custom_timeouts={times}))")
    assert "custom_timeouts.create of 'a' is 'soon', which is not a duration" in (
        native.preview(code=255).out
    )


def test_what_did_not_come_up_is_recorded_and_updated(native: Project) -> None:
    """With the plugin's reasons; also where an update leaves it so."""
    native.program("NativeFile('a', size=1)")
    native.faults(create_a={"init_failed": ["too small", "too late"]})
    assert "error: too small" in native.up("--skip-preview", code=255).out
    state = native.resources()["a"]
    assert (state["id"], state["initErrors"]) == ("id-a", ["too small", "too late"])
    assert "pending_operations" not in native.state()
    native.faults(update_a={"init_failed": ["still too small"]})
    native.calls()
    native.up("--skip-preview", code=255)
    assert native.called("create", "update", "delete") == ["update a"]
    assert native.resources()["a"]["initErrors"] == ["still too small"]
    native.faults()
    native.up("--skip-preview")
    assert "initErrors" not in native.resources()["a"]
    native.preview("--expect-no-changes")


def test_a_refresh_records_what_is_not_as_it_should_be(native: Project) -> None:
    """It warns, and the next run updates the resource."""
    native.program("NativeFile('a', size=1)")
    native.up("--skip-preview")
    native.faults(read_a={"init_failed": ["it limps"]})
    out = native.run("refresh", "--yes", "--stack", "dev", "--skip-preview").out
    assert "warning: it is not as it should be: it limps" in out
    assert native.resources()["a"]["initErrors"] == ["it limps"]
    native.faults()
    native.calls()
    native.up("--skip-preview")
    assert native.called("update") == ["update a"]


def test_what_the_plugin_logs_is_shown_with_its_resource(native: Project) -> None:
    """Plans below the resource in a preview, progress as it goes on, each word once."""
    native.program("NativeFile('a', size=1)\nNativeFile('b')")
    native.up("--skip-preview")
    native.program("NativeFile('a', size=2)\nNativeFile('b')")
    native.faults(
        diff_a={"log": ["a: UPDATE, since size is 2"]},
        diff_b={"log": ["nothing to do"]},
        update_a={"log": ["~writing, 1 s", "~writing, 2 s", "~closing", "done"]},
    )
    out = native.preview().out
    assert re.search(r"a +update +\[diff: ~size\]\n       a: UPDATE, since size is 2\n", out)
    assert re.search(r"^ +\d+\.\ds  b: nothing to do$", out, re.M)
    out = native.up("--skip-preview").out
    told = re.findall(r"^ +\d+\.\ds  (a: .*)$", out, re.M)
    assert told == ["a: UPDATE, since size is 2", "a: writing, 1 s", "a: closing", "a: done"]
    document = json.loads(native.preview("--json").out)
    (said,) = [each for each in document["diagnostics"] if "nothing" in each["message"]]
    assert said["urn"].endswith("::b")


EAST = "east = FilesProvider('east', region='e')\n"


def test_explicit_instances_are_processes_of_their_own(native: Project) -> None:
    """Each with its configuration; their resources refer to them, also when they are deleted."""
    native.program(
        EAST + "NativeFile('a', opts=Options(provider=east))\nNativeFile('b')\n"
        "g = Group('g', Options(providers=[east]))\nNativeFile('c', opts=Options(parent=g))"
    )
    out = native.up().out
    assert re.search(r"\+ pulumi:providers:files +east +create", out)
    configured = [call for call in native.calls() if call["method"] == "configure"]
    of_run = configured[len(configured) // 2 :]
    assert sorted((call["name"], call["args"].get("region")) for call in of_run) == [
        ("default", None),
        ("east", "e"),
    ]
    assert len({call["process"] for call in of_run}) == 2
    states = native.resources()
    reference = PROVIDER + f"east::{states['east']['id']}"
    assert [states[name]["provider"] == reference for name in "abc"] == [True, False, True]
    native.preview("--refresh", "--expect-no-changes")
    native.program("pass")
    native.calls()
    native.up("--skip-preview")
    configured = [call for call in native.calls() if call["method"] == "configure"]
    assert {call["args"].get("region") for call in configured} == {"e", None}
    assert native.files() == {}
    assert set(native.resources()) == {"demo-dev"}


def test_a_change_of_a_provider(native: Project) -> None:
    """What it means is for the plugin to say: nothing, an update, or other resources."""
    use = "NativeFile('a', opts=Options(provider=east))"
    native.program(EAST + use)
    native.up("--skip-preview")
    native.calls()
    native.program(EAST.replace("'e'", "'f'") + use)
    native.up("--skip-preview")
    assert native.called("create", "update", "delete") == []
    assert native.resources()["east"]["inputs"]["region"] == "f"
    native.program(EAST.replace("region='e'", "account=7") + use)
    assert re.search(r"a +replace", native.preview().out)
    native.calls()
    native.up("--skip-preview")
    assert native.called("create", "update", "delete") == ["create a", "delete a"]
    assert set(native.resources()) == {"demo-dev", "east", "a"}
    native.program(EAST.replace("region='e'", "account=7") + "NativeFile('a')")
    assert re.search(r"a +replace", native.preview().out)


def test_a_provider_whose_configuration_is_not_known_yet(native: Project) -> None:
    """A preview asks it nothing; the run configures it."""
    native.program(
        "a = NativeFile('a')\nwest = FilesProvider('west', account=a.made)\n"
        "NativeFile('b', opts=Options(provider=west))"
    )
    native.preview()
    assert "create b" not in [f"{call['method']} {call['name']}" for call in native.calls()]
    native.up("--skip-preview")
    (west,) = [call for call in calls_of(native, "configure") if call["name"] == "west"]
    assert west["args"] == {"account": 1}


def test_a_configuration_that_the_plugin_refuses(native: Project) -> None:
    """Is told with the property and its value."""
    native.run("config", "set", "--stack", "dev", "files:region", "bad")
    native.program("NativeFile('a')")
    out = native.preview(code=255).out
    assert "property region value 'bad' has a problem: there is none of that name" in out


def test_check_failures_of_a_plugin(native: Project) -> None:
    """Are told as the dynamic provider's are."""
    native.program("NativeFile('a', size=-1)")
    assert "property size value -1 has a problem: must not be negative" in (native.up(code=255).out)
    assert native.files() == {}


IMPORTED = "NativeFile('a', size={}, opts=Options(import_='{}'))"
FOUND = '{"name": "a", "size": 1, "checked": true, "made": 7, "path": "a.json"}'


def test_a_resource_is_imported_as_it_is(native: Project) -> None:
    """It is read once, nothing is changed, and the option stays in the program or leaves it."""
    (native.directory / "a.json").write_text(FOUND)
    native.program("a = " + IMPORTED.format(1, "id-a") + "\npulumi.export('made', a.made)")
    assert re.search(r"= files:index:File +a +import$", native.preview().out, re.M)
    assert "a" not in native.resources()
    native.calls()
    native.up("--skip-preview")
    assert native.called("read", "create", "update") == ["read a"]
    assert native.outputs() == {"made": 7}
    state = native.resources()["a"]
    assert (state["id"], state["importID"], state["outputs"]["made"]) == ("id-a", "id-a", 7)
    native.calls()
    native.up("--expect-no-changes")
    native.program("NativeFile('a', size=1)")
    native.up("--skip-preview")
    assert native.called("read", "create", "update") == []
    assert "importID" not in native.resources()["a"]


def test_what_is_imported_with_other_inputs_is_updated(native: Project) -> None:
    """The preview says so, as the CLI does."""
    (native.directory / "a.json").write_text(FOUND)
    native.program(IMPORTED.format(2, "id-a"))
    out = native.preview().out
    assert re.search(r"a +import$", out, re.M)
    assert re.search(r"a +update +\[diff: ~size\]", out)
    assert native.files()["a"]["size"] == 1
    native.calls()
    native.up("--skip-preview")
    assert native.called("read", "create", "update") == ["read a", "update a"]
    assert native.files()["a"]["size"] == 2
    native.preview("--expect-no-changes")


def test_what_cannot_be_imported(native: Project) -> None:
    """What is not there; and another one than the state has, which would be deleted."""
    native.program(IMPORTED.format(1, "id-b"))
    missing = "there is no 'a' with the id 'id-b' to import"
    assert missing in native.up("--skip-preview", code=255).out
    assert "a" not in native.resources()
    native.program("NativeFile('a', size=1)")
    native.up("--skip-preview")
    native.program(IMPORTED.format(1, "id-b"))
    out = native.up("--skip-preview", code=255).out
    assert "'a' is in the stack's state, with the id 'id-a'; the option `import_` names" in out
    assert native.files()["a"]["made"] == 1


def test_refresh_and_destroy_go_by_the_configuration_in_the_state(native: Project) -> None:
    """A run of the program records what the stack has now."""
    native.run("config", "set", "--stack", "dev", "files:region", "north")
    native.program("NativeFile('a', size=1)")
    native.up("--skip-preview")
    native.run("config", "set", "--stack", "dev", "files:region", "south")
    native.calls()
    native.run("refresh", "--yes", "--stack", "dev", "--skip-preview")
    assert [each["args"] for each in calls_of(native, "configure")] == [{"region": "north"}]
    native.up("--skip-preview", "--refresh")
    regions = [each["args"]["region"] for each in calls_of(native, "configure")]
    assert regions == ["north", "south"]
    native.run("config", "set", "--stack", "dev", "files:region", "west")
    native.destroy("--skip-preview")
    assert [each["args"] for each in calls_of(native, "configure")] == [{"region": "south"}]


STAT = "pulumi.runtime.invoke_output('files:index:stat', {}, {})"
AT_ONCE = "pulumi.runtime.invoke('files:index:stat', {}).value"


def test_functions_of_a_plugin(native: Project) -> None:
    """They are asked in a preview, too, where their arguments are known; secrets stay secret."""
    native.program("a = NativeFile('a', size=1, text=pulumi.Output.secret('hush'))")
    native.up("--skip-preview")
    by_output = STAT.format("{'of': pulumi.Output.from_input('a')}", "None")
    of_secret = STAT.format("{'of': pulumi.Output.secret('a')}", "None")
    at_once = AT_ONCE.format("{'of': 'a'}")
    native.program(
        "a = NativeFile('a', size=1, text=pulumi.Output.secret('hush'))\n"
        f"pulumi.export('size', {by_output}['size'])\n"
        f"pulumi.export('text', {of_secret})\npulumi.export('now', {at_once}['size'])"
    )
    native.calls()
    native.up()
    asked = calls_of(native, "invoke")
    assert [(each["args"], each["preview"]) for each in asked] == [
        ({"of": "a"}, preview) for preview in (True, False) for _ in range(3)
    ]
    assert native.outputs()["size"] == native.outputs()["now"] == 1
    assert "hush" not in native.checkpoint.read_text()


def test_a_function_of_what_is_not_known_yet(native: Project) -> None:
    """It is not asked in a preview, and its result is unknown there."""
    made = STAT.format("{'of': b.made.apply(lambda made: 'b' if made else '')}", "None")
    native.program(f"b = NativeFile('b')\nNativeFile('c', size={made}['made'])")
    native.preview()
    assert "invoke None" not in native.called()
    native.up("--skip-preview")
    assert native.files()["c"]["size"] == 1


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ("{}", "invoke of files:index:stat failed: must not be empty (of)"),
        (
            "{'of': 'nowhere'}",
            "invoke of files:index:stat failed: invocation of files:index:stat returned an error: "
            "there is no file nowhere",
        ),
    ],
)
def test_a_function_that_fails(native: Project, args: str, error: str) -> None:
    """The program may go on without its answer; else the run fails, and says why."""
    call = AT_ONCE.format(args)
    native.program(f"try:\n    {call}\nexcept Exception:\n    NativeFile('a')")
    native.up("--skip-preview")
    assert set(native.files()) == {"a"}
    native.program(f"NativeFile('a')\n{call}")
    assert error in native.preview(code=255).out


def test_functions_of_an_explicit_instance(native: Project) -> None:
    """They are asked of the process with its configuration, as any resource is."""
    by_east = STAT.format("{'of': 'a'}", "pulumi.InvokeOptions(provider=east)")
    native.program(EAST + f"NativeFile('a')\npulumi.export('made', {by_east}['made'])")
    (native.directory / "a.json").write_text('{"made": 3}')
    native.up("--skip-preview")
    assert native.outputs() == {"made": 3}
    configured = [call["name"] for call in calls_of(native, "configure")]
    assert sorted(configured) == ["default", "east"]


def test_there_and_back_by_an_alias_of_the_type(native: Project) -> None:
    """A resource of the dynamic provider becomes one of a plugin, unchanged, and one again."""
    inside = "g = Group('g')\n{}('b', size=1, opts=Options(parent=g, aliases=[{}]))"
    native.program("File('a', size=1)\n" + inside.format("File", "").replace("aliases=[]", ""))
    native.up("--skip-preview")
    native.run("config", "set", "--stack", "dev", "--secret", "files:token", "mum")
    for kind, once in (("NativeFile", "ONCE_DYNAMIC"), ("File", "ONCE_NATIVE")):
        native.program(
            f"{kind}('a', size=1, opts=Options(aliases=[{once}]))\n" + inside.format(kind, once)
        )
        native.calls()
        native.preview("--expect-no-changes")
        native.up("--skip-preview")
        assert native.called("create", "update", "delete") == []
        assert "/" in native.resources()["a"]["type"] or kind == "NativeFile"
        native.preview("--refresh", "--expect-no-changes")
    assert native.resources()["a"]["outputs"]["__provider"]
    native.destroy("--skip-preview")
    assert native.files() == {}


def test_a_stack_of_both(native: Project) -> None:
    """One depends on the other, and each has its provider."""
    native.program("a = File('a', size=1)\nb = NativeFile('b', of=a.made)\nFile('c', of=b.made)")
    native.up("--skip-preview")
    assert set(native.files()) == {"a", "b", "c"}
    native.preview("--refresh", "--expect-no-changes")
    native.program("pass")
    native.calls()
    native.up("--skip-preview")
    assert native.called("delete") == ["delete c", "delete b", "delete a"]


def test_ctrl_c_lets_the_plugin_cancel(native: Project) -> None:
    """What it has in flight ends by its own choice, and nothing is left pending."""
    native.program("a = NativeFile('a', size=1)\nNativeFile('b', of=a.made)")
    native.faults(create_a={"cancellable": True})
    process = native.start("up", "--yes", "--stack", "dev", "--skip-preview")
    native.wait_until_held()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "cancelled before it was done" in out
    assert "Traceback" not in out
    assert "pending_operations" not in native.state()
    assert native.processes() == []
    assert [call for call in native.called() if call.startswith(("cancel", "interrupted"))] == [
        *("cancel None", "cancel None", "interrupted None")
    ]


def test_a_plugin_that_dies_leaves_its_operation_pending(native: Project) -> None:
    """The next run warns, and does it again."""
    native.program("NativeFile('a', size=1)")
    native.faults(create_a={"die": True})
    failed = native.up("--skip-preview", code=255)
    assert "the files plugin's process is gone (during Create)" in failed.out
    assert [each["type"] for each in native.state()["pending_operations"]] == ["creating"]
    native.faults()
    assert "interrupted while creating 'a'" in native.up("--skip-preview").out
    assert "pending_operations" not in native.state()


NATURES = {
    "dies": "did not start: it ended with exit code 1; its last words: there is no library of that",
    "talks": "did not start: the first line that it wrote is no port: 'listening on 4711'",
    "hangs-up": "the files plugin's process is gone (during Handshake)",
}


@pytest.mark.parametrize("nature", NATURES)
def test_a_plugin_that_does_not_come_up(embedded: Project, nature: str) -> None:
    """One clear error, and no process is left behind."""
    embedded.install_plugin(nature)
    embedded.preloaded = False
    embedded.program("NativeFile('a')\nNativeFile('b')")
    failed = embedded.up("--skip-preview", code=255)
    assert failed.out.count(NATURES[nature]) == 1
    assert failed.out.count("error:") == 1
    assert embedded.processes() == []


def test_a_plugin_that_is_nowhere(embedded: Project) -> None:
    """Is told with the places where it was looked for, before anything is done."""
    embedded.program("NativeFile('a')")
    failed = embedded.up(code=255)
    assert "no plugin for the package `files`: there is no pulumi-resource-files" in failed.out
    assert "plugins: {providers: [{name: files, path: DIRECTORY}]}" in failed.out
    assert failed.out.count("error:") == 1


def test_where_a_plugin_is_found(embedded: Project) -> None:
    """On the PATH, and where `pulumi plugin install` puts it, by its version."""
    executable = embedded.install_plugin()
    file = embedded.root / "Pulumi.yaml"
    file.write_text(file.read_text().partition("plugins:")[0])
    embedded.program("NativeFile('a', Options(version='0.2.0'))")
    home = embedded.root / "home/plugins/resource-files-v0.2.0"
    home.mkdir(parents=True)
    executable.rename(home / executable.name)
    embedded.up("--skip-preview")
    assert embedded.resources()["default_0_2_0"]["inputs"] == {"version": "0.2.0"}
    embedded.program("NativeFile('a', Options(version='0.3.0'))")
    assert "none of version 0.3.0 in" in embedded.preview(code=255).out
    embedded.extra_environment["PATH"] = f"{home}:/usr/bin:/bin"
    assert "2 unchanged" in embedded.preview("--expect-no-changes").out


def test_package_references(native: Project) -> None:
    """A program that refers to a package by reference gets that version's provider."""
    native.program(
        "from pulumi.runtime.proto import resource_pb2\n"
        "from pulumi.runtime.settings import get_monitor\n"
        "request = resource_pb2.RegisterPackageRequest(name='files', version='1.2.3')\n"
        "async def reference():\n    return get_monitor().RegisterPackage(request).ref\n"
        "pulumi.CustomResource('files:index:File', 'a', {'name': 'a'}, package_ref=reference())"
    )
    native.up("--skip-preview")
    assert native.resources()["a"]["provider"].startswith(PROVIDER + "default_1_2_3::")


def test_what_others_have_is_read(native: Project) -> None:
    """By its id, without inputs; one that is not there is told."""
    (native.directory / "x.json").write_text('{"name": "x", "made": 7}')
    native.program("pulumi.export('made', NativeFile('got', Options(id='id-x')).made)")
    native.up("--skip-preview")
    assert native.outputs() == {"made": 7}
    assert [call["inputs"] for call in calls_of(native, "read")] == [{}]
    native.program("NativeFile('got', Options(id='id-y'))")
    assert "there is no 'got' with the id 'id-y'" in native.preview(code=255).out


def test_as_many_at_once_as_allowed(native: Project) -> None:
    """All of twenty creates are in flight together with `--parallel 20`, two with 2."""
    native.program("for n in range(20): NativeFile(f'f{n}')")
    native.faults(**{f"create_f{n}": {"hold": True} for n in range(20)})
    for parallel in (2, 20):
        process = native.start(
            "up", "--yes", "--stack", "dev", "--skip-preview", "--parallel", str(parallel)
        )

        def in_flight() -> int:
            return len([c for c in native.calls(forget=False) if c["method"] == "create"])

        def all_begun(expected: int = parallel) -> bool:
            return in_flight() >= expected

        wait_for(all_begun, "the creates to begin")
        assert len(native.state()["pending_operations"]) == parallel
        process.send_signal(signal.SIGINT)
        native.release()
        process.communicate(timeout=600)
        native.calls()
        (native.directory / "release").unlink()
        native.destroy("--skip-preview")
        native.calls()


def test_killed_while_a_plugin_works(native: Project) -> None:
    """The operation is pending, and the next run does it again."""
    native.program("NativeFile('a', size=1)")
    native.faults(create_a={"kill_engine": "after"})
    native.start("up", "--yes", "--stack", "dev", "--skip-preview").communicate(timeout=600)
    assert native.files()["a"]["made"] == 1
    assert [each["type"] for each in native.state()["pending_operations"]] == ["creating"]
    native.faults()
    assert "interrupted while creating 'a'" in native.up("--skip-preview").out
    native.preview("--expect-no-changes")
