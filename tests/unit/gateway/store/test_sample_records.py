"""The history on record, on both databases: one gateway samples, and rows are few."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import text

from flink_jobs_provider.gateway.job_history import Load, StatePeriod, StateSample
from flink_jobs_provider.gateway.store import Store
from tests.unit.gateway.store.entries import CLUSTER, running_job

OTHER = "/subscriptions/s/clusters/other"


def _runs(number: int, **changes: object) -> StateSample:
    return replace(StateSample(number, "aa", "RUNNING", 2, 2, 0, 10.0), **changes)  # type: ignore[arg-type]


def _sampled(store: Store, minute: int, *samples: StateSample, cluster: str = CLUSTER) -> None:
    """Store samples, the clock being in that minute."""
    with store._database.writing() as connection:
        connection.execute(
            text("UPDATE sampled_clusters SET sampled = :m WHERE cluster = :c"),
            {"m": minute - 1, "c": cluster},
        )
    store.claim_sampling("one", 60, [cluster])
    assert store.put_samples(cluster, "one", minute, samples)


def _rows(store: Store, table: str) -> int:
    with store._database.reading() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_a_cluster_is_sampled_by_one_gateway_once_a_minute(store: Store) -> None:
    minute, mine = store.claim_sampling("one", 60, [CLUSTER, OTHER])
    assert sorted(mine) == sorted([CLUSTER, OTHER])
    assert store.claim_sampling("two", 60, [CLUSTER, OTHER])[1] == []
    assert not store.put_samples(CLUSTER, "two", minute, [])
    assert store.put_samples(CLUSTER, "one", minute, [])
    assert not store.put_samples(CLUSTER, "one", minute, [])
    assert CLUSTER not in store.claim_sampling("two", 60, [CLUSTER, OTHER])[1]


def test_a_gateway_that_dies_is_replaced_when_its_claim_has_run_out(store: Store) -> None:
    minute, _ = store.claim_sampling("dead", 0, [CLUSTER])
    assert store.claim_sampling("two", 60, [CLUSTER])[1] == [CLUSTER]
    assert not store.put_samples(CLUSTER, "dead", minute, [])
    assert store.put_samples(CLUSTER, "two", minute, [])


def test_a_minute_that_is_released_is_free_until_it_is_nearly_over(store: Store) -> None:
    minute, _ = store.claim_sampling("one", 60, [CLUSTER])
    assert not store.release_sampling(CLUSTER, "one", minute - 1)
    assert store.claim_sampling("two", 60, [CLUSTER])[1] == []
    assert store.release_sampling(CLUSTER, "one", minute + 1)
    assert store.claim_sampling("two", 60, [CLUSTER])[1] == [CLUSTER]
    assert store.release_sampling(CLUSTER, "one", minute + 1)
    assert store.put_samples(CLUSTER, "two", minute, [])


def test_a_job_that_does_not_change_has_one_row(store: Store) -> None:
    job = running_job(store).number
    minute = store.claim_sampling("one", 60, [CLUSTER])[0]
    for each in range(minute - 3, minute):
        _sampled(store, each, _runs(job))
    _sampled(store, minute, _runs(job, deployed_at=20.0))
    before = StatePeriod(minute - 3, minute - 1, _runs(job))
    now = StatePeriod(minute, minute, _runs(job, deployed_at=20.0))
    assert store.history(job, minute - 5, minute + 1) == ([before, now], {})
    # What changed in the first minute shows by the period before it.
    assert store.history(job, minute, minute + 1)[0] == [before, now]
    assert store.history(job, minute + 2, minute + 9)[0] == []
    assert _rows(store, "job_states") == 2


def test_a_minute_that_nobody_sampled_stays_a_gap(store: Store) -> None:
    job = running_job(store).number
    minute = store.claim_sampling("one", 60, [CLUSTER])[0]
    _sampled(store, minute - 2, _runs(job))
    _sampled(store, minute, _runs(job))
    periods, _ = store.history(job, 0, minute + 1)
    assert [(each.begins, each.ends) for each in periods] == [
        *((minute - 2, minute - 2), (minute, minute))
    ]


def test_more_jobs_than_a_statement_takes(store: Store) -> None:
    """Shows 600 jobs, of which some change, in the rows that they need."""
    numbers = [running_job(store, f"job{n}").number for n in range(3)]
    with store._database.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO jobs (cluster, job_name, run_id, identity, generation, status, "
                "settled, jar_name, jar_digest, record, as_given, revision, last_action, "
                "created_at, job_id) SELECT cluster, job_name || '-' || :n, run_id || '-' || :n, "
                "identity, generation, status, settled, jar_name, jar_digest, record, as_given, "
                "revision, last_action, created_at, job_id FROM jobs WHERE number = :first"
            ),
            [{"n": str(n), "first": numbers[0]} for n in range(600)],
        )
    jobs = [number for number, _, _ in store.jobs_to_sample(CLUSTER)]
    assert len(jobs) == 603
    minute = store.claim_sampling("one", 60, [CLUSTER])[0]
    _sampled(store, minute - 2, *(_runs(number) for number in jobs))
    changed = {number: int(number % 100 == 0) for number in jobs}
    now = [_runs(number, running_tasks=2 - changed[number]) for number in jobs]
    _sampled(store, minute - 1, *now)
    _sampled(store, minute, *now)
    assert _rows(store, "job_states") == len(jobs) + sum(changed.values())
    assert store.history(numbers[0], 0, minute + 1)[0][-1].ends == minute


def test_samples_of_another_cluster_are_left_alone(store: Store) -> None:
    job, other = running_job(store).number, running_job(store, cluster=OTHER).number
    minute = store.claim_sampling("one", 60, [CLUSTER, OTHER])[0]
    _sampled(store, minute - 1, _runs(job))
    _sampled(store, minute - 1, _runs(other), cluster=OTHER)
    _sampled(store, minute, _runs(job))
    assert store.history(other, 0, minute + 1)[0] == [
        StatePeriod(minute - 1, minute - 1, _runs(other))
    ]


def test_loads_are_stored_once_a_minute(store: Store) -> None:
    job = running_job(store).number
    store.put_loads(100, {job: Load(busy=0.5, pending_records=3)})
    store.put_loads(100, {job: Load(busy=0.9)})
    store.put_loads(101, {job: Load()})
    store.put_loads(101, {})
    assert store.history(job, 90, 110)[1] == {100: Load(busy=0.5, pending_records=3), 101: Load()}
    assert store.history(job, 90, 101)[1].keys() == {100}


def test_what_is_too_old_is_cleared_away(store: Store) -> None:
    job = running_job(store).number
    minute = store.claim_sampling("one", 60, [CLUSTER])[0]
    for ago in (70, 65, 1):
        _sampled(store, minute - ago, _runs(job))
    with store._database.writing() as connection:
        connection.execute(
            text("INSERT INTO job_loads (job_number, minute, load) VALUES (:j, :m, '{}')"),
            [{"j": job, "m": old} for old in range(minute - 1300, minute - 100)],
        )
    store.put_loads(minute - 1, {job: Load()})
    assert store.sweep_history(3600) == 2 + 1200
    periods, loads = store.history(job, 0, minute + 1)
    assert [each.begins for each in periods] == [minute - 1]
    assert set(loads) == {minute - 1}


def test_history_of_a_job_goes_with_its_row(store: Store) -> None:
    job = running_job(store).number
    minute = store.claim_sampling("one", 60, [CLUSTER])[0]
    _sampled(store, minute, _runs(job))
    store.put_loads(minute, {job: Load()})
    with store._database.writing() as connection:
        connection.execute(text("DELETE FROM jobs"))
    assert (_rows(store, "job_states"), _rows(store, "job_loads")) == (0, 0)
