"""Servers that speak the protocols of object stores: moto's for S3, Azurite for Azure's blobs."""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moto.server import ThreadedMotoServer

AZURITE = "azurite@3.37.0"
#: The account and the key that every Azurite has; they are printed in its documentation.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@contextmanager
def s3_server() -> Iterator[str]:
    """Run an S3 in this process; give its address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def node_is_there() -> bool:
    """Whether Azurite can be installed and run."""
    return shutil.which("node") is not None and shutil.which("npm") is not None


@contextmanager
def azurite(directory: Path) -> Iterator[str]:
    """Install an Azurite and run it as a process; give its address."""
    install = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", ".", AZURITE]
    subprocess.run(install, cwd=directory, check=True, timeout=250)
    program = directory / "node_modules/.bin/azurite-blob"
    quiet = ["--silent", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    process = subprocess.Popen(
        [str(program), *quiet, "--blobPort", "0"], cwd=directory, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        ports = (re.search(r"listens on http://127\.0\.0\.1:(\d+)", line) for line in lines)
        yield f"http://127.0.0.1:{next(port[1] for port in ports if port)}"
    finally:
        process.terminate()
        process.wait(30)
        if process.stdout:
            process.stdout.close()


def connection(address: str, key: str = KEY) -> str:
    """Return the connection string of an Azurite's account."""
    return (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};"
        f"BlobEndpoint={address}/{ACCOUNT};"
    )
