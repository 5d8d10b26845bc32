"""Resources are created, changed, replaced and deleted, by either engine alike."""

from tests.end_to_end.engine.demo_project import Project


def test_creates_and_then_finds_nothing_to_do(project: Project) -> None:
    """The first run creates in order of dependency; the second changes nothing and says so."""
    project.program(
        "a = File('a', size=3)\nb = File('b', of=a.made)\npulumi.export('made', b.made)"
    )
    first = project.up()
    assert "2 created" in first.out or "3 created" in first.out
    assert project.called("create") == ["create a", "create b"]
    assert project.files()["b"]["of"] == 1
    assert project.outputs() == {"made": 1}
    second = project.up()
    assert "3 unchanged" in second.out
    assert project.called() == 2 * ["check a", "diff a", "check b", "diff b"]
    project.preview("--expect-no-changes")
