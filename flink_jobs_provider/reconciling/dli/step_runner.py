"""Taking single steps: each sent once, and waited for until the job shows its effect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from flink_jobs_provider.artifacts import StorageError, list_directory
from flink_jobs_provider.control_planes.service_planes import (
    Busy,
    Configuration,
    NotOffered,
    OrderRefused,
    StepJob,
    StepPlane,
    Unanswered,
)
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ClusterUnreachable,
    Missing,
    PermanentError,
    Signal,
)
from flink_jobs_provider.model.savepoint import SavepointLayout, in_store
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.dli.failures import (
    gone,
    no_import,
    no_savepoints,
    refused,
    savepoint_failed,
    savepoint_not_seen,
    stop_failed,
)
from flink_jobs_provider.reconciling.dli.step_watch import (
    SavepointEnded,
    StartEnded,
    StepEnded,
    StepWatch,
    StopEnded,
    has_new_savepoint,
    steps_of,
)
from flink_jobs_provider.reconciling.ownership import own_row
from flink_jobs_provider.reconciling.service_loop import BusyRest
from flink_jobs_provider.reconciling.waiter import Clock, constant_backoff

T = TypeVar("T")

#: The longest time for which a service that accepts nothing for now is waited for, in seconds.
_TOO_BUSY = 300.0
#: The pause before a step whose answer was lost is sent, or searched for, again, in seconds.
_PAUSE = 2.0


class NotNow(Signal):
    """A step was not accepted for now: observe again, and judge again."""


class StepRunner:
    """Takes steps, and waits for their ends."""

    def __init__(self, plane: StepPlane, clock: Clock, say: Say) -> None:
        self._plane = plane
        self._clock = clock
        self._say = say
        self.watch = StepWatch(plane, clock, say)
        self._rest = BusyRest()
        #: How the job stands whose last step was sent, and not seen to its end; empty for none.
        self.going_on = ""

    async def until_idle(self, job: StepJob, spec: JobSpec) -> None:
        """Wait for what somebody began, or for a status that is known."""
        if job.in_progress:
            self._say(f"{spec.job_name}: waiting for what is in progress on it: {job.status_word}")
        await self.watch.until_idle(job, _allowed(spec, *steps_of(job.action)))

    async def create(self, wanted: JobSpec, asked: Configuration) -> None:
        """Create a draft, once; return when it is there, and the only one of its name.

        Raises:
            PermanentError: It does not show, or another of its name came up meanwhile.
        """
        self._say(f"{wanted.job_name}: creating it")
        try:
            run_id = await self._sent(
                wanted, "its creation", None, lambda: self._plane.create(wanted.job_name, asked)
            )
        except Unanswered:
            if await self._arrives(wanted):
                return
            raise
        if await self.watch.until_there(run_id) is None:
            raise PermanentError(
                f"{wanted.job_name}: it was created as job {run_id}, and the service does not "
                "show it",
                now="It was not run",
                remedy="Run again a little later",
            )
        own_row(await self._plane.named(wanted.job_name), None, wanted)

    async def change(self, wanted: JobSpec, job: StepJob, asked: Configuration) -> None:
        """Change a configuration. One whose answer was lost shows, or is sent again."""

        async def send() -> None:
            await self._plane.change(job.run_id, asked)

        try:
            await self._sent(wanted, "the change of its configuration", job, send)
        except Unanswered:
            await self._clock.sleep(_PAUSE)
            try:
                # The same configuration once more is no other one.
                await self._sent(wanted, "the change of its configuration", job, send)
            except ActionFailed:
                # Of a job that runs, the service may refuse what it has just taken as no change.
                if await self.watch.until_taken(job.run_id, asked, {}):
                    raise

    async def stop(
        self, wanted: JobSpec, job: StepJob, *, savepoint: bool, safety: str = ""
    ) -> StepJob:
        """Stop a job; return how it ended.

        `safety` is a savepoint of just before, which may show late, and is none of the stop.

        Raises:
            ActionFailed: It goes on, or has ended without the savepoint.
        """
        how = "stopping with a savepoint" if savepoint else "stopping it"
        self._say(f"{wanted.job_name}: {how}")
        sent = self._clock.now()
        unanswered = await self._sent_or_not(
            wanted, "the stop", job, lambda: self._plane.stop(job.run_id, savepoint=savepoint)
        )
        steps = ("savepoint", "cancel") if savepoint else ("cancel",)
        ended = StopEnded(job, self._plane.capabilities.shows_starts, unanswered, savepoint, safety)
        after = await self._until_ended(ended, sent, wanted, steps, "the stop")
        if after is None or after.active:
            raise stop_failed(wanted, job, after, savepoint=savepoint)
        if savepoint and not ended.has_saved(after):
            raise stop_failed(wanted, job, after, savepoint=savepoint)
        return after

    async def start(
        self, wanted: JobSpec, job: StepJob, *, resume: bool, imported: str | None
    ) -> StepJob | None:
        """Run a job, and return how it is when it has settled: up, or why not; None if gone."""
        if imported:
            await self._import(wanted, job, imported)
        own = resume and not self._plane.capabilities.starts_from_newest_state
        origin = imported or (job.last_savepoint if own else "")
        self._say(f"{wanted.job_name}: starting it" + (f" from {origin}" if origin else ""))
        before = replace(job, last_savepoint=imported or job.last_savepoint)
        sent = self._clock.now()
        unanswered = await self._sent_or_not(
            wanted, "the start", job, lambda: self._plane.run(job.run_id, resume=resume)
        )
        ended = StartEnded(before, self._plane.capabilities.shows_starts, unanswered)
        steps = ("submit", "running")
        after = await self._until_ended(ended, sent, wanted, steps, "the start")
        return await self.settled(after, wanted) if after and after.active else after

    async def settled(self, job: StepJob, wanted: JobSpec) -> StepJob | None:
        """Watch a job that came up for its settle time; return it as it is then."""
        return await self.watch.until_settled(job, wanted.settle_seconds)

    async def save(self, wanted: JobSpec, job: StepJob) -> str:
        """Take a savepoint while the job goes on; return its path, which was seen to be there.

        Raises:
            NotOffered: The service has no call for it.
            ActionFailed: It has failed, or nothing shows it.
        """
        directory = wanted.savepoint_directory
        if directory and not self._plane.capabilities.places_savepoints:
            layout = SavepointLayout(directory, wanted.job_name)
            directory = layout.of_submission(job.job_id or job.run_id)
        self._say(f"{wanted.job_name}: taking a savepoint")
        there = set(await self.listed(directory))
        sent = self._clock.now()
        await self._sent(
            wanted, "the savepoint", job, lambda: self._plane.take_savepoint(job.run_id, directory)
        )
        steps = ("savepoint",)
        after = await self._until_ended(SavepointEnded(job), sent, wanted, steps, "the savepoint")
        if after is None:
            raise savepoint_failed(wanted, job, "the job service no longer lists the job")
        if has_new_savepoint(after, job):
            return after.last_savepoint
        new = set(await self.listed(directory)) - there
        if len(new) == 1:
            return new.pop()
        if after.output and after.output != job.output:
            raise savepoint_failed(wanted, after, after.output)
        raise savepoint_not_seen(wanted, after, directory)

    async def flink_id(self, job: StepJob) -> str | None:
        """Return Flink's id of what ran last; None where it is not shown.

        Of an ended job the service shows none: then it does not matter why there is no answer.
        """
        try:
            return await self._plane.flink_job_id(job.run_id)
        except ClusterUnreachable:
            if job.active or self._plane.capabilities.shows_starts:
                raise
            return None

    async def id_of(self, run_id: str) -> str:
        """Return Flink's id of what was just started, or the service's own where that is unknown.

        Known by that, one that has run does not look new. That it runs was seen before: it does not
        fail because this cannot be read.
        """
        try:
            return await self._plane.flink_job_id(run_id) or run_id
        except ClusterUnreachable:
            return run_id

    async def save_as_asked(self, wanted: JobSpec, job: StepJob) -> str:
        """Take the savepoint that `savepoint_trigger` asks for."""
        try:
            return await self.save(wanted, job)
        except NotOffered:
            raise no_savepoints(wanted, job) from None

    async def delete(self, wanted: JobSpec, job: StepJob) -> bool:
        """Delete a job; return whether it is gone."""

        async def send() -> None:
            await self._plane.delete(job.run_id)

        try:
            await self._sent(wanted, "its deletion", job, send)
        except Unanswered:
            self._say(f"{wanted.job_name}: its deletion was not answered")
        return await self.watch.until_gone(job, _allowed(wanted, "cancel"))

    async def _import(self, wanted: JobSpec, job: StepJob, path: str) -> None:
        """Make a savepoint the job's own. The same once more is no other one."""

        async def send() -> None:
            await self._plane.import_savepoint(job.run_id, path)

        try:
            try:
                await self._sent(wanted, f"the import of {path}", job, send)
            except Unanswered:
                await self._clock.sleep(_PAUSE)
                await self._sent(wanted, f"the import of {path}", job, send)
        except NotOffered:
            raise no_import(wanted, path) from None

    async def _until_ended(
        self, ended: StepEnded, sent: float, spec: JobSpec, steps: tuple[str, ...], what: str
    ) -> StepJob | None:
        """Return a job when a step that was sent at that time has ended."""
        self.going_on = f"{what.capitalize()} was sent, and may go on, in the job service"
        after = await self.watch.until_ended(ended, sent, _allowed(spec, *steps), what, steps)
        self.going_on = ""
        return after

    async def _sent_or_not(
        self, wanted: JobSpec, what: str, job: StepJob, send: Callable[[], Awaitable[None]]
    ) -> str:
        """Send a step, once; return why it is unknown whether it was taken, which the job shows."""
        try:
            await self._sent(wanted, what, job, send)
        except Unanswered as unanswered:
            self._say(
                f"{wanted.job_name}: {what} was not answered; checking whether it was accepted"
            )
            return unanswered.reason
        return ""

    async def _sent(
        self, wanted: JobSpec, what: str, job: StepJob | None, send: Callable[[], Awaitable[T]]
    ) -> T:
        """Send a step, once.

        Raises:
            NotNow: It was not taken for now; or refused, and the job is another than it was.
            NotOffered: The service has no such call.
            ActionFailed: It was refused.
        """
        self.going_on = ""
        try:
            return await send()
        except Busy as busy:
            if busy.seconds is not None and busy.seconds > _TOO_BUSY:
                raise
            await self._clock.sleep(self._rest.after(busy))
            raise NotNow from None
        except Unanswered:
            self.going_on = f"Whether {what} was accepted is unknown"
            raise
        except NotOffered:
            raise
        except Missing as missing:
            raise gone(wanted, what, missing) from None
        except OrderRefused as refusal:
            if await self._was_faster(job, wanted):
                raise NotNow from None
            raise refused(wanted, what, job, refusal) from None

    async def _was_faster(self, job: StepJob | None, wanted: JobSpec) -> bool:
        """Whether somebody was faster: the job is no longer as it was, or it is there by now.

        The latter may be a killed run's creation that was still on its way.
        """
        if job is None:
            return own_row(await self._plane.named(wanted.job_name), None, wanted) is not None
        now = await self._plane.job(job.run_id)
        return now is None or (now.status_word, now.in_progress) != (job.status_word, False)

    async def _arrives(self, wanted: JobSpec) -> bool:
        """Wait for a draft whose creation was not answered; return whether it shows."""

        async def find() -> StepJob | None:
            return own_row(await self._plane.named(wanted.job_name), None, wanted)

        return await self.watch.until_found(find, constant_backoff(_PAUSE))

    async def listed(self, directory: str | None) -> dict[str, float]:
        """Return the savepoints below a directory, and when each was written, in seconds.

        Empty where this machine cannot list it.
        """
        if directory is None or self._plane.capabilities.places_savepoints:
            return {}
        try:
            files = await asyncio.to_thread(list_directory, in_store(directory))
        except StorageError:
            return {}
        return {
            file.path.removesuffix("/_metadata"): file.modified
            for file in files
            if file.path.endswith("/_metadata")
        }


def _allowed(spec: JobSpec, *steps: str) -> float:
    return sum(spec.timeout(step) for step in steps)
