"""The call by which a caller lets the service have its buckets; older Terraform providers send it.

It does nothing here: what jobs read and write is decided by the access that their cluster has to
storage, and no call of this API changes that.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from flink_jobs_provider.gateway.apis.dli.call_context import Calls, done


class Authorizing:
    """Answers that call."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def authorize_buckets(self, request: Request) -> Response:
        """Let the service have buckets; does nothing, as only the cluster's access counts."""
        async with self._calls.audited(request, "OBS_AUTHORIZE") as deed:
            self._calls.operable(request, deed.principal)
            await self._calls.body(request)
        return done(
            "Nothing had to be done: a cluster's own access to storage is what counts here."
        )
