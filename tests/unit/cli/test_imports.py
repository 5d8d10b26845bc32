"""The command line starts fast: it imports what is needed when it is needed.

Imports are counted, not seconds: those depend on the machine.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

#: Each costs tens or hundreds of milliseconds, and no `--help` needs any of them.
HEAVY = {
    *("aiohttp", "asyncio", "cryptography", "fsspec", "grpc", "httpx", "jsonschema", "psutil"),
    *("pulumi", "sqlalchemy", "starlette", "uvicorn", "yaml"),
}
#: Measured: about 400 with rich, which renders the page.
MOST_MODULES = 480

_CODE = """
import json, sys
from flink_jobs_provider.cli import main
sys.argv = ["flink-jobs", *json.loads(sys.argv[1])]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("\\n" + json.dumps(sorted(sys.modules)))
"""

COMMANDS = [
    ["--help"],
    ["--version"],
    *([name, "--help"] for name in ("up", "preview", "refresh", "destroy", "outputs")),
    *([name, "--help"] for name in ("stack", "config", "local", "jobs", "gateway", "schema")),
    ["jobs", "list", "--help"],
    ["local", "up", "--help"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.process
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    """Shows that of the project itself only modules of the command line are loaded."""
    command = [sys.executable, "-c", _CODE, json.dumps(words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded: list[str] = json.loads(done.stdout.splitlines()[-1])
    # Typer itself imports pydantic as soon as a command has parameters.
    heavy = HEAVY if len(words) > 1 else HEAVY | {"pydantic"}
    assert sorted(heavy.intersection(loaded)) == []
    ours = {name for name in loaded if name.startswith("flink_jobs_provider.")}
    assert [name for name in sorted(ours) if not name.startswith("flink_jobs_provider.cli")] == []
    assert len(loaded) < MOST_MODULES
