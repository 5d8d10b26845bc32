"""Who calls, by the token of the request or of a session; and how often one caller may call."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import structlog

from flink_jobs_provider.gateway.auth.access_configuration import Access
from flink_jobs_provider.gateway.auth.jwt import (
    ExpiredWebToken,
    KeysUnavailable,
    RefusedToken,
    WebTokens,
)
from flink_jobs_provider.gateway.auth.tokens import (
    TOKEN_START,
    ExpiredToken,
    KnownTokens,
    TokensFileError,
    hash_of,
)
from flink_jobs_provider.gateway.principal import Principal
from flink_jobs_provider.gateway.refusals import Refusal

_LONGEST = 16384
_RETRY_AFTER = 10.0

_log = structlog.get_logger("gateway.access")


class Authenticator:
    """Returns who calls, by the tokens file and by the issuers of JSON Web Tokens.

    Args:
        access: Who may call.
        transport: Stands in for the network in tests.
    """

    def __init__(self, access: Access, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._tokens = KnownTokens(access.tokens_file) if access.tokens_file else None
        self._web_tokens = WebTokens(access.issuers, transport) if access.issuers else None
        self._file_problem = ""

    async def authenticate(self, authorization: str | None) -> Principal:
        """Return who a request is of.

        Args:
            authorization: The request's Authorization header.

        Raises:
            Refusal: 401, there is no token or it is not accepted; 503, it cannot be checked now.
        """
        token = _bearer_token(authorization)
        if token.startswith(TOKEN_START):
            return self._by_file(hash_of(token))
        with _refusing():
            return await self._issued().principal(token)

    async def proof(self, token: str, nonce: str | None = None) -> dict[str, Any]:
        """Return what a session keeps of a token: never the token itself.

        Args:
            token: The token.
            nonce: What a token must carry that was issued for one sign-in; None for any token.

        Raises:
            Refusal: 401, the token is not accepted; 503, it cannot be checked now.
        """
        if not token or len(token) > _LONGEST:
            raise _invalid("it is none that this gateway gave out")
        if token.startswith(TOKEN_START) and nonce is None:
            kept = hash_of(token)
            self._by_file(kept)
            return {"token": kept}
        with _refusing():
            return await self._issued().proof(token, nonce)

    def recall(self, proof: Mapping[str, Any]) -> Principal:
        """Return who a proof is of, and what they may do now.

        Raises:
            Refusal: 401, its token was revoked or has expired; 503, that cannot be checked now.
        """
        if "token" in proof:
            return self._by_file(proof["token"])
        with _refusing():
            return self._issued().recall(proof, time.time())

    async def close(self) -> None:
        """Close all connections."""
        if self._web_tokens:
            await self._web_tokens.close()

    def _issued(self) -> WebTokens:
        if self._web_tokens is None:
            raise _invalid("it is none that this gateway gave out")
        return self._web_tokens

    def _by_file(self, token_hash: str) -> Principal:
        if self._tokens is None:
            raise _invalid("this gateway has no tokens file")
        try:
            found = self._tokens.holder(token_hash)
        except ExpiredToken:
            raise _expired("it has expired") from None
        except TokensFileError as error:
            self._say_once(str(error))
            raise _unavailable("the gateway's tokens file cannot be used") from None
        self._file_problem = ""
        if found is None:
            raise _invalid("it is none that this gateway gave out, or it was revoked")
        return found

    def _say_once(self, problem: str) -> None:
        if problem != self._file_problem:
            self._file_problem = problem
            _log.error("the tokens file cannot be used: no token is accepted", reason=problem)


@contextmanager
def _refusing() -> Iterator[None]:
    """Raise what is wrong with a token of an issuer as a refusal."""
    try:
        yield
    except ExpiredWebToken as error:
        raise _expired(str(error)) from None
    except RefusedToken as error:
        raise _invalid(str(error)) from None
    except KeysUnavailable:
        raise _unavailable("the keys of its issuer are unavailable now") from None


def _bearer_token(authorization: str | None) -> str:
    if not authorization:
        raise Refusal(
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing: send "
            "'Authorization: Bearer <token>'.",
        )
    scheme, _, token = authorization.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > _LONGEST:
        raise Refusal(
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header must be 'Bearer <token>'.",
        )
    return token


def _invalid(why: str) -> Refusal:
    return Refusal("InvalidAuthenticationToken", f"The access token is not accepted: {why}.")


def _expired(why: str) -> Refusal:
    return Refusal("ExpiredAuthenticationToken", f"The access token is not accepted: {why}.")


def _unavailable(why: str) -> Refusal:
    return Refusal(
        "AuthenticationUnavailable",
        f"The access token cannot be checked: {why}. Nothing was changed; retry.",
        retry_after=_RETRY_AFTER,
    )


#: Full buckets carry no information; they are removed when there are this many.
_MANY = 1024


class RateLimit:
    """Refuses what comes too fast: a bucket of tokens for each caller, filled at a steady rate.

    Args:
        per_second: Requests that one caller may make in a second, over time.
        burst: Requests that one caller may make at once.
        clock: Seconds, from any beginning.
    """

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> None:
        """Count a request of a caller.

        Raises:
            Refusal: 429; it came too fast. It is not counted.
        """
        now = self._clock()
        left = self._left(name, now)
        if left < 1:
            wait = math.ceil((1 - left) / self._per_second)
            raise Refusal(
                "TooManyRequests",
                f"Too many requests: {self._per_second:g} a second are allowed, and "
                f"{self._burst:g} at once. Try again in {wait} s.",
                retry_after=wait,
            )
        if len(self._buckets) >= _MANY:
            self._forget_full(now)
        self._buckets[name] = (left - 1, now)

    def _left(self, name: str, now: float) -> float:
        left, seen = self._buckets.get(name, (self._burst, now))
        return min(self._burst, left + (now - seen) * self._per_second)

    def _forget_full(self, now: float) -> None:
        full = [name for name in self._buckets if self._left(name, now) >= self._burst]
        for name in full:
            del self._buckets[name]
