"""One policy for requests that may be repeated, whatever system they go to."""

from __future__ import annotations

import asyncio

import pytest

from flink_jobs_provider.control_planes.http import TRIES, retrying
from flink_jobs_provider.model.errors import ClusterRefused, ClusterUnreachable


def _tried(error: Exception, times: int = TRIES) -> tuple[int, list[float]]:
    """Return how often a request was sent that always meets an error, and the pauses between."""
    pauses: list[float] = []
    sent = 0

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def send() -> None:
        nonlocal sent
        sent += 1
        raise error

    with pytest.raises(type(error)):
        asyncio.run(retrying(sleep, times)(send))
    return sent, pauses


def test_pauses_double_and_vary() -> None:
    """Shows that each is twice the one before, with something random on top."""
    runs = [_tried(ClusterUnreachable("away")) for _ in range(20)]
    for sent, pauses in runs:
        assert sent == TRIES
        for number, pause in enumerate(pauses):
            assert 0.2 * 2**number <= pause <= 0.2 * 2**number + 0.2
    assert len({tuple(pauses) for _, pauses in runs}) > 1


@pytest.mark.parametrize(("asked", "waited"), [(0.0, 0.0), (7.0, 7.0), (3600.0, 30.0)])
def test_a_system_that_says_when_to_come_back_is_believed(asked: float, waited: float) -> None:
    """Shows it, up to half a minute."""
    error = ClusterUnreachable("throttled")
    error.retry_after = asked
    assert _tried(error) == (TRIES, [waited] * (TRIES - 1))


def test_what_will_not_pass_and_what_must_not_be_repeated_is_sent_once() -> None:
    """Shows that no pause is made for either."""
    assert _tried(ClusterRefused("no")) == (1, [])
    assert _tried(ClusterUnreachable("away"), times=1) == (1, [])
