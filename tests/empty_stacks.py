"""Empty stacks as `stack init` makes them, all under one key: to derive one takes its time."""

from __future__ import annotations

from functools import cache

from flink_jobs_provider.engine.backend import write_durably
from flink_jobs_provider.engine.checkpoint import CheckpointFormat
from flink_jobs_provider.engine.passphrase import Crypter
from flink_jobs_provider.engine.stack_configuration import StackConfiguration
from flink_jobs_provider.engine.stacks import Place

PASSPHRASE = "open sesame"


@cache
def crypter() -> Crypter:
    """Make the one key for all tests."""
    return Crypter.fresh(PASSPHRASE)


def make_empty_stack(place: Place, stack: str) -> StackConfiguration:
    """Make a stack in a place that has none of this name; return its configuration."""
    configuration = place.configuration(stack)
    configuration.encryption_salt = crypter().encryption_salt
    configuration.write()
    place.backend.prepare()
    files = place.files(stack)
    write_durably(files.checkpoint, CheckpointFormat(files.full_name, crypter()).write([], [], {}))
    return configuration
