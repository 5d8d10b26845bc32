"""What the store keeps, on both databases: one action for each job, one job for each name."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import event, text

from flink_jobs_provider.gateway.job_service import (
    JobFilter,
    JobsOfCluster,
    PageOfJobs,
)
from flink_jobs_provider.gateway.store import (
    Claim,
    DatabaseInUse,
    DatabaseUnusable,
    Ended,
    NewJob,
    NextStart,
    RowChanged,
    Store,
    UnfinishedAction,
    database,
)
from flink_jobs_provider.gateway.store.database import CONNECTIONS, RecordsConflict
from flink_jobs_provider.gateway.store.stored_values import moment
from flink_jobs_provider.gateway.store.tables import Base
from flink_jobs_provider.model.action import Action, ActionResult
from flink_jobs_provider.model.savepoint import Savepoint, SavepointReason
from tests.unit.gateway.store.entries import (
    CLUSTER,
    LEASE,
    accept,
    action,
    add_job,
    finish,
    running_job,
    state,
)
from tests.unit.model.made_up_jobs import spec

OpenStore = Callable[[str], Store]
_RECORD = '{"spec": {"jar": "/x.jar"}, "status": "RUNNING"}'
#: A job that runs, and an action on it in progress, as version 0001 wrote them.
_FIRST_VERSION = [
    f"""INSERT INTO jobs (number, cluster, job_name, run_id, identity, job_id, generation, status,
    settled, jar_name, jar_digest, record, as_given, revision, last_action, created_at)
    VALUES (1, '{CLUSTER}', 'orders', 'job-1', 'aa', 'aabb', 1, 'RUNNING', true, 'x.jar', 'd',
    '{_RECORD.replace(":", chr(92) + ":")}', '{{}}', 3, 'b', 1)""",
    *(
        f"""INSERT INTO actions (number, id, job_number, action, caller, result, output, as_given,
        accepted_at, finished_at, deadline) VALUES ({number}, '{id_}', 1, '{kind}', '{caller}',
        '{result}', '', '{{}}', 1, {finished}, 1e12)"""
        for number, id_, kind, caller, result, finished in (
            (1, "a", "NEW", "ci", "SUCCESS", "2"),
            (2, "b", "DELETE", "me", "IN_PROGRESS", "NULL"),
        )
    ),
]


def _migrate_to(store: Store, version: str) -> None:
    """Make the tables of a former version."""
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with store._database.connected() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)


def test_migrations_make_the_tables_of_the_models(store: Store) -> None:
    with store._database.connected() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_again_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that tables of the present version are left alone: no migration is even run."""
    running_job(store)
    store.migrate()
    monkeypatch.setattr(command, "upgrade", None)
    store.migrate()
    assert store.live_job(CLUSTER, "orders") is not None


def test_records_of_the_first_version_are_brought_up(
    database_url: str, open_store: OpenStore
) -> None:
    """Shows that jobs, and an action in progress, are read after the migration as before it."""
    store = open_store(database_url)
    _migrate_to(store, "0001")
    with store._database.writing() as connection:
        for statement in _FIRST_VERSION:
            connection.execute(text(statement))
    store.migrate()
    job = store.live_job(CLUSTER, "orders")
    assert job is not None
    assert (job.number, job.status, job.created_by) == (1, "RUNNING", "ci")
    assert (job.next_start, job.started_at, job.changed_at) == (NextStart(), moment(1), None)
    assert job.ended_at is None
    store.release_all()
    (left,) = store.claim("two", 30, [CLUSTER], 10)
    assert (left.row.id, left.cancels_first) == ("b", False)
    found, _ = store.found(JobFilter([CLUSTER]), PageOfJobs(limit=10, newest_first=True))
    assert [one.created_by for one in found] == ["ci"]


def test_a_draft_and_a_change_are_read_back(store: Store) -> None:
    new = NewJob(CLUSTER, "orders", "job-1", "identity", state("DRAFT"))
    number = store.put_new(new, action(Action.NEW), Ended("on record")).job_number
    with pytest.raises(RowChanged):
        store.put_new(replace(new, run_id="job-2"), action(Action.NEW), Ended("again"))
    draft = store.live_job(CLUSTER, "orders")
    assert draft is not None
    assert (draft.number, draft.status, draft.last.output) == (number, "DRAFT", "on record")
    assert draft.last.finished_at is not None
    wanted = NextStart({"parallelism": 3}, "/savepoint")
    store.change(number, draft.revision, action(Action.UPDATE), "changed", wanted)
    with pytest.raises(RowChanged):
        store.change(number, draft.revision, action(Action.UPDATE), "stale", wanted)
    changed = store.live_job(CLUSTER, "orders")
    assert changed is not None
    assert (changed.next_start, changed.as_given) == (wanted, {"a": 1})
    accepted = store.accept(
        number, changed.revision, action(Action.NEW), Claim("one", 30), status=""
    )
    with pytest.raises(UnfinishedAction):
        store.change(number, changed.revision, action(Action.UPDATE), "late", wanted)
    started = replace(state("RUNNING", job_id="aa"), started=True)
    assert finish(store, accepted, job_state=started)
    running = store.live_job(CLUSTER, "orders")
    assert running is not None
    assert running.next_start == NextStart()
    assert running.started_at is not None


def test_records_of_a_later_version_are_refused(store: Store) -> None:
    with store._database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseUnusable, match="of a later version of the gateway"):
        store.migrate()


def test_a_new_job_and_its_action_are_read_back(store: Store) -> None:
    first = add_job(store)
    job = store.live_job(CLUSTER, "orders")
    assert job is not None
    assert (job.number, job.status, job.last.id) == (1, "", first.row.id)
    assert job.last.result is ActionResult.IN_PROGRESS
    assert store.action(first.row.id) == first.row
    assert 59 < first.seconds_left <= 60
    assert job.last.finished_at is None


def test_an_action_may_begin_as_it_is_accepted(store: Store) -> None:
    """Shows that it is then as if it had begun right after, for a new job and for one there."""
    new = add_job(store, begins=True)
    assert new.row.began_at == new.row.accepted_at
    assert new.begun_on == store.begin(new.row.id, "one")
    finish(store, new, job_state=state())
    job = store.live_job(CLUSTER, "orders")
    assert job is not None
    update = store.accept(
        job.number,
        job.revision,
        action(),
        Claim("one", LEASE, begins=True),
        status="STARTING",
    )
    assert update.begun_on == store.begin(update.row.id, "one")
    assert update.begun_on is not None
    assert (update.begun_on.status, update.begun_on.revision) == ("STARTING", job.revision + 1)
    assert update.begun_on.last == update.row
    later = add_job(store, "later")
    assert (later.row.began_at, later.begun_on) == (None, None)


def test_a_name_is_taken_once_on_each_cluster(store: Store) -> None:
    add_job(store)
    with pytest.raises(RowChanged):
        add_job(store)
    add_job(store, cluster="/another")
    add_job(store, "payments")
    assert [job.job_name for job in store.jobs(JobsOfCluster(CLUSTER))] == ["orders", "payments"]


def test_a_second_action_names_the_first(store: Store) -> None:
    job = running_job(store)
    first = accept(store, job)
    with pytest.raises(UnfinishedAction) as busy:
        accept(store, job)
    assert busy.value.first.id == first.row.id
    finish(store, first)
    now = store.live_job(CLUSTER, "orders")
    assert now is not None
    accept(store, now)


def test_a_decision_on_a_stale_row_is_told(store: Store) -> None:
    job = running_job(store)
    assert store.observe(job.number, job.revision, state("FAILED"))
    with pytest.raises(RowChanged):
        accept(store, job)


def test_the_database_itself_holds_one_action_for_each_job(store: Store) -> None:
    """Shows that the rule does not rest on the code that looks first."""
    job = running_job(store)
    accept(store, job)
    copied = "INSERT INTO actions (id, {c}) SELECT 'another', {c} FROM actions WHERE {w}".format(
        c="job_number, action, caller, result, output, as_given, accepted_at, deadline",
        w="finished_at IS NULL",
    )
    with pytest.raises(RecordsConflict) as refused, store._database.writing() as connection:
        connection.execute(text(copied))
    assert "unique" in str(refused.value.__cause__).lower()


def test_many_at_once_on_one_job_accept_one(store: Store) -> None:
    job = running_job(store)
    accepted: list[str] = []
    refused: list[str] = []
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        try:
            accepted.append(accept(store, job).row.id)
        except (UnfinishedAction, RowChanged) as error:
            refused.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(accepted) == 1
    assert len(refused) == 7


def test_a_row_is_not_observed_while_an_action_is_in_progress(store: Store) -> None:
    job = running_job(store)
    accept(store, job)
    now = store.live_job(CLUSTER, "orders")
    assert now is not None
    assert not store.observe(now.number, now.revision, state("LOST"))
    assert not store.observe(job.number, job.revision, state("LOST"))


def test_only_who_holds_an_action_ends_it(store: Store) -> None:
    job = running_job(store)
    one = accept(store, job)
    store.release("one")
    (taken,) = store.claim("two", 30, [CLUSTER], 10)
    assert taken.row.id == one.row.id
    assert taken.wanted == one.wanted
    assert store.begin(one.row.id, "one") is None
    assert not finish(store, one, job_state=state("FAILED"))
    now = store.live_job(CLUSTER, "orders")
    assert now is not None
    assert (now.status, now.last.result) == ("RUNNING", "IN_PROGRESS")
    assert finish(store, one, gateway="two")
    assert not finish(store, one, gateway="two")


def test_a_claim_holds_until_it_runs_out(store: Store) -> None:
    first = add_job(store, lease=0)
    job = running_job(store, "payments")
    held = accept(store, job)
    assert store.renew("one", 30, [held.row.id]) == {held.row.id}
    assert [action.row.id for action in store.claim("two", 30, [CLUSTER], 10)] == [first.row.id]
    assert store.claim("three", 30, [CLUSTER], 10) == []
    assert store.renew("one", 30, [first.row.id, held.row.id]) == {held.row.id}


def test_actions_of_other_clusters_are_left_to_others(store: Store) -> None:
    add_job(store, lease=0)
    assert store.claim("two", 30, ["/another"], 10) == []


def test_actions_on_a_cluster_that_nobody_serves_end_at_their_deadline(store: Store) -> None:
    job = running_job(store)
    one = accept(store, job, timeout=0)
    store.release("one")
    assert store.abandon([CLUSTER], "gone") == []
    (ended,) = store.abandon(["/another"], "gone")
    assert (ended.id, ended.result, ended.output) == (one.row.id, "FAILED", "gone")
    add_job(store, "launching", lease=0, timeout=0)
    store.abandon(["/another"], "gone")
    launching = store.live_job(CLUSTER, "launching")
    assert launching is not None
    assert launching.status == "JOB_LAUNCH_FAILED"


def test_savepoints_are_listed_newest_first_and_kept_beyond_the_record(store: Store) -> None:
    def at(hour: int) -> Savepoint:
        reason = SavepointReason.SAVEPOINT
        return Savepoint(path=f"/s/{hour}", taken_at=f"2026-11-01T{hour:02}:00:00Z", reason=reason)

    job = running_job(store)
    for listed in ([at(2), at(1)], [at(3), at(2)]):
        now = store.live_job(CLUSTER, "orders")
        assert now is not None
        assert store.observe(job.number, now.revision, state(savepoints=listed))
    assert store.savepoints(job.number) == [at(3), at(2), at(1)]


def test_the_newest_savepoints_are_read_without_the_others(store: Store) -> None:
    """Shows that they are the newest by when they were taken, not by when they were found."""
    job = running_job(store)
    for day in (3, 1, 2, 4):
        taken = Savepoint(path=f"/s/{day}", taken_at=f"2026-11-0{day}T00:00:00Z")
        now = store.live_job(CLUSTER, "orders")
        assert now is not None
        finish(store, accept(store, now), job_state=state(savepoints=[taken]))
    now = store.live_job(CLUSTER, "orders")
    assert now is not None
    finish(store, accept(store, now), job_state=replace(state(), disposed=["/s/4"]))
    assert [each.path for each in store.savepoints(job.number, 2)] == ["/s/3", "/s/2"]
    assert [each.path for each in store.savepoints(job.number)] == ["/s/3", "/s/2", "/s/1"]
    gone = store.disposed_savepoints(job.number, 1)
    assert [each.savepoint.path for each in gone] == ["/s/4"]


def test_a_savepoint_that_was_disposed_of_is_told_from_the_others(store: Store) -> None:
    """Shows that it stays on record, apart, however its path is spelled when it goes."""
    old, new = (
        Savepoint(path=f"file:/s/{hour}", taken_at=f"2026-11-01T{hour:02}:00:00Z")
        for hour in (1, 2)
    )
    job = running_job(store)
    one = accept(store, job)
    assert finish(store, one, job_state=state(savepoints=[new, old]))
    assert store.disposed_savepoints(job.number) == []
    now = store.live_job(CLUSTER, "orders")
    assert now is not None
    two = accept(store, now)
    gone = replace(state(savepoints=[new]), disposed=["file:///s/1"])
    assert finish(store, two, job_state=gone)
    assert store.savepoints(job.number) == [new]
    (disposed,) = store.disposed_savepoints(job.number)
    assert disposed.savepoint == old
    assert disposed.disposed_at > moment(0)


def test_savepoints_of_the_version_before_are_not_disposed_of(
    database_url: str, open_store: OpenStore
) -> None:
    """Shows that a database without the column is taken over with its savepoints."""
    store = open_store(database_url)
    _migrate_to(store, "0001")
    with store._database.writing() as connection:
        for statement in _FIRST_VERSION:
            connection.execute(text(statement))
    _migrate_to(store, "0006")
    with store._database.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO savepoints (number, job_number, path, taken_at, reason, recorded_at) "
                "VALUES (1, 1, '/s/1', '2026-11-01T01:00:00Z', 'UPDATE', 1)"
            )
        )
    store.migrate()
    assert [each.path for each in store.savepoints(1)] == ["/s/1"]
    assert store.disposed_savepoints(1) == []


def test_a_deleted_job_frees_its_name_and_is_not_listed(store: Store) -> None:
    job = running_job(store)
    one = accept(store, job, Action.DELETE)
    finish(store, one, deleted=True)
    assert store.live_job(CLUSTER, "orders") is None
    assert store.jobs(JobsOfCluster(CLUSTER)) == []
    assert store.job(CLUSTER, job.number) is None
    ended = store.action(one.row.id)
    assert ended is not None
    assert ended.result is ActionResult.SUCCESS
    add_job(store)
    later = store.live_job(CLUSTER, "orders")
    assert later is not None
    assert later.number > job.number
    assert later.generation == job.generation == 1


def test_a_failed_launch_gives_way_to_a_new_one(store: Store) -> None:
    one = add_job(store)
    finish(store, one, ActionResult.FAILED, state("JOB_LAUNCH_FAILED"))
    job = store.live_job(CLUSTER, "orders")
    assert job is not None
    with pytest.raises(RowChanged):
        add_job(store, replaces=(job.number, job.revision - 1))
    add_job(store, replaces=(job.number, job.revision))
    (only,) = store.jobs(JobsOfCluster(CLUSTER))
    assert only.run_id != job.run_id


def test_pages_and_filters(store: Store) -> None:
    for name in ("a", "b", "c"):
        running_job(store, name)
    assert [job.job_name for job in store.jobs(JobsOfCluster(CLUSTER, limit=2))] == ["a", "b"]
    assert [job.job_name for job in store.jobs(JobsOfCluster(CLUSTER, after=2))] == ["c"]
    assert [job.job_name for job in store.jobs(JobsOfCluster(CLUSTER, job_name="b"))] == ["b"]
    assert len(store.jobs(JobsOfCluster(CLUSTER, jar_name="orders.jar"))) == 3
    assert store.jobs(JobsOfCluster(CLUSTER, jar_name="other.jar")) == []
    assert store.jobs_with_status(CLUSTER, ["LOST"]) == []
    assert len(store.jobs_with_status(CLUSTER, ["RUNNING"])) == 3


def test_retention_keeps_what_live_jobs_need(store: Store) -> None:
    job = running_job(store)
    for _ in range(3):
        now = store.live_job(CLUSTER, "orders")
        assert now is not None
        finish(store, accept(store, now), job_state=state(savepoints=[Savepoint(path="/s/1")]))
    gone = running_job(store, "payments")
    finish(store, accept(store, gone, Action.DELETE), deleted=True)
    waiting = add_job(store, "waiting")

    kept = store.sweep(actions=3600, savepoints=3600)
    assert (kept.actions, kept.savepoints, kept.jobs) == (0, 0, 0)
    swept = store.sweep(actions=-1, savepoints=-1)
    assert (swept.actions, swept.savepoints, swept.jobs) == (5, 0, 1)
    assert len(store.actions_of(job.number)) == 1
    assert store.savepoints(job.number) == [Savepoint(path="/s/1")]
    assert store.action(waiting.row.id) is not None


def test_jars_are_needed_by_live_jobs_and_actions(store: Store) -> None:
    assert store.jars_needed() == set()
    job = running_job(store)
    assert store.jars_needed() == {"1" * 64}
    finish(store, accept(store, job, Action.DELETE), deleted=True)
    assert store.jars_needed() == set()


def test_no_url_shows_its_password() -> None:
    store = Store("postgresql+psycopg://me:hidden@host/name")
    assert "hidden" not in store.name
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        *("sqlite://", "sqlite:///:memory:", "mysql://x/y", "nonsense"),
        # It would be locked, and watched, at another path than where SQLite makes it.
        "sqlite:///file:gateway.db?uri=true",
    ],
)
def test_databases_that_cannot_be_used_are_refused(url: str) -> None:
    with pytest.raises(DatabaseUnusable):
        Store(url)


@pytest.mark.parametrize("url", ["sqlite:///{0}/file", "postgresql://nobody@/x?host={0}"])
def test_a_database_that_cannot_be_opened_is_told(url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("this is no database, and long enough to be told from one" * 9)
    store = Store(url.format(tmp_path))
    with pytest.raises(DatabaseUnusable, match="cannot be used"):
        store.migrate()
    store.close()


def test_only_we_may_read_the_file(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'gateway.db'}")
    store.migrate()
    add_job(store)
    assert {path.stat().st_mode & 0o077 for path in tmp_path.glob("gateway.db*")} == {0}
    store.close()


def test_a_second_gateway_on_one_file_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'gateway.db'}"
    first = Store(url)
    with pytest.raises(DatabaseInUse, match=r"another gateway works on .*gateway\.db"):
        Store(url)
    first.close()
    Store(url).close()


def test_a_second_gateway_on_one_file_is_refused_by_whichever_link(tmp_path: Path) -> None:
    """Shows that a start by another path releases no action of the gateway that runs."""
    first = Store(f"sqlite:///{tmp_path / 'gateway.db'}")
    link = tmp_path / "elsewhere" / "gateway.db"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "gateway.db")
    with pytest.raises(DatabaseInUse, match=r"another gateway works on .*gateway\.db"):
        Store(f"sqlite:///{link}")
    first.close()
    Store(f"sqlite:///{link}").close()
    assert list(link.parent.iterdir()) == [link]


@pytest.mark.parametrize("character", ["\0", "\ud800"], ids=["NUL", "half a character"])
def test_texts_that_no_database_holds_are_stored_without_them(store: Store, character: str) -> None:
    text = f"a{character}z {character}\N{GRINNING FACE}"
    one = add_job(store)
    twice = [{"path": f"file:///{text}", "taken_at": "", "reason": "FOUND"}] * 2
    shown = state(job_output=text)
    shown.record["savepoints"] = twice
    finish(store, one, job_state=shown, output=text)
    again = store.live_job(CLUSTER, "orders")
    assert again is not None
    finish(store, accept(store, again), job_state=shown, output=text)
    job = store.live_job(CLUSTER, "orders")
    assert job is not None
    stored = "a\ufffdz \ufffd\N{GRINNING FACE}"
    assert (job.record["job_output"], job.last.output) == (stored, stored)
    assert [each.path for each in store.savepoints(job.number)] == [f"file:///{stored}"]


def test_connections_are_kept_for_all_who_call_at_once(store: Store) -> None:
    """Shows that none of the gateway's threads opens one anew each time."""
    opened: list[object] = []
    database = store._database
    event.listen(database.engine, "connect", lambda connection, _record: opened.append(connection))
    for _ in range(2):
        with ExitStack() as at_once:
            for _ in range(CONNECTIONS):
                at_once.enter_context(database.reading())
    assert len(opened) <= CONNECTIONS


@pytest.mark.process
def test_two_gateways_that_start_at_once_migrate_once(
    request: pytest.FixtureRequest, open_store: OpenStore
) -> None:
    url = request.getfixturevalue("postgres_server").new_database()
    stores = [open_store(url) for _ in range(4)]
    errors: list[BaseException] = []

    def migrate(store: Store) -> None:
        try:
            store.migrate()
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    threads = [threading.Thread(target=migrate, args=[store]) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    running_job(stores[0])
    assert stores[1].live_job(CLUSTER, "orders") is not None


def test_versions_are_the_starts_that_succeeded(store: Store) -> None:
    """Shows that a savepoint, a failed update and a change of inputs start none."""
    job = running_job(store)
    for kind, result in (
        (Action.SAVEPOINT, ActionResult.SUCCESS),
        (Action.UPDATE, ActionResult.FAILED),
        (Action.UPDATE, ActionResult.SUCCESS),
    ):
        now = store.live_job(CLUSTER, "orders")
        assert now is not None
        finish(store, accept(store, now, kind), result)
    latest, first = store.versions_of(job.number)
    assert (latest.action.action, first.action.action) == (Action.UPDATE, Action.NEW)
    assert latest.action.result is ActionResult.SUCCESS
    assert (first.inputs["job_name"], first.jar_digest) == ("orders", spec().jar_digest)
    assert [each.action.id for each in store.versions_of(job.number, 1)] == [latest.action.id]
