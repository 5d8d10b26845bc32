"""Policy packs judge a run: resources before they change, and all of a stack."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.engine.demo_project import HERE, TIMEOUT_S, Project, wait_for

PACK = HERE / "programs" / "demo_pack"


def judged(project: Project, *words: str, **configuration: Any) -> tuple[str, ...]:
    """Return the options of a run that the pack judges, as it is configured.

    The CLI runs it in the first Python of the PATH, the embedded engine in its own.
    """
    path = (str(project.python / "bin"), os.environ["PATH"])
    project.extra_environment["PATH"] = os.pathsep.join(path)
    if not configuration:
        return ("--policy-pack", str(PACK), *words)
    file = project.root / "policies.json"
    file.write_text(json.dumps(configuration))
    return ("--policy-pack", str(PACK), "--policy-pack-config", str(file), *words)


def test_a_mandatory_policy_comes_before_all_changes(project: Project) -> None:
    """Every violation is shown, and nothing is created, also of what is permitted."""
    project.program("File('a', size=1)\nFile('b', size=11)\nFile('c', size=12)")
    for command in (project.preview, project.up):
        refused = command(*judged(project), code=None)
        assert refused.code != 0
        for told in ("b has 11 lines", "c has 12 lines", "[mandatory]"):
            assert told in refused.text
        assert "a has" not in refused.text
    assert project.files() == {}
    project.program("File('a', size=1)\nFile('b', size=10)")
    project.up(*judged(project))
    assert project.files().keys() == {"a", "b"}


def test_advice_stops_nothing_and_a_disabled_policy_says_nothing(project: Project) -> None:
    """Shows the levels of a configuration, by themselves, with parameters, and for all."""
    project.program("File('a', size=11)")
    advised = project.up(*judged(project, size="advisory"))
    assert "[advisory]" in advised.text
    assert "a has 11 lines" in advised.text
    project.program("File('a', size=12)")
    assert "a has" not in project.up(*judged(project, all="disabled")).text
    project.program("File('a', size=13)")
    assert "a has" not in project.up(*judged(project, size={"maximum": 13})).text
    assert project.files()["a"]["size"] == 13
    entry = {"maximum": 13, "enforcementLevel": "mandatory"}
    project.program("File('a', size=14)")
    refused = project.preview(*judged(project, all="disabled", size=entry), code=None)
    assert refused.code != 0
    assert "a has 14 lines" in refused.text


def test_the_pack_is_asked_as_by_the_cli(project: Project) -> None:
    """Of each resource with its checked inputs, of all at the end; secrets and unknowns marked."""
    project.program(
        "a = File('a', size=1, text=pulumi.Output.secret('hush'))\nFile('b', size=a.made)"
    )
    project.preview(*judged(project))
    calls = {each["name"]: each for each in project.calls() if each["method"] == "analyze"}
    assert calls["a"]["props"]["checked"] is True
    assert calls["a"]["props"]["text"]["value"] == "hush"
    assert calls["a"]["stack"] == "dev"
    assert not [key for key in calls["a"]["props"] if key.startswith("__")]
    assert calls["b"]["props"]["size"] == "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    assert {"demo-dev", "a", "b"} <= calls.keys()
    project.up("--skip-preview", *judged(project))
    called = project.called("check", "analyze", "create", "analyze_stack")
    begun = called[len(called) - called[::-1].index("check a") - 1 :]
    assert begun.index("analyze a") < begun.index("create a")
    assert begun.index("create a") < begun.index("analyze b") < begun.index("create b")
    assert begun[-1] == "analyze_stack a,b"


def test_all_of_a_stack_is_judged_before_it_is_begun(embedded: Project) -> None:
    """Shows that policies have a preview also where none is asked for."""
    embedded.program("File('a', size=1)\nFile('b', size=1)")
    refused = embedded.up("--skip-preview", *judged(embedded, number={"maximum": 1}), code=255)
    assert "[mandatory] number (demo): there are 2 files" in refused.text
    assert embedded.files() == {}
    document = json.loads(
        embedded.preview(*judged(embedded, number={"maximum": 1}), "--json", code=255).out
    )
    assert document["result"] == "failed"
    told = {(each["severity"], each["message"]) for each in document["diagnostics"]}
    assert ("error", "[mandatory] number (demo): there are 2 files") in told


def test_what_is_known_in_the_update_alone_is_judged_there(project: Project) -> None:
    """Shows a value that another resource makes: what has it is not created, nor is what follows.

    What was done before stays done, and is recorded.
    """
    project.program(
        "a = File('a', size=1)\nb = File('b', size=a.made.apply(lambda _: 11))\n"
        "File('c', size=1, opts=Options(depends_on=[b]))"
    )
    project.preview(*judged(project))
    refused = project.up(*judged(project), code=None)
    assert refused.code != 0
    assert "b has 11 lines" in refused.text
    assert project.files().keys() == {"a"}
    assert {"b", "c"}.isdisjoint(project.resources())
    assert project.processes() == []


def test_a_pack_that_fails_permits_nothing(embedded: Project) -> None:
    """Shows one that does not start, and one that fails where it is to judge."""
    embedded.program("File('a', size=1)")
    embedded.extra_environment["DEMO_PACK"] = "silent"
    refused = embedded.up("--skip-preview", *judged(embedded), code=255)
    assert f"the process of the policy pack {PACK} did not start" in refused.text
    assert "the pack does not start on purpose" in refused.text
    embedded.extra_environment["DEMO_PACK"] = "fails"
    refused = embedded.up("--skip-preview", *judged(embedded), code=255)
    assert f"the policy pack {PACK} failed (Analyze): " in refused.text
    assert "the pack failed on purpose" in refused.text
    assert "Traceback" not in refused.text
    assert embedded.files() == {}
    assert embedded.processes() == []


def test_a_run_can_be_ended_while_a_pack_judges(embedded: Project) -> None:
    """Shows a second Ctrl-C where a pack does not answer: all ends, and nothing was begun."""
    embedded.program("File('a', size=1)")
    embedded.extra_environment["DEMO_PACK"] = "hangs"
    process = embedded.start("up", "--yes", "--stack", "dev", *judged(embedded))
    wait_for(lambda: "analyze" in str(embedded.calls(forget=False)), "the pack to be asked")
    for words in ("interrupted: waiting", "stopping at once"):
        process.send_signal(signal.SIGINT)
        assert process.stdout
        assert next(line for line in process.stdout if words in line)
    process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130
    assert embedded.files() == {}
    wait_for(lambda: embedded.processes() == [], "its processes to end")


@pytest.mark.parametrize(
    ("configuration", "told"),
    [
        ({"size": {"maximum": "many"}}, "size.maximum: 'many' is not of type 'integer'"),
        (
            {"size": "loud"},
            "size: enforcementLevel must be one of advisory, mandatory, disabled, "
            'remediate (got "loud")',
        ),
        ({"size": 4}, "size must be a level, or an object (got 4)"),
        ({"all": {"maximum": 4}}, "all has a level alone"),
    ],
)
def test_an_invalid_configuration_is_refused(
    embedded: Project, configuration: dict[str, Any], told: str
) -> None:
    embedded.program("File('a', size=1)")
    refused = embedded.preview(*judged(embedded, **configuration), code=255)
    assert told in refused.text
    assert embedded.called("check") == []


def test_what_is_no_pack_is_refused(embedded: Project, tmp_path: Path) -> None:
    """Shows a directory without one, one of another runtime, and a configuration too many."""
    embedded.program("File('a', size=1)")
    refused = embedded.preview("--policy-pack", str(tmp_path), code=255)
    assert f"{tmp_path} is no policy pack: it has no PulumiPolicy.yaml" in refused.text
    (tmp_path / "PulumiPolicy.yaml").write_text("runtime: nodejs\n")
    refused = embedded.preview("--policy-pack", str(tmp_path), code=255)
    assert "does not support policy packs of the runtime nodejs" in refused.text
    twice = judged(embedded, size="advisory")
    refused = embedded.preview(*twice, *twice[2:], code=255)
    assert "1 policy packs and 2 configurations of them" in refused.text
    missing = embedded.preview(*twice[:3], str(tmp_path / "absent.json"), code=255)
    assert "absent.json, cannot be read: No such file or directory" in missing.text
