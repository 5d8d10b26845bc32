"""What a preview starts without: each import costs every `pulumi preview` twice."""

from __future__ import annotations

import subprocess
import sys

from tests.job_jars import COUNTING_JAR

_PREVIEWS = """
import sys
from flink_jobs_provider import FlinkJob
from flink_jobs_provider.provider.dynamic import FlinkJobProvider
inputs = {"target": {"kind": "flink", "url": "http://localhost:1"}, "job_name": "orders",
          "owner": "acme/shop/prod", "jar": sys.argv[1]}
assert not FlinkJobProvider().check({}, inputs).failures
print([name for name in ("httpx", "fsspec", "tenacity") if name in sys.modules])
"""


def test_a_preview_of_local_jars_loads_no_client_and_no_store() -> None:
    run = subprocess.run(
        [sys.executable, "-c", _PREVIEWS, str(COUNTING_JAR)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout.splitlines()[-1] == "[]"
