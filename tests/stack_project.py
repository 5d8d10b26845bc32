"""A Pulumi project whose stack declares Flink jobs, run through an engine as a user would.

The jobs are data (`jobs.json` beside the program), so that a test edits them between two runs. An
input `{"secret": value}` becomes a Pulumi secret, `{"config": key}` a secret of the stack's
configuration.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest

from flink_jobs_provider.engine.stacks import Place
from tests.empty_stacks import PASSPHRASE, command_with_key, make_empty_stack
from tests.preloaded import PreloadedCommand, start
from tests.processes import command_of
from tests.waiting import wait_until

PULUMI_CLI = shutil.which("pulumi")
NO_PULUMI_CLI = "the Pulumi CLI is not on the PATH: this was shown for the embedded engine alone"
#: The engines, with the marks of the tests that run by each.
ENGINES: dict[str, list[pytest.MarkDecorator]] = {
    "embedded": [],
    "pulumi": [
        pytest.mark.pulumi_cli,
        pytest.mark.skipif(not PULUMI_CLI, reason=NO_PULUMI_CLI),
    ],
}
#: Where this project's own plugin is, which `plugins:` of Pulumi.yaml names.
PLUGIN_DIRECTORY = Path(sys.executable).parent
#: No command of a test takes this long; one that does hangs.
COMMAND_TIMEOUT_S = 600.0
_PROGRAM = '''\
"""Declare the jobs of jobs.json, and export what is known of each."""

import json
import pathlib

import pulumi

{job}


def read(value):
    if isinstance(value, dict):
        if set(value) == {"secret"}:
            return pulumi.Output.secret(value["secret"])
        if set(value) == {"config"}:
            return pulumi.Config().require_secret(value["config"])
        return {name: read(each) for name, each in value.items()}
    return [read(each) for each in value] if isinstance(value, list) else value


for name, inputs in json.loads(pathlib.Path("jobs.json").read_text()).items():
    job = FlinkJob(name, **read(inputs))
    seen = ("job_id status action action_result job_output last_savepoint savepoints generation "
            "restored_from running_parallelism flink_version dashboard_url duplicates jar_digest")
    pulumi.export(name, {output: getattr(job, output) for output in seen.split()})
'''


#: The class of a job, by the face of the provider that runs it.
_JOBS = {
    "dynamic": "from flink_jobs_provider import FlinkJob",
    "plugin": "from flink_jobs_provider.plugin import Job as FlinkJob",
}
_TYPES = (":FlinkJob", ":Job")


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """All that it wrote."""
        return self.out + self.err

    @property
    def lines(self) -> list[str]:
        """All that it wrote, line by line, without blanks around it or the time before it."""
        return [re.sub(r"^\d+\.\ds  ", "", line.strip()) for line in self.text.splitlines()]

    def assert_says(self, *texts: str) -> None:
        """Assert that each text is part of what it wrote; else show all that it wrote."""
        missing = [text for text in texts if text not in self.text]
        assert not missing, f"it does not say {missing}\n{self.text}"


class StackProject:
    """A project with one stack, in a directory of its own.

    Its jobs have no settle time, unless they name one: what is tested is something else.

    Args:
        root: An empty directory.
        engine: `embedded` or `pulumi`.
        cluster_url: The Flink session cluster that is the target of every job that names none.
        python: An environment with everything installed; one that the Pulumi CLI takes if the
            engine is `pulumi` (`make_cli_python`).
        stack: Name of the stack; with the project's name part of the jobs' owner.
        target: The target of every job that names none, where that is another than `cluster_url`.

    Attributes:
        jobs: The inputs of each job by resource name; edit them, and run again.
        environment: Added to the environment of the commands.
        face: What runs the jobs, `dynamic` or `plugin`; `write_program` puts it into effect.
        preloaded: Whether commands that run to their end are forked off a preloaded process.

    """

    preloaded: ClassVar[bool] = True

    def __init__(
        self,
        root: Path,
        engine: str,
        cluster_url: str,
        python: Path | None = None,
        *,
        stack: str = "dev",
        target: Mapping[str, Any] | None = None,
    ) -> None:
        self.root = root
        self.engine = engine
        self.cluster_url = cluster_url
        self.target = target
        self.stack = stack
        self.jobs: dict[str, dict[str, Any]] = {}
        self.environment: dict[str, str] = {}
        self.face = "dynamic"
        for name in ("program", "stacks", "state"):
            (root / name).mkdir(parents=True)
        self.write_program()
        (root / "Pulumi.yaml").write_text(
            "name: shop\nmain: program/\nstackConfigDir: stacks\n"
            f"runtime:\n  name: python\n  options:\n    virtualenv: {python or sys.prefix}\n"
            f"plugins:\n  providers:\n    - {{name: flink-jobs, path: {PLUGIN_DIRECTORY}}}\n",
            encoding="utf-8",
        )
        make_empty_stack(Place.find(root, self._whole_environment()), stack)

    @property
    def owner(self) -> str:
        """The owner that the jobs of this stack have by default."""
        return f"organization/shop/{self.stack}"

    def write_program(self) -> None:
        """Write the program, of the jobs of the present face."""
        program = self.root / "program/__main__.py"
        program.write_text(_PROGRAM.replace("{job}", _JOBS[self.face]), encoding="utf-8")

    # The jobs

    def declare(self, name: str, **inputs: Any) -> dict[str, Any]:
        """Declare a job, named like its resource unless `job_name` is given."""
        self.jobs[name] = {"job_name": name, **inputs}
        return self.jobs[name]

    def _write_jobs(self) -> None:
        target = self.target or {"kind": "flink", "url": self.cluster_url}
        usual = {"target": target, "settle_time": "0s"}
        jobs = {name: {**usual, **inputs} for name, inputs in self.jobs.items()}
        (self.root / "program/jobs.json").write_text(json.dumps(jobs), encoding="utf-8")

    # Commands

    def up(self, *options: str, code: int | None = 0) -> Finished:
        """Run `up` without a preview; `code` is the exit code it must have, None for any."""
        return self.run("up", "--yes", "--skip-preview", *options, code=code)

    def failing_up(self, *options: str) -> Finished:
        """Run an `up` that must fail, whatever the engine's exit code."""
        finished = self.up(*options, code=None)
        assert finished.code != 0, f"up succeeded\n{finished.text}"
        return finished

    def preview(self, *options: str, code: int | None = 0) -> Finished:
        """Run `preview`."""
        return self.run("preview", *options, code=code)

    def refresh(self, *options: str, code: int | None = 0) -> Finished:
        """Run `refresh` without a preview."""
        return self.run("refresh", "--yes", "--skip-preview", *options, code=code)

    def destroy(self, *options: str, code: int | None = 0) -> Finished:
        """Run `destroy` without a preview."""
        return self.run("destroy", "--yes", "--skip-preview", *options, code=code)

    def cancel(self) -> Finished:
        """Remove the lock that a killed run left; the embedded engine does so by itself."""
        return self.run("cancel")

    def drift(self) -> Finished:
        """Run the drift gate, which must find drift: its exit code is not 0."""
        finished = self.preview("--refresh", "--expect-no-changes", code=None)
        assert finished.code != 0, f"no drift was found\n{finished.text}"
        if self.engine == "embedded":
            assert finished.code == 7, f"exit code {finished.code}, not 7\n{finished.text}"
        return finished

    def outputs(self, name: str | None = None) -> dict[str, Any]:
        """Return the stack's outputs in plain: of one job, or of each by name."""
        text = self.run("outputs", "--json", "--show-secrets").out
        outputs: dict[str, Any] = json.loads(text)
        return outputs if name is None else outputs[name]

    def run(self, *words: str, code: int | None = 0) -> Finished:
        """Run a command to its end."""
        return self.finish(self._start_preloaded(*words) or self.start(*words), words, code)

    def finish(
        self,
        process: subprocess.Popen[str] | PreloadedCommand,
        words: Sequence[str],
        code: int | None = 0,
    ) -> Finished:
        """Await the end of a command that was started."""
        began = time.monotonic()
        try:
            out, err = process.communicate(timeout=COMMAND_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"{words} hangs\n{out}{err}") from None
        seconds = time.monotonic() - began
        assert process.returncode is not None
        finished = Finished(process.returncode, out, err, seconds)
        if code is not None and finished.code != code:
            raise AssertionError(
                f"{' '.join(words)}: exit code {finished.code} instead of {code}\n{finished.text}"
            )
        return finished

    def pulumi(self, *words: str, code: int | None = 0) -> Finished:
        """Run a command of the Pulumi CLI itself, with what the project's commands have around."""
        return self.finish(self.start_pulumi(*words), words, code)

    def start_pulumi(self, *words: str) -> subprocess.Popen[str]:
        """Start a command of the Pulumi CLI itself."""
        self._write_jobs()
        return self._start(["pulumi", *words, "--cwd", str(self.root)])

    def command(self) -> tuple[str, ...]:
        """Return the command line of `flink-jobs`, without arguments."""
        return command_with_key()

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command, such as one that is to be killed; see `engine_process`."""
        return self._start(self._command_line(*words))

    def _start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            env=self._whole_environment(),
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _start_preloaded(self, *words: str) -> PreloadedCommand | None:
        """Start a command that nobody looks for; None where that cannot be preloaded."""
        if self.engine != "embedded" or not self.preloaded:
            return None
        return start(self._command_line(*words), self._whole_environment(), self.root)

    def _command_line(self, *words: str) -> list[str]:
        self._write_jobs()
        engine = [] if words[0] == "jobs" else ["--engine", self.engine]  # they run no program
        return [*self.command(), *words, *engine, "--cwd", str(self.root), "--stack", self.stack]

    def _whole_environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if "PULUMI" not in name}
        return {
            **kept,
            "PULUMI_BACKEND_URL": f"file://{self.root}/state",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_HOME": str(self.root / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "COLUMNS": "200",
            **self.environment,
        }

    def set_secret(self, key: str, value: str) -> Finished:
        """Set a secret in the stack's configuration."""
        return self.run("config", "set", "--secret", key, value)

    # The state

    @property
    def checkpoint(self) -> Path:
        """The file with the stack's state."""
        return self.root / f"state/.pulumi/stacks/shop/{self.stack}.json"

    def resources(self) -> dict[str, dict[str, Any]]:
        """Return the jobs in the state by resource name, secrets as they are stored."""
        latest = json.loads(self.checkpoint.read_text(encoding="utf-8"))["checkpoint"]["latest"]
        return {
            resource["urn"].rpartition("::")[2]: resource
            for resource in (latest or {}).get("resources") or []
            if resource["type"].endswith(_TYPES)
        }

    # Processes

    def engine_process(self, command: subprocess.Popen[str]) -> int:
        """Return the id of the process that is the engine: the Pulumi CLI is a child."""
        if self.engine == "embedded":
            return command.pid

        def cli() -> int:
            children = psutil.Process(command.pid).children()
            return next((child.pid for child in children if child.name() == "pulumi"), 0)

        return wait_until(cli, 30, "the Pulumi CLI has started")

    def processes(self) -> list[psutil.Process]:
        """Return the processes that work for this project: engine, program, provider."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("PULUMI_HOME") == str(self.root / "home"):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def plugins(self) -> list[psutil.Process]:
        """Return those of the native plugin that have not ended."""
        name = "pulumi-resource-flink-jobs"
        return [each for each in self.processes() if name in " ".join(command_of(each))]

    def close(self) -> None:
        """End what its commands left running."""
        for process in self.processes():
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue


def make_cli_python(directory: Path) -> Path:
    """Make an environment that the Pulumi CLI takes, with everything of this one.

    The CLI asks it for its packages with `pip list`, twice a command, only to find providers to
    install; a pip that lists nothing saves several seconds each time.
    """
    venv.create(directory, symlinks=True)
    packages = next(directory.glob("lib/python*/site-packages"))
    (packages / "pip").mkdir()
    (packages / "pip/__main__.py").write_text("print('[]')", encoding="utf-8")
    own = [path for path in sys.path if path.endswith("site-packages")]
    lines = [f"import site; site.addsitedir({path!r})" for path in own]
    (packages / "tests.pth").write_text("\n".join(lines), encoding="utf-8")
    return directory
