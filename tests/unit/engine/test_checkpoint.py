"""Checkpoints: what the CLI wrote comes back as it was, and damage is told."""

import json
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.engine.checkpoint import CheckpointFormat, deployment_of, salt_of
from flink_jobs_provider.engine.errors import CheckpointError, PassphraseError, UnsupportedError
from flink_jobs_provider.engine.resource_state import OperationKind
from flink_jobs_provider.engine.snapshot_manager import SnapshotManager
from flink_jobs_provider.engine.stack_configuration import Crypter
from flink_jobs_provider.engine.values import Secret

PATH = Path("dev.json")


@pytest.fixture(scope="module")
def crypter() -> Crypter:
    """Make one key for all tests here; it takes a while."""
    return Crypter.fresh("pw")


@pytest.fixture
def latest(crypter: Crypter) -> dict[str, Any]:
    """Return a deployment with everything in it that the CLI writes for dynamic resources."""
    secret = {
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        "ciphertext": crypter.encrypt('{"deep":"hidden"}'),
    }
    return {
        "manifest": {"time": "2026-01-01T00:00:00Z", "magic": "", "version": ""},
        "secrets_providers": {"type": "passphrase", "state": {"salt": crypter.encryption_salt}},
        "resources": [
            {
                "urn": "urn:pulumi:dev::demo::pulumi:pulumi:Stack::demo-dev",
                "custom": False,
                "type": "pulumi:pulumi:Stack",
                "outputs": {"list": [1, None, {"x": 1.5}]},
                "stackTrace": [{"sourcePosition": "project:///a.py#1"}, {}],
            },
            {
                "urn": "urn:pulumi:dev::demo::pulumi-python:dynamic/x:X::a",
                "custom": True,
                "id": "id-a",
                "type": "pulumi-python:dynamic/x:X",
                "inputs": {"secret": secret, "n": 3, "none": None},
                "outputs": {"secret": secret},
                "parent": "urn:pulumi:dev::demo::pulumi:pulumi:Stack::demo-dev",
                "protect": True,
                "delete": True,
                "dependencies": ["urn:b"],
                "provider": "urn:pulumi:dev::demo::pulumi:providers:pulumi-python::default::1",
                "propertyDependencies": {"n": [], "secret": ["urn:b"]},
                "additionalSecretOutputs": ["o"],
                "retainOnDelete": True,
                "customTimeouts": {"create": 90, "delete": 0.5},
                "deletedWith": "urn:b",
                "replaceWith": ["urn:b"],
                "created": "2026-01-01T00:00:00Z",
                "modified": "2026-01-01T00:00:00Z",
                "ignoreChanges": ["n"],
                "hideDiff": [["a", 0]],
                "replaceOnChanges": ["n"],
                "replacementTrigger": "t",
                "initErrors": ["no"],
                "aFieldOfTheFuture": {"kept": True},
            },
        ],
        "pending_operations": [
            {
                "resource": {"urn": "urn:x::y::z::p", "custom": True, "type": "z"},
                "type": "creating",
            }
        ],
        "metadata": {"some": "thing"},
    }


def text_of(latest: object) -> str:
    """Put a deployment into a checkpoint."""
    checkpoint = {"stack": "organization/demo/dev", "latest": latest}
    return json.dumps({"version": 3, "checkpoint": checkpoint})


def test_nothing_is_lost_on_the_way_through(latest: dict[str, Any], crypter: Crypter) -> None:
    """Read and written again it is the same, ciphertexts and unknown fields too."""
    checkpoint = CheckpointFormat("organization/demo/dev", crypter)
    snapshot = checkpoint.read(text_of(latest), PATH)
    written = SnapshotManager(snapshot, checkpoint, None)._text()
    again = json.loads(written)["checkpoint"]["latest"]
    again["manifest"] = latest["manifest"]
    assert again == latest


def test_what_is_read(latest: dict[str, Any], crypter: Crypter) -> None:
    """Secrets come decrypted, operations with their kind."""
    snapshot = CheckpointFormat("s", crypter).read(text_of(latest), PATH)
    a = snapshot.resources[1]
    assert a.inputs == {"secret": Secret({"deep": "hidden"}), "n": 3, "none": None}
    assert a.property_dependencies == {"n": (), "secret": ("urn:b",)}
    assert snapshot.pending_operations[0].kind is OperationKind.CREATING


def test_another_key_means_new_ciphertexts(latest: dict[str, Any], crypter: Crypter) -> None:
    """State that is to be written under another key is encrypted anew."""
    other = Crypter.fresh("other")
    reader = CheckpointFormat("s", crypter, keep_ciphertexts=False)
    snapshot = reader.read(text_of(latest), PATH)
    written = SnapshotManager(snapshot, CheckpointFormat("s", other), None)._text()
    again = CheckpointFormat("s", other).read(written, PATH)
    assert again.resources[1].inputs["secret"] == Secret({"deep": "hidden"})


def test_secrets_within_secrets_survive(crypter: Crypter) -> None:
    """They are encrypted once, as one."""
    checkpoint = CheckpointFormat("s", crypter)
    snapshot = checkpoint.read(text_of({}), PATH)
    keeper = SnapshotManager(snapshot, checkpoint, None)
    from flink_jobs_provider.engine.resource_state import ResourceState

    keeper.register(
        ResourceState(
            urn="urn:a::b::c::d", type="c", custom=True, inputs={"s": Secret([Secret("x")])}
        )
    )
    again = checkpoint.read(keeper._text(), PATH)
    assert again.resources[0].inputs == {"s": Secret([Secret("x")])}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"version": 3}', text_of({"resources": [{"urn": "x"}]}), text_of(7)],
)
def test_damage_is_told(text: str) -> None:
    """A checkpoint that is none is an error that says where the last good one is."""
    with pytest.raises(CheckpointError, match="corrupt") as error:
        CheckpointFormat("s", None).read(text, PATH)
    assert "dev.json" in error.value.message


def test_other_versions_and_secrets_providers_are_refused_by_name() -> None:
    """What only the CLI understands is left to it."""
    with pytest.raises(UnsupportedError, match="version 4"):
        deployment_of('{"version": 4, "checkpoint": {}}', PATH)
    with pytest.raises(UnsupportedError, match="awskms"):
        salt_of({"secrets_providers": {"type": "awskms"}})
    with pytest.raises(UnsupportedError, match="snippets"):
        CheckpointFormat("s", None).read(text_of({"snippets": [{}]}), PATH)


def test_secrets_under_another_key_are_not_read_as_something_else(
    latest: dict[str, Any],
) -> None:
    """The wrong key is an error, not garbage in the state."""
    with pytest.raises(PassphraseError):
        CheckpointFormat("s", Crypter.fresh("other")).read(text_of(latest), PATH)
