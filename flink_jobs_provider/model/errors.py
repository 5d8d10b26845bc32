"""The errors of the whole project.

    JobError
     ├─ PermanentError          the same request will fail again
     │   ├─ InvalidSpec         a property is wrong
     │   │   └─ InvalidFiles    so it stands in a file
     │   ├─ JarError            the jar cannot be opened, or is no jar
     │   │   └─ JarMissing      it is certainly not there
     │   ├─ ClusterRefused      credentials, TLS, or something that is not a Flink cluster
     │   ├─ OwnedElsewhere      another stack's job runs under this name
     │   ├─ StateUnavailable    going on would drop state
     │   ├─ ClusterTakenDown    a program may have ended the cluster it was tried on
     │   ├─ ActionFailed        Flink carried the action out and it failed
     │   │   └─ EntryClassUnusable  the jar has no such class, or it has no main
     │   └─ EngineGone          the run this process belongs to has ended
     └─ TemporaryError          worth another try as it stands
         ├─ ClusterUnreachable  no answer, or an answer of a proxy in between
         ├─ ActionInProgress    an earlier action on the job has not ended
         └─ DeadlineExceeded    what was waited for has not happened yet
             └─ MainStillRuns   a program's `main` outlasts the time for its submission

Each says three things in one line: what happened, what state the job is in now, what to do. User
info and queries of the addresses in it are masked.
"""

from __future__ import annotations

import re

from flink_jobs_provider.model.redaction import mask_addresses

#: A full stop of a quoted sentence before the punctuation of the one around it; never an ellipsis
#: or a path such as "../jobs".
_DOUBLED = re.compile(r"(?<=[^\s./])\.([.,;:])(?=\s|$)")


class JobError(Exception):
    """Say what happened, how the job is now, and what would help.

    Args:
        happened: One short sentence: what happened.
        now: One short sentence: the state the job is in now; empty where nothing was touched.
        remedy: One short sentence: what the user can do.
    """

    def __init__(self, happened: str, *, now: str = "", remedy: str = "") -> None:
        self.happened = _sentence(happened)
        self.now = _sentence(now)
        self.remedy = _sentence(remedy)
        super().__init__(" ".join(part for part in (self.happened, self.now, self.remedy) if part))

    @property
    def reason(self) -> str:
        """What happened, without the full stop: for use within another sentence."""
        ellipsis = self.happened.endswith("..")
        return self.happened if ellipsis else self.happened.removesuffix(".")

    def complete(self, *, now: str = "", remedy: str = "") -> None:
        """Say how the job is now, and what would help, where that was not said yet."""
        self.now = self.now or _sentence(now)
        self.remedy = self.remedy or _sentence(remedy)
        self.args = (" ".join(part for part in (self.happened, self.now, self.remedy) if part),)


class PermanentError(JobError):
    """The same request would fail again."""


class TemporaryError(JobError):
    """The same request may succeed later."""


class InvalidSpec(PermanentError):
    """One or more properties of a job are wrong.

    Args:
        problems: One pair for each problem: the property's path, and what would be right.
    """

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        self.problems = [(path, mask_addresses(reason)) for path, reason in problems]
        super().__init__("; ".join(f"{path}: {reason}" for path, reason in problems))


class InvalidFiles(InvalidSpec):
    """One or more files of a user are invalid; the text has a line for each problem.

    Args:
        problems: One pair for each problem: file (and line), then property and what would be right.
    """

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__(problems)
        self.args = ("\n".join(f"{place}: {what}" for place, what in self.problems),)


class JarError(PermanentError):
    """The jar cannot be opened, or is not a jar."""


class JarMissing(JarError):
    """There is certainly no such jar: not at that place, or not with that content."""


class ClusterRefused(PermanentError):
    """The cluster's address answers, but not as a Flink cluster that lets us in."""


class OwnedElsewhere(PermanentError):
    """A job of another stack runs under this name."""


class StateUnavailable(PermanentError):
    """No savepoint or checkpoint is known to carry the state over."""


class ClusterTakenDown(PermanentError):
    """A program may have ended the JobManager in which its `main` ran; again, it would again."""


class ActionFailed(PermanentError):
    """Flink carried the action out, and it failed."""


class EntryClassUnusable(ActionFailed):
    """The jar has no class of that name, or the class cannot be run."""


class EngineGone(PermanentError):
    """The Pulumi engine this process works for has ended: nothing more may be begun."""


class ClusterUnreachable(TemporaryError):
    """The cluster did not answer.

    Attributes:
        retry_after: Seconds after which it asks to be asked again; None where it does not say.
    """

    retry_after: float | None = None


class ActionInProgress(TemporaryError):
    """An earlier action on the same job has not ended yet."""


class DeadlineExceeded(TemporaryError):
    """What was waited for has not happened in the time allowed."""


class MainStillRuns(DeadlineExceeded):
    """A program's `main` runs on, and may start its job after nobody waits for that.

    Attributes:
        job_id: The jobId that the job would have.
        partial: What is to be recorded, so that a later run finds that job; None for nothing.
    """

    job_id: str = ""
    partial: object = None


def _sentence(text: str) -> str:
    """Fold white space, mask addresses, and end with one full stop: a message stays one line.

    A sentence that quotes another one ends up with a stop too many: it is removed.
    """
    text = _DOUBLED.sub(r"\1", mask_addresses(" ".join(text.split())))
    if text and text[-1] not in ".!?":
        text += "."
    return text
