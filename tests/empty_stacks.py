"""Empty stacks as `stack init` makes them, all under one key: to derive one takes its time."""

from __future__ import annotations

import base64
import hashlib
import sys
from functools import cache

from flink_jobs_provider.engine.backend import write_durably
from flink_jobs_provider.engine.checkpoint import CheckpointFormat
from flink_jobs_provider.engine.stack_configuration import Crypter, StackConfiguration
from flink_jobs_provider.engine.stacks import Place

PASSPHRASE = "open sesame"

#: A command line of `flink-jobs`, as its entry point runs it.
PLAIN_COMMAND = (sys.executable, "-c", "from flink_jobs_provider.cli import main; main()")
_COMMAND_WITH_KEY = """\
import hashlib
derive = hashlib.pbkdf2_hmac
hashlib.pbkdf2_hmac = lambda *given: {key} if given == {given} else derive(*given)
from flink_jobs_provider.cli import main
main()
"""


@cache
def crypter() -> Crypter:
    """Make the one key for all tests."""
    return Crypter.fresh(PASSPHRASE)


@cache
def command_with_key() -> tuple[str, ...]:
    """Return a command line of `flink-jobs` that has the result of deriving the tests' key.

    A derivation costs a quarter of a second of CPU, in each of hundreds of commands. One from
    another passphrase or salt, or with other rounds, is made.
    """
    salt = base64.b64decode(crypter().encryption_salt.split(":")[1])
    given = ("sha256", PASSPHRASE.encode(), salt, 1_000_000, 32)
    code = _COMMAND_WITH_KEY.format(given=given, key=hashlib.pbkdf2_hmac(*given))
    return (sys.executable, "-c", code)


def make_empty_stack(place: Place, stack: str) -> StackConfiguration:
    """Make a stack in a place that has none of this name; return its configuration."""
    configuration = place.configuration(stack)
    configuration.encryption_salt = crypter().encryption_salt
    configuration.write()
    place.backend.prepare()
    files = place.files(stack)
    write_durably(files.checkpoint, CheckpointFormat(files.full_name, crypter()).write([], [], {}))
    return configuration
