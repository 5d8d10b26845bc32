"""How the monitoring API answers: as the HDInsight on AKS API does, with a request id of its own.

Errors are `{"error": {"code", "message", "target", "details"}}`.
"""

from __future__ import annotations

from starlette.datastructures import Headers

from flink_jobs_provider.gateway.apis.hdinsight.conventions import ArmConventions
from flink_jobs_provider.gateway.http.api_answers import ALWAYS
from flink_jobs_provider.gateway.refusals import Refusal


class MonitoringConventions(ArmConventions):
    """Bearer tokens, and `X-Request-Id`."""

    fault = Refusal(
        "InternalServerError",
        "The gateway failed because of a defect of its own. Its log has details under the "
        "X-Request-Id of this answer.",
    )

    def headers(self, given: Headers, request_id: str) -> dict[str, str]:
        """Return the headers of every answer."""
        del given
        return {"X-Request-Id": request_id} | ALWAYS
