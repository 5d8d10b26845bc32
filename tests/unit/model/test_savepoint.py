"""Where savepoints lie, in both directions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from flink_jobs_provider.model.savepoint import RestorePoint, SavepointLayout, of_deletion

JOB_ID = "75482491dc86ae12be000001693daca1"


@pytest.mark.parametrize("directory", ["/savepoints", "s3://bucket/savepoints/", "file:///a/b"])
@pytest.mark.parametrize("job_name", ["orders", "a.b"])
def test_a_path_leads_back_to_its_job(directory: str, job_name: str) -> None:
    """Shows that what is written is read again: directory, name and jobId."""
    layout = SavepointLayout(directory, job_name)
    for place in (layout.of_submission(JOB_ID), layout.of_deletion(JOB_ID)):
        for path in (f"{place}/savepoint-754824-1", f"{place}/savepoint-754824-1/_metadata"):
            assert layout.job_id_in(path) == JOB_ID
            again = SavepointLayout.of(path, job_name)
            assert again is not None
            assert again.of_job == layout.of_job
            assert of_deletion(path) == (place == layout.of_deletion(JOB_ID))


def test_spellings_of_one_place_are_one() -> None:
    """Shows it for Flink's own answer, which drops two slashes."""
    layout = SavepointLayout("file:///savepoints", "orders")
    assert layout.job_id_in(f"file:/savepoints/orders/{JOB_ID}/savepoint-1") == JOB_ID


@pytest.mark.parametrize(
    "path",
    [
        "/savepoints/orders/savepoint-754824-1",
        f"/savepoints/orders/{JOB_ID[:-1]}/savepoint-754824-1",
        f"/savepoints/returns/{JOB_ID}/savepoint-754824-1",
        f"/elsewhere/{JOB_ID}/chk-1",
    ],
)
def test_other_paths_name_no_submission(path: str) -> None:
    """Shows that nothing is read into paths of another layout."""
    assert SavepointLayout("/savepoints", "orders").job_id_in(path) is None
    assert SavepointLayout.of(path, "orders") is None


def test_where_newer_state_may_lie_is_written_only_where_there_is_such_a_place() -> None:
    """Shows that what was recorded before stays as it is, and that a refresh is remembered."""
    point = RestorePoint("/s/1", "savepoint")
    for without_none in (False, True):
        written = TypeAdapter(RestorePoint).dump_python(point, exclude_none=without_none)
        assert "unseen" not in written
    hidden = replace(point, unseen="/c (Permission denied)")
    written = TypeAdapter(RestorePoint).dump_python(hidden)
    assert TypeAdapter(RestorePoint).validate_python(written) == hidden
