"""The targets that every case runs on, and all in which what a user sees of them differs.

All are the same Flink: by its own REST API, and by the job APIs of HDInsight on AKS and of Data
Lake Insight, which a gateway serves in front of it. What the cases assert of Flink itself holds for
all.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from flink_jobs_provider.gateway.principal import Role
from tests.flink_cluster import FlinkCluster
from tests.gateway_process import API, GatewayProcess
from tests.stack_project import StackProject
from tests.waiting import wait_until

_OWN_SETTLE_TIME = "a gateway has a settle time of its own, which its tests show"
_SETTLING = {
    "test_a_version_that_fails_soon_after_its_tasks_run_gives_way": _OWN_SETTLE_TIME,
    "test_a_source_that_finds_nobody_to_read_from_did_not_come_up": _OWN_SETTLE_TIME,
}
_ADOPTS = "the service has the jobs alone that were given to it"
_NO_GATE = "the service has no health gate that a job declares"
_MOVES = "jobs are moved between Flink clusters"
_OF_FLINK_ITSELF = {
    "test_two_addresses_of_one_cluster_are_one": "its other address is one of Flink's own",
    "test_a_job_started_by_hand_is_adopted_changed_and_released": _ADOPTS,
    "test_an_adopted_job_goes_back_to_what_was_declared": _ADOPTS,
    "test_what_cannot_be_adopted_is_refused_in_the_preview": _ADOPTS,
    "test_a_job_is_moved_there_and_back_also_by_killed_runs": _MOVES,
    "test_a_job_is_carried_into_another_stack_also_by_killed_runs": _MOVES,
    "test_what_does_not_start_there_goes_on_here": _MOVES,
    "test_a_job_that_does_not_pass_there_goes_back_with_what_it_has_done": _MOVES,
    "test_a_job_that_its_new_cluster_lost_goes_on_from_its_checkpoint_there": _MOVES,
    "test_a_run_that_is_killed_on_the_way_back_is_followed_by_one_that_goes_on": _MOVES,
    "test_one_that_passes_says_what_it_was_compared_with": _NO_GATE,
    "test_one_that_ends_its_job_is_started_again_as_it_was": _NO_GATE,
    "test_a_job_that_was_rescaled_is_brought_back": "the service shows the parallelism that was "
    "asked for, not the one that runs",
    "test_a_drained_job_is_stopped_and_starts_again": "the service has no such input",
    "test_it_is_rescaled_while_it_runs": "the service lists no parallelism that runs",
    "test_the_default_scheduler_restarts_it": "the service lists no parallelism that runs",
    "test_a_rescale_that_waits_for_a_checkpoint_gets_one": "the service lists no parallelism that "
    "runs",
    "test_where_slots_are_short_it_takes_what_there_is": "the service shows no slots",
    "test_what_another_one_manages_is_kept": "the service has no such input",
    "test_a_job_that_starts_after_its_run_is_gone_on_with": "the gateway submits, in a time of its "
    "own",
    "test_versions_are_listed_and_their_secrets_are_not": "what a version that failed leaves there "
    "is the service's own record",
    "test_the_way_back_is_there_before_the_old_version_is_stopped": "the gateway keeps a copy of "
    "each jar",
}
#: Cases that cannot exist on a target, by the test's name, and why. They are shown as skipped.
CANNOT_EXIST: dict[str, dict[str, str]] = {
    "flink": {},
    "hdinsight": {
        **_SETTLING,
        **_OF_FLINK_ITSELF,
        "test_of_two_copies_one_is_kept": "the service lists one job of a name, not its copies",
    },
    "dli": {
        **_SETTLING,
        **_OF_FLINK_ITSELF,
        "test_a_main_that_ends_the_job_manager_is_named": "the service goes on with its run while "
        "its cluster is away, for longer than a test waits",
        "test_of_two_copies_one_is_kept": "the service lists one job of a name, not its copies",
        "test_what_cannot_start_does_not_stop_the_old_version": "the service takes a new version "
        "when the job is stopped, and no sooner",
        "test_state_without_a_place_is_refused_before_the_stop": "the service takes a new version "
        "when the job is stopped, and no sooner",
        "test_a_directory_that_cannot_be_written_leaves_the_job_running": "the service keeps to "
        "the directory that a job had at its start",
    },
}

#: Every case on every target, instead of a choice of them on those that a gateway serves.
ALL_VARIABLE = "FLINK_JOBS_ALL_TARGETS"
ALL = os.environ.get(ALL_VARIABLE) == "1"
#: The cases that are shown in every test run on the targets that a gateway serves, on one each: by
#: either way it is the same gateway.
CHOSEN = {
    "hdinsight": {
        "test_each_change_is_one_update_with_its_state",
        "test_a_job_taken_down_comes_back_from_its_checkpoint",
        "test_destroy_removes_its_own_and_nothing_else",
    },
    "dli": {
        "test_actions_touch_their_own_job_alone",
        "test_a_version_that_fails_on_the_state_gives_way_to_the_old_one",
        "test_drift_is_shown_and_mended",
    },
}

#: The cases that are shown with the plugin in the embedded engine, too, on Flink itself: what it
#: translates between the engine and the same core. The second ones only where all cases are asked
#: for. With the Pulumi CLI, the plugin has every case that the dynamic provider has.
BY_PLUGIN = {
    "test_each_change_is_one_update_with_its_state",
    "test_two_jobs_from_one_jar_and_a_second_run",
    "test_secrets_are_encrypted_and_never_printed",
    "test_destroy_removes_its_own_and_nothing_else",
}
ALSO_BY_PLUGIN = {
    "test_a_preview_says_what_will_be_done_and_why",
    "test_drift_is_shown_and_mended",
    "test_a_version_that_fails_on_the_state_gives_way_to_the_old_one",
    "test_a_job_started_by_hand_is_adopted_changed_and_released",
    "test_it_is_rescaled_while_it_runs",
    "test_a_version_that_cannot_read_the_state_gives_way_with_each_number_counted_once",
    "test_a_version_that_passes_its_rehearsal_goes_on_from_the_state_of_the_stop",
    "test_the_old_version_runs_until_the_new_one_is_up",
    "test_the_oldest_savepoints_go_and_versions_say_so",
}
#: Cases that cannot exist with the plugin, by the test's name, and why. They are shown as skipped.
NOT_BY_PLUGIN = {
    "test_options_without_effect_are_refused": "the options have an effect on the plugin's jobs",
}

_cluster_numbers = count(1)


class Target(ABC):
    """One Flink cluster, as the jobs of a stack name it.

    Attributes:
        inputs: The jobs' `target`.
        environment: What the commands need in their environment to reach it.
        label: An argument as odd as it can be there.
        started_again: What the action is called that starts a job which failed or was cancelled.
        lost: What a job is called that its cluster no longer knows.
    """

    label: ClassVar[str]
    started_again: ClassVar[str]
    lost: ClassVar[str] = "LOST"

    def __init__(self, cluster: FlinkCluster) -> None:
        self.cluster = cluster
        self.inputs: dict[str, Any] = {}
        self.environment: dict[str, str] = {}

    @abstractmethod
    def owner(self, project: StackProject) -> str:
        """Return who owns the jobs of a stack on Flink: it is part of their job ids."""

    @abstractmethod
    def flink_version(self) -> str | None:
        """Return what the outputs call Flink's version."""

    @abstractmethod
    def dashboard_url(self, job_id: str) -> str | None:
        """Return where the outputs say that a job is shown to people."""

    @abstractmethod
    def running_parallelism(self, running: int) -> int | None:
        """Return what the outputs say of the parallelism that a job runs with."""

    @abstractmethod
    def await_shown(self, job_name: str, status: str) -> None:
        """Wait until it shows what became of a job on Flink: a look of its own may be due first."""

    @abstractmethod
    def close(self) -> None:
        """End what was started for it."""


class FlinkTarget(Target):
    """A Flink session cluster by its REST API: it keeps job ids, and nothing else."""

    label = "a 'b'  \"c\""
    started_again = "START"

    def __init__(self, cluster: FlinkCluster) -> None:
        super().__init__(cluster)
        self.inputs = {"kind": "flink", "url": cluster.url}

    def owner(self, project: StackProject) -> str:
        """Return the stack."""
        return project.owner

    def flink_version(self) -> str | None:
        """Return what the cluster says."""
        return self.cluster.version

    def dashboard_url(self, job_id: str) -> str | None:
        """Return the page of Flink's own dashboard."""
        return f"{self.cluster.url}/#/job/running/{job_id}/overview"

    def running_parallelism(self, running: int) -> int | None:
        """Return what the cluster says."""
        return running

    def await_shown(self, job_name: str, status: str) -> None:
        """Return: the cluster is asked each time."""

    def close(self) -> None:
        """Leave the cluster as it is."""


class ServedTarget(Target):
    """A cluster by a job API that a gateway serves, which keeps jobs by name.

    The gateway is started for one test alone, with a cluster under a name that no other test has:
    so neither records nor Flink's memory of ended jobs are of a test before.
    """

    label = "a'b'\"c\"\\d"  # its arguments are one text that is split at blanks
    started_again = "RE_LAUNCH"

    def __init__(self, cluster: FlinkCluster, directory: Path, place: dict[str, Any]) -> None:
        super().__init__(cluster)
        directory.mkdir()
        jars = f"file://{directory}/jars"
        served = {
            **place,
            "flink": {"url": cluster.url},
            "mounts": {jars: jars},
            "relaunch_lost": False,  # it is the stacks that are to mend what befalls jobs
        }
        self._gateway = GatewayProcess(directory, cluster.url, clusters=[served])
        token = self._gateway.token("stack", Role.OPERATE)
        try:
            self._gateway.start()
        except BaseException:
            self._gateway.close()
            raise
        self._client = self._gateway.client(token)
        self.environment = {"GATEWAY_TOKEN": token}
        self.inputs = {
            "endpoint": self._gateway.url,
            "token": "env:GATEWAY_TOKEN",
            "jar_upload_directory": jars,
        }

    def flink_version(self) -> str | None:
        """Return nothing: the service does not tell."""
        return None

    def dashboard_url(self, job_id: str) -> str | None:
        """Return nothing: the service does not tell."""
        return None

    def running_parallelism(self, running: int) -> int | None:
        """Return nothing: the service shows what was asked for, not what runs."""
        return None

    def await_shown(self, job_name: str, status: str) -> None:
        """Wait for the gateway's next look at the cluster."""

        def is_so() -> bool:
            shown = self._status(job_name)
            assert shown == self.word(status), shown
            return True

        wait_until(is_so, 30, f"the service shows {job_name} as {status}", interval=0.2)

    @abstractmethod
    def word(self, status: str) -> str:
        """Return the service's word for a status."""

    @abstractmethod
    def _status(self, job_name: str) -> str | None:
        """Return the service's word for what a job does."""

    def close(self) -> None:
        """End the gateway."""
        self._client.close()
        self._gateway.close()


class HDInsightTarget(ServedTarget):
    """The job API of HDInsight on AKS, which serves what it was given."""

    def __init__(self, cluster: FlinkCluster, directory: Path) -> None:
        name = f"cluster-{next(_cluster_numbers)}"
        self._id = (
            "/subscriptions/0000/resourceGroups/Group/providers/Microsoft.HDInsight"
            f"/clusterpools/Pool/clusters/{name}"
        )
        super().__init__(cluster, directory, {"id": self._id})
        self.inputs |= {
            "kind": "hdinsight",
            "subscription": "0000",
            "resource_group": "Group",
            "cluster_pool": "Pool",
            "cluster": name,
        }

    def owner(self, project: StackProject) -> str:
        """Return the cluster, since the service knows of no stacks."""
        return self._id.lower()

    def word(self, status: str) -> str:
        """Return the status: the words are the same."""
        return status

    def _status(self, job_name: str) -> str | None:
        answer = self._client.get(f"{self._id}/jobs", params=API).raise_for_status()
        rows: list[dict[str, Any]] = [row["properties"] for row in answer.json()["value"]]
        [row] = [row for row in rows if row["jobName"] == job_name]
        status: str | None = row.get("status")
        return status


class DliTarget(ServedTarget):
    """The job API of Data Lake Insight, which takes single steps."""

    lost = "FAILED"  # the service has no word of its own for it
    _WORDS: ClassVar[dict[str, str]] = {
        "CANCELED": "job_cancel_success",
        "FAILED": "job_running_exception",
        "FINISHED": "job_finish",
        "LOST": "job_running_exception",
    }

    def __init__(self, cluster: FlinkCluster, directory: Path) -> None:
        self._project = f"project{next(_cluster_numbers)}"
        place = {"project_id": self._project, "queues": ["streams"]}
        super().__init__(cluster, directory, {"dli": place})
        self.inputs |= {"kind": "dli", "project_id": self._project, "queue": "streams"}

    def owner(self, project: StackProject) -> str:
        """Return the cluster, since the service knows of no stacks."""
        return f"dli/{self._project}/streams"

    def word(self, status: str) -> str:
        """Return the service's word for a status."""
        return self._WORDS[status]

    def _status(self, job_name: str) -> str | None:
        path = f"/v1.0/{self._project}/streaming/jobs"
        token = {"X-Auth-Token": self.environment["GATEWAY_TOKEN"]}
        answer = self._client.get(path, params={"name": job_name}, headers=token)
        answer.raise_for_status()
        [row] = answer.json()["job_list"]["jobs"]
        status: str = row["status"]
        return status


def open_target(kind: str, cluster: FlinkCluster, directory: Path) -> Target:
    """Return a target of a kind; what it starts has its files in `directory`."""
    if kind == "flink":
        return FlinkTarget(cluster)
    kinds = {"hdinsight": HDInsightTarget, "dli": DliTarget}
    return kinds[kind](cluster, directory)
