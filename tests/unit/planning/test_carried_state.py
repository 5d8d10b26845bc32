"""Which jobs a cancel from outside sets back, without anybody having asked for that."""

from __future__ import annotations

import pytest

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.flink_options import RETAINED, RETENTION
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.planning.retention import is_set_back_by_a_cancel
from tests.unit.model.made_up_jobs import spec

KEPT = {"flink_configuration": {RETENTION: RETAINED}}
DROPPED = {"flink_configuration": {RETENTION: "DELETE_ON_CANCELLATION"}}


@pytest.mark.parametrize(
    ("seen", "recorded", "wanted", "expected"),
    [
        ({"retains_checkpoints": False}, {}, {}, True),
        ({"retains_checkpoints": True}, {}, {}, False),
        ({"retains_checkpoints": None}, {}, {}, False),
        ({"retains_checkpoints": False, "status": JobStatus.STOPPED}, {}, {}, False),
        ({"retains_checkpoints": False}, {}, {"upgrade_mode": "stateless"}, False),
        ({"retains_checkpoints": False}, {}, KEPT, False),
        ({"retains_checkpoints": False}, DROPPED, DROPPED, False),
        ({"retains_checkpoints": False}, KEPT, KEPT, True),
    ],
    ids=[
        "not retained",
        "retained",
        "no checkpoints",
        "stopped",
        "state is dropped anyway",
        "this update retains them",
        "asked for",
        "the program sets it otherwise",
    ],
)
def test_who_is_warned(
    seen: dict[str, object], recorded: dict[str, object], wanted: dict[str, object], expected: bool
) -> None:
    record = JobRecord.model_validate(
        {"spec": spec(**recorded), "status": JobStatus.RUNNING, "job_id": "0" * 32, **seen}
    )
    assert is_set_back_by_a_cancel(record, spec(**wanted)) == expected
