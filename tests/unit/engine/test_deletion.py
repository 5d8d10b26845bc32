"""What needs what, and in which order things are deleted."""

from typing import Any

from flink_jobs_provider.engine.deletion import deletion_waves, dependents_of
from flink_jobs_provider.engine.resource_state import ResourceState
from flink_jobs_provider.engine.snapshot_manager import Record

PREFIX = "urn:pulumi:dev::demo::t::"


def record(name: str, *needs: str, custom: bool = True, **more: Any) -> Record:
    """Make a resource that needs others."""
    urns = tuple(PREFIX + each for each in needs)
    return Record(
        ResourceState(urn=PREFIX + name, type="t", custom=custom, dependencies=urns, **more)
    )


def names(records: list[Record]) -> list[str]:
    """Name resources."""
    return [each.state.name for each in records]


def test_dependents_are_found_through_others() -> None:
    """Directly, through another, through a property, a provider and `deleted_with`."""
    everything = [
        record("a"),
        record("other"),
        record("b", "a"),
        record("c", property_dependencies={"p": (PREFIX + "b",)}),
        record("d", provider=f"{PREFIX}c::id"),
        record("e", deleted_with=PREFIX + "d"),
        record("child", parent=PREFIX + "a"),
    ]
    assert names(dependents_of(everything[0], everything, ())) == ["b", "c", "d", "e"]


def test_ignored_resources_lead_nowhere() -> None:
    """What was settled already needs the root no more, nor does what it led to."""
    everything = [record("a"), record("b", "a"), record("c", "b")]
    assert names(dependents_of(everything[0], everything, {PREFIX + "b"})) == []


def test_dependents_are_deleted_first_and_independents_together() -> None:
    """Each wave holds what can go at once."""
    everything = [record("a"), record("b", "a"), record("c", "a"), record("d", "b", "c")]
    waves = deletion_waves(everything, everything)
    assert [sorted(names(wave)) for wave in waves] == [["d"], ["b", "c"], ["a"]]


def test_children_go_before_their_parent() -> None:
    """A component is deleted after what is in it."""
    everything = [record("g", custom=False), record("a", parent=PREFIX + "g")]
    assert [names(wave) for wave in deletion_waves(everything, everything)] == [["a"], ["g"]]


def test_needing_a_component_means_needing_what_is_in_it() -> None:
    """What depends on a component is deleted before the component's children."""
    everything = [
        record("g", custom=False),
        record("h", custom=False, parent=PREFIX + "g"),
        record("a", parent=PREFIX + "h"),
        record("b", "g"),
    ]
    waves = [names(wave) for wave in deletion_waves(everything, everything)]
    assert waves.index(["b"]) < waves.index(["a"]) < waves.index(["g"])


def test_only_what_is_condemned_is_deleted() -> None:
    """Others are there to show the order only."""
    everything = [record("a"), record("b", "a"), record("c", "b")]
    waves = deletion_waves([everything[0], everything[2]], everything)
    assert sorted(name for wave in waves for name in names(wave)) == ["a", "c"]
