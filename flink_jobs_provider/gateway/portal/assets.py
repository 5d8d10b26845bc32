"""Scripts, styles and pictures: all of them are in the package."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from flink_jobs_provider.gateway.refusals import Refusal

_DIRECTORY = Path(__file__).with_name("static")
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    """A file, with what tells its content from another one."""

    content: bytes
    kind: str
    tag: str


class Assets:
    """Serves the files that are there when the gateway starts, and nothing else."""

    def __init__(self) -> None:
        self._assets = {
            path.name: Asset(content, _TYPES[path.suffix], f'"{_tag(content)}"')
            for path in sorted(_DIRECTORY.iterdir())
            if path.suffix in _TYPES
            for content in [path.read_bytes()]
        }

    def names(self) -> list[str]:
        """Return the names of all files."""
        return list(self._assets)

    async def serve(self, request: Request) -> Response:
        """Return a file; nothing but its tag to a browser that has it."""
        asset = self._assets.get(request.path_params["name"])
        if asset is None:
            raise Refusal("NotFound", "There is no such file.")
        headers = {"ETag": asset.tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == asset.tag:
            return Response(status_code=304, headers=headers)
        return Response(asset.content, headers=headers, media_type=asset.kind)


def _tag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
