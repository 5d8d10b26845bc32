"""Signed requests: what is accepted, and everything in which one can be wrong."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

from flink_jobs_provider.gateway.auth.access_configuration import SigningKey
from flink_jobs_provider.gateway.auth.signatures import (
    Signatures,
    SignaturesUnavailable,
    SignedRequest,
)
from flink_jobs_provider.gateway.http.api_answers import status_of
from flink_jobs_provider.gateway.principal import Role
from flink_jobs_provider.gateway.refusals import Refusal

NOW = datetime(2024, 5, 21, 6, 57, 28, tzinfo=UTC)
KEY, SECRET = "HST3WHTZ9PY7EWYXNRGP", "a-secret"
PATH = "/v1.0/project/streaming/jobs/run"


def _key(**changes: Any) -> SigningKey:
    return SigningKey.model_validate(
        {
            "name": "ci",
            "access_key": KEY,
            "secret_key": "env:SECRET",
            "roles": {"/Clusters/C": "operate"},
            **changes,
        }
    )


def _signatures(**changes: Any) -> Signatures:
    secrets = {"env:SECRET": SECRET, "env:TOKEN": "token"}
    return Signatures([_key(**changes)], secrets.__getitem__, lambda: NOW)


def _signed(
    body: bytes = b'{"job_ids": [1]}',
    *,
    at: datetime = NOW,
    secret: str = SECRET,
    access_key: str = KEY,
    **headers: str,
) -> SignedRequest:
    """Return a request as Huawei's SDK signs it."""
    given = {
        "Host": "gateway:8090",
        "X-Sdk-Date": at.strftime("%Y%m%dT%H%M%SZ"),
        "Content-Type": "application/json",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    request = SdkRequest(
        method="POST",
        host="gateway:8090",
        resource_path=PATH,
        query_params=[("a", "b c"), ("z", "")],
        header_params=given,
        body=body,
    )
    Signer(BasicCredentials(access_key, secret, "project")).sign(request)
    sent = {name.lower(): value for name, value in request.header_params.items()}
    return SignedRequest("POST", PATH, [("z", ""), ("a", "b c")], sent, body)


def _refused(request: SignedRequest, **changes: Any) -> str:
    with pytest.raises(Refusal) as caught:
        _signatures(**changes).principal(request)
    assert (status_of(caught.value), caught.value.code) == (401, "InvalidSignature")
    assert SECRET not in caught.value.message
    return caught.value.message


def _with(request: SignedRequest, **headers: str | None) -> SignedRequest:
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    kept = {**request.headers, **changed}
    return replace(request, headers={k: v for k, v in kept.items() if v is not None})


def test_who_signed_is_known_with_their_roles() -> None:
    principal = _signatures().principal(_signed())
    assert principal.name == "ci"
    assert principal.may(Role.OPERATE, "/clusters/c")
    assert _signatures().principal(_signed(b"")).name == "ci"


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "GET"},
        {"path": PATH.replace("run", "stop")},
        {"query": [("a", "b c")]},
        {"query": [("a", "other"), ("z", "")]},
        {"body": b'{"job_ids": [2]}'},
        {"body": b""},
    ],
)
def test_nothing_of_a_signed_request_can_be_changed(changed: dict[str, Any]) -> None:
    assert "no key of this gateway" in _refused(replace(_signed(), **changed))


def test_a_signed_header_cannot_be_changed_or_left_out() -> None:
    request = _signed(X_Other="1")
    assert "no key of this gateway" in _refused(_with(request, x_other="2"))
    assert "x-other is not in the request" in _refused(_with(request, x_other=None))
    assert "no key" in _refused(_with(request, host="elsewhere:8090"))


def test_a_wrong_secret_and_an_unknown_key_are_told_alike() -> None:
    wrong = _refused(_signed(secret="other"))
    assert wrong == _refused(_signed(access_key="AAAAAAAAAAAAAAAAAAAA"))
    # Not even with what stands in for the secret of an unknown key.
    assert wrong == _refused(_signed(access_key="AAAAAAAAAAAAAAAAAAAA", secret="unknown"))


@pytest.mark.parametrize("minutes", [-15, 15])
def test_a_request_is_accepted_for_a_quarter_of_an_hour(minutes: int) -> None:
    at = NOW + timedelta(minutes=minutes)
    assert _signatures().principal(_signed(at=at)).name == "ci"
    late = at + timedelta(seconds=1 if minutes > 0 else -1)
    said = _refused(_signed(at=late))
    assert "2024-05-21T06:57:28Z" in said, "it tells our time"


def test_a_date_that_is_none() -> None:
    assert "X-Sdk-Date must be" in _refused(_with(_signed(), x_sdk_date="yesterday"))


def test_the_body_cannot_be_left_unsigned() -> None:
    body = b'{"job_ids": [1]}'
    unsigned = _signed(body, Content_Type="text/plain")
    assert unsigned.headers["x-sdk-content-sha256"] == "UNSIGNED-PAYLOAD"
    assert "SHA-256" in _refused(unsigned)
    hidden = _with(unsigned, x_sdk_content_sha256=hashlib.sha256(body).hexdigest())
    assert "no key" in _refused(hidden)
    digest = hashlib.sha256(body).hexdigest()
    assert _signatures().principal(_signed(body, X_Sdk_Content_Sha256=digest)).name == "ci"
    other = replace(_signed(body, X_Sdk_Content_Sha256=digest), body=b'{"job_ids": [2]}')
    assert "SHA-256" in _refused(other)


@pytest.mark.parametrize(
    "authorization",
    [
        "SDK-HMAC-SHA256",
        "SDK-HMAC-SHA256 Access=A",
        "SDK-HMAC-SHA256 Access=A, SignedHeaders=host;x-sdk-date, Signature=xyz",
        f"SDK-HMAC-SM3 Access=A, SignedHeaders=host;x-sdk-date, Signature={'0' * 64}",
        f"SDK-HMAC-SHA256 Access=A, SignedHeaders=, Signature={'0' * 64}",
    ],
)
def test_a_header_of_another_form(authorization: str) -> None:
    assert "Authorization must be" in _refused(_with(_signed(), authorization=authorization))


def _signed_as_by_terraform(
    body: bytes = b'{"job_ids": [1]}', query: Sequence[tuple[str, str]] = (), secret: str = SECRET
) -> SignedRequest:
    """Return a request as Huawei's library for Go signs it, which its Terraform provider uses.

    Written after Huawei's description of the scheme: all headers but Host, which Go keeps apart.
    """
    date = NOW.strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "accept": "application/json",
        "content-type": "application/json",
        "user-agent": "terraform-provider-huaweicloud golangsdk/2.0.0",
        "x-language": "en-us",
        "x-sdk-date": date,
    }
    names = ";".join(sorted(headers))
    canonical = [
        "POST",
        f"{PATH}/",
        "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in query),
        *(f"{name}:{value}" for name, value in sorted(headers.items())),
        "",
        names,
        hashlib.sha256(body).hexdigest(),
    ]
    digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    to_sign = f"SDK-HMAC-SHA256\n{date}\n{digest}"
    signature = hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    sent = {
        **headers,
        "host": "gateway:8090",
        "authorization": f"SDK-HMAC-SHA256 Access={KEY}, SignedHeaders={names}, "
        f"Signature={signature}",
    }
    return SignedRequest("POST", PATH, list(query), sent, body)


@pytest.mark.parametrize("query", [[], [("name", "a b/ü"), ("tags", "team=x")]])
@pytest.mark.parametrize("body", [b"", b'{"job_ids": [1]}'])
def test_a_request_of_terraform_is_accepted(query: list[tuple[str, str]], body: bytes) -> None:
    request = _signed_as_by_terraform(body, query)
    assert _signatures().principal(request).name == "ci"
    for changed in (
        replace(request, body=b"other"),
        replace(request, path=PATH.replace("run", "stop")),
        replace(request, query=[("a", "b")]),
        _with(request, user_agent="another"),
        _signed_as_by_terraform(body, query, secret="other"),
    ):
        assert "no key of this gateway" in _refused(changed)


def test_a_host_that_is_signed_cannot_be_left_out() -> None:
    request = _signed()
    value = request.headers["authorization"]
    assert "host;" in value
    without = _with(request, authorization=value.replace("host;", ""))
    assert "no key of this gateway" in _refused(without)


def test_the_date_must_be_signed() -> None:
    headers = f"SDK-HMAC-SHA256 Access={KEY}, SignedHeaders=host, Signature={'0' * 64}"
    assert "must be among" in _refused(_with(_signed(), authorization=headers))


def test_headers_that_are_named_out_of_order_or_twice_are_none() -> None:
    request = _signed()
    value = request.headers["authorization"]
    names = value.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    for other in (names[::-1], [*names, names[-1]]):
        changed = value.replace(";".join(names), ";".join(other))
        assert "no key" in _refused(_with(request, authorization=changed))


def test_a_temporary_key_comes_with_its_token() -> None:
    request = _signed(X_Security_Token="token")
    assert _signatures(security_token="env:TOKEN").principal(request).name == "ci"
    for other in (_signed(), _signed(X_Security_Token="other")):
        assert "X-Security-Token" in _refused(other, security_token="env:TOKEN")


def test_a_key_expires() -> None:
    assert _signatures(expires=NOW + timedelta(seconds=1)).principal(_signed()).name == "ci"
    assert "expired" in _refused(_signed(), expires=NOW)


def test_a_secret_that_is_not_there_is_told_at_the_start() -> None:
    with pytest.raises(KeyError):
        Signatures([_key()], dict[str, str]().__getitem__)


def test_without_the_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "huaweicloudsdkcore.signer.signer", None)
    with pytest.raises(SignaturesUnavailable, match=r"gateway,dli"):
        _signatures()


def test_no_secret_is_in_what_is_printed() -> None:
    assert SECRET not in repr(_signatures())
    assert "job_ids" not in repr(_signed())
