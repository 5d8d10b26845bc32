"""Pulumi.<stack>.yaml."""

from pathlib import Path

import pytest
import yaml

from flink_jobs_provider.engine.errors import ConfigurationError, UnsupportedError
from flink_jobs_provider.engine.passphrase import Crypter
from flink_jobs_provider.engine.stack_configuration import (
    ConfigurationValue,
    StackConfiguration,
    as_provider_inputs,
    full_name,
)
from flink_jobs_provider.engine.values import Secret


@pytest.fixture(scope="module")
def crypter() -> Crypter:
    """Make one key for all tests here; it takes a while."""
    return Crypter.fresh("pw")


def written(path: Path, text: str) -> StackConfiguration:
    """Write a configuration and read it."""
    path = path / "Pulumi.dev.yaml"
    path.write_text(text)
    return StackConfiguration.read(path)


def test_values_come_as_the_program_gets_them(tmp_path: Path, crypter: Crypter) -> None:
    """Text as it is, other scalars as text, objects as JSON, secrets decrypted anywhere."""
    configuration = written(
        tmp_path,
        yaml.safe_dump(
            {
                "config": {
                    "demo:text": "x",
                    "demo:number": 5,
                    "demo:flag": True,
                    "bare": "b",
                    "demo:object": {"list": [1, {"secure": crypter.encrypt("deep")}]},
                    "other:secret": {"secure": crypter.encrypt("hidden")},
                }
            }
        ),
    )
    assert configuration.has_secrets
    assert configuration.values("demo", crypter) == {
        "demo:text": ConfigurationValue("x"),
        "demo:number": ConfigurationValue("5"),
        "demo:flag": ConfigurationValue("true"),
        "demo:bare": ConfigurationValue("b"),
        "demo:object": ConfigurationValue('{"list":[1,"deep"]}', secret=True),
        "other:secret": ConfigurationValue("hidden", secret=True),
    }


def test_the_provider_gets_secrets_marked() -> None:
    """So that they are encrypted in the provider's own state."""
    values = {"demo:b": ConfigurationValue("x", secret=True), "demo:a": ConfigurationValue("y")}
    assert as_provider_inputs(values) == {"demo:a": "y", "demo:b": Secret("x")}


@pytest.mark.parametrize(("key", "name"), [("a", "demo:a"), ("x:a", "x:a"), ("x:config:a", "x:a")])
def test_full_name(key: str, name: str) -> None:
    """A bare key is the project's own."""
    assert full_name(key, "demo") == name


def test_set_and_remove(tmp_path: Path, crypter: Crypter) -> None:
    """What is set is there after writing, in the CLI's form, and gone when removed."""
    path = tmp_path / "stacks/Pulumi.dev.yaml"
    configuration = StackConfiguration.read(path)
    configuration.encryption_salt = crypter.encryption_salt
    configuration.set("plain", "5", path=False, crypter=None, project="demo")
    configuration.set("secret", "hidden", path=False, crypter=crypter, project="demo")
    configuration.set("o.list[0]", "5", path=True, crypter=None, project="demo")
    configuration.set("o.list[1]", "true", path=True, crypter=None, project="demo")
    configuration.set("o.text", "05", path=True, crypter=None, project="demo")
    configuration.write()
    content = yaml.safe_load(path.read_text())
    assert next(iter(content)) == "encryptionsalt"
    assert content["config"]["demo:plain"] == "5"
    assert content["config"]["demo:o"] == {"list": [5, True], "text": "05"}
    assert "hidden" not in path.read_text()
    again = StackConfiguration.read(path)
    assert again.values("demo", crypter)["demo:secret"].text == "hidden"
    again.remove("secret", "demo")
    assert not again.has_secrets
    with pytest.raises(ConfigurationError, match="not set"):
        again.remove("secret", "demo")


@pytest.mark.parametrize("path", ["list[2]", "text.deeper", "[0]"])
def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path, path: str) -> None:
    """Behind a list's end, within a text, without a name: an error and no change."""
    configuration = written(tmp_path, "config: {'demo:list': [1], 'demo:text': x}")
    with pytest.raises(ConfigurationError):
        configuration.set(path, "x", path=True, crypter=None, project="demo")


@pytest.mark.parametrize("text", ["- a", "config: [1]", "a: [", "'x'"])
def test_what_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    """With the file's name in the message."""
    with pytest.raises(ConfigurationError, match=r"Pulumi\.dev\.yaml"):
        written(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "what"),
    [("secretsprovider: awskms://x", "awskms"), ("environment: [x]", "environment")],
)
def test_what_only_the_cli_knows_is_refused_by_name(tmp_path: Path, text: str, what: str) -> None:
    """Other secrets providers and environments."""
    with pytest.raises(UnsupportedError, match=what):
        written(tmp_path, text)
