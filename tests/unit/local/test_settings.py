"""What a cluster is started with."""

from __future__ import annotations

from pathlib import Path

import pytest

from flink_jobs_provider.local.settings import (
    DEFAULT_FLINK_VERSION,
    FlinkVersion,
    LocalClusterError,
    Request,
    Settings,
    chosen_port,
    differences,
    new_settings,
    wanted_version,
)

RECORDED = Settings(
    version="1.20.5",
    port=9001,
    rpc_port=9002,
    slots=5,
    task_managers=2,
    configuration={"a": "b"},
    java="Java 17 (JAVA_HOME)",
)


def chosen(request: Request, recorded: Settings | None) -> Settings:
    version = wanted_version(request, recorded).text
    port = chosen_port(request, recorded)
    return new_settings(request, recorded, version=version, port=port, rpc_port=9002, java="Java")


def test_defaults() -> None:
    """Asked for nothing, and with nothing recorded, it is Flink's usual port and 8 slots."""
    settings = chosen(Request(), None)
    assert (settings.version, settings.port, settings.slots) == ("2.3.0", 8081, 8)
    assert (settings.task_managers, settings.configuration) == (1, {})


def test_recorded_settings_hold_where_nothing_is_asked() -> None:
    """A second start is as the first."""
    assert chosen(Request(), RECORDED) == RECORDED.model_copy(update={"java": "Java"})


def test_what_is_asked_wins() -> None:
    """Each option replaces what was recorded."""
    asked = Request(version="2.3.0", port=1, slots=2, task_managers=1, configuration={})
    settings = chosen(asked, RECORDED)
    assert settings.model_dump(exclude={"java", "rpc_port"}) == asked.model_dump()


def test_differences_in_words() -> None:
    """What a running cluster is and what was asked for are named together."""
    asked = Request(version="2.3.0", slots=5, task_managers=1, configuration={"a": "c"})
    assert differences(asked, RECORDED) == [
        "version 1.20.5, not 2.3.0",
        "task managers 2, not 1",
        "Flink configuration {'a': 'b'}, not {'a': 'c'}",
    ]


def test_any_free_port_is_no_difference() -> None:
    """Port 0 is content with whatever port there is."""
    assert differences(Request(port=0), RECORDED) == []
    assert differences(Request(port=9001), RECORDED) == []
    assert differences(Request(port=9009), RECORDED) == ["port 9001, not 9009"]


def test_slots_are_shared_out() -> None:
    """The first task managers get one more where it does not come out even."""
    assert RECORDED.slots_of_each == [3, 2]
    assert RECORDED.roles == ["jobmanager", "taskmanager-1", "taskmanager-2"]


def test_more_task_managers_than_slots() -> None:
    """A task manager without a slot is refused."""
    with pytest.raises(LocalClusterError, match="1 slots are too few for 2"):
        chosen(Request(slots=1, task_managers=2), None)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request(slots=0), "--slots is 0"),
        (Request(task_managers=-1), "--task-managers is -1"),
        (Request(port=65536), "--port is 65536"),
        (Request(configuration={"rest.port": "1"}), "Use --port"),
        (Request(configuration={"taskmanager.numberOfTaskSlots": "1"}), "Use --slots"),
        (Request(configuration={"web.upload.dir": "/"}), "set by the local cluster itself"),
    ],
)
def test_nonsense_is_refused(request_: Request, message: str) -> None:
    """What no cluster can have, or has an option of its own, is refused in words."""
    with pytest.raises(LocalClusterError, match=message):
        request_.refuse_nonsense()


def test_settings_survive_a_save(tmp_path: Path) -> None:
    """What is saved is what is loaded; without a file there is nothing."""
    file = tmp_path / "cluster.json"
    assert Settings.load(file) is None
    RECORDED.save(file)
    assert Settings.load(file) == RECORDED


def test_damaged_settings_are_reported(tmp_path: Path) -> None:
    """A file that is cut off is named, not guessed at."""
    file = tmp_path / "cluster.json"
    file.write_text('{"version": "2.', encoding="utf-8")
    with pytest.raises(LocalClusterError, match="is damaged"):
        Settings.load(file)


@pytest.mark.parametrize(
    ("version", "java", "file"),
    [
        ("1.17.2", (8, 11, 17), "flink-conf.yaml"),
        ("1.18.1", (8, 11, 17), "flink-conf.yaml"),
        ("1.19.3", (8, 11, 17, 21), "config.yaml"),
        ("1.20.5", (8, 11, 17, 21), "config.yaml"),
        (DEFAULT_FLINK_VERSION, (11, 17, 21), "config.yaml"),
    ],
)
def test_java_and_configuration_file(version: str, java: tuple[int, ...], file: str) -> None:
    """Each version runs on certain Javas and reads a certain file."""
    flink = FlinkVersion.parse(version)
    assert flink.java_releases == java
    assert flink.configuration_file == file
    assert str(flink) == version


@pytest.mark.parametrize("text", ["", "2", "2.3", "2.3.0-SNAPSHOT", "v2.3.0", "2.3.0 "])
def test_not_a_version(text: str) -> None:
    """Anything but three numbers is refused with an example of what is right."""
    with pytest.raises(LocalClusterError, match=r"such as 2\.3\.0"):
        FlinkVersion.parse(text)


@pytest.mark.parametrize("text", ["0.9.0", "1.9.3", "1.16.3"])
def test_too_old(text: str) -> None:
    """Versions that nothing here was tested with are refused by name."""
    with pytest.raises(LocalClusterError, match=f"Flink {text} is too old"):
        FlinkVersion.parse(text)
