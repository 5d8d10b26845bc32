"""Which savepoints are disposed of, decided in turn with what starts from them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from flink_jobs_provider.gateway.store import (
    Claim,
    HeldAction,
    SavepointDisposed,
    Store,
    disposals,
)
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.savepoint import Savepoint, SavepointReason
from tests.unit.gateway.store.entries import (
    CLUSTER,
    LEASE,
    accept,
    action,
    finish,
    running_job,
    state,
)
from tests.waiting import wait_until

PATH = "s3://b/orders/savepoint-1"
_ADVISORY = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


def _saved(store: Store, *paths: str) -> Any:
    """Return a job with savepoints on record."""
    job = running_job(store)
    taken = [Savepoint(path=path, taken_at="2026-11-01T01:00:00Z") for path in paths]
    assert finish(store, accept(store, job, Action.SAVEPOINT), job_state=state(savepoints=taken))
    found = store.live_job(CLUSTER, "orders")
    assert found is not None
    return found


def _held(action: Any, gateway: str = "one") -> HeldAction:
    return HeldAction(action.row.id, action.job_number, gateway)


def _waits(store: Store) -> bool:
    """Whether somebody waits for their turn to decide."""
    database = store._database
    if database._group_commit is not None:
        return database._group_commit._waiting > 0
    with database.reading() as connection:
        return bool(connection.execute(text(_ADVISORY)).scalar_one())


def _in_turn(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    first: Callable[[], Any],
    second: Callable[[], Any],
) -> list[Any]:
    """Have one decide, and another begin when that one has read, and not written yet.

    Return the result of each, or what it raised.
    """
    results: list[Any] = [None, None]
    original = getattr(disposals, function)
    threads: list[threading.Thread] = []

    def run(number: int, decide: Callable[[], Any]) -> None:
        try:
            results[number] = decide()
        except SavepointDisposed as error:
            results[number] = error

    def read_and_let_in(*given: Any) -> Any:
        found = original(*given)
        monkeypatch.setattr(disposals, function, original)
        threads.append(threading.Thread(target=run, args=[1, second]))
        threads[0].start()
        wait_until(lambda: not threads[0].is_alive() or _waits(store), 60, "a turn")
        return found

    monkeypatch.setattr(disposals, function, read_and_let_in)
    run(0, first)
    threads[0].join()
    return results


def _start(store: Store, job: Any, path: str) -> Any:
    """Accept an UPDATE of a job from a savepoint."""
    update = action(Action.UPDATE)
    wanted = {**(update.wanted or {}), "restore_from": path}
    claim = Claim("other", LEASE)
    return store.accept(job.number, job.revision, replace(update, wanted=wanted), claim)


def test_no_start_is_accepted_while_it_is_decided(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows two gateways at once: the start waits, and is refused."""
    job, other = _saved(store, PATH), running_job(store, "other")
    held = _held(accept(store, job, Action.SAVEPOINT))
    going, refused = _in_turn(
        store,
        monkeypatch,
        "_needed",
        lambda: store.begin_disposals(held, [PATH]),
        lambda: _start(store, other, PATH),
    )
    assert going == {PATH}
    assert isinstance(refused, SavepointDisposed)
    assert (refused.path, refused.gone) == (PATH, False)


def test_nothing_goes_while_a_start_is_accepted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows the same the other way round."""
    job, other = _saved(store, PATH), running_job(store, "other")
    held = _held(accept(store, job, Action.SAVEPOINT))
    started, going = _in_turn(
        store,
        monkeypatch,
        "_take_turn",
        lambda: _start(store, other, PATH),
        lambda: store.begin_disposals(held, [PATH]),
    )
    assert started.row.action is Action.UPDATE
    assert going == set()


def test_one_that_is_needed_under_another_scheme_stays(store: Store) -> None:
    """Shows that s3a names the same place as s3."""
    job, other = _saved(store, PATH), running_job(store, "other")
    _start(store, other, PATH.replace("s3:", "s3a:"))
    held = _held(accept(store, job, Action.SAVEPOINT))
    assert store.begin_disposals(held, [PATH]) == set()


def test_one_that_goes_is_refused_under_another_scheme_of_its_storage(store: Store) -> None:
    """Shows that s3a names the same place as s3, and that OBS does not."""
    job, other = _saved(store, PATH), running_job(store, "other")
    held = _held(accept(store, job, Action.SAVEPOINT))
    assert store.begin_disposals(held, [PATH]) == {PATH}
    with pytest.raises(SavepointDisposed):
        _start(store, other, PATH.replace("s3:", "s3a:"))
    assert _start(store, other, PATH.replace("s3:", "obs:")).job_number == other.number


def test_a_copy_elsewhere_neither_goes_on_from_it_nor_lets_it_go(store: Store) -> None:
    """Shows that a copy can be started from, and that the decision on the original stands."""
    job, other = _saved(store, PATH), running_job(store, "other")
    held = _held(accept(store, job, Action.SAVEPOINT))
    assert store.begin_disposals(held, [PATH]) == {PATH}
    _start(store, other, PATH.replace("orders", "copies"))
    assert store.begin_disposals(held, [PATH]) == set()
    with pytest.raises(SavepointDisposed):
        store.check_is_there(PATH)


def test_what_a_version_of_another_job_named_stays(store: Store) -> None:
    """Shows one that the other job has gone on from since; not where that was deleted."""
    job, other = _saved(store, PATH), running_job(store, "other")
    started = _start(store, other, PATH)
    own = f"{PATH}-own"
    gone_on = state(job="other", last_savepoint=own, restored_from=own)
    assert finish(store, started, job_state=gone_on, gateway="other")
    assert PATH not in store.needed_savepoints()
    held = _held(accept(store, job, Action.SAVEPOINT))
    assert store.begin_disposals(held, [PATH]) == set()
    row = store.live_job(CLUSTER, "other")
    assert row is not None
    deleted = accept(store, row, Action.DELETE)
    assert finish(store, deleted, deleted=True)
    assert store.begin_disposals(held, [PATH]) == {PATH}


def test_only_who_holds_the_action_decides(store: Store) -> None:
    """Shows another gateway, and an action that has ended; and a savepoint of another job."""
    job = _saved(store, PATH)
    one = accept(store, job, Action.SAVEPOINT)
    assert store.begin_disposals(_held(one, "other"), [PATH]) == set()
    of_other = accept(store, running_job(store, "other"), Action.SAVEPOINT)
    assert store.begin_disposals(_held(of_other), [PATH]) == set()
    assert finish(store, one)
    assert store.begin_disposals(_held(one), [PATH]) == set()


def test_what_was_decided_is_taken_back_when_it_is_needed_again(store: Store) -> None:
    """Shows that it can be started from then."""
    job = _saved(store, PATH)
    one = accept(store, job, Action.SAVEPOINT)
    assert store.begin_disposals(_held(one), [f"{PATH}/"]) == {PATH}
    with pytest.raises(SavepointDisposed):
        _start(store, running_job(store, "other"), PATH)
    assert finish(store, one, job_state=state(last_savepoint=PATH))
    again = store.live_job(CLUSTER, "orders")
    assert again is not None
    two = accept(store, again, Action.SAVEPOINT)
    assert store.begin_disposals(_held(two), [PATH]) == set()
    third = running_job(store, "third")
    assert _start(store, third, PATH).job_number == third.number


def test_the_newest_row_that_stays_is_one_that_is_there(store: Store) -> None:
    """Shows that a sweep of old records keeps the newest savepoint that was not disposed of."""
    older, newer = f"{PATH}-a", f"{PATH}-b"
    job = _saved(store, newer, older)
    one = accept(store, job, Action.SAVEPOINT)
    gone = replace(state(), disposed=[newer])
    assert finish(store, one, job_state=gone)
    with store._database.writing() as connection:
        connection.execute(text("UPDATE savepoints SET recorded_at = 1"))
    store.sweep(1e9, 60)
    assert [each.path for each in store.savepoints(job.number)] == [older]


def test_versions_keep_what_they_were_started_from(store: Store) -> None:
    """Shows the one that a version named, and its own; found ones do not hide them."""
    job = _saved(store, PATH)
    named = _start(store, job, f"{PATH}-named")
    own = Savepoint(path=f"{PATH}-own", taken_at="2026-11-01T02:00:00Z")
    aside = Savepoint(
        path=f"{PATH}-copy", taken_at="2026-11-01T03:00:00Z", reason=SavepointReason.REHEARSAL
    )
    found = Savepoint(
        path=f"{PATH}-found", taken_at="2026-10-01T02:00:00Z", reason=SavepointReason.FOUND
    )
    updated = state(savepoints=[found, aside, own])
    assert finish(store, named, job_state=updated, gateway="other")
    assert store.origins_of_versions(job.number, 1) == {f"{PATH}-named", f"{PATH}-own"}


def test_one_that_goes_is_refused_for_as_long_as_its_job_is_on_record(store: Store) -> None:
    """Shows that no sweep of old records forgets one that may be gone in part."""
    job, other = _saved(store, PATH), running_job(store, "other")
    one = accept(store, job, Action.SAVEPOINT)
    assert store.begin_disposals(_held(one), [PATH]) == {PATH}
    newer = state(savepoints=[Savepoint(path="s3://b/orders/savepoint-2")])
    assert finish(store, one, job_state=newer)
    store.sweep(actions=-1, savepoints=-1)
    with pytest.raises(SavepointDisposed):
        _start(store, other, PATH)
