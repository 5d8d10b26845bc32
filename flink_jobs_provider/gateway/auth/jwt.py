"""JSON Web Tokens of the issuers that are configured: signature, issuer, audience, times, roles.

Nothing that a token claims is believed before its signature is checked, but for which
issuer and which key it claims to be of. Addresses of keys in a token (`jku`, `x5u`) are not read.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from flink_jobs_provider.control_planes.connection import system_trust
from flink_jobs_provider.gateway.auth.access_configuration import Issuer
from flink_jobs_provider.gateway.principal import Principal, Role
from flink_jobs_provider.model.errors import Signal

_LONGEST_NAME = 200
#: What no name has that can be recorded, logged and printed: control characters, those that turn
#: the order of a text, and halves of characters.
_NO_NAME = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
#: Claims whose text is a list of words: Microsoft's name of it, and that of the standard.
_SCOPES = ("scp", "scope")


class RefusedToken(Signal):
    """A token that is not accepted; the text is the reason, without anything of it."""


def principal_of(claims: Mapping[str, Any], issuer: Issuer) -> Principal:
    """Return who the claims of a valid token name, and the roles that they are granted.

    Raises:
        RefusedToken: They name no caller.
    """
    name = claims.get(issuer.name_claim)
    if not isinstance(name, str) or not _is_name(name):
        raise RefusedToken(f"it names nobody: its claim {issuer.name_claim} is no name")
    return Principal(f"{name} of {issuer.issuer}", _roles(claims, issuer))


def _is_name(text: str) -> bool:
    return bool(text.strip()) and len(text) <= _LONGEST_NAME and not _NO_NAME.search(text)


def _roles(claims: Mapping[str, Any], issuer: Issuer) -> dict[str, Role]:
    """Return the roles that the values of the claims grant; the higher one where several do."""
    roles: dict[str, Role] = {}
    for claim in issuer.claims:
        for granted in _values(claim, claims.get(claim)):
            for cluster, role in issuer.grants.get(granted, {}).items():
                if roles.get(cluster) is not Role.OPERATE:
                    roles[cluster] = role
    return roles


def _values(claim: str, value: object) -> list[str]:
    """Return the values of a claim that grants may name.

    Only scopes are words separated by blanks (RFC 8693, section 4.2). Any other text is one value,
    blanks included: who chooses their own name must not be able to choose a role with it.
    """
    if isinstance(value, str):
        return value.split(" ") if claim in _SCOPES else [value]
    listed = value if isinstance(value, list) else []
    return [item for item in listed if isinstance(item, str)]


ALGORITHMS = ("RS256", "ES256")
_FRESH = 3600.0
#: How long keys are used while the issuer cannot be reached: its sign-in may work all the same.
_STALE = 24 * 3600.0
_PAUSE = 10.0
_TIMEOUT = httpx.Timeout(5.0)
_LARGEST = 1 << 20
_SMALLEST_RSA = 2048
#: How far the clocks of issuer and gateway may be apart.
LEEWAY = 60.0

_log = structlog.get_logger("gateway.access")


class ExpiredWebToken(RefusedToken):
    """A token whose time is over."""


class WebTokens:
    """Checks the tokens of all configured issuers.

    Args:
        issuers: The issuers.
        transport: Stands in for the network in tests.
    """

    def __init__(
        self, issuers: Sequence[Issuer], transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._issuers = {
            issuer.issuer: (issuer, IssuerKeys(issuer, transport)) for issuer in issuers
        }

    async def principal(self, token: str) -> Principal:
        """Return who a token is of, and the roles it gives; none may be among them.

        Raises:
            RefusedToken: It is not accepted.
            KeysUnavailable: It cannot be checked now.
        """
        issuer, claims = await self._read(token)
        return principal_of(claims, issuer)

    async def proof(self, token: str, nonce: str | None = None) -> dict[str, Any]:
        """Return what is to be kept of a token for `recall`: no signature, and few of its claims.

        Args:
            token: The token.
            nonce: What it must carry, which names the sign-in that it was issued for; None where
                it was issued for none.

        Raises:
            RefusedToken: It is not accepted.
            KeysUnavailable: It cannot be checked now.
        """
        issuer, claims = await self._read(token)
        principal_of(claims, issuer)
        if nonce is not None and claims.get("nonce") != nonce:
            raise RefusedToken("it was issued for another sign-in")
        kept = {*issuer.claims, issuer.name_claim, "exp"}
        return {
            "issuer": issuer.issuer,
            "claims": {name: value for name, value in claims.items() if name in kept},
        }

    def recall(self, proof: Mapping[str, Any], now: float) -> Principal:
        """Return who a proof is of, by the grants as they are configured now.

        Raises:
            RefusedToken: Its token has expired, or its issuer is configured no more.
        """
        known = self._issuers.get(proof["issuer"])
        if known is None:
            raise RefusedToken("its issuer is none of those that are configured")
        claims = proof["claims"]
        if int(claims["exp"]) + LEEWAY <= now:  # a text of digits passes, too
            raise ExpiredWebToken("it has expired")
        return principal_of(claims, known[0])

    async def _read(self, token: str) -> tuple[Issuer, dict[str, Any]]:
        """Return the issuer and the claims of a token that is valid."""
        claimed, header = _claimed(token)
        if claimed not in self._issuers:
            raise RefusedToken("its issuer is none of those that are configured")
        issuer, keys = self._issuers[claimed]
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise RefusedToken(f"its algorithm is none of {', '.join(ALGORITHMS)}")
        key = await keys.key(header.get("kid"), algorithm)
        if key is None:
            raise RefusedToken("it is signed with a key that its issuer does not have")
        return issuer, _checked(token, key, algorithm, issuer)

    async def close(self) -> None:
        """Close all connections."""
        for _, keys in self._issuers.values():
            await keys.close()


def _claimed(token: str) -> tuple[str, dict[str, Any]]:
    """Return the issuer that a token claims to be of, and its header; nothing of it is checked."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        return str(claims.get("iss")), dict(jwt.get_unverified_header(token))
    except (jwt.PyJWTError, ValueError, TypeError):
        raise RefusedToken("it is no JSON Web Token") from None


def _checked(token: str, key: jwt.PyJWK, algorithm: str, issuer: Issuer) -> dict[str, Any]:
    """Return the claims of a token whose signature, issuer, audience and times are right."""
    try:
        return dict(
            jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                issuer=issuer.issuer,
                audience=issuer.audience,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud"]},
            )
        )
    except jwt.ExpiredSignatureError:
        raise ExpiredWebToken("it has expired") from None
    except jwt.ImmatureSignatureError:
        raise RefusedToken("it is not valid yet") from None
    except jwt.InvalidAudienceError:
        raise RefusedToken("it was issued for another audience") from None
    except jwt.MissingRequiredClaimError as error:
        raise RefusedToken(f"it has no claim {error.claim}") from None
    except jwt.InvalidSignatureError:
        raise RefusedToken("its signature is invalid") from None
    except (jwt.PyJWTError, ValueError, TypeError):
        raise RefusedToken("it is no JSON Web Token that can be checked") from None


class KeysUnavailable(Signal):
    """The issuer's keys are unavailable now; the text is the reason, in one line."""


class IssuerKeys:
    """The public keys of one issuer: found by OpenID discovery, cached, fetched again.

    They are fetched when first needed, once an hour, and when a token names a key that is not
    known: issuers change their keys. But never more often than once in `_PAUSE` seconds, so that
    nobody can make the gateway flood an issuer by inventing names of keys.

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
            timeout=_TIMEOUT, verify=trust(issuer.ca_file), transport=transport
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
        if not isinstance(data.get("kid", ""), str):
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


def trust(ca_file: str | None) -> ssl.SSLContext:
    """Return what certificates are checked by: those of a file, or the system's.

    Raises:
        OSError: The file cannot be read.
    """
    if ca_file is None:
        return system_trust()
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # which names no file
        raise OSError(error.errno, error.strerror or str(error), ca_file) from None
