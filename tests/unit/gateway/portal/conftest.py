"""What the tests of the portal share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from types import CodeType

import pytest
from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket

from flink_jobs_provider.gateway.portal import templating
from tests.unit.gateway.portal.browsing import Look, Opened, opened_portal


class _CompiledOnce(BytecodeCache):
    """Compiled templates for the portals of all tests; a process has one portal otherwise."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give what was compiled of the same source."""
        bucket.code = self._compiled.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Remember what was compiled."""
        self._compiled[bucket.key, bucket.checksum] = bucket.code


_COMPILED = _CompiledOnce()


@pytest.fixture(autouse=True)
def _templates_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = partial(Environment, bytecode_cache=_COMPILED)
    monkeypatch.setattr(templating, "Environment", environment)


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Return a function that lets a test use a portal."""

    def look(test: Callable[[Opened], Awaitable[None]]) -> None:
        async def run() -> None:
            async with opened_portal(tmp_path) as opened:
                await test(opened)

        asyncio.run(run())

    return look
