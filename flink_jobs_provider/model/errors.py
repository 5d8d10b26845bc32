"""The errors of the whole product.

    FlinkJobsError                   somebody is shown it
     ├─ JobError                     on a job or its cluster: happened, now, remedy, field
     │   ├─ PermanentError           the same request will fail again
     │   │   ├─ InvalidSpec          a property is invalid
     │   │   │   └─ InvalidFiles     so it is in a file
     │   │   ├─ JarError             the jar cannot be opened, or is no jar
     │   │   │   └─ JarMissing       there is certainly none
     │   │   ├─ ClusterRefused       credentials, TLS, or something that is not a Flink cluster
     │   │   │   └─ RequestTooLarge  what is in front of the cluster takes no such jar
     │   │   ├─ OwnedElsewhere       another stack's job runs under this name
     │   │   ├─ StateUnavailable     going on would drop state
     │   │   │   ├─ RestoreUnclear   whether `restore_from` was restored before is not recorded
     │   │   │   └─ MovedAway        it was carried to another cluster, where it may run
     │   │   ├─ StartedMeanwhile     another run has started a version of the same job
     │   │   ├─ ClusterTakenDown     a program may have ended the cluster it was tried on
     │   │   ├─ ActionFailed         Flink performed the action, and it failed
     │   │   │   ├─ EntryClassUnusable  the jar has no such class, or it has no main
     │   │   │   ├─ GateFailed       a version that is up did not pass its health gate
     │   │   │   └─ RehearsalFailed  a copy of a version did not; the job was not touched
     │   │   ├─ UnknownMetric        a job has no metric of a name that was asked for
     │   │   ├─ NotEnoughSlots       a start needs more task slots than are free
     │   │   ├─ NoSavepointDirectory neither job nor cluster names one
     │   │   ├─ OrderRefused         a job service did not accept an action
     │   │   │   └─ NotOffered       it has no such action
     │   │   ├─ Missing              a job service has no such job
     │   │   ├─ EngineGone           the run this process belongs to has ended
     │   │   └─ LeaseLost            another gateway may have taken the action over
     │   └─ TemporaryError           worth another try as it stands
     │       ├─ ClusterUnreachable   no answer, or an answer of a proxy in between
     │       │   ├─ ConnectionBroke  after the request was sent
     │       │   ├─ AnswerTimedOut   after the request was sent
     │       │   ├─ Unanswered       whether a job service has accepted an action is unknown
     │       │   └─ Busy             a job service certainly did not accept it, for now
     │       ├─ ActionInProgress     an earlier action on the job has not ended
     │       ├─ JobVanished          its cluster lost the job while it was worked on
     │       ├─ RunCancelled         nobody waits any more for a job's first version to come up
     │       └─ DeadlineExceeded     what was waited for has not happened yet
     │           └─ MainStillRuns    a program's `main` outlasts the time for its submission
     ├─ Refusal                      a gateway does not accept a request
     │   ├─ RefusedProperties        properties of it are invalid
     │   ├─ PageRefusal              it is answered with a page of the portal
     │   ├─ StaleForm                a form of the portal is of an earlier session
     │   └─ ClusterUnavailable       it needs a cluster that does not answer
     ├─ RecordsError                 a gateway's database did not execute a statement
     │   ├─ RecordsUnavailable       it cannot be used now
     │   └─ RecordsConflict          the rules of its tables do not allow it
     ├─ SetupError                   something around the jobs cannot be used
     │   ├─ UnreadableFile           a YAML file
     │   ├─ LocalClusterError        the local cluster, or its files
     │   ├─ InvalidConfiguration     a gateway's configuration
     │   ├─ InvalidPolicyConfiguration  that of the policy pack
     │   ├─ TokensFileError          a gateway's tokens
     │   ├─ SignaturesUnavailable    the package that checks signatures is missing
     │   ├─ CertificateUnusable      a gateway's certificate
     │   ├─ DatabaseUnusable         a gateway's database
     │   │   └─ DatabaseInUse        another gateway works on it
     │   ├─ CannotListen             a gateway's address
     │   └─ CannotServe              a gateway cannot start
     └─ FlinkJobError                what the Pulumi engine prints of any of them

    Signal                           a way out of one call, for its caller alone
     ├─ StorageError                 a file cannot be read
     │   ├─ ContainerMissing         there is certainly no such bucket or container
     │   └─ NoSnapshot               there is no savepoint or checkpoint at a path
     ├─ UnreadableManifest           of a jar
     ├─ MetadataError                a savepoint's _metadata file is not as Flink writes it
     │   ├─ CutOff                   it ends too early
     │   ├─ UnknownObject            a Java object in it has a part of an unknown kind
     │   └─ UnknownVersion           its format is of an unknown version
     ├─ FlinkAnswer                  an error answer of Flink itself
     ├─ DidNotStart                  a version did not come up
     ├─ OperationLost                Flink lost a savepoint that was being taken
     ├─ NotNow                       a step was not accepted for now
     ├─ ProcessEnded                 of the local cluster, before it was ready
     ├─ RefusedToken                 a JWT is not accepted
     │   └─ ExpiredWebToken          it has expired
     ├─ ExpiredToken                 a gateway's token has expired
     ├─ KeysUnavailable              an issuer's keys cannot be fetched now
     ├─ NotKnownYet                  a preview does not know an input that a policy judges
     ├─ UnfinishedAction             a job has an action that has not ended
     ├─ RowChanged                   a job's row is not as it was decided on
     ├─ SavepointDisposed            a start is to begin from a savepoint that is gone, or goes
     └─ QueueTimeout                 all threads were busy for too long

A `JobError` is one line: what happened, what state the job is in now, what to do. User info and
queries of the addresses in it are masked. It is data, and each face words it: see `remedies`. The
embedded engine imports nothing of the rest, and has a tree of its own (`engine.errors`).
"""

from __future__ import annotations

from collections.abc import Mapping

from flink_jobs_provider.model.redaction import mask_addresses
from flink_jobs_provider.model.remedies import DECLARED, Advice, RemedyCode, Wording, sentence

#: Where the name of an error's property goes within what happened.
_FIELD = "{field}"


class FlinkJobsError(Exception):
    """An error of the product that somebody is shown; its text is a whole sentence or more."""


class Signal(Exception):
    """A way out of one call for its caller within the product; nobody else ever sees it."""


class SetupError(FlinkJobsError):
    """A file, a certificate, a database or a program around the jobs cannot be used."""


class JobError(FlinkJobsError):
    """An error on a job or its cluster: what happened, how the job is now, and what would help.

    Its text is that of a declared job; `worded` returns that of another face.

    Args:
        happened: One short sentence: what happened. `{field}` in it is the property's name.
        now: One short sentence: the state the job is in now; empty where nothing was touched.
        remedy: What the user can do: one of `remedies`, where callers do so by different names;
            else one short sentence.
        field: Path of the property that it is about, in the words of a declared job; appended to
            what happened, where that does not hold `{field}`.

    Attributes:
        partial: The job's record as it is to be kept in spite of the error, so that the next run
            goes on from there; None to leave what is recorded as it is.
        accepted: Whether the cluster had accepted the submission that was being waited for.
    """

    partial: object = None
    accepted: bool = False

    def __init__(
        self, happened: str, *, now: str = "", remedy: str | RemedyCode = "", field: str = ""
    ) -> None:
        self.field = field
        self.template = sentence(happened)
        self.now = sentence(now)
        self.remedy = _remedy(remedy)
        super().__init__(self.worded(DECLARED))

    @property
    def code(self) -> str:
        """The kind of error, as a word for programs."""
        return type(self).__name__

    @property
    def facts(self) -> Mapping[str, str]:
        """What its remedy is filled in with, by name."""
        return self.remedy.facts if isinstance(self.remedy, Advice) else {}

    @property
    def happened(self) -> str:
        """What happened, without the property, unless it is within the sentence."""
        return _filled_in(self.template, self.field)

    @property
    def reason(self) -> str:
        """What happened, without the full stop: for use within another sentence."""
        happened = self.happened
        return happened if happened.endswith("..") else happened.removesuffix(".")

    def worded(self, wording: Wording) -> str:
        """Return the text of the error in the words of a face."""
        return worded(self.template, self.now, self.remedy, self.field, wording)

    def complete(self, *, now: str = "", remedy: str | RemedyCode = "") -> None:
        """Add how the job is now, and what would help, where the error does not hold it yet."""
        self.now = self.now or sentence(now)
        self.remedy = self.remedy or _remedy(remedy)
        self.args = (self.worded(DECLARED),)


class PermanentError(JobError):
    """The same request would fail again."""


class TemporaryError(JobError):
    """The same request may succeed later."""


class InvalidSpec(PermanentError):
    """One or more properties of a job are invalid.

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


class MovedAway(StateUnavailable):
    """A job was carried to another cluster, where it may run: it is not started on this one.

    Attributes:
        job_id: The version that bears the mark of that.
    """

    job_id: str = ""


class StartedMeanwhile(PermanentError):
    """Another run at the same time has started a version of the job, which goes on."""


class ClusterTakenDown(PermanentError):
    """A program may have ended the JobManager in which its `main` ran; again, it would again."""


class ActionFailed(PermanentError):
    """Flink carried the action out, and it failed.

    Attributes:
        version: The version that did not start; 0 where no start of one failed.
    """

    version: int = 0


class EntryClassUnusable(ActionFailed):
    """The jar has no class of that name, or the class cannot be run."""


class GateFailed(ActionFailed):
    """A version that is up did not pass its health gate.

    Attributes:
        check: The input of the gate that was not met.
    """

    check: str = ""


class RehearsalFailed(ActionFailed):
    """A copy of a new version did not come up, or did not pass its health gate; it was ended."""


class Missing(PermanentError):
    """A job service reports that there is no such job."""


class EngineGone(PermanentError):
    """The Pulumi engine this process works for has ended: nothing more may be begun."""


class ClusterUnreachable(TemporaryError):
    """The cluster did not answer.

    Attributes:
        retry_after: Seconds after which it asks to be asked again; None where it names none.
    """

    retry_after: float | None = None


class ActionInProgress(TemporaryError):
    """An earlier action on the same job has not ended yet."""


class DeadlineExceeded(TemporaryError):
    """What was waited for has not happened in the time allowed."""


class RunCancelled(TemporaryError):
    """The run was cancelled while the first version of a job came up."""


class JobVanished(TemporaryError):
    """The cluster no longer lists a job that did not end: the next run finds it LOST."""


class MainStillRuns(DeadlineExceeded):
    """A program's `main` runs on, and may start its job after nobody waits for that.

    Attributes:
        job_id: The jobId that the job would have.
    """

    job_id: str = ""


def worded(happened: str, now: str, remedy: str, field: str, wording: Wording) -> str:
    """Return the parts of a `JobError` as one line, in the words of a face."""
    name = wording.name_of(field) if field else ""
    if name and _FIELD not in happened:
        happened = f"{happened.removesuffix('.')} ({name})."
    happened = _filled_in(happened, name or field)
    return " ".join(part for part in (happened, now, wording.remedy(remedy)) if part)


def _filled_in(happened: str, name: str) -> str:
    return happened.replace(_FIELD, name) if name else happened


def _remedy(remedy: str | RemedyCode) -> str:
    if isinstance(remedy, RemedyCode):
        return remedy.of()
    return remedy if isinstance(remedy, Advice) else sentence(remedy)
