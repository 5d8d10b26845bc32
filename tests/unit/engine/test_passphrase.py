"""Secrets under a passphrase, in the CLI's format."""

import base64
import hashlib
from pathlib import Path

import pytest

from flink_jobs_provider.engine.errors import PassphraseError
from flink_jobs_provider.engine.passphrase import Crypter, find_passphrase

# Made with the Pulumi CLI 3.260: `pulumi stack init`, `pulumi config set --secret pw hunter2`.
SALT = "v1:Mcth4+StTHw=:v1:xUiXuXiScfO1exAm:GCWbQqbvWiy7ROoUpZxzbjDRFcsO5w=="
CIPHERTEXT = "v1:E9Zd2dEmjx7XzDmC:y0RqtqkjSpEhD8Z0v9XMW0F5d8oJ+Ak="
PASSPHRASE = "pw"


@pytest.fixture(scope="module")
def crypter() -> Crypter:
    """Make the crypter of the CLI's stack; making a key takes a while on purpose."""
    return Crypter(PASSPHRASE, SALT)


def test_reads_what_the_cli_encrypted(crypter: Crypter) -> None:
    """A value of a real stack is decrypted."""
    assert crypter.decrypt(CIPHERTEXT) == "hunter2"


def test_every_encryption_is_another(crypter: Crypter) -> None:
    """The same text gets a nonce of its own each time, and comes back."""
    first, second = crypter.encrypt("täxt"), crypter.encrypt("täxt")
    assert first != second
    assert crypter.decrypt(first) == crypter.decrypt(second) == "täxt"
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
def test_what_was_not_encrypted_here_is_refused(crypter: Crypter, text: str) -> None:
    """A mangled ciphertext is an error in words, never another text."""
    with pytest.raises(PassphraseError):
        crypter.decrypt(text)


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
