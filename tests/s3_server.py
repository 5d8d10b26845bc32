"""An S3 for tests: moto's server, in this process, spoken to over HTTP."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from moto.server import ThreadedMotoServer


@contextmanager
def s3_server() -> Iterator[str]:
    """Run an S3 without buckets; give its address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    try:
        # What moto holds is the process's, not the server's.
        httpx.post(f"{address}/moto-api/reset", trust_env=False)
        yield address
    finally:
        check_credentials(address, after="inf")
        server.stop()


def check_credentials(address: str, after: str = "0") -> None:
    """Refuse whoever has no account, after so many more requests."""
    httpx.post(
        f"{address}/moto-api/reset-auth",
        content=after.encode(),
        headers={"Content-Type": "text/plain"},
        trust_env=False,
    )
