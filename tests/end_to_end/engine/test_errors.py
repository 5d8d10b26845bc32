"""What goes wrong is told in a few words, says what to do, and changes nothing it need not."""

import json

import pytest

from tests.end_to_end.engine.demo_project import Project

REFUSED = {
    "the engine's own": (
        "pulumi.CustomResource('pulumi:index:Stash', 'b', {})",
        "resources of the package `pulumi`, as 'b' (pulumi:index:Stash) is one",
    ),
    "an explicit provider": (
        "File('b', opts=Options(provider=pulumi.ProviderResource('pulumi-python', 'p', {})))",
        "explicit provider instances",
    ),
    "a function of the engine's own": (
        "pulumi.runtime.invoke('pulumi:pulumi:getResource', {})",
        "functions of `pulumi`, as pulumi:pulumi:getResource is one",
    ),
    "import": ("File('b', opts=Options(import_='x'))", "the option `import_` of dynamic resources"),
    "a parameterized package": (
        "from pulumi.runtime.proto import resource_pb2\n"
        "pulumi.runtime.settings.get_monitor().RegisterPackage("
        "resource_pb2.RegisterPackageRequest(name='base', "
        "parameterization=resource_pb2.Parameterization(name='made')))",
        "parameterized packages (base)",
    ),
    "custom timeouts": (
        "File('b', opts=Options(custom_timeouts=pulumi.CustomTimeouts(create='1m')))",
        "the option `custom_timeouts`",
    ),
    "assets": ("File('b', of=pulumi.StringAsset('x'))", "assets and archives"),
    "transforms": (
        "File('b', opts=Options(transforms=[lambda args: None]))",
        "the option `transforms`",
    ),
    "stack transforms": (
        "pulumi.runtime.register_resource_transform(lambda args: None)",
        "transforms (register_resource_transform)",
    ),
    "hooks": (
        "hook = pulumi.ResourceHook('h', lambda args: None)\n"
        "File('b', opts=Options(hooks=pulumi.ResourceHookBinding(after_create=[hook])))",
        "resource hooks (h)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_supported_is_refused_by_name(embedded: Project, name: str) -> None:
    """In the preview, so before anything was changed; with the way out."""
    program, words = REFUSED[name]
    embedded.program(f"a = File('a')\n{program}")
    refused = embedded.up(code=255)
    assert f"the embedded engine does not support {words}" in refused.text
    assert "--engine pulumi" in refused.text
    assert "Traceback" not in refused.text
    assert embedded.files() == {}
    assert "resources" not in embedded.state()


def test_a_failing_check_names_every_problem_with_its_value(project: Project) -> None:
    """All at once, and nothing is created."""
    project.program("File('a', size=-1)")
    failed = project.up(code=None)
    assert failed.code != 0
    assert "must not be negative" in failed.text
    assert "no good" in failed.text
    assert project.files() == {}


def test_a_providers_exception_is_told_in_its_own_words(embedded: Project) -> None:
    """Without its traceback, which `--verbose` shows; nothing new begins after it."""
    embedded.program("a = File('a')\nFile('b', of=a.made)")
    embedded.faults(create_a={"raise": "the disk is full\nso it was not written"})
    failed = embedded.up("--skip-preview", code=255)
    assert "error: ValueError: the disk is full\n    so it was not written" in failed.out
    assert "Traceback" not in failed.text
    assert "error: update failed" in failed.err
    assert embedded.files() == {}
    assert "pending_operations" not in embedded.state()
    verbose = embedded.up("--skip-preview", "--verbose", code=255)
    assert "Traceback" in verbose.out


def test_what_was_done_before_a_failure_is_kept(project: Project) -> None:
    """The next run goes on from there."""
    project.program("a = File('a')\nFile('b', of=a.made)\npulumi.export('made', a.made)")
    project.faults(create_b={"raise": "no"})
    assert project.up("--skip-preview", code=None).code != 0
    assert "a" in project.resources()
    project.faults()
    project.calls()
    project.up("--skip-preview")
    assert project.called("create") == ["create b"]


def test_the_programs_own_exception_comes_with_its_traceback(embedded: Project) -> None:
    """It is the user's code: from its first line on, without the engine's."""
    embedded.program("def break_it():\n    raise KeyError('jobs')\nFile('a')\nbreak_it()\n")
    failed = embedded.preview(code=255)
    assert "break_it()" in failed.out
    assert "KeyError: 'jobs'" in failed.out
    assert "runpy" not in failed.out
    assert "flink_jobs_provider/engine" not in failed.text


def test_a_program_that_cannot_be_compiled(embedded: Project) -> None:
    """Shows its line and what is wrong there, and no frame of the engine's or of Python's."""
    embedded.program("File('a')\ndef break_it(:\n    pass\n")
    failed = embedded.preview(code=255)
    assert "__main__.py" in failed.out
    assert "def break_it(:" in failed.out
    assert "SyntaxError: " in failed.out
    assert "Traceback" not in failed.text
    assert "runpy" not in failed.text
    assert "program_child" not in failed.text


def test_a_program_that_is_missing(embedded: Project) -> None:
    """Shows where it was looked for, and no frame of the engine's or of Python's."""
    embedded.program("File('a')")
    (program,) = embedded.root.rglob("__main__.py")
    program.unlink()
    failed = embedded.preview(code=255)
    assert f"can't find '__main__' module in '{program.parent}" in failed.out
    assert "Traceback" not in failed.text
    assert "program_child" not in failed.text


def test_a_program_that_ends_itself(embedded: Project) -> None:
    """An exit code is told; what it printed is shown."""
    embedded.program("import sys\nprint('bye')\nsys.exit(3)")
    failed = embedded.preview(code=255)
    assert "bye" in failed.out
    assert "exit code 3" in failed.out


def test_two_resources_of_one_name(embedded: Project) -> None:
    """Are refused with the name."""
    embedded.program("File('a')\nFile('a')")
    assert "two resources are named 'a'" in embedded.preview(code=255).out


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"PULUMI_BACKEND_URL": ""}, "no place for the state is given"),
        ({"PULUMI_BACKEND_URL": "s3://bucket"}, "keeps state in files only, not in s3://bucket"),
        ({"PULUMI_CONFIG_PASSPHRASE": "wrong"}, "incorrect passphrase"),
    ],
)
def test_a_wrong_environment(embedded: Project, environment: dict[str, str], words: str) -> None:
    """Each error names what to set."""
    embedded.extra_environment = environment
    failed = embedded.preview(code=255)
    assert words in failed.err
    assert "PULUMI_" in failed.err


def test_a_missing_passphrase(embedded: Project) -> None:
    """Is asked for on a terminal only; here the error names the variables."""
    embedded.unset = ("PULUMI_CONFIG_PASSPHRASE",)
    failed = embedded.preview(code=255)
    assert "no passphrase" in failed.err
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" in failed.err


def test_a_stack_that_is_not_there(embedded: Project) -> None:
    """And how to make it; a second one of the same name is refused."""
    missing = embedded.run("preview", "--stack", "prod", code=255)
    assert "no stack named 'prod'" in missing.err
    assert "stack init prod" in missing.err
    embedded.run("stack", "init", "prod")
    assert "exists already" in embedded.run("stack", "init", "prod", code=255).err
    ambiguous = embedded.run("preview", code=255)
    assert "several stacks: dev, prod" in ambiguous.err


def test_a_corrupt_checkpoint(embedded: Project) -> None:
    """Is told with its path, and left as it is."""
    embedded.checkpoint.write_text('{"version": 3, "checkpoint":')
    failed = embedded.up(code=255)
    assert f"the checkpoint {embedded.checkpoint} is corrupt" in failed.err
    assert "dev.json.bak" in failed.err
    assert embedded.checkpoint.read_text() == '{"version": 3, "checkpoint":'


def test_nobody_to_confirm(embedded: Project) -> None:
    """Without a terminal and without --yes nothing is changed."""
    embedded.program("File('a')")
    for command in ("up", "destroy", "refresh"):
        refused = embedded.run(command, "--stack", "dev", code=255)
        assert "--yes" in refused.err
    assert embedded.files() == {}


def test_a_lock_of_another_host(embedded: Project) -> None:
    """Is respected, and `cancel` removes it."""
    lock = embedded.root / "state/.pulumi/locks/organization/demo/dev/1.json"
    lock.parent.mkdir(parents=True)
    lock.write_text(
        json.dumps({"pid": 7, "username": "ann", "hostname": "elsewhere", "timestamp": "now"})
    )
    embedded.program("File('a')")
    refused = embedded.up(code=255)
    assert "ann@elsewhere, process 7" in refused.err
    assert "flink-jobs cancel" in refused.err
    assert "ann@elsewhere" in embedded.run("cancel", "--stack", "dev").out
    embedded.up()


def test_state_of_other_packages_is_not_touched(embedded: Project) -> None:
    """A stack that the CLI filled with other resources is refused as a whole."""
    document = json.loads(embedded.checkpoint.read_text())
    document["checkpoint"]["latest"]["resources"] = [
        {
            "urn": "urn:pulumi:dev::demo::aws:s3/bucket:Bucket::b",
            "custom": True,
            "id": "b",
            "type": "aws:s3/bucket:Bucket",
            "provider": "urn:pulumi:dev::demo::pulumi:providers:aws::default::1",
        }
    ]
    embedded.checkpoint.write_text(json.dumps(document))
    embedded.program("pass")
    for command in ("up", "destroy"):
        refused = embedded.run(command, "--yes", "--stack", "dev", code=255)
        assert "no plugin for the package `aws`" in refused.err
        assert "Bucket::b" in refused.err
    assert embedded.state()["resources"]


def test_targets_are_refused_by_name(embedded: Project) -> None:
    """They are the CLI's."""
    assert "--target" in embedded.up("--target", "urn:x", code=255).err


def test_no_cli_to_run_with(embedded: Project) -> None:
    """Asking for the CLI where there is none is told, with the other way."""
    embedded.extra_environment = {"PATH": "/nowhere"}
    refused = embedded.preview(engine="pulumi", code=255)
    assert "no `pulumi` on the PATH" in refused.err
    assert "--engine embedded" in refused.err
