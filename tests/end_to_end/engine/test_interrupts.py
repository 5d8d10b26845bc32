"""Ctrl-C: once stops in good order, twice stops at once."""

import signal

from tests.end_to_end.engine.demo_project import Project

PROGRAM = "a = File('a', size=1)\nFile('b', of=a.made)\n"


def test_the_first_waits_for_what_is_in_flight_and_begins_nothing_more(embedded: Project) -> None:
    """The create under way ends and is saved; the next resource is not begun."""
    embedded.program(PROGRAM)
    embedded.faults(create_a={"hold": True})
    process = embedded.start("up", "--yes", "--stack", "dev", "--skip-preview")
    embedded.wait_until_held()
    process.send_signal(signal.SIGINT)
    embedded.release()
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "waiting for what is in flight" in out
    assert "update cancelled" in out
    assert "Traceback" not in out
    assert set(embedded.resources()) == {"demo-dev", "default", "a"}
    assert "pending_operations" not in embedded.state()
    assert list(embedded.files()) == ["a"]
    assert embedded.processes() == []
    assert embedded.up("--skip-preview").out.count("create") >= 1


def test_the_second_stops_at_once_and_leaves_the_operation_pending(embedded: Project) -> None:
    """The state says what was under way, and nobody holds the lock."""
    embedded.program(PROGRAM)
    embedded.faults(create_a={"hold": True})
    process = embedded.start("up", "--yes", "--stack", "dev", "--skip-preview")
    embedded.wait_until_held()
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    first = next(line for line in process.stdout if "interrupted" in line)
    assert "waiting for what is in flight" in first
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "left pending" in out
    assert [each["type"] for each in embedded.state()["pending_operations"]] == ["creating"]
    assert not list((embedded.root / "state/.pulumi/locks").rglob("*.json"))
    assert embedded.processes() == []
