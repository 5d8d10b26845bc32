"""The system's Chromium, which the tests of the portal drive."""

from __future__ import annotations

import os
import shutil

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
#: Names a browser that is elsewhere.
VARIABLE = "FLINK_JOBS_TEST_BROWSER"


def system_chromium() -> str:
    """Return the path of the browser; empty if there is none."""
    named = os.environ.get(VARIABLE)
    found = (shutil.which(name) for name in ([named] if named else _NAMES))
    return next((path for path in found if path), "")


def why_no_chromium() -> str:
    """Return why a test run has no browser; empty if it has one."""
    if system_chromium():
        return ""
    if named := os.environ.get(VARIABLE):
        return f"{VARIABLE} is {named}, and there is no such program"
    return "no Chromium is on the PATH (Debian's package is chromium)"
