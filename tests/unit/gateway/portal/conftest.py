"""What the tests of the portal share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.unit.gateway.portal.browsing import Look, Opened, opened_portal


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Return a function that lets a test use a portal."""

    def look(test: Callable[[Opened], Awaitable[None]]) -> None:
        async def run() -> None:
            async with opened_portal(tmp_path) as opened:
                await test(opened)

        asyncio.run(run())

    return look
