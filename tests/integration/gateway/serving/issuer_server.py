"""A real issuer of tokens on this machine: OpenID discovery and keys over TLS."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trustme
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flink_jobs_provider.gateway.ops.server import open_socket
from tests.unit.gateway.auth.signing import jwk, rsa_key
from tests.waiting import wait_until


class IssuerServer:
    """Serves what an issuer serves; `keys`, `down` and `asked` are its tests' to change and see."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys: list[dict[str, Any]] = [jwk(rsa_key("one"), kid="one")]
        self.down = False
        self.asked = 0

    async def answer(self, request: Request) -> Response:
        """Answer discovery and keys."""
        self.asked += 1
        if self.down:
            return Response(status_code=503)
        if request.url.path.endswith("/openid-configuration"):
            return JSONResponse({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})
        return JSONResponse({"keys": self.keys})


@contextmanager
def issuer_server(authority: trustme.CA) -> Iterator[IssuerServer]:
    """Serve for the duration of the block, with a certificate of an authority."""
    opened = open_socket("127.0.0.1", 0)
    issuer = IssuerServer(f"https://127.0.0.1:{opened.getsockname()[1]}")
    routes = [
        Route("/.well-known/openid-configuration", issuer.answer),
        Route("/keys", issuer.answer),
    ]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    config = uvicorn.Config(
        Starlette(routes=routes), log_config=None, access_log=False, lifespan="off", ws="none"
    )
    config.load()
    config.ssl = context
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([opened],))
    thread.start()
    try:
        wait_until(lambda: server.started, 10, "the issuer serves")
        yield issuer
    finally:
        server.should_exit = True
        thread.join()


def trust_file(authority: trustme.CA, directory: Path) -> Path:
    """Write an authority's certificate to a file."""
    path = directory / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return path
