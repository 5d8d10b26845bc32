"""A gateway whose versions have seconds to come up: `python impatient_gateway.py gateway serve …`.

A health gate that counts checkpoints gives up when that time has passed.
"""

from __future__ import annotations

#: What a version may take to come up, and to pass its gate.
RUNNING = "8s"


def main() -> None:
    """Run the command with a shorter time: before any model is built with it."""
    from flink_jobs_provider.model.timeouts import Timeouts

    Timeouts.model_fields["running"].default = RUNNING
    Timeouts.model_rebuild(force=True)
    from flink_jobs_provider.cli.app import main as command

    command()


if __name__ == "__main__":
    main()
