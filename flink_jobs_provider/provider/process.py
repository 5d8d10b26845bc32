"""Run a dynamic provider's module as an engine's child that ends with its engine.

`python -m flink_jobs_provider.provider.process pulumi.dynamic <engine address>`. A provider's own
watch begins with its first call; this one covers an engine that is killed before.
"""

from __future__ import annotations

import gc
import runpy
import sys
import threading

from flink_jobs_provider.provider.engine_liveness import EngineLiveness, EngineWatch


def main() -> None:
    """Run the module that the first argument names."""
    # A short run's CPU goes into imports, and an eighth of it into garbage collections: Python's
    # default is one for each 700 new objects.
    gc.set_threshold(100_000)
    _, module, *arguments = sys.argv
    EngineWatch(EngineLiveness(arguments), _was_called).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _was_called() -> bool:
    """Whether the engine has called the provider: which calls are in progress is not known here."""
    return any(each.name.startswith("ThreadPoolExecutor") for each in threading.enumerate())


if __name__ == "__main__":
    main()
