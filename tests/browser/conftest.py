"""A browser, a gateway that serves the portal over a real Flink, and people who use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from flink_jobs_provider.gateway.principal import Role
from tests.browser.hands import Hands
from tests.browser.portal_user import PortalUser
from tests.chromium import system_chromium, why_no_chromium
from tests.flink_cluster import FlinkCluster
from tests.gateway_process import CLUSTER, GatewayProcess
from tests.postgres_server import postgres_server
from tests.waiting import PATIENCE

__all__ = ["postgres_server"]

#: Milliseconds that a page may take on a busy machine.
_PAGE = 5000 * PATIENCE


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Run the system's Chromium for the tests of a file.

    Its driver has an event loop running, and tests of other files start their own.
    """
    if reason := why_no_chromium():
        pytest.skip(reason)
    expect.set_options(timeout=_PAGE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=system_chromium())
        yield browser
        browser.close()


@pytest.fixture
def cluster_id() -> str:
    """Return the name under which the gateway serves its cluster."""
    return CLUSTER


@pytest.fixture
def gateway(tmp_path: Path, flink_2: FlinkCluster, cluster_id: str) -> Iterator[GatewayProcess]:
    """Run a gateway of its own with the portal."""
    served = GatewayProcess(tmp_path, flink_2.url, portal={}, cluster_id=cluster_id)
    with closing(served) as gateway:
        gateway.token("someone", Role.READ)
        gateway.start()
        yield gateway


#: Opens a window in which nobody is signed in, with options of Playwright's new_context.
OpenWindow = Callable[..., PortalUser]


@pytest.fixture
def open_window(chromium: Browser, gateway: GatewayProcess) -> Iterator[OpenWindow]:
    """Return a function that opens windows of people apart; see that none reports a fault.

    What the browser itself reports (code that raised, content that the page's security policy
    refused, addresses that did not answer) is in `faults` of each.
    """
    opened: list[PortalUser] = []
    with ExitStack() as stack:

        def open_one(hands: Hands | None = None, **options: Any) -> PortalUser:
            given = {"locale": "en-GB", "viewport": {"width": 1280, "height": 900}, **options}
            context = stack.enter_context(closing(chromium.new_context(**given)))
            context.set_default_timeout(_PAGE)
            scripts = options.get("java_script_enabled", True)
            user = PortalUser(context, gateway.url, hands, scripts=scripts)
            opened.append(user)
            return user

        yield open_one
    assert [fault for user in opened for fault in user.faults] == []


@pytest.fixture
def token(gateway: GatewayProcess) -> str:
    """Return the token of somebody who may act."""
    return gateway.token("ada", Role.OPERATE)
