"""How this API words errors: by its calls and fields, instead of the gateway's actions."""

from __future__ import annotations

from collections.abc import Mapping

from flink_jobs_provider.gateway.action_words import ACTION_WORDS, ActionRemedy, setting_or
from flink_jobs_provider.gateway.outputs import in_words
from flink_jobs_provider.model.remedies import Remedy, RemedyCode, Wording

_FROM_NOTHING = "a run without resume_savepoint starts it from nothing"
_IMPORT_OR_EMPTY = (
    f"Import a savepoint and run it with resume_savepoint to start it from there; {_FROM_NOTHING}"
)
_IMPORT_OLDER = (
    "Put it back; or import the older one and run it with resume_savepoint, to go back to it"
)
_FROM_NEWEST = "A run with resume_savepoint starts it from its newest state"

#: Those that are not worded as for the actions.
_SENTENCES: Mapping[RemedyCode, str] = {
    Remedy.RESTORE_OR_EMPTY_OR_STOPPED: _IMPORT_OR_EMPTY,
    Remedy.PUT_BACK_OR_RESTORE: f"Put it back; or import another savepoint; {_FROM_NOTHING}",
    Remedy.PUT_BACK_OR_RESTORE_OLDER: _IMPORT_OLDER,
    Remedy.PUT_BACK_OR_RESTORE_OLDER_AGAIN: _IMPORT_OLDER,
    Remedy.REFRESH_OR_RESTORE: _IMPORT_OR_EMPTY,
    Remedy.TAKE_RESTORE_OUT: "To go on from the state it has, import no savepoint",
    Remedy.ADOPT_WHEN_MAIN_ENDS: "The same call adopts that job",
    Remedy.RENAME_OR_OWN: "Choose another name",
    Remedy.KEEP_OPERATOR_IDS: "Give each operator the uid that it had, a fixed one; or set "
    "execution.savepoint.ignore-unclaimed-state to true in runtime_config, to drop that state",
    Remedy.RESTART_AS_DECLARED: "The same call retries it",
    Remedy.NAME_SAVEPOINT_DIRECTORY: "Set state.savepoints.dir in runtime_config",
    Remedy.FIX_PROGRAM: "Fix the entrypoint, main_class or entrypoint_args, and run it again",
    Remedy.RETAIN_CHECKPOINTS: "Set {option} to {value} in runtime_config and run it again",
    Remedy.LAST_STATE_OR_EMPTY: "Stop it without trigger_savepoint: a run with resume_savepoint "
    "goes on from its latest retained checkpoint, one without drops its state",
    Remedy.STOP_FIRST: "{put_back}; or stop the job with trigger_savepoint, change it, and run it "
    "with resume_savepoint",
    ActionRemedy.NEW_OR_DELETE_DRAFT: "It was never started: a run starts it",
    ActionRemedy.START_OR_DELETE: "A run with resume_savepoint starts it from its last savepoint",
    ActionRemedy.RUN_AGAIN_OR_DELETE: f"It came to its own end; {_FROM_NOTHING}",
    ActionRemedy.RE_LAUNCH_OR_DELETE: _FROM_NEWEST,
    ActionRemedy.LAUNCH_OR_DELETE: "A run starts it",
    ActionRemedy.UPDATE_OR_FREE_NAME: "Its name is free again when it is deleted",
    ActionRemedy.UPDATE_OR_STOP: "Stop it, and run it again",
    ActionRemedy.STOP_THEN_DELETE: "Stop it, and delete it then",
    ActionRemedy.LIST_SAVEPOINTS: "The newest is its savepoint_path",
    ActionRemedy.UPDATE: "Stop it and run it with resume_savepoint",
    ActionRemedy.NO_SAVEPOINT_OR_UPDATE: "A run with resume_savepoint starts from a savepoint",
}
#: The field of this API by the input of a job that it gives.
FIELD_OF = {
    "jar": "entrypoint",
    "entry_class": "main_class",
    "args": "entrypoint_args",
    "parallelism": "parallel_number",
    "flink_configuration": "runtime_config",
    "savepoint_directory": "runtime_config",
    "allow_non_restored_state": "runtime_config",
    "restore_from": "savepoint_path",
    "job_name": "name",
}

CALL_WORDS = Wording(
    lambda field: setting_or(FIELD_OF, field), {**ACTION_WORDS.sentences, **_SENTENCES}
)


def output_in_call_words(output: str) -> str:
    """Return what an action reported, in the words of this API."""
    return in_words(output, CALL_WORDS)
