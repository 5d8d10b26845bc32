"""A request that is not answered, and reaches its service when nobody waits for it any more."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from tests.contract.dli.fake_dli import FakeDli
from tests.contract.hdinsight.fake_arm import FakeArm


class LateRequest:
    """The next POST to a path, held back.

    Args:
        service: The service.
        path: What the path ends with.
    """

    def __init__(self, service: FakeArm | FakeDli, path: str) -> None:
        self._service = service
        self._path = path
        self._held: list[httpx.Request] = []
        service.unlike = self._hold

    def _is_it(self, request: httpx.Request) -> bool:
        return request.method == "POST" and request.url.path.endswith(self._path)

    def _hold(self, request: httpx.Request) -> httpx.Response | None:
        if not self._is_it(request):
            return None
        self._held.append(request)
        raise httpx.ReadTimeout("slow", request=request)

    def arrives(self) -> None:
        """Have the service carry it out now."""
        self._service.unlike = lambda _request: None
        self._service._answer(self._held.pop())

    def arrives_before_the_next(self, then: Callable[[], None] = lambda: None) -> None:
        """Have it arrive when the next run has looked, just before that one's own such request.

        Args:
            then: What happens between the two.
        """

        def unlike(request: httpx.Request) -> None:
            if self._is_it(request):
                self.arrives()
                then()

        self._service.unlike = unlike
