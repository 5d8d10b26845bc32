"""The versions of a job that were started, as its page and the form of the way back show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from flink_jobs_provider.gateway.apis.monitoring.presenter import version_document
from flink_jobs_provider.gateway.job_history import JobVersion
from flink_jobs_provider.gateway.job_service import JobRow
from flink_jobs_provider.gateway.jobs.earlier_versions import OF_VERSION
from flink_jobs_provider.gateway.jobs.transitions import starts_version
from flink_jobs_provider.gateway.portal.offered_actions import JobAction, Offers
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration

#: Versions that a job's page shows.
MOST_SHOWN = 20
#: What the fields of a form call inputs of a version that have another name there.
_FIELDS = {"flink_configuration": "options"}


@dataclass(frozen=True)
class VersionView:
    """A version of a job as pages show it, with secrets masked.

    Attributes:
        id: Id of the action that started it.
        action: That action.
        caller: Who asked for it.
        started_at: When it had come up.
        jar: Its jar, as callers name it.
        jar_digest: SHA-256 of the jar's content.
        entry_class: The class whose `main` it ran.
        args: Its arguments.
        parallelism: Its parallelism.
        options: Its Flink options.
        changed: Names of the fields in which it differs from the version before it, where that is
            known.
        latest: Whether no version was started after it.
    """

    id: str
    action: str
    caller: str
    started_at: datetime | None
    jar: str
    jar_digest: str
    entry_class: str
    args: str
    parallelism: int | None
    options: dict[str, str]
    changed: Sequence[str] = ()
    latest: bool = False

    @classmethod
    def of(
        cls,
        version: JobVersion,
        cluster: ClusterConfiguration,
        before: JobVersion | None = None,
        *,
        latest: bool = False,
    ) -> VersionView:
        """Return a version on record as pages show it."""
        shown: dict[str, Any] = version_document(
            version, cluster.storage.in_callers_words, operates=False
        )
        return cls(
            id=version.action.id,
            action=str(version.action.action),
            caller=version.action.caller,
            started_at=version.action.finished_at,
            jar=shown["jar"],
            jar_digest=version.jar_digest,
            entry_class=shown["entry_class"] or "",
            args=shown["args"],
            parallelism=shown["parallelism"],
            options=shown["flink_configuration"],
            changed=_changed(version, before) if before else (),
            latest=latest,
        )


def version_views(
    newest_first: Sequence[JobVersion], cluster: ClusterConfiguration, *, most: int = MOST_SHOWN
) -> list[VersionView]:
    """Return versions as a job's page shows them, each compared with the one before it."""
    pairs = pairwise([*newest_first, None])
    views = [
        VersionView.of(version, cluster, before, latest=version is newest_first[0])
        for version, before in pairs
        if version
    ]
    return views[:most]


def way_back(row: JobRow, offered: Offers) -> JobAction | None:
    """Return the action by which an earlier version starts; None where it is not possible now."""
    wanted = starts_version(row.status)
    for offer in offered.each:
        if offer.job_action.action is wanted and not offer.reason:
            return offer.job_action
    restart = offered.restart
    return restart if restart and restart.action is wanted else None


def _changed(version: JobVersion, before: JobVersion) -> list[str]:
    names = [
        name
        for name in OF_VERSION
        if version.inputs.get(name) != before.inputs.get(name)
        or (name == "jar" and version.jar_digest != before.jar_digest)
    ]
    return [_FIELDS.get(name, name) for name in names]
