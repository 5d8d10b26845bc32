"""The checks of a health gate, as conditions: pure functions of what was observed of a version.

Each is judged by the rows of the job list, which are fresh, or by the job's vital signs, which its
cluster caches for some seconds, and gathers every ten seconds where they are metrics. All are met
by a job that came to its own end.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import ClassVar

from flink_jobs_provider.reconciling.conditions import (
    Failed,
    JobHistory,
    Judgement,
    Met,
    NotYet,
    tasks_of,
    unlisted,
    waited,
)

#: How long the records of a busy job may seem to stand still, in seconds: metrics are gathered
#: every ten seconds (`metrics.fetcher.update-interval`), and read every two.
STILL_S = 15.0
#: Checkpoints that are quicker than this differ by chance, in milliseconds.
QUICK_MS = 100.0


@dataclass(frozen=True)
class WatchedFor:
    """All tasks of a version ran first so many seconds ago."""

    seconds: float
    check: ClassVar[str] = "window"

    def judge(self, history: JobHistory) -> Judgement:
        """Judge by the time."""
        if ended_well(history):
            return Met()
        passed = waited(history)
        if passed >= self.seconds:
            return Met()
        reason = f"watched for {passed:.0f} of {self.seconds:.0f} s"
        return NotYet(reason, self.seconds - passed)


@dataclass(frozen=True)
class RestartsAtMost:
    """A version runs, and was not restarted more often after failures.

    A restart without an exception is a rescale.
    """

    most: int
    check: ClassVar[str] = "max_restarts"

    def judge(self, history: JobHistory) -> Judgement:
        """Judge by the rows, and by what Flink reports of each disturbance."""
        last = history[-1].seen
        if last.job is None:
            return Failed(unlisted(last), self)
        if not last.job.active:
            state = f"after {waited(history):.0f} s the job is {last.job.state}"
            return Met() if last.job.healthy else Failed(state, self)
        restarts = restarts_in(history)
        if restarts > self.most:
            return Failed(
                f"its tasks failed {restarts} {'time' if restarts == 1 else 'times'} in "
                f"{waited(history):.0f} s, and at most {self.most} restarts are allowed",
                self,
            )
        return Met() if last.job.healthy else NotYet(tasks_of(last.job))


@dataclass(frozen=True)
class ExceptionsAtMost:
    """Flink lists no more exceptions of a version.

    Attributes:
        since: Those until then do not count: milliseconds by the cluster's clock.
    """

    most: int
    since: int = 0
    check: ClassVar[str] = "max_exceptions"

    def judge(self, history: JobHistory) -> Judgement:
        """Judge by the newest vital signs."""
        vitals = history[-1].seen.vitals
        listed = [at for at in vitals.exceptions if at > self.since] if vitals else []
        if len(listed) <= self.most:
            return Met()
        number = f"{len(listed)} {'exception' if len(listed) == 1 else 'exceptions'}"
        reason = f"Flink lists {number}, and at most {self.most} are allowed"
        return Failed(reason, self)


@dataclass(frozen=True)
class CheckpointsCompleted:
    """A version has completed so many checkpoints within some seconds."""

    number: int
    within: float
    check: ClassVar[str] = "min_checkpoints"

    def judge(self, history: JobHistory) -> Judgement:
        """Judge by the requested ones, and by the statistics."""
        if ended_well(history):
            return Met()
        last = history[-1].seen
        done = max(int(last.checkpoint.completed), last.vitals.completed if last.vitals else 0)
        if done >= self.number:
            return Met()
        left = self.within - waited(history)
        reason = f"{done} of {self.number} checkpoints completed"
        if not last.checkpoint.completed:
            reason += f" ({last.checkpoint.reason})"
        if left <= 0:
            return Failed(f"{reason} in {self.within:.0f} s", self)
        return NotYet(reason, left)


@dataclass(frozen=True)
class CheckpointsAsQuick:
    """Checkpoints take at most so many times as long as those of the version before.

    The first one is left aside: after a start from a savepoint it is a full one.

    Attributes:
        before: The median of the version before, in milliseconds.
        window: Seconds after which it is judged.
    """

    before: float
    most: float
    window: float
    check: ClassVar[str] = "max_checkpoint_slowdown"

    def judge(self, history: JobHistory) -> Judgement:
        """Judge by the median of those that are listed."""
        if ended_well(history):
            return Met()
        vitals = history[-1].seen.vitals
        times = vitals.checkpoint_times[1:] if vitals else ()
        if not times:
            return NotYet("no checkpoint after the first has completed")
        now = median(times)
        slow = now > self.most * max(self.before, QUICK_MS)
        if waited(history) < self.window:
            return NotYet("", self.window - waited(history)) if slow else Met()
        if not slow:
            return Met()
        return Failed(
            f"checkpoints take {now:.0f} ms, {self.before:.0f} ms before, and at most "
            f"{self.most:g} times as long is allowed",
            self,
        )


@dataclass(frozen=True)
class OutputFlows:
    """Sinks receive records until the end of the window, as those of the version before did.

    Attributes:
        before: Records per second that those received.
        window: Seconds after which it is judged, where records are frequent enough.
    """

    before: float
    window: float
    check: ClassVar[str] = "require_output"

    def judge(self, history: JobHistory) -> Judgement:
        """Judge by when the number of received records changed last."""
        if ended_well(history):
            return Met()
        changed, received = history[0].since, 0.0
        for each in history:
            output = each.seen.vitals.output if each.seen.vitals else None
            if output is not None and output != received:
                changed, received = each.since, output
        passed, still = waited(history), history[-1].at - changed
        if passed >= self.window and received and still <= STILL_S:
            return Met()
        if passed >= max(self.window, STILL_S) and still > STILL_S:
            since = f"no more for {still:.0f} s" if received else f"none in {passed:.0f} s"
            return Failed(
                f"its sinks have received {received:.0f} records, {since}; "
                f"{self.before:.1f}/s before",
                self,
            )
        if received and still <= STILL_S:
            return NotYet("", self.window - passed)
        return NotYet(f"its sinks have received no records for {still:.0f} s")


@dataclass(frozen=True)
class LagWithin:
    """A version is no more than so much further behind in event time than the one before.

    Attributes:
        before: Milliseconds by which that was behind.
        growth: Seconds.
        window: Seconds after which it is judged.
    """

    before: float
    growth: float
    window: float
    check: ClassVar[str] = "max_lag_growth"

    def judge(self, history: JobHistory) -> Judgement:
        """Judge by the newest vital signs: a version catches up after its start."""
        if ended_well(history):
            return Met()
        vitals, passed = history[-1].seen.vitals, waited(history)
        lag = vitals.lag_ms if vitals else None
        if lag is None and passed < self.window + STILL_S:
            return NotYet("its event time is not known yet")
        if lag is None:
            return Failed(f"its event time is not known; {_s(self.before)} behind before", self)
        if lag <= self.before + self.growth * 1000:
            return Met()
        reason = f"it is {_s(lag)} behind in event time, {_s(self.before)} before"
        if passed < self.window:
            return NotYet(reason, self.window - passed)
        return Failed(f"{reason}, and at most {self.growth:.0f} s more are allowed", self)


def ended_well(history: JobHistory) -> bool:
    """Whether a job came to its own end."""
    job = history[-1].seen.job
    return job is not None and not job.active and job.healthy


def restarts_in(history: JobHistory) -> int:
    """Return how often a job was seen to be restarted after a failure."""
    return sum(bool(each.seen.cause) for each in history)


def _s(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.1f} s"
