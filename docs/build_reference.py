"""Write docs/resource-reference.md from the model: `python docs/build_reference.py [--check]`.

Names, types, defaults, meanings and what a change costs come from the pydantic models. Only what
those do not hold is written here.
"""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.health_gate import HealthGate
from flink_jobs_provider.model.history import RecordedVersion
from flink_jobs_provider.model.inputs import Cost, name_for_programs, on_change
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.rehearsal import Rehearsal
from flink_jobs_provider.model.savepoint import Savepoint, SavepointReason
from flink_jobs_provider.model.savepoint_retention import SavepointRetention
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import (
    AzureCredential,
    BasicAuth,
    DliTarget,
    FlinkTarget,
    HDInsightTarget,
    Tls,
)
from flink_jobs_provider.model.target.dli import (
    DliResourceConfig,
    DliResourceSpec,
    DliSettings,
)
from flink_jobs_provider.model.timeouts import Timeouts
from flink_jobs_provider.planning.diff import cost_of_dli

PAGE = Path(__file__).with_name("resource-reference.md")

_COSTS = {
    Cost.RECORDED: "nothing",
    Cost.IN_PLACE: "changed while it runs",
    Cost.SAVEPOINT: "savepoint",
    Cost.RUN_STATE: "stop or start",
    Cost.RESTART: "restart",
    Cost.REFUSED: "refused",
    Cost.REPLACE: "replace",
}
#: What is said of each object, over its table.
_OBJECTS: dict[type[BaseModel], str] = {
    FlinkTarget: "The `target`. A path in `url` is kept, for a cluster behind a proxy.",
    HDInsightTarget: "The `target`, for HDInsight on AKS or a gateway; see [its "
    "guide](hdinsight.md).",
    AzureCredential: "`credential` of an `HDInsightCluster`.",
    DliTarget: "The `target`, for Data Lake Insight or a gateway; see [its guide](dli.md). Either "
    "`region` or `endpoint` must be given, and either `token` or `access_key` with `secret_key`.",
    DliSettings: "`dli` of a job whose target is a `DliProject`, by the names of the service's own "
    "fields. What is not given is left to the service.",
    DliResourceConfig: "`resource_config` of `DliSettings`. It excludes `cu_number`, "
    "`manager_cu_number`, `tm_cus` and `tm_slot_num`.",
    DliResourceSpec: "Of a `DliResourceConfig`.",
    BasicAuth: "`basic_auth` of a target.",
    Tls: "`tls` of a target. Files are PEM files on the machine that runs Pulumi.",
    HealthGate: "`health` of a job: see [the health gate](upgrades-and-state.md#the-health-gate).",
    Rehearsal: "`rehearsal` of a job: see [how an upgrade is "
    "proven](how-an-upgrade-is-proven.md#rehearse).",
    SavepointRetention: "`savepoint_retention` of a job: see [old "
    "savepoints](upgrades-and-state.md#disposing-of-old-savepoints).",
    Timeouts: 'Durations carry their unit: `"90s"`, `"10m"`, `"1h30m"`.',
}
_UNDESCRIBED = {
    "path": "Where it lies, as Flink names it.",
    "taken_at": "When it was taken: UTC, ISO 8601; empty where that is not known.",
    "reason": "Why it was taken.",
    "run": "On a job service: of which run of the job, by the time of its start or Flink's jobId.",
}
_WORDS: dict[type[StrEnum], dict[str, str]] = {
    JobStatus: {
        "STARTING": "accepted, and its tasks do not run yet",
        "RUNNING": "runs",
        "RESTARTING": "Flink restarts it after a failure",
        "STOPPED": "ended with a savepoint, as was asked",
        "FINISHED": "came to its own end; starts again only when that is asked for",
        "CANCELED": "was cancelled by somebody else",
        "FAILED": "failed, and Flink has given it up",
        "LOST": "was recorded as active, and its cluster no longer knows it",
    },
    Action: {
        "NEW": "first start",
        "START": "start of a job that does not run, with its state",
        "STOP": "stop with savepoint",
        "UPDATE": "stop with savepoint, start the new version from it",
        "STATELESS_UPDATE": "a fresh start, state dropped on purpose",
        "LAST_STATE_UPDATE": "cancel, start from the latest retained checkpoint",
        "RE_LAUNCH": "never recorded by a session cluster: a gateway's start of a failed job",
        "SAVEPOINT": "savepoint, the job goes on",
        "LIST_SAVEPOINT": "never recorded",
        "CANCEL": "never recorded: the resource is gone then",
        "DELETE": "never recorded: the resource is gone then",
    },
    ActionResult: {
        "IN_PROGRESS": "never recorded by a session cluster",
        "SUCCESS": "done, and seen to be so",
        "FAILED": "a new version did not start, or it or its rehearsal did not pass its health "
        "gate; `job_output` holds why, `job_id` what runs now",
    },
    SavepointReason: {
        "STOP": "`desired_state` became stopped",
        "UPDATE": "a new version was to be started",
        "SAVEPOINT": "`savepoint_trigger` changed; or a new version was to be started alongside",
        "DELETE": "`on_delete` asked for it; printed, since the resource is gone then",
        "DUPLICATE": "of the older one of two copies that ran",
        "REHEARSAL": "a copy of a new version was started from it, while the job went on",
        "FOUND": "taken by an interrupted run or by somebody else, and found",
    },
}


def page(inputs: type[JobSpec] = JobSpec) -> str:
    """Return the whole page.

    Args:
        inputs: The model of a job's inputs.
    """
    parts = [_HEAD, _inputs(inputs), _objects(), _outputs(), _words(), _TAIL]
    return "\n".join(part.strip() + "\n" for part in parts)


def _inputs(model: type[JobSpec]) -> str:
    schema = model.model_json_schema()
    rows = []
    for name, field in model.model_fields.items():
        if name == "jar_digest":
            continue  # computed: an output for people
        meaning = on_change(model)[name]
        cost = meaning.reference or _COSTS[meaning.cost]
        kind = _type(schema["properties"][name], schema)
        if name == "args":
            kind += ", or text"
        default = _default(name, field)
        rows.append([f"`{name}`", kind, default, _meaning(name, field.description), cost])
    return _table(["input", "type", "default", "meaning", "a change costs"], rows)


def _objects() -> str:
    return "## Objects\n\n" + "\n\n".join(
        f"### {name_for_programs(model)}\n\n{text}\n\n{_fields(model)}"
        for model, text in _OBJECTS.items()
    )


def _fields(model: type[BaseModel]) -> str:
    schema = model.model_json_schema()
    rows = [
        [
            f"`{name}`",
            _type(schema["properties"][name], schema),
            _default(name, field),
            _meaning(name, field.description),
        ]
        for name, field in model.model_fields.items()
    ]
    if model is not DliSettings:
        return _table(["property", "type", "default", "meaning"], rows)
    priced = [
        [*row, _COSTS[cost_of_dli(name)]]
        for row, name in zip(rows, model.model_fields, strict=True)
    ]
    return _table(["property", "type", "default", "meaning", "a change costs"], priced)


def _outputs() -> str:
    schema = JobRecord.model_json_schema()
    digest = JobSpec.model_fields["jar_digest"].description
    rows = [
        [
            f"`{name}`",
            _type(schema["properties"][name], schema),
            _meaning(name, JobRecord.model_fields[name].description),
        ]
        for name in JobRecord.output_names()
    ]
    rows.append(["`jar_digest`", "text", _meaning("jar_digest", digest)])
    return f"""## Outputs

Every input is an output too, under its own name. Beyond that:

{_table(["output", "type", "meaning"], rows)}

### A savepoint in `savepoints`

{_fields(Savepoint)}

### A version in `history`

{_fields(RecordedVersion)}
"""


def _words() -> str:
    headings = {
        JobStatus: "Values of `status`",
        Action: "Values of `action`",
        ActionResult: "Values of `action_result`",
        SavepointReason: "Values of a savepoint's `reason`",
    }
    sections = []
    for enum, heading in headings.items():
        rows = [[f"`{word}`", _WORDS[enum][word]] for word in enum]
        sections.append(f"### {heading}\n\n{_table(['word', 'meaning'], rows)}")
    return "\n\n".join(sections)


def _meaning(name: str, description: str | None) -> str:
    return " ".join((description or _UNDESCRIBED[name]).split())


def _default(name: str, field: FieldInfo) -> str:
    if name == "owner":
        return "the stack: organization/project/stack"
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, Timeouts):
        return "see [Timeouts](#timeouts)"
    if value is None:
        return "none"
    return f"`{json.dumps(value).strip(chr(34))}`" if value not in ("", [], {}) else "empty"


def _type(schema: dict[str, Any], root: dict[str, Any]) -> str:
    """Name a JSON Schema's type for people."""
    if "$ref" in schema:
        return _named(schema["$ref"].rsplit("/", 1)[-1], root)
    choices = schema.get("anyOf") or schema.get("oneOf") or []
    options = [option for option in choices if option.get("type") != "null"]
    if options:
        return " or ".join(_type(option, root) for option in options)
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    kind = schema.get("type", "object")
    if kind == "array":
        return f"list of {_type(schema['items'], root)}"
    if kind == "object":
        return "map of text"
    words = {"integer": "whole number", "boolean": "true or false", "string": "text"}
    return {**words, "number": "number"}[kind]


def _named(name: str, root: dict[str, Any]) -> str:
    choices = root["$defs"][name].get("enum")
    if choices and len(choices) <= 4:
        return ", ".join(f"`{choice}`" for choice in choices)
    if choices:
        return "text"
    called = {model.__name__: name_for_programs(model) for model in _OBJECTS}
    word = called.get(name)
    return f"[{word}](#{word.lower()})" if word else "object"


def _table(headings: list[str], rows: list[list[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines
    )


_HEAD = """
# Resource reference

<!-- Written by docs/build_reference.py from the model; change that, not this page. -->

`FlinkJob(name, …)` takes the inputs below as keywords, or one `FlinkJobArgs` with the same names.
A [job file](job-files.md) has the same names, too. Invalid inputs are all reported at once, each on
its property, before anything is changed.

What a change costs:

- **nothing**: it is recorded, and holds from the next action on;
- **changed while it runs**: the job goes on. Through a gateway it is written down then, and counts
  from the next start on;
- **savepoint**: a savepoint is taken, and the job goes on;
- **stop or start**: the job is stopped with a savepoint, or started from it;
- **restart**: the job is stopped and its new version started, as `upgrade_mode` says; see
  [upgrades and state](upgrades-and-state.md);
- **replace**: it is another job. This is refused, unless `restore_from` says where the new one
  starts, or `upgrade_mode` is `stateless`;
- **refused**: the service takes it when the job is created, and never again.

## Inputs
"""

_TAIL = """
## Notes

- **References.** A secret of a target is never written down: it is `env:NAME`, an environment
  variable of the machine that runs Pulumi, or `config:KEY`, a key of the stack's configuration
  (`project:key`, or `key` alone for one of the project's own). See [security](security.md).
- **`jar_digest`** is computed at each preview, so new bytes under an old path are a change.
- **`flink_configuration`.** Options that an input stands for are refused by name, such as
  `parallelism.default`. Numbers and booleans are written as Flink writes them. [Options of
  Flink](#options-of-flink) describes the other checks.
- **`savepoints`** lists the newest 50. No file is ever removed.
- **On a job service** (`HDInsightCluster`, `DliProject`) these outputs stay empty:
  `running_parallelism`, `retains_checkpoints`, `flink_version`, `dashboard_url`, `duplicates`.
  `run_id` stays empty on Flink. The rest of what differs is in the guides:
  [HDInsight on AKS](hdinsight.md), [Data Lake Insight](dli.md).
- **`last_savepoint`** is empty after a fresh start. In a cloud's Data Lake Insight it is the newest
  that the service [does not delete](dli.md#savepoints), where there is one.

## Options of Flink

Options in `flink_configuration` that would have no effect are found in the preview. Of

```yaml
flink_configuration:
  taskmanager.numberOfTaskSlots: 4
  execution.checkpointing.timeout: 10 sekunden
  execution.chekpointing.interval: 30s
```

the first two are refused, and the third, which may be an option of your own, is warned of:

```text
flink_configuration.taskmanager.numberOfTaskSlots: is an option of the cluster and has \
no effect on a job submitted to a session cluster: take it out here, and set it in the cluster's \
own configuration
flink_configuration.execution.checkpointing.timeout: must be a duration such as \
"10 s" or "5 min" (got '10 sekunden')
orders: warning: flink_configuration.execution.chekpointing.interval is not an \
option of Flink 1.17 to 2.3, and is passed on as it is; did you mean \
execution.checkpointing.interval?
```

- **Options of the cluster** (`jobmanager.memory.…`, `taskmanager.numberOfTaskSlots`, `rest.…`,
  `kubernetes.…` and the like) are read by the cluster's processes when they start. On a
  `FlinkSessionCluster` they are refused where that is certain; where a job might be affected, such
  as by `jobmanager.execution.failover-strategy`, a warning is given. Through the API of HDInsight
  on AKS, and through a gateway, which take any option, it is a warning. In a cloud's Data Lake
  Insight, where each run has a cluster of its own, they are passed on.
- **Values** of known options must be what Flink can parse: durations, memory sizes, numbers,
  booleans, and the words of an enum, as any version from 1.17 to 2.3 takes them.
- **Keys** must not be empty, nor have blanks around them. Unknown ones, such as those of
  connectors, file systems and metrics reporters, are passed on; one that is nearly a known one is
  warned of.
- **What a job has already** is warned of, and not refused: an option that was recorded before with
  the same value stops no run. To take it out is a change of `flink_configuration`, a restart.

The options of Flink are those that its own classes declare, in each version from 1.17 to 2.3
(`tools/flink_options/build.py`).
"""


def main() -> int:
    """Write the page, or with --check only tell whether it is up to date."""
    text = page()
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
            return 0
        sys.stderr.write(f"{PAGE.name} is out of date: run python docs/build_reference.py\n")
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
