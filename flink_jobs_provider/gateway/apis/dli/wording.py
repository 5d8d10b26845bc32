"""What actions said, in the words of this API: its calls and fields instead of the actions."""

from __future__ import annotations

import re

from flink_jobs_provider.gateway.jobs.transitions import INSTEAD
from flink_jobs_provider.gateway.jobs.wording import (
    FROM_ANOTHER,
    FROM_ELSEWHERE,
    FROM_OLDER,
    LAST_STATE_OR_NOTHING,
)
from flink_jobs_provider.wire.hdinsight import LAUNCH_FAILED

_FROM_NOTHING = "a run without resume_savepoint starts it from nothing"
_PHRASES = {
    FROM_ELSEWHERE: "Import a savepoint and run it with resume_savepoint to start it from there; "
    + _FROM_NOTHING,
    FROM_ANOTHER: "import another savepoint; " + _FROM_NOTHING,
    FROM_OLDER: "import the older one and run it with resume_savepoint, to go back to it",
    "LAST_STATE_UPDATE needs": "an update from its last checkpoint needs",
    LAST_STATE_OR_NOTHING: "Stop it without trigger_savepoint: a run with resume_savepoint goes on "
    "from its latest retained checkpoint, one without drops its state",
    "with an UPDATE first, or use UPDATE alone, which takes a savepoint": "and run it anew",
    "STATELESS_UPDATE starts from nothing: leave the savepoint out, or use UPDATE": "A run without "
    "resume_savepoint starts from nothing",
    "LIST_SAVEPOINT lists those that are there": "The newest is its savepoint_path",
    "UPDATE brings it to what is wanted": "Stop it and run it with resume_savepoint",
    "STOP it with a savepoint, or CANCEL it, and DELETE it then": "Stop it, and delete it then",
    "; or stop the job with a savepoint first (STOP), and start the new version from it": "; or "
    "stop the job with trigger_savepoint, change it, and run it with resume_savepoint",
    INSTEAD["STOPPED"]: "A run with resume_savepoint starts it from its last savepoint",
    INSTEAD["FINISHED"]: "It came to its own end; " + _FROM_NOTHING,
    INSTEAD["FAILED"]: "A run with resume_savepoint starts it from its newest state",
    INSTEAD[LAUNCH_FAILED]: "A run starts it",
    "savepoint.directory in flinkConfiguration": "state.savepoints.dir in runtime_config",
}
_NAMES = {
    "savePointName": "savepoint_path",
    "entryClass": "main_class",
    "jobName": "name",
    "flinkConfiguration": "runtime_config",
    "savepoint.directory": "state.savepoints.dir",
}
_NAME = re.compile(rf"(?<![\w./-])({'|'.join(map(re.escape, _NAMES))})(?![\w/-])")


def output_in_dli_words(output: str) -> str:
    """Return what an action said, with the calls of this API that would help."""
    for phrase, instead in _PHRASES.items():
        output = output.replace(phrase, instead)
    return _NAME.sub(lambda found: _NAMES[found[1]], output)
