"""The words of errors as callers of the job APIs know them: their actions, properties and places.

The reconciler names the inputs of a `FlinkJob`, and where a jar lies on this machine. A caller of
an API has neither.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from flink_jobs_provider.gateway.clusters import ClusterConfiguration
from flink_jobs_provider.gateway.mounts import Mounts
from flink_jobs_provider.model.errors import JobError

#: Says an error, or what an action waits for, of the cluster with a key.
Worded = Callable[[str, str], str]

FROM_ELSEWHERE = (
    "START or RE_LAUNCH with a savepoint starts it from there; STATELESS_UPDATE starts it from "
    "nothing"
)
FROM_ANOTHER = (
    "name another savepoint to START or RE_LAUNCH; STATELESS_UPDATE starts it from nothing"
)
FROM_OLDER = "name the older one to START or RE_LAUNCH, to go back to it"
LAST_STATE_OR_NOTHING = (
    "LAST_STATE_UPDATE goes on from its latest retained checkpoint, STATELESS_UPDATE drops its "
    "state"
)
_SAVEPOINT_OR_NOTHING = (
    'set restore_from to a savepoint, or upgrade_mode to "stateless" to start from nothing'
)

#: What the reconciler says, and what can be done instead of it by an API; whole phrases first.
_PHRASES = {
    f'S{_SAVEPOINT_OR_NOTHING[1:]}, or desired_state to "stopped" to leave it so': FROM_ELSEWHERE,
    "Refresh (preview --refresh, up --refresh): the plan says it then; or "
    + _SAVEPOINT_OR_NOTHING: FROM_ELSEWHERE,
    _SAVEPOINT_OR_NOTHING: FROM_ANOTHER,
    ', after a run without restore_from and with desired_state "stopped", since it counts once': "",
    "set restore_from to the older one, to go back to it": FROM_OLDER,
    'Use upgrade_mode "last-state" to go on from its latest retained checkpoint, or "stateless" to '
    "drop its state": LAST_STATE_OR_NOTHING,
    "upgrade_mode last-state needs": "LAST_STATE_UPDATE needs",
    'or use upgrade_mode "savepoint"': "or use UPDATE alone, which takes a savepoint",
    " (timeouts.submit)": "",
    ": nothing else was started, and it was not taken out of the stack": ": nothing else was done",
    "Run again when main has ended, or raise timeouts.submit to wait for it. If that main is known "
    "to be another job's, refresh (up --refresh); or, for a job that is not in the stack yet, "
    "remove its jar from the cluster": "Ask again when main has ended",
    "Run again: that job is then adopted, or ended if it is not wanted any more. Raise "
    "timeouts.submit above the time that main takes": "The same action adopts that job",
    "Run again; or set restart_trigger, which restarts it as it is declared": "The same action "
    "tries it again",
    "Run again to wait for it, or raise timeouts.savepoint": "Ask again to wait for it",
    "Choose another job_name; or set owner, if the stack was renamed": "Choose another jobName",
    ' (desired_state "stopped")': " (STOP)",
    "Set savepoint_directory": "Set savepoint.directory in flinkConfiguration",
}
#: Names that are left: of properties, of options, of the gateway's own settings.
_NAMES = {
    "restore_from": "savePointName",
    "entry_class": "entryClass",
    "job_name": "jobName",
    "flink_configuration": "flinkConfiguration",
    "savepoint_directory": "savepoint.directory",
    "allow_non_restored_state": "execution.savepoint.ignore-unclaimed-state",
}
_NAME = re.compile(rf"(?<![\w./-])({'|'.join(_NAMES)})(?![\w/-])")
#: A list of settings, such as "target.basic_auth, target.bearer_token or target.secret_headers".
_SETTINGS = re.compile(r"(?<![\w./-])target\.\w+(?:\.\w+)*(?:(?:, | or )target\.\w+)*")


def in_api_words(text: str) -> str:
    """Return a text of the reconciler in which actions and properties of the API are named."""
    for phrase, instead in _PHRASES.items():
        text = text.replace(phrase, instead)
    text = _NAME.sub(lambda found: _NAMES[found[1]], text)
    return _SETTINGS.sub(
        lambda found: f"{found[0].replace('target.', 'flink.')} in the gateway's configuration",
        text,
    )


def explained(error: JobError) -> str:
    """Return an error as the action's output."""
    return in_api_words(str(error))


def places_masked(clusters: Iterable[ClusterConfiguration]) -> Worded:
    """Return what names places below mounts as callers of their cluster would."""
    mounts = {cluster.key: Mounts(cluster.mounts) for cluster in clusters}
    return lambda cluster, text: (
        mounts[cluster].in_callers_words(text) if cluster in mounts else text
    )
