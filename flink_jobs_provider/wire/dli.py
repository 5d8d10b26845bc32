"""The jar-job API of Data Lake Insight as data: fields, defaults, limits, statuses.

Sources: the API references of Huawei Cloud and OTC (creating, updating and querying a Flink jar
job), Huawei's SDKs for Python and Go, and its Terraform provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

JOB_TYPE = "flink_jar_job"
#: All that a list can be filtered by; this project has jar jobs alone.
JOB_TYPES = (JOB_TYPE, "flink_sql_job", "flink_opensource_sql_job", "flink_sql_edge_job")
LONGEST_NAME = 57
#: How checkpoint modes are written; they are read as words.
CHECKPOINT_MODES: Mapping[int, str] = {1: "exactly_once", 2: "at_least_once"}


class Kind(Enum):
    """What the values of a field are, on the wire."""

    TEXT = "text"
    #: A text whose case does not count.
    WORD = "word"
    #: Texts that are split at blanks.
    ARGUMENTS = "arguments"
    FLAG = "flag"
    NUMBER = "number"
    #: A path in OBS, with or without its scheme.
    PLACE = "place"
    PLACES = "places"
    CHECKPOINT_MODE = "checkpoint mode"
    #: Flink's options as the text of a JSON object, or of a list of `key` and `value`.
    OPTIONS = "options"
    RESOURCES = "resources"
    TAGS = "tags"


class Change(Enum):
    """When a change of a field is taken, and what it costs."""

    #: While the job does not run; it makes another version.
    STOPPED = "stopped"
    #: While the job runs, too.
    RUNNING = "running"
    #: While the job does not run; it is no part of the version.
    DESCRIBING = "describing"
    #: Never: the field is set when the job is created.
    AT_CREATION = "at creation"


@dataclass(frozen=True)
class JobField:
    """A field of a jar job.

    Attributes:
        default: What the service documents for a job that does not give it; None where it
            documents none, or computes one.
        longest: Characters that it has at most.
        change: When a change of it is taken.
        top_level: Whether a job's details show it alongside `job_config`, not in it.
        filled_in: Whether the service may set it by itself, so that it is no evidence of what was
            asked for.
        own_machinery: Whether it needs what the service has besides Flink, and a gateway has not.
    """

    kind: Kind
    default: Any = None
    longest: int | None = None
    change: Change = Change.STOPPED
    top_level: bool = False
    filled_in: bool = False
    own_machinery: bool = False


JOB_FIELDS: Mapping[str, JobField] = {
    "name": JobField(Kind.TEXT, longest=LONGEST_NAME, change=Change.AT_CREATION, top_level=True),
    "desc": JobField(Kind.TEXT, "", longest=512, change=Change.DESCRIBING, top_level=True),
    "tags": JobField(Kind.TAGS, change=Change.AT_CREATION, top_level=True),
    "queue_name": JobField(Kind.TEXT, longest=128, top_level=True),
    "entrypoint": JobField(Kind.PLACE),
    "main_class": JobField(Kind.TEXT, top_level=True),
    "entrypoint_args": JobField(Kind.ARGUMENTS, top_level=True),
    "dependency_jars": JobField(Kind.PLACES, (), own_machinery=True),
    "dependency_files": JobField(Kind.PLACES, (), own_machinery=True),
    "feature": JobField(Kind.WORD, "basic"),
    "flink_version": JobField(Kind.TEXT),
    "image": JobField(Kind.TEXT, "", own_machinery=True),
    "execution_agency_urn": JobField(Kind.TEXT, "", filled_in=True),
    "parallel_number": JobField(Kind.NUMBER, 1),
    "cu_number": JobField(Kind.NUMBER, 2),
    "manager_cu_number": JobField(Kind.NUMBER, 1),
    "tm_cus": JobField(Kind.NUMBER, 1),
    "tm_slot_num": JobField(Kind.NUMBER),
    "resource_config_version": JobField(Kind.WORD, "v1"),
    "resource_config": JobField(Kind.RESOURCES),
    "checkpoint_enabled": JobField(Kind.FLAG, default=False),
    "checkpoint_mode": JobField(Kind.CHECKPOINT_MODE, CHECKPOINT_MODES[1]),
    "checkpoint_interval": JobField(Kind.NUMBER, 10),
    "checkpoint_path": JobField(Kind.PLACE, "", change=Change.RUNNING, filled_in=True),
    "restart_when_exception": JobField(Kind.FLAG, default=False, change=Change.RUNNING),
    "resume_checkpoint": JobField(Kind.FLAG, default=False, change=Change.RUNNING),
    "resume_max_num": JobField(Kind.NUMBER, -1, change=Change.RUNNING),
    "runtime_config": JobField(Kind.OPTIONS),
    "log_enabled": JobField(Kind.FLAG, default=False),
    "obs_bucket": JobField(Kind.PLACE, "", change=Change.RUNNING, filled_in=True),
    "smn_topic": JobField(Kind.TEXT, "", change=Change.RUNNING, own_machinery=True),
    "flink_log_config": JobField(Kind.TEXT, ""),
}
#: The resources of version 1, which exclude `resource_config`, those of version 2.
RESOURCES_V1 = ("cu_number", "manager_cu_number", "tm_cus", "tm_slot_num")
WHILE_RUNNING = frozenset(n for n, f in JOB_FIELDS.items() if f.change is Change.RUNNING)
#: `name` is given when a job is created, too, and is no setting: it is the job's identity.
AT_CREATION = frozenset({"tags"})
DESCRIBING = frozenset(n for n, f in JOB_FIELDS.items() if f.change is Change.DESCRIBING)
TOP_LEVEL = frozenset(n for n, f in JOB_FIELDS.items() if f.top_level)


def checkpoint_mode(value: Any) -> str:
    """Return a checkpoint mode as a word, whether it is one or the number that stands for it."""
    for number, word in CHECKPOINT_MODES.items():
        if value == number or str(value) == str(number):
            return word
    return str(value).lower()


def slots_by_default(config: Mapping[str, Any]) -> int:
    """Return the slots of a TaskManager of a job that does not give `tm_slot_num`.

    The API reference computes them as `parallel_number * tm_cus / (cu_number -
    manager_cu_number)`. It does not define how a fraction is rounded: here it is rounded up, so
    that all tasks find a slot.
    """
    parallelism, total, manager, each = (
        int(config.get(name) or JOB_FIELDS[name].default)
        for name in ("parallel_number", "cu_number", "manager_cu_number", "tm_cus")
    )
    return max(1, -(-parallelism * each // max(1, total - manager)))


class DliStatus(StrEnum):
    """The service's words for what a job does."""

    INIT = "job_init"
    SUBMITTING = "job_submitting"
    SUBMIT_FAIL = "job_submit_fail"
    RUNNING = "job_running"
    RUNNING_EXCEPTION = "job_running_exception"
    DOWNLOADING = "job_downloading"
    IDLE = "job_idle"
    CANCELING = "job_canceling"
    CANCEL_SUCCESS = "job_cancel_success"
    CANCEL_FAIL = "job_cancel_fail"
    SAVEPOINTING = "job_savepointing"
    FINISH = "job_finish"
    ARREARAGE_STOPPED = "job_arrearage_stopped"
    ARREARAGE_RECOVERING = "job_arrearage_recovering"
