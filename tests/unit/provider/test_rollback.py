"""Which version a rollback takes, from which state, and what is refused before anything stops."""

from __future__ import annotations

from typing import Any

import pytest

from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.history import RecordedVersion
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import Savepoint
from flink_jobs_provider.planning.plan import plan
from flink_jobs_provider.provider.rollback import FromState, roll_back_to
from flink_jobs_provider.reconciling.version_history import VersionInputs
from tests.unit.model.made_up_jobs import DIGEST_1, DIGEST_2, SAVEPOINT, record, spec

NOW, THEN = FromState.NOW, FromState.THEN


def recorded(**changes: Any) -> JobRecord:
    """Return the record of `orders` in its third version, after one that failed."""
    first = spec(args=["--key", "hunter2"], parallelism=4, restart_trigger="one")
    third = spec(jar="new.jar", jar_digest=DIGEST_2, **changes.pop("inputs", {}))
    listed = [
        RecordedVersion(number=3, action=Action.UPDATE, job_id="3" * 32),
        RecordedVersion(number=2, result=ActionResult.FAILED, failure="it threw"),
        RecordedVersion(number=1, action=Action.NEW, job_id="1" * 32, savepoint=SAVEPOINT),
    ]
    inputs = {
        "3": VersionInputs(third.of_version()).text(),
        "1": VersionInputs(first.of_version(), frozenset({"args"})).text(),
    }
    return record(
        third, job_id="3" * 32, generation=3, history=listed, version_inputs=inputs, **changes
    )


def test_the_inputs_of_the_version_come_back_and_no_others() -> None:
    now = recorded(inputs={"on_delete": "savepoint", "restart_trigger": "three"})
    back = roll_back_to(now, 1, NOW)
    assert (back.wanted.jar, back.wanted.jar_digest) == ("orders.jar", DIGEST_1)
    assert (back.wanted.args, back.wanted.parallelism) == (["--key", "hunter2"], 4)
    assert back.wanted.restart_trigger == "one"
    assert back.wanted.on_delete == "savepoint"
    assert back.wanted.restore_from is None
    assert back.base is now
    assert back.secret == {"args"}
    assert (back.secret_texts, back.drops) == (["--key", "hunter2"], "")
    assert back.why.startswith("rollback to version 1 with its state of now: UPDATE, stop with ")
    assert "hunter2" not in back.why


def test_the_state_that_it_left_is_named_each_time() -> None:
    """Shows that it counts also where the job was started from it before."""
    now = recorded(inputs={"restore_from": SAVEPOINT})
    back = roll_back_to(now, 1, THEN)
    assert back.wanted.restore_from == SAVEPOINT
    assert back.base.spec.restore_from is None
    assert back.as_recorded(back.base).spec.restore_from == SAVEPOINT, "as the program names it"
    assert f"and restart from {SAVEPOINT} instead" in back.why
    assert "since version 1 ended" in back.drops
    assert "version 3. A savepoint" in back.drops


def test_what_was_named_for_the_rollback_alone_is_not_recorded() -> None:
    """Shows that the next run of a program without a restore point finds none to be removed."""
    back = roll_back_to(recorded(), 1, THEN)
    assert back.as_recorded(record(back.wanted)).spec.restore_from is None


def test_a_stateless_job_drops_its_state_also_now() -> None:
    back = roll_back_to(recorded(inputs={"upgrade_mode": "stateless"}), 1, NOW)
    assert back.drops == "The state of the job is dropped, as its upgrade_mode is stateless."


def test_a_stopped_job_is_started() -> None:
    stopped = recorded(
        inputs={"desired_state": "stopped"}, status=JobStatus.STOPPED, last_savepoint=SAVEPOINT
    )
    assert roll_back_to(stopped, 3, NOW).plan.action is Action.START


@pytest.mark.parametrize(
    ("number", "start", "reason"),
    [
        (4, NOW, "no version 4 is on record: those are 1, 3"),
        (2, NOW, "version 2 did not start: it threw"),
        (3, NOW, "version 3 is what runs already"),
        (3, THEN, "version 3 has left no state to go back to: it runs"),
    ],
)
def test_refusals(number: int, start: FromState, reason: str) -> None:
    with pytest.raises(PermanentError) as caught:
        roll_back_to(recorded(), number, start)
    assert caught.value.reason == f"orders: {reason}"
    assert caught.value.now == "Nothing was changed."


def test_a_version_without_inputs_on_record() -> None:
    with pytest.raises(PermanentError, match="the inputs of version 1 are not on record"):
        roll_back_to(recorded().model_copy(update={"version_inputs": {}}), 1, NOW)


def test_a_version_whose_savepoint_was_disposed_of_says_so() -> None:
    """Shows that it can be gone back to with the state of now, after which none is disposed of."""
    now = recorded(
        inputs={"savepoint_retention": {"max_age": "1s"}},
        savepoints=[LATER, Savepoint(path=OLD, taken_at="2026-01-01T00:00:00Z")],
        last_savepoint=LATER.path,
    )
    listed = [
        each.model_copy(update={"disposed_at": "2026-11-02T00:00:00Z"}) for each in now.history
    ]
    now = now.model_copy(update={"history": listed})
    with pytest.raises(PermanentError, match="was disposed of at 2026-11-02T00:00:00Z, as "):
        roll_back_to(now, 1, THEN)
    assert plan(now, now.spec.model_copy(update={"restart_trigger": "now"})).disposes
    assert not roll_back_to(now, 1, NOW).plan.disposes


OLD = f"/savepoints/orders/{'3' * 32}/savepoint-333333-000000000001"
LATER = Savepoint(path=OLD + "2", taken_at="2026-01-02T00:00:00Z")
