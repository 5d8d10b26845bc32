"""The versions of a job that were started, as its record lists them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from flink_jobs_provider.model.action import Action, ActionResult


class RecordedVersion(BaseModel):
    """One version of a job: when, why and for whom it was started, and how that ended.

    What is not known is not written.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: int = Field(description="Its generation; one more than before on a job service.")
    at: str = Field("", description="When it was recorded: UTC, ISO 8601.")
    action: Action | None = Field(None, description="The action that started it.")
    result: ActionResult = Field(
        ActionResult.SUCCESS, description="SUCCESS, or FAILED for one that did not start."
    )
    why: str = Field("", description="The plan that it was started by.")
    by: str = Field("", description="Who started it: the owner of the job.")
    commit: str = Field("", description="The commit that the run was of, where its CI names it.")
    jar: str = Field("", description="Where its jar was read from.")
    jar_digest: str | None = Field(None, description="SHA-256 of its jar's content.")
    job_id: str | None = Field(None, description="Flink's jobId of it.")
    restored_from: str | None = Field(None, description="What it started from.")
    savepoint: str | None = Field(
        None, description="The state that it left: the savepoint or checkpoint that it ended with."
    )
    disposed_at: str = Field(
        "",
        description="When that savepoint was disposed of, as `savepoint_retention` asks: UTC, ISO "
        "8601. The version cannot be gone back to with its state of then.",
    )
    failure: str = Field("", description="Why it did not start, or its health gate failed.")

    @model_serializer(mode="wrap")
    def _without_unknown(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        return {name: value for name, value in written.items() if value not in (None, "")}

    @property
    def started(self) -> bool:
        """Whether it came up."""
        return self.result is ActionResult.SUCCESS
