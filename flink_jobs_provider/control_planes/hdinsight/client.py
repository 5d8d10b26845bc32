"""Requests to Azure Resource Manager: its tokens; reads are repeated, orders are sent once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

import httpx

from flink_jobs_provider.control_planes.connection import secret
from flink_jobs_provider.control_planes.http import (
    AMBIGUOUS,
    SET_CLOCK,
    ServiceClient,
    asking,
    is_page,
    json_of,
    open_http,
    plain,
    retry_after,
    retrying,
    skew,
)
from flink_jobs_provider.control_planes.protocol import Guard, MonotonicClock, Resolve, Sleep
from flink_jobs_provider.control_planes.service_planes import Busy, OrderRefused, Unanswered
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ActionInProgress,
    ClusterRefused,
    ClusterUnreachable,
    JobError,
)
from flink_jobs_provider.model.target import AzureCredential, HDInsightTarget

#: A token is refreshed this long before it expires, in seconds.
_EARLY = 300.0
#: Seconds between two reads of an operation, where the service does not name them.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


class EntraTokens(httpx.Auth):
    """Tokens of Entra ID, shared by all requests, and refreshed when they are refused."""

    def __init__(self, credential: Any, scope: str) -> None:
        self._credential = credential
        self._scope = scope
        self._token = ""
        self._until = 0.0
        self._lock = asyncio.Lock()

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Add a token to a request; send it again with a new one where the first is refused.

        A request that is refused for its token was not executed, so that is safe.
        """
        token = await self._get()
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == 401:
            renewed = await self._get(instead_of=token)
            if renewed != token:
                request.headers["Authorization"] = f"Bearer {renewed}"
                yield request

    async def _get(self, instead_of: str | None = None) -> str:
        async with self._lock:
            fresh = time.time() < self._until - _EARLY
            if not self._token or not fresh or self._token == instead_of:
                await self._renew()
            return self._token

    async def _renew(self) -> None:
        from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

        try:
            access = await asyncio.to_thread(self._credential.get_token, self._scope)
        except ServiceRequestError:
            raise ClusterUnreachable(
                "Entra ID does not answer, so there is no token for the cluster",
                remedy="Is the network up?",
            ) from None
        except ClientAuthenticationError as error:
            said = str(error.message or error).strip().splitlines()
            raise ClusterRefused(
                f"target.credential gives no token: {said[0][:300] if said else 'refused'}",
                remedy="Check target.credential, and that it may use the cluster",
            ) from None
        self._token, self._until = access.token, float(access.expires_on)


def entra_tokens(wanted: AzureCredential, resolve: Resolve) -> EntraTokens:
    """Return the tokens of a credential.

    Raises:
        ClusterRefused: azure-identity is not installed, or cannot make such a credential here.
    """
    try:
        import azure.identity as identity
    except ImportError:
        raise ClusterRefused(
            "target.credential needs a further package",
            remedy='pip install "flink-jobs-provider[azure]", or give target.token',
        ) from None
    try:
        return EntraTokens(_credential(identity, wanted, resolve), wanted.scope)
    except ValueError as error:
        raise ClusterRefused(
            f"target.credential cannot be used: {' '.join(str(error).split())[:300]}"
        ) from None


def _credential(identity: Any, wanted: AzureCredential, resolve: Resolve) -> Any:
    given = {name: value for name in ("tenant_id", "client_id") if (value := getattr(wanted, name))}
    if wanted.kind == "service-principal":
        reference = wanted.client_secret or ""
        password = secret(resolve, reference, "target.credential.client_secret")
        return identity.ClientSecretCredential(**given, client_secret=password)
    kinds = {
        "default": identity.DefaultAzureCredential,
        "workload-identity": identity.WorkloadIdentityCredential,
        "managed-identity": identity.ManagedIdentityCredential,
        "cli": identity.AzureCliCredential,
    }
    return kinds[wanted.kind](**given)


def open_client(
    target: HDInsightTarget, resolve: Resolve, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """Return an HTTP client for the API of a cluster.

    Raises:
        ClusterRefused: A reference leads nowhere, a certificate file cannot be used, or
            azure-identity is missing.
    """
    options: dict[str, Any]
    if target.token:
        token = secret(resolve, target.token, "target.token")
        options = {"headers": {"Authorization": f"Bearer {token}"}}
    else:
        credential = target.credential or AzureCredential(kind="default")
        options = {"auth": entra_tokens(credential, resolve)}
    return open_http(target.endpoint, target.tls, resolve, transport=transport, **options)


def error_in(body: Any) -> tuple[str, str]:
    """Return code and message of an error envelope; empty texts where it is none."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return "", ""
    message = str(error.get("message") or "")
    details = error.get("details")
    for detail in details if isinstance(details, list) else []:
        text = str(detail.get("message") or "") if isinstance(detail, dict) else ""
        if text and text not in message:
            message += f" {text}"
    return str(error.get("code") or ""), plain(message)


class ArmClient(ServiceClient):
    """One cluster's API; its version is sent with every request."""

    service = "Azure Resource Manager"

    def __init__(
        self,
        http: httpx.AsyncClient,
        version: str,
        guard: Guard,
        sleep: Sleep = asyncio.sleep,
        clock: MonotonicClock = time.monotonic,
    ) -> None:
        super().__init__(http, guard, sleep)
        self._version = version
        self._clock = clock

    async def read(self, address: str) -> httpx.Response:
        """Read; a temporary failure is retried, when the service asks for it or a little later.

        The address is a path below the endpoint, or one that the service gave.

        Raises:
            ClusterUnreachable: No answer, or none of its own.
            ClusterRefused: It did not let us in, or there is nothing there.
        """
        return await retrying(self._sleep)(self._read_once, address)

    async def _read_once(self, address: str) -> httpx.Response:
        response = await self._read(self._own(address))
        if response.is_success and not is_page(response):
            return response
        if 300 <= response.status_code < 500 and response.status_code != 429:
            raise self._refusal(response)
        raise asking(self._not_ready(response), response)

    async def order(self, path: str, body: Any) -> httpx.Response:
        """Send what changes something, once.

        Raises:
            EngineGone: The run this belongs to has ended; nothing was sent.
            Unanswered: It is unknown whether it was taken.
            Busy: It was not taken, for now.
            ActionInProgress: It was not taken, since another action is in progress.
            OrderRefused: It was not taken.
            ClusterRefused: It did not let us in.
        """
        response = await self._change("POST", self._own(path), body)
        if response.is_success:
            return response
        status = response.status_code
        code, message = error_in(json_of(response))
        said = f"{status} {message or code}".strip()
        if status in AMBIGUOUS:
            raise Unanswered(f"{self.endpoint} answered {said}")
        if status == 429:
            raise Busy(f"{self.endpoint} takes no more now: {said}", retry_after(response))
        if status == 409 and code != "JobAlreadyExists" and "InProgress" in code:
            raise ActionInProgress(message or code)
        if status in (400, 404, 409, 412, 413, 415, 422):
            raise OrderRefused(f"{self.endpoint} answered {said}")
        raise self._refusal(response)

    async def follow(self, reply: httpx.Response, timeout: float) -> str:
        """Return when an operation has ended, when it can be followed no further, or in time.

        It is followed by the headers of the reply that began it. That it has succeeded means that
        the service has dealt with the order, not that the job is as it was ordered to be: that is
        in the job's row (seen in recorded traffic of 2023 and 2024). What a gateway reports of the
        job is returned.

        Raises:
            ActionFailed: The service reports that it failed.
        """
        headers = reply.headers
        address = headers.get("azure-asyncoperation") or headers.get("location")
        if not address:
            return ""
        deadline, pause = self._clock() + timeout, _FIRST_PAUSE
        said = retry_after(reply)
        while self._clock() < deadline:
            await self._sleep(min(said or pause, max(0.0, deadline - self._clock())))
            pause = min(pause * 1.5, _LONGEST_PAUSE)
            try:
                answer = await self.read(address)
            except ClusterUnreachable:
                continue
            except ClusterRefused:
                return ""  # its document has gone; the job's row is what counts
            if _ended(answer):
                return _output(answer)
            said = retry_after(answer)
        return ""

    def _own(self, address: str) -> httpx.URL:
        """Return an address at the endpoint: the token goes nowhere else.

        A gateway behind a proxy may give addresses with a host that is not the one we know.
        """
        base = self._http.base_url
        try:
            given = base.join(address)
        except httpx.InvalidURL:
            raise ClusterRefused(f"{self.endpoint} gives an address that is none") from None
        if given.host != base.host and not (
            given.scheme == "https" and given.host.endswith(f".{base.host}")
        ):
            given = given.copy_with(scheme=base.scheme, host=base.host, port=base.port)
        if given.host == base.host:
            given = given.copy_with(scheme=base.scheme, port=base.port)
        if "api-version" not in given.params:
            given = given.copy_merge_params({"api-version": self._version})
        return given

    def _not_ready(self, response: httpx.Response) -> JobError:
        if is_page(response):
            return self.not_the_service(self._page(response))
        code, message = error_in(json_of(response))
        said = f"{response.status_code} {message or code}".strip()
        return ClusterUnreachable(
            f"{self.endpoint} answered {said}", remedy="Try again when the service is back"
        )

    def _refusal(self, response: httpx.Response) -> ClusterRefused:
        """Return the error for an answer that a retry would not change."""
        status = response.status_code
        code, message = error_in(json_of(response))
        said = message or code
        if status in (401, 403):
            happened = f"{self.endpoint} refused the credentials ({status})"
            happened += f": {said}" if said else ""
            if apart := skew(response, datetime.now(UTC)):
                return ClusterRefused(f"{happened}; {apart}", remedy=SET_CLOCK)
            return ClusterRefused(
                happened,
                remedy="Check target.token or target.credential, and its role on the cluster",
            )
        if not said:
            return ClusterRefused(self._page(response), remedy=f"Check {self.named_by}")
        return ClusterRefused(
            f"{self.endpoint} answered {status} {said}",
            remedy="Check subscription, resource_group, cluster_pool, cluster and api_version of "
            "target",
        )


def _output(answer: httpx.Response) -> str:
    body: Any = json_of(answer)
    properties = body.get("properties") if isinstance(body, dict) else None
    return str(properties.get("jobOutput") or "") if isinstance(properties, dict) else ""


def _ended(answer: httpx.Response) -> bool:
    """Whether an operation has ended well.

    Raises:
        ActionFailed: It has failed, or was given up.
    """
    body: Any = json_of(answer)
    status = str(body.get("status") or "") if isinstance(body, dict) else ""
    if status.lower() in ("failed", "canceled", "cancelled"):
        code, message = error_in(body)
        raise ActionFailed(message or code or f"the operation is {status}")
    if not status:
        return answer.status_code != 202
    return status.lower() == "succeeded"
