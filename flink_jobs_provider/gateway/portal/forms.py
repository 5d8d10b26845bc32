"""Reading what a form has sent, if a page of the portal's own was the one that sent it."""

from __future__ import annotations

import hmac
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, TypeVar
from urllib.parse import parse_qsl

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from flink_jobs_provider.gateway.http.requests import content, content_stream
from flink_jobs_provider.gateway.portal.addresses import Addresses
from flink_jobs_provider.gateway.refusals import Refusal

#: Name of the field that only the portal's own pages can fill.
KEY_FIELD = "form_key"
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 100
#: Seconds within which a file must have arrived.
_UPLOAD_TIME = 900.0
#: A file that is too large is passed over up to so many times of what a file may have: what was
#: typed into the fields behind it is read, too.
_PASSED_OVER = 4


class StaleForm(Refusal):
    """A form that is not of the session that sends it; nothing of it is done.

    Attributes:
        fields: What it holds.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = fields
        super().__init__(
            "AuthorizationFailed",
            "The form is of an earlier sign-in, or of no page of this portal. Nothing was changed: "
            "open the page again, and send it from there.",
        )


async def sent_form(
    request: Request, addresses: Addresses, key: str, limit: int
) -> Mapping[str, str]:
    """Return the fields of a form; of one that was sent twice, the last value.

    Args:
        request: What was sent.
        addresses: The portal's addresses.
        key: What the form must carry.
        limit: The longest body.

    Raises:
        StaleForm: It is not of this session.
        Refusal: Another site's page has sent it, or it is no form.
    """
    fields = await read_form(request, addresses, limit)
    _check_key(fields, key)
    return fields


@dataclass(frozen=True)
class SentUpload:
    """A form that was sent with a file.

    Attributes:
        fields: Its other fields.
        name: The file's name; empty where no file was chosen.
        content: The file's bytes; whoever has the form closes them.
        too_large: Whether the file is too large, so that its bytes are not all there.
    """

    fields: Mapping[str, str]
    name: str
    content: BinaryIO
    too_large: bool = False


def has_file(request: Request) -> bool:
    """Whether a form is sent in the way in which files are."""
    return request.headers.get("content-type", "").startswith("multipart/form-data")


async def sent_upload(
    request: Request, addresses: Addresses, key: str, limit: int, file_limit: int
) -> SentUpload:
    """Return a form with a file, which is on disk as far as it is large.

    Args:
        request: What was sent.
        addresses: The portal's addresses.
        key: What the form must carry.
        limit: The longest form without the file.
        file_limit: The longest file.

    Raises:
        StaleForm: It is not of this session.
        Refusal: Another site's page has sent it, it is too long or late, or it is no form.
    """
    _check_origin(request, addresses)
    limited = content_stream(request, limit + _PASSED_OVER * file_limit, _UPLOAD_TIME)
    parser = _parser(_FieldsAndFile, request, limited, limit)
    parser.room = file_limit
    form = await _parsed(parser)
    fields = _texts(form.multi_items())
    files = [value for value in form.values() if isinstance(value, UploadFile)]
    try:
        _check_key(fields, key)
    except Refusal:
        await form.close()
        raise
    if not files:
        return SentUpload(fields, "", BytesIO())
    return SentUpload(fields, files[0].filename or "", files[0].file, too_large=parser.room < 0)


async def read_upload_fields(
    request: Request,
    addresses: Addresses,
    limit: int,
    file_limit: int,
    may_send: Callable[[Mapping[str, str]], bool],
) -> dict[str, str]:
    """Return the fields of a form that is sent with a file, of whichever session; not the file.

    Args:
        request: What was sent.
        addresses: The portal's addresses.
        limit: The longest form without the file.
        file_limit: The longest file.
        may_send: Whether the fields before the file permit to read on; the file is passed over.

    Raises:
        Refusal: Another site's page has sent it, it is too long or late, or it is no form.
    """
    _check_origin(request, addresses)
    limited = content_stream(request, limit + file_limit, _UPLOAD_TIME)
    parser = _parser(_FieldsAlone, request, limited, limit)
    parser.may_send = may_send
    form = await _parsed(parser)
    await form.close()
    return _texts(form.multi_items())


class _FieldsAndFile(MultiPartParser):
    """Reads the fields of a form, and its file as far as there is room for it.

    Attributes:
        room: How many more bytes the file may have; negative once it has had too many.
    """

    room: int

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """Keep the data of a field, and of a file that is not too large."""
        if self._current_part.file is not None:
            self.room -= end - start
            if self.room < 0:
                return
        super().on_part_data(data, start, end)


class _FieldsAlone(MultiPartParser):
    """Reads the fields of a form, and passes over its file.

    Attributes:
        may_send: Whether the fields before the file permit to read on.
    """

    may_send: Callable[[Mapping[str, str]], bool]

    def on_headers_finished(self) -> None:
        """Begin a field, or a file if that is permitted."""
        super().on_headers_finished()
        if self._current_part.file is not None and not self.may_send(_texts(self.items)):
            raise MultiPartException("no file is permitted.")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """Keep the data of a field."""
        if self._current_part.file is None:
            super().on_part_data(data, start, end)


_Parser = TypeVar("_Parser", bound=MultiPartParser)


def _parser(
    kind: type[_Parser], request: Request, stream: AsyncGenerator[bytes, None], limit: int
) -> _Parser:
    return kind(request.headers, stream, max_files=1, max_fields=_MOST_FIELDS, max_part_size=limit)


async def _parsed(parser: MultiPartParser) -> FormData:
    try:
        return await parser.parse()
    except MultiPartException as error:
        text = f"The form's content cannot be read: {error.message}"
        raise Refusal("InvalidRequestContent", text) from None


def _texts(items: Iterable[tuple[str, str | UploadFile]]) -> dict[str, str]:
    """Return the fields that are text, with their line ends as everywhere else."""
    texts = {name: value for name, value in items if isinstance(value, str)}
    return {name: value.replace("\r\n", "\n") for name, value in texts.items()}


async def read_form(request: Request, addresses: Addresses, limit: int) -> dict[str, str]:
    """Return the fields of a form that a page of this origin has sent, of whichever session.

    Raises:
        Refusal: Another site's page has sent it, or it is no form.
    """
    _check_origin(request, addresses)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise Refusal("UnsupportedMediaType", f"A form is sent as {_FORM}.")
    raw = await content(request, limit)
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=_MOST_FIELDS,
            errors="strict",
        )
    except ValueError:
        raise Refusal("InvalidRequestContent", "The form's content cannot be read.") from None
    return _texts(pairs)


def _check_key(fields: dict[str, str], key: str) -> None:
    """Check and remove what only a page of the sender's own session can fill in."""
    if not key or not hmac.compare_digest(fields.pop(KEY_FIELD, "").encode(), key.encode()):
        raise StaleForm(fields)


def _check_origin(request: Request, addresses: Addresses) -> None:
    given = request.headers.get("origin", "").lower()
    wanted = addresses.origin(request)
    if given != wanted:
        raise Refusal(
            "AuthorizationFailed",
            f"The form was sent by a page of {given[:200] or 'an unknown place'}, and not of "
            f"{wanted}. Nothing was changed. Behind a proxy, set public_url in the gateway's "
            "configuration.",
        )
