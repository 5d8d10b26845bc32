"""Pulumi.<stack>.yaml: a stack's configuration values, and its secrets under a passphrase.

Secrets have the format of Pulumi's passphrase secrets provider.

The key is PBKDF2-SHA256 of the passphrase with 1,000,000 rounds; a ciphertext is
`v1:<nonce>:<AES-256-GCM>`, both base64; `encryptionsalt` is `v1:<salt>:<"pulumi" encrypted>`.
"""

import base64
import binascii
import hashlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from getpass import getpass
from pathlib import Path
from typing import Any

import yaml
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from flink_jobs_provider.engine.errors import ConfigurationError, PassphraseError, UnsupportedError
from flink_jobs_provider.engine.values import PropertyMap, Secret
from flink_jobs_provider.strict_yaml import UnreadableFile, read_yaml

_ROUNDS = 1_000_000
_KNOWN_TEXT = "pulumi"


class Crypter:
    """Encryption and decryption under one passphrase and salt."""

    def __init__(self, passphrase: str, encryption_salt: str, cipher: AESGCM | None = None) -> None:
        """Raise PassphraseError when the passphrase is not the one the salt was made with.

        `cipher` is that of the two, where it is known: to derive it takes a quarter of a second.
        """
        self.encryption_salt = encryption_salt
        version, _, rest = encryption_salt.partition(":")
        salt, _, check = rest.partition(":")
        if version != "v1" or not check:
            raise PassphraseError("`encryptionsalt` is not in the format v1:<salt>:<check>")
        self._cipher = cipher or _cipher(passphrase, base64.b64decode(salt))
        try:
            known = self.decrypt(check)
        except PassphraseError:
            known = ""
        if known != _KNOWN_TEXT:
            raise PassphraseError(
                "incorrect passphrase",
                "Set PULUMI_CONFIG_PASSPHRASE (or PULUMI_CONFIG_PASSPHRASE_FILE) to the one"
                " the stack was made with.",
            )

    @classmethod
    def fresh(cls, passphrase: str) -> "Crypter":
        """Make a crypter with a salt of its own, for a new stack."""
        salt = os.urandom(8)
        cipher = _cipher(passphrase, salt)
        check = _encrypted(cipher, _KNOWN_TEXT)
        return cls(passphrase, f"v1:{base64.b64encode(salt).decode()}:{check}", cipher)

    def encrypt(self, text: str) -> str:
        """Encrypt one text under a nonce of its own."""
        return _encrypted(self._cipher, text)

    def decrypt(self, ciphertext: str) -> str:
        """Decrypt one text.

        Raises PassphraseError when it was not encrypted under this key.
        """
        parts = ciphertext.split(":")
        if len(parts) != 3 or parts[0] != "v1":
            raise PassphraseError("an encrypted value is not in the format v1:<nonce>:<text>")
        try:
            nonce, text = base64.b64decode(parts[1]), base64.b64decode(parts[2])
            return self._cipher.decrypt(nonce, text, None).decode()
        except (InvalidTag, ValueError, binascii.Error) as error:
            raise PassphraseError(
                "an encrypted value cannot be decrypted with this passphrase"
            ) from error


def _cipher(passphrase: str, salt: bytes) -> AESGCM:
    return AESGCM(hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, _ROUNDS, 32))


def _encrypted(cipher: AESGCM, text: str) -> str:
    nonce = os.urandom(12)
    sealed = cipher.encrypt(nonce, text.encode(), None)
    return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(sealed).decode()}"


def find_passphrase(environment: Mapping[str, str], *, interactive: bool, stack: str) -> str:
    """Return the passphrase from the CLI's sources: environment, file, terminal."""
    if "PULUMI_CONFIG_PASSPHRASE" in environment:
        return environment["PULUMI_CONFIG_PASSPHRASE"]
    if file := environment.get("PULUMI_CONFIG_PASSPHRASE_FILE"):
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise PassphraseError(
                f"the passphrase file {file} cannot be read: {error.strerror}",
                "Correct PULUMI_CONFIG_PASSPHRASE_FILE.",
            ) from error
    if interactive and sys.stdin.isatty():
        return getpass(f"Passphrase of stack {stack}: ")
    raise PassphraseError(
        "no passphrase for the stack's secrets",
        "Set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE.",
    )


@dataclass(frozen=True)
class ConfigurationValue:
    """One value as the program gets it: text; JSON where it was an object or a list."""

    text: str
    secret: bool = False


def configuration_environment(values: Mapping[str, ConfigurationValue]) -> dict[str, str]:
    """Return the variables by which Pulumi's SDK reads a stack's configuration, decrypted."""
    secrets = [name for name, value in values.items() if value.secret]
    return {
        "PULUMI_CONFIG": json.dumps({name: value.text for name, value in values.items()}),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(secrets),
    }


@dataclass
class StackConfiguration:
    """The content of one Pulumi.<stack>.yaml, as it is written there."""

    path: Path
    content: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "StackConfiguration":
        """Read the file; one that does not exist is empty.

        Raises ConfigurationError for a file that is no configuration, and UnsupportedError for
        one whose secrets are not under a passphrase.
        """
        try:
            content = (read_yaml(path) if path.exists() else None) or {}
        except UnreadableFile as error:
            raise ConfigurationError(str(error)) from None
        if not isinstance(content, dict) or not isinstance(content.get("config") or {}, dict):
            raise ConfigurationError(
                f"{path} is not a stack configuration", "It should hold `config:` with a mapping."
            )
        provider = content.get("secretsprovider")
        if provider not in (None, "", "passphrase"):
            raise UnsupportedError(f"the secrets provider `{provider}` of {path}")
        if content.get("environment"):
            raise UnsupportedError(f"`environment` in {path}")
        return cls(path, content)

    @property
    def encryption_salt(self) -> str | None:
        """Return the salt of the stack's secrets, or None."""
        return self.content.get("encryptionsalt")

    @encryption_salt.setter
    def encryption_salt(self, salt: str) -> None:
        # First in the file, as the CLI writes it.
        self.content = {"encryptionsalt": salt} | self.content

    @property
    def has_secrets(self) -> bool:
        """Return whether any value is encrypted."""
        return any(_holds_secret(value) for value in (self.content.get("config") or {}).values())

    def refuse_lost_salt(self) -> None:
        """Raise PassphraseError for encrypted values without the salt of their key."""
        if self.has_secrets and not self.encryption_salt:
            raise PassphraseError(f"{self.path} has encrypted values but no `encryptionsalt`")

    def values(self, project: str, crypter: Crypter | None) -> dict[str, ConfigurationValue]:
        """Return every value by its full name, secrets decrypted.

        `crypter` may be None only where there are no secrets.
        """
        values = {}
        for key, value in (self.content.get("config") or {}).items():
            values[full_name(str(key), project)] = ConfigurationValue(
                _as_text(_decrypted(value, crypter)), _holds_secret(value)
            )
        return values

    def set(
        self, key: str, text: str, *, path: bool, crypter: Crypter | None, project: str
    ) -> None:
        """Set one value; with a crypter it is stored encrypted.

        With `path` the key is a path into an object, as in `config set --path`.

        Raises ConfigurationError for what is no key.
        """
        if not all(part.strip() for part in full_name(key, project).split(":", 1)):
            raise ConfigurationError(
                f"{key!r} is no configuration key", "Give a name, or a namespace and a name: a:b"
            )
        config = self.content.setdefault("config", {}) or {}
        self.content["config"] = config
        value: Any = {"secure": crypter.encrypt(text)} if crypter else text
        if not path:
            config[full_name(key, project)] = value
            return
        steps: list[str | int] = [
            int(index) if index else name
            for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", key)
        ]
        if not steps or not isinstance(steps[0], str):
            raise ConfigurationError(f"not a configuration path: {key!r}")
        steps[0] = full_name(steps[0], project)
        _set_at(config, steps, value if crypter else _typed(text))

    def remove(self, key: str, project: str) -> None:
        """Remove one value.

        Raises ConfigurationError when there is no such value.
        """
        config = self.content.get("config") or {}
        if config.pop(full_name(key, project), None) is None:
            raise ConfigurationError(f"configuration key {key!r} is not set")

    def write(self) -> None:
        """Write the file, all of it or nothing."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=self.path.parent, prefix=f".{self.path.name}.", delete=False, encoding="utf-8"
        ) as file:
            yaml.safe_dump(self.content, file, sort_keys=False, allow_unicode=True)
        os.chmod(file.name, self.path.stat().st_mode if self.path.exists() else 0o644)
        os.replace(file.name, self.path)


def full_name(key: str, project: str) -> str:
    """Return a key with its namespace, by default the project's (`a:config:b` is `a:b`)."""
    namespace, separator, name = key.partition(":")
    if not separator:
        return f"{project}:{key}"
    return f"{namespace}:{name.removeprefix('config:')}"


def as_provider_inputs(values: Mapping[str, ConfigurationValue]) -> PropertyMap:
    """Return the configuration as the inputs of the dynamic provider's default instance."""
    return {
        name: Secret(value.text) if value.secret else value.text
        for name, value in sorted(values.items())
    }


def _holds_secret(value: object) -> bool:
    if isinstance(value, dict):
        return _is_secure(value) or any(map(_holds_secret, value.values()))
    return isinstance(value, list) and any(map(_holds_secret, value))


def _is_secure(value: Mapping[object, object]) -> bool:
    return set(value) == {"secure"} and isinstance(value["secure"], str)


def _decrypted(value: Any, crypter: Crypter | None) -> Any:
    if isinstance(value, dict):
        if _is_secure(value):
            assert crypter is not None, "secrets need a crypter"  # noqa: S101 - a caller's mistake
            return crypter.decrypt(value["secure"])
        return {str(key): _decrypted(item, crypter) for key, item in value.items()}
    if isinstance(value, list):
        return [_decrypted(item, crypter) for item in value]
    return value


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return "" if value is None else json.dumps(value, default=str)


def _typed(text: str) -> bool | int | str:
    """Read a value within an object as the CLI does: flags and whole numbers, else text."""
    if text in ("true", "false"):
        return text == "true"
    return int(text) if re.fullmatch(r"-?(0|[1-9]\d*)", text) else text


def _set_at(container: Any, steps: list[str | int], value: Any) -> None:
    step, rest = steps[0], steps[1:]
    if isinstance(container, list):
        if not isinstance(step, int) or step > len(container):
            raise ConfigurationError(f"index {step} is not within the list or right behind it")
        if step == len(container):
            container.append(None)
    elif not isinstance(container, dict):
        raise ConfigurationError(f"{step!r} lies within a value that is neither object nor list")
    if not rest:
        container[step] = value
        return
    within = container.get(step) if isinstance(container, dict) else container[int(step)]
    if within is None:
        within = container[step] = [] if isinstance(rest[0], int) else {}
    _set_at(within, rest, value)
