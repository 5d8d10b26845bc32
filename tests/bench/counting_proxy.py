"""A proxy that counts requests, and notes when they came."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from tests.fault_proxy import Exchange, FaultProxy


@dataclass
class CountingProxy(FaultProxy):
    """A proxy that spoils nothing, and spends no time on who sent a request."""

    began: list[float] = field(default_factory=list)

    def record(self, method: str, path: str, client: tuple[str, int], run: str = "") -> Exchange:
        """Note down a request and the moment it came in."""
        exchange = Exchange(method, path, 0, 0, run=run)
        with self._lock:
            self.exchanges.append(exchange)
            self.began.append(time.monotonic())
        return exchange

    def forget(self) -> None:
        """Count from nothing again."""
        self.begin()
        with self._lock:
            self.began = []

    def busy_seconds(self) -> float:
        """Return the time from the first request to the last one."""
        return self.began[-1] - self.began[0]

    def counted(self) -> str:
        """Say how many requests came in, and of which kinds."""
        kinds = Counter(str(exchange) for exchange in self.exchanges)
        listed = ", ".join(f"{n} `{kind}`" for kind, n in sorted(kinds.items()))
        return f"{len(self.exchanges)}" + (f" ({listed})" if listed else "")
