"""Whether a Pulumi stack declares a job, as far as the records show it.

The provider leaves a note of its own with each version that it submits, on either API. A job
without one may still be declared: by another tool, or by a stack whose note somebody took away.
"""

from __future__ import annotations

import json
from typing import Any

from flink_jobs_provider.gateway.apis.dli.translation import AS_GIVEN
from flink_jobs_provider.gateway.job_service import JobRow
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.wire import SPEC_NOTE

#: Actions after which a job is as its stack declares it, as it was before.
_CHANGES_NOTHING = (Action.SAVEPOINT, Action.LIST_SAVEPOINT)


def has_stack_note(row: JobRow) -> bool:
    """Whether a stack has left its note with a job's version."""
    if SPEC_NOTE in row.record.spec.flink_configuration:
        return True
    config = row.as_given.get(AS_GIVEN)
    given = config.get("runtime_config") if isinstance(config, dict) else None
    try:
        content: Any = json.loads(given) if isinstance(given, str) else None
    except ValueError:
        return False
    if isinstance(content, list):
        return any(isinstance(pair, dict) and pair.get("key") == SPEC_NOTE for pair in content)
    return isinstance(content, dict) and SPEC_NOTE in content


def sets_apart(action: Action) -> bool:
    """Whether an action may make a job another one than its stack declares."""
    return action not in _CHANGES_NOTHING
