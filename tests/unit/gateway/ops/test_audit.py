"""The audit log: a JSON line for each thing done."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest

from flink_jobs_provider.gateway.ops.log import AuditEntry, AuditLog, configure_logging

LINE = {
    "who": "ci",
    "what": "UPDATE",
    "cluster": "/subscriptions/s/clusters/c",
    "job": "orders",
    "action_id": "5b1c",
    "result": "SUCCESS",
    "status": 202,
}


def write(log: AuditLog, **changes: object) -> None:
    log.write(AuditEntry(**{**LINE, **changes}))  # type: ignore[arg-type]


def test_a_file_is_appended_to_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text('{"before": 1}\n')
    log = AuditLog(path)
    write(log)
    write(log, who=None, action_id=None)
    log.close()
    before, first, second = map(json.loads, path.read_text().splitlines())
    assert before == {"before": 1}
    assert {name: first[name] for name in LINE} == LINE
    assert first["timestamp"].endswith("Z")
    assert not {"who", "action_id"} & set(second)
    fresh = tmp_path / "fresh.log"
    AuditLog(fresh).close()
    assert fresh.stat().st_mode & 0o777 == 0o600


def test_a_file_may_be_rotated_at_any_time(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    log = AuditLog(path)
    write(log, job="one")
    path.rename(tmp_path / "audit.log.1")
    write(log, job="two")
    log.close()
    assert json.loads((tmp_path / "audit.log.1").read_text())["job"] == "one"
    assert json.loads(path.read_text())["job"] == "two"


def test_no_value_can_forge_a_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    log = AuditLog(path)
    write(log, job='orders"}\n{"who": "root"}\u2028\x1b[2J')
    log.close()
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["who"] == "ci"
    assert "\x1b" not in json.loads(line)["job"]


@pytest.mark.parametrize("level", ["info", "error"])
@pytest.mark.usefixtures("logging_as_it_was")
def test_without_a_file_it_goes_with_the_log_at_any_level(level: str) -> None:
    stream = StringIO()
    configure_logging(level, "json", stream)
    write(AuditLog())
    line = json.loads(stream.getvalue())
    assert {name: line[name] for name in LINE} == LINE
    assert line["logger"] == "gateway.audit"


def test_a_file_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="none"):
        AuditLog(tmp_path / "none" / "audit.log")


@pytest.mark.parametrize("how", ["cannot be opened", "full"])
@pytest.mark.usefixtures("logging_as_it_was")
def test_a_file_that_cannot_be_written_any_more_fails_no_request(tmp_path: Path, how: str) -> None:
    """Shows that the line is in the log then, and that the file is written once it can be again."""
    stream = StringIO()
    configure_logging("info", "json", stream)
    path = tmp_path / "audit.log"
    log = AuditLog(path)
    path.rename(tmp_path / "audit.log.1")
    if how == "full":
        path.symlink_to("/dev/full")
    else:
        path.mkdir()
    write(log, job="one")
    line = json.loads(stream.getvalue())
    assert (line["level"], line["job"], line["result"]) == ("error", "one", "SUCCESS")
    assert line["event"] == "audit: the audit file cannot be written"
    if how == "cannot be opened":
        path.rmdir()
        write(log, job="two")
        assert [json.loads(each)["job"] for each in path.read_text().splitlines()] == ["two"]
    log.close()
