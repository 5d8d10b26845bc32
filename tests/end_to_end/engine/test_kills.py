"""A kill -9 at any moment loses nothing: the next `up` brings everything to what it should be."""

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.engine.demo_project import Project, wait_for
from tests.end_to_end.flink.targets import ALL
from tests.processes import command_of

BEFORE = (
    "keep = File('keep', size=1)\nchange = File('change', size=1)\n"
    "swap = File('swap', kind='x')\nswitch = File('switch', kind='x', delete_first=True)\n"
    "gone = File('gone', of=change.made)\n"
)
AFTER = (
    "keep = File('keep', size=1)\nchange = File('change', size=2)\n"
    "swap = File('swap', kind='y')\nswitch = File('switch', kind='y', delete_first=True)\n"
    "new = File('new', of=change.made)\npulumi.export('new', new.made)\n"
)
MUTATIONS = 7
"""What AFTER asks of the provider: update change; replace swap and switch; create new; delete gone
and the old swap. Each of the two replacements is a create and a delete."""


def end_with(project: Project) -> None:
    """Check that `up` mends everything, and that nothing is left to do then."""
    project.faults()
    project.up("--skip-preview")
    files = project.files()
    # The demo's old swap and new swap are one file: whichever is deleted last takes it along.
    assert sorted({*files, "swap"}) == ["change", "keep", "new", "swap", "switch"]
    assert files["change"]["size"] == 2
    assert files["switch"]["kind"] == "y"
    assert set(project.resources()) == {
        "demo-dev",
        "default",
        "keep",
        "change",
        "swap",
        "switch",
        "new",
    }
    assert "pending_operations" not in project.state()
    assert not list((project.root / "state/.pulumi/locks").rglob("*.json"))
    project.calls()
    project.preview("--expect-no-changes")
    assert project.called("create", "update", "delete") == []


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Name where the state and the files of BEFORE are kept, once they were made."""
    return tmp_path_factory.mktemp("begun")


@pytest.fixture
def changing(embedded: Project, begun: Path) -> Project:
    """Return a project whose stack holds BEFORE, and whose program is AFTER."""
    kept = {embedded.root / name: begun / name for name in ("state", "files")}
    if all(copy.exists() for copy in kept.values()):
        for directory, copy in kept.items():
            shutil.copytree(copy, directory, dirs_exist_ok=True)
    else:
        embedded.program(BEFORE)
        embedded.up("--skip-preview")
        for directory, copy in kept.items():
            shutil.copytree(directory, copy)
    embedded.program(AFTER)
    return embedded


#: Every test run has a kill at each call; CI has both of each, and kills before writes.
CALLS = [
    pytest.param(number, when, id=f"{number}-{when}")
    for number in range(1, MUTATIONS + 1)
    for index, when in enumerate(["before", "after"])
    if ALL or index == number % 2
]


@pytest.mark.parametrize(("number", "when"), CALLS)
def test_engine_and_provider_killed_at_a_call(changing: Project, number: int, when: str) -> None:
    """Killed right before or after each call that changes something."""
    (changing.directory / "faults.json").write_text(
        f'{{"mutation:{number}": {{"kill": "{when}"}}}}'
    )
    process = changing.start("up", "--yes", "--stack", "dev", "--skip-preview", "--parallel", "1")
    process.communicate(timeout=600)
    assert process.returncode == -signal.SIGKILL
    assert changing.state()["pending_operations"], "the operation was on disk before it began"
    end_with(changing)


KILLING = """
import os, signal, sys
from flink_jobs_provider.engine import operations

number, when = int(sys.argv.pop(1)), sys.argv.pop(1)
write, count = operations.write_durably, 0

def killing_write(path, text):
    global count
    count += 1
    if (count, when) == (number, "before"):
        os.kill(os.getpid(), signal.SIGKILL)
    if (count, when) == (number, "within"):
        path.with_name(f".{path.name}.new").write_text(text[: len(text) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, text)
    if (count, when) == (number, "after"):
        os.kill(os.getpid(), signal.SIGKILL)

operations.write_durably = killing_write
from flink_jobs_provider.cli import main
main()
"""


@pytest.mark.parametrize("when", [*(["before"] if ALL else []), "within", "after"])
def test_engine_killed_at_each_write(changing: Project, when: str) -> None:
    """Killed at the first write, then at the second, and so on until a run comes through.

    The engine alone dies; each run goes on where the one before was killed.
    """
    for number in range(1, 60):
        arguments = changing.command(
            "up", "--yes", "--stack", "dev", "--skip-preview", "--parallel", "1"
        )[3:]
        process = subprocess.run(
            [*changing.command()[:1], "-c", KILLING, str(number), when, *arguments],
            env=changing.environment,
            cwd=changing.root,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, process.stdout + process.stderr
    assert number > 2
    end_with(changing)


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ([], "Run up --refresh, which reads what runs now"),
        (["--refresh"], "is not known. This run reads what runs now"),
    ],
    ids=["up", "up --refresh"],
)
def test_the_next_up_takes_over_and_says_what_was_pending(
    embedded: Project, options: list[str], advice: str
) -> None:
    """The lock of the dead run is taken over, the interrupted create is named and done again."""
    embedded.program("File('a', size=1)")
    embedded.faults(create_a={"kill": "after"})
    embedded.start("up", "--yes", "--stack", "dev").communicate(timeout=600)
    assert embedded.files()["a"]["made"] == 1
    embedded.faults()
    again = embedded.up(*options)
    assert "taking over the lock of a run that died" in again.out
    assert "interrupted while creating 'a'" in again.out
    assert advice in again.out
    assert embedded.files()["a"]["made"] == 2
    assert "interrupted" not in embedded.up().out


def test_the_program_dies_with_the_engine_and_the_provider_lives_on(embedded: Project) -> None:
    """As under the CLI: what the provider has begun goes on; it is for it to look who is left."""
    embedded.program("import time\nFile('a', size=1)\npulumi.export('x', 1)")
    embedded.faults(create_a={"hold": True})
    process = embedded.start("up", "--yes", "--stack", "dev", "--skip-preview")
    embedded.wait_until_held()
    assert _kinds(embedded) == {"program", "provider"}
    process.kill()
    process.communicate(timeout=600)
    wait_for(lambda: _kinds(embedded) == {"provider"}, "the program to end")
    (provider,) = (each for each in embedded.processes() if "pulumi.dynamic" in command_of(each))
    assert provider.ppid() != process.pid
    embedded.release()
    wait_for(lambda: "a" in embedded.files(), "the provider to go on")


@pytest.mark.parametrize("how", ["succeeds", "program fails", "create fails", "provider dies"])
def test_nothing_is_left_behind(embedded: Project, how: str) -> None:
    """However a run ends by itself, program and provider are gone when it has ended."""
    fails: dict[str, dict[str, object]] = {
        "create fails": {"raise": "no"},
        "provider dies": {"die": True},
    }
    embedded.preloaded = False  # its processes are looked for
    embedded.faults(create_a=fails.get(how, {}))
    embedded.program("File('a')\n" + ("raise ValueError('no')" if how == "program fails" else ""))
    embedded.up(code=None)
    assert _kinds(embedded) == set()


def test_a_provider_that_dies_leaves_its_operation_pending(embedded: Project) -> None:
    """Nobody knows how far it came, so the state says so; the next run does it again."""
    embedded.program("File('a', size=1)")
    embedded.faults(create_a={"die": True})
    failed = embedded.up("--skip-preview", code=255)
    assert "the dynamic provider's process is gone (during Create)" in failed.out
    assert [each["type"] for each in embedded.state()["pending_operations"]] == ["creating"]
    embedded.faults()
    embedded.up()
    assert "pending_operations" not in embedded.state()


def test_two_runs_at_once_are_kept_apart(embedded: Project) -> None:
    """The second is refused and changes nothing; a look at the state is allowed."""
    embedded.program("File('a', size=1)")
    embedded.faults(create_a={"hold": True})
    first = embedded.start("up", "--yes", "--stack", "dev", "--skip-preview")
    embedded.wait_until_held()
    refused = embedded.up(code=255)
    assert f"process {first.pid}" in refused.err
    embedded.preview()
    embedded.release()
    first.communicate(timeout=600)
    assert first.returncode == 0


def _kinds(project: Project) -> set[str]:
    kinds = set()
    for process in project.processes():
        command = " ".join(command_of(process))
        if "program_child" in command:
            kinds.add("program")
        elif "pulumi.dynamic" in command:
            kinds.add("provider")
    return kinds
