"""Commands of tests that need not load Python's modules: they are forked off a process that has.

An `up` is three processes, each of which loads a second's worth of modules. Forked off one that has
loaded them, each is still a process of its own: with its pid, parent, session, environment, files,
signals and exit code. Two things differ: what `/proc` names as its command line and environment is
that of the first process; and modules are there that a fresh process would load. So tests that look
for processes, or kill them, start fresh ones.
"""

from tests.preloaded.command import PreloadedCommand, start

__all__ = ["PreloadedCommand", "start"]
