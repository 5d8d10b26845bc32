"""What the API of each service has of its own: who calls, what answers carry, how errors look."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Protocol

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope

from flink_jobs_provider.gateway.principal import Principal
from flink_jobs_provider.gateway.refusals import Refusal

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class ApiConventions(Protocol):
    """How the face of one service answers."""

    @property
    def fault(self) -> Refusal:
        """What is reported of an error that was not foreseen."""

    async def principal(self, scope: Scope, receive: Receive) -> tuple[Principal, Receive]:
        """Return who a request is of, and what it is received by from here on.

        Raises:
            Refusal: 401, they have not shown who they are; 503, it cannot be told now.
        """

    def headers(self, given: Headers, request_id: str) -> dict[str, str]:
        """Return the headers of every answer: client and log speak of the same request by them."""

    def refused(self, refusal: Refusal, headers: Mapping[str, str]) -> Response:
        """Return the answer to a request that is refused."""


#: Returns the conventions of the API that a path belongs to.
ConventionsOf = Callable[[str], ApiConventions]

#: Headers of every answer, whosever it is.
ALWAYS = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
#: Of every answer over TLS: clients that heed it speak no plain HTTP to this host for a year.
HSTS = {"Strict-Transport-Security": "max-age=31536000"}


def usable_id(given: str) -> bool:
    """Whether an id that a client sent can be sent back, and written to a log."""
    return _ID.fullmatch(given) is not None
