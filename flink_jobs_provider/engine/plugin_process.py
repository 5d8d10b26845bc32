"""The process of a provider: how it is started, and how it ends.

A provider writes the port that it serves on as the first line of its output. It is not killed when
the engine dies, as under the CLI: what it has begun goes on, and it is for the provider to notice
that its engine is gone, and to end.
"""

import asyncio
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc.aio

from flink_jobs_provider.engine.child_process import (
    CHANNEL_OPTIONS,
    LineHandler,
    end,
    forward_lines,
    kill,
    start,
)
from flink_jobs_provider.engine.errors import ProviderError

_START_TIMEOUT_S = 60.0
_KEPT_ERROR_LINES = 200
_LONGEST_SHOWN = 80


@dataclass(frozen=True)
class Launch:
    """How a provider is started; `name` is what it is called in messages.

    `executable` is empty for the dynamic provider, `end_signal` is what asks it to end.
    """

    name: str
    command: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str]
    end_signal: signal.Signals
    executable: Path | None = None


class PluginProcess:
    """A running process that has said on which port it serves."""

    def __init__(
        self, launch: Launch, process: asyncio.subprocess.Process, channel: grpc.aio.Channel
    ) -> None:
        self.launch = launch
        self.channel = channel
        self._process = process
        self._readers: list[asyncio.Task[None]] = []

    @classmethod
    async def start(cls, launch: Launch, on_line: LineHandler) -> "PluginProcess":
        """Start it; raise ProviderError when it does not come up."""
        try:
            process, output, error_output = await start(
                *launch.command, directory=launch.directory, environment=launch.environment
            )
        except OSError as error:
            raise ProviderError(
                f"the process of {launch.name} did not start: {error.strerror}"
            ) from error
        errors: list[str] = []

        def on_error_line(line: str) -> None:
            if len(errors) < _KEPT_ERROR_LINES:
                errors.append(line)
            on_line(line)

        stderr = asyncio.create_task(forward_lines(error_output, on_error_line))
        try:
            port, reason = await _port(process, output)
        except BaseException:
            await end(process)
            raise
        if port is None:
            await end(process)
            await stderr
            last = next((line for line in reversed(errors) if line.strip()), "")
            if last:
                reason = f"{reason}; its last words: {last}"
            raise _not_started(launch, reason, "\n".join(errors))
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)
        started = cls(launch, process, channel)
        started._readers = [stderr, asyncio.create_task(forward_lines(output, on_line))]
        return started

    def kill(self) -> None:
        """End it at once, whatever is in flight."""
        kill(self._process)

    async def close(self) -> None:
        """End it; nothing may be in flight any more."""
        await self.channel.close()
        await end(self._process, self.launch.end_signal)
        await asyncio.gather(*self._readers)


def _not_started(launch: Launch, reason: str, details: str = "") -> ProviderError:
    return ProviderError(f"the process of {launch.name} did not start: {reason}", details)


async def _port(
    process: asyncio.subprocess.Process, output: asyncio.StreamReader
) -> tuple[int | None, str]:
    """Return the port that a process names, or None and the reason why there is none."""
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            line = await output.readline()
            if not line:
                return None, f"it ended with exit code {await process.wait()}"
    except TimeoutError:
        return None, f"it named no port within {_START_TIMEOUT_S:.0f} s"
    except ValueError:
        return None, "the first line that it wrote is no port: it is too long"
    text = line.decode(errors="replace").strip()
    if text.isascii() and text.isdigit() and 0 < int(text) < 1 << 16:
        return int(text), ""
    shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    return None, f"the first line that it wrote is no port: {shown!r}"
