"""What a deletion does to a running job."""

from __future__ import annotations

from enum import StrEnum


class OnDelete(StrEnum):
    """What is done to a running job when its resource is deleted.

    `release`: nothing. The stack forgets it, and it goes on.
    """

    CANCEL = "cancel"
    SAVEPOINT = "savepoint"
    RELEASE = "release"
