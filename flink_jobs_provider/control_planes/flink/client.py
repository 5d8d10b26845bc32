"""Requests to Flink's REST API, and what its answers mean."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx

from flink_jobs_provider.control_planes.connection import guarded, is_tls, secret
from flink_jobs_provider.control_planes.flink.bodies import last_cause
from flink_jobs_provider.control_planes.http import TRIES, asking, open_http, retrying
from flink_jobs_provider.control_planes.protocol import Guard, Resolve, Sleep
from flink_jobs_provider.model.errors import ClusterRefused, ClusterUnreachable, Signal
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.target import FlinkTarget

#: A few calls answer 500 for a job that is unknown, or has ended (measured on 1.20.5 and 2.3.0).
_NO_SUCH_JOB = "FlinkJobNotFoundException"
#: How Flink reports that it does not know whether the call behind a request was executed.
_RPC_TIMED_OUT = re.compile(
    r"Invocation of \[.*?\] at recipient \[.*?\] timed out"
    r"|AskTimeoutException|RecipientUnreachableException"
)


class FlinkAnswer(Signal):
    """An error answer of Flink itself.

    Attributes:
        text: All of it, with stack traces.
        cause: The last cause, one line.
    """

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text
        self.cause = last_cause(text)
        super().__init__(f"{status}: {self.cause}")

    @property
    def unknown_job(self) -> bool:
        """Whether there is no such thing, or its job is unknown."""
        return self.status == 404 or _NO_SUCH_JOB in self.text


class RequestTooLarge(ClusterRefused):
    """The cluster, or something in front of it, takes no request of this size."""


class ConnectionBroke(ClusterUnreachable):
    """The connection was lost after a request was sent: its answer will never come."""


class AnswerTimedOut(ClusterUnreachable):
    """A request was sent, and the time for its answer is up: the cluster may still work on it."""


class FlinkClient:
    """One cluster's REST API.

    Reads are retried when the connection fails; what changes something is sent once, unless the
    caller declares that a second time does no harm.

    What is no answer of Flink's may come from a proxy in front of it: a success without Flink's
    content, such as a page of maintenance, is as temporary as a 502, and so is any other status
    once Flink itself has answered at this address. Before that, a 4xx means a wrong address.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        guard: Guard,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._http = http
        self._guard = guard
        self._sleep = sleep
        self._met_flink = False
        self.requests = 0

    @property
    def url(self) -> str:
        """The cluster's address."""
        return str(self._http.base_url).rstrip("/")

    async def get(self, path: str, has: str = "") -> Any:
        """Read; a lost connection, and a server's error, is retried.

        `has` is a name that Flink's answer has; any JSON will do if it is empty.

        Raises:
            FlinkAnswer: Flink answered that there is no such thing, or that it cannot be read.
            ClusterUnreachable: No answer of Flink's, or that it could not answer just now (5xx).
            ClusterRefused: Something else answered, or did not let us in.
        """
        return await retrying(self._sleep)(self._read_once, path, has)

    async def _read_once(self, path: str, has: str) -> Any:
        try:
            return await self._send("GET", path, has)
        except FlinkAnswer as answer:
            if answer.status < 500 or answer.unknown_job:
                raise
            raise ClusterUnreachable(
                f"{self.url}/{path} answered {answer}",
                remedy="Look into the log of its JobManager if this does not pass",
            ) from None

    async def change(
        self,
        method: str,
        path: str,
        *,
        has: str = "",
        repeatable: bool = False,
        timeout: float | None = None,
        **body: Any,
    ) -> Any:
        """Send a request that changes something, once; a lost answer leaves it unknown.

        Args:
            method: HTTP method.
            path: Below the cluster's address.
            has: A name that Flink's answer has; any JSON will do if empty.
            repeatable: A second one does no harm: it is retried as a read is.
            timeout: Seconds for each try; the client's own if not given.
            body: The body: as `json`, or in parts as `files`.

        Raises:
            EngineGone: The run this belongs to has ended; nothing was sent.
            FlinkAnswer: Flink answered with an error.
            ClusterUnreachable: No answer of Flink's: it may or may not have been executed.
            ClusterRefused: Something else answered, or did not let us in.
        """
        options = body if timeout is None else {**body, "timeout": timeout}

        async def once() -> Any:
            self._guard()
            extensions = guarded(self._guard)
            return await self._send(method, path, has, extensions=extensions, **options)

        return await retrying(self._sleep, TRIES if repeatable else 1)(once)

    async def _send(self, method: str, path: str, has: str, **options: Any) -> Any:
        self.requests += 1
        try:
            response = await self._http.request(method, path, **options)
        except httpx.TimeoutException as error:
            kind = AnswerTimedOut if isinstance(error, httpx.ReadTimeout) else ClusterUnreachable
            raise kind(
                f"{self.url} did not answer in time", remedy="Is the cluster up and reachable?"
            ) from None
        except httpx.TransportError as error:
            raise self._unreachable(error) from None
        try:
            return self._answer(response, has)
        except ClusterUnreachable as error:
            raise asking(error, response) from None

    def _unreachable(self, error: httpx.TransportError) -> Exception:
        if is_tls(error):
            return ClusterRefused(
                f"no TLS connection to {self.url}: {error}", remedy=Remedy.CHECK_TLS
            )
        sent = httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.RemoteProtocolError
        kind = ConnectionBroke if isinstance(error, sent) else ClusterUnreachable
        return kind(
            f"no connection to {self.url}: {str(error) or type(error).__name__}",
            remedy="Is the cluster up, and the address right?",
        )

    def _answer(self, response: httpx.Response, has: str) -> Any:
        status = response.status_code
        if status in (401, 403, 407):
            raise ClusterRefused(
                f"{self.url} refused the credentials ({status})",
                remedy=Remedy.CHECK_CREDENTIALS,
            )
        if status == 413:
            raise RequestTooLarge(
                f"{self.url} answers 413: it takes no request of this size",
                remedy="Raise the limit for requests of what is in front of the cluster",
            )
        if response.is_redirect:
            raise ClusterRefused(
                f"{self.url} redirects to {response.headers.get('location', 'elsewhere')}",
                remedy=Remedy.SET_URL,
            )
        try:
            body = response.json()
        except ValueError:
            raise self._not_flink(status) from None
        if response.is_success:
            if has and not (isinstance(body, dict) and has in body):
                raise self._not_flink(status)
            self._met_flink = self._met_flink or bool(has)
            return body
        errors = body.get("errors") if isinstance(body, dict) else None
        if not isinstance(errors, list) or status in (408, 429):  # Flink has neither of the two
            raise self._not_flink(status)
        if status == 503:  # Flink itself answers so while it elects a leader
            raise ClusterUnreachable(
                f"{self.url} is not ready: {last_cause(str(errors[-1]) if errors else '')}",
                remedy="Try again when the cluster has a leader",
            )
        answer = FlinkAnswer(status, "\n".join(str(error) for error in errors))
        if _RPC_TIMED_OUT.search(answer.text):
            raise ClusterUnreachable(
                f"a call inside {self.url} timed out: {answer.cause}",
                remedy="Is its JobManager overloaded? Look into its log",
            )
        raise answer

    def unreadable(self) -> Exception:
        """Return the error for a success whose content is none of Flink's."""
        return self._not_flink(200)

    def _not_flink(self, status: int) -> Exception:
        if status in (408, 429) or status >= 500:
            return ClusterUnreachable(
                f"{self.url} answers {status}, and not as Flink does: something in between",
                remedy="Try again when the cluster is back",
            )
        happened = f"{self.url} answers {status}, and not as a Flink REST API does"
        if status < 300 or self._met_flink:
            return ClusterUnreachable(happened, remedy=Remedy.WAIT_OR_CHECK_URL)
        return ClusterRefused(happened, remedy=Remedy.CHECK_URL)


def open_client(
    target: FlinkTarget, resolve: Resolve, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """Return an HTTP client for a cluster's REST API.

    Raises:
        ClusterRefused: A reference leads nowhere, or a certificate file cannot be used.
    """
    headers = dict(target.headers)
    auth: httpx.Auth | None = None
    for name, reference in target.secret_headers.items():
        headers[name] = secret(resolve, reference, f"target.secret_headers.{name}")
    if target.bearer_token:
        token = secret(resolve, target.bearer_token, "target.bearer_token")
        headers["Authorization"] = f"Bearer {token}"
    elif target.basic_auth:
        password = secret(resolve, target.basic_auth.password, "target.basic_auth.password")
        auth = httpx.BasicAuth(target.basic_auth.username, password)
    return open_http(
        target.url + "/",
        target.tls,
        resolve,
        transport=transport,
        timeout=30.0,
        connections=32,
        headers=headers,
        auth=auth,
    )
