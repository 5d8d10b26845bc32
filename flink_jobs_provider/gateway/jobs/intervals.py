"""How often and how long, in seconds; tests bring their own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Intervals:
    """The gateway's intervals and limits of time.

    Attributes:
        observe: Between two looks at a cluster.
        fresh: How old a look may be when a list is asked for.
        patience: How long a list waits for that look; a cluster that does not answer delays no one.
        lease: For how long an action is claimed; after a crash others wait that long.
        renew: Between two renewals of the claims, and two searches for actions left behind.
        first_retry: Before an action that met a temporary error is retried; doubled each time.
        longest_retry: The longest of these pauses.
        slots: For how long a start waits for task slots: a cluster that was just started has none.
        relaunch_after: How long a job is lost before it is started again: one that its cluster
            is about to recover by itself must not run twice.
        relaunch_pause: Between two such starts that failed; doubled each time.
        longest_relaunch_pause: The longest of these pauses.
        sweep: Between two clearings of old records.
        kept_jar: How long a look at a jar that is cached here may take.
        open_jar: How long opening a jar may take, once it is its turn.
        jar_queue: Until when after a request that turn must come, while others are opened. Both
            together are less than the 60 s for which clients wait, this provider's own among them.
    """

    observe: float = 3.0
    fresh: float = 2.0
    patience: float = 2.0
    lease: float = 30.0
    renew: float = 5.0
    first_retry: float = 1.0
    longest_retry: float = 30.0
    slots: float = 60.0
    relaunch_after: float = 15.0
    relaunch_pause: float = 15.0
    longest_relaunch_pause: float = 600.0
    sweep: float = 3600.0
    kept_jar: float = 5.0
    open_jar: float = 30.0
    jar_queue: float = 20.0
