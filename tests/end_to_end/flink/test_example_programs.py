"""The example programs in each language, with the real Pulumi CLI and its language hosts.

Where there is none, the Python program runs by the embedded engine, and the other ones are compared
with the plugin's schema; the one in YAML is checked by the plugin.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from flink_jobs_provider.engine.stacks import Place
from flink_jobs_provider.plugin import package_schema
from tests.counting_output import assert_counts_continuous
from tests.empty_stacks import PASSPHRASE, command_with_key, make_empty_stack
from tests.flink_cluster import FlinkCluster
from tests.plugin_engine import plugin_run
from tests.stack_project import NO_PULUMI_CLI, PLUGIN_DIRECTORY, PULUMI_CLI
from tests.waiting import wait_until

_NEEDS_THE_CLI = pytest.mark.skipif(not PULUMI_CLI, reason=NO_PULUMI_CLI)
_EXAMPLES = Path(__file__).parents[3] / "examples"
_PLUGIN = PLUGIN_DIRECTORY / "pulumi-resource-flink-jobs"
_ENDED = {"FINISHED", "FAILED", "CANCELED"}
#: The language host of each example, and what else it needs, on the PATH.
_NEEDED = {
    "python": ("pulumi-language-python",),
    "typescript": ("pulumi-language-nodejs", "node", "npm"),
    "go": ("pulumi-language-go", "go"),
    "yaml": ("pulumi-language-yaml",),
}
#: The program of each language that has an SDK from the schema.
_WITH_SDK = {"typescript": "index.ts", "go": "main.go"}
#: An SDK, and what its installation writes.
_WRITTEN = ("node_modules", "sdks", "Pulumi.*.yaml", "package-lock*", "go.sum")


class Example:
    """A copy of an example's project, in a place where its relative paths hold.

    Its commands are those of the Pulumi CLI, or, with `embedded`, those of the embedded engine.
    """

    def __init__(self, language: str, root: Path, *, embedded: bool = False) -> None:
        self.name = f"counting-{language}"
        self.language = language
        self.root = root
        self.directory = root / "examples/programs" / language
        left_out = shutil.ignore_patterns(*_WRITTEN)
        shutil.copytree(_EXAMPLES / "programs" / language, self.directory, ignore=left_out)
        (root / "examples/counting").symlink_to(_EXAMPLES / "counting")
        (root / ".venv").symlink_to(sys.prefix)
        for name in ("state", "bin"):
            (root / name).mkdir()
        (root / "bin/uv").symlink_to(PLUGIN_DIRECTORY / "uv")
        (root / "uv.lock").symlink_to(_EXAMPLES.parent / "uv.lock")  # which `make env` writes
        self._embedded = embedded
        if embedded:
            make_empty_stack(Place.find(self.directory, self._environment()), "dev")
        else:
            self.run("stack", "init", "dev")

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if "PULUMI" not in name}
        path = [each for each in kept["PATH"].split(":") if Path(each) != PLUGIN_DIRECTORY]
        return {
            **kept,
            "PATH": ":".join([*path, str(self.root / "bin")]),
            "PULUMI_BACKEND_URL": f"file://{self.root}/state",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_HOME": str(self.root / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "1",
        }

    def run(self, *words: str, fails: bool = False) -> str:
        """Run a command, which must succeed, or must fail; return what it writes."""
        done = subprocess.run(
            [*command_with_key(), *words, "--engine", "embedded"]
            if self._embedded
            else ["pulumi", *words, "--non-interactive", "--color", "never"],
            cwd=self.directory,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) is fails, (
            f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done.stdout + (done.stderr if fails else "")

    def edit(self, file: str, *changes: tuple[str, str]) -> None:
        """Replace texts of a file, each of which is there."""
        path = self.directory / file
        source = path.read_text(encoding="utf-8")
        for before, after in changes:
            assert before in source, before
            source = source.replace(before, after)
        path.write_text(source, encoding="utf-8")

    def add_sdk(self) -> None:
        """Let the CLI write the SDK of the language, if it has one from the schema."""
        if self.language in _WITH_SDK:
            self.run("package", "add", str(_PLUGIN))

    def configure(self, cluster: FlinkCluster, output: Path) -> None:
        """Set where the job runs, and what it writes."""
        for key, value in {"url": cluster.url, "output": output, "parallelism": 1}.items():
            self.run("config", "set", key, str(value))

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs."""
        command = ["outputs"] if self._embedded else ["stack", "output"]
        found: dict[str, Any] = json.loads(self.run(*command, "--json"))
        return found


@pytest.fixture
def example(tmp_path: Path) -> Callable[[str], Example]:
    """Return a maker of examples by their languages."""

    def make(language: str) -> Example:
        for program in _NEEDED[language]:
            if not shutil.which(program):
                pytest.skip(f"{program} is not on the PATH")
        return Example(language, tmp_path / language)

    return make


def _compile(made: Example) -> subprocess.CompletedProcess[str]:
    """Check the program against its SDK, as an editor or a build would."""
    command = {
        "typescript": ["node_modules/.bin/tsc", "--project", "."],
        "go": ["go", "vet", "."],
    }[made.language]
    return subprocess.run(command, cwd=made.directory, capture_output=True, text=True, check=False)


#: A misspelt property of each language with an SDK, and what its compiler answers.
_MISSPELT = {
    "typescript": ("parallelism:", "paralelism:", "'paralelism' does not exist in type 'JobArgs'"),
    "go": ("Parallelism:", "Paralelism:", "unknown field Paralelism in struct literal"),
}


@pytest.mark.pulumi_cli
@_NEEDS_THE_CLI
@pytest.mark.parametrize("language", _NEEDED)
def test_the_life_of_a_job(
    example: Callable[[str], Example], flink_2: FlinkCluster, tmp_path: Path, language: str
) -> None:
    """Shows create, preview, update with its state, drift gate and destroy."""
    made = example(language)
    made.add_sdk()
    if language in _WITH_SDK:
        checked = _compile(made)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        right, wrong, told = _MISSPELT[language]
        made.edit(_WITH_SDK[language], (right, wrong))
        refused = _compile(made)
        assert told in refused.stdout + refused.stderr
        made.edit(_WITH_SDK[language], (wrong, right))
    _show_the_life_of_a_job(made, flink_2, tmp_path / "counts")


def test_the_python_program_by_the_embedded_engine(flink_2: FlinkCluster, tmp_path: Path) -> None:
    """Shows the same without the Pulumi CLI."""
    made = Example("python", tmp_path / "python", embedded=True)
    _show_the_life_of_a_job(made, flink_2, tmp_path / "counts")


def _show_the_life_of_a_job(made: Example, cluster: FlinkCluster, output: Path) -> None:
    made.configure(cluster, output)
    created = made.run("up", "--yes", "--skip-preview")
    assert "using pulumi-resource-flink-jobs from $PATH" not in created
    before = made.outputs()["job_id"]
    assert cluster.jobs()[before]["state"] == "RUNNING"
    wait_until(lambda: assert_counts_continuous(output).total > 0, 60, "it counts")

    made.run("config", "set", "parallelism", "2")
    document = json.loads(made.run("preview", "--json"))
    [step] = [each for each in document["steps"] if each["op"] != "same"]
    assert (step["op"], step["urn"].rpartition("::")[2]) == ("update", "counting")
    made.run("up", "--yes", "--skip-preview")
    seen = made.outputs()
    assert cluster.jobs()[before]["state"] == "FINISHED"
    assert cluster.jobs()[seen["job_id"]]["state"] == "RUNNING"
    assert f"/{made.name}/{before}/" in seen["last_savepoint"]
    assert_counts_continuous(output)
    made.run("preview", "--refresh", "--expect-no-changes")

    made.run("destroy", "--yes", "--skip-preview")
    assert cluster.jobs()[seen["job_id"]]["state"] in _ENDED
    left = [each for each in psutil.process_iter() if _is_left_by(each, made)]
    assert left == []


def _is_left_by(process: psutil.Process, made: Example) -> bool:
    try:
        return process.environ().get("PULUMI_HOME") == str(made.root / "home")
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


#: How the arguments of each program become a secret.
_SECRET_ARGS = {
    "python": [("args=[", "args=pulumi.Output.secret(["), ('"50"],', '"50"]),')],
    "typescript": [("args: [", "args: pulumi.secret(["), ('"50"],', '"50"]),')],
    "go": [("pulumi.ToStringArray(args)", "pulumi.ToSecret(pulumi.ToStringArray(args))")],
    "yaml": [("args: [", 'args: {"fn::secret": ['), ('"50"]', '"50"]}')],
}


@pytest.mark.pulumi_cli
@_NEEDS_THE_CLI
@pytest.mark.parametrize("language", ["typescript", "go", "yaml"])
def test_a_job_of_the_dynamic_provider_is_taken_over(
    example: Callable[[str], Example], flink_2: FlinkCluster, tmp_path: Path, language: str
) -> None:
    """Shows a stack of a Python program with a secret: the same owner, no change, no restart."""
    source = _EXAMPLES / "programs/python"
    made = example(language)
    made.add_sdk()
    made.configure(flink_2, tmp_path / "counts")
    target = made.directory
    made.edit(_WITH_SDK.get(language, "Pulumi.yaml"), *_SECRET_ARGS[language])
    made.directory = target.with_name("python")
    shutil.copytree(source, made.directory, ignore=shutil.ignore_patterns(*_WRITTEN))
    shutil.copy(target / "Pulumi.dev.yaml", made.directory)
    made.edit("Pulumi.yaml", ("name: counting-python", f"name: {made.name}"))
    made.edit(
        "__main__.py",
        ("from flink_jobs_provider.plugin import Job", "from flink_jobs_provider import FlinkJob"),
        ("= Job(", "= FlinkJob("),
        ("counting-python", made.name),
        *_SECRET_ARGS["python"],
    )
    made.run("stack", "select", "dev")
    made.run("up", "--yes", "--skip-preview")
    job_id = made.outputs()["job_id"]

    made.directory = target
    made.run("preview", "--expect-no-changes")
    made.run("up", "--yes", "--skip-preview", "--expect-no-changes")
    made.run("preview", "--refresh", "--expect-no-changes")
    assert made.outputs()["job_id"] == job_id
    assert flink_2.jobs()[job_id]["state"] == "RUNNING"
    recorded = json.loads(made.run("stack", "export"))
    resources = recorded["deployment"]["resources"]
    [job] = [each for each in resources if each["urn"].endswith("::counting")]
    assert job["type"] == "flink-jobs:index:Job"
    assert job["outputs"]["owner"] == f"organization/{made.name}/dev"
    assert str(tmp_path / "counts") not in json.dumps(job)
    made.run("destroy", "--yes", "--skip-preview")
    assert flink_2.jobs()[job_id]["state"] in _ENDED


@pytest.mark.pulumi_cli
@_NEEDS_THE_CLI
@pytest.mark.parametrize(
    ("wrong", "tells"),
    [
        ("paralelism: 2", "Property paralelism does not exist"),
        ("parallelism: 0", "property parallelism value {0} has a problem: must be greater"),
        ("upgrade_mode: bluegreen", "upgrade_mode"),
    ],
)
def test_bad_input_in_yaml(example: Callable[[str], Example], wrong: str, tells: str) -> None:
    """Shows that it is told at its property, before anything is done."""
    made = example("yaml")
    program = made.directory / "Pulumi.yaml"
    source = program.read_text(encoding="utf-8")
    program.write_text(source.replace("parallelism: ${parallelism}", wrong), encoding="utf-8")
    told = made.run("preview", fails=True)
    assert tells in told
    assert "Traceback" not in told


#: What passes the compiler of a language, in a program of several problems: how it is written.
_PASSES_THE_COMPILER = {
    "typescript": [
        ("on_delete:", 'upgrade_mode: "bluegreen" as any,\n    on_delete:'),
        ("counting-job.jar", "no.jar"),
        ("args: [", "args: 3 as any, // ["),
    ],
    "go": [
        ("On_delete: ", 'Upgrade_mode: flink.UpgradeMode("bluegreen"),\n\t\t\tOn_delete: '),
        ("counting-job.jar", "no.jar"),
        ("Args:        pulumi.ToStringArray(args)", "Args: pulumi.Int(len(args) - 3)"),
    ],
}


@pytest.mark.pulumi_cli
@_NEEDS_THE_CLI
@pytest.mark.parametrize("language", _WITH_SDK)
def test_bad_input_that_a_compiler_passes(example: Callable[[str], Example], language: str) -> None:
    """Shows each problem in a line at its property, of one report: values, a word, types, a jar."""
    made = example(language)
    made.add_sdk()
    for key, value in {"url": "http://127.0.0.1:9", "output": "out", "parallelism": "0"}.items():
        made.run("config", "set", key, value)
    made.edit(_WITH_SDK[language], *_PASSES_THE_COMPILER[language])
    told = made.run("preview", fails=True)
    for problem in (
        "property parallelism value {0} has a problem: must be greater",
        "property upgrade_mode value {bluegreen} has a problem: must be 'savepoint'",
        "property args value {3} has a problem: must be a list of texts (got a number instead)",
        "property jar value {../../counting/no.jar} has a problem: cannot open",
    ):
        assert [line for line in told.splitlines() if problem in line], told
    assert "Traceback" not in told
    assert "    at " not in told  # nor a stack of Node's
    assert "goroutine" not in told  # nor one of Go's


@pytest.mark.pulumi_cli
@_NEEDS_THE_CLI
def test_sdks_that_no_program_has_are_whole(example: Callable[[str], Example]) -> None:
    """Shows those of `gen-sdk`: one of Go compiles, one of Node has the version of this project."""
    made = example("go")
    for language in ("go", "nodejs"):
        made.run("package", "gen-sdk", str(_PLUGIN), "--language", language, "--out", "sdk")
    package = json.loads((made.directory / "sdk/nodejs/package.json").read_text(encoding="utf-8"))
    assert package["version"] == package_schema.version()
    made.directory /= "sdk/go"
    for command in (["go", "mod", "tidy"], ["go", "vet", "./..."]):
        done = subprocess.run(
            command, cwd=made.directory, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.pulumi_cli
@_NEEDS_THE_CLI
def test_an_installed_archive_serves_a_program(
    example: Callable[[str], Example], flink_2: FlinkCluster, tmp_path: Path
) -> None:
    """Shows a YAML program that names no plugin: the CLI finds the one that it has installed."""
    made = example("yaml")
    program = made.directory / "Pulumi.yaml"
    lines = program.read_text(encoding="utf-8").splitlines(keepends=True)
    first = lines.index("plugins:\n")
    program.write_text("".join([*lines[:first], *lines[first + 4 :]]), encoding="utf-8")
    written = subprocess.run(
        [PLUGIN_DIRECTORY / "flink-jobs", "plugin", "archive", str(tmp_path / "dist"), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    _, *install = json.loads(written.stdout)["install"].split()
    made.run(*install)
    made.run("config", "set", "url", flink_2.url)
    made.run("config", "set", "output", str(tmp_path / "counts"))
    told = made.run("up", "--yes", "--skip-preview")
    assert flink_2.jobs()[made.outputs()["job_id"]]["state"] == "RUNNING"
    assert "from $PATH" not in told
    made.run("destroy", "--yes", "--skip-preview")


def _declared(language: str) -> dict[str, Any]:
    """Return the names of the properties that a program gives, each with its value in YAML."""
    directory = _EXAMPLES / "programs" / language
    if language == "yaml":
        project = yaml.safe_load((directory / "Pulumi.yaml").read_text(encoding="utf-8"))
        found: dict[str, Any] = project["resources"]["counting"]["properties"]
        return found
    source, indent = {
        "python": ("__main__.py", r"    (\w+)="),
        "typescript": ("index.ts", r" {4}(\w+): "),
        "go": ("main.go", r"\t{3}(\w+): "),
    }[language]
    text = (directory / source).read_text(encoding="utf-8")
    names = re.findall(f"^{indent}", text, re.MULTILINE)
    return dict.fromkeys(f"{each[0].lower()}{each[1:]}" for each in names)  # Go: Job_name


@pytest.mark.parametrize("language", _NEEDED)
def test_the_programs_declare_the_same_properties(language: str) -> None:
    """Shows that all of them are in the schema, of which SDKs and the YAML host know them."""
    schema = json.loads(package_schema.text())["resources"]["flink-jobs:index:Job"]
    declared = _declared(language).keys()
    assert declared == _declared("yaml").keys()
    assert set(schema["requiredInputs"]) <= declared <= schema["inputProperties"].keys()


def test_the_yaml_program_is_valid(tmp_path: Path) -> None:
    """Shows that the plugin accepts it, and a misspelt value of an input at its property."""
    inputs = _declared("yaml")
    values = {"url": "http://127.0.0.1:8081", "output": str(tmp_path), "parallelism": "2"}
    given = json.loads(re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], json.dumps(inputs)))
    given["jar"] = str(_EXAMPLES / "counting/counting-job.jar")
    given |= {"owner": "organization/counting-yaml/dev", "parallelism": int(given["parallelism"])}
    with plugin_run(tmp_path) as engine:
        engine.checked("counting", given)
        [failure] = engine.check("counting", given | {"on_delete": "savepoints"}).failures
        assert failure.property == "on_delete"
