"""The engine's child processes, and the user's program, which is one of them."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from flink_jobs_provider.engine.backend import ORGANIZATION
from flink_jobs_provider.engine.stack_configuration import (
    ConfigurationValue,
    configuration_environment,
)
from flink_jobs_provider.engine.workspace import Project

if TYPE_CHECKING:
    from flink_jobs_provider.engine.run import Options

_LARGEST_MESSAGE = 1024 * 1024 * 400

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
    ("grpc.max_send_message_length", _LARGEST_MESSAGE),
    # A failed call hands over what it leaves of a resource in its metadata. Above 8 kB gRPC refuses
    # some by default, above 16 kB all, and with them the words of the failure.
    ("grpc.max_metadata_size", _LARGEST_MESSAGE),
    ("grpc.absolute_max_metadata_size", _LARGEST_MESSAGE),
    # The children are on the same host: a proxy of the environment must not come between.
    ("grpc.enable_http_proxy", 0),
)


LineHandler = Callable[[str], None]
_GRACE_S = 5.0


async def forward_lines(stream: asyncio.StreamReader, on_line: LineHandler) -> None:
    """Pass on each line of a child's output until it ends, however long the line is."""
    pending = b""
    while chunk := await stream.read(65536):
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            on_line(line.decode(errors="replace").rstrip("\r"))
    if pending:
        on_line(pending.decode(errors="replace"))


async def start(
    *command: str, directory: Path, environment: Mapping[str, str], inherited: tuple[int, ...] = ()
) -> tuple[asyncio.subprocess.Process, asyncio.StreamReader, asyncio.StreamReader]:
    """Start a child that leads its own process group; return it, and its outputs to be read.

    It inherits the file descriptors `inherited`.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=directory,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        pass_fds=inherited,
    )
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    assert process.stderr is not None  # noqa: S101 - it is a pipe
    return process, process.stdout, process.stderr


async def end(process: asyncio.subprocess.Process, number: signal.Signals = signal.SIGTERM) -> None:
    """End a child that leads its own process group, and everything in that group.

    It is asked with a signal, and killed where it goes on.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GRACE_S):  # `wait_for` of Python 3.11 can lose a cancel
            await process.wait()
    kill(process)
    await process.wait()


def kill(process: asyncio.subprocess.Process) -> None:
    """Kill a child that leads its own process group, and everything in that group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@dataclass(frozen=True)
class Declared:
    """The type and name of each resource that a program has declared, in the program's order.

    It is complete where the program's last line was reached.
    """

    resources: tuple[tuple[str, str], ...] = ()
    complete: bool = False


class Program:
    """One run of the user's program."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        readers: list[asyncio.Task[None]],
        report: IO[bytes],
    ) -> None:
        self._process = process
        self._readers = readers
        self._report = report

    @classmethod
    async def start(
        cls,
        project: Project,
        stack: str,
        configuration: Mapping[str, ConfigurationValue],
        *,
        address: str,
        options: "Options",
        on_line: LineHandler,
    ) -> "Program":
        """Start the program in the directory of `main`, as the CLI does."""
        report = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed when it has been read
        settings = {
            "report": report.fileno(),
            "engine_process": os.getpid(),
            "program": str(project.program),
            "project": project.name,
            "stack": stack,
            "monitor": address,
            "engine": address,
            "parallel": options.parallel,
            "dry_run": options.dry_run,
            "organization": ORGANIZATION,
            "root_directory": str(project.root),
        }
        environment = {**os.environ, **configuration_environment(configuration)}
        process, *outputs = await start(
            *(sys.executable, "-P", "-u", "-m", "flink_jobs_provider.engine.program_child"),
            json.dumps(settings),
            directory=project.working_directory,
            environment=environment,
            inherited=(report.fileno(),),
        )
        readers = [asyncio.create_task(forward_lines(output, on_line)) for output in outputs]
        return cls(process, readers, report)

    async def wait(self) -> int:
        """Wait until the program ends; give its exit code."""
        code = await self._process.wait()
        await asyncio.gather(*self._readers)
        return code

    async def stop(self) -> None:
        """End the program, wherever it is."""
        await end(self._process)
        await asyncio.gather(*self._readers)

    def declared(self) -> Declared:
        """Return what the program had declared when it ended.

        A line that a killed process did not finish does not count.
        """
        with self._report as report:
            report.seek(0)
            lines = [json.loads(line) for line in report if line.endswith(b"\n")]
        return Declared(tuple((line[0], line[1]) for line in lines if line), None in lines)
