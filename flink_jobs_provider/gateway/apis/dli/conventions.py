"""Who calls the Data Lake Insight API: by a token, or by a signature over the whole request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope

from flink_jobs_provider.gateway.apis.dli.error_codes import FAULT, refused
from flink_jobs_provider.gateway.auth.signatures import ALGORITHM, SignedRequest
from flink_jobs_provider.gateway.http.conventions import ALWAYS
from flink_jobs_provider.gateway.http.requests import content
from flink_jobs_provider.gateway.principal import Principal
from flink_jobs_provider.gateway.refusals import Refusal

#: Tells a client that whoever answers is a gateway, not the service itself.
GATEWAY_HEADER = "X-Flink-Jobs-Gateway"


class Authenticator(Protocol):
    """Returns who calls, by a token."""

    async def authenticate(self, authorization: str | None) -> Principal:
        """Return the caller, or raise a Refusal."""


class SignatureCheck(Protocol):
    """Returns who signed a request."""

    def principal(self, request: SignedRequest) -> Principal:
        """Return the caller, or raise a Refusal."""


class DliConventions:
    """Tokens in `X-Auth-Token`, signed requests, and the service's error envelope.

    Args:
        authenticator: Returns who calls, by a token.
        signatures: Returns who signed a request; None where no signing keys are configured.
        body_bytes: Largest body.
    """

    fault = FAULT

    def __init__(
        self, authenticator: Authenticator, signatures: SignatureCheck | None, body_bytes: int
    ) -> None:
        self._authenticator = authenticator
        self._signatures = signatures
        self._body_bytes = body_bytes

    async def principal(self, scope: Scope, receive: Receive) -> tuple[Principal, Receive]:
        """Return who a request is of."""
        headers = Headers(scope=scope)
        authorization = headers.get("authorization", "")
        if authorization.startswith(f"{ALGORITHM} "):
            if self._signatures is None:
                raise _unauthenticated("This gateway has no signing keys: send X-Auth-Token.")
            return await self._by_signature(self._signatures, scope, receive)
        if token := headers.get("x-auth-token"):
            return await self._authenticator.authenticate(f"Bearer {token}"), receive
        if authorization:
            return await self._authenticator.authenticate(authorization), receive
        raise _unauthenticated(
            "There are no credentials: send X-Auth-Token, or sign the request with an access key."
        )

    async def _by_signature(
        self, signatures: SignatureCheck, scope: Scope, receive: Receive
    ) -> tuple[Principal, Receive]:
        body = await content(Request(scope, receive), self._body_bytes)
        signed = SignedRequest(
            method=scope["method"],
            path=_path(scope),
            query=_query(scope),
            headers=_headers(scope),
            body=body,
        )
        return signatures.principal(signed), _again(body, receive)

    def headers(self, given: Headers, request_id: str) -> dict[str, str]:
        """Return the headers of every answer."""
        del given  # the service takes no ids of its callers
        return {"X-Request-Id": request_id, GATEWAY_HEADER: "1"} | ALWAYS

    def refused(self, refusal: Refusal, headers: Mapping[str, str]) -> Response:
        """Return the answer to a request that is refused."""
        return refused(refusal, headers)


def _unauthenticated(message: str) -> Refusal:
    return Refusal("AuthenticationFailed", message)


def _path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1")


def _query(scope: Scope) -> list[tuple[str, str]]:
    try:
        return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    except ValueError:  # more parameters than anybody has
        raise Refusal("InvalidParameter", "The query has too many parameters.") from None


def _headers(scope: Scope) -> dict[str, str]:
    """Return the headers that came once, as their senders wrote them."""
    pairs = [(name.decode("latin-1").lower(), value) for name, value in scope["headers"]]
    times = Counter(name for name, _ in pairs)
    return {name: _text(value) for name, value in pairs if times[name] == 1}


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read already, and then goes on as before."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving
