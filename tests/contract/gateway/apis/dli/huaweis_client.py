"""Huawei's own SDK, unmodified, against a gateway: its requests are signed."""

from __future__ import annotations

from typing import Any

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkdli.v1 import DliClient

from flink_jobs_provider.gateway.auth.access_configuration import SigningKey
from flink_jobs_provider.gateway.auth.signatures import Signatures
from tests.contract.gateway.memory_service import PROJECT

ACCESS_KEY = "HST3WHTZ9PY7EWYXNRGP"
SECRET_KEY = "not-a-real-secret-key"
SECURITY_TOKEN = "a-temporary-one"
SECRETS = {"env:SECRET": SECRET_KEY, "env:TOKEN": SECURITY_TOKEN}


def signing_key(**changes: Any) -> SigningKey:
    """Return a key of the configuration."""
    return SigningKey.model_validate(
        {
            "name": "sdk",
            "access_key": ACCESS_KEY,
            "secret_key": "env:SECRET",
            "roles": {"*": "operate"},
            **changes,
        }
    )


def signatures(**changes: Any) -> Signatures:
    """Return what knows that key."""
    return Signatures([signing_key(**changes)], SECRETS.__getitem__)


def client(url: str, secret_key: str = SECRET_KEY, token: str | None = None) -> Any:
    """Return a client whose only difference is the address."""
    credentials = BasicCredentials(ACCESS_KEY, secret_key, PROJECT)
    if token:
        credentials = credentials.with_security_token(token)
    return DliClient.new_builder().with_credentials(credentials).with_endpoint(url).build()
