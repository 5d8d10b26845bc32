"""`flink-jobs stack` and `config`: stacks that are made, selected and removed, and JSON of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from flink_jobs_provider.cli.app import app

Run = Callable[..., Result]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project in a directory of its own."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    for name, value in {
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/state",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_CONFIG_PASSPHRASE": "x",
        "FLINK_JOBS_ENGINE": "embedded",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PULUMI_STACK", raising=False)
    # How long a key takes to derive is of no matter here.
    monkeypatch.setattr("flink_jobs_provider.engine.stack_configuration._ROUNDS", 1)
    return tmp_path


@pytest.fixture
def run(root: Path) -> Run:
    """Return a function that runs a command in the project: `-C` before it."""

    def invoke(*words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, ["-C", str(root / "shop"), *words])
        assert result.exit_code == code, result.output
        return result

    return invoke


def checkpoint(root: Path, stack: str) -> Path:
    return root / f"state/.pulumi/stacks/shop/{stack}.json"


def put_resource(root: Path, stack: str, *, pending: bool = False) -> None:
    """Put a job into a stack's state, or an operation that was begun on it."""
    document = json.loads(checkpoint(root, stack).read_text())
    job = {
        "urn": f"urn:pulumi:{stack}::shop::pulumi-python:dynamic/flink_jobs:FlinkJob::orders",
        "type": "pulumi-python:dynamic/flink_jobs:FlinkJob",
        "custom": True,
    }
    latest = document["checkpoint"]["latest"]
    if pending:
        latest["pending_operations"] = [{"resource": job, "type": "creating"}]
    else:
        latest["resources"] = [job]
    checkpoint(root, stack).write_text(json.dumps(document))


def test_the_selected_stack_is_the_one_that_commands_are_for(run: Run) -> None:
    """Shows two stacks: none of them is meant before one is selected."""
    run("stack", "init", "dev")
    assert json.loads(run("stack", "init", "prod", "--json").stdout)["stack"] == "prod"
    refused = run("config", "ls", code=255)
    assert "flink-jobs stack select" in refused.output
    assert "selected stack prod" in run("stack", "select", "prod").output
    run("config", "set", "place", "here")
    assert json.loads(run("config", "ls", "-s", "prod", "--json").stdout) == {
        "shop:place": {"value": "here", "secret": False}
    }
    assert run("config", "ls", "-s", "dev").stdout == ""
    rows = json.loads(run("stack", "ls", "--json").stdout)
    assert rows == [{"name": "dev", "current": False}, {"name": "prod", "current": True}]
    assert run("stack", "ls").stdout == "dev\nprod*\n"


def test_a_stack_that_is_not_there_is_not_selected(run: Run, root: Path) -> None:
    run("stack", "init", "dev")
    assert "no stack named 'prd'" in run("stack", "select", "prd", code=255).output
    assert not (root / "home").exists()


def test_an_empty_stack_is_removed_with_its_configuration_and_selection(
    run: Run, root: Path
) -> None:
    run("stack", "init", "dev")
    run("stack", "init", "prod")
    run("stack", "select", "dev")
    done = json.loads(run("stack", "rm", "dev", "--yes", "--json").stdout)
    assert done["left_behind"] == []
    assert Path(done["backup"]).is_file()
    assert not checkpoint(root, "dev").exists()
    assert not (root / "shop/Pulumi.dev.yaml").exists()
    assert list((root / "home/workspaces").glob("*")) == []
    assert run("stack", "ls").stdout == "prod\n"


def test_its_configuration_is_kept_where_that_is_asked_for(run: Run, root: Path) -> None:
    run("stack", "init", "dev")
    run("stack", "rm", "dev", "--yes", "--preserve-config")
    assert (root / "shop/Pulumi.dev.yaml").is_file()


@pytest.mark.parametrize("pending", [False, True])
def test_a_stack_with_resources_is_removed_by_force_alone(
    run: Run, root: Path, pending: bool
) -> None:
    """Shows also an operation that was begun: a job may be there that no other record names."""
    run("stack", "init", "dev")
    put_resource(root, "dev", pending=pending)
    refused = run("stack", "rm", "dev", "--yes", code=255).output
    assert "stack dev still holds 1 resources: orders" in refused
    assert "flink-jobs destroy" in refused
    assert checkpoint(root, "dev").exists()
    done = run("stack", "rm", "dev", "--yes", "--force").output
    assert "no stack manages these any more: orders" in done
    assert not checkpoint(root, "dev").exists()


def test_nothing_is_removed_without_a_yes(run: Run, root: Path) -> None:
    run("stack", "init", "dev")
    assert "nobody is there to confirm" in run("stack", "rm", "dev", code=255).output
    assert checkpoint(root, "dev").exists()


PREFIX = "urn:pulumi:dev::shop::"
ORDERS, SHOP = f"{PREFIX}flink-jobs:index:Job::orders", f"{PREFIX}my:index:Shop::shop"


def put_resources(root: Path, *more: dict[str, Any]) -> None:
    """Put resources into the state of the stack dev: a component, and its job with a secret."""
    document = json.loads(checkpoint(root, "dev").read_text())
    secret = {"4dabf18193072939515e22adb298388d": "1b47", "ciphertext": "v1:abc"}
    document["checkpoint"]["latest"]["resources"] = [
        {"urn": SHOP, "type": "my:index:Shop", "custom": False},
        {
            "urn": ORDERS,
            "type": "flink-jobs:index:Job",
            "custom": True,
            "parent": SHOP,
            "inputs": {"args": secret},
        },
        *more,
    ]
    checkpoint(root, "dev").write_text(json.dumps(document))


def urns(root: Path) -> list[str]:
    """Return the resources in the state of the stack dev."""
    latest = json.loads(checkpoint(root, "dev").read_text())["checkpoint"]["latest"]
    return [each["urn"] for each in latest["resources"]]


@pytest.mark.parametrize("named", ["orders", ORDERS])
def test_a_resource_is_taken_out_of_the_state(
    run: Run, root: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """Shows that no passphrase is needed, and that the rest and the state before are kept."""
    run("stack", "init", "dev")
    put_resources(root, {"urn": f"{ORDERS}-2", "type": "flink-jobs:index:Job", "custom": True})
    before = json.loads(checkpoint(root, "dev").read_text())
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    done = json.loads(run("state", "delete", named, "--yes", "--json").stdout)
    assert (done["stack"], done["urn"]) == ("dev", ORDERS)
    assert json.loads(Path(done["backup"]).read_text()) == before
    assert urns(root) == [SHOP, f"{ORDERS}-2"]
    said = run("state", "delete", "orders-2", "--yes").output
    assert f"took {ORDERS}-2 out of the state of stack dev" in said
    assert urns(root) == [SHOP]


@pytest.mark.parametrize(
    ("more", "named", "said"),
    [
        ({}, "order", f"stack dev has no resource 'order'\nIt has: {SHOP}, {ORDERS}"),
        ({"urn": f"{PREFIX}a:b:C::orders"}, "orders", "several resources named orders"),
        ({"urn": ORDERS, "delete": True}, "orders", f"2 records of {ORDERS}, of which one is"),
        ({}, "shop", f"shop is needed by other resources of stack dev: {ORDERS}"),
        ({"dependencies": [ORDERS]}, "orders", f"needed by other resources of stack dev: {PREFIX}"),
        ({"propertyDependencies": {"x": [ORDERS]}}, "orders", "needed by other resources"),
        ({"deletedWith": ORDERS}, "orders", "needed by other resources"),
        ({"provider": f"{ORDERS}::id-1"}, "orders", "needed by other resources"),
        ({"protect": True}, "more", "more is protected\nWith --force"),
    ],
)
def test_what_is_not_taken_out(
    run: Run, root: Path, more: dict[str, Any], named: str, said: str
) -> None:
    run("stack", "init", "dev")
    other = {"urn": f"{PREFIX}a:b:C::more", "type": "a:b:C", "custom": True}
    put_resources(root, other | more)
    before = checkpoint(root, "dev").read_text()
    assert said in run("state", "delete", named, "--yes", code=255).output
    assert checkpoint(root, "dev").read_text() == before


def test_a_protected_resource_is_taken_out_by_force_and_none_without_a_yes(
    run: Run, root: Path
) -> None:
    run("stack", "init", "dev")
    put_resources(root, {"urn": f"{ORDERS}-2", "type": "x", "custom": True, "protect": True})
    assert "nobody is there" in run("state", "delete", "orders-2", "--force", code=255).output
    assert f"{ORDERS}-2" in urns(root)
    run("state", "delete", "orders-2", "--force", "--yes")
    assert f"{ORDERS}-2" not in urns(root)


def test_a_secret_is_not_in_a_list_in_json(run: Run) -> None:
    run("stack", "init", "dev")
    run("config", "set", "--secret", "token", "hush-hush")
    listed = run("config", "ls", "--json").stdout
    assert json.loads(listed) == {"shop:token": {"secret": True}}
    shown = {"value": "hush-hush", "secret": True}
    assert json.loads(run("config", "get", "token", "--json").stdout) == shown
    assert json.loads(run("config", "ls", "--json", "--show-secrets").stdout) == {
        "shop:token": shown
    }


def test_a_lock_that_is_not_there_in_json(run: Run) -> None:
    run("stack", "init", "dev")
    document: dict[str, Any] = json.loads(run("cancel", "--json").stdout)
    assert document == {"stack": "dev", "removed_locks": []}


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["-C", ".", "stack", "--help"]])
def test_what_needs_no_project(words: list[str]) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0
    assert "flink-jobs" in result.output or "stack" in result.output


def test_a_directory_that_is_not_there_is_refused() -> None:
    result = CliRunner().invoke(app, ["-C", "/nowhere/at/all", "stack", "ls"])
    assert result.exit_code == 2
    assert "does not exist" in result.output


def test_stacks_complete_a_command(run: Run, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows what a shell is told for `flink-jobs stack select p`."""
    run("stack", "init", "dev")
    run("stack", "init", "prod")
    monkeypatch.chdir(root / "shop")
    result = CliRunner().invoke(
        app,
        [],
        prog_name="flink-jobs",
        env={
            "_FLINK_JOBS_COMPLETE": "complete_bash",
            "COMP_WORDS": "flink-jobs stack select p",
            "COMP_CWORD": "3",
        },
    )
    assert result.stdout.split() == ["prod"]
