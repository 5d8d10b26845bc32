"""Azurite for tests: Microsoft's emulator of Azure's blobs, a program of Node.

npm takes about a minute for its 360 MB, so it is installed once, where the packages of local
clusters are cached, and by those test runs alone that are to show all targets.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from flink_jobs_provider.local.packages import cache_directory
from tests.end_to_end.flink.targets import ALL, ALL_VARIABLE

#: The account and the key that every Azurite has; they are printed in its documentation.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

_VERSION = "3.37.0"
#: Before any test has another cache.
_HOME = cache_directory() / f"azurite-{_VERSION}"
_PROGRAM = _HOME / "node_modules/.bin/azurite-blob"


def why_no_azurite() -> str:
    """Return why a test run has no Azurite; empty where it has."""
    if not shutil.which("node"):
        return "Azurite needs node, which is not on the PATH"
    if _PROGRAM.exists():
        return ""
    if not ALL:
        return f"Azurite is not installed yet; {ALL_VARIABLE}=1 installs it (a minute, 360 MB)"
    return "" if shutil.which("npm") else "Azurite needs npm, which is not on the PATH"


@contextmanager
def azurite() -> Iterator[str]:
    """Run an Azurite that holds nothing, installed if it must be; give its address."""
    _install()
    quiet = ["--silent", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    process = subprocess.Popen(
        [str(_PROGRAM), *quiet, "--blobPort", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        lines = iter(process.stdout.readline, "")
        ports = (re.search(r"listens on http://127\.0\.0\.1:(\d+)", line) for line in lines)
        yield f"http://127.0.0.1:{next(port[1] for port in ports if port)}"
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def connection_string(address: str, key: str = KEY) -> str:
    """Return how a client is told of an Azurite's account."""
    return (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};"
        f"BlobEndpoint={address}/{ACCOUNT};"
    )


def _install() -> None:
    """Install it, unless it is there; its directory appears when it is whole."""
    if _PROGRAM.exists():
        return
    _HOME.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_HOME.parent, prefix="azurite-") as temporary:
        fresh = Path(temporary) / "fresh"
        fresh.mkdir()
        install = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", "."]
        subprocess.run([*install, f"azurite@{_VERSION}"], cwd=fresh, check=True, timeout=500)
        with suppress(OSError):  # another test run was first
            fresh.replace(_HOME)
