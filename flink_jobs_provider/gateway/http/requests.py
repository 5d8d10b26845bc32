"""What is read of any request: its query, its body within the limit, the address it came to."""

from __future__ import annotations

import asyncio
import re
from email.message import Message

from starlette.requests import Request

from flink_jobs_provider.gateway.principal import Principal
from flink_jobs_provider.gateway.refusals import Refusal

#: Seconds within which a body must have arrived.
_BODY_TIME = 30.0
#: Python's codec by the name of a charset. Its own look-up keeps every name it was ever asked for.
_CODECS = {
    "utf-8": "utf-8-sig",
    "utf8": "utf-8-sig",
    "us-ascii": "ascii",
    "iso-8859-1": "latin-1",
    "windows-1252": "cp1252",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


def query(request: Request) -> dict[str, list[str]]:
    """Return the values of each query parameter by its name in lower case."""
    values: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        values.setdefault(name.lower(), []).append(value)
    return values


def caller(request: Request) -> Principal:
    """Return who sent the request; the middleware has seen to it that it is known."""
    principal: Principal = request.scope["principal"]
    return principal


def base_url(request: Request, public_url: str | None) -> str:
    """Return what the address of an answer begins with, without a slash at its end."""
    if public_url is not None:
        return public_url.rstrip("/")
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        name, port = request.scope.get("server") or ("localhost", None)
        host = f"{name}:{port}" if port else name
    return f"{request.scope['scheme']}://{host}"


async def json_text(request: Request, limit: int) -> str:
    """Return the text of a JSON body.

    Raises:
        Refusal: It is no JSON by its headers, is longer than the limit (it is then not read to
            its end), does not arrive in time, or is no text.
    """
    charset = _charset(request)
    raw = await content(request, limit)
    try:
        return raw.decode(_CODECS[charset])
    except UnicodeDecodeError as error:
        raise Refusal(
            "InvalidRequestContent",
            f"The request content is no {charset} text: see byte {error.start + 1}.",
        ) from None


def _charset(request: Request) -> str:
    header = Message()
    header["content-type"] = request.headers.get("content-type") or "application/json"
    kind = header.get_content_type()
    if kind not in ("application/json", "text/json"):
        raise _unsupported(f"The content type {kind[:80]!r} is not supported: application/json is.")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise _unsupported(f"The content encoding {encoding[:80]!r} is not supported.")
    charset = str(header.get_param("charset") or "utf-8").lower()
    if charset not in _CODECS:
        raise _unsupported(f"The charset {charset[:80]!r} is not supported: utf-8 is.")
    return charset


async def content(request: Request, limit: int) -> bytes:
    """Return the body.

    Raises:
        Refusal: It is longer than the limit (it is then not read to its end), or does not arrive
            in time.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    read = bytearray()
    try:
        async with asyncio.timeout(_BODY_TIME):
            async for chunk in request.stream():
                read += chunk
                if len(read) > limit:
                    raise _too_large(limit)
    except TimeoutError:
        raise Refusal(
            "RequestTimeout", f"The request content did not arrive within {_BODY_TIME:g} s."
        ) from None
    return bytes(read)


def _too_large(limit: int) -> Refusal:
    return Refusal(
        "RequestContentTooLarge",
        f"Request content size exceeded the maximum of {limit} bytes.",
    )


def _unsupported(message: str) -> Refusal:
    return Refusal("UnsupportedMediaType", message)
