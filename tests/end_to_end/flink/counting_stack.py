"""A stack of counting jobs on one cluster, and what the cluster itself says of them.

What is asserted is read from Flink and from the jobs' committed output, not from the project's own
view of them; the stack's outputs are then compared with it.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

from flink_jobs_provider.model.identity import JobKey, generation_of
from flink_jobs_provider.model.savepoint import same_path
from tests.counting_output import Counts, assert_counts_continuous
from tests.end_to_end.flink.targets import Target
from tests.job_jars import TEST_JOBS_JAR, entry_class
from tests.stack_project import StackProject
from tests.waiting import wait_until

COUNTING_CLASS = "flinkjobs.counting.CountingJob"
#: What keeps a job's checkpoints when it is cancelled or fails, on Flink 1.20 and 2.3.
RETAINED = {"execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION"}
_ENDED = {"FINISHED", "FAILED", "CANCELED"}


class CountingStack:
    """Declares counting jobs in a project, each with an output directory of its own."""

    def __init__(self, project: StackProject, target: Target, directory: Path) -> None:
        self.project = project
        self.target = target
        self.cluster = target.cluster
        self.directory = directory

    # Declaring

    def declare(self, name: str, *args: str, entry: str = "", **inputs: Any) -> None:
        """Declare a job that counts, with these arguments besides its own."""
        self.project.declare(
            name,
            jar=str(inputs.pop("jar", TEST_JOBS_JAR)),
            entry_class=entry_class(entry) if entry else COUNTING_CLASS,
            parallelism=inputs.pop("parallelism", 1),
            args=self.args(name, *args),
            **inputs,
        )

    def args(self, name: str, *args: str) -> list[str]:
        """Return the arguments of a job: small, quick to commit, unless they say otherwise."""
        usual = {"--output": str(self.output(name)), "--keys": "4", "--rate": "40"}
        usual |= {"--checkpoint-interval": "400"}
        given = dict(zip(args[::2], args[1::2], strict=True))
        return [word for pair in (usual | given).items() for word in pair]

    def change(self, name: str, *args: str, **inputs: Any) -> None:
        """Change inputs of a declared job; with arguments, these besides its own."""
        job = self.project.jobs[name]
        job.update(inputs)
        if args:
            job["args"] = self.args(name, *args)

    def output(self, name: str) -> Path:
        """Return where a job writes its counts."""
        return self.directory / name

    # What the stack says

    def recorded(self, name: str) -> dict[str, Any]:
        """Return a job's outputs, from the state."""
        outputs: dict[str, Any] = self.project.resources()[name]["outputs"]
        return outputs

    def job_id(self, name: str) -> str:
        """Return the job id that the stack names."""
        return str(self.recorded(name)["job_id"])

    # What the cluster says

    def submissions(self, name: str) -> dict[str, str]:
        """Return Flink's state of each submission of a job by job id, oldest first."""
        owner = self.target.owner(self.project)
        key = JobKey(self.project.jobs[name]["job_name"], owner)
        rows = self.cluster.jobs()
        ours = sorted((job_id for job_id in rows if key.owns(job_id)), key=generation_of)
        return {job_id: rows[job_id]["state"] for job_id in ours}

    def active(self, name: str) -> list[str]:
        """Return the submissions of a job that have not ended."""
        return [each for each, state in self.submissions(name).items() if state not in _ENDED]

    def restored_from(self, job_id: str) -> str | None:
        """Return what Flink says a job was started from."""
        latest = self.cluster.get(f"/jobs/{job_id}/checkpoints")["latest"]
        return latest["restored"]["external_path"] if latest["restored"] else None

    # Assertions

    def assert_runs(self, name: str, *, restored_from: str | None) -> str:
        """Assert that one version of a job runs, the one that the stack names, from that state."""
        recorded = self.recorded(name)
        assert self.active(name) == [recorded["job_id"]]
        self.cluster.await_tasks_running(recorded["job_id"])
        assert recorded["status"] == "RUNNING"
        assert same_path(recorded.get("restored_from"), restored_from)
        assert same_path(self.restored_from(recorded["job_id"]), restored_from)
        return str(recorded["job_id"])

    def assert_updated(self, name: str, before: str, action: str = "UPDATE") -> str:
        """Assert that a job was updated exactly once since `before`, with its state.

        Flink says that it started from the savepoint that the outputs name, which was taken of
        `before` and lies where it should.
        """
        recorded = self.recorded(name)
        known = list(self.submissions(name))
        assert known[known.index(before) :] == [before, recorded["job_id"]], "more than one restart"
        assert self.submissions(name)[before] == "FINISHED"
        assert (recorded["action"], recorded["action_result"]) == (action, "SUCCESS")
        savepoint = recorded["last_savepoint"]
        assert recorded["savepoints"][0]["path"] == savepoint
        assert recorded["savepoints"][0]["reason"] == "UPDATE"
        assert f"/{self.project.jobs[name]['job_name']}/{before}/" in savepoint
        assert Path(savepoint.removeprefix("file:"), "_metadata").is_file()
        return self.assert_runs(name, restored_from=savepoint)

    def await_progress(self, *names: str) -> None:
        """Wait until each job has committed more, without a gap or a repeat."""
        before = {name: assert_counts_continuous(self.output(name)).total for name in names}
        for name in names:
            wait_until(
                partial(self._has_more, name, before[name]),
                30,
                f"{name} commits more counts that continue those before",
            )

    def _has_more(self, name: str, before: int) -> bool:
        return assert_counts_continuous(self.output(name)).total > before

    def stop_and_count(self, *names: str) -> dict[str, Counts]:
        """Stop jobs through the stack, and assert that their counts are complete."""
        for name in names:
            self.change(name, desired_state="stopped")
        self.project.up()
        return {name: assert_counts_continuous(self.output(name), complete=True) for name in names}


def savepoint_paths(recorded: dict[str, Any], reason: str) -> list[str]:
    """Return the recorded savepoints that were taken for a reason, newest first."""
    return [each["path"] for each in recorded["savepoints"] if each["reason"] == reason]


def of_other_spec(job_id: str) -> str:
    """Return the next generation's job id, for a spec that nobody declared."""
    return re.sub(r".{8}$", "0badc0de", _with_generation(job_id, generation_of(job_id) + 1))


def next_generation(job_id: str) -> str:
    """Return the next generation's job id, for the same spec."""
    return _with_generation(job_id, generation_of(job_id) + 1)


def _with_generation(job_id: str, generation: int) -> str:
    return f"{job_id[:18]}{generation:06x}{job_id[24:]}"
