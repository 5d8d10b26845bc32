"""The specification of a job: the inputs of a `FlinkJob`, and the entries of a job file."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from flink_jobs_provider.model.duration import Duration, SettleTime, seconds, settle_seconds
from flink_jobs_provider.model.health_gate import HealthGate
from flink_jobs_provider.model.identity import JobKey, digest
from flink_jobs_provider.model.inputs import (
    IN_EVERY_DIGEST,
    MAX_PARALLELISM,
    Arguments,
    Cost,
    Directory,
    FlinkConfiguration,
    JobName,
    Location,
    OnChange,
    OnlyOn,
    StandsFor,
    WholeNumber,
    changed_options,
    name_alone,
    on_change,
    options_with_an_input,
    refused_options,
    short,
)
from flink_jobs_provider.model.on_delete import OnDelete
from flink_jobs_provider.model.parallelism import ParallelismManager
from flink_jobs_provider.model.redaction import mask_addresses
from flink_jobs_provider.model.rehearsal import Rehearsal
from flink_jobs_provider.model.savepoint import SavepointFormat, canonical_path, same_path
from flink_jobs_provider.model.savepoint_retention import SavepointRetention
from flink_jobs_provider.model.state_check_mode import StateCheckMode
from flink_jobs_provider.model.target import DliTarget, Target
from flink_jobs_provider.model.target.dli import DliSettings
from flink_jobs_provider.model.timeouts import Timeouts


class DesiredState(StrEnum):
    """Whether the job should run."""

    RUNNING = "running"
    STOPPED = "stopped"


class UpgradeMode(StrEnum):
    """How state is carried over when a new version is started.

    `savepoint`: stop with a savepoint and start from it. `last-state`: cancel, and start from the
    latest retained checkpoint. `stateless`: every start is a fresh one and state is dropped.
    `blue-green`: start from a savepoint alongside the running version, which stops afterwards.
    """

    SAVEPOINT = "savepoint"
    LAST_STATE = "last-state"
    STATELESS = "stateless"
    BLUE_GREEN = "blue-green"


class JobSpec(BaseModel):
    """A Flink job as it is wanted.

    `jar_digest` (SHA-256 of the jar's bytes) is computed from `jar`, so that new content under an
    old path is a change.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: Annotated[
        Target,
        OnChange(
            Cost.REPLACE,
            lambda _name, old, new: f"cluster {old.address} → {new.address}",
            lambda old, new: old.place == new.place,
            "replace, if host, port or path change, the Azure resource, or the project; restart, "
            "if the queue changes; else nothing",
        ),
    ] = Field(description="The cluster the job runs on.")
    job_name: Annotated[JobName, OnChange(Cost.REPLACE)] = Field(
        description="The job's identity on its cluster: lower-case letters, digits, dashes.",
        examples=["orders"],
    )
    owner: Annotated[str, OnChange(Cost.RECORDED)] = Field(
        min_length=1,
        description="Who owns the job, as organization/project/stack. Give it in words to keep "
        "owning the jobs of a stack that was renamed.",
    )
    jar: Annotated[
        Location,
        OnChange(
            Cost.RECORDED,
            lambda _name, _old, new: f"jar moved, same content: {mask_addresses(new)}",
            reference="restart, if its content changes; else nothing",
        ),
    ] = Field(
        description="Path or URI of the jar (file, http, https; abfs, s3, gs, obs with the extra "
        "of that name). Compared by content.",
        examples=["jobs/orders.jar", "https://host/orders.jar"],
    )
    jar_digest: Annotated[
        str | None, OnChange(Cost.RESTART, lambda _name, _old, _new: "jar content changed")
    ] = Field(
        None, pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the jar's content (computed)."
    )
    entry_class: Annotated[Annotated[str, Field(min_length=1)] | None, OnChange(Cost.RESTART)] = (
        Field(
            None,
            description="Class with the `main` to run; the manifest's Main-Class if not given.",
            examples=["shop.Orders"],
        )
    )
    args: Annotated[Arguments, OnChange(Cost.RESTART, name_alone)] = Field(
        default_factory=list,
        description="Arguments of `main`, passed on exactly. A single string is split at blanks.",
        examples=[["--topic", "orders"]],
    )
    parallelism: Annotated[
        WholeNumber,
        OnChange(
            Cost.RESTART,
            reference="rescale while it runs, where the cluster can, else restart; nothing where "
            "`parallelism_managed_by` is `other`",
        ),
        StandsFor("parallelism.default"),
    ] = Field(
        2, ge=1, le=MAX_PARALLELISM, description="Default parallelism of the job.", examples=[4]
    )
    parallelism_managed_by: Annotated[
        ParallelismManager, OnChange(Cost.RECORDED), OnlyOn("flink")
    ] = Field(
        ParallelismManager.PROVIDER,
        description="`other`: `parallelism` is that of the first start only, and whoever rescales "
        "the running job over REST, such as an autoscaler, decides from then on. That is no drift, "
        "and a restart keeps the parallelism that ran.",
    )
    flink_configuration: Annotated[FlinkConfiguration, OnChange(Cost.RESTART, changed_options)] = (
        Field(
            default_factory=dict,
            description="Flink options passed with the submission.",
            examples=[{"state.backend.type": "rocksdb"}],
        )
    )
    savepoint_directory: Annotated[
        Directory | None,
        OnChange(Cost.RECORDED),
        # A per-job savepoint directory is not consulted (measured on Flink 1.17 to 2.3).
        StandsFor("state.savepoints.dir", "execution.checkpointing.savepoint-dir"),
    ] = Field(
        None,
        description="Where savepoints are written, in <job_name>/<jobId>/ below it; the cluster's "
        "own savepoint directory if not given.",
        examples=["s3://bucket/savepoints"],
    )
    desired_state: Annotated[DesiredState, OnChange(Cost.RUN_STATE)] = Field(
        DesiredState.RUNNING, description="`stopped` stops the job with a savepoint."
    )
    upgrade_mode: Annotated[UpgradeMode, OnChange(Cost.RECORDED)] = Field(
        UpgradeMode.SAVEPOINT,
        description="How state is carried over a restart: `savepoint` stops with one and starts "
        "from it, `last-state` takes the latest retained checkpoint, `stateless` drops the state; "
        "`blue-green` runs both until the new version is up, which may write output twice.",
    )
    max_checkpoint_age: Annotated[Duration | None, OnChange(Cost.RECORDED), OnlyOn("flink")] = (
        Field(
            None,
            description="How old the checkpoint of a `last-state` update may be; older is refused.",
            examples=["15m"],
        )
    )
    restore_from: Annotated[
        Location | None,
        OnChange(
            Cost.RESTART,
            lambda name, _old, new: f"{name} {short(new)}",
            lambda old, new: new is None or same_path(old, new),
            "restart from it; nothing when it is removed",
        ),
        StandsFor("execution.savepoint.path", "execution.state-recovery.path"),
    ] = Field(
        None,
        description="A savepoint to start from, when the job is new or when this changes.",
        examples=["s3://bucket/savepoints/orders/savepoint-1"],
    )
    adopt: Annotated[
        Annotated[str, Field(min_length=1)] | None,
        OnChange(
            Cost.RECORDED,
            lambda _name, _old, new: (
                f"adopt {short(new)} has no effect on a job that is recorded"
                if new
                else "adopt was removed"
            ),
        ),
        OnlyOn("flink"),
    ] = Field(
        None,
        description="A running job to take over when this one is new: its jobId, or the name that "
        "Flink shows. It goes on as it is; the declared jar, args and options count from the first "
        "change that restarts it, which carries its state over.",
        examples=["00f1e2d3c4b5a69788776655443322ff"],
    )
    move: Annotated[bool, OnChange(Cost.RECORDED), OnlyOn("flink")] = Field(
        default=False,
        description="Carry the job to another Flink cluster when its target changes: it is stopped "
        "with a savepoint, and started from it there. Both must reach its savepoints.",
    )
    allow_no_way_back: Annotated[bool, OnChange(Cost.RECORDED), OnlyOn("flink")] = Field(
        default=False,
        description="Let a job that was adopted be restarted although its program is not known to "
        "be the declared one, so that nothing can be started again if the new version fails.",
    )
    allow_non_restored_state: Annotated[
        bool,
        OnChange(Cost.RECORDED),
        OnlyOn("flink"),
        StandsFor(
            "execution.savepoint.ignore-unclaimed-state",
            "execution.state-recovery.ignore-unclaimed-state",
        ),
    ] = Field(
        default=False,
        description="Let state of operators that the new version no longer has be dropped.",
    )
    state_check: Annotated[StateCheckMode, OnChange(Cost.RECORDED), OnlyOn("flink")] = Field(
        StateCheckMode.STRICT,
        description="Whether the state of the running version is compared with the operators of "
        "the new one before anything stops: `strict` refuses to drop state without "
        "`allow_non_restored_state`, `warn` prints it, `off` saves up to two more runs of `main`.",
    )
    savepoint_format: Annotated[SavepointFormat, OnChange(Cost.RECORDED), OnlyOn("flink")] = Field(
        SavepointFormat.CANONICAL, description="Format of the savepoints that are taken."
    )
    savepoint_retention: Annotated[
        SavepointRetention | None, OnChange(Cost.RECORDED, name_alone), OnlyOn("flink")
    ] = Field(
        None,
        description="Dispose of older savepoints of the job after an action that succeeded; `{}` "
        "takes all defaults. Without it, none is ever disposed of.",
        examples=[{"count": 10, "max_age": "7d"}],
    )
    savepoint_trigger: Annotated[
        str | None,
        OnChange(
            Cost.SAVEPOINT,
            name_alone,
            lambda _old, new: new is None,
            "savepoint; nothing when it is removed",
        ),
    ] = Field(
        None,
        description="Any text; a change of it takes a savepoint while the job goes on.",
        examples=["2026-11-01"],
    )
    restart_trigger: Annotated[
        str | None,
        OnChange(Cost.RESTART, name_alone, reference="restart; nothing when it is removed"),
    ] = Field(
        None, description="Any text; a change of it restarts the job.", examples=["2026-11-01"]
    )
    on_delete: Annotated[OnDelete, OnChange(Cost.RECORDED)] = Field(
        OnDelete.CANCEL,
        description="`savepoint` stops the job with a savepoint when the resource is deleted; "
        "`release` forgets the job and leaves it running.",
    )
    drain: Annotated[bool, OnChange(Cost.RECORDED), OnlyOn("flink")] = Field(
        default=False,
        description="Fire all timers and windows at a STOP, and at a deletion with a savepoint.",
    )
    settle_time: Annotated[SettleTime, OnChange(Cost.RECORDED)] = Field(
        "10s",
        description="How long a version that was started must run without a restart before it "
        "counts as up; `0s` to the longest, `1h`.",
    )
    health: Annotated[HealthGate | None, OnChange(Cost.RECORDED, name_alone), OnlyOn("flink")] = (
        Field(
            None,
            description="What a version must show after its start before it counts as up, and what "
            "follows if it does not; `{}` takes all defaults. Without it, a version must run for "
            "`settle_time` without a restart, and complete a checkpoint.",
            examples=[{"window": "2m", "max_checkpoint_slowdown": 3.0}],
        )
    )
    rehearsal: Annotated[Rehearsal | None, OnChange(Cost.RECORDED, name_alone), OnlyOn("flink")] = (
        Field(
            None,
            description="Before an UPDATE stops the job, a copy of the new version starts from a "
            "savepoint of the running one, with these inputs instead of the job's own. It must "
            "pass the health gate, and is cancelled.",
            examples=[{"args": ["--topic", "orders-rehearsal"], "window": "1m"}],
        )
    )
    timeouts: Annotated[Timeouts, OnChange(Cost.RECORDED, name_alone)] = Field(
        default_factory=Timeouts,
        description="How long steps may take; each at most `7d`.",
        examples=[{"savepoint": "20m"}],
    )
    dli: Annotated[
        DliSettings | None,
        # Its settings are compared one by one: each has a cost of its own.
        OnChange(Cost.REFUSED, reference="see [DliSettings](#dlisettings)"),
        OnlyOn("dli"),
    ] = Field(None, description="Settings of a job on Data Lake Insight; for that target alone.")

    @field_validator("flink_configuration")
    @classmethod
    def _sets_nothing_twice(cls, value: dict[str, str]) -> dict[str, str]:
        if refused := refused_options(value, options_with_an_input(cls)):
            raise ValueError("; ".join(refused))
        return value

    @property
    def key(self) -> JobKey:
        """The job's identity over all its submissions."""
        return JobKey(self.job_name, self.owner)

    def digits(self, restore_from: str | None) -> str:
        """Return the digest, for the jobId, of a submission that starts from a given state."""
        return digest(
            "spec",
            self.jar_digest,
            self.entry_class,
            list(self.args),
            self.parallelism,
            sorted(self.flink_configuration.items()),
            self.restart_trigger or "",
            canonical_path(restore_from or ""),
            *self._later_inputs(),
            *self._of_its_service(),
        )

    def _later_inputs(self) -> list[Any]:
        """Return the inputs of a version that digests had no place for at first, where given.

        A jobId's composition never changes: without them it is what it was before they existed.
        """
        names = {
            name
            for name, meaning in on_change(type(self)).items()
            if meaning.cost is Cost.RESTART and name not in IN_EVERY_DIGEST
        }
        given = self.model_dump(mode="json", include=names, exclude_defaults=True) if names else {}
        return [[name, given[name]] for name in sorted(given)]

    def _of_its_service(self) -> list[Any]:
        """Return what belongs to a version on one kind of target alone."""
        if not isinstance(self.target, DliTarget):
            return []  # the digits of all other jobs stay as they are
        return ["dli", self.target.queue, (self.dli or DliSettings()).of_version()]

    def of_version(self) -> dict[str, Any]:
        """Return the inputs that make this version, as plain JSON types, without a restore point.

        Another value of any of them, but for where the jar lies, is another version.
        """
        of_target = {"dli"} if isinstance(self.target, DliTarget) else set()
        names = {n for n, meaning in on_change(type(self)).items() if meaning.cost is Cost.RESTART}
        names = (names - {"restore_from"}) | {"jar"} | of_target
        return self.model_dump(mode="json", include=names, exclude_none=True)

    def carrying_on(self, former: JobSpec) -> JobSpec:
        """Return the spec as it continues a former one, with what it takes over from that one.

        The removal of a restart trigger restarts nothing, so the trigger of the running version
        stays. A job stays in its queue where the choice of the queue is left to the service.
        """
        update: dict[str, Any] = {}
        if self.restart_trigger is None:
            update["restart_trigger"] = former.restart_trigger
        mine, theirs = self.target, former.target
        if (
            isinstance(mine, DliTarget)
            and isinstance(theirs, DliTarget)
            and mine.place == theirs.place
            and mine.queue is None
        ):
            update["target"] = mine.model_copy(update={"queue": theirs.queue})
        return self.model_copy(update=update)

    def timeout(self, step: str) -> float:
        """Return the seconds allowed for a step of `Timeouts`."""
        return seconds(getattr(self.timeouts, step))

    @property
    def settle_seconds(self) -> float:
        """The settle time in seconds."""
        return settle_seconds(self.settle_time)

    def plain(self) -> dict[str, Any]:
        """Return the spec as plain JSON types, without what is not set."""
        return self.model_dump(mode="json", exclude_none=True)
