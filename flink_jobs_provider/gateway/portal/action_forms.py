"""The forms of actions: their fields, and the properties of a runJob that they stand for.

A form is sent on as a runJob of the HDInsight on AKS API is, so that both mean the same, are
checked by the same rules, and a page can show its request as one for a terminal. What a form leaves
as it was shown is not sent: masked values stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flink_jobs_provider.gateway.apis.job_inputs import masked_options, take_unclaimed
from flink_jobs_provider.gateway.http.property_problems import Problem, RefusedProperties
from flink_jobs_provider.gateway.job_service import JobRow
from flink_jobs_provider.gateway.portal.service_texts import translated, worded
from flink_jobs_provider.gateway.portal.text import Text
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.redaction import HIDDEN
from flink_jobs_provider.wire.hdinsight import (
    JOB_TYPE,
    PARALLELISM_KEY,
    SAVEPOINT_DIRECTORY_KEY,
)

#: The default of the service's own portal (its documentation, "New Job").
DEFAULT_PARALLELISM = "2"
VERSION_FIELDS = (
    "jar",
    "entry_class",
    "args",
    "parallelism",
    "savepoint_directory",
    "options",
)
CONFIRM = "confirm"
#: Fields of the form of a new job by which a running one is taken over.
ADOPT, NO_WAY_BACK = "adopt", "allow_no_way_back"
#: Field of the form of an update: the args with which a copy of the version is rehearsed first.
REHEARSAL_ARGS = "rehearsal_args"
#: Which field a property of a runJob is shown in.
_FIELDS = {
    "properties.jobName": "job_name",
    "properties.jobJarDirectory": "jar",
    "properties.jarName": "jar",
    "properties.entryClass": "entry_class",
    "properties.args": "args",
    "properties.savePointName": "savepoint",
    f"properties.flinkConfiguration.{PARALLELISM_KEY}": "parallelism",
    f"properties.flinkConfiguration.{SAVEPOINT_DIRECTORY_KEY}": "savepoint_directory",
}
_OPTIONS = "properties.flinkConfiguration"


@dataclass
class Form:
    """A form as it is shown.

    Attributes:
        values: What its fields hold, by name.
        problems: What is the matter with them, by name; "" for what is of no field.
        note: What a reader should know of the form as a whole; empty for nothing.
        heading: What stands above the problems; empty where nothing was sent on.
        kept: By what it was found after its sender had signed in again; empty if it was not.
    """

    values: dict[str, str]
    problems: dict[str, list[str]] = field(default_factory=dict)
    note: str = ""
    heading: str = ""
    kept: str = ""

    @property
    def noted(self) -> int:
        """How many problems there are."""
        return sum(len(each) for each in self.problems.values())

    def refuse(self, name: str, problem: str) -> None:
        """Note a problem of a field."""
        self.problems.setdefault(name, []).append(problem)

    def refuse_all(self, refusal: Refusal, text: Text) -> None:
        """Note what a request was refused for, each problem at its field."""
        language = text.language
        problems: Sequence[Problem] = [Problem(refusal.target, worded(refusal, language))]
        if isinstance(refusal, RefusedProperties):
            problems = refusal.problems
        for target, message in problems:
            name = field_of(target)
            if name == "savepoint" and self.values.get("savepoint_path"):
                name = "savepoint_path"
            if name not in self.values:
                name = ""
            if name and name in self.problems:
                continue  # what was found first says it in the reader's language
            self.refuse(name, translated(in_labels(message, target, name, text), language))


def refused_after(form: Form, refusal: Refusal, text: Text) -> None:
    """Note that a form was sent on before it was refused."""
    unknown = refusal.code == "RecordsUnavailable"
    form.heading = text("form.unknown") if unknown else text("form.not_accepted")


def field_of(target: str) -> str:
    """Return the name of the field that a property of a runJob is shown in; empty for none."""
    if target == ADOPT:
        return ADOPT
    if target in _FIELDS:
        return _FIELDS[target]
    return "options" if target.startswith(_OPTIONS) else ""


def in_labels(message: str, target: str, name: str, text: Text) -> str:
    """Return a message that calls a property as its field is labelled."""
    if not name or not target:
        return message
    label = text(f"field.{name}")
    if name == "options" and target != _OPTIONS:
        label = target.removeprefix(f"{_OPTIONS}.")
    return message.replace(target, label)


def empty_new_job() -> dict[str, str]:
    """Return what the form of a new job holds at first."""
    names = ("cluster", "job_name", *VERSION_FIELDS, "savepoint", CONFIRM, ADOPT, NO_WAY_BACK)
    empty = dict.fromkeys(names, "")
    return {**empty, "parallelism": DEFAULT_PARALLELISM}


def shown_version(properties: Mapping[str, Any]) -> dict[str, str]:
    """Return what the fields of a version hold that has such properties."""
    options = dict(properties.get("flinkConfiguration", {}))
    parallelism = options.pop(PARALLELISM_KEY, "")
    directory = options.pop(SAVEPOINT_DIRECTORY_KEY, "")
    jar = "/".join(
        part
        for part in (
            str(properties.get("jobJarDirectory") or "").rstrip("/"),
            properties.get("jarName"),
        )
        if part
    )
    return {
        "jar": jar,
        "entry_class": properties.get("entryClass") or "",
        "args": properties.get("args") or "",
        "parallelism": str(parallelism),
        "savepoint_directory": str(directory),
        "options": "\n".join(f"{key}: {value}" for key, value in options.items()),
    }


@dataclass(frozen=True)
class Sent:
    """What a form is sent on as.

    Attributes:
        action: The action.
        job_name: Of the job.
        run_id: The run that is meant; None for a new job.
        properties: What the job has, as a runJob names it, secrets and all; empty for a new job.
        masked: The same as it was shown.
    """

    action: Action
    job_name: str
    run_id: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    masked: Mapping[str, Any] = field(default_factory=dict)

    def request(self, form: Form, names: Iterable[str], text: Text) -> dict[str, Any]:
        """Return the properties of a runJob; what cannot be one is noted as a problem.

        Args:
            form: What was filled in.
            names: The fields that the action has.
            text: The language of the problems.
        """
        wanted: dict[str, Any] = {
            "jobType": JOB_TYPE,
            "jobName": self.job_name,
            "action": str(self.action),
        }
        if self.run_id:
            wanted["runId"] = self.run_id
        shown = shown_version(self.masked) if self.masked else {}
        changed = {
            name: form.values[name].strip()
            for name in names
            if name in form.values and not _same(form.values[name], shown.get(name, ""))
        }
        for name in ("jar", "entry_class"):
            if changed.get(name) == "":
                form.refuse(name, text("problem.required"))
        self._check_masks(form, changed, text)
        wanted |= _jar(changed)
        if changed.get("entry_class"):
            wanted["entryClass"] = changed["entry_class"]
        if "args" in changed:
            wanted["args"] = " ".join(changed["args"].split())
        if changed.get("savepoint"):
            wanted["savePointName"] = changed["savepoint"]
        wanted |= self._configuration(form, changed, text)
        return wanted

    def _check_masks(self, form: Form, changed: Mapping[str, str], text: Text) -> None:
        """Refuse text around a masked value: what would become of it cannot be known."""
        for name in ("args", "jar", "savepoint_directory"):
            real = shown_version(self.properties).get(name, "") if self.properties else ""
            if HIDDEN in changed.get(name, "") and HIDDEN not in real:
                form.refuse(name, text("problem.masked"))

    def _configuration(
        self, form: Form, changed: Mapping[str, str], text: Text
    ) -> dict[str, dict[str, str]]:
        if not {"options", "parallelism", "savepoint_directory"} & set(changed):
            return {}
        options = self._options(form, text)
        parallelism = form.values.get("parallelism", "").strip()
        if parallelism:
            options[PARALLELISM_KEY] = parallelism
        elif "parallelism" in changed:
            form.refuse("parallelism", text("problem.required"))
        if "savepoint_directory" in changed:
            options[SAVEPOINT_DIRECTORY_KEY] = changed["savepoint_directory"]
        return {"flinkConfiguration": options}

    def _options(self, form: Form, text: Text) -> dict[str, str]:
        """Return the options of a text; those whose values are still masked stay as they are."""
        real = dict(self.properties.get("flinkConfiguration", {}))
        masked = masked_options(real)
        options: dict[str, str] = {}
        for number, line in enumerate(form.values.get("options", "").splitlines(), 1):
            if not line.strip():
                continue
            key, colon, value = line.partition(":")
            key, value = key.strip(), value.strip()
            if not colon or not key:
                form.refuse("options", text("problem.option", line=number))
            elif key in (PARALLELISM_KEY, SAVEPOINT_DIRECTORY_KEY):
                form.refuse("options", text("problem.option_field", key=key))
            elif key in options:
                form.refuse("options", text("problem.option_twice", key=key))
            elif key in real and value == masked[key].strip():
                options[key] = real[key]
            elif HIDDEN in value:
                form.refuse("options", text("problem.masked_option", key=key))
            else:
                options[key] = value
        return options


def drops_unclaimed(properties: Mapping[str, Any], row: JobRow | None = None) -> bool:
    """Whether state that no operator of the next version claims would be dropped.

    Args:
        properties: Of the runJob.
        row: The job; None for a new one.
    """
    options = properties.get("flinkConfiguration")
    if options is not None:
        return take_unclaimed(dict(options), "", [])
    return row is not None and row.next_spec.allow_non_restored_state


def confirm_unclaimed(form: Form, job_name: str, text: Text) -> None:
    """Refuse to drop state that nothing claims, unless the job's name was typed."""
    if form.values[CONFIRM].strip() != job_name:
        form.refuse(CONFIRM, text("problem.confirm_unclaimed", name=job_name))


def _same(given: str, shown: str) -> bool:
    """Whether a field was left as it was shown; browsers change its line ends, and blanks."""
    return given.strip().split() == shown.strip().split()


def _jar(changed: Mapping[str, str]) -> dict[str, str]:
    jar = changed.get("jar")
    if not jar:
        return {}
    directory, _, name = jar.rpartition("/")
    return {"jobJarDirectory": directory, "jarName": name}
