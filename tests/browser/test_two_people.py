"""Two who act on one job at once."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from flink_jobs_provider.gateway.principal import Role
from tests.browser.conftest import OpenWindow
from tests.gateway_process import GatewayProcess, await_result, new_job, run_job


def test_the_second_sees_who_acts_already(
    open_window: OpenWindow, gateway: GatewayProcess, token: str
) -> None:
    """Shows a person at a form while a pipeline acts: who, since when, and nothing is done twice.

    The action of the pipeline takes as long as its settle time.
    """
    pipeline = gateway.token("deploy-pipeline", Role.OPERATE)
    with gateway.client(pipeline) as client:
        new_job(client, "shared", "--output", str(gateway.directory / "out"), "--rate", "50")
        await_result(client, "shared")
        gateway.stop()
        gateway.write(settle_time="8s")
        gateway.start()
    watcher, actor = open_window(), open_window()
    watcher.sign_in(token)
    watcher.open("/portal/jobs/1")
    actor.sign_in(token)
    actor.open("/portal/jobs/1/cancel")
    actor.fill_in(**{"Job name, to confirm": "shared"})

    with gateway.client(pipeline) as client:
        assert run_job(client, "shared", "UPDATE").is_success
        in_progress = re.compile("Update is in progress, begun by deploy-pipeline \\S+")
        expect(watcher.page.get_by_text(in_progress).first).to_be_visible()
        watcher.screenshot("two-people-watching")
        actor.hands.press(actor.page.locator("form.card").get_by_role("button", name="Cancel"))
        meanwhile = re.compile(r"Update .*by deploy-pipeline at \d+")
        expect(actor.page.locator(".problems").get_by_text(meanwhile)).to_be_visible()
        expect(actor.field("Job name, to confirm")).to_have_value("shared")
        actor.screenshot("two-people-acting")
        await_result(client, "shared")
    watcher.expect_done("Update", "RUNNING")
    expect(watcher.page.locator("section[aria-labelledby=history] tbody tr")).to_have_count(2)
    actor.saw("the server responded with a status of 4")
