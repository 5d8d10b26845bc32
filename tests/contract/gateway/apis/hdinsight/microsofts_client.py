"""Microsoft's own client library, unmodified, against a gateway."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from azure.core.credentials import AccessToken
from azure.mgmt.hdinsightcontainers import HDInsightContainersMgmtClient

#: The cluster, as its operations name it.
PLACE = ("Group-1", "Pool-1", "Flink-1")
#: Seconds between two looks of a poller, whose default is 30. A gateway on loopback has no TLS.
OPTIONS: dict[str, Any] = {"polling_interval": 0.05, "enforce_https": False}


class _Token:
    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(self._token, int(time.time()) + 3600)


@contextmanager
def client(url: str, token: str = "operator", **options: Any) -> Iterator[Any]:
    """Return a client whose only difference is the address."""
    with HDInsightContainersMgmtClient(
        _Token(token), "Sub-1", base_url=url, **{"enforce_https": False, **options}
    ) as opened:
        yield opened
