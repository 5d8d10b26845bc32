"""Write docs/targets.md from the code: `python docs/build_targets.py [--check]`.

Each line of its tables is tried: the inputs are given to the same check that refuses them in a
preview, and the settings of Data Lake Insight to the one that refuses them in a run through a
gateway. What these say is what the table says.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from textwrap import fill
from typing import Any

from pydantic.fields import FieldInfo

from flink_jobs_provider.control_planes.dli.job_config import input_names, not_by_gateways
from flink_jobs_provider.gateway.apis.dli.schema import CREATE
from flink_jobs_provider.model.spec import JobSpec, UpgradeMode
from flink_jobs_provider.model.validation import problems_of
from flink_jobs_provider.reconciling.dli.failures import not_offered

PAGE = Path(__file__).with_name("targets.md")

_HDINSIGHT = {
    "kind": "hdinsight",
    "subscription": "00000000-0000-0000-0000-000000000000",
    "resource_group": "group",
    "cluster_pool": "pool",
    "cluster": "cluster",
}
_DLI = {"kind": "dli", "project_id": "0" * 32, "queue": "queue", "token": "env:TOKEN"}
_GATEWAY = "https://gateway.example.com:8090"
#: The targets by their headings.
TARGETS: dict[str, dict[str, Any]] = {
    "Flink session cluster": {"kind": "flink", "url": "https://flink.example.com"},
    "HDInsight, gateway": {**_HDINSIGHT, "endpoint": _GATEWAY, "token": "env:TOKEN"},
    "HDInsight, Azure": _HDINSIGHT,
    "DLI, gateway": {**_DLI, "endpoint": _GATEWAY},
    "DLI, Huawei Cloud": {**_DLI, "region": "eu-west-101"},
}
_UPLOADS = {"jar_upload_directory": "abfs://jobs@account.dfs.core.windows.net/jars"}
_JOB = {"job_name": "orders", "owner": "organization/shop/prod", "jar": "abfs://c@a/dir/orders.jar"}


@dataclass(frozen=True)
class Probe:
    """Something that a job may want.

    Attributes:
        what: What it is.
        inputs: The inputs that ask for it.
        uploads: Whether the target names a directory for local jars, where it has one.
    """

    what: str
    inputs: dict[str, Any]
    uploads: bool = False


#: What is tried of inputs with more than one line in the table.
_LINES: dict[str, list[Probe]] = {
    "jar": [
        Probe("a jar where the cluster reads it", {"jar": "abfs://c@account/dir/orders.jar"}),
        Probe("a jar of this machine", {"jar": "jobs/orders.jar"}),
        Probe("the same, with `jar_upload_directory`", {"jar": "jobs/orders.jar"}, uploads=True),
    ],
    "job_name": [Probe("a name of 58 characters", {"job_name": "o" * 58})],
    "args": [
        Probe("`args`", {"args": ["--topic", "orders"]}),
        Probe("`args` with blanks, or empty", {"args": ["--title", "all orders"]}),
    ],
    "desired_state": [Probe("`desired_state`: stop and start", {"desired_state": "stopped"})],
    "upgrade_mode": [
        Probe(f"`upgrade_mode` {mode}", {"upgrade_mode": mode.value}) for mode in UpgradeMode
    ],
    "dli": [
        Probe("`dli`: checkpoints, restarts", {"dli": {"checkpoint_interval": 60}}),
        Probe(
            "`dli`: CUs, Flink version, agency, logs, description, tags",
            {
                "dli": {
                    "cu_number": 4,
                    "feature": "basic",
                    "flink_version": "1.15",
                    "execution_agency_urn": "agency",
                    "log_enabled": True,
                    "obs_bucket": "jobs",
                    "desc": "orders by hour",
                    "tags": {"team": "shop"},
                }
            },
        ),
        Probe("`dli`: an image", {"dli": {"feature": "custom", "image": "shop/flink:1"}}),
        Probe("`dli`: dependencies", {"dli": {"dependency_jars": ["obs://jobs/more.jar"]}}),
        Probe("`dli`: `smn_topic`", {"dli": {"smn_topic": "alerts"}}),
    ],
}
#: Inputs that each job has, or that no user gives.
EVERYWHERE = {"target", "owner", "jar_digest"}


def probes(model: type[JobSpec]) -> list[Probe]:
    """Return what is tried of each input: the lines above, or one value that is not its default."""
    return [
        probe
        for name, field in model.model_fields.items()
        if name not in EVERYWHERE
        for probe in _LINES.get(name) or [_other_value(name, field)]
    ]


def _other_value(name: str, field: FieldInfo) -> Probe:
    """Return a line for an input: a flag set, another word, or an example of the field."""
    default = field.default
    if isinstance(default, bool):
        return Probe(f"`{name}`", {name: not default})
    if isinstance(default, StrEnum):
        word = next(each.value for each in type(default) if each is not default)
        return Probe(f"`{name}` {word}", {name: word})
    examples = [each for each in field.examples or () if each != default]
    if not examples:
        raise ValueError(
            f"{name} needs an example in JobSpec: it is what each target is tried with"
        )
    return Probe(f"`{name}`", {name: examples[0]})


#: What is said of settings that a session cluster has no use for.
_KEPT = (
    "A gateway keeps these and shows them; they change nothing: the cluster has its own size, "
    "Flink version, rights and logs."
)


def page(inputs: type[JobSpec] = JobSpec) -> str:
    """Return the whole page.

    Args:
        inputs: The model of a job's inputs.
    """
    notes: list[str] = []
    rows = [
        [probe.what, *(_cell(probe, target, notes) for target in TARGETS.values())]
        for probe in probes(inputs)
    ]
    lines = [["a job's", *TARGETS], ["---"] * (len(TARGETS) + 1), *rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    reasons = "\n".join(_numbered(number, note) for number, note in enumerate(notes, 1))
    return f"{_HEAD.strip()}\n\n{table}\n\nWhat the checks say:\n\n{reasons}\n\n{_TAIL.strip()}\n"


def _cell(probe: Probe, target: dict[str, Any], notes: list[str]) -> str:
    reached = {**target, **_UPLOADS} if probe.uploads and target["kind"] != "flink" else target
    said = [
        f"`{path}` {reason}."
        for path, reason in problems_of({**_JOB, "target": reached, **probe.inputs})
    ]
    settings = probe.inputs.get("dli", {})
    if said or target["kind"] != "dli" or target.get("endpoint") != _GATEWAY:
        return f"no ({_numbers(said, notes)})" if said else "yes"
    if names := input_names(not_by_gateways(settings)):
        spec = JobSpec.model_validate({**_JOB, "target": reached, **probe.inputs})
        reason = not_offered(spec, names, None).happened.removeprefix(f"{spec.job_name}: ")
        note = f"In the run, before the running version is stopped: {reason}"
        return f"no ({_numbers([note], notes)})"
    return f"shown ({_numbers([_KEPT], notes)})" if _is_kept(settings) else "yes"


def _numbers(said: list[str], notes: list[str]) -> str:
    """Return the numbers of notes; those that are new are added."""
    notes += [note for note in dict.fromkeys(said) if note not in notes]
    return ", ".join(str(notes.index(note) + 1) for note in said)


def _is_kept(settings: dict[str, Any]) -> bool:
    """Whether a gateway keeps settings, shows them, and leaves the rest to the cluster."""
    fields = CREATE["properties"]
    return bool(settings) and all(
        "kept and shown" in fields[name]["description"].lower()
        for name in settings
        if name != "feature"  # it says only which image the version is of
    )


def _numbered(number: int, note: str) -> str:
    head = f"{number}. "
    return fill(note, 100, initial_indent=head, subsequent_indent=" " * len(head))


def main() -> int:
    """Write the page, or with --check only tell whether it is up to date."""
    text = page()
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
            return 0
        sys.stderr.write(f"{PAGE.name} is out of date: run python docs/build_targets.py\n")
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


_HEAD = """
# What each target can do

<!-- Written by docs/build_targets.py from the code; change that, not this page. -->

The same `FlinkJob` runs on each of them. What a target cannot carry is refused by name, before
anything is changed: in the preview, but for some settings that a gateway refuses in the run.
"""

_TAIL = """
How they differ beyond inputs is in their guides: [HDInsight on AKS](hdinsight.md),
[Data Lake Insight](dli.md). The last column holds for Open Telekom Cloud, too, but for calls that
it does not document: [triggering and importing savepoints](dli.md#savepoints). A
[gateway](gateway.md) serves both APIs over any Flink session cluster.
"""


if __name__ == "__main__":
    sys.exit(main())
