"""Reading what a form has sent, if a page of the portal's own was the one that sent it."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
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
    """

    fields: Mapping[str, str]
    name: str
    content: BinaryIO


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
        Refusal: Another site's page has sent it, it is too long or late, or it is no form.
    """
    _check_origin(request, addresses)
    limited = content_stream(request, limit + file_limit, _UPLOAD_TIME)
    parser = MultiPartParser(
        request.headers, limited, max_files=1, max_fields=_MOST_FIELDS, max_part_size=limit
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        text = f"The form's content cannot be read: {error.message}"
        raise Refusal("InvalidRequestContent", text) from None
    texts = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    fields = {name: value.replace("\r\n", "\n") for name, value in texts.items()}
    files = [value for value in form.values() if isinstance(value, UploadFile)]
    try:
        _check_key(fields, key)
    except Refusal:
        await form.close()
        raise
    if not files:
        return SentUpload(fields, "", BytesIO())
    return SentUpload(fields, files[0].filename or "", files[0].file)


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
    return {name: value.replace("\r\n", "\n") for name, value in pairs}


def _check_key(fields: dict[str, str], key: str) -> None:
    """Check and remove what only a page of the sender's own session can fill in."""
    if not key or not hmac.compare_digest(fields.pop(KEY_FIELD, "").encode(), key.encode()):
        raise Refusal(
            "AuthorizationFailed",
            "The form is of an earlier sign-in, or of no page of this portal. Nothing was changed: "
            "open the page again, and send it from there.",
        )


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
