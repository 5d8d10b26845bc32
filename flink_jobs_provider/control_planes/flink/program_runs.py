"""Running programs on a cluster: their `main` for a plan alone, or to submit its job.

A `main` runs in the JobManager's process, so a program that calls System.exit ends that. Measured
on 1.20.5 and 2.3.0: the connection breaks without an answer, and the cluster is gone with all its
jobs. With `cluster.intercept-user-system-exit: THROW` the call fails in the program alone.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from flink_jobs_provider.control_planes.flink.bodies import (
    INTERCEPTS_EXIT,
    parse_graph,
    plan_body,
    run_body,
)
from flink_jobs_provider.control_planes.flink.client import (
    AnswerTimedOut,
    ConnectionBroke,
    FlinkAnswer,
)
from flink_jobs_provider.control_planes.flink.jars import ClusterJars
from flink_jobs_provider.control_planes.http import Polling
from flink_jobs_provider.control_planes.protocol import Submission
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ClusterTakenDown,
    ClusterUnreachable,
    EntryClassUnusable,
    MainStillRuns,
)
from flink_jobs_provider.model.identity import identity_of
from flink_jobs_provider.model.job_graph import JobGraph
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.model.remedies import Remedy

_NAMED = 5
_REMEDY = (
    f"Does main call System.exit? Set {INTERCEPTS_EXIT} to THROW in the cluster's configuration, "
    "so that a program cannot end the JobManager"
)


class MainRuns:
    """The attempts to run one program's `main`, and whether one took the cluster down.

    Args:
        before: The jobs as they were last seen, or None.
        tried: Whether `main` has passed a plan, and is run now: a first break is then taken for an
            outage.
    """

    def __init__(
        self,
        submission: Submission,
        jobs: Callable[[], Awaitable[ClusterSnapshot]],
        before: ClusterSnapshot | None,
        *,
        tried: bool,
    ) -> None:
        self._job_name = submission.job_name
        self._identity = identity_of(submission.job_id)
        self._jobs = jobs
        self._active = tuple(job for job in before.jobs if job.active) if before else ()
        self._tried = tried
        self._breaks = 0

    async def broke(self, error: ClusterUnreachable) -> None:
        """Return where only the connection broke; where the cluster is down, raise.

        A supervisor may have restarted the JobManager: its jobs are gone, or start again. Where no
        job shows that, `main` is run once more, and no third time.

        Raises:
            ClusterTakenDown: The program may have ended the cluster.
        """
        self._breaks += 1
        if self._breaks == 1 and (self._tried or await self._is_up()):
            return
        others = [job for job in self._active if identity_of(job.job_id) != self._identity]
        raise ClusterTakenDown(
            f"{self._job_name}: {self._what(error)}; the cluster may have gone down with it"
            f"{_named(others)}",
            now="What runs on the cluster now is not known",
            remedy=_REMEDY,
        )

    def outage(self, error: ClusterUnreachable) -> ClusterUnreachable:
        """Return the error of a cluster that was away until the time was up, after a break."""
        if not self._breaks:
            return error
        return ClusterUnreachable(
            f"{self._what(error)}, and the cluster has not come back",
            remedy=f"Run again when it is back, to go on. {_REMEDY}",
        )

    def _what(self, error: ClusterUnreachable) -> str:
        doing = "was being run" if self._tried else "was being tried"
        return f"the connection broke while main of the new version {doing} ({error.reason})"

    async def _is_up(self) -> bool:
        try:
            after = await self._jobs()
        except ClusterUnreachable:
            return False
        return all(_runs_on(job, after.by_id.get(job.job_id)) for job in self._active)


def _runs_on(before: ObservedJob, after: ObservedJob | None) -> bool:
    return after is not None and (after.state == before.state or not after.active)


def _named(others: list[ObservedJob]) -> str:
    if not others:
        return ""
    names = ", ".join(f"{job.name} ({job.job_id})" for job in others[:_NAMED])
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return f". Other jobs ran on it: {names}{more}"


if TYPE_CHECKING:
    from flink_jobs_provider.control_planes.flink.plane import FlinkRest

_PLAN_S = 300.0
#: How often a plan is asked for that gets no answer, and after how many seconds.
_PLAN_TRIES, _PLAN_PAUSE = 3, 0.4
#: The pause between two reads of the job list, in seconds.
_PAUSE = 0.25
#: Flink on an entry class that it cannot run (PackagedProgram; measured on 1.20 and 2.3).
_NO_ENTRY_CLASS = ("The program's entry point class '", "does not have a main(String[]) method")
#: How long the end of a job is waited for that `main` started under another jobId, in seconds.
_CANCEL_S = 30.0


class Submissions:
    """Plans and submits jobs on one cluster.

    `seen` returns the job list as it was last seen; None where it was not yet.
    """

    def __init__(
        self,
        cluster: FlinkRest,
        jars: ClusterJars,
        seen: Callable[[], ClusterSnapshot | None],
        polling: Polling,
    ) -> None:
        self._cluster = cluster
        self._jars = jars
        self._seen = seen
        self._clock = polling.clock
        self._sleep = polling.sleep
        self._polling = polling
        self._broken_runs: dict[str, MainRuns] = {}  # by jobId: a break counts in a later try, too
        self._unanswered: set[str] = set()  # jobIds whose `main` was left running

    async def plan(self, submission: Submission) -> JobGraph:
        """Run `main` by `POST /jars/:id/plan`; raises what `try_out` does."""
        return await self._planned(
            submission, lambda: self._jars.ensure(submission, _PLAN_S), self._jars.lose
        )

    async def try_out(self, submission: Submission) -> JobGraph:
        """Do the same, and leave no jar on the cluster that was not there before.

        A jar that is known by its digest alone is that of a version that runs: nothing is uploaded.

        Raises:
            EntryClassUnusable: The jar has no such class, or it has no `main`.
            ActionFailed: The program's `main` throws, or its jar was refused, or is gone.
            ClusterTakenDown: The connection broke, and the cluster may be down.
        """
        if isinstance(submission.jar, str):
            return await self.plan(submission)
        async with self._jars.lend(submission.jar, _PLAN_S) as jar:
            return await self._planned(submission, jar.id, jar.lose)

    async def _planned(
        self,
        submission: Submission,
        provide: Callable[[], Awaitable[str]],
        lose: Callable[[str], None],
    ) -> JobGraph:
        """Run `main` for its plan.

        `provide` returns the id of its jar on the cluster; `lose` is called with one of no jar.
        """
        sent = plan_body(submission)
        deadline = self._clock() + _PLAN_S
        main, tries = MainRuns(submission, self._cluster.jobs, self._seen(), tried=False), 1
        while True:
            jar = await provide()
            try:
                body = await self._cluster.client.change(
                    "POST", f"jars/{jar}/plan", json=sent, timeout=_PLAN_S, has="plan"
                )
                break
            except ConnectionBroke as error:
                await main.broke(error)
            except ClusterUnreachable:
                if tries == _PLAN_TRIES:
                    raise
                tries += 1
                await self._sleep(_PLAN_PAUSE)
            except FlinkAnswer as refusal:
                if _no_such_jar(refusal) and self._clock() < deadline:
                    lose(jar)
                    continue
                unusable = any(text in refusal.text for text in _NO_ENTRY_CLASS)
                kind = EntryClassUnusable if unusable else ActionFailed
                raise kind(refusal.cause) from None
        return parse_graph(body)

    async def submit(self, submission: Submission, timeout: float) -> None:
        """Upload the jar if it is not there, and run it under the submission's jobId.

        The id makes a repeat safe: a second job under it is refused, so after a lost answer the
        request is sent again. Where the first request is refused so, another run has submitted the
        same meanwhile; or `main` executes a second job, of another name than the one that is listed
        (measured on 2.3.0; 1.20.5 accepts that, and starts the first of them alone).

        Raises:
            ActionFailed: The program or the savepoint is at fault; the text is the last cause.
            ClusterTakenDown: The connection broke twice: the program may end the cluster.
            ClusterUnreachable: No answer came in time: whether the job was accepted is not known.
            MainStillRuns: The time is up while the cluster works on the request.
        """
        facts = await self._cluster.facts()
        unanswered = submission.job_id in self._unanswered
        if unanswered and await self._comes_up(submission.job_id, timeout):
            return
        answer_lost = submission.sent_before or unanswered
        deadline = self._clock() + timeout
        body = run_body(submission, facts.version)
        new = MainRuns(submission, self._cluster.jobs, self._seen(), tried=True)
        main = self._broken_runs.get(submission.job_id, new)
        while True:
            jar = await self._jars.ensure(submission, timeout)
            try:
                answer = await self._cluster.client.change(
                    "POST", f"jars/{jar}/run", json=body, timeout=timeout, has="jobid"
                )
            except FlinkAnswer as refusal:
                if _duplicate(refusal):
                    if answer_lost or await self._is_repeat(submission.job_id, refusal):
                        break
                    raise ActionFailed(
                        "main starts a second job, which a session cluster does not allow for one "
                        f"jobId: Flink refused it as a repeat of {submission.job_id}"
                    ) from None
                if _no_such_jar(refusal) and self._clock() < deadline:
                    self._jars.lose(jar)
                    continue
                snapshot = await self._cluster.jobs() if refusal.status >= 500 else None
                if snapshot and submission.job_id in snapshot.by_id:
                    break  # it has failed after it had accepted the job
                raise ActionFailed(refusal.cause) from None
            except ClusterUnreachable as error:
                answer_lost = True
                if isinstance(error, ConnectionBroke):
                    self._broken_runs[submission.job_id] = main
                    await main.broke(error)
                if await self._was_accepted(submission, main, error, deadline, timeout):
                    break
                continue
            if answer.get("jobid") != submission.job_id:
                raise await self._other_job(str(answer.get("jobid")), submission)
            break
        self._broken_runs.pop(submission.job_id, None)
        self._unanswered.discard(submission.job_id)

    async def _other_job(self, started: str, submission: Submission) -> ActionFailed:
        """Cancel a job that `main` started under another jobId; return the error, with its end."""
        await self._cluster.cancel(started)
        state = await self._polling.until(
            lambda: self._cluster.ended(started), self._clock() + _CANCEL_S, _PAUSE
        )
        end = f"it is {state}" if state else f"it has not ended in {_CANCEL_S:g} s"
        return ActionFailed(
            f"main started job {started} instead of {submission.job_id}, the jobId that it was "
            f"given; a cancel of it was asked for, and {end}"
        )

    async def _comes_up(self, job_id: str, timeout: float) -> bool:
        """Wait for a job whose `main` was left running; return whether it is listed in time.

        It cannot be any more when no `main` runs on the cluster, where that is shown.
        """

        async def observe() -> str:
            mains = await self._cluster.running_mains()
            if job_id in (await self._cluster.jobs()).by_id:
                return "listed"
            return "never" if mains == frozenset() else ""

        seen = await self._polling.until(observe, self._clock() + timeout, _PAUSE)
        if seen == "listed":
            self._unanswered.discard(job_id)
        return seen == "listed"

    async def _was_accepted(
        self,
        submission: Submission,
        main: MainRuns,
        error: ClusterUnreachable,
        deadline: float,
        timeout: float,
    ) -> bool:
        """Return whether the job of a request is there that was not answered.

        Raises:
            ClusterUnreachable: The time is up, and the cluster is away.
            MainStillRuns: The time is up, and the cluster is there.
        """
        try:
            listed = await self._lists(submission.job_id, error, deadline)
        except ClusterUnreachable as still:
            raise main.outage(still) from None
        if not listed and isinstance(error, AnswerTimedOut) and self._clock() >= deadline:
            self._unanswered.add(submission.job_id)
            raise _still_runs(submission, timeout)
        return listed

    async def _lists(self, job_id: str, error: ClusterUnreachable, deadline: float) -> bool:
        """Return whether the job is there after an answer was lost.

        Where the connection broke, the cluster is waited for: `main` is not run on one that may
        only just be coming back. Where the time of the request was up, the last read decides.

        Raises:
            ClusterUnreachable: The error, where the time is up.
        """
        listed = None
        if isinstance(error, AnswerTimedOut) and self._clock() >= deadline:
            listed = await self._is_listed(job_id)
        while listed is None and self._clock() < deadline:
            await self._sleep(1.0)
            listed = await self._is_listed(job_id)
            waits = isinstance(error, ConnectionBroke) or self._clock() >= deadline
            if listed is None and not waits:
                return False
        if listed is None:
            raise error
        return listed

    async def _is_repeat(self, job_id: str, refusal: FlinkAnswer) -> bool:
        """Return whether another run submitted the same; a second job of `main` has another name.

        Flink reports the name of the job that it refused, not its jobId (1.20.5 and 2.3.0).

        Raises:
            ActionFailed: The cluster does not list the job, or does not answer.
        """
        try:
            listed = (await self._cluster.jobs()).by_id.get(job_id)
        except ClusterUnreachable:
            raise ActionFailed(
                "Flink refused a job of main as a repeat of one that it knows, and did not answer "
                f"whether that is {job_id}, the jobId that main was given"
            ) from None
        if listed is None:
            raise ActionFailed(
                f"main does not start its job under {job_id}, the jobId that it was given, but "
                "under one of a job that the cluster knows already: Flink refused it as a repeat"
            )
        names = re.findall(r"Failed to execute job '(.*)'", refusal.text)
        return not names or listed.name in names

    async def _is_listed(self, job_id: str) -> bool | None:
        """Return whether the cluster lists a job; None where it does not answer."""
        try:
            return job_id in (await self._cluster.jobs()).by_id
        except ClusterUnreachable:
            return None


def _duplicate(answer: FlinkAnswer) -> bool:
    return any(
        name in answer.text
        for name in ("DuplicateJobSubmissionException", "DuplicateApplicationSubmissionException")
    )


def _still_runs(submission: Submission, timeout: float) -> MainStillRuns:
    error = MainStillRuns(
        f"main of the new version has not come to its job in {timeout:g} s, and the cluster goes "
        "on with it",
        remedy=Remedy.ADOPT_WHEN_MAIN_ENDS,
        field="timeouts.submit",
    )
    error.job_id = submission.job_id
    return error


def _no_such_jar(answer: FlinkAnswer) -> bool:
    return re.search(r"Jar file [^\n]*\.jar does not exist", answer.text) is not None
