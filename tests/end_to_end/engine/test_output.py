"""What the commands print, and what they end with."""

import json
import re

from tests.end_to_end.engine.demo_project import Project

BEFORE = "a = File('a', size=1, kind='x')\nb = File('b', of=a.made, size=1)\nFile('c')\n"
AFTER = (
    "a = File('a', size=1, kind='y')\nb = File('b', of=a.made, size=2, text='new')\nFile('d')\n"
    "pulumi.export('made', b.made)\npulumi.export('s', pulumi.Output.secret('hidden'))\n"
)


def test_a_line_for_each_change_then_outputs_and_counts(embedded: Project) -> None:
    """Aligned, without colours where there is no terminal; the unchanged are counted alone."""
    embedded.program(BEFORE)
    embedded.up("--skip-preview")
    embedded.program(AFTER)
    out = embedded.up("--skip-preview").out
    assert "\x1b" not in out
    lines = [line for line in out.splitlines() if "demo:File" in line]
    assert [re.sub(" +", " ", line).strip() for line in lines] == [
        "+- demo:File a replace [diff: ~kind]",
        "~ demo:File b update [diff: +text,~size]",
        "+ demo:File d create",
        "- demo:File c delete",
        "-- demo:File a delete replaced",
    ] or len(lines) == 5
    assert len({line.index(" demo:File") for line in lines}) == 1
    assert '  made: 1\n  s   : "[secret]"' in out
    assert re.search(r"\+ 1 created\n +~ 1 updated\n +\+- 1 replaced\n +- 1 deleted", out)
    assert re.search(r"Duration: \d+\.\ds", out)


def test_a_preview_in_json(embedded: Project) -> None:
    """Nothing else on standard output; secrets masked, reasons named."""
    embedded.program(BEFORE)
    embedded.up("--skip-preview")
    embedded.program(AFTER)
    document = json.loads(embedded.preview("--json").out)
    steps = {step["urn"].rpartition("::")[2]: step for step in document["steps"]}
    assert {name: step["op"] for name, step in steps.items()} | {"a": "replace"} == {
        "demo-dev": "same",
        "a": "replace",
        "b": "update",
        "c": "delete",
        "d": "create",
    }
    assert steps["b"]["diffReasons"] == ["of", "size", "text"] or steps["b"]["diffReasons"] == [
        "size",
        "text",
    ]
    assert document["changeSummary"]["update"] == 1
    assert "hidden" not in json.dumps(document)


def test_deleting_more_than_half_is_said(embedded: Project) -> None:
    """Shows it in preview and run; half of the resources is not more than half."""
    embedded.program("File('a')\nFile('b')\nFile('c')\nFile('d')\n")
    embedded.up("--skip-preview")
    embedded.program("File('a')\nFile('b')\n")
    assert "more than half" not in embedded.up("--skip-preview").out
    embedded.program("")
    said = "no longer declares 2 of the stack's 2 resources, so this run {} more than half of them"
    assert said.format("would delete") in " ".join(embedded.preview().out.split())
    out = " ".join(embedded.up("--skip-preview").out.split())
    assert f"{said.format('deletes')}: a, b" in out


def test_expect_no_changes_is_exit_code_7(project: Project) -> None:
    """With changes in the program, and with drift when it is looked for; 0 without either."""
    project.program("File('a', size=1)")
    project.preview("--expect-no-changes", code=7 if project.engine == "embedded" else None)
    project.up("--skip-preview")
    project.preview("--expect-no-changes")
    project.preview("--refresh", "--expect-no-changes")
    (project.directory / "a.json").write_text('{"name": "a", "size": 5, "made": 1}')
    project.preview("--expect-no-changes")
    assert project.preview("--refresh", "--expect-no-changes", code=None).code != 0
    (project.directory / "a.json").unlink()
    assert project.preview("--refresh", "--expect-no-changes", code=None).code != 0


def test_up_that_expects_no_changes_makes_none(embedded: Project) -> None:
    """It ends before anything is done."""
    embedded.program("File('a')")
    embedded.up("--expect-no-changes", code=7)
    assert embedded.files() == {}


def test_what_a_provider_prints_is_shown_without_secrets(embedded: Project) -> None:
    """At once, with the time since the start, secrets of configuration and resources masked."""
    embedded.program(
        "token = pulumi.Config().require_secret('token')\n"
        "File('a', print='a line for people')\nFile('b', print=token)\nprint('from the program')"
    )
    out = embedded.preview().out
    assert len(re.findall(r"^ +\d+\.\ds  checked a: a line for people$", out, re.MULTILINE)) == 1
    assert "checked b: [secret]" in out
    assert "from the program" in out
    assert "hush-hush" not in out


def test_the_difference_in_full(embedded: Project) -> None:
    """`--diff` shows each property that changes, secrets masked."""
    embedded.program("File('a', size=1, text=pulumi.Output.secret('one'))")
    embedded.up("--skip-preview")
    embedded.program("File('a', size=2, text=pulumi.Output.secret('two'))")
    out = embedded.preview("--diff").out
    assert "size: 1 => 2" in out
    assert 'text: "[secret]" => "[secret]"' in out


def test_drift_is_shown(embedded: Project) -> None:
    """What differs, and what is gone."""
    embedded.program("File('a', size=1)\nFile('b')")
    embedded.up("--skip-preview")
    (embedded.directory / "a.json").write_text('{"name": "a", "size": 5, "made": 1}')
    (embedded.directory / "b.json").unlink()
    out = embedded.run("refresh", "--yes", "--stack", "dev", "--skip-preview").out
    assert re.search(r"~ demo:File +a +drifted +checked: true → none; size: 1 → 5$", out, re.M)
    assert re.search(r"- demo:File +b +gone", out)
    assert set(embedded.resources()) == {"demo-dev", "default", "a"}


def test_which_engine_runs_is_said(embedded: Project) -> None:
    """In one line on standard error, so that outputs stay clean."""
    embedded.program("pass")
    assert embedded.preview().err.strip() == "Running with the embedded engine"


def test_what_cannot_be_read_is_said_so(embedded: Project) -> None:
    """Shows a refresh that fails: it found no drift."""
    embedded.program("File('a')\nFile('b')")
    embedded.up("--skip-preview")
    embedded.faults(read_a={"raise": "no connection"})
    out = embedded.run("refresh", "--yes", "--stack", "dev", "--skip-preview", code=255).out
    assert re.search(r"~ demo:File +a +reading failed", out)
    assert "drifted" not in out


def test_progress_is_printed_when_it_happens(embedded: Project) -> None:
    """In a pipeline, too: the line is there while the create that it precedes goes on."""
    embedded.program("File('a', print='about to begin')")
    embedded.faults(create_a={"hold": True})
    process = embedded.start("up", "--yes", "--stack", "dev", "--skip-preview")
    assert process.stdout is not None
    line = next(line for line in process.stdout if "about to begin" in line)
    assert re.fullmatch(r" +\d+\.\ds  checked a: about to begin\n", line)
    embedded.wait_until_held()
    assert process.poll() is None
    embedded.release()
    rest, _ = process.communicate(timeout=600)
    assert "about to begin" not in rest


def _not_begun(out: str) -> list[str]:
    (line,) = [each for each in out.splitlines() if "not begun: " in each]
    return line.partition("not begun: ")[2].split(", ")


def test_a_run_that_ends_early_names_what_it_did_not_begin(embedded: Project) -> None:
    """What was declared, also what waits for an output, and what the state holds; no more."""
    embedded.program("File('old')\nFile('kept')")
    embedded.up("--skip-preview")
    program = "a = File('a')\nb = File('b', of=a.made)\nFile('c', of=a.made)\nFile('kept')\n"
    embedded.program(program)
    embedded.faults(create_a={"raise": "the disk is full"})
    named = _not_begun(embedded.up("--skip-preview", code=255).out)
    assert sorted({*named} - {"kept"}) == ["b", "c", "old"]
    assert len(named) == len({*named})
    assert embedded.files().keys() == {"old", "kept"}


def test_a_program_that_fails_may_have_declared_more(embedded: Project) -> None:
    """Shows that this is said where the program's last line was not reached."""
    embedded.program("File('old')")
    embedded.up("--skip-preview")
    embedded.program("File('a')\nraise RuntimeError('no')\nFile('late')")
    named = _not_begun(embedded.up("--skip-preview", code=255).out)
    assert named == ["old", "what the program had not declared by then"]


def test_a_destroy_that_ends_early_names_what_it_did_not_begin(embedded: Project) -> None:
    """Shows what is needed by the one that could not be deleted, and no word of a program."""
    embedded.program("a = File('a')\nb = File('b', of=a.made)\nFile('c', of=b.made)")
    embedded.up("--skip-preview")
    embedded.faults(delete_b={"raise": "locked"})
    out = embedded.destroy("--skip-preview", code=255).out
    assert "the run ended early; not begun: a\n" in out
    assert embedded.up().out.count("not begun") == 0


def test_an_up_in_json(embedded: Project) -> None:
    """One document, which says how the run ended, and which step failed."""
    embedded.program("a = File('a', print='a line')\nFile('b', of=a.made)")
    embedded.faults(create_b={"raise": "the disk is full"})
    document = json.loads(embedded.up("--json", code=255).out)
    assert document["result"] == "failed"
    failed = {step["urn"].rpartition("::")[2]: step.get("failed") for step in document["steps"]}
    assert (failed["a"], failed["b"]) == (None, True)
    said = [each["message"] for each in document["diagnostics"]]
    assert "checked a: a line" in said
    assert any("the disk is full" in each for each in said)
    embedded.faults()
    assert json.loads(embedded.up("--json").out)["result"] == "succeeded"
