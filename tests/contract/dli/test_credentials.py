"""Who asks: tokens, signatures, and what is said where they are refused."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qsl, quote

import httpx
import pytest

from flink_jobs_provider.control_planes.dli.client import open_client
from flink_jobs_provider.control_planes.dli.plane import DliPlane
from flink_jobs_provider.model.errors import (
    ClusterRefused,
)
from flink_jobs_provider.model.target import DliTarget
from tests.contract.dli.scripted import OK, RUN, TOKEN, Service, answer, error
from tests.contract.dli.stack import TARGET


def test_refused_credentials() -> None:
    with pytest.raises(ClusterRefused) as caught:
        Service(error("APIGW.0301", 401, "Incorrect IAM authentication: token expired")).ask(
            "job", RUN
        )
    assert "refused the credentials (401): APIGW.0301" in str(caught.value)
    assert "24 hours" in caught.value.remedy
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(20, "20 minutes ahead of"), (-20, "20 minutes behind"), (0, "")],
)
def test_a_clock_that_goes_wrong_is_told(minutes: int, words: str) -> None:
    there = format_datetime(datetime.now(UTC) - timedelta(minutes=minutes), usegmt=True)
    with pytest.raises(ClusterRefused) as caught:
        Service(error("APIGW.0301", 403, "no", date=there)).ask("run", RUN, resume=False)
    assert words in str(caught.value)
    assert ("Set the clock" in str(caught.value)) is bool(words)


def test_signatures() -> None:
    """Shows a signed request, as Huawei's own signer checks out, with a temporary key's token."""
    secrets = {"env:AK": "access", "env:SK": "secret", "env:ST": "temporary"}
    target = DliTarget.model_validate(
        {
            **{k: v for k, v in TARGET.items() if k != "token"},
            "access_key": "env:AK",
            "secret_key": "env:SK",
            "security_token": "env:ST",
        }
    )
    service = Service(answer([OK]), answer({**OK, "job_list": {"jobs": []}}))

    async def asked() -> None:
        client = open_client(target, secrets.__getitem__, httpx.MockTransport(service))
        plane = DliPlane(target, client)
        await plane.run(RUN, resume=True)
        await plane.named("a b")
        await plane.close()

    asyncio.run(asked())
    for request in service.requests:
        given = request.headers["Authorization"]
        assert given.startswith("SDK-HMAC-SHA256 Access=access, SignedHeaders=content-type;host;x-")
        assert request.headers["X-Security-Token"] == "temporary"
        assert _signature(request, "secret") == given.rpartition("Signature=")[2]
        assert "secret" not in str(request.headers)


def _signature(request: httpx.Request, key: str) -> str:
    """Sign a request once more, by the documented steps."""
    names = request.headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    headers = "".join(f"{name}:{request.headers[name]}\n" for name in names.split(";"))
    pairs = sorted(parse_qsl(request.url.query.decode()))
    query = "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs)
    body = hashlib.sha256(request.content).hexdigest()
    parts = (request.method, f"{request.url.path}/", query, headers, names, body)
    canonical = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    text = f"SDK-HMAC-SHA256\n{request.headers['X-Sdk-Date']}\n{canonical}"
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def test_signing_needs_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huaweicloudsdkcore.sdk_request", None)
    target = DliTarget.model_validate(
        {
            "kind": "dli",
            "region": "a-b-1",
            "project_id": "p",
            "access_key": "env:A",
            "secret_key": "env:S",
        }
    )
    with pytest.raises(ClusterRefused, match=r"flink-jobs-provider\[dli\]"):
        open_client(target, lambda _reference: "x")
