"""Pulumi.<stack>.yaml."""

import base64
import hashlib
from pathlib import Path

import pytest
import yaml

from flink_jobs_provider.engine.errors import ConfigurationError, PassphraseError, UnsupportedError
from flink_jobs_provider.engine.stack_configuration import (
    ConfigurationValue,
    Crypter,
    StackConfiguration,
    as_provider_inputs,
    find_passphrase,
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


# Made with the Pulumi CLI 3.260: `pulumi stack init`, `pulumi config set --secret pw hunter2`.
SALT = "v1:Mcth4+StTHw=:v1:xUiXuXiScfO1exAm:GCWbQqbvWiy7ROoUpZxzbjDRFcsO5w=="
CIPHERTEXT = "v1:E9Zd2dEmjx7XzDmC:y0RqtqkjSpEhD8Z0v9XMW0F5d8oJ+Ak="
PASSPHRASE = "pw"


@pytest.fixture(scope="module")
def crypter_of_the_cli() -> Crypter:
    """Make the crypter_of_the_cli of the CLI's stack; making a key takes a while on purpose."""
    return Crypter(PASSPHRASE, SALT)


def test_reads_what_the_cli_encrypted(crypter_of_the_cli: Crypter) -> None:
    """A value of a real stack is decrypted."""
    assert crypter_of_the_cli.decrypt(CIPHERTEXT) == "hunter2"


def test_every_encryption_is_another(crypter_of_the_cli: Crypter) -> None:
    """The same text gets a nonce of its own each time, and comes back."""
    first, second = crypter_of_the_cli.encrypt("täxt"), crypter_of_the_cli.encrypt("täxt")
    assert first != second
    assert crypter_of_the_cli.decrypt(first) == crypter_of_the_cli.decrypt(second) == "täxt"
    assert len(base64.b64decode(first.split(":")[1])) == 12


def test_a_wrong_passphrase_is_told_at_once() -> None:
    """The salt's own check text finds it, before anything is read."""
    with pytest.raises(PassphraseError, match="incorrect passphrase"):
        Crypter("not it", SALT)


@pytest.mark.parametrize("salt", ["", "v2:a:b", "v1:only", "nonsense", "v1:!:v1:a:b"])
def test_what_is_no_salt_is_refused(salt: str) -> None:
    """A mangled `encryptionsalt` is an error in words."""
    with pytest.raises(PassphraseError):
        Crypter(PASSPHRASE, salt)


@pytest.mark.parametrize(
    "text", ["", "hunter2", "v1:a", "v1:AAAA:AAAA", CIPHERTEXT[:-6] + "AAAA=="]
)
def test_what_was_not_encrypted_here_is_refused(crypter_of_the_cli: Crypter, text: str) -> None:
    """A mangled ciphertext is an error in words, never another text."""
    with pytest.raises(PassphraseError):
        crypter_of_the_cli.decrypt(text)


def test_a_fresh_salt_opens_with_its_passphrase_alone() -> None:
    """What a new stack is given can be opened again."""
    fresh = Crypter.fresh("new")
    again = Crypter("new", fresh.encryption_salt)
    assert again.decrypt(fresh.encrypt("x")) == "x"
    with pytest.raises(PassphraseError):
        Crypter("other", fresh.encryption_salt)


def test_the_passphrase_is_taken_from_where_the_cli_takes_it(tmp_path: Path) -> None:
    """The variable wins, even when empty; then the file, without its line end."""
    file = tmp_path / "passphrase"
    file.write_text("from file\n")
    both = {"PULUMI_CONFIG_PASSPHRASE": "", "PULUMI_CONFIG_PASSPHRASE_FILE": str(file)}
    assert find_passphrase(both, interactive=False, stack="dev") == ""
    del both["PULUMI_CONFIG_PASSPHRASE"]
    assert find_passphrase(both, interactive=False, stack="dev") == "from file"


def test_a_missing_passphrase_says_what_to_set(tmp_path: Path) -> None:
    """Neither given, or a file that is not there: an error that names the variable."""
    with pytest.raises(PassphraseError, match="no passphrase") as missing:
        find_passphrase({}, interactive=False, stack="dev")
    assert "PULUMI_CONFIG_PASSPHRASE" in missing.value.hint
    gone = {"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "gone")}
    with pytest.raises(PassphraseError, match="cannot be read"):
        find_passphrase(gone, interactive=False, stack="dev")


def test_a_new_stacks_key_is_derived_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deriving one takes a quarter of a second on purpose; what it encrypts can be read again."""
    derived: list[bytes] = []
    derive = hashlib.pbkdf2_hmac

    def counted(name: str, word: bytes, salt: bytes, rounds: int, length: int) -> bytes:
        derived.append(salt)
        return derive(name, word, salt, rounds, length)

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", counted)
    fresh = Crypter.fresh(PASSPHRASE)
    assert len(derived) == 1
    assert Crypter(PASSPHRASE, fresh.encryption_salt).decrypt(fresh.encrypt("text")) == "text"
