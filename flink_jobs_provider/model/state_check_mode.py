"""Whether the state of a running version is compared with a new one before an update."""

from __future__ import annotations

from enum import StrEnum


class StateCheckMode(StrEnum):
    """What follows when the new version is seen not to go on from all state of the running one.

    `strict`: the change is refused, and nothing stops. `warn`: it is printed, and the change goes
    on. `off`: the two are not compared.
    """

    STRICT = "strict"
    WARN = "warn"
    OFF = "off"
