"""Requests to Data Lake Insight: reads are repeated, steps are sent once; and what answers mean.

Messages are shown, and never decided by.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx

from flink_jobs_provider.control_planes.connection import secret
from flink_jobs_provider.control_planes.http import (
    AMBIGUOUS,
    SET_CLOCK,
    ServiceClient,
    asking,
    json_of,
    open_http,
    plain,
    retry_after,
    retrying,
    skew,
)
from flink_jobs_provider.control_planes.protocol import Guard, Resolve, Sleep
from flink_jobs_provider.control_planes.service_planes import (
    Busy,
    NotOffered,
    OrderRefused,
    Unanswered,
)
from flink_jobs_provider.model.errors import (
    ClusterRefused,
    ClusterUnreachable,
    JobError,
    Missing,
)
from flink_jobs_provider.model.target import DliTarget

#: A job that is not there: the codes of a job, and of any object (the latter with status 400).
MISSING = frozenset({"DLI.16001", "DLI.0002"})
#: Trouble of the service itself, also with status 400.
TROUBLE = "DLI.0999"


def succeeded(body: Any) -> bool:
    """Whether an answer says so: as text or boolean, in any case; one that says nothing does not.

    A message that is itself such an answer counts, too (the reference shows one of a savepoint).
    """
    if not isinstance(body, dict) or str(body.get("is_success")).strip().lower() != "true":
        return False
    inner = _json_in(body.get("message"))
    return not (isinstance(inner, dict) and "is_success" in inner) or succeeded(inner)


def error_in(body: Any) -> tuple[str, str]:
    """Return code and message of an answer that is no success; empty texts where it has none."""
    if not isinstance(body, dict):
        return "", ""
    code = str(body.get("error_code") or "")
    message = body.get("error_msg") or body.get("message") or ""
    inner = _json_in(message)
    if isinstance(inner, dict):
        return code or str(inner.get("error_code") or ""), error_in(inner)[1]
    return code, plain(str(message))


def is_missing(status: int, code: str) -> bool:
    """Whether a job is not there. A path that an API gateway does not know is no missing job."""
    return code in MISSING or (status == 404 and code.startswith("DLI."))


def no_such_route(status: int, code: str) -> bool:
    """Whether the service has no such call."""
    return status in (404, 405, 501) and not code.startswith("DLI.")


def _json_in(text: Any) -> Any:
    if not isinstance(text, str) or not text.lstrip().startswith("{"):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


class SignedRequests(httpx.Auth):
    """Signatures by an access key, made by Huawei's own SDK.

    A temporary key needs its security token besides.

    Raises:
        ClusterRefused: The SDK's core is not installed.
    """

    requires_request_body = True

    def __init__(self, access_key: str, secret_key: str, security_token: str | None) -> None:
        try:
            from huaweicloudsdkcore.sdk_request import SdkRequest
            from huaweicloudsdkcore.signer.signer import Signer
        except ImportError:
            raise ClusterRefused(
                "target.access_key needs a further package, which signs requests",
                remedy='pip install "flink-jobs-provider[dli]", or give target.token',
            ) from None
        self._request: Any = SdkRequest
        self._signer: Any = Signer(SimpleNamespace(ak=access_key, sk=secret_key))
        self._security_token = security_token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign a request: what is signed are its method, path, query, body and these headers."""
        headers = {
            "Host": request.headers["Host"],
            "Content-Type": request.headers.get("Content-Type", "application/json"),
            "X-Sdk-Date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
        }
        if self._security_token:
            headers["X-Security-Token"] = self._security_token
        signed = self._signer.sign(
            self._request(
                method=request.method,
                schema=request.url.scheme,
                host=headers["Host"],
                resource_path=request.url.path,
                query_params=list(request.url.params.multi_items()),
                header_params=headers,
                body=request.content,
            )
        )
        request.headers.update(signed.header_params)
        yield request


def open_client(
    target: DliTarget, resolve: Resolve, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """Return an HTTP client for the API of a project.

    Raises:
        ClusterRefused: A reference leads nowhere, there are no credentials, a certificate file
            cannot be used, or what signs requests is missing.
    """
    headers = {"X-Language": "en-us"}
    auth: httpx.Auth | None = None
    if target.token:  # of IAM, or of a gateway
        headers["X-Auth-Token"] = secret(resolve, target.token, "target.token")
    elif target.access_key and target.secret_key:
        temporary = target.security_token
        auth = SignedRequests(
            secret(resolve, target.access_key, "target.access_key"),
            secret(resolve, target.secret_key, "target.secret_key"),
            secret(resolve, temporary, "target.security_token") if temporary else None,
        )
    else:
        raise ClusterRefused(
            "target has no credentials", remedy="Set token, or access_key and secret_key"
        )
    return open_http(
        target.url, target.tls, resolve, transport=transport, headers=headers, auth=auth
    )


_GATEWAY = "x-flink-jobs-gateway"


class DliClient(ServiceClient):
    """The API of one project; `is_gateway` is whether a gateway of this project has answered."""

    service = "Data Lake Insight"
    named_by = "target.endpoint or target.region"

    def __init__(
        self, http: httpx.AsyncClient, project_id: str, guard: Guard, sleep: Sleep = asyncio.sleep
    ) -> None:
        super().__init__(http, guard, sleep)
        self._prefix = f"/v1.0/{project_id}/streaming"
        self.is_gateway = False

    async def read(self, path: str, **query: str | int) -> dict[str, Any]:
        """Read; a temporary failure is retried, when the service asks for it or a little later.

        Raises:
            Missing: There is no such job.
            ClusterUnreachable: No answer, or none of its own.
            ClusterRefused: It did not let us in, or does not answer as the service does.
        """
        return await retrying(self._sleep)(self._read_once, path, query)

    async def _read_once(self, path: str, query: dict[str, Any]) -> dict[str, Any]:
        response = await self._read(f"{self._prefix}{path}", params=query or None)
        body = json_of(response)
        if response.is_success and succeeded(body):
            return dict(body)
        raise asking(self._unread(response, body), response)

    async def step(self, method: str, path: str, body: Any = None) -> Any:
        """Send what changes something, once; return the answer, which confirms that it was taken.

        Raises:
            EngineGone: The run this belongs to has ended; nothing was sent.
            Missing: There is no such job.
            Unanswered: It is unknown whether it was taken.
            Busy: It was not taken, for now.
            NotOffered: The service has no such call.
            OrderRefused: It was not taken.
            ClusterRefused: It did not let us in.
        """
        response = await self._change(method, f"{self._prefix}{path}", body)
        answer = json_of(response)
        if response.is_success:
            return self._taken(answer)
        code, message = error_in(answer)
        status = response.status_code
        said = f"{status} {code} {message}".replace("  ", " ").strip()
        if status in (401, 403):
            raise self._not_let_in(response, code, message)
        if status == 429:
            raise Busy(f"{self.endpoint} takes no more now: {said}", retry_after(response))
        if is_missing(status, code):
            raise Missing(f"{self.endpoint} answered {said}")
        if status in AMBIGUOUS or code == TROUBLE:
            raise Unanswered(f"{self.endpoint} answered {said}")
        kind = NotOffered if no_such_route(status, code) else OrderRefused
        raise kind(f"{self.endpoint} answered {said}")

    def _taken(self, answer: Any) -> Any:
        """Return an answer that confirms the call, or that of the one job that was named.

        Answers to calls for several jobs are lists that name no job: so such a call names one.
        """
        if isinstance(answer, list):
            if len(answer) != 1:
                raise Unanswered(f"{self.endpoint} answered for {len(answer)} jobs, not for one")
            answer = answer[0]
        if succeeded(answer):
            return answer
        code, message = error_in(answer)
        said = f"{code} {message}".strip() or "without a word of success"
        if is_missing(200, code):
            raise Missing(f"{self.endpoint} answered {said}")
        raise OrderRefused(f"{self.endpoint} answered {said}")

    async def _send(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Response:
        response = await super()._send(method, url, **options)
        self.is_gateway = response.headers.get(_GATEWAY) == "1" or self.is_gateway
        return response

    def _unread(self, response: httpx.Response, body: Any) -> JobError:
        """Return the error for an answer to a read that is no success."""
        status = response.status_code
        code, message = error_in(body)
        said = f"{status} {code} {message}".replace("  ", " ").strip()
        if status in (401, 403):
            return self._not_let_in(response, code, message)
        if is_missing(status, code):
            return Missing(f"{self.endpoint} answered {said}")
        if status == 429 or status >= 500 or code == TROUBLE:
            return ClusterUnreachable(
                f"{self.endpoint} answered {said}", remedy="Try again when the service is back"
            )
        if response.is_success and not (isinstance(body, dict) and "is_success" in body):
            return self.not_the_service(self._page(response))
        if not code and not message:
            return ClusterRefused(self._page(response), remedy=f"Check {self.named_by}")
        return ClusterRefused(
            f"{self.endpoint} answered {said}",
            remedy="Check region, endpoint, project_id and queue of target",
        )

    def _not_let_in(self, response: httpx.Response, code: str, message: str) -> ClusterRefused:
        status = response.status_code
        said = f": {code} {message}".rstrip(": ") if code or message else ""
        if apart := skew(response, datetime.now(UTC)):
            return ClusterRefused(
                f"{self.endpoint} refused the credentials ({status}){said}; {apart}",
                remedy=SET_CLOCK,
            )
        return ClusterRefused(
            f"{self.endpoint} refused the credentials ({status}){said}",
            remedy="Check target.token, which IAM gives for 24 hours, or target.access_key and "
            "target.secret_key; and the permissions in the project",
        )
