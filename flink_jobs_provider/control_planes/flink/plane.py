"""The control plane of a Flink session cluster: the protocol's actions as REST calls."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx

from flink_jobs_provider.control_planes.flink.bodies import (
    parse_version,
    plan_body,
    run_body,
)
from flink_jobs_provider.control_planes.flink.client import (
    AnswerTimedOut,
    ConnectionBroke,
    FlinkAnswer,
    FlinkClient,
)
from flink_jobs_provider.control_planes.flink.exits import OPTION, MainRuns
from flink_jobs_provider.control_planes.flink.jars import ClusterJars
from flink_jobs_provider.control_planes.flink.lent_jars import LentJars
from flink_jobs_provider.control_planes.flink.overview import SharedSnapshot
from flink_jobs_provider.control_planes.flink.parsing import (
    last_cause,
    newest_checkpoint,
    parse_checkpointing,
    parse_checkpoints,
    parse_graph,
    parse_state_sizes,
)
from flink_jobs_provider.control_planes.flink.requirements import read_bounds, write_bounds
from flink_jobs_provider.control_planes.flink.savepoints import Outliving, SavepointOperations
from flink_jobs_provider.control_planes.protocol import (
    Guard,
    PlannedGraph,
    SavepointRequest,
    Submission,
)
from flink_jobs_provider.model.duration import flink_milliseconds
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ClusterRefused,
    ClusterUnreachable,
    DeadlineExceeded,
    EntryClassUnusable,
    MainStillRuns,
)
from flink_jobs_provider.model.identity import trigger_id
from flink_jobs_provider.model.observation import (
    Checkpointing,
    CheckpointStatistics,
    ClusterFacts,
    ClusterSnapshot,
)

_PLAN_S = 300.0
#: How often a plan is asked for that gets no answer, and after how many seconds.
_PLAN_TRIES, _PLAN_PAUSE = 3, 0.4
#: Between two looks at a checkpoint, in seconds.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25
#: What Flink says of an entry class that it cannot run (PackagedProgram; measured on 1.20 and 2.3).
_NO_ENTRY_CLASS = ("The program's entry point class '", "does not have a main(String[]) method")
#: How long the end of a job is waited for that `main` started under another jobId, in seconds.
_CANCEL_S = 30.0
#: How the thread is called in which the JobManager runs a submission's `main`.
_MAIN = "flink-jar-runner"
_CLUSTER_DECIDES = "kubernetes-session", "yarn-session", "kubernetes-application"


class FlinkRest:
    """A Flink session cluster. Implements `control_planes.protocol.ControlPlane`."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        guard: Guard = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.client = FlinkClient(http, guard, sleep)
        self._http = http
        self._clock = clock
        self._sleep = sleep
        self._overview = SharedSnapshot(lambda: self._get("jobs/overview", "jobs"), clock)
        self._jars = ClusterJars(self.client, clock)
        self._lent = LentJars(self._jars)
        self._savepoints = SavepointOperations(self.client, self._ended, clock, sleep)
        self._facts: asyncio.Task[ClusterFacts] | None = None
        self._broken_runs: dict[str, MainRuns] = {}  # by jobId: a break counts in a later try, too
        self._unanswered: set[str] = set()  # jobIds whose `main` was left running
        self.outlasting: set[str] = set()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _get(self, path: str, has: str) -> Any:
        try:
            return await self.client.get(path, has)
        except FlinkAnswer as answer:
            raise ActionFailed(f"{self.client.url}/{path} answered {answer}") from None

    async def jobs(self, max_age: float = 0.0) -> ClusterSnapshot:
        """Return all jobs, by one `GET /jobs/overview` for all who ask at once."""
        await self.facts()
        return await self._overview.get(max_age)

    async def facts(self) -> ClusterFacts:
        """Return version and directories, from `GET /config` and `GET /jobmanager/config`."""
        if self._facts is None or (self._facts.done() and _failed(self._facts)):
            self._facts = asyncio.create_task(self._ask_facts())
        return await asyncio.shield(self._facts)

    async def _ask_facts(self) -> ClusterFacts:
        config = await self._get("config", "flink-version")
        version = parse_version(str(config["flink-version"]))
        try:
            rows = await self.client.get("jobmanager/config")
            options = {row["key"]: row["value"] for row in rows}
        except (FlinkAnswer, TypeError, KeyError):
            options = {}  # some proxies hide it: the directories must then be given
        return ClusterFacts(
            version=version,
            savepoint_directory=options.get("execution.checkpointing.savepoint-dir")
            or options.get("state.savepoints.dir", ""),
            checkpoint_directory=options.get("execution.checkpointing.dir")
            or options.get("state.checkpoints.dir", ""),
            fixed_slots=_fixed_slots(options),
            adaptive=_is_adaptive(options) if options else None,
            intercepts_exit=options.get(OPTION, "").upper() == "THROW" if options else None,
            instance=_instance(options),
            job_cache=_seconds(config.get("refresh-interval")),
            statistics_cache=_seconds(
                options.get("rest.cache.checkpoint-statistics.timeout")
                or config.get("refresh-interval")
            ),
        )

    async def task_slots(self) -> tuple[int, int]:
        """Return `slots-available` and `slots-total` of `GET /overview`."""
        overview = await self._get("overview", "slots-available")
        free = int(overview["slots-available"])
        return free, int(overview.get("slots-total", free))

    async def running_mains(self) -> frozenset[str] | None:
        """Look for the threads of `main` methods in `GET /jobmanager/thread-dump`.

        Measured on 1.20.5 and 2.3.0: "flink-jar-runner-thread-1" is there from the acceptance of
        `POST /jars/:id/run` until `main` has ended, also when its client has gone. The number
        grows with each submission, and a plan has no such thread.
        """
        try:
            dump = await self.client.get("jobmanager/thread-dump", "threadInfos")
            names = [str(each["threadName"]) for each in dump["threadInfos"]]
        except (FlinkAnswer, ClusterRefused, TypeError, KeyError):
            return None
        return frozenset(name for name in names if name.startswith(_MAIN))

    async def has_jars(self, identity: str) -> bool:
        """Look for a job's jars in `GET /jars`."""
        return await self._jars.has_any(identity)

    async def plan(self, submission: Submission) -> PlannedGraph:
        """Run `main` by `POST /jars/:id/plan`: what fails there would fail after the old job's end.

        Raises:
            ActionFailed: The program has no such entry class, or its `main` throws.
            ClusterTakenDown: The connection broke, and the cluster may be down.
        """
        return await self._planned(
            submission, lambda: self._jars.ensure(submission, _PLAN_S), self._jars.lose
        )

    async def try_out(self, submission: Submission) -> PlannedGraph:
        """Do the same, and leave no jar on the cluster that was not there before.

        Raises:
            EntryClassUnusable: The jar has no such class, or it has no `main`.
            ActionFailed: The program's `main` throws, or its jar was refused.
            ClusterTakenDown: The connection broke, and the cluster may be down.
        """
        assert not isinstance(submission.jar, str)  # noqa: S101 - it was opened here
        async with self._lent.lend(submission.jar, _PLAN_S) as jar:
            return await self._planned(submission, jar.id, jar.lose)

    async def _planned(
        self,
        submission: Submission,
        provide: Callable[[], Awaitable[str]],
        lose: Callable[[str], None],
    ) -> PlannedGraph:
        """Run `main` for its plan.

        Args:
            submission: What would be submitted.
            provide: Returns the id of its jar on the cluster.
            lose: Told of an id that leads to no jar any more.
        """
        deadline = self._clock() + _PLAN_S
        main, tries = self._main(submission, "was being tried"), 1
        while True:
            jar = await provide()
            try:
                body = await self.client.change(
                    "POST",
                    f"jars/{jar}/plan",
                    json=plan_body(submission),
                    timeout=_PLAN_S,
                    has="plan",
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

    def _main(self, submission: Submission, doing: str, *, tried: bool = False) -> MainRuns:
        """Return what judges a connection that breaks while the program's `main` runs."""
        name, job_id = submission.job_name, submission.job_id
        return MainRuns(name, job_id, doing, self.jobs, self._overview.latest, tried=tried)

    async def running_graph(self, job_id: str) -> PlannedGraph | None:
        """Read `GET /jobs/:id/plan`; none where the job is unknown."""
        try:
            return parse_graph(await self.client.get(f"jobs/{job_id}/plan"))
        except FlinkAnswer:
            return None

    async def state_sizes(self, job_id: str) -> dict[str, int] | None:
        """Read the details of the newest completed checkpoint; none where there is none."""
        statistics = f"jobs/{job_id}/checkpoints"
        try:
            newest = newest_checkpoint(await self.client.get(statistics))
            if newest is None:
                return None
            return parse_state_sizes(await self.client.get(f"{statistics}/details/{newest}"))
        except FlinkAnswer:
            return None  # a batch job has no statistics, and an old checkpoint no details

    async def provide_jar(self, submission: Submission, timeout: float) -> bool:
        """Make sure that the jar is among `GET /jars`, uploading it if it is missing."""
        return await self._jars.provide(submission, timeout)

    async def submit(self, submission: Submission, timeout: float) -> None:
        """Upload the jar if it is not there, and run it under the submission's jobId.

        The id makes a repeat safe: a second job under it is refused, so after a lost answer the
        request is sent again. A refusal of the first request is none of a repeat: `main` executes
        two jobs (measured on 2.3.0; 1.20.5 accepts that, and starts the first of them alone).

        Raises:
            ActionFailed: The program or the savepoint is at fault; the text is the last cause.
            ClusterTakenDown: The connection broke twice: the program may end the cluster.
            ClusterUnreachable: No answer came in time: whether the job was accepted is not known.
            MainStillRuns: The time is up while the cluster works on the request.
        """
        facts = await self.facts()
        unanswered = submission.job_id in self._unanswered
        if unanswered and await self._comes_up(submission.job_id, timeout):
            return
        answer_lost = submission.sent_before or unanswered
        deadline = self._clock() + timeout
        body = run_body(submission, facts.version)
        new = self._main(submission, "was being run", tried=True)
        main = self._broken_runs.get(submission.job_id, new)
        while True:
            jar = await self._jars.ensure(submission, timeout)
            try:
                answer = await self.client.change(
                    "POST", f"jars/{jar}/run", json=body, timeout=timeout, has="jobid"
                )
            except FlinkAnswer as refusal:
                if _duplicate(refusal):
                    if answer_lost:
                        break
                    known = await self._is_listed(submission.job_id)
                    raise _refused_repeat(submission, known) from None
                if _no_such_jar(refusal) and self._clock() < deadline:
                    self._jars.lose(jar)
                    continue
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
        await self.cancel(started)
        deadline = self._clock() + _CANCEL_S
        while not (state := await self._ended(started)) and self._clock() < deadline:
            await self._sleep(_LONGEST_PAUSE)
        end = f"it is {state}" if state else f"it has not ended in {_CANCEL_S:g} s"
        return ActionFailed(
            f"main started job {started} instead of {submission.job_id}, the jobId that it was "
            f"given; a cancel of it was asked for, and {end}"
        )

    async def _comes_up(self, job_id: str, timeout: float) -> bool:
        """Wait for a job whose `main` was left running; return whether it is listed in time.

        It cannot be any more when no `main` runs on the cluster, where that is shown.
        """
        deadline = self._clock() + timeout
        mains = await self.running_mains()
        while job_id not in (await self.jobs()).by_id:
            if mains == frozenset() or self._clock() >= deadline:
                return False
            await self._sleep(_LONGEST_PAUSE)
            mains = await self.running_mains()
        self._unanswered.discard(job_id)
        return True

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
        only just be coming back. Where the time of the request was up, the last look decides.

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

    async def _is_listed(self, job_id: str) -> bool | None:
        """Return whether the cluster lists a job; None where it does not answer."""
        try:
            return job_id in (await self.jobs()).by_id
        except ClusterUnreachable:
            return None

    async def take_savepoint(self, request: SavepointRequest, timeout: float) -> str:
        """Take a savepoint, or find the one that this request took before."""
        return await self._savepoints.take(request, timeout)

    async def cancel(self, job_id: str) -> None:
        """Send `PATCH /jobs/:id?mode=cancel`; a job that has ended, or is unknown, needs none."""
        try:
            await self.client.change("PATCH", f"jobs/{job_id}?mode=cancel", repeatable=True)
        except FlinkAnswer as answer:
            if answer.status not in (404, 409):
                raise ActionFailed(f"the cancel was refused: {answer.cause}") from None

    async def checkpoint(self, job_id: str, timeout: float) -> bool:
        """Trigger a checkpoint and wait for its end; False where the job has no periodic ones.

        Raises:
            ActionFailed: The checkpoint failed.
            DeadlineExceeded: It has not ended yet.
        """
        if not (await self.checkpointing(job_id)).periodic:
            return False
        deadline = self._clock() + timeout
        outliving = Outliving(lambda: self._ended(job_id), self._clock)
        trigger = trigger_id(job_id, "checkpoint", int(self._clock() * 1000))
        body = {"checkpointType": "CONFIGURED", "triggerId": trigger}
        try:
            await self.client.change(
                "POST", f"jobs/{job_id}/checkpoints", json=body, repeatable=True
            )
            pause = _FIRST_PAUSE
            while True:
                result = await self.client.get(f"jobs/{job_id}/checkpoints/{trigger}", "status")
                if result["status"]["id"] == "COMPLETED":
                    break
                if self._clock() >= deadline:
                    raise DeadlineExceeded("no checkpoint has completed yet")
                if state := await outliving.state():
                    raise ActionFailed(f"the job is {state}, and no checkpoint has completed")
                await self._sleep(pause)
                pause = min(pause * 1.5, _LONGEST_PAUSE)
        except FlinkAnswer as answer:
            raise ActionFailed(answer.cause) from None
        # Not "failure-cause", as of savepoints (CheckpointInfo; measured on 1.20 and 2.3).
        cause = (result.get("operation") or {}).get("failureCause")
        if cause:
            raise ActionFailed(last_cause(cause.get("stack-trace") or cause.get("class") or ""))
        return True

    async def _ended(self, job_id: str) -> str:
        """Return the state of a job that has ended, or is gone; an empty text for any other."""
        job = (await self.jobs()).by_id.get(job_id)
        if job is None:
            return "gone"
        return "" if job.active else job.state

    async def checkpointing(self, job_id: str) -> Checkpointing:
        """Read `GET /jobs/:id/checkpoints/config`; a batch job, and an unknown one, has none."""
        try:
            return parse_checkpointing(
                await self.client.get(f"jobs/{job_id}/checkpoints/config", "interval")
            )
        except FlinkAnswer as answer:
            if answer.status == 404:
                return Checkpointing()
            raise ActionFailed(f"Flink answered {answer}") from None

    async def find_savepoint(self, request: SavepointRequest) -> str | None:
        """Return the path of the savepoint that this request took in the last five minutes."""
        return await self._savepoints.find(request)

    async def forget_jars(self, identity: str, keep: frozenset[str]) -> None:
        """Remove the jars that a job's submissions left, but for those with the digests to keep."""
        await self._jars.remove(identity, keep)

    async def job_names(self) -> dict[str, str]:
        """Return the names of our jobs by the first 18 digits of their jobIds.

        They are read off the jars that each leaves on the cluster.
        """
        return {jar.prefix: jar.job_name for jar in await self._jars.list()}

    async def checkpoints(self, job_id: str) -> CheckpointStatistics | None:
        """Read `GET /jobs/:id/checkpoints`; none where the job is unknown."""
        try:
            return parse_checkpoints(await self.client.get(f"jobs/{job_id}/checkpoints", "counts"))
        except FlinkAnswer as answer:
            if answer.status == 404:
                return (
                    CheckpointStatistics(enabled=False)
                    if "not been enabled" in answer.text
                    else None
                )
            raise ActionFailed(f"Flink answered {answer}") from None

    async def parallelism(self, job_id: str) -> int | None:
        """Read the widest vertex of `GET /jobs/:id`: code wins over what was asked for."""
        try:
            vertices = (await self.client.get(f"jobs/{job_id}", "vertices"))["vertices"]
        except FlinkAnswer:
            return None
        return max((int(vertex["parallelism"]) for vertex in vertices), default=None)

    async def rescale(self, job_id: str, bounds: Mapping[str, int]) -> None:
        """Send `PUT /jobs/:id/resource-requirements`; a repeat changes nothing."""
        await write_bounds(self.client, job_id, bounds)

    async def parallelism_bounds(self, job_id: str) -> dict[str, int] | None:
        """Read `GET /jobs/:id/resource-requirements`, where the scheduler has it."""
        facts = await self.facts()
        adaptive = facts.adaptive
        if adaptive is None:  # the configuration is hidden, but Flink 2 lists each job's scheduler
            row = (await self.jobs()).by_id.get(job_id)
            adaptive = row is not None and row.scheduler == "Adaptive"
        if not adaptive or facts.version < (1, 18):
            return None
        return await read_bounds(self.client, job_id)

    async def failure(self, job_id: str, since: int = 0) -> str:
        """Read the newest entry of `GET /jobs/:id/exceptions`, and return its last cause.

        It is served from a cache of `web.refresh-interval`, 3 s by default.
        """
        try:
            body = await self.client.get(f"jobs/{job_id}/exceptions?maxExceptions=1")
        except FlinkAnswer:
            return ""
        entries = (body.get("exceptionHistory") or {}).get("entries") or []
        text, at = body.get("root-exception"), body.get("timestamp")
        if entries:
            text, at = entries[0].get("stacktrace"), entries[0].get("timestamp")
        return last_cause(text) if text and int(at or 0) >= since else ""

    def dashboard(self, job_id: str) -> str:
        """Return the job's page on Flink's dashboard."""
        return f"{self.client.url}/#/job/running/{job_id}/overview"


def _instance(options: dict[str, str]) -> str:
    """Return the part of a path to which a JobManager adds a random UUID at each start.

    Measured on Flink 1.20.5 and 2.3.0.
    """
    found = re.search(r"flink-web-[0-9a-f-]{36}$", options.get("web.tmpdir", ""))
    return found.group() if found else ""


def _seconds(interval: object) -> float:
    """Return the seconds of an interval of Flink's, 3 where it is not shown: its default."""
    milliseconds = flink_milliseconds(str(interval))
    return 3.0 if milliseconds is None else float(milliseconds) / 1000


def _fixed_slots(options: dict[str, str]) -> bool:
    return (
        options.get("execution.target", "") not in _CLUSTER_DECIDES
        and not _is_adaptive(options)
        and options.get("scheduler-mode", "").lower() != "reactive"
        and "kubernetes.cluster-id" not in options
        and "yarn.application.id" not in options
    )


def _is_adaptive(options: dict[str, str]) -> bool:
    return options.get("jobmanager.scheduler", "").lower() == "adaptive"


def _failed(task: asyncio.Task[ClusterFacts]) -> bool:
    return task.cancelled() or task.exception() is not None


def _duplicate(answer: FlinkAnswer) -> bool:
    return any(
        name in answer.text
        for name in ("DuplicateJobSubmissionException", "DuplicateApplicationSubmissionException")
    )


def _refused_repeat(submission: Submission, known: bool | None) -> ActionFailed:
    """Return the error for a repeat that is refused though no request went unanswered.

    Flink does not say which jobId it refused (measured on 1.20.5 and 2.3.0): where the cluster
    does not list the submission's, `main` has set one of its own.
    """
    if known is None:
        return ActionFailed(
            "Flink refused a job of main as a repeat of one that it knows, and did not answer "
            f"whether that is {submission.job_id}, the jobId that main was given"
        )
    if known:
        return ActionFailed(
            "main starts a second job, which a session cluster does not allow for one jobId: "
            f"Flink refused it as a repeat of {submission.job_id}"
        )
    return ActionFailed(
        f"main does not start its job under {submission.job_id}, the jobId that it was given, but "
        "under one of a job that the cluster knows already: Flink refused it as a repeat"
    )


def _still_runs(submission: Submission, timeout: float) -> MainStillRuns:
    error = MainStillRuns(
        f"main of the new version has not come to its job in {timeout:g} s (timeouts.submit), and "
        "the cluster goes on with it",
        remedy="Run again: that job is then adopted, or ended if it is not wanted any more. Raise "
        "timeouts.submit above the time that main takes",
    )
    error.job_id = submission.job_id
    return error


def _no_such_jar(answer: FlinkAnswer) -> bool:
    return re.search(r"Jar file [^\n]*\.jar does not exist", answer.text) is not None
