"""Take the picture of the portal that the README shows: `python -m tools.portal_picture FILE`.

The example jobs run on a real Flink behind a gateway, both started for it; one was stopped, and one
could not be started. It needs Chromium, as the browser tests do.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

from playwright.sync_api import ViewportSize, expect, sync_playwright

from flink_jobs_provider.gateway.principal import Role
from tests.browser.portal_user import PortalUser
from tests.chromium import system_chromium, why_no_chromium
from tests.flink_cluster import FLINK_2, FlinkCluster
from tests.gateway_process import GatewayProcess, await_result, new_job, run_job

_RUNNING = ("clicks-by-session", "orders-by-country", "payments-to-ledger", "stock-levels")
_STOPPED, _FAILED = "prices-history", "refunds-audit"
_SIZE = ViewportSize(width=1280, height=836)


def main() -> int:
    """Take it."""
    if reason := why_no_chromium():
        sys.exit(f"No picture was taken: {reason}.")
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="picture-")))
        cluster = stack.enter_context(closing(FlinkCluster(directory, FLINK_2)))
        gateway = stack.enter_context(
            closing(GatewayProcess(directory, cluster.url, preloaded=False, portal={}))
        )
        token = gateway.token("ada", Role.OPERATE)
        gateway.start()
        _deploy(gateway, token)
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=system_chromium())
        context = browser.new_context(locale="en-GB", viewport=_SIZE, color_scheme="light")
        user = PortalUser(context, gateway.url)
        user.sign_in(token)
        expect(user.page.locator("table.list tbody tr")).to_have_count(len(_RUNNING) + 2)
        expect(user.page.locator("table.list tbody tr time[data-age]").first).to_be_visible()
        user.page.screenshot(path=sys.argv[1])
        browser.close()
    return 0


def _deploy(gateway: GatewayProcess, token: str) -> None:
    with gateway.client(token) as client:
        for name in (*_RUNNING, _STOPPED):
            output = str(gateway.directory / name)
            args = ("--output", output, "--rate", "50", "--checkpoint-interval", "1000")
            new_job(client, name, *args).raise_for_status()
        new_job(client, _FAILED, "--no-such-option", "x").raise_for_status()
        for name in (*_RUNNING, _STOPPED, _FAILED):
            await_result(client, name)
        run_job(client, _STOPPED, "STOP")
        await_result(client, _STOPPED)


if __name__ == "__main__":
    sys.exit(main())
