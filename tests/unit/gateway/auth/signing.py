"""Keys of a made-up issuer, and the tokens that it signs with them."""

from __future__ import annotations

import json
import time
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "api://gateway"


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return the RSA key of that name: always the same one, since making it takes long."""
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    """Return the P-256 key of that name."""
    return ec.generate_private_key(ec.SECP256R1())


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    """Return the public half as PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def jwk(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, **more: Any) -> dict[str, Any]:
    """Return the public half of a key as an issuer lists it."""
    if isinstance(key, rsa.RSAPrivateKey):
        listed = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
    else:
        listed = json.loads(ECAlgorithm.to_jwk(key.public_key()))
    listed.pop("key_ops", None)
    return {**listed, "use": "sig", **more}


def claims(issuer: str, **changes: Any) -> dict[str, Any]:
    """Return the claims of a token that is right; a change to None leaves a claim out."""
    now = int(time.time())
    right = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": "pipeline",
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        "roles": ["Jobs.Operate"],
    }
    return {name: value for name, value in {**right, **changes}.items() if value is not None}


def signed(
    issuer: str,
    key: Any = None,
    algorithm: str = "RS256",
    kid: str | None = "one",
    headers: dict[str, Any] | None = None,
    **changes: Any,
) -> str:
    """Return a token, by default one that is right."""
    key = key or rsa_key("one")
    named = {"kid": kid} if kid is not None else {}
    return jwt.encode(claims(issuer, **changes), key, algorithm, {**named, **(headers or {})})
