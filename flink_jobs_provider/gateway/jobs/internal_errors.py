"""Writing down an error of the gateway itself, without any value that may be secret."""

from __future__ import annotations

import traceback


def where(error: BaseException) -> str:
    """Return the kind of an error and where it came from; never its text, which may hold inputs."""
    frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    return f"{type(error).__name__}\n{frames}"
