"""Sessions on record: found until they expire, and by nothing but their digest."""

from __future__ import annotations

from sqlalchemy import text

from flink_jobs_provider.gateway.store import Store


def test_a_session_lasts_until_it_expires(store: Store) -> None:
    store.put_session("a", {"token": "sha256:x"}, 60)
    found = store.session("a")
    assert found is not None
    assert found.proof == {"token": "sha256:x"}
    assert store.session("b") is None
    with store._database.writing() as connection:
        connection.execute(text("UPDATE sessions SET expires_at = expires_at - 61"))
    assert store.session("a") is None


def test_what_has_expired_is_removed_with_the_next_one(store: Store) -> None:
    store.put_session("a", {}, -1)
    store.put_session("b", {}, 60)
    with store._database.reading() as connection:
        assert [*connection.scalars(text("SELECT digest FROM sessions"))] == ["b"]


def test_a_session_is_ended(store: Store) -> None:
    store.put_session("a", {}, 60)
    store.end_session("a")
    store.end_session("a")
    assert store.session("a") is None
