"""What pages say where something is down, and that they recover by themselves."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import OpenWindow
from tests.browser.portal_user import NEW_JOB
from tests.flink_cluster import FlinkCluster
from tests.gateway_process import GatewayProcess, await_result, new_job
from tests.postgres_server import PostgresServer
from tests.waiting import PATIENCE

#: Seconds within which a page must say so, on a quiet machine.
_SOON = 5.0


@pytest.fixture
def steady(gateway: GatewayProcess) -> GatewayProcess:
    """Return a gateway that has the same port whenever it is started."""
    gateway.stop()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gateway.write(listen={"port": free.getsockname()[1]})
    gateway.start()
    return gateway


def test_the_gateway_is_killed_and_back(
    open_window: OpenWindow, steady: GatewayProcess, token: str
) -> None:
    """Shows that pages say since when, that what was typed stays, and can be sent later."""
    user, writer = open_window(), open_window()
    user.sign_in(token)
    writer.sign_in(token)
    writer.hands.press(writer.link("New job"))
    writer.fill_in(**NEW_JOB)
    writer.fill_in(Args=f"--output {steady.directory / 'out'} --rate 50")

    lost = user.page.get_by_text(re.compile("Connection lost since .+ this page retries"))
    _says(lost, steady.kill)
    writer.hands.press(writer.button("Submit the job"))
    unsent = writer.page.get_by_text("Nothing was sent, as the gateway does not answer")
    expect(unsent).to_be_visible()
    expect(writer.field("Job name")).to_have_value("counting")
    user.screenshot("lost")
    writer.screenshot("unsent")

    steady.start()
    expect(lost).to_be_hidden()
    writer.hands.press(writer.button("Submit the job"))
    expect(writer.heading("counting")).to_be_visible()
    expect(user.link("counting")).to_be_visible()
    writer.expect_done("New job", "RUNNING")
    for each in (user, writer):
        each.saw("net::ERR_")


def test_the_jobmanager_is_killed_and_back(
    open_window: OpenWindow, gateway: GatewayProcess, flink_2: FlinkCluster, token: str
) -> None:
    """Shows that the list and the job's page say so, and that the job's history is still there."""
    with gateway.client(token) as client:
        new_job(client, "lasting", "--output", str(gateway.directory / "out"), "--rate", "50")
        await_result(client, "lasting")
    user = open_window()
    user.sign_in(token)
    listed = user.page
    user.page = user.context.new_page()
    user.open("/portal/jobs/1")
    history = user.page.locator("section[aria-labelledby=history] tbody tr")
    expect(history).to_have_count(1)
    away = user.page.get_by_text(re.compile("Flink on flink cannot be reached since"))
    try:
        _says(away, flink_2.stop_job_manager)
        expect(listed.get_by_text(re.compile("flink.*as they were last seen"))).to_be_visible()
        expect(history).to_have_count(1)
        user.screenshot("cluster-away")
    finally:
        flink_2.start_missing()
    expect(away).to_be_hidden()
    expect(history.first).to_contain_text("New job")


def test_the_database_is_down_and_back(
    open_window: OpenWindow, gateway: GatewayProcess, token: str, postgres_server: PostgresServer
) -> None:
    """Shows that pages say that records cannot be read, and that what was typed stays."""
    gateway.stop()
    gateway.write(database=postgres_server.new_database())
    gateway.start()
    user, writer = open_window(), open_window()
    user.sign_in(token)
    writer.sign_in(token)
    writer.hands.press(writer.link("New job"))
    writer.fill_in(**NEW_JOB)
    unread = user.page.get_by_text("The gateway cannot read its records now")
    try:
        _says(unread, postgres_server.kill)
        writer.hands.press(writer.button("Submit the job"))
        expect(writer.page.get_by_text("Nothing was sent")).to_be_visible()
        expect(writer.field("Job name")).to_have_value("counting")
        user.screenshot("database-down")
    finally:
        postgres_server.start()
    expect(unread).to_be_hidden()
    expect(user.page.get_by_text("There are no jobs yet")).to_be_visible()
    writer.hands.press(writer.button("Show what this does"))
    expect(writer.page.locator(".plan")).to_be_visible()
    writer.saw("the server responded with a status of 50")


def _says(what: Locator, when: Callable[[], None]) -> None:
    """See that a page soon says something that happens."""
    when()
    begun = time.monotonic()
    expect(what).to_be_visible(timeout=_SOON * 1000 * PATIENCE)
    print(f"shown {time.monotonic() - begun:.1f} s later")
