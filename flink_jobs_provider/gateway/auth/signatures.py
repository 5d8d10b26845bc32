"""Signed requests of the Data Lake Insight API: who signed one, and that nothing of it was changed.

A request names an access key, and carries an HMAC of its method, path, query, some headers and its
body, made with the secret key that belongs to it (`SDK-HMAC-SHA256`). The signature is made again
here, by Huawei's own signer, and compared.

Of the headers only X-Sdk-Date must be signed, as Huawei's guide has it. Its SDKs sign Host as well;
its Terraform provider does not: Go keeps Host apart from the headers, all of which that signs. Who
gets to see a request in which Host is not signed can send it, for a quarter of an hour, to another
gateway that knows the same key, too. TLS is what keeps it from being seen.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from flink_jobs_provider.gateway.auth.access_configuration import SigningKey
from flink_jobs_provider.gateway.principal import Principal
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.model.errors import SetupError

ALGORITHM = "SDK-HMAC-SHA256"
#: How far the clock of who signs may be away from ours; within it a request can be sent again.
WINDOW = timedelta(minutes=15)

_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Access=([A-Za-z0-9]+), ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{{64}})"
)
_DATE = "%Y%m%dT%H%M%SZ"
_MUST_BE_SIGNED = "x-sdk-date"


class SignaturesUnavailable(SetupError):
    """Signatures cannot be checked here; the text is what is missing."""


@dataclass(frozen=True)
class SignedRequest:
    """What of a request is signed.

    Attributes:
        path: As it was sent, before anything in it was decoded.
        query: Names and values, decoded, in any order.
        headers: By name in lower case. A name that came twice is not among them.
    """

    method: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class _Claim(NamedTuple):
    access_key: str
    signed_headers: list[str]
    signature: str


class _Secret(NamedTuple):
    """A key as Huawei's signer takes it."""

    ak: str
    sk: str


class Signatures:
    """The keys that requests may be signed with.

    Args:
        keys: The configured keys.
        secret_of: Resolves a reference to a secret.
        now: The present time.

    Raises:
        KeyError: A secret is not there.
        SignaturesUnavailable: The package with the signer is not installed.
    """

    def __init__(
        self,
        keys: Sequence[SigningKey],
        secret_of: Callable[[str], str],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        try:
            signer: Any = importlib.import_module("huaweicloudsdkcore.signer.signer").Signer
            self._request: Any = importlib.import_module(
                "huaweicloudsdkcore.sdk_request"
            ).SdkRequest
        except ImportError:
            raise SignaturesUnavailable(
                "access.signing_keys needs a further package: pip install "
                '"flink-jobs-provider[gateway,dli]"'
            ) from None
        self._signer = _of_claimed_headers(signer)
        self._keys = {key.access_key: key for key in keys}
        self._secrets = {key.access_key: secret_of(key.secret_key) for key in keys}
        self._tokens = {
            key.access_key: secret_of(key.security_token) for key in keys if key.security_token
        }
        self._now = now

    def principal(self, request: SignedRequest) -> Principal:
        """Return who signed a request.

        Raises:
            Refusal: 401: it is not signed, not in time, or not as it was signed.
        """
        claim = _claim(request)
        self._in_time(request)
        _body_is_signed(request)
        # An unknown key takes as long as a known one: how long it takes reveals nothing.
        secret = self._secrets.get(claim.access_key, "unknown")
        made = self._sign(request, claim, secret)
        right = hmac.compare_digest(made, claim.signature)
        key = self._keys.get(claim.access_key)
        if key is None or not right:
            raise _refused(
                "no key of this gateway made that signature, or something changed the request "
                "on its way"
            )
        token = self._tokens.get(claim.access_key)
        given = request.headers.get("x-security-token", "")
        if token and not hmac.compare_digest(token.encode(), given.encode()):
            raise _refused("the X-Security-Token is not the one that belongs to the key")
        if key.expires is not None and key.expires <= self._now():
            raise _refused("the key has expired")
        return Principal(key.name, key.roles)

    def _in_time(self, request: SignedRequest) -> None:
        try:
            signed_at = datetime.strptime(request.headers["x-sdk-date"], _DATE).replace(tzinfo=UTC)
        except ValueError:
            raise _refused("X-Sdk-Date must be as 20241231T235959Z") from None
        now = self._now()
        if abs(now - signed_at) > WINDOW:
            raise _refused(
                f"it was signed at {signed_at:%Y-%m-%dT%H:%M:%SZ}, and now is "
                f"{now:%Y-%m-%dT%H:%M:%SZ}: the clocks may be 15 minutes apart"
            )

    def _sign(self, request: SignedRequest, claim: _Claim, secret: str) -> str:
        """Return the signature that a request should have."""
        signed = self._request(
            method=request.method,
            host="",
            resource_path=request.path,
            query_params=list(request.query),
            header_params={name: request.headers[name] for name in claim.signed_headers},
            body=request.body,
        )
        self._signer(_Secret(claim.access_key, secret)).sign(signed)
        made = _AUTHORIZATION.fullmatch(signed.header_params["Authorization"])
        # The signer may have signed other headers: it adds some by itself, in some versions.
        if made is None or made[2].split(";") != claim.signed_headers:
            return ""
        return made[3]


def _claim(request: SignedRequest) -> _Claim:
    match = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if match is None:
        raise _refused(
            f"Authorization must be '{ALGORITHM} Access=…, SignedHeaders=…, Signature=…'"
        )
    names = match[2].split(";")
    if _MUST_BE_SIGNED not in names:
        raise _refused("X-Sdk-Date must be among the SignedHeaders")
    if missing := [name for name in names if name not in request.headers]:
        raise _refused(f"the signed header {missing[0][:80]} is not in the request, or is twice")
    return _Claim(match[1], names, match[3])


def _of_claimed_headers(signer: Any) -> Any:
    """Return Huawei's signer, but for the header that it adds by itself where it is not given."""

    class Signer(signer):  # type: ignore[misc]
        @classmethod
        def _process_header_host(cls, request: Any) -> None:
            """Leave Host out, unless it is among the headers."""

    return Signer


def _body_is_signed(request: SignedRequest) -> None:
    """Check that the digest which is signed, where a header names one, is that of the body."""
    given = request.headers.get("x-sdk-content-sha256")
    digest = hashlib.sha256(request.body).hexdigest()
    if given is not None and not hmac.compare_digest(given.encode(), digest.encode()):
        raise _refused("X-Sdk-Content-Sha256 is not the SHA-256 of the content")


def _refused(why: str) -> Refusal:
    return Refusal("InvalidSignature", f"The signature is not accepted: {why}.")
