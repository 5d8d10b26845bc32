"""Run a Pulumi program in a process of its own. This is that process.

It is started as `python -P -m flink_jobs_provider.engine.program_child`, with the settings in
JSON as its one argument and the configuration in the environment, as the CLI gives it. It dies
with the engine.

It reports each resource when that is constructed, in a file that it inherits: the engine learns of
one when all its inputs are known, which for one that depends on a failed create is never. A line is
the resource's type and name in JSON; null follows the program's last line.
"""

import asyncio
import ctypes
import json
import logging
import os
import runpy
import signal
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor

import pulumi
import pulumi.runtime

_PR_SET_PDEATHSIG = 1
_SHOWN_FAILURE = 32  # the exit code of a program whose reason was shown already


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _users_traceback(error: BaseException, program: str) -> str:
    """Format a traceback from the program's own first frame on.

    A program that cannot be compiled, or is missing, has no frame: its error alone is shown.
    """
    frames = error.__traceback__
    directory = program if os.path.isdir(program) else os.path.dirname(program)
    start = frames
    while start and not start.tb_frame.f_code.co_filename.startswith(directory + os.sep):
        start = start.tb_next
    if start is None and any(
        frame.f_globals.get("__name__") == "runpy" for frame, _ in traceback.walk_tb(frames)
    ):
        return "".join(traceback.format_exception_only(error))
    return "".join(traceback.format_exception(type(error), error, start or frames))


def _write(report: int, item: list[str] | None) -> None:
    os.write(report, json.dumps(item).encode() + b"\n")


def main() -> int:
    """Run the program and give the process' exit code."""
    settings = json.loads(sys.argv[1])
    _die_with(settings.pop("engine_process"))
    program, report = settings.pop("program"), settings.pop("report")
    sys.argv = [program]
    pulumi.runtime.set_all_config(
        pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env()
    )
    pulumi.runtime.configure(pulumi.runtime.Settings(**settings))
    # A run that fails leaves futures unawaited; asyncio's warnings about them carry no news.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    executor = ThreadPoolExecutor(max_workers=max(settings["parallel"], 1) * 4)
    loop.set_default_executor(executor)

    def run() -> None:
        pulumi.runtime.register_stack_transformation(
            lambda resource: _write(report, [resource.type_, resource.name])
        )
        runpy.run_path(program, run_name="__main__")
        _write(report, None)

    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(run))
        return 0
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return 1
    except Exception as error:  # noqa: BLE001 - whatever the user's program raises
        shown = _users_traceback(error, program)
        pulumi.log.error(f"the program failed with an exception:\n{shown}")
        return _SHOWN_FAILURE
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        sys.stdout.flush()
        sys.stderr.flush()


if __name__ == "__main__":
    code = main()
    # Threads that still wait for an answer of the engine must not hold up the end.
    os._exit(code)
