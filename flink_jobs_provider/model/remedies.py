"""What a user can do about an error, as data: each face of the product has its own words for it.

A remedy that names what only some callers have (an input of a program, a command of Pulumi) is one
of these. Its value is the sentence of a declared job, as the provider and the command line print
it. A remedy that every caller can follow is a plain sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from flink_jobs_provider.model.redaction import mask_addresses

#: A full stop of a quoted sentence before the punctuation of the one around it; never an ellipsis
#: or a path such as "../jobs".
_DOUBLED = re.compile(r"(?<=[^\s./])\.([.,;:])(?=\s|$)")


class RemedyCode(Enum):
    """A remedy by name; its value is its default sentence, with `{facts}` to be filled in."""

    def of(self, **facts: str) -> Advice:
        """Return the remedy with the facts that its sentence names."""
        return Advice(self, facts)


class Advice(str):
    """A remedy with its facts; as a text, it is the default sentence.

    So it passes for a sentence wherever one is printed, and a face with other words finds what it
    words.
    """

    __slots__ = ("code", "facts")

    code: RemedyCode
    facts: Mapping[str, str]

    def __new__(cls, code: RemedyCode, facts: Mapping[str, str]) -> Advice:
        """Make the text of a remedy with its facts."""
        masked = {name: mask_addresses(fact) for name, fact in facts.items()}
        advice = super().__new__(cls, sentence(code.value.format(**masked)))
        advice.code, advice.facts = code, masked
        return advice


@dataclass(frozen=True)
class Wording:
    """How one face words an error.

    Attributes:
        name_of: Returns what the face calls a property; empty where it has none of the kind.
        sentences: The face's sentence by remedy; a remedy without one has its default sentence.
    """

    name_of: Callable[[str], str]
    sentences: Mapping[RemedyCode, str] = field(default_factory=dict)

    def remedy(self, remedy: str) -> str:
        """Return the sentence of a remedy."""
        if not isinstance(remedy, Advice):
            return remedy
        text = self.sentences.get(remedy.code, remedy.code.value)
        return sentence(text.format(**remedy.facts))


#: A job that is declared: its inputs have the names that its program gives them.
DECLARED = Wording(lambda name: name)

#: The commands that take a resource out of the state of its stack, which touches no job.
STATE_DELETE = "pulumi state delete, or flink-jobs state delete"

_RESTORE_OR_EMPTY = (
    'set restore_from to a savepoint, or upgrade_mode to "stateless" to start from nothing'
)


class Remedy(RemedyCode):
    """The remedies of errors on a job and on its cluster."""

    RESTORE_OR_EMPTY_OR_STOPPED = (
        'Set restore_from to a savepoint, or upgrade_mode to "stateless" to start from nothing, or '
        'desired_state to "stopped" to leave it so'
    )
    PUT_BACK_OR_RESTORE = f"Put it back; or {_RESTORE_OR_EMPTY}"
    PUT_BACK_OR_RESTORE_OLDER = (
        "Put it back; or set restore_from to the older one, to go back to it"
    )
    PUT_BACK_OR_RESTORE_OLDER_AGAIN = (
        "Put it back; or set restore_from to the older one, to go back to it, after a run without "
        'restore_from and with desired_state "stopped", since it counts once'
    )
    REFRESH_OR_RESTORE = (
        "Refresh (preview --refresh, up --refresh): the plan shows it then; or " + _RESTORE_OR_EMPTY
    )
    TAKE_RESTORE_OUT = (
        "To go on from the state it has, take restore_from out, and put it in again later to go "
        "back to it; where a resource was renamed, give it an alias, which keeps its record"
    )
    WAIT_FOR_MAIN = (
        "Run again when main has ended, or raise timeouts.submit to wait for it. If the cluster "
        "hides its threads (GET /jobmanager/thread-dump), and the JobManager's log says that main "
        f"has failed, take the resource out of the stack's state ({STATE_DELETE})"
    )
    WAIT_FOR_MAIN_OF_ANOTHER = (
        "Run again when main has ended, or raise timeouts.submit to wait for it. If that main is "
        "known to be another job's, refresh (up --refresh); or, for a job that is not in the stack "
        "yet, remove its jar from the cluster"
    )
    ADOPT_WHEN_MAIN_ENDS = (
        "Run again: that job is then adopted, or ended if it is not wanted any more. Raise "
        "timeouts.submit above the time that main takes"
    )
    RENAME_OR_OWN = "Choose another job_name; or set owner, if the stack was renamed"
    KEEP_OPERATOR_IDS = (
        "Give each operator the uid that it had, a fixed one; or set allow_non_restored_state to "
        "true, to drop that state; or state_check to warn, where setUidHash carries it over"
    )
    KEEP_PARALLELISM = (
        "Set a parallelism of at most that maximum, and leave pipeline.max-parallelism as it was: "
        "the maximum of a state is set when it begins, by that option or in the program"
    )
    CHANGE_OR_WATCH_AGAIN = (
        "Change the job, which starts another version; or run again, which watches this one again; "
        "or take health out, to accept it as it is"
    )
    RESTART_AS_DECLARED = "Run again; or set restart_trigger, which restarts it as it is declared"
    NAME_SAVEPOINT_DIRECTORY = "Set savepoint_directory"
    FIX_PROGRAM = "Fix the jar, entry_class or args, and run again"
    RETAIN_CHECKPOINTS = (
        "Set {option} to {value} in flink_configuration with an UPDATE first, or use upgrade_mode "
        '"savepoint"'
    )
    LAST_STATE_OR_EMPTY = (
        'Use upgrade_mode "last-state" to go on from its latest retained checkpoint, or '
        '"stateless" to drop its state'
    )
    WAIT_FOR_SAVEPOINT = "Run again to wait for it, or raise timeouts.savepoint"
    STOP_FIRST = (
        '{put_back}; or stop the job with a savepoint first (desired_state "stopped"), and start '
        "the new version from it"
    )
    ACCEPT_NO_WAY_BACK = (
        "Set allow_no_way_back to true; or stop the job with a savepoint first (desired_state "
        '"stopped"), and start the new version from it; or set on_delete to "release", take the '
        "resource out, and adopt the job again with the jar and args that it runs"
    )
    RELEASE_FIRST = (
        'Set on_delete to "release" in the stack that has it, and delete it there; or set owner to '
        "its owner, if that stack is no more"
    )
    CHECK_TLS = "Check target.tls, and whether the address should be http or https"
    CHECK_CREDENTIALS = "Check target.basic_auth, target.bearer_token or target.secret_headers"
    SET_URL = "Set target.url to the address of the REST API itself"
    CHECK_URL = "Check target.url: host, port, and the path a proxy may want"
    WAIT_OR_CHECK_URL = (
        "If a proxy answers while the cluster is away, it will pass. Check target.url: host, port, "
        "and the path a proxy may want"
    )


def sentence(text: str) -> str:
    """Fold white space, mask addresses, and end with one full stop: a message stays one line.

    A sentence that quotes another one ends up with a stop too many: it is removed.
    """
    text = _DOUBLED.sub(r"\1", mask_addresses(" ".join(text.split())))
    if text and text[-1] not in ".!?":
        text += "."
    return text
