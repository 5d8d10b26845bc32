"""What is read of any request: its query, the address it came to, its body within the limit.

Bodies are JSON as people paste it from the services' documentation. Samples of HDInsight on AKS
have typographic quotes around some names and values, and one lacks the comma between two members;
one of Data Lake Insight lacks the quote before a path:

    “args”: ”--input in”
    "flinkConfiguration": {

    "savepoint_path": bucket-name/dir/savepoint/"

Strict JSON comes first. Only where that fails are these three things fixed, and then it must be
strict JSON. Nothing is fixed inside strings, nor in a body that is longer than any sample.

Every request is parsed in the event loop, so the time must grow no faster than the text.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Iterator
from email.message import Message
from typing import Any, NamedTuple

from starlette.requests import Request

from flink_jobs_provider.gateway.principal import Principal
from flink_jobs_provider.gateway.refusals import Refusal

#: Seconds within which a body must have arrived.
_BODY_TIME = 30.0
#: Python's codec by the name of a charset. Its own cache keeps every name it was ever asked for.
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
_TOKEN = re.compile(
    r"""
    (?P<blank>\s+)
  | (?P<string>"(?:[^"\\\r\n]|\\[^\r\n])*")
  | (?P<quoted>[“”](?:[^"“”\\\r\n]|\\[^\r\n])*[“”])
  | (?P<unopened>(?<=:[ ])[A-Za-z][^\s"“”{}\[\],]*"(?=[ \t]*,?[ \t]*[\r\n]))
  | (?P<open>["“”][^\r\n]*)       # a string without an end: the line is not read again
  | (?P<mark>[{}\[\]:,])
  | (?P<scalar>[^\s"“”{}\[\]:,]+)
    """,
    re.VERBOSE,
)
#: Characters of the longest body that is fixed; the longest printed sample has under 2,000.
_LONGEST_FIXED = 16_384
#: Not text: halves of characters, and control characters that no property can hold.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def query(request: Request) -> dict[str, list[str]]:
    """Return the values of each query parameter by its name in lower case.

    Raises:
        Refusal: A value has control characters, which no property can hold: PostgreSQL takes no
            text with one of code 0.
    """
    values: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        if not is_text(value):
            text = f"{name[:100]} must have no control characters (got {value[:80]!a})."
            raise Refusal("InvalidParameter", text, target=name[:100])
        values.setdefault(name.lower(), []).append(value)
    return values


def is_text(value: str) -> bool:
    """Return whether a value has no control characters and no halves of characters."""
    return not _NO_TEXT.search(value)


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


async def json_body(request: Request, limit: int) -> Any:
    """Return what a JSON body holds.

    Raises:
        Refusal: It is no JSON by its headers, is longer than the limit (it is then not read to
            its end), does not arrive in time, or is no text; or see `parse`.
    """
    charset = _charset(request)
    raw = await content(request, limit)
    try:
        text = raw.decode(_CODECS[charset])
    except UnicodeDecodeError as error:
        raise Refusal(
            "InvalidRequestContent",
            f"The request content is no {charset} text: see byte {error.start + 1}.",
        ) from None
    return parse(text)


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
    read = bytearray()
    async for chunk in content_stream(request, limit, _BODY_TIME):
        read += chunk
    return bytes(read)


async def content_stream(
    request: Request, limit: int, seconds: float
) -> AsyncGenerator[bytes, None]:
    """Yield the body as it arrives.

    Raises:
        Refusal: It is longer than the limit (it is then not read to its end), or does not arrive
            in time.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    read, deadline = 0, asyncio.get_running_loop().time() + seconds
    chunks = request.stream()
    try:
        while True:
            async with asyncio.timeout_at(deadline):
                chunk = await anext(chunks, None)
            if chunk is None:
                return
            read += len(chunk)
            if read > limit:
                raise _too_large(limit)
            yield chunk
    except TimeoutError:
        raise Refusal(
            "RequestTimeout", f"The request content did not arrive within {seconds:g} s."
        ) from None


def _too_large(limit: int) -> Refusal:
    return Refusal(
        "RequestContentTooLarge",
        f"Request content size exceeded the maximum of {limit} bytes.",
    )


def _unsupported(message: str) -> Refusal:
    return Refusal("UnsupportedMediaType", message)


class _Token(NamedTuple):
    kind: str
    text: str

    @property
    def ends_a_value(self) -> bool:
        return self.kind in ("string", "scalar") or self.text in ("}", "]")


def parse(text: str) -> Any:
    """Return what a body holds.

    Raises:
        Refusal: It is no JSON, with the line and the column where it stops being; or it has a
            name twice in one object, a number that JSON has not, or characters that are no text.
    """
    try:
        return strict(text)
    except json.JSONDecodeError as error:
        fixed = _fixed(text) if len(text) <= _LONGEST_FIXED else text
        if fixed == text:
            raise _no_json(error) from None
    try:
        return strict(fixed)
    except json.JSONDecodeError as error:
        raise _no_json(error) from None


def strict(text: str) -> Any:
    """Return what a text of strict JSON holds.

    Raises:
        JSONDecodeError: It is no JSON.
        Refusal: See `parse`.
    """
    try:
        value = json.loads(
            text, object_pairs_hook=_members, parse_constant=_no_number, parse_float=_finite
        )
        _only_text(value)
    except RecursionError:
        raise _invalid("It is nested too deeply.") from None
    except json.JSONDecodeError:
        raise
    except ValueError:  # Python converts no whole number of more than 4300 digits
        raise _invalid("It holds a number that is too long.") from None
    return value


def _fixed(text: str) -> str:
    """Return the text with plain quotes, and with commas where a line ends between members.

    Every character stays in its line and, but for what comes after a comma or quote that was
    missing there, in its column, so that errors point to what was sent.
    """
    done: list[str] = []
    tokens = list(_tokens(text))
    for number, token in enumerate(tokens):
        if token.kind == "blank" and "\n" in token.text and _between_members(tokens, number):
            done.append(",")
        done.append(token.text)
    return "".join(done)


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        kind, token = str(match.lastgroup), match[0]
        if kind == "unopened" and "/" in token:
            kind, token = "string", f'"{token}'
        elif kind == "quoted":
            kind, token = "string", f'"{token[1:-1]}"'
        yield _Token(kind, token)


def _between_members(tokens: list[_Token], blank: int) -> bool:
    """Whether a value ends before this blank, and a name and a colon follow it."""
    following = [token for token in tokens[blank + 1 : blank + 4] if token.kind != "blank"]
    return (
        blank > 0
        and tokens[blank - 1].ends_a_value
        and len(following) > 1
        and following[0].kind == "string"
        and following[1].text == ":"
    )


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise _invalid(f"It has {name[:80]!a} twice in one object.")
        members[name] = value
    return members


def _no_number(text: str) -> Any:
    raise _invalid(f"It holds {text}, which is no JSON.")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise _invalid("It holds a number that is too great.")
    return number


def _only_text(value: Any) -> None:
    if isinstance(value, str):
        if not is_text(value):
            raise _invalid("It holds control characters, or halves of characters.")
    elif isinstance(value, dict):
        for name, item in value.items():
            _only_text(name)
            _only_text(item)
    elif isinstance(value, list):
        for item in value:
            _only_text(item)


def _no_json(error: json.JSONDecodeError) -> Refusal:
    return _invalid(f"{error.msg} at line {error.lineno}, column {error.colno}.")


def _invalid(reason: str) -> Refusal:
    return Refusal(
        "InvalidRequestContent",
        f"The request content was invalid and could not be read as JSON. {reason}",
    )
