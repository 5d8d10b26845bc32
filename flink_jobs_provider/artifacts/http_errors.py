"""Why a web server gave no file, in one plain reason.

aiohttp nests the errors of the sockets below it in texts of its own, such as "Cannot
connect to host h:80 ssl:default [Multiple exceptions: [Errno 111] Connect call failed (…), …]".
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Iterator

from flink_jobs_provider.artifacts.storage import reason_of

_ERRNO = re.compile(r"\[Errno (\d{1,5})\]")


def plain_reason(error: BaseException) -> str:
    """Return the reason at the bottom of an error, in one line."""
    for cause in _causes(error):
        if reason := _known(cause):
            return reason
    return reason_of(error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Return an error and those it was made of, the innermost first."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = getattr(error, "os_error", None) or error.__cause__
    return reversed(chain)


def _known(error: BaseException) -> str:
    """Return what an error of the network means; empty for any other."""
    status = getattr(error, "status", None)  # an answer, as aiohttp raises it
    if isinstance(status, int) and status >= 400:
        return f"the server answered {status} {getattr(error, 'message', '')}".rstrip()
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'})"
    if isinstance(error, socket.gaierror):
        return "its host is unknown"
    if isinstance(error, TimeoutError):
        return "the server does not answer"
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
        return _of_system(error)
    return _PLAIN.get(type(error).__name__, "")


def _of_system(error: OSError) -> str:
    found = _ERRNO.search(str(error))
    number = error.errno if isinstance(error.errno, int) and error.errno > 0 else None
    number = number or (int(found[1]) if found else None)
    return os.strerror(number).lower() if number else ""


#: Errors of aiohttp that no error of a socket is behind.
_PLAIN = {
    "InvalidURL": "it is not a valid URL",
    "InvalidUrlClientError": "it is not a valid URL",
    "ServerDisconnectedError": "the server closed the connection",
    "ClientPayloadError": "the connection broke off while it was read",
    "TooManyRedirects": "the server redirects without end",
}
