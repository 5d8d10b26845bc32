"""HTTP statuses are chosen in one table, by the codes of what is refused."""

from __future__ import annotations

from typing import get_args

import pytest

from flink_jobs_provider.gateway.apis.dli.conventions import code_of
from flink_jobs_provider.gateway.http.api_answers import STATUSES, status_of
from flink_jobs_provider.gateway.refusals import Refusal, RefusalCode


@pytest.mark.parametrize("code", get_args(RefusalCode))
def test_each_code_has_a_status_on_each_api(code: RefusalCode) -> None:
    refusal = Refusal(code, "No.")
    assert status_of(refusal) == STATUSES[code]
    status, own_code = code_of(refusal)
    assert status in (STATUSES[code], 400)
    assert own_code.startswith(("DLI.", "APIGW."))
