"""A gateway whose minutes take two seconds: `python hurried_gateway.py gateway serve --config …`.

What it does each few seconds, or lets pass between two lists, is shorter in proportion.
"""

from __future__ import annotations

from functools import partial

from flink_jobs_provider.gateway import job_history

#: Seconds of a minute.
MINUTE = 2
#: Seconds for which a gateway claims a minute of a cluster.
LEASE = 6.0


def main() -> None:
    """Run the command with shorter times: before any module has read them."""
    job_history.MINUTE = MINUTE
    from flink_jobs_provider.gateway.jobs import supervisor
    from flink_jobs_provider.gateway.jobs.background import Intervals
    from flink_jobs_provider.gateway.portal import live, observed
    from flink_jobs_provider.gateway.store import sample_records

    supervisor.Intervals = partial(  # type: ignore[assignment,attr-defined]
        Intervals, observe=0.5, fresh=0.3, lease=LEASE, renew=1, sample=0.2
    )
    sample_records._LATE = MINUTE * 2 / 3  # type: ignore[assignment]
    live.EVERY = 0.1
    observed.Freshness = partial(  # type: ignore[assignment,misc]
        observed.Freshness, cluster=0.2, listed=0.6, usable=1.0
    )
    from flink_jobs_provider.cli.app import main as command

    command()


if __name__ == "__main__":
    main()
