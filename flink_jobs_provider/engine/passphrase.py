"""Secrets under a passphrase, in the format of Pulumi's passphrase secrets provider.

The key is PBKDF2-SHA256 of the passphrase with 1,000,000 rounds; a ciphertext is
`v1:<nonce>:<AES-256-GCM>`, both base64; `encryptionsalt` is `v1:<salt>:<"pulumi" encrypted>`.
"""

import base64
import binascii
import hashlib
import os
import sys
from collections.abc import Mapping
from getpass import getpass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from flink_jobs_provider.engine.errors import PassphraseError

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
