"""The public keys of an issuer of JSON Web Tokens: found by OpenID discovery, kept, fetched again.

They are fetched when first needed, once an hour, and when a token names a key that is not known:
issuers change their keys. But never more often than once in `_PAUSE` seconds, so that nobody can
make the gateway flood an issuer by inventing names of keys.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from flink_jobs_provider.gateway.auth.access_configuration import Issuer
from flink_jobs_provider.model.errors import Signal

ALGORITHMS = ("RS256", "ES256")
_FRESH = 3600.0
#: How long keys are used while the issuer cannot be reached: its sign-in may work all the same.
_STALE = 24 * 3600.0
_PAUSE = 10.0
_TIMEOUT = httpx.Timeout(5.0)
_LARGEST = 1 << 20
_SMALLEST_RSA = 2048

_log = structlog.get_logger("gateway.access")


class KeysUnavailable(Signal):
    """The issuer's keys are unavailable now; the text says why, in one line."""


class IssuerKeys:
    """The keys of one issuer.

    Args:
        issuer: The issuer.
        transport: Stands in for the network in tests.
        clock: Seconds, from any beginning.
    """

    def __init__(
        self,
        issuer: Issuer,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._clock = clock
        self._client = httpx.AsyncClient(
            timeout=_TIMEOUT, verify=_trust(issuer.ca_file), transport=transport
        )
        self._lock = asyncio.Lock()
        self._keys: dict[str | None, list[jwt.PyJWK]] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._failure = ""

    async def key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key of that name for an algorithm; None where the issuer has none.

        Args:
            key_id: The `kid` of the token; where it has none, the issuer must have a single key.
            algorithm: The `alg` of the token.

        Raises:
            KeysUnavailable: They are unavailable.
        """
        if not self._fresh():
            await self._refresh()
        found = self._find(key_id, algorithm)
        if found is None and not self._tried_lately():
            await self._refresh()
            found = self._find(key_id, algorithm)
        if found is None and self._failure:
            raise KeysUnavailable(self._failure)  # the issuer may know it, and we cannot ask
        return found

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    def _find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        if key_id is None:
            every = [key for keys in self._keys.values() for key in keys]
            found = every if len(every) == 1 else []
        else:
            found = self._keys.get(key_id, [])
        fitting = [key for key in found if key.algorithm_name == algorithm]
        return fitting[0] if len(fitting) == 1 else None

    def _fresh(self) -> bool:
        return self._fetched is not None and self._clock() - self._fetched < _FRESH

    def _tried_lately(self) -> bool:
        return self._tried is not None and self._clock() - self._tried < _PAUSE

    async def _refresh(self) -> None:
        """Fetch the keys, once for all who wait for them.

        Raises:
            KeysUnavailable: That failed, and those from before are too old, or there are none.
        """
        before = self._tried
        async with self._lock:
            if self._tried == before and not self._tried_lately():
                await self._fetch()
        if self._fetched is None or self._clock() - self._fetched > _STALE:
            raise KeysUnavailable(self._failure)

    async def _fetch(self) -> None:
        try:
            self._keys = _usable(await self._get(await self._url()))
            self._fetched = self._clock()
            self._failure = ""
        except KeysUnavailable as error:
            self._failure = str(error)
            _log.warning("the keys of an issuer cannot be fetched", reason=self._failure)
        finally:
            self._tried = self._clock()

    async def _url(self) -> str:
        if self._issuer.jwks_url:
            return self._issuer.jwks_url
        address = self._issuer.issuer.rstrip("/") + "/.well-known/openid-configuration"
        document = await self._get(address)
        if document.get("issuer") != self._issuer.issuer:
            raise KeysUnavailable(
                f"{address} is of another issuer ({document.get('issuer')!r}): access.issuers must "
                "name it to the letter"
            )
        url = document.get("jwks_uri")
        secure = isinstance(url, str) and (
            url.startswith("https://") or self._issuer.issuer.startswith("http://")
        )
        if not secure:
            raise KeysUnavailable(f"{address} names no https address of keys")
        return str(url)

    async def _get(self, url: str) -> dict[str, Any]:
        try:
            async with self._client.stream("GET", url) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise KeysUnavailable(f"{url} answers {answer.status_code}")
                body = bytearray()
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > _LARGEST:
                        raise KeysUnavailable(f"{url} answers more than {_LARGEST} bytes")
            content = httpx.Response(200, content=bytes(body)).json()
        except httpx.TimeoutException:
            raise KeysUnavailable(f"{url} did not answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise KeysUnavailable(f"no connection to {url}: {error}") from None
        except ValueError:
            raise KeysUnavailable(f"{url} does not answer JSON") from None
        if not isinstance(content, dict):
            raise KeysUnavailable(f"{url} does not answer a JSON object")
        return content


def _usable(key_set: dict[str, Any]) -> dict[str | None, list[jwt.PyJWK]]:
    """Return the keys that may sign tokens, by name; others are left out, whatever they are for."""
    listed = key_set.get("keys")
    if not isinstance(listed, list):
        raise KeysUnavailable("the issuer's key set holds no keys")
    found: dict[str | None, list[jwt.PyJWK]] = {}
    for data in listed:
        if not isinstance(data, dict) or data.get("use", "sig") != "sig":
            continue
        algorithm = {"RSA": "RS256", "EC": "ES256"}.get(str(data.get("kty")))
        if algorithm is None or data.get("alg", algorithm) != algorithm:
            continue
        if algorithm == "ES256" and data.get("crv") != "P-256":
            continue
        try:
            key = jwt.PyJWK(data, algorithm)
        except jwt.PyJWTError:
            continue
        if isinstance(key.key, RSAPublicKey) and key.key.key_size < _SMALLEST_RSA:
            continue
        found.setdefault(data.get("kid"), []).append(key)
    return found


def _trust(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # which names no file
        raise OSError(error.errno, error.strerror or str(error), ca_file) from None
