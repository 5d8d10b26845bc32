"""A counting job as an engine goes about it, on a real Flink through a gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pulumi.dynamic import ConfigureRequest
from pulumi.dynamic.config import Config

from flink_jobs_provider.model.savepoint import same_path
from flink_jobs_provider.provider import dynamic
from flink_jobs_provider.provider.dynamic import FlinkJobProvider
from tests.counting_output import assert_counts_continuous
from tests.flink_cluster import FlinkCluster
from tests.job_jars import TEST_JOBS_JAR
from tests.waiting import wait_until

_ENDED = {"FINISHED", "FAILED", "CANCELED"}
#: What makes it small, and quick to commit.
COUNTING_ARGS = ["--keys", "4", "--rate", "40", "--checkpoint-interval", "300"]
RETAINED = {"execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION"}


def new_run(provider: FlinkJobProvider) -> None:
    """Begin a run of an engine, with an empty configuration."""
    dynamic._service = None
    provider.configure(ConfigureRequest(Config({}, "shop")))


def end_run() -> None:
    """Close what a run has opened."""
    dynamic.service().close()


class ProvidedJob:
    """One job as an engine goes about it: checked, diffed, created or updated, recorded."""

    def __init__(self, target: dict[str, Any], cluster: FlinkCluster, directory: Path) -> None:
        self.provider = FlinkJobProvider()
        new_run(self.provider)
        self.cluster = cluster
        self.output = directory / "output"
        self.state: dict[str, Any] = {}
        self.inputs: dict[str, Any] = {
            "target": target,
            "job_name": directory.name.replace("_", "-").lower(),
            "owner": "acme/shop/prod",
            "jar": str(TEST_JOBS_JAR),
            "entry_class": "flinkjobs.counting.CountingJob",
            "args": ["--output", str(self.output), *COUNTING_ARGS],
            "parallelism": 1.0,
            "flink_configuration": RETAINED,
            "settle_time": "0s",
        }

    def up(self, **changes: Any) -> dict[str, Any]:
        """Change inputs, and make it so."""
        self.inputs |= changes
        result = self.provider.check(self.state, self.inputs)
        assert not result.failures, result.failures
        if not self.state:
            self.state = dict(self.provider.create(result.inputs).outs or {})
        elif self.provider.diff("x", self.state, result.inputs).changes:
            self.state = dict(self.provider.update("x", self.state, result.inputs).outs or {})
        return self.state

    def refresh(self) -> dict[str, Any]:
        """Read it back."""
        self.state = dict(self.provider.read("x", self.state).outs or {})
        return self.state

    def destroy(self) -> None:
        """Delete it, in a run of its own: one that declares it would not end it."""
        end_run()
        new_run(self.provider)
        self.provider.delete("x", self.state)

    def unchanged(self) -> bool:
        """Whether nothing is left to do, as the cluster shows it."""
        self.refresh()
        inputs = self.provider.check(self.state, self.inputs).inputs
        return not self.provider.diff("x", self.state, inputs).changes

    def active(self) -> list[str]:
        """Return the jobs that the cluster works on."""
        return [i for i, row in self.cluster.jobs().items() if row["state"] not in _ENDED]

    def assert_runs(self, restored_from: str | None) -> None:
        """Check that one job runs, the recorded one, from that state, with all its counts."""
        assert self.active() == [self.state["job_id"]]
        assert same_path(self.restored_from(), restored_from)
        assert same_path(self.state["restored_from"], restored_from)
        self.assert_counts_on()

    def restored_from(self) -> str | None:
        """Return what Flink says that the recorded job started from."""
        latest = self.cluster.get(f"/jobs/{self.state['job_id']}/checkpoints")["latest"]
        return latest["restored"]["external_path"] if latest["restored"] else None

    def cancel_on_the_cluster(self) -> None:
        """Cancel it behind the gateway's back, and read it back when the gateway has seen it."""
        job_id = self.state["job_id"]
        self.cluster.rest.patch(f"/jobs/{job_id}", params={"mode": "cancel"})
        self.cluster.await_state(job_id, "CANCELED")
        wait_until(lambda: self.refresh()["status"] == "CANCELED", 60, "the gateway has seen it")

    def assert_counts_on(self) -> None:
        """Check that it commits more counts, without a gap or a repeat."""
        before = assert_counts_continuous(self.output).total if self.output.exists() else 0
        wait_until(lambda: assert_counts_continuous(self.output).total > before, 60, "it counts on")
