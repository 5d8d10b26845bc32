"""The rehearsal of an update: how a copy of the new version runs before the old one is stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from flink_jobs_provider.model.duration import Window
from flink_jobs_provider.model.inputs import Arguments, FlinkConfiguration, Parallelism

#: What is wrong of one that would write where the job itself does.
SAME_OUTPUT = (
    "must have args or flink_configuration other than the job's own, which send its output "
    "elsewhere"
)


class Rehearsal(BaseModel):
    """How the copy differs from the job: it needs other `args` or `flink_configuration`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    args: Arguments | None = Field(
        None,
        description="All arguments of `main`, instead of the job's own: such as send its output "
        "elsewhere.",
        examples=[["--topic", "orders-rehearsal"]],
    )
    flink_configuration: FlinkConfiguration = Field(
        default_factory=dict, description="Flink options that are added to the job's own, or win."
    )
    parallelism: Parallelism | None = Field(
        None, description="Default parallelism of the copy; the job's own if not given."
    )
    window: Window | None = Field(
        None,
        description="How long the copy is watched, at most `1h`; that of `health` if not given.",
        examples=["1m"],
    )

    allow_restored_sinks: bool = Field(
        default=False,
        description="Let sinks that commit with checkpoints go on from their state in the copy: "
        "only where that holds nothing to commit, as of Kafka's with at-least-once.",
    )

    def changes(self, args: Sequence[str], configuration: Mapping[str, str]) -> bool:
        """Whether the copy of a job with these inputs differs in what can redirect its output."""
        other_args = self.args is not None and list(self.args) != list(args)
        return other_args or {**configuration, **self.flink_configuration} != dict(configuration)
