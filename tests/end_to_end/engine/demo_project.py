"""A Pulumi project with the demo provider, and the commands that are run in it."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from flink_jobs_provider.engine.stacks import Place
from tests.empty_stacks import (
    PASSPHRASE,
    PLAIN_COMMAND,
    command_with_key,
    crypter,
    make_empty_stack,
)
from tests.preloaded import start

HERE = Path(__file__).parent
CLI = shutil.which("pulumi")
NO_CLI = "the Pulumi CLI is not on the PATH: this was shown for the embedded engine alone"
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Finished:
    """Hold how a command ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Return all it wrote."""
        return self.out + self.err


@dataclass
class Project:
    """Hold a Pulumi project with the demo provider, and run commands in it."""

    root: Path
    engine: str
    python: Path
    extra_environment: dict[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    preloaded: bool = not CLI
    """Whether commands that run to their end are forked off a preloaded process."""

    @property
    def directory(self) -> Path:
        """Name where the demo provider keeps its files."""
        return self.root / "files"

    @property
    def checkpoint(self) -> Path:
        """Name the checkpoint of the stack `dev`."""
        return self.root / "state/.pulumi/stacks/demo/dev.json"

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of the commands."""
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")},
            "PULUMI_BACKEND_URL": f"file://{self.root}/state",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_HOME": str(self.root / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PYTHONPATH": str(HERE / "programs"),
            "DEMO_DIRECTORY": str(self.directory),
            "COLUMNS": "200",
            **self.extra_environment,
        }
        # Without compiled modules each of the many processes here compiles all of the SDK.
        unset = {"PYTHONDONTWRITEBYTECODE", *self.unset}
        return {name: value for name, value in environment.items() if name not in unset}

    def program(self, text: str) -> None:
        """Write the program; the demo resources are imported already."""
        header = "import pulumi\nfrom demo_provider import File, Group\n"
        header += "from demo_files import ONCE_DYNAMIC, ONCE_NATIVE, FilesProvider, NativeFile\n"
        header += "from pulumi import ResourceOptions as Options\n"
        path = self.root / "program/__main__.py"
        path.write_text(header + text)
        # Python takes a file of the same size and second for the one whose bytecode it has cached.
        shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)

    def install_plugin(self, *words: str) -> Path:
        """Make the demo plugin, and name its directory in Pulumi.yaml; `words` tell its nature."""
        directory = self.root / "plugins"
        directory.mkdir()
        executable = directory / "pulumi-resource-files"
        executable.write_text(
            f"#!{sys.executable}\nfrom demo_plugin import main\nmain()\n", encoding="utf-8"
        )
        executable.chmod(0o755)
        with (self.root / "Pulumi.yaml").open("a") as file:
            file.write("plugins:\n  providers:\n    - name: files\n      path: plugins\n")
        self.extra_environment["DEMO_PLUGIN"] = " ".join(words)
        return executable

    def command(self, *arguments: str, engine: str = "") -> list[str]:
        """Return the command line of a command."""
        # Where the engine shares stacks with the CLI, it derives the key itself.
        program = PLAIN_COMMAND if CLI else command_with_key()
        return [*program, *arguments, "--engine", engine or self.engine, "--cwd", str(self.root)]

    def run(
        self, *arguments: str, engine: str = "", code: int | None = 0, input_: str | None = None
    ) -> Finished:
        """Run a command to its end; `code` is the exit code it must have, None for any."""
        command = self.command(*arguments, engine=engine)
        finished = self._run_preloaded(command) if self.preloaded and input_ is None else None
        finished = finished or self._run_fresh(command, input_ or "")
        if code is not None and finished.code != code:
            pytest.fail(f"exit code {finished.code} instead of {code}\n{finished.text}")
        return finished

    def _run_preloaded(self, command: list[str]) -> Finished | None:
        process = start(command, self.environment, self.root)
        if process is None:
            return None
        out, err = process.communicate(TIMEOUT_S)
        return Finished(process.wait(), out, err)

    def _run_fresh(self, command: list[str], input_: str) -> Finished:
        process = subprocess.run(
            command,
            env=self.environment,
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            input=input_,
        )
        return Finished(process.returncode, process.stdout, process.stderr)

    def start(self, *arguments: str, engine: str = "") -> "subprocess.Popen[str]":
        """Start a command, and let the demo provider know the number of the engine's process."""
        engine = engine or self.engine
        (self.directory / "engine.pid").unlink(missing_ok=True)
        process = subprocess.Popen(
            self.command(*arguments, engine=engine),
            env=self.environment,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        pid = process.pid if engine == "embedded" else self._cli_under(process.pid)
        (self.directory / "engine.new").write_text(str(pid))
        (self.directory / "engine.new").rename(self.directory / "engine.pid")
        return process

    def _cli_under(self, command: int) -> int:
        """Find the Pulumi CLI, which is a child of the command."""
        found: list[int] = []

        def look() -> bool:
            children = psutil.Process(command).children()
            found.extend(child.pid for child in children if child.name() == "pulumi")
            return bool(found)

        wait_for(look, "the Pulumi CLI to start")
        return found[0]

    def make_stack(self) -> None:
        """Make the stack `dev`, with a value and a secret value of configuration."""
        configuration = make_empty_stack(Place.find(self.root, self.environment), "dev")
        configuration.set("greeting", "hello", path=False, crypter=None, project="demo")
        configuration.set("token", "hush-hush", path=False, crypter=crypter(), project="demo")
        configuration.write()

    def up(self, *arguments: str, code: int | None = 0, engine: str = "") -> Finished:
        """Run `up --yes` on the stack."""
        return self.run("up", "--yes", "--stack", "dev", *arguments, code=code, engine=engine)

    def preview(self, *arguments: str, code: int | None = 0, engine: str = "") -> Finished:
        """Run `preview` on the stack."""
        return self.run("preview", "--stack", "dev", *arguments, code=code, engine=engine)

    def destroy(self, *arguments: str, code: int | None = 0) -> Finished:
        """Run `destroy --yes` on the stack."""
        return self.run("destroy", "--yes", "--stack", "dev", *arguments, code=code)

    def outputs(self, engine: str = "") -> dict[str, Any]:
        """Return the stack's outputs in plain."""
        arguments = ("outputs", "--stack", "dev", "--json", "--show-secrets")
        outputs: dict[str, Any] = json.loads(self.run(*arguments, engine=engine).out)
        return outputs

    def faults(self, **faults: dict[str, Any]) -> None:
        """Set the faults of the demo provider: `create_a={"raise": "…"}`."""
        keyed = {key.replace("_", ":", 1): value for key, value in faults.items()}
        (self.directory / "faults.json").write_text(json.dumps(keyed))
        for name in ("held", "release"):
            (self.directory / name).unlink(missing_ok=True)

    def calls(self, *, forget: bool = True) -> list[dict[str, Any]]:
        """Return the provider's calls since the last time."""
        path = self.directory / "calls.jsonl"
        if not path.exists():
            return []
        calls = [json.loads(line) for line in path.read_text().splitlines()]
        if forget:
            path.unlink()
        return calls

    def called(self, *methods: str) -> list[str]:
        """Return the calls since the last time as `method name`, those of some methods only."""
        return [
            f"{call['method']} {call['name']}"
            for call in self.calls()
            if not call.get("preview")
            and (call["method"] in methods or (not methods and call["method"] != "configure"))
        ]

    def files(self) -> dict[str, dict[str, Any]]:
        """Return the files there are, by name."""
        reserved = {"faults", "calls"}
        return {
            path.stem: json.loads(path.read_text())
            for path in sorted(self.directory.glob("*.json"))
            if path.stem not in reserved
        }

    def state(self) -> dict[str, Any]:
        """Return the deployment in the checkpoint."""
        latest: dict[str, Any] = json.loads(self.checkpoint.read_text())["checkpoint"]["latest"]
        return latest

    def resources(self) -> dict[str, dict[str, Any]]:
        """Return the resources of the state, by name; those to be deleted as `name (old)`."""
        return {
            resource["urn"].rpartition("::")[2] + (" (old)" if resource.get("delete") else ""): (
                resource
            )
            for resource in self.state().get("resources", [])
        }

    def wait_until_held(self) -> None:
        """Wait until the provider holds a call."""
        wait_for(lambda: (self.directory / "held").exists(), "the call to be held")

    def release(self) -> None:
        """Let a held call go on."""
        (self.directory / "release").touch()

    def processes(self) -> list[psutil.Process]:
        """Find processes that belong to this project: program and provider."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("DEMO_DIRECTORY") == str(self.directory):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {TIMEOUT_S:.0f} s for {what}")
        time.sleep(0.02)
