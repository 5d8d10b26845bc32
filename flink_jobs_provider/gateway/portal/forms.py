"""Reading what a form has sent, if a page of the portal's own was the one that sent it."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from flink_jobs_provider.gateway.http.requests import content
from flink_jobs_provider.gateway.portal.addresses import Addresses
from flink_jobs_provider.gateway.refusals import Refusal

#: Name of the field that only the portal's own pages can fill.
KEY_FIELD = "form_key"
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 100


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
    if not key or not hmac.compare_digest(fields.pop(KEY_FIELD, "").encode(), key.encode()):
        raise Refusal(
            "AuthorizationFailed",
            "The form is of an earlier sign-in, or of no page of this portal. Nothing was changed: "
            "open the page again, and send it from there.",
        )
    return fields


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
