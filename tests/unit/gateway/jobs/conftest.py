"""What the tests of actions share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.postgres_server import postgres_server
from tests.unit.gateway.jobs.gateway import Gateway

__all__ = ["postgres_server"]

Life = Callable[[Callable[[Gateway], Awaitable[None]]], None]


@pytest.fixture
def live(tmp_path: Path) -> Life:
    """Return a function that lets a test use a gateway that runs."""

    def live(life: Callable[[Gateway], Awaitable[None]]) -> None:
        async def run() -> None:
            async with Gateway(tmp_path).running() as gateway:
                await life(gateway)

        asyncio.run(run())

    return live
