"""The preloaded process: it forks off a child for each command that it is asked for.

Before a child that may run a program begins, it forks off two children of its own, which wait: once
a process has used gRPC, no fork of it can. They become the program and the provider.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import importlib
import io
import json
import os
import runpy
import selectors
import signal
import socket
import struct
import sys
import threading
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn

#: What the commands of tests load, one or the other.
_MODULES = (
    *("httpx", "fsspec.implementations.local", "psutil", "yaml", "rich.console"),
    *("pulumi", "pulumi.dynamic", "dill", "grpc", "grpc.aio"),
    "flink_jobs_provider",
    "flink_jobs_provider.cli.app",
    "flink_jobs_provider.engine.commands",
    "flink_jobs_provider.engine.program_child",
    "flink_jobs_provider.engine.stack_commands",
    "flink_jobs_provider.provider.dynamic",
    "flink_jobs_provider.provider.process",
    "flink_jobs_provider.provider.service",
    "flink_jobs_provider.gateway.serve",
    "flink_jobs_provider.plugin.job_resource",
    "flink_jobs_provider.plugin.serving",
)
_NUMBER = struct.Struct("=i")
#: Commands that run a program, or ask a provider.
_RUNS = {"up", "preview", "refresh", "destroy"}
#: Of each run: its program and its provider, if that is written in Python.
_CHILDREN = 2
_LARGEST = 1 << 20


def serve(connection: int) -> None:
    """Load the modules, and fork off commands until the other end is closed."""
    for name in _MODULES:
        importlib.import_module(name)
    if threading.active_count() > 1:
        raise RuntimeError("a module has started a thread: what is forked off would lack it")
    gc.collect()
    gc.freeze()
    requests = socket.socket(fileno=connection)
    running: dict[int, tuple[int, int]] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not requests:
                    _report_end(key.fd, running, selector)
                    continue
                data, descriptors, *_ = socket.recv_fds(requests, _LARGEST, 3)
                if not data:
                    return
                *streams, status = descriptors
                pid = os.fork()
                if pid == 0:
                    selector.close()
                    requests.close()
                    for descriptor, (_, reported) in running.items():
                        os.close(descriptor)
                        os.close(reported)
                    os.close(status)
                    _run_command(json.loads(data), streams)
                for descriptor in streams:
                    os.close(descriptor)
                os.write(status, _NUMBER.pack(pid))
                watched = os.pidfd_open(pid)
                running[watched] = (pid, status)
                selector.register(watched, selectors.EVENT_READ)


def _report_end(
    watched: int, running: dict[int, tuple[int, int]], selector: selectors.BaseSelector
) -> None:
    pid, status = running.pop(watched)
    selector.unregister(watched)
    os.close(watched)
    _, ended = os.waitpid(pid, 0)
    with suppress(BrokenPipeError):  # whoever started the command no longer wants to know
        os.write(status, _NUMBER.pack(os.waitstatus_to_exitcode(ended)))
    os.close(status)


def _run_command(request: Mapping[str, Any], streams: Sequence[int]) -> NoReturn:
    """Become the command `python -c code words…`."""
    _, _, code, *words = request["args"]
    # As Python does at its start; the first process may have been started where it was otherwise.
    ignored = request["ignores_interrupts"]
    signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.default_int_handler)
    nothing = os.open(os.devnull, os.O_RDONLY)
    _take_streams([nothing, *streams])
    os.chdir(request["directory"])
    _take_environment(request["environment"])
    if _RUNS.intersection(words):
        skips_preview = "--skip-preview" in words and "--expect-no-changes" not in words
        _fork_spares(_CHILDREN if "preview" in words or skips_preview else 2 * _CHILDREN)
    sys.argv = ["-c", *words]
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    _end_as_python(lambda: exec(compile(code, "<string>", "exec"), main.__dict__))


def _take_streams(descriptors: Sequence[int]) -> None:
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        if descriptor > 2:
            os.close(descriptor)


def _take_environment(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    if added := environment.get("PYTHONPATH"):
        sys.path[1:1] = [os.path.abspath(path) for path in added.split(os.pathsep) if path]


def _end_as_python(work: Callable[[], object]) -> NoReturn:
    """Do the work, and end the process as Python ends with it."""
    code: object = 0
    try:
        work()
    except SystemExit as error:
        code = error.code
    except BaseException as error:  # noqa: BLE001 - whatever the command raises
        frames = error.__traceback__
        while frames and frames.tb_frame.f_code.co_filename == __file__:
            frames = frames.tb_next
        sys.excepthook(type(error), error.with_traceback(frames), frames)
        if isinstance(error, KeyboardInterrupt):
            sys.stderr.flush()
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        code = 1
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or 120  # as Python's own end does
    os._exit(int(code or 0) & 0xFF)


# -- program and provider


class _Spare:
    """A child that waits until it is told what to become."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LARGEST)
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            _wait_as_spare(theirs)
        theirs.close()
        self._socket = ours

    def become(
        self,
        command: Sequence[str],
        directory: str,
        environment: Mapping[str, str],
        descriptors: Mapping[int, int],
    ) -> None:
        """Let it become a command.

        Args:
            command: The command line, `python -m module …`.
            directory: Where it runs.
            environment: All of its environment.
            descriptors: Its open files: their numbers in it, and here.
        """
        self._socket.recv(1)  # it leads a session of its own by now
        request = {
            "args": list(command),
            "directory": directory,
            "environment": dict(environment),
            "numbers": list(descriptors),
        }
        socket.send_fds(self._socket, [json.dumps(request).encode()], [*descriptors.values()])
        self._socket.close()


_spares: list[_Spare] = []


def _fork_spares(count: int) -> None:
    for _ in range(count):
        _spares.append(_Spare())  # noqa: PERF401 - each closes what it has of those before it
    asyncio.create_subprocess_exec = _create_subprocess  # type: ignore[assignment]


def _wait_as_spare(connection: socket.socket) -> NoReturn:
    for spare in _spares:
        spare._socket.close()
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    _take_streams([nothing, os.dup(nothing), os.dup(nothing)])
    connection.send(b".")
    data, descriptors, *_ = socket.recv_fds(connection, _LARGEST, 8)
    if not data:
        os._exit(0)  # the command has ended, and did not need it
    connection.close()
    request = json.loads(data)
    # Out of the way of the numbers that they are to have.
    moved = [_moved(descriptor) for descriptor in descriptors]
    for number, descriptor in zip(request["numbers"], moved, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(request["directory"])
    _take_environment(request["environment"])
    _end_as_python(lambda: _run_module(request["args"]))


def _moved(descriptor: int) -> int:
    import fcntl

    moved: int = fcntl.fcntl(descriptor, fcntl.F_DUPFD, 500)
    os.close(descriptor)
    return moved


def _run_module(command: Sequence[str]) -> None:
    """Run `python [-P] [-u] -m module arguments…`, or a script of Python's."""
    if "-m" not in command:
        sys.argv = [*command]
        sys.path.insert(0, os.path.dirname(command[0]))
        runpy.run_path(command[0], run_name="__main__")
        return
    at = command.index("-m")
    flags, module, arguments = command[1:at], command[at + 1], command[at + 2 :]
    if "-u" in flags:
        for name, number in (("stdout", 1), ("stderr", 2)):
            raw = io.FileIO(number, "w", closefd=False)
            errors = "strict" if number == 1 else "backslashreplace"
            unbuffered = io.TextIOWrapper(raw, "utf-8", errors, write_through=True)
            setattr(sys, name, unbuffered)
            setattr(sys, f"__{name}__", unbuffered)
    if sys.path and sys.path[0] == "":
        del sys.path[0]
    if "-P" not in flags:
        sys.path.insert(0, os.getcwd())
    sys.modules.pop(module, None)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


class _Child:
    """What the engine uses of `asyncio.subprocess.Process`."""

    def __init__(
        self, pid: int, stdout: asyncio.StreamReader, stderr: asyncio.StreamReader
    ) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self._ended = asyncio.Event()
        self._watched = os.pidfd_open(pid)
        asyncio.get_running_loop().add_reader(self._watched, self._end)

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._watched)
        os.close(self._watched)
        self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self._ended.set()

    async def wait(self) -> int:
        """Wait until it has ended; return its exit code."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode


def _is_python(path: str) -> bool:
    with open(path, "rb") as file:
        first = file.readline(200)
    return first.startswith(b"#!") and b"python" in first


_start_process = asyncio.create_subprocess_exec


async def _create_subprocess(
    *command: str,
    cwd: str | os.PathLike[str],
    env: Mapping[str, str],
    pass_fds: Sequence[int] = (),
    **given: Any,
) -> _Child | asyncio.subprocess.Process:
    """Let a spare become a child of the engine, as `asyncio.create_subprocess_exec` starts one.

    A plugin that is no script of Python's, or is one more than there are spares, is started afresh.
    """
    if not _spares or not (command[0] == sys.executable or _is_python(command[0])):
        return await _start_process(*command, cwd=cwd, env=env, pass_fds=pass_fds, **given)
    out, out_end = os.pipe()
    err, err_end = os.pipe()
    descriptors = {1: out_end, 2: err_end, **{number: number for number in pass_fds}}
    spare = _spares.pop()
    spare.become(command, os.fspath(cwd), env, descriptors)
    os.close(out_end)
    os.close(err_end)
    return _Child(spare.pid, await _reader(out), await _reader(err))


async def _reader(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    return reader
