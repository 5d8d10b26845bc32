"""From the properties of a runJob to what the job service is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flink_jobs_provider.gateway.apis.hdinsight.presenter import name_of, properties_of
from flink_jobs_provider.gateway.apis.hdinsight.schema import (
    TAKES_ARGS,
    TAKES_SAVEPOINT,
    TAKES_SPEC,
)
from flink_jobs_provider.gateway.apis.job_inputs import (
    as_texts,
    input_problems,
    place_on_flink,
    take_unclaimed,
)
from flink_jobs_provider.gateway.http.property_problems import (
    Problem,
    RefusedProperties,
    collecting,
)
from flink_jobs_provider.gateway.job_service import (
    ActionRequest,
    JobRow,
    JobService,
    JobsOfCluster,
)
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration, Mounts
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.wire.hdinsight import (
    JOB_PROPERTIES,
    PARALLELISM_KEY,
    SAVEPOINT_DIRECTORY_KEY,
    VERSION_PROPERTIES,
)

_IN_ARM = {
    **{
        each.model_input: f"properties.{name}"
        for name, each in JOB_PROPERTIES.items()
        if each.model_input
    },
    "parallelism": f"properties.flinkConfiguration.{PARALLELISM_KEY}",
    "savepoint_directory": f"properties.flinkConfiguration.{SAVEPOINT_DIRECTORY_KEY}",
    "allow_non_restored_state": "properties.flinkConfiguration",
}
#: What an option that an input replaces is to be given by.
_INSTEAD_OF_OPTION = {
    "restore_from": "savePointName",
    "savepoint_directory": SAVEPOINT_DIRECTORY_KEY,
}


def in_arm(name: str) -> str:
    """Return the API's name of an input; the same for what it has no other name for."""
    return _IN_ARM.get(name, name)


def in_arm_words(refusal: Refusal) -> Refusal:
    """Return a refusal of the job service with the API's name of the property that is invalid."""
    refusal.target = in_arm(refusal.target)
    return refusal


class Translator:
    """Translates for one cluster."""

    def __init__(self, cluster: ClusterConfiguration, service: JobService) -> None:
        self._cluster = cluster
        self._service = service
        self._mounts = cluster.storage

    async def request(self, properties: Mapping[str, Any], caller: str) -> ActionRequest:
        """Return what the properties ask for.

        Args:
            properties: As `validated` returns them.
            caller: Who asks.

        Raises:
            Refusal: A property is invalid, or does nothing with this action: every problem at once.
        """
        action = Action(properties["action"])
        row = await self._row(properties, action)
        problems: list[Problem] = []
        changes: dict[str, Any] = {}
        if action in TAKES_SPEC:
            changes |= self._jar(properties, row, problems)
            changes |= self._configuration(properties, problems)
            if "entryClass" in properties:
                changes["entry_class"] = properties["entryClass"]
        if action in TAKES_ARGS and "args" in properties:
            changes["args"] = properties["args"].split()
        if savepoint := properties.get("savePointName"):
            if action not in TAKES_SAVEPOINT:
                problems.append(_useless("savePointName", action))
            elif row or action is Action.NEW:
                changes |= await self._restore_from(savepoint, row, problems)
        problems += _not_taken(action, properties, row, self._mounts)
        problems += self._wrong(properties["jobName"], changes)
        if problems:
            raise RefusedProperties(problems)
        as_given = {name: properties[name] for name in _taken(action) if name in properties}
        return ActionRequest(
            cluster=self._cluster.key,
            job_name=properties["jobName"],
            action=action,
            changes=changes,
            as_given={**as_given, "savePointName": savepoint or None},
            caller=caller,
            run_id=properties.get("runId"),
            # What is given counts by what the job was: a directory that stays, a value repeated.
            seen=row.last.id if row else "",
            fails_without_jar="/".join(
                str(properties.get(name) or "").rstrip("/")
                for name in ("jobJarDirectory", "jarName")
            ),
        )

    async def _row(self, properties: Mapping[str, Any], action: Action) -> JobRow | None:
        """Return the job as it is, where what is given can only be understood with it."""
        given = {name for name in VERSION_PROPERTIES if name in properties}
        if action is Action.NEW or not (given or properties.get("savePointName")):
            return None
        rows = await self._service.jobs(
            JobsOfCluster(self._cluster.key, job_name=properties["jobName"])
        )
        run_id = properties.get("runId")
        return next((row for row in rows if run_id in (None, row.run_id)), None)

    def _jar(
        self, properties: Mapping[str, Any], row: JobRow | None, problems: list[Problem]
    ) -> dict[str, Any]:
        """Return the jar's place; of directory and name, the one that is not given stays."""
        if not {"jobJarDirectory", "jarName"} & set(properties):
            return {}
        known = properties_of(row, self._mounts) if row else {}
        directory = properties.get("jobJarDirectory", known.get("jobJarDirectory"))
        name = properties.get("jarName", known.get("jarName"))
        if directory is None or name is None:
            return {}  # there is no such job, as the service is about to report
        with collecting(problems):
            self._mounts.resolve(directory, "properties.jobJarDirectory")
            target = "properties.jarName"  # the directory alone is valid
            return {"jar": self._mounts.resolve(f"{directory.rstrip('/')}/{name}", target)}
        return {}

    def _configuration(
        self, properties: Mapping[str, Any], problems: list[Problem]
    ) -> dict[str, Any]:
        if "flinkConfiguration" not in properties:
            return {}
        options = as_texts(properties["flinkConfiguration"])
        changes: dict[str, Any] = {}
        if (parallelism := options.pop(PARALLELISM_KEY, None)) is not None:
            changes["parallelism"] = int(parallelism)
        if (directory := options.pop(SAVEPOINT_DIRECTORY_KEY, None)) is not None:
            changes["savepoint_directory"] = self._cluster.savepoint_directory
            if directory:
                target = _IN_ARM["savepoint_directory"]
                with collecting(problems):
                    place = place_on_flink(directory, self._mounts, target)
                    changes["savepoint_directory"] = place
        unclaimed = take_unclaimed(options, "properties.flinkConfiguration.", problems)
        changes["allow_non_restored_state"] = unclaimed
        changes["flink_configuration"] = options
        return changes

    async def _restore_from(
        self, savepoint: str, row: JobRow | None, problems: list[Problem]
    ) -> dict[str, Any]:
        target = _IN_ARM["restore_from"]
        if "/" in savepoint:
            with collecting(problems):
                return {"restore_from": place_on_flink(savepoint, self._mounts, target)}
            return {}
        # The job's record also holds those that LIST_SAVEPOINT found in its directory.
        on_record = [*await self._service.savepoints(row.cluster, row.number)] if row else []
        if row:
            on_record += row.record.savepoints
            # Of these it is said that they are gone.
            disposed = await self._service.disposed_savepoints(row.cluster, row.number)
            on_record += [each.savepoint for each in disposed]
        for own in on_record:
            if name_of(own.path) == savepoint:
                return {"restore_from": own.path}
        problems.append(
            Problem(
                target,
                f"{target} must be the path of a savepoint, or the name of one of the job's own: "
                f"none that it has on record is named {savepoint[:200]!r}. LIST_SAVEPOINT reads "
                "its directory, too, and lists them.",
            )
        )
        return {}

    def _wrong(self, job_name: str, changes: Mapping[str, Any]) -> list[Problem]:
        """Return what the model finds invalid of the inputs; of options, each on its own."""
        if not changes:
            return []
        options: dict[str, str] = changes.get("flink_configuration", {})
        rest = {name: value for name, value in changes.items() if name != "flink_configuration"}
        problems = [
            Problem(path, f"{path} {reason}.")
            for name, reason in self._problems(job_name, rest)
            for path in [_IN_ARM.get(name.partition("[")[0], "properties")]
        ]
        if not self._problems(job_name, {"flink_configuration": options}):
            return problems
        for key, value in options.items():
            path = f"properties.flinkConfiguration.{key}"
            found = self._problems(job_name, {"flink_configuration": {key: value}})
            problems += [Problem(path, f"{path} {reason}.") for _, reason in found]
        return problems

    def _problems(self, job_name: str, inputs: Mapping[str, Any]) -> list[tuple[str, str]]:
        return input_problems(self._cluster, job_name, inputs, _INSTEAD_OF_OPTION)


def _not_taken(
    action: Action, properties: Mapping[str, Any], row: JobRow | None, mounts: Mounts
) -> list[Problem]:
    """Refuse what the action does not change, unless it repeats what the job has.

    Scripts send back what they read with another action; that must work. But nothing that is
    given goes without effect in silence.
    """
    if row is None:
        return []
    names = [name for name in VERSION_PROPERTIES if name not in _taken(action)]
    given = {name: properties[name] for name in names if name in properties}
    if options := given.get("flinkConfiguration"):
        given["flinkConfiguration"] = as_texts(options)
    shown = properties_of(row, mounts)
    return [_useless(name, action) for name, value in given.items() if value != shown.get(name)]


def _taken(action: Action) -> tuple[str, ...]:
    if action in TAKES_SPEC:
        return VERSION_PROPERTIES
    return ("args",) if action in TAKES_ARGS else ()


def _useless(name: str, action: Action) -> Problem:
    takers = TAKES_SAVEPOINT if name == "savePointName" else TAKES_SPEC
    others = ", ".join(taker for taker in Action if taker in takers and taker is not Action.NEW)
    path = f"properties.{name}"
    return Problem(path, f"{path} cannot be changed with {action}: leave it out, or use {others}.")
