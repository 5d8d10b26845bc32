"""What is said of a job or cluster that needs attention, as data: each face words it.

A statement is a sentence by its code, and the facts that it names. The command line and the APIs
have the English sentences, which are here; a face of another language has its own by code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, unique
from typing import Protocol

#: Seconds of the units that lengths of time are in, beside the second.
_UNITS = ((86_400, "days"), (3600, "h"), (60, "min"))
#: A length of time in an English text.
_SPAN = re.compile(r"\b[0-9]+ (?:days|h|min|s)\b")


@unique
class Sentence(Enum):
    """A sentence, or a part of one, by its code; its value is the English one."""

    # What was observed
    WITH_CAUSE = "{what}: {cause}"
    NO_TASK_MANAGERS = "the cluster has active jobs and no TaskManagers"
    TASK_MANAGER_METASPACE = "a TaskManager uses {used} of {limit} MiB of its metaspace"
    JOB_MANAGER_METASPACE = "the JobManager uses {used} of {limit} MiB of its metaspace"
    NOT_LISTED = "the cluster does not list it"
    NO_LONGER_LISTED = "the cluster no longer lists it; {ago} ago it was {state}"
    WAS_ACTIVE = "it was active, and its cluster no longer lists it"
    FAILED = "it FAILED"
    FAILED_AGO = "it FAILED {ago} ago"
    SUSPENDED = "it has been SUSPENDED for {time}"
    RESTARTING = "it has been {state} for {time}"
    RESTARTED = "it failed and was restarted {times} times in the last {time}"
    REDEPLOYED = "its tasks were deployed anew since it was last observed"
    TASKS_NOT_RUNNING = "{running} of {tasks} tasks run, and nothing has changed for {time}"
    NO_CHECKPOINT = (
        "no checkpoint has completed for {time} ({last}), and one is due every {interval}"
    )
    CHECKPOINT_FAILED = "its last checkpoint failed, and {last}"
    CHECKPOINTS_FAILED = "its last {number} checkpoints failed, and {last}"
    LAST_COMPLETED = "the last one completed {ago} ago"
    NONE_COMPLETED = "none so far"
    BEHIND = "it is {lag} behind in event time, {before} {ago} ago"
    PENDING = "{records} records are pending, {before} {ago} ago"
    ACTION_FAILED = "its last action, {action}, failed"
    # What to do
    START_TASK_MANAGERS = "Start TaskManagers, or look into their logs for why they do not register"
    FREE_METASPACE = (
        "Each submission loads its classes anew, and some are never unloaded: restart the process "
        "before it ends with an OutOfMemoryError, or give it more metaspace"
    )
    WAS_JOB_MANAGER_RESTARTED = "Has its JobManager been restarted? {start}"
    FIX_AND_START = "Fix the cause. {start}"
    START_FROM_CHECKPOINT = "Start it again from its last checkpoint, {path}"
    START_FROM_SAVEPOINT = "Start it again from its last savepoint, {path}"
    START_FROM_LAST = "Start it again from its last savepoint or retained checkpoint"
    AWAIT_LEADER = "Its JobManager has lost leadership: another one should take the job over"
    READ_EXCEPTIONS = (
        "Read its exceptions. If it does not come up, fix the cause and start a new version"
    )
    FIX_RESTARTS = "Each restart goes back to the last checkpoint. Fix the cause in its exceptions"
    FAILED_OR_RESCALED = "It was restarted after a failure, or rescaled: its exceptions tell which"
    ADD_SLOTS = (
        "Does the cluster have free slots? Add TaskManagers, or look into the JobManager's log"
    )
    SPEED_CHECKPOINTS_UP = (
        "A failure now goes back that far. Look for backpressure, a timeout that is too short, "
        "or storage that is slow or unreachable"
    )
    FIX_CHECKPOINTS = (
        "After {tolerated} tolerated failures in a row the job is restarted. Fix the cause; a "
        "longer timeout helps where they expire"
    )
    LOOK_AT_IDLE_SOURCES = (
        "{slowest}. If it is idle, a source partition without records may hold watermarks back"
    )
    RAISE_PARALLELISM = "{slowest}. Raise the parallelism where it works all the time"
    SLOWEST = "{vertex} works {share} of the time, more than any other vertex"
    FIND_SLOWEST = "Look for the vertex that works all the time"
    REPEAT_ACTION = "Remove the cause, and ask for the action again"


@dataclass(frozen=True)
class Milliseconds:
    """A length of time."""

    count: int


@dataclass(frozen=True)
class Share:
    """A share of a whole, 0 to 1."""

    of_one: float


@dataclass(frozen=True)
class Statement:
    """A sentence and its facts; texts among them are taken over as they are.

    Attributes:
        code: The sentence.
        facts: What it names, by name; a statement within it is a part of it.
    """

    code: Sentence
    facts: Mapping[str, Fact] = field(default_factory=dict)

    @classmethod
    def of(cls, code: Sentence, **facts: Fact) -> Statement:
        """Return a sentence with its facts."""
        return cls(code, facts)

    def because_of(self, cause: str) -> Statement:
        """Return it with its cause, in the words of whoever reported that; as it is without one."""
        return Statement.of(Sentence.WITH_CAUSE, what=self, cause=cause) if cause else self


Fact = str | int | Milliseconds | Share | Statement


class Numbers(Protocol):
    """How one language writes numbers with their units."""

    def number(self, value: float) -> str:
        """Return a number."""

    def span(self, milliseconds: float) -> str:
        """Return a length of time, in one unit."""

    def percent(self, share: float) -> str:
        """Return a share, 0 to 1."""


class _EnglishNumbers:
    def number(self, value: float) -> str:
        return str(value)

    def span(self, milliseconds: float) -> str:
        return span(int(milliseconds))

    def percent(self, share: float) -> str:
        return f"{share:.0%}"


@dataclass(frozen=True)
class Wording:
    """The words of one language.

    Attributes:
        sentences: Its sentences by code; one that is missing is in English.
        numbers: How it writes numbers.
    """

    sentences: Mapping[str, str]
    numbers: Numbers


#: The words of the command line and of the APIs.
ENGLISH = Wording({}, _EnglishNumbers())


def worded(statement: Statement, wording: Wording) -> str:
    """Return a statement in the words of a language."""
    facts = {name: _fact(fact, wording) for name, fact in statement.facts.items()}
    code = statement.code
    return wording.sentences.get(code.name, str(code.value)).format(**facts)


def _fact(fact: Fact, wording: Wording) -> str:
    if isinstance(fact, Statement):
        return worded(fact, wording)
    if isinstance(fact, Milliseconds):
        return wording.numbers.span(fact.count)
    if isinstance(fact, Share):
        return wording.numbers.percent(fact.of_one)
    return fact if isinstance(fact, str) else wording.numbers.number(fact)


def span(milliseconds: int) -> str:
    """Return a length of time in one unit that people read, such as "3 min"."""
    seconds = max(0, milliseconds) // 1000
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def without_spans(reason: str) -> str:
    """Return a reason without its lengths of time, which grow although nothing has changed."""
    return _SPAN.sub("", reason)
