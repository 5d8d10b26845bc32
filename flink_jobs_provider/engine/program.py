"""The user's program, a child process that is connected to the engine."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from typing import IO

from flink_jobs_provider.engine.backend import ORGANIZATION
from flink_jobs_provider.engine.child_process import LineHandler, end, forward_lines
from flink_jobs_provider.engine.program_report import Declared, open_report, read_report
from flink_jobs_provider.engine.run import Options
from flink_jobs_provider.engine.stack_configuration import ConfigurationValue
from flink_jobs_provider.engine.workspace import Project


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
        options: Options,
        on_line: LineHandler,
    ) -> "Program":
        """Start the program in the directory of `main`, as the CLI does."""
        report = open_report()
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
        environment = {
            **os.environ,
            "PULUMI_CONFIG": json.dumps(
                {name: value.text for name, value in configuration.items()}
            ),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(
                [name for name, value in configuration.items() if value.secret]
            ),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-u", "-m", "flink_jobs_provider.engine.program_child"),
            json.dumps(settings),
            cwd=project.working_directory,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            pass_fds=[report.fileno()],
        )
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        assert process.stderr is not None  # noqa: S101 - it is a pipe
        readers = [
            asyncio.create_task(forward_lines(process.stdout, on_line)),
            asyncio.create_task(forward_lines(process.stderr, on_line)),
        ]
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
        """Return what the program had declared when it ended."""
        with self._report:
            return read_report(self._report)
